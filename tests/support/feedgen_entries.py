"""The same documents with entries by feedgen, completed by an extension: what ours are compared with."""

from typing import Any

from feedgen.util import xml_elem

from feedhub.model.item import Enclosure
from feedhub.model.output import OutputView
from feedhub.publish.addresses import category_scheme
from feedhub.publish.atom_rss import NAME, AtomFeed, RssFeed, generator_of, place_in_archive
from feedhub.publish.entry import OCTETS, Entry, entries_of, excerpt_of

_XML = "http://www.w3.org/XML/1998/namespace"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_DC = "http://purl.org/dc/elements/1.1/"
_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_MEDIA = "http://search.yahoo.com/mrss/"


def atom_by_feedgen(view: OutputView) -> bytes:
    """Return the Atom document of ``view``."""
    generator = generator_of(view, "atom")
    generator.register_extension(NAME, AtomFeed, AtomEntry, rss=False)
    place_in_archive(generator, view, "atom")
    for entry in entries_of(view):
        _add_to_atom(generator, entry, category_scheme(view))
    body: bytes = generator.atom_str(pretty=True)
    return body


def rss_by_feedgen(view: OutputView) -> bytes:
    """Return the RSS document of ``view``."""
    generator = generator_of(view, "rss")
    generator.register_extension(NAME, RssFeed, RssEntry, atom=False)
    place_in_archive(generator, view, "rss")
    for entry in entries_of(view):
        _add_to_rss(generator, entry, category_scheme(view))
    body: bytes = generator.rss_str(pretty=True)
    return body


class AtomEntry:
    """One entry's side for Atom; ``entry`` is set before it is rendered."""

    entry: Entry

    def extend_atom(self, element: Any) -> None:
        """Complete the element that feedgen made."""
        entry = self.entry
        title = element.find("title")
        title.text = entry.title if entry.heading is None else entry.heading or None
        if entry.heading is None:
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


class RssEntry:
    """One item's side for RSS; ``entry`` is set before it is rendered."""

    entry: Entry

    def extend_rss(self, element: Any) -> None:
        """Complete the element that feedgen made."""
        entry = self.entry
        if entry.content and entry.content != _description(entry):
            xml_elem(f"{{{_CONTENT}}}encoded", element).text = entry.directed(entry.content)
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


def _add_to_atom(generator: Any, entry: Entry, scheme: str) -> None:
    element = _add(generator, entry, scheme)
    # feedgen refuses an empty title; the extension puts the real one.
    element.title(entry.title or "-")
    if entry.link:
        element.link(href=entry.link, rel="alternate")
    content, summary = entry.content, entry.summary
    if content is None and entry.link is None:
        # An entry needs a content or an alternate link (RFC 4287 §4.1.2), and readers show content before summary.
        content, summary = summary or "", None
    if content is not None:
        element.content(content and entry.directed(content), type="html")
    if summary:
        element.summary(entry.directed(summary), type="html")
    for person in entry.authors:
        known = {"name": person.name, "uri": person.uri, "email": person.email}
        element.author({field: value for field, value in known.items() if value})


def _add_to_rss(generator: Any, entry: Entry, scheme: str) -> None:
    element = _add(generator, entry, scheme)
    element.title(entry.title)
    if entry.link:
        element.link(href=entry.link, rel="alternate")
    description = _description(entry)
    if description:
        element.description(entry.directed(description))
    for person in entry.authors:
        if person.email:
            element.author(name=person.name, email=person.email)
    if entry.comments:
        element.comments(entry.comments)
    if entry.enclosures:
        first = entry.enclosures[0]
        element.enclosure(first.url, first.length or 0, first.media_type or OCTETS)
    if entry.source.url:
        element.source(entry.source.url, entry.source.title)


def _description(entry: Entry) -> str | None:
    return entry.summary or (excerpt_of(entry.content) or entry.content if entry.content else None)


def _add(generator: Any, entry: Entry, scheme: str) -> Any:
    element = generator.add_entry(order="append")
    getattr(element, NAME).entry = entry
    element.id(entry.id)
    element.published(entry.published_at)
    element.updated(entry.updated_at)
    for term in entry.categories:
        element.category(term=term, scheme=scheme)
    for term in entry.tags:
        element.category(term=term)
    return element


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
