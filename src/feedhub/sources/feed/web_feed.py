"""``kind: feed``: from a document to its items. Fields have the names that feedparser gives them."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import Enclosure, Markup, ParsedFeed, ParsedItem, Person
from feedhub.model.source import Source
from feedhub.rules.dates import is_believable, is_exact, parse_date
from feedhub.rules.requests import is_challenge
from feedhub.rules.text import label_text, plain, visible_text, with_words_shown
from feedhub.sources import records
from feedhub.sources.document import Shape, document_text, from_feed_on, root_name, shape_of
from feedhub.sources.feed.broken_xml import with_sections_ended
from feedhub.sources.feed.dialects import read_dialect
from feedhub.sources.feed.discover import feeds_in_page
from feedhub.sources.feed.json_feed import read_json_feed
from feedhub.sources.feed.plain_feed import read_plain
from feedhub.sources.feed.raw_feed import NOT_READ, RawFeed, date_in_words, reading_of
from feedhub.sources.markup import http_url, text_as_html
from feedhub.sources.repair import player_of

Entry = Mapping[str, Any]

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_TEXT_TYPES = _HTML_TYPES | {"text/plain"}
_LONGEST_WORD = 40
"""Words are shorter on average; lines of base64 are longer."""
# A place in the document itself, and markup or a quoted address where an address is due.
_NO_LINK = ("#", "<", '"', "'")
# A title with code in it is about code; nothing of it is run, and nothing of it is hidden.
_SCRIPT = re.compile(r"<(?:script|style)\b", re.IGNORECASE)
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp)$", re.IGNORECASE)
_SOUND_OR_FILM = re.compile(
    r"\.(?:mp3|m4a|aac|ogg|oga|opus|flac|wav|mp4|m4v|mov|webm|ogv|mkv|m3u8|mpd)$", re.IGNORECASE
)
_STREAMS = frozenset(
    "application/x-mpegurl application/vnd.apple.mpegurl application/dash+xml application/ogg application/mp4".split()
)
# Media types that say nothing; the ending of the address does.
_SAYS_NOTHING = frozenset(
    "application/octet-stream binary/octet-stream application/binary application/force-download application/x-download "
    "application/download */*".split()
)
_FAMILIES = frozenset({"audio", "video", "image"})
_BY_ENDING = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "ogv": "video/ogg",
    "mkv": "video/x-matroska",
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "pdf": "application/pdf",
}


raw = cast(Callable[[Entry, str], Any], dict.get)
"""Returns what was written under a key, without feedparser's mapping of one key to another."""


def title_text(entry: Entry, *, is_atom: bool) -> str:
    """Return a title as plain text, decoded as its type says; in RSS, which knows no types, by its looks."""
    detail = raw(entry, "title_detail") or {}
    value = raw(entry, "title") or raw(entry, "itunes_title")
    if not isinstance(value, str):
        return ""
    if not is_atom:
        return records.title_of(value if _SCRIPT.search(value) else label_text(value))
    return records.title_of(visible_text(with_words_shown(value)) if detail.get("type") in _HTML_TYPES else value)


def _contents(entry: Entry) -> list[dict[str, Any]]:
    """Return the contents of a record; feedparser keeps a text that stands outside of records under the same name."""
    found = raw(entry, "content")
    return found if isinstance(found, list) else []


def best_link(entry: Entry, base: str) -> str | None:
    """Return the address of the article: the HTML alternate first, a feedburner link undone, else the permalink."""
    original = http_url(raw(entry, "feedburner_origlink"))
    if original:
        return original
    links = [
        link for link in raw(entry, "links") or () if link.get("rel", "alternate") == "alternate" and link.get("href")
    ]
    pages = [link for link in links if _is_of_page(link.get("type"))]
    candidates = [link["href"] for link in (*pages, *links)]
    # The content may stand somewhere else (RFC 4287 §4.1.3.2): that is where a reader finds it.
    elsewhere = [
        http_url(part["src"], http_url(part.get("base"), base) or base)
        for part in _contents(entry)
        if part.get("src") and not str(part.get("type")).startswith(("image/", "audio/", "video/"))
    ]
    for value in (*candidates, raw(entry, "link"), raw(entry, "permalink"), *elsewhere):
        if isinstance(value, str) and value.lstrip().startswith(_NO_LINK):
            continue
        # A permalink is an address already; resolving `12345` against the feed would invent one.
        address = http_url(value, "" if value is raw(entry, "permalink") else base)
        if address:
            return address
    return None


