"""What feedgen cannot write by itself, as one extension of it.

feedgen 1.0 loses ``rel`` and ``type`` of the links of entries, knows no ``atom:source`` with an id, no languages of
entries, no ``dc:creator`` beside other authors, and puts a content into ``description`` when there is no summary.
Its Atom elements carry no namespace (the default one is written as an attribute of the root), so ours do not either.
"""

from collections.abc import Mapping
from typing import Any

from feedgen.util import xml_elem

from feedhub.model.item import Enclosure
from feedhub.publish.entry import Entry

NAME = "feedhub"
"""The attribute of feedgen's feeds and entries under which the extension is found."""

_XML = "http://www.w3.org/XML/1998/namespace"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_DC = "http://purl.org/dc/elements/1.1/"
_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_ATOM = "http://www.w3.org/2005/Atom"
_HISTORY = "http://purl.org/syndication/history/1.0"
_MEDIA = "http://search.yahoo.com/mrss/"


class AtomFeed:
    """The feed's side for Atom; ``links`` are by relation, ``is_archive`` says that no new entry will come."""

    links: Mapping[str, str]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"media": _MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_atom(self, feed: Any) -> None:
        """Say that texts are texts (RFC 4287 §3.1.1), and where the archive goes on."""
        _type_texts(feed, "title", "subtitle")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", feed)
        for rel, href in self.links.items():
            xml_elem("link", feed, rel=rel, href=href)


class AtomEntry:
    """One entry's side for Atom; ``entry`` is set before it is rendered."""

    entry: Entry

    def extend_atom(self, element: Any) -> None:
        """Complete the element that feedgen made."""
        entry = self.entry
        title = element.find("title")
        title.text = entry.title
        title.set("type", "text")
        if entry.language:
            element.set(f"{{{_XML}}}lang", entry.language)
        for link in element.findall("link"):
            element.remove(link)
        self._add_links(element)
        self._add_source(element)
        if entry.image:
            xml_elem(f"{{{_MEDIA}}}thumbnail", element, url=entry.image)

    def _add_links(self, element: Any) -> None:
        entry = self.entry
        if entry.link:
            xml_elem("link", element, rel="alternate", href=entry.link)
        if entry.comments:
            xml_elem("link", element, rel="replies", href=entry.comments)
        for enclosure in entry.enclosures:
            xml_elem(
                "link", element, rel="enclosure", href=enclosure.url, **_facts(enclosure, "type", "length", "title")
            )

    def _add_source(self, element: Any) -> None:
        upstream = self.entry.source
        source = xml_elem("source", element)
        identity = upstream.url or upstream.link
        if identity:
            xml_elem("id", source).text = identity
        title = xml_elem("title", source, type="text")
        title.text = upstream.title
        if upstream.url:
            xml_elem("link", source, rel="self", href=upstream.url)
        if upstream.link:
            xml_elem("link", source, rel="alternate", href=upstream.link)


class RssFeed:
    """The feed's side for RSS, as that for Atom."""

    links: Mapping[str, str]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"dc": _DC, "itunes": _ITUNES, "media": _MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_rss(self, feed: Any) -> None:
        """Say where the archive goes on."""
        channel = feed.find("channel")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", channel)
        for rel, href in self.links.items():
            xml_elem(f"{{{_ATOM}}}link", channel, rel=rel, href=href)


class RssEntry:
    """One item's side for RSS; ``entry`` is set before it is rendered."""

    entry: Entry

    def extend_rss(self, element: Any) -> None:
        """Complete the element that feedgen made."""
        entry = self.entry
        if entry.content and (entry.title or entry.summary):
            xml_elem(f"{{{_CONTENT}}}encoded", element).text = entry.content
        for person in entry.authors:
            if not person.email:
                xml_elem(f"{{{_DC}}}creator", element).text = person.name
        if entry.language:
            xml_elem(f"{{{_DC}}}language", element).text = entry.language
        if entry.image:
            xml_elem(f"{{{_MEDIA}}}thumbnail", element, url=entry.image)
        self._add_media(element)

    def _add_media(self, element: Any) -> None:
        enclosures = self.entry.enclosures
        if enclosures and enclosures[0].duration:
            xml_elem(f"{{{_ITUNES}}}duration", element).text = _clock(enclosures[0].duration)
        # RSS has room for one enclosure; the others go where podcast and media readers look for them.
        for enclosure in enclosures[1:]:
            facts = _facts(enclosure, "type", "fileSize", "duration")
            media = xml_elem(f"{{{_MEDIA}}}content", element, url=enclosure.url, **facts)
            if enclosure.title:
                xml_elem(f"{{{_MEDIA}}}title", media, type="plain").text = enclosure.title


def _type_texts(element: Any, *names: str) -> None:
    for name in names:
        for text in element.findall(name):
            text.set("type", "text")


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
