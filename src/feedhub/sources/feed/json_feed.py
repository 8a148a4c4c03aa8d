"""Reads JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from feedhub.errors import ParseError
from feedhub.model.item import Enclosure, Markup, ParsedFeed, ParsedItem, Person
from feedhub.model.source import Source
from feedhub.rules.dates import is_exact, parse_date
from feedhub.rules.text import decoded_references, label_text, plain
from feedhub.sources import records
from feedhub.sources.document import json_in
from feedhub.sources.markup import http_url

Record = Mapping[str, Any]

_ITEM_KEYS = frozenset({"content_html", "content_text", "title", "summary", "url", "external_url"})


def read_json_feed(text: str, url: str, source: Source, now: datetime | None = None) -> ParsedFeed:
    """Return the items of a JSON Feed. ``url`` is the final address of the document, ``now`` when it came.

    Raises:
        ParseError: it is broken JSON, another kind of JSON, or none of its records can be used.
    """
    document = _document(text)
    own_people = _people(document)
    language = records.language_of(document.get("language"))
    date = partial(_date, zone=ZoneInfo(source.timezone), now=now)
    page = http_url(document.get("home_page_url"), url)
    read = partial(_item, url=page or url, date=date, people=own_people, language=language)
    reading = records.read_records(document.get("items", ()), read, partial(_described, url=page or url), source.limit)
    feed = ParsedFeed(
        title=_title(document.get("title")),
        items=(),
        link=page,
        language=language,
    )
    return records.with_records(feed, reading)


def _document(text: str) -> Record:
    document = json_in(text)
    if not isinstance(document, dict):
        raise ParseError(f"JSON, but not a JSON Feed: the document is a {_kind(document)}")
    if not _is_json_feed(document):
        keys = ", ".join(plain(str(key))[:40] for key in list(document)[:12]) or "none"
        raise ParseError(f"JSON, but not a JSON Feed: its keys are {keys}")
    return document


def _is_json_feed(document: Record) -> bool:
    """Return whether it names the version of a JSON Feed or, without one, has items like those of a JSON Feed."""
    is_named = "jsonfeed.org" in str(document.get("version", ""))
    items = document.get("items", [] if is_named else None)
    if not isinstance(items, list) or is_named:
        return isinstance(items, list)
    return any(isinstance(item, dict) and "id" in item and _ITEM_KEYS & item.keys() for item in items[:20])


def _kind(value: object) -> str:
    return {list: "list", str: "text", bool: "truth value", type(None): "null"}.get(type(value), "number")


def _item(
    position: int,
    record: object,
    *,
    url: str,
    date: Callable[[object], datetime | None],
    people: tuple[Person, ...],
    language: str | None,
) -> ParsedItem:
    if not isinstance(record, dict):
        raise records.Unusable(f"not an object but a {_kind(record)}")
    published_at = date(record.get("date_published")) or date(record.get("date_modified"))
    link = _link(record, url)
    base = link or url
    return records.make_item(
        ParsedItem(
            position=position,
            title=_title(record.get("title")),
            text_digest="",
            guid=records.guid_of(record.get("id")),
            link=link,
            published_at=published_at,
            has_rough_date=published_at is not None and _is_rough(record),
            summary=records.markup(record.get("summary"), "text", base),
            content=_content(record, base),
            authors=_people(record) or people,
            tags=records.tags_of(_labels(record.get("tags"))),
            language=records.language_of(record.get("language")) or language,
            image=_address(record.get("image"), base) or _address(record.get("banner_image"), base),
            enclosures=records.enclosures_of(_attachments(record, base)),
        )
    )


def _content(record: Record, url: str) -> Markup | None:
    content = records.markup("\n".join(_texts(record.get("content_html"))), "html", url)
    return content or records.markup("\n".join(_texts(record.get("content_text"))), "text", url)


def _is_rough(record: Record) -> bool:
    written = record.get("date_published") or record.get("date_modified")
    return isinstance(written, str) and not is_exact(written)


def _date(value: object, *, zone: ZoneInfo, now: datetime | None) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return parse_date(value, zone=zone, now=now)


def _title(value: object) -> str:
    """Return a title; it is plain text, but WordPress writes it escaped for HTML."""
    return records.title_of(decoded_references(" ".join(_texts(value))))


def _link(record: Record, url: str) -> str | None:
    """Return the address of an item; an ``id`` that is one stands in."""
    return _address(record.get("url"), url) or _address(record.get("external_url"), url) or http_url(record.get("id"))


def _labels(value: object) -> list[str]:
    """Return ``tags``, also where they are one text with commas."""
    listed = value.split(",") if isinstance(value, str) else _texts(value, "name", "label", "term", "title")
    return [decoded_references(label) for label in listed]


def _people(record: Record) -> tuple[Person, ...]:
    """Return ``authors``, else the ``author`` of version 1.0; each an object, or a name alone."""
    listed = _list(record.get("authors")) or _list(record.get("author"))
    people = (author if isinstance(author, dict) else {"name": author} for author in listed)
    return records.people_of(
        Person(
            name=label_text(", ".join(_texts(author.get("name"))) or str(author.get("url") or "")),
            uri=http_url(author.get("url")),
        )
        for author in people
    )


def _attachments(record: Record, url: str) -> Iterator[Enclosure]:
    for attachment in (part if isinstance(part, dict) else {"url": part} for part in _all(record.get("attachments"))):
        if address := http_url(attachment.get("url"), url):
            yield Enclosure(
                url=address,
                media_type=records.media_type_of(attachment.get("mime_type")),
                length=records.whole_number(attachment.get("size_in_bytes")),
                duration=records.seconds_of(attachment.get("duration_in_seconds")),
                title=records.title_of(attachment.get("title")) or None,
            )


def _list(value: object) -> list[Any]:
    """Return a list; what stands where a list is due is its only member."""
    return value if isinstance(value, list) else [value] if isinstance(value, dict | str) and value else []


def _texts(value: object, *keys: str) -> list[str]:
    """Return the texts in a value: the members of a list, an object's first of ``keys``, a number as its digits."""
    found = (next(filter(None, map(part.get, keys)), None) if isinstance(part, dict) else part for part in _all(value))
    return [str(part) for part in found if isinstance(part, str | int | float) and not isinstance(part, bool)]


def _all(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _address(value: object, base: str) -> str | None:
    """Return an address, also where it is in a list or object."""
    found = (part.get("url") if isinstance(part, dict) else part for part in _all(value))
    return next((address for part in found if (address := http_url(part, base))), None)


def _described(record: object, *, url: str) -> tuple[str, str | None, str | None]:
    if not isinstance(record, dict):
        return plain(str(record))[:200], None, None
    return _title(record.get("title")), http_url(record.get("url"), url), records.guid_of(record.get("id"))