def _is_of_page(media_type: str | None) -> bool:
    return media_type in _HTML_TYPES or (media_type is not None and records.media_type_of(media_type) in _HTML_TYPES)


def text_of(entry: Entry, base: str, url: str) -> tuple[Markup | None, Markup | None]:
    """Return (summary, content). The longest content wins; captions and podcast notes stand in where text lacks.

    ``base`` is for texts without ``xml:base``; ``url`` is the address of the document, for one that is relative.
    """
    contents = [found for part in _contents(entry) if (found := _markup(part, base, url))]
    content = max(contents, key=lambda found: len(found.value)) if contents else None
    summary = _markup(raw(entry, "summary_detail"), base, url)
    if content is None and summary is None:
        content = _markup(raw(entry, "media_description_detail"), base, url)
    if summary is None:
        summary = _markup(raw(entry, "itunes_summary_detail"), base, url)
    if content and summary and content.value == summary.value:
        summary = None
    return _with_player(entry, base, summary, content)


def _with_player(
    entry: Entry, base: str, summary: Markup | None, content: Markup | None
) -> tuple[Markup | None, Markup | None]:
    """Return both texts, the longer one with the player that the entry names, as a frame, unless it is there."""
    named = raw(entry, "media_player") or {}
    address = http_url(named.get("url") or named.get("content"), base)
    text = content or summary
    if not address:
        return summary, content
    player = player_of(address)
    known_by = player.rpartition("/")[2] if player else address
    if (text and known_by in html.unescape(text.value)) or (not player and address == http_url(raw(entry, "link"))):
        return summary, content
    words = "" if text is None else text_as_html(text.value) if text.kind == "text" else text.value
    shown = Markup(value=f'{words}<iframe src="{html.escape(address)}"></iframe>', base=text.base if text else base)
    return (summary, shown) if content or not summary else (shown, None)


def people_in(entry: Entry, base: str) -> tuple[Person, ...]:
    """Return the authors of an entry, else of the feed that it was copied from, or of a feed."""
    return records.people_of(
        Person(
            name=str(author.get("name") or author.get("email") or ""),
            uri=http_url(author.get("href"), base) if author.get("href") else None,
            email=plain(str(author.get("email") or ""))[: records.LONGEST_NAME] or None,
        )
        for author in _named(raw(entry, "authors")) or raw(entry, "source_authors") or ()
    )


def _named(authors: Any) -> list[Any]:
    return [author for author in authors or () if author.get("name") or author.get("email")]


def tags_in(entry: Entry) -> tuple[str, ...]:
    """Return labels, else terms; a term that is an address means nothing to a reader."""
    return records.tags_of(
        label_text(value)
        for tag in raw(entry, "tags") or ()
        if (value := tag.get("label") or tag.get("term") or "") and not value.startswith(("http://", "https://"))
    )


def language_in(entry: Entry) -> str | None:
    """Return the language an entry gives for itself or inherits."""
    own = records.language_of(raw(entry, "language"))
    return own or records.language_of((raw(entry, "title_detail") or {}).get("language"))


def enclosures_in(entry: Entry, base: str) -> tuple[Enclosure, ...]:
    """Return attached files: enclosures of RSS and Atom, and sound and film of Media RSS."""
    links = (link for link in raw(entry, "links") or () if link.get("rel") == "enclosure")
    found = records.enclosures_of((*_enclosures(links, base), *_media(entry, base)))
    duration = records.seconds_of(raw(entry, "itunes_duration"))
    if duration and found and found[0].duration is None:
        first = found[0]
        head = Enclosure(
            url=first.url, media_type=first.media_type, length=first.length, duration=duration, title=first.title
        )
        found = (head, *found[1:])
    return found


def image_in(entry: Entry, base: str, enclosures: Iterable[Enclosure]) -> str | None:
    """Return the picture an entry names outside its text."""
    thumbnails = [part.get("url") or part.get("href") for part in raw(entry, "media_thumbnail") or ()]
    media = [content.get("url") for content in raw(entry, "media_content") or () if _is_picture(content)]
    attached = [enclosure.url for enclosure in enclosures if (enclosure.media_type or "").startswith("image/")]
    for value in (*thumbnails, *media, (raw(entry, "image") or {}).get("href"), *attached):
        address = http_url(value, base)
        if address:
            return address
    return None


