"""Entries of Atom 1.0 (RFC 4287) and items of RSS 2.0 as text, to be put into the documents that feedgen makes.

feedgen 1.0 takes five times as long for an entry. It also loses ``rel`` and ``type`` of the links of entries, knows no
``atom:source`` with an id, no languages of entries, no ``dc:creator`` beside other authors, and puts a content into
``description`` when there is no summary. Its Atom elements carry no namespace (the default one is written as an
attribute of the root), so ours do not either. A test compares both over what feedgen can say.
"""

from email.utils import format_datetime
from typing import Any, Final

from lxml.etree import Element, SubElement, tostring

from feedhub.model.item import Enclosure, Person
from feedhub.publish.entry import OCTETS, Entry

ATOM: Final = "http://www.w3.org/2005/Atom"
CONTENT: Final = "http://purl.org/rss/1.0/modules/content/"
DC: Final = "http://purl.org/dc/elements/1.1/"
ITUNES: Final = "http://www.itunes.com/dtds/podcast-1.0.dtd"
MEDIA: Final = "http://search.yahoo.com/mrss/"

_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_THUMBNAIL: Final = f"{{{MEDIA}}}thumbnail"


def atom_text(entry: Entry, scheme: str) -> bytes:
    """Return an entry, indented as it stands in a feed. ``scheme`` is that of our own categories.

    Raises:
        ValueError: the entry breaks its own contract.
    """
    if not entry.id:
        raise ValueError("an entry has no id")
    feed = Element("feed", nsmap={"media": MEDIA})
    element = SubElement(feed, "entry")
    if entry.language:
        element.set(_LANGUAGE, entry.language)
    _put(element, "id", entry.id)
    _put(element, "title", entry.title, type="text")
    _put(element, "updated", entry.updated_at.isoformat())
    for person in entry.authors:
        _add_author(element, person)
    _add_texts(element, entry)
    for term in entry.categories:
        SubElement(element, "category", term=term, scheme=scheme)
    for term in entry.tags:
        SubElement(element, "category", term=term)
    _put(element, "published", entry.published_at.isoformat())
    _add_links(element, entry)
    _add_source(element, entry)
    if entry.image:
        SubElement(element, _THUMBNAIL, url=entry.image)
    return _inner(feed, 1)


def rss_text(entry: Entry, scheme: str) -> bytes:
    """Return an item, indented as it stands in a feed. ``scheme`` is that of our own categories.

    Raises:
        ValueError: the entry breaks its own contract.
    """
    if not entry.id:
        raise ValueError("an entry has no id")
    rss = Element("rss", nsmap={"content": CONTENT, "dc": DC, "itunes": ITUNES, "media": MEDIA})
    element = SubElement(SubElement(rss, "channel"), "item")
    # An item has a title or a description (RSS 2.0, "Elements of <item>").
    description = entry.summary or (entry.content if not entry.title else None)
    for name, text in (("title", entry.title), ("link", entry.link), ("description", description)):
        if text:
            _put(element, name, text)
    for person in (person for person in entry.authors if person.email):
        _put(element, "author", f"{person.email} ({person.name})")
    _put(element, "guid", entry.id, isPermaLink="false")
    for term in entry.categories:
        _put(element, "category", term, domain=scheme)
    for term in entry.tags:
        _put(element, "category", term)
    if entry.comments:
        _put(element, "comments", entry.comments)
    for first in entry.enclosures[:1]:
        size, kind = str(first.length or 0), first.media_type or OCTETS
        SubElement(element, "enclosure", url=first.url, length=size, type=kind)
    _put(element, "pubDate", format_datetime(entry.published_at))
    if entry.source.url:
        _put(element, "source", entry.source.title, url=entry.source.url)
    _add_extras(element, entry)
    return _inner(rss, 2)


def _put(parent: Any, name: str, text: str | None, **attributes: str) -> None:
    SubElement(parent, name, **attributes).text = text


def _inner(root: Any, depth: int) -> bytes:
    """Return what stands inside of the wrapping elements of ``root``, a line each."""
    lines: bytes = tostring(root, pretty_print=True, encoding="UTF-8")
    start, end = 0, len(lines)
    for _ in range(depth):
        start = lines.index(b"\n", start) + 1
        end = lines.rindex(b"\n", 0, end - 1) + 1
    return lines[start:end]


def _add_author(element: Any, person: Person) -> None:
    author = SubElement(element, "author")
    _put(author, "name", person.name)
    if person.email:
        _put(author, "email", person.email)
    if person.uri:
        _put(author, "uri", person.uri)


def _add_texts(element: Any, entry: Entry) -> None:
    content, summary = entry.content, entry.summary
    if content is None and entry.link is None:
        # An entry needs a content or an alternate link (RFC 4287 §4.1.2), and readers show content before summary.
        content, summary = summary or "", None
    if content is not None:
        _put(element, "content", content or None, type="html")
    if summary:
        _put(element, "summary", summary, type="html")


def _add_links(element: Any, entry: Entry) -> None:
    if entry.link:
        SubElement(element, "link", rel="alternate", href=entry.link)
    if entry.comments:
        SubElement(element, "link", rel="replies", href=entry.comments)
    for enclosure in entry.enclosures:
        facts = _facts(enclosure, "type", "length", "title")
        SubElement(element, "link", rel="enclosure", href=enclosure.url, **facts)


def _add_source(element: Any, entry: Entry) -> None:
    upstream = entry.source
    source = SubElement(element, "source")
    identity = upstream.url or upstream.link
    if identity:
        _put(source, "id", identity)
    _put(source, "title", upstream.title, type="text")
    if upstream.url:
        SubElement(source, "link", rel="self", href=upstream.url)
    if upstream.link:
        SubElement(source, "link", rel="alternate", href=upstream.link)


def _add_extras(element: Any, entry: Entry) -> None:
    """Add what RSS has no element for."""
    if entry.content and (entry.title or entry.summary):
        _put(element, f"{{{CONTENT}}}encoded", entry.content)
    for person in entry.authors:
        if not person.email:
            _put(element, f"{{{DC}}}creator", person.name)
    if entry.language:
        _put(element, f"{{{DC}}}language", entry.language)
    if entry.image:
        SubElement(element, _THUMBNAIL, url=entry.image)
    enclosures = entry.enclosures
    if enclosures and enclosures[0].duration:
        _put(element, f"{{{ITUNES}}}duration", _clock(enclosures[0].duration))
    # RSS has room for one enclosure; the others go where podcast and media readers look for them.
    for enclosure in enclosures[1:]:
        facts = _facts(enclosure, "type", "fileSize", "duration")
        media = SubElement(element, f"{{{MEDIA}}}content", url=enclosure.url, **facts)
        if enclosure.title:
            _put(media, f"{{{MEDIA}}}title", enclosure.title, type="plain")


def _facts(enclosure: Enclosure, *names: str) -> dict[str, str]:
    """Return what is known of an enclosure, under the names that the format uses."""
    values = {
        "type": enclosure.media_type,
        "length": enclosure.length,
        "fileSize": enclosure.length,
        "duration": enclosure.duration,
        "title": enclosure.title,
    }
    return {name: str(values[name]) for name in names if values[name] is not None}


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}"
