"""Which values must never leave memory (SPEC §3), and messages without them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from feedhub.config.addresses import source_address, url_secrets
from feedhub.config.schema_sources import SourceSection
from feedhub.config.yaml_tree import Path
from feedhub.model.problem import Problem

SHORTEST: Final = 4
"""Anything shorter stands in too many ordinary words to be taken out of a text."""

_TELLING: Final = re.compile(r"auth|cookie|token|key|secret|password", re.IGNORECASE)


def hidden_values(
    taken: Mapping[Path, tuple[str, ...]], sources: Iterable[SourceSection], more_urls: Iterable[str]
) -> set[str]:
    """Return what of one file is secret: credentials in addresses, telling headers, and what came from the environment
    into headers, proxies, the store and the query of an address."""
    found = {value for url in more_urls for value in url_secrets(url)}
    for source in sources:
        found.update(source_address(source.url, "/").secrets)
        found.update(url_secrets(source.url))
        found.update(url_secrets(source.proxy or ""))
        found.update(value for name, value in source.headers.items() if _TELLING.search(name))
    for path, values in taken.items():
        if path[0] == "store" or (path[0] == "sources" and path[2:3] in (("headers",), ("proxy",))):
            found.update(values)
    return found


def query_secrets(taken: Mapping[Path, tuple[str, ...]], sources: list[SourceSection]) -> set[str]:
    """Return what came from the environment into the query of a source's address: keys of an API, mostly."""
    found: set[str] = set()
    for path, values in taken.items():
        if path[0] == "sources" and path[2:] == ("url",) and isinstance(path[1], int):
            query = urlsplit(sources[path[1]].url).query
            found.update(value for value in values if value in query)
    return found


def worth_hiding(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values that are long enough, longest first, so that a part never uncovers the whole."""
    return tuple(sorted({value for value in values if len(value) >= SHORTEST}, key=lambda value: (-len(value), value)))


def without_values(problem: Problem, values: Iterable[str]) -> Problem:
    """Return a problem that shows none of ``values``."""
    message, key, file = problem.message, problem.key, problem.file
    for value in values:
        message, key, file = (text.replace(value, "…") for text in (message, key, file))
    return replace(problem, message=message, key=key, file=file)