def comments_in(entry: Entry, base: str) -> str | None:
    """Return the page where an entry is discussed."""
    replies = [
        link.get("href")
        for link in raw(entry, "links") or ()
        if link.get("rel") == "replies" and link.get("type") in _HTML_TYPES
    ]
    for value in (raw(entry, "comments"), *replies):
        address = http_url(value, base)
        if address:
            return address
    return None


def _markup(detail: Any, base: str, url: str) -> Markup | None:
    if not detail:
        return None
    kind, value = str(detail.get("type") or "text/html"), detail.get("value")
    if kind not in _TEXT_TYPES and not _has_words(str(value)):
        return None  # a file, written in base64 (RFC 4287 §4.1.3.3)
    declared = http_url(detail.get("base"), url) if detail.get("base") else None
    return records.markup(value, "html" if kind in _HTML_TYPES else "text", declared or base)


def _has_words(text: str) -> bool:
    return len(text) < _LONGEST_WORD * (len(text.split()) - 1)


def _enclosures(links: Iterable[Entry], base: str) -> Iterator[Enclosure]:
    for link in links:
        address = http_url(link.get("href"), base)
        if address:
            yield Enclosure(
                url=address,
                media_type=_media_type(link),
                length=records.whole_number(link.get("length")),
                title=records.title_of(link.get("title")) or None,
            )


def _media(entry: Entry, base: str) -> Iterator[Enclosure]:
    for content in raw(entry, "media_content") or ():
        address = http_url(content.get("url"), base)
        if address and _is_sound_or_film(content):
            yield Enclosure(
                url=address,
                media_type=_media_type(content),
                length=records.whole_number(content.get("filesize")),
                duration=records.seconds_of(content.get("duration")),
            )


def _is_picture(content: Entry) -> bool:
    kind = _kind_of(content)
    return kind.startswith("image") or (not kind and _PICTURE.search(_path(content)) is not None)


def _is_sound_or_film(content: Entry) -> bool:
    kind = _kind_of(content)
    if kind.startswith(("audio", "video")) or kind in _STREAMS:
        return True
    return not kind and _SOUND_OR_FILM.search(_path(content)) is not None


def _kind_of(content: Entry) -> str:
    """Return the media type of a file, else its medium, else what its type means as an ending; "" for nothing."""
    written = str(content.get("type") or "").strip().lower()
    known = records.media_type_of(written)
    if known and known not in _SAYS_NOTHING:
        return known
    if (family := written.partition("/")[0]) in _FAMILIES:
        return family
    medium = str(content.get("medium") or "").strip().lower()
    return medium or _BY_ENDING.get(written.lstrip("."), "" if "/" in written else written)


def _media_type(content: Entry) -> str | None:
    """Return the media type of a file. One that says nothing, or is none, gives way to the ending of the address."""
    written = str(content.get("type") or "")
    known = records.media_type_of(written)
    if not written.strip() or (known and known not in _SAYS_NOTHING):
        return known
    ending = _path(content).rpartition(".")[2].lower()
    return _BY_ENDING.get(ending) or _BY_ENDING.get(written.strip().lower().lstrip(".")) or known


def _path(content: Entry) -> str:
    return str(content.get("url") or content.get("href") or "").partition("?")[0].partition("#")[0]


_MOST_OFFERS = 5
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


def read_feed(document: Document, source: Source) -> ParsedFeed:
    """Read ``kind: feed``: any dialect of RSS and Atom, or JSON Feed, told apart by content.

    Raises:
        ParseError: the document is empty, a web page (``offers`` lists its feeds), or no feed that can be read.
    """
    decoded = document_text(document, source)
    text = from_feed_on(decoded.text)
    shape = shape_of(text)
    if shape is Shape.EMPTY:
        raise ParseError("the document is empty")
    if shape is Shape.HTML:
        raise _page_instead(text, document.url)
    if shape is Shape.OTHER:
        raise ParseError(f"not a feed: {shape.value}")
    if shape is Shape.JSON:
        feed = read_json_feed(text, document.url, source, document.fetched_at)
    else:
        # A document with notes about its charset is always read, so that its status keeps saying them.
        known = "" if decoded.notes else document.known_reading
        feed = read_web_feed(text, document.url, source, document.fetched_at, known=known)
    is_as_it_came = feed.is_apart and document.body.strip() == text.rstrip().encode("utf-8", "replace")
    return replace(feed, notes=(*decoded.notes, *feed.notes), is_apart=is_as_it_came)


