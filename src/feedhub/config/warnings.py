"""What ``check`` warns of: the configuration can be used, but probably does not say what was meant."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib.util import find_spec
from itertools import islice
from typing import Final

from feedhub.config.categories import CategoryTable, mentions
from feedhub.config.section import ConfigFile, key_text
from feedhub.config.yaml_tree import Path, Value
from feedhub.model.settings import Problem, Settings
from feedhub.model.source import Source
from feedhub.rules.categorize import category_slug
from feedhub.rules.patterns import as_read
from feedhub.rules.urls import comparable_url

STARTER_URL: Final = "https://feeds.example.org"
"""What ``feedhub init`` writes as ``site.url``."""
_OF_FULLTEXT: Final = ("trafilatura", "lxml_html_clean")
_SHORTEST_TYPO: Final = 4
"""Among shorter names too many differ in one letter and are meant: us, uk."""
_MOST_COMPARED: Final = 500
_DIGITS: Final = re.compile(r"\d+")


def warnings_of(files: Sequence[ConfigFile], settings: Settings, table: CategoryTable) -> Iterator[Problem]:
    """Yield every warning; ``settings`` are what the ``files`` say, and ``table`` is what their categories mean."""
    yield from (replace(found, is_warning=True) for found in _doubts(files, settings, table))


def _doubts(files: Sequence[ConfigFile], settings: Settings, table: CategoryTable) -> Iterator[Problem]:
    placed = list(zip(_source_places(files), settings.sources, strict=True))
    if settings.site.url == STARTER_URL:
        meant = "is the address of the starter; ids are built from it: put your own before anybody subscribes"
        yield files[0].problem(("site", "url"), meant)
    yield from _misspelt_categories(files, table)
    yield from _shared_addresses(placed)
    yield from _missing_extra(placed)
    yield from _idle_conditions(files, settings, table)


_Placed = Sequence[tuple[tuple[ConfigFile, int], Source]]
"""Sources with the file that each stands in, and its index there."""


def _source_places(files: Sequence[ConfigFile]) -> Iterator[tuple[ConfigFile, int]]:
    for file in files:
        entries = file.value.get("sources")
        yield from ((file, index) for index in range(len(entries) if isinstance(entries, list) else 0))


def _misspelt_categories(files: Sequence[ConfigFile], table: CategoryTable) -> Iterator[Problem]:
    """Warn of a name that is one edit away from a declared category, or from one that is named more often or before."""
    declared = {slug for file in files for slug in _mapping(file.value.get("categories"))}
    mentioned = [mention for mention in mentions(files) if mention.name in table.slugs]
    times = Counter(table.slugs[mention.name] for mention in mentioned)
    rank = {slug: (number, -place) for place, (slug, number) in enumerate(times.items())}
    near = _Neighbours({slug: {slug, category_slug(title)} for slug, title in table.titles.items()})
    for mention in mentioned:
        slug = table.slugs[mention.name]
        if slug in declared:
            continue
        better = [other for other in near.of(slug) if other in declared or rank[other] > rank[slug]]
        if better:
            found = mention.file.found(mention.path, mention.name)
            meant = (
                f'{found} is a category beside "{better[0]}"; if it is not misspelt, declare both under `categories:`'
            )
            yield mention.file.problem(mention.path, meant)


_MOST_NEIGHBOURS: Final = 50


class _Neighbours:
    """Finds names that are one edit apart: a letter more, less, another one, or two that changed places."""

    def __init__(self, names: Mapping[str, set[str]]) -> None:
        self._names = names
        self._by_shorter: dict[str, dict[str, None]] = {}
        for slug, spellings in names.items():
            for spelling in sorted(spellings):
                for shorter in _without_one(spelling):
                    self._by_shorter.setdefault(shorter, {})[slug] = None

    def of(self, name: str) -> list[str]:
        """Return the slugs of which a spelling is one edit away from ``name``, in their order."""
        if len(name) < _SHORTEST_TYPO:
            return []
        found: dict[str, None] = {}
        for shorter in sorted(_without_one(name)):
            # Among thousands of names that differ in a number, the first are enough to look at.
            found.update(dict.fromkeys(islice(self._by_shorter.get(shorter, ()), _MOST_NEIGHBOURS)))
        return [
            slug
            for slug in found
            if slug != name and any(_is_one_edit(name, spelling) for spelling in self._names[slug])
        ]


def _without_one(text: str) -> set[str]:
    """Return a text and all that it becomes without one letter: texts one edit apart have one of these in common."""
    return {text} | {text[:place] + text[place + 1 :] for place in range(len(text))}


def _is_one_edit(one: str, other: str) -> bool:
    if len(other) < _SHORTEST_TYPO or _DIGITS.sub("", one) == _DIGITS.sub("", other):
        return False  # Two years or volumes are no misspelling.
    while one and one[:1] == other[:1]:
        one, other = one[1:], other[1:]
    is_swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return is_swapped or one[1:] in (other, other[1:]) or one == other[1:]


def _shared_addresses(placed: _Placed) -> Iterator[Problem]:
    first: dict[object, tuple[ConfigFile, int]] = {}
    for (file, index), source in placed:
        if source.paused or source.broken:
            continue
        asked = (comparable_url(source.url), source.kind, source.method, source.body, source.records)
        if asked not in first:
            first[asked] = (file, index)
            continue
        where, there = first[asked]
        place = f"{key_text(('sources', there))} ({where.shown}:{where.line(('sources', there))})"
        yield file.problem(
            ("sources", index, "url"), f"is the address of {place}, too; one source can have both categories"
        )


def _missing_extra(placed: _Placed) -> Iterator[Problem]:
    wanting = [where for where, source in placed if source.detail and source.detail.extract]
    if wanting and not all(find_spec(module) for module in _OF_FULLTEXT):
        for file, index in wanting:
            meant = "needs the extra fulltext, which is not installed here: docs/full-text.md tells how"
            yield file.problem(("sources", index, "detail", "extract"), meant)


def _idle_conditions(files: Sequence[ConfigFile], settings: Settings, table: CategoryTable) -> Iterator[Problem]:
    """Warn of conditions that ask for a source or a category that does not exist."""
    sources = [source.name for source in settings.sources]
    # Categories that records name are not known here.
    categories = None if any(source.category_map for source in settings.sources) else list(table.titles)
    for file in files:
        rules = file.value.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            asked = _mapping(_mapping(rule).get("then")).get("keep_only")
            for condition, path in ((_mapping(rule).get("when"), ("when",)), (asked, ("then", "keep_only"))):
                place = ("rules", index, *path)
                yield from _idle(file, condition, place, "source", sources, lambda name: name)
                if categories is not None:
                    yield from _idle(file, condition, place, "category", categories, table.slug_for_asking)


def _idle(
    file: ConfigFile, when: Value, path: Path, key: str, names: Sequence[str], asked: Callable[[str], str]
) -> Iterator[Problem]:
    """Yield the values of ``key`` in a condition, and in those inside of it, that no name matches."""
    for place, name in _values(when, path, key):
        wanted = as_read(asked(name))
        if wanted in names or any(fnmatchcase(as_read(one), wanted) for one in names):
            continue
        near = get_close_matches(wanted, names[:_MOST_COMPARED], 1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        yield file.problem(place, f"no {key} has the name {file.found(place, name)}{hint}")


def _values(value: Value, path: Path, key: str) -> Iterator[tuple[Path, str]]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _values(one, (*path, index), key)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in ("all", "any", "not", key):
                yield from _values(one, (*path, name), key)
    elif isinstance(value, str) and (path[-1] == key or path[-2] == key):
        yield path, value.strip()


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}
