"""Which categories an item gets: the rules with their conditions (SPEC §5), what records name, and slugs."""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, Literal

from feedhub.model.identity import Filing
from feedhub.model.item import Item, ItemDates, ParsedItem
from feedhub.model.source import Condition, Replacement, Rule, Source
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.patterns import (
    OvergrownError,
    Room,
    as_read,
    compile_reading,
    is_compared,
    read_times,
    replaced_as_read,
    unbroken,
)
from feedhub.rules.text import plain, visible_text
from feedhub.rules.urls import is_web_url

CleanAgain = Callable[[str, Item, Source], str | None]
"""Returns markup that rules have changed in an item of a source, cleaned as the item was; see ``ports/world.py``."""


def file_item(
    received: Item,
    source: Source,
    rules: Sequence[Rule],
    named: Sequence[str] = (),
    *,
    dates: ItemDates,
    clean_again: CleanAgain,
) -> Filing:
    """Run the rules in order over an item of ``source``, as it was received, and return what they make of it.

    Each category is paired with what put it there: ``source``, ``record`` for those in ``named``, or a rule's name.
    Rules that put links right come first, as they did before the item was recognised. Markup that rules changed is
    cleaned again: a replacement may have put words of a stranger where an address stands.

    What would put more into a text than four times its length, and ten thousand characters, is left out.
    """
    replacer = _Replacer(received)
    item = _with_right_link(received, source, rules, replacer)
    categories = dict.fromkeys(source.categories, "source")
    categories.update(dict.fromkeys(named, "record"))
    applied: list[str] = []
    is_apart = False
    for rule in rules:
        if not holds(rule.when, Subject(item=item, source=source, categories=tuple(categories), dates=dates)):
            continue
        applied.append(rule.name)
        if rule.drop:
            return Filing(applied=tuple(applied), dropped_by=rule.name)
        is_apart = is_apart or rule.is_apart
        for replacement in rule.replace:
            # Rules that put links right have done so.
            if not (replacement.field == "link" and _is_of_addresses(rule)):
                item = replacer.replaced(item, replacement, rule)
        if rule.tags:
            item = replace(item, tags=tuple(dict.fromkeys(item.tags + rule.tags)))
        for category in rule.categories:
            categories.setdefault(category, rule.name)
        if rule.stop:
            break
    shown = None if item == received else _with_clean_markup(item, received, source, clean_again)
    return Filing(
        shown=shown,
        categories=tuple(categories.items()),
        applied=tuple(applied),
        left_out=tuple(replacer.left_out),
        is_apart=is_apart,
    )


def _with_clean_markup(item: Item, received: Item, source: Source, clean_again: CleanAgain) -> Item:
    if item.summary and item.summary != received.summary:
        item = replace(item, summary=clean_again(item.summary, item, source))
    if item.content and item.content != received.content:
        item = replace(item, content=clean_again(item.content, item, source))
    return item