def _page_instead(text: str, url: str) -> ParseError:
    offers = tuple(feed.url for feed in feeds_in_page(text, url))
    if not offers and is_challenge(text):
        return ParseError("challenge page instead of a feed")
    offered = f"it offers: {', '.join(offers[:_MOST_OFFERS])}" if offers else "it offers no feed"
    return ParseError(f"a web page instead of a feed; {offered}", offers=offers)


def read_web_feed(text: str, url: str, source: Source, now: datetime | None = None, *, known: str = "") -> ParsedFeed:
    """Return the items of a feed in XML. ``url`` is the final address of the document, ``now`` when it came.

    If the digest of what is used of it is ``known``, no items are made: they would be those of the last document.

    Raises:
        ParseError: it is no feed, nothing of it can be read, or none of its records can be used.
    """
    tidy = with_sections_ended(text)
    # Addresses stay relative while the document is read, unless `xml:base` says to what: an entry's link comes first.
    document = (plain := read_plain(tidy, "")) or read_dialect(tidy, "", url)
    if (reading := reading_of(document, url)) == known:
        return ParsedFeed(title="", items=(), reading=reading)
    feed = feed_of(document, tidy, url, source, now)
    return replace(feed, reading=reading, is_apart=bool(plain) and tidy is text)


def feed_of(document: RawFeed, text: str, url: str, source: Source, now: datetime | None = None) -> ParsedFeed:
    """Return the items of a document that one of the two readers read; see ``read_web_feed``."""
    if not document.entries and ((document.fault and not document.is_repaired) or not document.version):
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
    return records.with_records(feed, reading)


class _EntryReader:
    """Reads the entries of one document."""

    def __init__(self, document: RawFeed, url: str, zone: ZoneInfo, now: datetime | None) -> None:
        self.is_atom = document.version.startswith("atom")
        self._document = document
        self._url = url
        self._link_base = url if self.is_atom else best_link(document.feed, url) or url
        self._zone = zone
        self._now = now
        self._feed_people: tuple[Person, ...] = people_in(document.feed, url)
        self._feed_language = records.language_of(raw(document.feed, "language"))

    def read(self, position: int, entry: Entry) -> ParsedItem:
        if self._document.cut_off and entry is self._document.entries[-1]:
            raise records.Unusable("the document ends in the middle of it")
        # Both readers join links to the `xml:base` around them, files and pictures to none.
        declared = http_url(raw(entry, "base"), self._url)
        link_base = declared or self._link_base
        link = best_link(entry, link_base)
        base = declared or link or link_base
        summary, content = text_of(entry, base, self._url)
        enclosures = enclosures_in(entry, base)
        published_at, is_exact_date = self._date(entry)
        return records.make_item(
            ParsedItem(
                position=position,
                title=title_text(entry, is_atom=self.is_atom),
                text_digest="",
                guid=records.guid_of(raw(entry, "id")),
                link=link,
                published_at=published_at,
                has_rough_date=not is_exact_date,
                summary=summary,
                content=content,
                authors=people_in(entry, link_base) or self._feed_people,
                tags=tags_in(entry),
                language=language_in(entry) or self._feed_language,
                image=image_in(entry, base, enclosures),
                comments=comments_in(entry, link_base if self.is_atom else base),
                enclosures=enclosures,
            )
        )

    def _date(self, entry: Entry) -> tuple[datetime | None, bool]:
        """Return when an entry was published, and whether that is an instant rather than a day."""
        written = [value for key in ("published", "created", "updated") if (value := raw(entry, key))]
        for value in written:
            found = parse_date(value, zone=self._zone, now=self._now) if isinstance(value, str) else None
            if found is not None:
                return found, is_exact(value)
        found = next((day for value in written if (day := date_in_words(str(value)[:100]))), None)
        is_found = found is not None and is_believable(found)
        return (found, False) if is_found else (None, True)


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
