"""Reads RSS 0.9x/1.0/2.0, Atom 0.3/1.0, RDF and CDF."""

import hashlib
from dataclasses import replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from feedhub.errors import ParseError
from feedhub.model.item import ParsedFeed, ParsedItem, Person
from feedhub.model.source import Source
from feedhub.rules.dates import parse_date
from feedhub.sources import records
from feedhub.sources.bounds import NOT_READ
from feedhub.sources.dialects import RawFeed, date_in_words, read_dialect
from feedhub.sources.entry_fields import (
    Entry,
    base_of,
    best_link,
    comments_in,
    enclosures_in,
    image_in,
    language_in,
    people_in,
    raw,
    tags_in,
    text_of,
    title_text,
)
from feedhub.sources.plain_feed import read_plain
from feedhub.sources.sniff import root_name

_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}

# What is asked of feeds and entries here and in entry_fields.py, by the names that feedparser gives. A test holds the
# list: what is missing here could change without anybody noticing.
USED_OF_FEEDS = (
    *("title", "title_detail", "itunes_title", "feedburner_origlink", "links", "link", "permalink", "authors"),
    *("language", "ttl", "sy_updateperiod", "sy_updatefrequency"),
)
USED_OF_ENTRIES = (
    *("title", "title_detail", "itunes_title", "summary_detail", "content", "media_description_detail"),
    *("itunes_summary_detail", "feedburner_origlink", "links", "link", "permalink", "id", "authors", "tags"),
    *("language", "media_thumbnail", "media_content", "image", "comments", "itunes_duration"),
    *("published", "created", "updated"),
)


def read_web_feed(text: str, url: str, source: Source, now: datetime | None = None, *, known: str = "") -> ParsedFeed:
    """Return the items of a feed in XML. ``url`` is the final address of the document, ``now`` when it came.

    A document whose reading is the ``known`` one is read no further: it says what the last one said.

    Raises:
        ParseError: it is no feed, nothing of it can be read, or none of its records can be used.
    """
    document = read_plain(text, url) or read_dialect(text, url)
    reading = reading_of(document, url)
    if reading == known:
        return ParsedFeed(title="", items=(), reading=reading)
    return replace(feed_of(document, text, url, source, now), reading=reading)


def feed_of(document: RawFeed, text: str, url: str, source: Source, now: datetime | None = None) -> ParsedFeed:
    """Return the items of a document that was read, fast or by feedparser; see ``read_web_feed``."""
    if not document.entries and (document.fault or not document.version):
        raise _unreadable(document, text)
    reader = _EntryReader(document, url, ZoneInfo(source.timezone), now)
    entries = document.entries
    reading = records.read_records(entries, reader.read, partial(_described, base=url), source.limit)
    feed = ParsedFeed(
        title=title_text(document.feed, is_atom=reader.is_atom),
        items=(),
        link=best_link(document.feed, url),
        language=records.language_of(raw(document.feed, "language")),
        ttl=_ttl(document.feed),
        notes=_notes(document),
    )
    return records.finished(feed, reading)


def reading_of(document: RawFeed, url: str) -> str:
    """Return the digest of everything in a document that an item can come from."""
    feed = [dict.get(document.feed, name) for name in USED_OF_FEEDS]
    entries = [[dict.get(entry, name) for name in USED_OF_ENTRIES] for entry in document.entries]
    facts = (url, document.version, document.fault, document.cut_off, feed, entries)
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


class _EntryReader:
    """Reads the entries of one document."""

    def __init__(self, document: RawFeed, url: str, zone: ZoneInfo, now: datetime | None) -> None:
        self.is_atom = document.version.startswith("atom")
        self._document = document
        self._url = url
        self._zone = zone
        self._now = now
        self._feed_people: tuple[Person, ...] = people_in(document.feed)
        self._feed_language = records.language_of(raw(document.feed, "language"))

    def read(self, position: int, entry: Entry) -> ParsedItem:
        if self._document.cut_off and entry is self._document.entries[-1]:
            raise records.Unusable("the document ends in the middle of it")
        base = base_of(entry, self._url)
        summary, content = text_of(entry, base)
        enclosures = enclosures_in(entry, base)
        return records.make_item(
            ParsedItem(
                position=position,
                title=title_text(entry, is_atom=self.is_atom),
                text_digest="",
                guid=records.guid_of(raw(entry, "id")),
                link=best_link(entry, base),
                published_at=self._published_at(entry),
                summary=summary,
                content=content,
                authors=people_in(entry) or self._feed_people,
                tags=tags_in(entry),
                language=language_in(entry) or self._feed_language,
                image=image_in(entry, base, enclosures),
                comments=comments_in(entry, base),
                enclosures=enclosures,
            )
        )

    def _published_at(self, entry: Entry) -> datetime | None:
        written = [value for key in ("published", "created", "updated") if (value := raw(entry, key))]
        for value in written:
            found = parse_date(value, zone=self._zone, now=self._now) if isinstance(value, str) else None
            if found is not None:
                return found
        found = next((day for value in written if (day := date_in_words(str(value)[:100]))), None)
        return found if found and 1990 <= found.year <= 2100 else None


def _described(entry: Entry, base: str) -> tuple[str, str | None, str | None]:
    return title_text(entry, is_atom=False), best_link(entry, base), records.guid_of(raw(entry, "id"))


def _ttl(feed: Entry) -> int | None:
    """Return the interval a feed asks for, in seconds: ``ttl`` in minutes, else the syndication module."""
    minutes = records.whole_number(raw(feed, "ttl"))
    if minutes:
        return minutes * 60
    period = _PERIODS.get(str(raw(feed, "sy_updateperiod") or "").strip().lower())
    if period is None:
        return None
    return period // (records.whole_number(raw(feed, "sy_updatefrequency")) or 1) or None


def _notes(document: RawFeed) -> tuple[str, ...]:
    if document.fault.startswith(NOT_READ):
        return (document.fault,)
    return (f"not well-formed: {document.fault}",) if document.fault else ()


def _unreadable(document: RawFeed, text: str) -> ParseError:
    if document.fault:
        return ParseError(f"broken XML, nothing of it can be read: {document.fault}")
    return ParseError(f"XML, but not a feed: its first element is <{root_name(text)[:60]}>")