def without_replacing(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return what the rules do beside replacing: for texts in which rules of before have replaced already."""
    return tuple(replace(rule, replace=()) for rule in rules)


def link_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return the rules that put links right before an item is recognised: they ask for link, source and title only."""
    return tuple(
        rule for rule in rules if any(part.field == "link" for part in rule.replace) and _is_of_addresses(rule)
    )


def with_link_put_right(record: ParsedItem, source: Source, rules: Sequence[Rule]) -> ParsedItem:
    """Return a record with the link that ``rules`` (see ``link_rules``) make of its own, which it keeps as received."""
    item = Item(title=record.title, link=record.link)
    item = _with_right_link(item, source, rules, _Replacer(item))
    return record if item.link == record.link else replace(record, link=item.link, received_link=record.link)


def _with_right_link(item: Item, source: Source, rules: Sequence[Rule], replacer: "_Replacer") -> Item:
    for rule in link_rules(rules):
        if item.link and holds(rule.when, Subject(item=item, source=source)):
            for replacement in rule.replace:
                item = replacer.replaced(item, replacement, rule) if replacement.field == "link" else item
    return item


def _is_of_addresses(rule: Rule) -> bool:
    return _asked_fields(rule.when) <= {"link", "source", "title"}


def _asked_fields(condition: Condition) -> set[str]:
    if condition.kind in ("all", "any", "not"):
        return set[str]().union(*(_asked_fields(part) for part in condition.parts))
    return {condition.kind}


def record_categories(item: Item, source: Source) -> tuple[tuple[str, str], ...]:
    """Return (title, wished-for slug) of the categories that the record itself names (``category: {from: author}``)."""
    asked = source.category_map
    if asked is None:
        return ()
    values = {
        "author": [person.name for person in item.authors[:1]],
        "tags": list(item.tags),
        "language": [item.language or ""],
        "title": [item.title],
    }.get(asked.field, [])
    titles = (plain(asked.title.replace(f"{{{asked.field}}}", value)) for value in values if value)
    return tuple((title, category_slug(title, readings=asked.slug) or _digest_slug(title)) for title in titles if title)


def _digest_slug(title: str) -> str:
    """Return a slug for a title of signs alone: always the same, and its own."""
    return "c-" + hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a condition is asked about: an item of a source, the categories that it has so far, and its dates.

    Without ``dates``, no condition on them holds.
    """

    item: Item
    source: Source
    categories: Sequence[str] = ()
    dates: ItemDates | None = None


ConditionForm = Literal["pattern", "glob", "list", "categories", "span", "count", "times"]
"""``pattern`` is a regular expression, found in one of the facts. Of ``glob`` with ``*`` and ``?``, of ``list``, in any
case and with the same signs, and of ``categories``, by slug or title, one or several are given; one of them must be one
of the facts. ``span`` compares a length of time, ``count`` a number; ``times`` are weekdays, hours and days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionField:
    """A key of a condition. ``facts`` gives what its values are compared with; the rest is for the reference."""

    name: str
    form: ConditionForm
    facts: Callable[[Subject], Sequence[Any]]
    meaning: str
    example: str | tuple[str, ...] | dict[str, str] | None = None


CONDITION_FIELDS: Final = (
    ConditionField(
        name="title",
        form="pattern",
        facts=lambda subject: [subject.item.title],
        meaning="Found in the title.",
        example="芯片|半导体",
    ),
    ConditionField(
        name="content",
        form="pattern",
        facts=lambda subject: [_text_of(subject.item)],
        meaning="Found in the text of the content, of the summary where there is no content.",
    ),
    ConditionField(
        name="summary",
        form="pattern",
        facts=lambda subject: [visible_text(unbroken(subject.item.summary or ""))],
        meaning="Found in the text of the summary.",
    ),
    ConditionField(
        name="author",
        form="pattern",
        facts=lambda subject: [person.name for person in subject.item.authors],
        meaning="Found in the name of an author.",
    ),
    ConditionField(
        name="link",
        form="pattern",
        facts=lambda subject: [subject.item.link or ""],
        meaning="Found in the address of the article.",
    ),
    ConditionField(
        name="comments",
        form="pattern",
        facts=lambda subject: [subject.item.comments or ""],
        meaning="Found in the address of the comments.",
    ),
    ConditionField(
        name="source",
        form="glob",
        facts=lambda subject: [subject.source.name],
        meaning="Name of the source; `*` and `?` stand for any.",
        example="blog-*",
    ),
    ConditionField(
        name="tags",
        form="list",
        facts=lambda subject: subject.item.tags,
        meaning="One of these labels was given by the publisher, in any case; `*` and `?` stand for any.",
    ),
    ConditionField(
        name="category",
        form="categories",
        facts=lambda subject: subject.categories,
        meaning="One of these categories holds the item so far.",
    ),
    ConditionField(
        name="language",
        form="list",
        facts=lambda subject: _language_ranges(subject.item.language or ""),
        meaning="The language of the item is one of these, in any case; `de` stands for `de-AT` too. "
        "An item without a language never matches.",
        example=("de", "en"),
    ),
    ConditionField(
        name="enclosure",
        form="glob",
        facts=lambda subject: [(one.media_type or "").lower() for one in subject.item.enclosures],
        meaning="It has a file of one of these media types, such as sound or film; `*` and `?` stand for any.",
        example="audio/*",
    ),
    ConditionField(
        name="length",
        form="count",
        facts=lambda subject: [len(" ".join(_text_of(subject.item).split()))],
        meaning="How many characters its text has, that of the content or else of the summary.",
        example="< 200",
    ),
    ConditionField(
        name="age",
        form="span",
        facts=lambda subject: _ages(subject.dates),
        meaning="How old it was when the source gave it first: the time since it was published. It never changes.",
        example="> 30d",
    ),
    ConditionField(
        name="published",
        form="times",
        facts=lambda subject: [subject.dates.published_at] if subject.dates else [],
        meaning="When it was published, in the time zone of the site.",
        example={"weekday": "sat-sun", "hour": "0-6"},
    ),
)
"""What a condition can look at. The configuration, its reference and the matching follow from this table."""

_FIELDS: Final = {field.name: field for field in CONDITION_FIELDS}


def holds(condition: Condition, subject: Subject) -> bool:
    """Tell whether a condition tree holds."""
    if condition.kind == "all":
        return all(holds(part, subject) for part in condition.parts)
    if condition.kind == "any":
        return any(holds(part, subject) for part in condition.parts)
    if condition.kind == "not":
        return not any(holds(part, subject) for part in condition.parts)
    field = _FIELDS[condition.kind]
    return any(_is_wanted(fact, condition.values, field.form) for fact in field.facts(subject))


def _is_wanted(fact: Any, values: tuple[str, ...], form: ConditionForm) -> bool:
    if form in ("span", "count"):
        return is_compared(fact, values)
    if form == "times":
        return read_times(values).hold(fact)
    text = as_read(fact)
    if form == "pattern":
        return any(compile_reading(value).search(text) for value in values)
    if form == "glob":
        return any(fnmatchcase(text, as_read(value)) for value in values)
    return any(_is_same(text.casefold(), as_read(value).casefold()) for value in values)


def _is_same(text: str, value: str) -> bool:
    # A bracket is part of many labels, and stands for itself.
    return fnmatchcase(text, value.replace("[", "[[]")) if "*" in value or "?" in value else text == value


def _text_of(item: Item) -> str:
    return visible_text(unbroken(item.content or item.summary or ""))


def _ages(dates: ItemDates | None) -> list[float]:
    return [(dates.first_seen_at - dates.published_at).total_seconds()] if dates else []


def _language_ranges(tag: str) -> list[str]:
    """Return what a language tag is found by (RFC 4647 §3.3.1): ``de-AT`` by ``de`` and ``de-AT``."""
    return list(accumulate(tag.split("-"), "{}-{}".format)) if tag else []


_SPARE_ROOM: Final = 10_000
_GROWTH: Final = 4


class _Replacer:
    """Replaces in the texts of one item. ``left_out`` are the names of rules for whose replacements was no room."""

    def __init__(self, received: Item) -> None:
        self._received = received
        self._rooms: dict[str, Room] = {}
        self.left_out: dict[str, None] = {}

    def replaced(self, item: Item, replacement: Replacement, rule: Rule) -> Item:
        """Return the item with what ``replacement`` of ``rule`` makes of it, or as it was."""
        room = self._rooms.get(replacement.field)
        if room is None:
            length = sum(map(len, _texts(self._received, replacement.field)))
            room = self._rooms[replacement.field] = Room(_GROWTH * length + _SPARE_ROOM)
        try:
            return _replaced(item, replacement, room)
        except OvergrownError:
            self.left_out[rule.name] = None
            return item


def _texts(item: Item, field: str) -> Sequence[str]:
    if field == "author":
        return [person.name for person in item.authors]
    return [(item.content or item.summary if field == "content" else getattr(item, field)) or ""]


def _replaced(item: Item, replacement: Replacement, room: Room) -> Item:
    def put(text: str, *, is_markup: bool = False) -> str:
        return replaced_as_read(replacement.pattern, replacement.replacement, text, room, is_markup=is_markup)

    match replacement.field:
        case "title":
            return replace(item, title=plain(put(item.title)))
        case "content" if item.content:
            return replace(item, content=put(item.content, is_markup=True))
        case "content" | "summary":
            return replace(item, summary=item.summary and put(item.summary, is_markup=True))
        case "author":
            names = ((person, plain(put(person.name))) for person in item.authors)
            return replace(item, authors=tuple(replace(person, name=name) for person, name in names if name))
        case _:
            link = put(item.link or "")
            return replace(item, link=link) if is_web_url(link) else item


Readings = Literal["pinyin", "pinyin-chars"]

MAX_SLUG_LENGTH: Final = 63
"""Short enough for every file system, with a suffix and an ending."""

_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
RESERVED_SLUGS: Final = frozenset({"all", "health", "index", "feeds"}) | _DEVICES
"""Slugs that name outputs of our own, or devices on Windows."""

_HAN: Final = "\u3007\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SLUG_PARTS: Final = lazy_pattern(rf"(?P<latin>[a-z0-9]+)|(?P<han>[{_HAN}]+)|(?P<gap>[\s_\u2010-\u2015-]+)")
_ASCII_FORMS: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)


