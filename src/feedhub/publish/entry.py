"""An item as every format shows it: each string safe to write, each address valid, so that all formats agree."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from typing import Final
from urllib.parse import quote, urlsplit

from feedhub.model.item import Enclosure, Person, Sent, StoredItem
from feedhub.model.output import Content, OutputView
from feedhub.model.story import StoryMember
from feedhub.rules.language import Direction, direction_of, direction_of_language, has_right_to_left
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import clean_text, plain, visible_text

_LINE_END = lazy_pattern("\r\n?")
_BARE_PERCENT = lazy_pattern("%(?![0-9A-Fa-f]{2})")
_PLACE = lazy_pattern(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_HOST = lazy_pattern(r"[a-z0-9_][a-z0-9._-]*|\[[0-9a-f:.]+\]")
_LANGUAGE = lazy_pattern(
    r"(?P<language>[a-z]{2,3})(?P<extlang>-[a-z]{3})?(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.IGNORECASE,
)
_EMAIL = lazy_pattern(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE | re.ASCII)
_MEDIA_TYPE = lazy_pattern(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
# Addresses that are valid as they are: most of them.
_PLAIN_URL = lazy_pattern(
    r"https?://[a-z0-9][a-z0-9._-]*/[A-Za-z0-9_.~/:@!$&'()*+,;=-]*(?:\?[A-Za-z0-9_.~/:@!$&'()*+,;=-]+)?"
)
_MAX_URL = 4096
_MAX_PORT = 65535

OCTETS = "application/octet-stream"
"""The media type of an enclosure of which none is known: RSS and JSON Feed demand one."""

_EXCERPT_LENGTH = 300
LONGEST_HEADING: Final = 90
HEADING_ENDS: Final = " ,;:，、；："
_DIRECTED: Final = lazy_pattern(r'<(div|article|section)\b[^>]*\sdir="[^>]*>.*</\1>', re.DOTALL)
_URN = lazy_pattern(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream(Sent):
    """Where an item came from: our name for the source, its own title, its page and its feed."""

    name: str
    title: str
    link: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedReport(Sent):
    """Another item that says or reports the same: its title, who gave it and when."""

    title: str
    link: str | None
    source: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Sent):
    """An item with every string safe to write and every address valid. Instants are UTC, to the second.

    ``tags`` never repeat ``categories``. ``language`` is None when it is that of the feed. ``summary`` is None when
    it says the same as ``content``. An entry has a title, a summary or a content. ``heading`` stands for a title that
    is missing: the first words of the text, else the host of the link, else ""; it is None where there is a title.
    ``direction`` is that of the text, None when it is that of the feed's language.
    """

    id: str
    title: str
    heading: str | None
    published_at: datetime
    updated_at: datetime
    link: str | None
    summary: str | None
    content: str | None
    authors: tuple[Person, ...]
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    language: str | None
    image: str | None
    comments: str | None
    enclosures: tuple[Enclosure, ...]
    source: Upstream
    direction: Direction | None
    reports: tuple[RelatedReport, ...]

    def directed(self, markup: str) -> str:
        """Return a text of the entry as it stands in a feed, which cannot say a direction: its markup does."""
        if self.direction is None or _DIRECTED.fullmatch(markup):
            return markup
        return f'<div dir="{self.direction}">{markup}</div>'


def entries_of(view: OutputView) -> tuple[Entry, ...]:
    """Return the items of ``view`` in its order, with as much text as ``view.content`` says."""
    return tuple(entry_of(stored, view.content, view.site.language) for stored in view.items)


def entry_of(stored: StoredItem, texts: Content, site_language: str) -> Entry:
    """Return an item with as much text as ``texts`` says, for a feed in ``site_language``."""
    item = stored.item
    summary, content = _texts(stored, texts)
    link = safe_url(item.link)
    title = safe_line(item.title)
    categories = _distinct(stored.categories)
    language = language_tag(item.language)
    return Entry(
        id=safe_line(stored.id),
        # An item of RSS needs something to show, and all formats give the same.
        title=title or ("" if summary or content else _stand_in(stored, link)),
        heading=None if title else _heading(summary or content, link),
        published_at=whole_second(stored.published_at),
        updated_at=whole_second(stored.updated_at),
        link=link,
        summary=summary,
        content=content,
        authors=tuple(_person(person) for person in item.authors if safe_line(person.name)),
        tags=tuple(tag for tag in _distinct(item.tags) if tag not in categories),
        categories=categories,
        language=language if language != language_tag(site_language) else None,
        image=safe_url(item.image),
        comments=safe_url(item.comments),
        enclosures=_enclosures(item.enclosures),
        source=_upstream(stored.source, stored.source_title, stored.source_link, stored.source_url),
        direction=_direction(content or summary, language, site_language),
        reports=tuple(map(_related, stored.reports)),
    )


def _related(report: StoryMember) -> RelatedReport:
    link, source = safe_url(report.link), safe_line(report.source_title) or safe_line(report.source)
    title = safe_line(report.title) or (host_of(link) if link else source)
    return RelatedReport(title=title, link=link, source=source, published_at=whole_second(report.published_at))


def _direction(text: str | None, language: str | None, around: str) -> Direction | None:
    direction: Direction = "ltr"
    # Most texts have no letter that is written from right to left, which is soon found out.
    if text and (direction_of_language(language) == "rtl" or has_right_to_left(text)):
        direction = direction_of(plain_text(text), language)
    return direction if text and direction != direction_of_language(around) else None


def _heading(text: str | None, link: str | None) -> str:
    words = cut_between_words(plain_text(text or ""), LONGEST_HEADING, HEADING_ENDS)
    return words or (host_of(link) if link else "")


@lru_cache(maxsize=256)  # a page asks more than once
def host_of(link: str) -> str:
    """Return the host of an address as people know it."""
    return (urlsplit(link).hostname or link).removeprefix("www.")


def _stand_in(stored: StoredItem, link: str | None) -> str:
    """Return what stands where a title would for an item without title and text; never a number of our own making."""
    files = (safe_url(enclosure.url) for enclosure in stored.item.enclosures)
    guid = safe_line(stored.item.guid or "")
    named = link or next((file for file in files if file), None) or ("" if _URN.match(guid) else guid)
    return named or safe_line(stored.source_title) or safe_line(stored.source) or "untitled"


def whole_second(instant: datetime) -> datetime:
    """Return ``instant`` as RSS can say it: in UTC, without the fraction."""
    return instant.astimezone(UTC).replace(microsecond=0)


@lru_cache(maxsize=256)  # formats, cards and pages ask for that of one text in turn
def plain_text(markup: str) -> str:
    """Return what a reader sees of an HTML fragment, on one line; its entities may stand for unsafe characters."""
    return safe_line(visible_text(markup))


def _texts(stored: StoredItem, texts: Content) -> tuple[str | None, str | None]:
    if texts == "none":
        return None, None
    summary, content = (_markup(stored.item.summary), _markup(stored.item.content))
    if texts == "full":
        return (None if summary == content else summary), content
    if summary is None and content is not None:
        summary = excerpt_of(content)
    return summary, None


def excerpt_of(content: str) -> str | None:
    """Return the beginning of a text without its markup, escaped, so that it is markup again; None if there is none."""
    return escape(cut_between_words(plain_text(content), _EXCERPT_LENGTH), quote=False) or None


def cut_between_words(text: str, most: int, dropped: str | None = None) -> str:
    """Return the beginning of ``text``, cut between words where it has any.

    Before the ellipsis, characters of ``dropped`` are left out; None means white space.
    """
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    whole_words = cut.rpartition(" ")[0]
    return (whole_words if len(whole_words) > most // 2 else cut).rstrip(dropped) + "…"


def _markup(html: str | None) -> str | None:
    text = safe_text(html)
    return text if text.strip() else None


def _person(person: Person) -> Person:
    return Person(name=safe_line(person.name), uri=safe_url(person.uri), email=email_address(person.email))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for line in map(safe_line, names) if line))


def _enclosures(enclosures: Iterable[Enclosure]) -> tuple[Enclosure, ...]:
    by_url: dict[str, Enclosure] = {}
    for enclosure in enclosures:
        url = safe_url(enclosure.url)
        if url is None or url in by_url:
            continue
        by_url[url] = Enclosure(
            url=url,
            media_type=media_type(enclosure.media_type),
            length=_natural(enclosure.length),
            duration=_natural(enclosure.duration),
            title=safe_line(enclosure.title) or None,
        )
    return tuple(by_url.values())


def _natural(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None


@lru_cache(maxsize=256)  # the items of one feed come from few sources
def _upstream(source: str, title: str, link: str | None, url: str | None) -> Upstream:
    name = safe_line(source)
    return Upstream(name=name, title=safe_line(title) or name, link=safe_url(link), url=safe_url(url))


def safe_text(text: str | None) -> str:
    """Return ``text`` without characters that XML forbids (one is enough to lose a whole feed), lines ended by LF."""
    if not text:
        return ""
    return clean_text(_LINE_END.sub("\n", text) if "\r" in text else text)


def safe_line(text: str | None) -> str:
    """Return ``text`` as one line for titles and names: ``plain`` of a text that may be missing."""
    return plain(text) if text else ""


def safe_url(url: str | None) -> str | None:
    """Return ``url`` as a valid URI (RFC 3986), or None if it is not an http(s) address of a host.

    Characters that no URI may hold are percent-encoded, an international host name becomes its ASCII form, and a
    user name with password is removed: what logs in to the source is not for the readers of the output.
    """
    if url and len(url) <= _MAX_URL and _PLAIN_URL.fullmatch(url):
        return url
    # Browsers join an address that was broken over lines; so do we.
    text = safe_text(url).replace("\n", "").replace("\t", "").strip()
    if not text or len(text) > _MAX_URL:
        return None
    try:
        parts = urlsplit(text)
        place = _ascii_place(parts.netloc)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or place is None:
        return None
    query = f"?{_encoded(parts.query)}" if parts.query else ""
    fragment = f"#{_encoded(parts.fragment)}" if parts.fragment else ""
    return f"{parts.scheme}://{place}{_encoded(parts.path)}{query}{fragment}"


@lru_cache(maxsize=256)
def language_tag(tag: str | None) -> str | None:
    """Return a BCP 47 tag in its usual case (``zh_cn`` gives ``zh-CN``), or None if it does not have that shape."""
    match = _LANGUAGE.fullmatch(safe_line(tag).replace("_", "-"))
    if not match:
        return None
    parts = [match["language"].lower() + (match["extlang"] or "").lower()]
    if match["script"]:
        parts.append(match["script"].title())
    if match["region"]:
        parts.append(match["region"].upper())
    return "-".join(parts) + match["variants"].lower()


def email_address(text: str | None) -> str | None:
    """Return an e-mail address that every validator takes, or None."""
    line = safe_line(text)
    return line if _EMAIL.fullmatch(line) else None


def media_type(text: str | None) -> str | None:
    """Return ``type/subtype`` in lower case without parameters, or None."""
    name = safe_line(text).partition(";")[0].strip().lower()
    return name if _MEDIA_TYPE.fullmatch(name) else None


def _ascii_place(netloc: str) -> str | None:
    """Return ``host:port`` in ASCII; raises UnicodeError (a ValueError) for a name that has no such form."""
    match = _PLACE.fullmatch(netloc.rpartition("@")[2])
    if not match or int(match["port"] or 0) > _MAX_PORT:
        return None
    name = match["host"].lower()
    if not name.isascii():
        name = name.encode("idna").decode("ascii").lower()
    if not _HOST.fullmatch(name):
        return None
    return f"{name}:{int(match['port'])}" if match["port"] else name


def _encoded(part: str) -> str:
    return quote(_BARE_PERCENT.sub("%25", part), safe="/%:@!$&'()*+,;=~?-._")


MAX_BYTES: Final = 64_000_000
"""Bytes that are kept during a publish. What does not fit is written anew for every document."""
MAX_BYTES_BETWEEN: Final = 8_000_000
"""Bytes that are kept until the next publish; if there are more, none are."""

_MOST_KNOWN: Final = 512

_Key = tuple[str, int]


@dataclass(slots=True)
class _Kept:
    """What was made of an item: its entry with the texts of a view, and how that is written.

    The latter by the name of the format; cards in lists have other names.
    """

    entry: tuple[Content, Entry] | None = None
    written: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class EntryCache:
    """Keeps entries and how they were written, so that an item in several documents is read and written once.

    All formats and the pages of one site with one configuration share it. What one publish does not show is forgotten
    by the next; entries are forgotten at its end.
    """

    max_bytes_between: int = MAX_BYTES_BETWEEN
    _items: dict[_Key, _Kept] = field(default_factory=dict)
    _earlier: dict[_Key, _Kept] = field(default_factory=dict)
    _known: dict[int, tuple[StoredItem, _Kept]] = field(default_factory=dict)
    """By the identity of an item, which is sooner found out than its hash."""
    _last: tuple[OutputView | None, list[_Kept]] = (None, [])
    _size: int = 0
    _size_of_entries: int = 0

    def end_publish(self) -> None:
        """Let another publish begin."""
        self._earlier = self._items if self._size - self._size_of_entries <= self.max_bytes_between else {}
        for kept in self._earlier.values():
            kept.entry = None
        self._items, self._known, self._last = {}, {}, (None, [])
        self._size = self._size_of_entries = 0

    def written(self, view: OutputView, kind: str, write: Callable[[Entry], bytes]) -> list[bytes]:
        """Return the items of ``view`` as ``write`` writes them in the format ``kind``, in their order."""
        return self.made(view, kind, lambda entry, _: write(entry))

    def made(self, view: OutputView, kind: str, make: Callable[[Entry, StoredItem], bytes]) -> list[bytes]:
        """Return what ``make`` makes of the items of ``view``; ``kind`` names what that is."""
        if self._last[0] is not view:
            self._last = view, [self._kept(stored) for stored in view.items]
        return [
            self._text(kept, stored, view, kind, make) for kept, stored in zip(self._last[1], view.items, strict=True)
        ]

    def entry(self, view: OutputView, stored: StoredItem) -> Entry:
        """Return the entry of an item of ``view``."""
        return self._entry(self._kept(stored), stored, view)

    def keep(self, stored: StoredItem, written: Mapping[str, bytes]) -> None:
        """Keep how an item was written elsewhere, as ``written_of`` returned it there."""
        if self._size < MAX_BYTES:
            self._kept(stored).written.update(written)
            self._size += sum(map(len, written.values()))

    def written_of(self, stored: StoredItem) -> dict[str, bytes]:
        """Return all ways in which an item was written."""
        return self._kept(stored).written

    def _kept(self, stored: StoredItem) -> _Kept:
        known = self._known.get(id(stored))
        if known is not None and known[0] is stored:
            return known[1]
        # The key holds a hash and not the item itself, whose texts would be kept once more.
        key = stored.id, hash(stored)
        kept = self._items.get(key)
        if kept is None:
            kept = self._earlier.pop(key, None) or _Kept()
            self._size += sum(map(len, kept.written.values()))
            if self._size < MAX_BYTES:
                self._items[key] = kept
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[id(stored)] = stored, kept
        return kept

    def _entry(self, kept: _Kept, stored: StoredItem, view: OutputView) -> Entry:
        if kept.entry is None or kept.entry[0] != view.content:
            entry = entry_of(stored, view.content, view.site.language)
            size = len(entry.content or "") + len(entry.summary or "")
            self._size, self._size_of_entries = self._size + size, self._size_of_entries + size
            kept.entry = view.content, entry
        return kept.entry[1]

    def _text(
        self, kept: _Kept, stored: StoredItem, view: OutputView, kind: str, make: Callable[[Entry, StoredItem], bytes]
    ) -> bytes:
        text = kept.written.get(kind)
        if text is None:
            text = make(self._entry(kept, stored, view), stored)
            if self._size < MAX_BYTES:
                kept.written[kind] = text
                self._size += len(text)
        return text
