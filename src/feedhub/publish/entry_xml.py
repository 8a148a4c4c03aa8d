"""Entries of Atom 1.0 (RFC 4287) and items of RSS 2.0 as text, to be put into the documents that feedgen makes.

feedgen 1.0 takes several times as long for an entry. It also loses ``rel`` and ``type`` of links of entries, knows no
``atom:source`` with an id, no languages of entries, no ``dc:creator`` beside other authors, and puts a content into
``description`` when there is no summary. A test compares both, byte for byte. Every string of an ``Entry`` is safe to
write; what is left to do is to escape it. Prefixes of namespaces are those of ``feedgen_extension.py``.
"""

import re
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from feedhub.model.item import Enclosure, Person
from feedhub.publish.entry import OCTETS, Entry, Upstream

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
        *_texts(entry),
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


def _texts(entry: Entry) -> list[str]:
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
