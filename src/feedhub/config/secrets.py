"""Which values must never leave memory (SPEC §3), and messages without them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import unquote, urlsplit

from feedhub.config.addresses import source_address, url_secrets
from feedhub.config.schema_sources import SourceSection
from feedhub.config.settle_mapping import request_headers
from feedhub.config.yaml_tree import Path
from feedhub.model.problem import Problem

SHORTEST: Final = 4
"""Anything shorter stands in too many ordinary words to be taken out of a text."""
_SHORTEST_IN_ADDRESS: Final = 8
"""In a path, or written out in a query, many a short value is an ordinary word."""

_HIDDEN_KEYS: Final = frozenset({"headers", "cookies", "body", "proxy"})
_TELLING: Final = re.compile(r"auth|cookie|token|key|secret|password|session", re.IGNORECASE)
_TELLING_PARAMETER: Final = re.compile(
    r".*(?:token|secret|password|passwd|api[_-]?key|signature)|key|auth|pwd|sig|sid|session(?:_?id)?", re.IGNORECASE
)


def hidden_values(
    taken: Mapping[Path, tuple[str, ...]], sources: Iterable[SourceSection], more_urls: Iterable[str]
) -> set[str]:
    """Return what of one file is secret: credentials in addresses, telling headers, and what came from the environment
    into headers, cookies, bodies, proxies, the store and the query of an address."""
    found = {value for url in more_urls for value in url_secrets(url)}
    for source in sources:
        found.update(source_address(source.url, "/").secrets)
        found.update(url_secrets(source.url))
        found.update(url_secrets(source.proxy or ""))
        detail_headers = source.detail.headers if source.detail else {}
        telling = [*request_headers(source), *detail_headers.items(), *source.cookies.items()]
        found.update(value for name, value in telling if _TELLING.search(name))
    for path, values in taken.items():
        key = path[2:3] if path[2:3] != ("detail",) else path[3:4]
        if path[0] == "store" or (path[0] == "sources" and key and key[0] in _HIDDEN_KEYS):
            found.update(values)
    return found


def address_secrets(taken: Mapping[Path, tuple[str, ...]], sources: list[SourceSection]) -> set[str]:
    """Return what is secret in the addresses of sources: what came from the environment into path or query, and
    values of parameters such as ``token``."""
    found = {value for source in sources for url in _addresses(source) for value in _telling_parameters(url)}
    for path, values in taken.items():
        if path[0] == "sources" and path[2:] in (("url",), ("detail", "url")) and isinstance(path[1], int):
            source = sources[path[1]]
            url = source.url if path[2:] == ("url",) else source.detail.url if source.detail else None
            parts = urlsplit(url or "")
            found.update(value for value in values if value in parts.query)
            found.update(value for value in values if parts.hostname and _is_token_in(parts.path, value))
    return found


def _addresses(source: SourceSection) -> tuple[str, ...]:
    return (source.url, *([source.detail.url] if source.detail and source.detail.url else []))


def _telling_parameters(url: str) -> Iterator[str]:
    for parameter in url.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = parameter.partition("=")
        if len(value) >= _SHORTEST_IN_ADDRESS and _TELLING_PARAMETER.fullmatch(name):
            yield from (value, unquote(value))


def _is_token_in(path: str, value: str) -> bool:
    return len(value) >= _SHORTEST_IN_ADDRESS and "/" not in value and value in path


def worth_hiding(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values that are long enough, longest first, so that a part never uncovers the whole."""
    return tuple(sorted({value for value in values if len(value) >= SHORTEST}, key=lambda value: (-len(value), value)))


def without_values(problem: Problem, values: Iterable[str]) -> Problem:
    """Return a problem that shows none of ``values``."""
    message, key, file = problem.message, problem.key, problem.file
    for value in values:
        message, key, file = (text.replace(value, "…") for text in (message, key, file))
    return replace(problem, message=message, key=key, file=file)
