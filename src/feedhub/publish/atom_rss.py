"""What feedgen cannot say of a feed by itself, as one extension of it. Entries are written by ``entry_xml.py``."""

import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem
from lxml import etree

from feedhub.errors import PublishError
from feedhub.model.item import StoredItem
from feedhub.model.output import FeedFormat, OutputFeed, OutputFile, OutputSettings, OutputView, Site
from feedhub.publish.addresses import (
    MEDIA_TYPES,
    SEARCH_FEED,
    SEARCH_PAGE,
    category_scheme,
    feed_id,
    feed_path,
    feed_url,
    page_url,
)
from feedhub.publish.entry import EntryTexts, whole_second
from feedhub.publish.safe import language_tag, safe_line
from feedhub.rules.select import EPOCH, output_view

NAME = "feedhub"
"""The attribute of feedgen's feeds under which the extension is found."""

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
MEDIA = "http://search.yahoo.com/mrss/"
_HISTORY = "http://purl.org/syndication/history/1.0"


class AtomFeed:
    """The feed's side for Atom; ``links`` are by relation, ``is_archive`` says that no new entry will come."""

    links: Mapping[str, str]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"media": MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_atom(self, feed: Any) -> None:
        """Say that texts are texts (RFC 4287 §3.1.1), and where the archive goes on."""
        _type_texts(feed, "title", "subtitle")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", feed)
        for rel, href in self.links.items():
            xml_elem("link", feed, rel=rel, href=href)


class RssFeed:
    """The feed's side for RSS, as that for Atom."""

    links: Mapping[str, str]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"dc": DC, "itunes": ITUNES, "media": MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_rss(self, feed: Any) -> None:
        """Say where the archive goes on."""
        channel = feed.find("channel")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", channel)
        for rel, href in self.links.items():
            xml_elem(f"{{{ATOM}}}link", channel, rel=rel, href=href)


def _type_texts(element: Any, *names: str) -> None:
    for name in names:
        for text in element.findall(name):
            text.set("type", "text")


def atom_document(view: OutputView, entries: list[bytes]) -> bytes:
    """Return the Atom document of ``view`` with these entries. Raises ValueError as feedgen does."""
    generator = generator_of(view, "atom")
    generator.register_extension(NAME, AtomFeed, rss=False)
    place_in_archive(generator, view, "atom")
    return _around(generator.atom_str(pretty=True), b"</feed>", entries)


def rss_document(view: OutputView, items: list[bytes]) -> bytes:
    """Return the RSS document of ``view`` with these items. Raises ValueError as feedgen does."""
    generator = generator_of(view, "rss")
    generator.register_extension(NAME, RssFeed, atom=False)
    place_in_archive(generator, view, "rss")
    return _around(generator.rss_str(pretty=True), b"  </channel>", items)


def generator_of(view: OutputView, kind: FeedFormat) -> Any:
    """Return feedgen's feed with all that is said of ``view`` itself."""
    site, feed = view.site, view.feed
    updated_at = whole_second(view.updated_at)
    title = safe_line(feed.title) or feed.slug
    description = safe_line(feed.description)
    generator = FeedGenerator()
    generator.id(feed_id(site, feed.slug))
    generator.title(title)
    if description or kind == "rss":
        generator.subtitle(description or title)
    # Without it feedgen says the current time; it sets lastBuildDate of RSS too.
    generator.updated(updated_at)
    generator.pubDate(updated_at)
    generator.author(name=safe_line(site.author) or safe_line(site.title) or title)
    generator.link(href=feed_url(site, feed.slug, kind, view.part), rel="self", type=MEDIA_TYPES[kind])
    # Last, because RSS takes the last one.
    generator.link(
        href=page_url(site, feed.slug, view.part if view.has_pages else None), rel="alternate", type="text/html"
    )
    # Without the version: an upgrade of feedhub does not change every file.
    generator.generator("feedhub")
    generator.docs("")
    language = language_tag(site.language)
    if language:
        generator.language(language)
    return generator


def place_in_archive(generator: Any, view: OutputView, kind: FeedFormat) -> None:
    """Say where the document stands in its archive (RFC 5005 §4), and which hub tells of changes (WebSub §4)."""
    extension = getattr(generator, NAME)
    slug = view.feed.slug
    extension.is_archive = view.part is not None
    links = {
        "current": feed_url(view.site, slug, kind) if view.part else None,
        "prev-archive": feed_url(view.site, slug, kind, view.older) if view.older else None,
        "next-archive": feed_url(view.site, slug, kind, view.newer) if view.newer else None,
        "hub": view.hub if view.part is None else None,
    }
    extension.links = {rel: href for rel, href in links.items() if href}


def _around(document: bytes, end: bytes, entries: list[bytes]) -> bytes:
    """Put ``entries`` at the end of a document, before what closes it."""
    place = document.rindex(end)
    return b"".join((document[:place], *entries, document[place:]))


class AtomRenderer:
    """Writes ``feeds/<slug>.atom``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the Atom document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty).
        """
        from feedhub.publish.entry import atom_text

        path = feed_path(view.feed.slug, "atom", view.part)
        try:
            entries = self._texts.of(view, "atom", partial(atom_text, scheme=category_scheme(view.site)))
            return OutputFile(path=path, body=atom_document(view, entries))
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as Atom: {exc}") from exc


class RssRenderer:
    """Writes ``feeds/<slug>.rss``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the RSS document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty).
        """
        from feedhub.publish.entry import rss_text

        path = feed_path(view.feed.slug, "rss", view.part)
        try:
            items = self._texts.of(view, "rss", partial(rss_text, scheme=category_scheme(view.site)))
            return OutputFile(path=path, body=rss_document(view, items))
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as RSS: {exc}") from exc


_ATOM: Final = "{http://www.w3.org/2005/Atom}"


def search_feed(
    query: str,
    site: Site,
    settings: OutputSettings,
    items: Sequence[StoredItem],
    addresses: dict[str, str],
    secrets: Sequence[str],
) -> bytes:
    """Return the Atom feed of a search. Its id is that of the query, its entries have the ids of the items.

    ``items`` come newest first; ``addresses`` and ``secrets`` decide which addresses of sources are shown.

    Raises:
        PublishError: see ``AtomRenderer``.
    """
    feed = OutputFeed(slug=SEARCH_PAGE, title=f"{query} · {site.title}", description="", entries=len(items))
    view = output_view(feed, site, settings, items, EPOCH, addresses, secrets)
    root = etree.fromstring(AtomRenderer().render(view).body)
    base = site.url.rstrip("/")
    root.find(f"{_ATOM}id").text = uuid.uuid5(uuid.NAMESPACE_URL, f"{base}/{SEARCH_FEED}?q={query}").urn
    asked = quote(query, safe="")
    addresses_of = {"self": f"{base}/{SEARCH_FEED}?q={asked}", "alternate": f"{base}/{SEARCH_PAGE}?q={asked}"}
    for link in root.findall(f"{_ATOM}link"):
        if link.get("rel") in addresses_of:
            link.set("href", addresses_of[link.get("rel")])
        else:
            # A search has no archive, and no hub is told of it.
            root.remove(link)
    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
    return body
