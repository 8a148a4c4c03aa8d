"""What ``check`` warns of: the configuration can be used, but probably does not say what was meant."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import translate
from importlib.util import find_spec
from typing import Final

from feedhub.config.categories import CategoryTable, mentions
from feedhub.config.reading import is_pattern
from feedhub.config.section import ConfigFile, key_text
from feedhub.config.yaml_tree import Path, Value
from feedhub.model.settings import Problem, Settings
from feedhub.model.source import Source
from feedhub.rules.categorize import category_slug
from feedhub.rules.patterns import as_read
from feedhub.rules.select import ALL
from feedhub.rules.urls import comparable_url

STARTER_URL: Final = "https://feeds.example.org"
"""What ``feedhub init`` writes as ``site.url``."""
_OF_FULLTEXT: Final = ("trafilatura", "lxml_html_clean")
_SHORTEST_TYPO: Final = 4
"""Among shorter names too many differ in one letter and are meant: us, uk."""
_MOST_MATCHED: Final = 2_000_000
_MOST_COMPARED: Final = 5_000
_MOST_COMPARED_FOR_ONE: Final = 500
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
    yield from _idle_notifications(files[0], settings, table)


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
    best_first = sorted(table.titles, key=lambda slug: (slug not in declared, -times[slug]))
    spellings = (
        (slug, {slug, category_slug(table.titles[slug])} if slug in declared else {slug}) for slug in best_first
    )
    meant = _one_edit_before([(word, slug) for slug, words in spellings for word in sorted(words)])
    for mention in mentioned:
        slug = table.slugs[mention.name]
        if slug in meant and slug not in declared:
            found = mention.file.found(mention.path, mention.name)
            said = f'{found} is a category beside "{meant[slug]}"'
            yield mention.file.problem(mention.path, f"{said}; if it is not misspelt, declare both under `categories:`")


def _one_edit_before(words: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map what each word stands for to what the first word stands for that is before it and one edit away.

    In digits an edit counts for nothing, since two years or volumes are no misspelling.
    """
    compared = [(word, stands_for) for word, stands_for in words if len(word) >= _SHORTEST_TYPO]
    without_digits = [_DIGITS.sub("", word) for word, _ in compared]
    found: dict[int, int] = {}
    for pair in _one_edit_apart([word for word, _ in compared], without_digits):
        before, after = sorted(pair)
        if without_digits[before] != without_digits[after]:
            found[after] = min(before, found.get(after, before))
    return {compared[after][1]: compared[before][1] for after, before in found.items()}


def _one_edit_apart(words: Sequence[str], kinds: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield which words are one edit apart: a letter more, less, another one, or two that changed places.

    Of those that differ from a word in the same letter, the first two of other ``kinds`` are enough; so the time grows
    with the number of letters only, however alike words are.
    """
    first: dict[str, int] = {}
    for number, word in enumerate(words):
        first.setdefault(word, number)
    for number, word in enumerate(words):
        for place, letter in enumerate(word):
            begin, end = word[:place], word[place + 1 :]
            shorter, swapped = begin + end, begin + end[:1] + letter + end[1:]
            yield from ((number, first[other]) for other in (shorter, swapped) if other in first)
    for place in range(max(map(len, words), default=0)):
        alike: dict[str, list[int]] = {}
        for number, word in enumerate(words):
            if place < len(word):
                others = alike.setdefault(word[:place] + word[place + 1 :], [])
                yield from ((number, other) for other in others)
                if len(others) < 2 and kinds[number] not in [kinds[other] for other in others]:
                    others.append(number)


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
    sources = _Names([source.name for source in settings.sources])
    # Categories that records name are not known here.
    categories = None if any(source.category_map for source in settings.sources) else _Names(list(table.titles))
    for file in files:
        rules = file.value.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            asked = _mapping(_mapping(rule).get("then")).get("keep_only")
            for condition, path in ((_mapping(rule).get("when"), ("when",)), (asked, ("then", "keep_only"))):
                place = ("rules", index, *path)
                yield from _idle(file, condition, place, "source", sources, lambda name: name)
                if categories is not None:
                    yield from _idle(file, condition, place, "category", categories, table.slug_for_asking)


def _idle_notifications(file: ConfigFile, settings: Settings, table: CategoryTable) -> Iterator[Problem]:
    """Warn of notifications that ask for a category or a rule that does not exist, and of a missing extra."""
    is_known = not any(source.category_map for source in settings.sources)
    digests = {category.slug for category in settings.categories if category.digest_at is not None}
    known = {
        "rules": {rule.name for rule in settings.rules},
        "digests": digests,
        **({"categories": {ALL, *table.titles}} if is_known else {}),
    }
    for name, target in _mapping(file.value.get("notify")).items():
        for key, names in known.items():
            for place, wanted in _values(target, ("notify", name), key):
                if (wanted if key == "rules" or wanted == ALL else table.slug_for_asking(wanted)) not in names:
                    said = f"there is nothing of the name {file.found(place, wanted)} among the {key}"
                    yield file.problem(place, said)
    if settings.notify and not find_spec("apprise"):
        yield file.problem(
            ("notify",), "needs the extra notify, which is not installed here: docs/notifications.md tells how"
        )


class _Names:
    """The names that conditions may ask for. After so many comparisons as the limits allow, nothing more is doubted."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._as_read = frozenset(map(as_read, names))
        self._matched = 0
        self._compared = 0

    def has(self, wanted: str) -> bool:
        """Whether a condition on ``wanted`` can ever hold."""
        if wanted in self._as_read or not is_pattern(wanted):
            return wanted in self._as_read
        self._matched += len(self._as_read)
        return self._matched > _MOST_MATCHED or any(map(re.compile(translate(wanted)).match, self._as_read))

    def like(self, wanted: str) -> str | None:
        """Return a name that may have been meant."""
        among = self._names[: min(_MOST_COMPARED_FOR_ONE, _MOST_COMPARED - self._compared)]
        self._compared += len(among)
        return next(iter(get_close_matches(wanted, among, 1)), None)


def _idle(
    file: ConfigFile, when: Value, path: Path, key: str, names: _Names, asked: Callable[[str], str]
) -> Iterator[Problem]:
    """Yield the values of ``key`` in a condition, and in those inside of it, that no name matches."""
    for place, name in _values(when, path, key):
        wanted = as_read(asked(name))
        if not names.has(wanted):
            near = names.like(wanted)
            hint = f'; did you mean "{near}"?' if near else ""
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