@lru_cache(maxsize=4096)
def category_slug(name: str, *, readings: Readings = "pinyin") -> str:
    """Return ``name`` in lower-case ASCII letters, digits and hyphens; '' when it has no letter or digit.

    Chinese is written as it is read, without tones and blanks (界面新闻 → jiemianxinwen): ``pinyin`` reads words,
    ``pinyin-chars`` every character by itself, as the origin site did (重庆 → zhongqing). A blank between Latin words
    becomes a hyphen. A name in which nothing is Latin or Chinese is written letter by letter (новости → novosti).
    """
    return (_slug_of(_without_marks(name), readings) or _slug_of(_romanised(name), readings))[:MAX_SLUG_LENGTH].rstrip(
        "-"
    )


def _slug_of(text: str, readings: Readings) -> str:
    slug, gap, after_latin = "", False, False
    for part in _SLUG_PARTS.finditer(text):
        if part.lastgroup == "gap":
            gap = True
            continue
        is_latin = part.lastgroup == "latin"
        word = part.group() if is_latin else _pinyin(part.group(), readings)
        slug += f"-{word}" if slug and gap and is_latin and after_latin else word
        gap, after_latin = False, is_latin
    return slug


def slug_fault(name: str) -> str | None:
    """Return why no slug can be made of ``name``, or None when one can."""
    if not name.strip():
        return "is empty"
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in name):
        return "contains a control character"
    if "/" in name or "\\" in name:
        return "contains a path separator"
    if ".." in name:
        return 'contains ".."'
    if name.strip().startswith("."):
        return "begins with a dot"
    slug = category_slug(name)
    if not slug:
        return "has no letter or digit that can be written in ASCII"
    return "is a reserved name" if slug in RESERVED_SLUGS else None


class UniqueSlugs:
    """Gives everything a slug of its own, in little time also where thousands wish for the same one."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def take(self, slug: str) -> str:
        """Return ``slug``, or ``slug-2``, ``slug-3``… for the first that is not taken; now it is."""
        candidate, number = slug, self._numbers.get(slug, 1)
        while candidate in self._taken:
            number += 1
            suffix = f"-{number}"
            candidate = slug[: MAX_SLUG_LENGTH - len(suffix)].rstrip("-") + suffix
        self._numbers[slug] = number
        self._taken.add(candidate)
        return candidate


def _without_marks(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_ASCII_FORMS)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _romanised(name: str) -> str:
    from anyascii import anyascii

    # It would write signs in words, too: of them a name is not made.
    words = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in name)
    return anyascii(words).lower()


def _pinyin(text: str, readings: Readings) -> str:
    # Reading words needs a dictionary that takes a moment to load; names in Latin letters do not need it.
    from pypinyin import lazy_pinyin

    words = [text] if readings == "pinyin" else list(text)
    syllables = [syllable for word in words for syllable in lazy_pinyin(word, errors="ignore")]
    return "".join(letter for letter in "".join(syllables).lower() if "a" <= letter <= "z")
