"""What all readers have in common: bounds of texts, the limit of records, and what a bad record costs: itself."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from feedhub.errors import ParseError
from feedhub.model.item import Enclosure, Markup, ParsedFeed, ParsedItem, Person, Rejected
from feedhub.rules.evidence import pictures_of
from feedhub.rules.text import clean_text, plain, text_digest, visible_text, with_words_shown
from feedhub.sources.markup import harmless

MOST_RECORDS = 10_000
LONGEST_TITLE = 1_000
LONGEST_NAME = 300
LONGEST_TAG = 200
MOST_TAGS = 100
MOST_PEOPLE = 50
MOST_ENCLOSURES = 100
LONGEST_TEXT = 1_000_000
LONGEST_GUID = 4_000

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)
_NEWEST = datetime.max.replace(tzinfo=UTC)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2})(?:\.\d+)?")
_UNITS = re.compile(
    r"(?:pt)?\s*(?:(\d{1,3})\s*h(?:ours?|rs?)?)?\s*(?:(\d{1,5})\s*m(?:in(?:ute)?s?)?)?\s*(?:(\d{1,6})(?:\.\d+)?\s*s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)
_LONGEST_DURATION = 30 * 86_400
# The address of a picture that is written out in the text.
_DATA = re.compile(
    r"""data:[\w.+/;=-]{0,100},(?:[^"'<>\s]|(?<=[A-Za-z0-9+/])\s++(?=[A-Za-z0-9+/=]))*+""", re.IGNORECASE
)
_LARGE_DATA = 10_000
_SEEN = re.compile(r"<(?:img|video|audio|iframe)\b")
_LONGEST_REFERENCE = 32

Record = TypeVar("Record")


class Unusable(Exception):  # noqa: N818 - not an error of the document, only of one record
    """Raised for a record that cannot become an item; the text says why."""


@dataclass(slots=True, kw_only=True)
class ReadRecords:
    """The records of one document while they are read."""

    items: list[ParsedItem] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    shortened: int = 0
    without_data: int = 0

    def notes(self) -> tuple[str, ...]:
        cut = f"{self.shortened} texts were longer than {LONGEST_TEXT} characters and were cut"
        left_out = f"large pictures were left out of {self.without_data} texts longer than {LONGEST_TEXT} characters"
        return (*(cut,) * bool(self.shortened), *(left_out,) * bool(self.without_data))


def read_records(
    records: Iterable[Record],
    read: Callable[[int, Record], ParsedItem],
    describe: Callable[[Record], tuple[str, str | None, str | None]],
    limit: int | None,
) -> ReadRecords:
    """Read every record; one that cannot be read costs only itself.

    ``describe`` gives title, link and guid for the ledger. Records beyond ``limit`` (else 10,000), oldest first, are
    rejected.

    Raises:
        ParseError: there are records, and none can be read.
    """
    reading = ReadRecords()
    for position, record in enumerate(records):
        try:
            reading.items.append(_bounded(read(position, record), reading))
        except Exception as exc:  # noqa: BLE001 - hostile input: whatever it breaks costs one record (STYLE rule 9)
            reason = (
                str(exc)
                if isinstance(exc, Unusable)
                else f"cannot be read: {type(exc).__name__}: {plain(str(exc))[:200]}"
            )
            title, link, guid = _described(describe, record)
            reading.rejected.append(Rejected(position=position, reason=reason, title=title, link=link, guid=guid))
    if reading.rejected and not reading.items:
        raise ParseError(f"none of its {len(reading.rejected)} records can be used: {reading.rejected[0].reason}")
    _keep_newest(reading, min(limit or MOST_RECORDS, MOST_RECORDS))
    return reading


def with_records(feed: ParsedFeed, reading: ReadRecords) -> ParsedFeed:
    """Return ``feed`` with the records of ``reading``, in document order."""
    rejected = tuple(sorted(reading.rejected, key=lambda record: record.position))
    notes = (*feed.notes, *reading.notes())
    return replace(feed, items=tuple(reading.items), rejected=rejected, notes=notes)


def make_item(item: ParsedItem) -> ParsedItem:
    """Return ``item`` with the digest of its title and text.

    Raises:
        Unusable: there is nothing to show or to recognise it by.
    """
    body = item.content or item.summary
    text = "" if body is None else body.value if body.kind == "text" else visible_text(body.value)
    has_name = item.title or item.link or item.guid
    if not (has_name or item.enclosures or text.strip() or pictures_of(item) or _shows_something(body)):
        raise Unusable("nothing in it: no title, text, link or id")
    return item.but(text_digest=text_digest(item.title, text))


def _shows_something(body: Markup | None) -> bool:
    """Tell whether a text without words and plain pictures shows something once it is repaired, as a lazy picture."""
    shown = harmless(body.value, body.base) if body is not None and body.kind == "html" else ""
    return _SEEN.search(shown) is not None or bool(visible_text(shown).strip())


def markup(value: object, kind: str, base: str) -> Markup | None:
    """Return text as markup without forbidden characters; None if there is none."""
    if not isinstance(value, str):
        return None
    text = clean_text(value).strip()
    if not text:
        return None
    return Markup(
        value=text if kind == "text" else with_words_shown(text), kind="text" if kind == "text" else "html", base=base
    )


def title_of(value: object) -> str:
    """Return a title or name as one bounded line of plain text."""
    return shorten(plain(value), LONGEST_TITLE) if isinstance(value, str) else ""


def guid_of(value: object) -> str | None:
    """Return a guid as written, stripped; None if empty. ``0`` is a guid."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return clean_text(str(value)).strip()[:LONGEST_GUID] or None


def tags_of(values: Iterable[object]) -> tuple[str, ...]:
    """Return labels in order, each once."""
    found = dict.fromkeys(plain(value)[:LONGEST_TAG] for value in values if isinstance(value, str))
    found.pop("", None)
    return tuple(found)[:MOST_TAGS]


def people_of(people: Iterable[Person]) -> tuple[Person, ...]:
    """Return named people, each name once."""
    found: dict[str, Person] = {}
    for person in people:
        name = shorten(plain(person.name), LONGEST_NAME)
        if name:
            found.setdefault(name, replace(person, name=name))
    return tuple(found.values())[:MOST_PEOPLE]


def enclosures_of(enclosures: Iterable[Enclosure]) -> tuple[Enclosure, ...]:
    """Return attached files, each address once, with what any of its repeats says of it."""
    found: dict[str, Enclosure] = {}
    for enclosure in enclosures:
        known = found.get(enclosure.url, enclosure)
        found[enclosure.url] = Enclosure(
            url=known.url,
            media_type=known.media_type or enclosure.media_type,
            length=known.length or enclosure.length,
            duration=known.duration or enclosure.duration,
            title=known.title or enclosure.title,
        )
    return tuple(found.values())[:MOST_ENCLOSURES]


def language_of(value: object) -> str | None:
    """Return a language tag (BCP 47), or None if it is not valid."""
    text = value.strip().replace("_", "-") if isinstance(value, str) else ""
    return text if _LANGUAGE.fullmatch(text) else None


def media_type_of(value: object) -> str | None:
    """Return a media type without parameters, or None if it is not valid."""
    text = value.partition(";")[0].strip().lower() if isinstance(value, str) else ""
    return text if _MEDIA_TYPE.fullmatch(text) else None


def whole_number(value: object) -> int | None:
    """Return a positive whole number, written as one or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = int(float(value))
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < 2**53 else None


def seconds_of(value: object) -> int | None:
    """Return a duration in seconds: ``1:02:03``, ``62:03``, ``3723``, ``1h 2m 3s``, ``PT62M3S``, ``62 min``."""
    if isinstance(value, int | float):
        total = whole_number(value) or 0
    else:
        text = value.strip() if isinstance(value, str) else ""
        match = _CLOCK.fullmatch(text) or (_UNITS.fullmatch(text) if text else None)
        parts = [int(part or 0) for part in match.groups()] if match else [0, 0, whole_number(text[:30]) or 0]
        total = parts[0] * 3600 + parts[1] * 60 + parts[2]
    return total if 0 < total <= _LONGEST_DURATION else None


def shorten(text: str, longest: int) -> str:
    """Return ``text`` cut at ``longest`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def bounded(text: Markup) -> Markup:
    """Return a text of at most ``LONGEST_TEXT`` characters: without large pictures written out in it, else cut."""
    return _cut(_without_large_data(text)) or text


def _bounded(item: ParsedItem, reading: ReadRecords) -> ParsedItem:
    if all(text is None or len(text.value) <= LONGEST_TEXT for text in (item.summary, item.content)):
        return item
    item = replace(item, summary=_without_large_data(item.summary), content=_without_large_data(item.content))
    if all(text is None or len(text.value) <= LONGEST_TEXT for text in (item.summary, item.content)):
        reading.without_data += 1
        return item
    reading.shortened += 1
    return replace(item, summary=_cut(item.summary), content=_cut(item.content))


def _without_large_data(text: Markup | None) -> Markup | None:
    """Return a text that is too long without the pictures that are written out in it: words go before pictures."""
    if text is None or text.kind == "text" or len(text.value) <= LONGEST_TEXT:
        return text
    value = _DATA.sub(lambda match: "" if len(match[0]) > _LARGE_DATA else match[0], text.value)
    return replace(text, value=value)


def _cut(text: Markup | None) -> Markup | None:
    """Return a text cut to the limit, of markup in front of a tag or reference that the limit would split."""
    if text is None or len(text.value) <= LONGEST_TEXT:
        return text
    end = LONGEST_TEXT
    if text.kind != "text":
        tag = text.value.rfind("<", 0, end)
        if tag > text.value.rfind(">", 0, end):
            end = tag
        reference = text.value.rfind("&", max(end - _LONGEST_REFERENCE, 0), end)
        if reference >= 0 and ";" not in text.value[reference:end]:
            end = reference
    return replace(text, value=text.value[:end])


def _described(
    describe: Callable[[Record], tuple[str, str | None, str | None]], record: Record
) -> tuple[str, str | None, str | None]:
    try:
        return describe(record)
    except Exception:  # noqa: BLE001 - the record is broken; its description may be too
        return "", None, None


def _keep_newest(reading: ReadRecords, limit: int) -> None:
    """Reject all but the newest records; one without a date counts as new."""
    if len(reading.items) <= limit:
        return
    ranked = sorted(reading.items, key=lambda item: item.published_at or _NEWEST, reverse=True)
    kept = {item.position for item in ranked[:limit]}
    for item in reading.items:
        if item.position not in kept:
            reading.rejected.append(
                Rejected(
                    position=item.position,
                    reason=f"over the limit of {limit}",
                    title=item.title,
                    link=item.link,
                    guid=item.guid,
                )
            )
    reading.items = [item for item in reading.items if item.position in kept]
