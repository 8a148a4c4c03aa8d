"""An item as a feed shows it: the one door through which items enter any format, so that all formats agree."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from typing import Final

from feedhub.model.item import Enclosure, Person, StoredItem
from feedhub.model.output import Content, FeedFormat, OutputView
from feedhub.publish.safe import email_address, language_tag, media_type, safe_line, safe_text, safe_url
from feedhub.rules.text import visible_text

OCTETS = "application/octet-stream"
"""What an enclosure is when nobody says: RSS and JSON Feed demand a media type."""

_EXCERPT_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where an item came from: our name for the source, its own title, its page and its feed."""

    name: str
    title: str
    link: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item with every string safe to write and every address valid. Instants are UTC, to the second.

    ``tags`` never repeat ``categories``. ``language`` is None when it is that of the feed. ``summary`` is None when
    it says the same as ``content``. An entry has a title, a summary or a content.
    """

    id: str
    title: str
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


def entries_of(view: OutputView) -> tuple[Entry, ...]:
    """Return the items of ``view`` in its order, with as much text as ``view.content`` says."""
    return tuple(entry_of(stored, view.content, view.site.language) for stored in view.items)


@lru_cache(maxsize=512)  # every format and the page of an output ask for the same
def entry_of(stored: StoredItem, texts: Content, site_language: str) -> Entry:
    """Return an item with as much text as ``texts`` says, for a feed in ``site_language``."""
    item = stored.item
    summary, content = _texts(stored, texts)
    link = safe_url(item.link)
    categories = _distinct(stored.categories)
    language = language_tag(item.language)
    return Entry(
        id=safe_line(stored.id),
        # RSS needs something to show; so all formats give the same.
        title=safe_line(item.title) or ("" if summary or content else link or safe_line(stored.id)),
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
    )


def whole_second(instant: datetime) -> datetime:
    """Return ``instant`` as RSS can say it: in UTC, without the fraction."""
    return instant.astimezone(UTC).replace(microsecond=0)


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
        # Text without its markup: the escaping makes it markup again.
        summary = escape(_excerpt(plain_text(content)), quote=False) or None
    return summary, None


def _excerpt(text: str) -> str:
    """Return the beginning of ``text``, cut between words where it has any."""
    if len(text) <= _EXCERPT_LENGTH:
        return text
    cut = text[: _EXCERPT_LENGTH - 1]
    whole_words = cut.rpartition(" ")[0]
    return (whole_words if len(whole_words) > _EXCERPT_LENGTH // 2 else cut).rstrip() + "…"


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


@lru_cache(maxsize=256)  # neighbours have the same few sources
def _upstream(source: str, title: str, link: str | None, url: str | None) -> Upstream:
    name = safe_line(source)
    return Upstream(name=name, title=safe_line(title) or name, link=safe_url(link), url=safe_url(url))


_MARKED: Final = re.compile('[&<>"\t\n]')
_ATOM: Final = "    "
_RSS: Final = "      "


def atom_text(entry: Entry, scheme: str) -> bytes:
    """Return an entry, indented as it stands in a feed. ``scheme`` is that of our own categories.

    Raises:
        ValueError: the entry breaks its own contract.
    """
    _check(entry)
    language = _attributes(("xml:lang", entry.language))
    pieces = [
        f"  <entry{language}>\n",
        _element(_ATOM, "id", entry.id),
        _element(_ATOM, "title", entry.title, ("type", "text")),
        _element(_ATOM, "updated", entry.updated_at.isoformat()),
        *(_author(person) for person in entry.authors),
        *_text_elements(entry),
        *(_category(term, scheme) for term in entry.categories),
        *(_category(term, None) for term in entry.tags),
        _element(_ATOM, "published", entry.published_at.isoformat()),
        *_links(entry),
        _source(entry.source),
    ]
    if entry.image:
        pieces.append(_empty(_ATOM, "media:thumbnail", ("url", entry.image)))
    pieces.append("  </entry>\n")
    return "".join(pieces).encode()


def rss_text(entry: Entry, scheme: str) -> bytes:
    """Return an item, indented as it stands in a feed. ``scheme`` is that of our own categories.

    Raises:
        ValueError: the entry breaks its own contract.
    """
    _check(entry)
    pieces = ["    <item>\n"]
    # An item has a title or a description (RSS 2.0, "Elements of <item>").
    description = entry.summary or (entry.content if not entry.title else None)
    for name, text in (("title", entry.title), ("link", entry.link), ("description", description)):
        if text:
            pieces.append(_element(_RSS, name, text))
    pieces += [_element(_RSS, "author", f"{one.email} ({one.name})") for one in entry.authors if one.email]
    pieces.append(_element(_RSS, "guid", entry.id, ("isPermaLink", "false")))
    pieces += [_rss_category(term, scheme) for term in entry.categories]
    pieces += [_rss_category(term, None) for term in entry.tags]
    if entry.comments:
        pieces.append(_element(_RSS, "comments", entry.comments))
    for first in entry.enclosures[:1]:
        size, kind = str(first.length or 0), first.media_type or OCTETS
        pieces.append(_empty(_RSS, "enclosure", ("url", first.url), ("length", size), ("type", kind)))
    pieces.append(_element(_RSS, "pubDate", format_datetime(entry.published_at)))
    pieces.append(_rss_source(entry.source))
    pieces += _extras(entry)
    pieces.append("    </item>\n")
    return "".join(pieces).encode()


def _check(entry: Entry) -> None:
    if not entry.id:
        raise ValueError("an entry has no id")


def _author(person: Person) -> str:
    inner = _ATOM + "  "
    name = _element(inner, "name", person.name)
    email = _element(inner, "email", person.email) if person.email else ""
    uri = _element(inner, "uri", person.uri) if person.uri else ""
    return f"{_ATOM}<author>\n{name}{email}{uri}{_ATOM}</author>\n"


def _text_elements(entry: Entry) -> list[str]:
    content, summary = entry.content, entry.summary
    if content is None and entry.link is None:
        # An entry needs a content or an alternate link (RFC 4287 §4.1.2), and readers show content before summary.
        content, summary = summary or "", None
    texts = []
    if content is not None:
        kind = ("type", "html")
        texts.append(_element(_ATOM, "content", content, kind) if content else _empty(_ATOM, "content", kind))
    if summary:
        texts.append(_element(_ATOM, "summary", summary, ("type", "html")))
    return texts


def _links(entry: Entry) -> list[str]:
    links = []
    if entry.link:
        links.append(_empty(_ATOM, "link", ("rel", "alternate"), ("href", entry.link)))
    if entry.comments:
        links.append(_empty(_ATOM, "link", ("rel", "replies"), ("href", entry.comments)))
    for one in entry.enclosures:
        facts = (("type", one.media_type), ("length", _known(one.length)), ("title", one.title))
        links.append(_empty(_ATOM, "link", ("rel", "enclosure"), ("href", one.url), *facts))
    return links


@lru_cache(maxsize=256)  # the categories and sources of neighbours are the same few
def _category(term: str, scheme: str | None) -> str:
    return _empty(_ATOM, "category", ("term", term), ("scheme", scheme))


@lru_cache(maxsize=256)
def _rss_category(term: str, domain: str | None) -> str:
    return _element(_RSS, "category", term, ("domain", domain))


@lru_cache(maxsize=256)
def _rss_source(upstream: Upstream) -> str:
    return _element(_RSS, "source", upstream.title, ("url", upstream.url)) if upstream.url else ""


@lru_cache(maxsize=256)
def _source(upstream: Upstream) -> str:
    inner = _ATOM + "  "
    pieces = []
    identity = upstream.url or upstream.link
    if identity:
        pieces.append(_element(inner, "id", identity))
    pieces.append(_element(inner, "title", upstream.title, ("type", "text")))
    if upstream.url:
        pieces.append(_empty(inner, "link", ("rel", "self"), ("href", upstream.url)))
    if upstream.link:
        pieces.append(_empty(inner, "link", ("rel", "alternate"), ("href", upstream.link)))
    return f"{_ATOM}<source>\n{''.join(pieces)}{_ATOM}</source>\n"


def _extras(entry: Entry) -> list[str]:
    """Return what RSS has no element for."""
    pieces = []
    if entry.content and (entry.title or entry.summary):
        pieces.append(_element(_RSS, "content:encoded", entry.content))
    pieces += [_element(_RSS, "dc:creator", person.name) for person in entry.authors if not person.email]
    if entry.language:
        pieces.append(_element(_RSS, "dc:language", entry.language))
    if entry.image:
        pieces.append(_empty(_RSS, "media:thumbnail", ("url", entry.image)))
    enclosures = entry.enclosures
    if enclosures and enclosures[0].duration:
        pieces.append(_element(_RSS, "itunes:duration", _clock(enclosures[0].duration)))
    # RSS has room for one enclosure; the others go where podcast and media readers look for them.
    return pieces + [_media(enclosure) for enclosure in enclosures[1:]]


def _media(enclosure: Enclosure) -> str:
    facts = _attributes(
        ("url", enclosure.url),
        ("type", enclosure.media_type),
        ("fileSize", _known(enclosure.length)),
        ("duration", _known(enclosure.duration)),
    )
    if not enclosure.title:
        return f"{_RSS}<media:content{facts}/>\n"
    title = _element(_RSS + "  ", "media:title", enclosure.title, ("type", "plain"))
    return f"{_RSS}<media:content{facts}>\n{title}{_RSS}</media:content>\n"


def _element(indent: str, name: str, text: str, *attributes: tuple[str, str | None]) -> str:
    return f"{indent}<{name}{_attributes(*attributes)}>{_escaped(text)}</{name}>\n"


def _empty(indent: str, name: str, *attributes: tuple[str, str | None]) -> str:
    return f"{indent}<{name}{_attributes(*attributes)}/>\n"


def _attributes(*pairs: tuple[str, str | None]) -> str:
    """Return attributes; without those that are None."""
    return "".join([f' {name}="{_quoted(value)}"' for name, value in pairs if value is not None])


def _escaped(text: str) -> str:
    """Return a text between tags (XML 1.0 §2.4). Lines end with LF: see ``safe.py``."""
    if not _MARKED.search(text):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(value: str) -> str:
    """Return a value between double quotes; tabs and line breaks would be read as spaces (XML 1.0 §3.3.3)."""
    if not _MARKED.search(value):
        return value
    return _escaped(value).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


def _known(number: int | None) -> str | None:
    return None if number is None else str(number)


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}"


MOST: Final = 64_000_000
"""Bytes that are kept during a publish. What does not fit is written anew for every document."""
MOST_BETWEEN: Final = 8_000_000
"""Bytes that are kept until the next one; if there are more, none are."""

_Key = tuple[str, int]
_Texts = dict[FeedFormat, bytes]


@dataclass(slots=True)
class EntryTexts:
    """Shared by the renderers of all formats of one site, with one configuration."""

    most_between: int = MOST_BETWEEN
    _texts: dict[_Key, _Texts] = field(default_factory=dict)
    _earlier: dict[_Key, _Texts] = field(default_factory=dict)
    _shown: tuple[OutputView | None, list[_Texts]] = (None, [])
    _size: int = 0

    def begin(self) -> None:
        """Begin another publish."""
        self._earlier = self._texts if self._size <= self.most_between else {}
        self._texts, self._size, self._shown = {}, 0, (None, [])

    def of(self, view: OutputView, kind: FeedFormat, write: Callable[[Entry], bytes]) -> list[bytes]:
        """Return the items of ``view`` as ``write`` writes them in the format ``kind``, in their order."""
        if self._shown[0] is not view:
            self._shown = view, [self._kept(stored) for stored in view.items]
        return [
            self._text(texts, stored, view, kind, write)
            for texts, stored in zip(self._shown[1], view.items, strict=True)
        ]

    def _kept(self, stored: StoredItem) -> _Texts:
        # Not by the item itself: its texts would be kept once more.
        key = stored.id, hash(stored)
        texts = self._texts.get(key)
        if texts is None:
            texts = self._texts[key] = self._earlier.pop(key, {})
            self._size += sum(map(len, texts.values()))
        return texts

    def _text(
        self, texts: _Texts, stored: StoredItem, view: OutputView, kind: FeedFormat, write: Callable[[Entry], bytes]
    ) -> bytes:
        text = texts.get(kind)
        if text is None:
            text = write(entry_of(stored, view.content, view.site.language))
            if self._size < MOST:
                texts[kind] = text
                self._size += len(text)
        return text
