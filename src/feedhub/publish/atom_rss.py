"""Atom 1.0 (RFC 4287) and RSS 2.0: feedgen writes the document, ``entry_xml.py`` the entries."""

from functools import partial
from typing import Any

from feedgen.feed import FeedGenerator

from feedhub.errors import PublishError
from feedhub.model.output import FeedFormat, OutputFile, OutputView
from feedhub.publish.addresses import MEDIA_TYPES, category_scheme, feed_id, feed_path, feed_url, page_url
from feedhub.publish.entry import whole_second
from feedhub.publish.entry_texts import EntryTexts
from feedhub.publish.entry_xml import atom_text, rss_text
from feedhub.publish.feedgen_extension import NAME, AtomFeed, RssFeed
from feedhub.publish.safe import language_tag, safe_line


class AtomRenderer:
    """Writes ``feeds/<slug>.atom``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the Atom document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty).
        """
        path = feed_path(view.feed.slug, "atom", view.part)
        try:
            generator = _generator(view, "atom")
            generator.register_extension(NAME, AtomFeed, rss=False)
            _place_in_archive(generator, view, "atom")
            entries = self._texts.of(view, "atom", partial(atom_text, scheme=category_scheme(view.site)))
            body = _around(generator.atom_str(pretty=True), b"</feed>", entries)
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as Atom: {exc}") from exc
        return OutputFile(path=path, body=body)


class RssRenderer:
    """Writes ``feeds/<slug>.rss``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the RSS document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (the site's address is empty).
        """
        path = feed_path(view.feed.slug, "rss", view.part)
        try:
            generator = _generator(view, "rss")
            generator.register_extension(NAME, RssFeed, atom=False)
            _place_in_archive(generator, view, "rss")
            items = self._texts.of(view, "rss", partial(rss_text, scheme=category_scheme(view.site)))
            body = _around(generator.rss_str(pretty=True), b"  </channel>", items)
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as RSS: {exc}") from exc
        return OutputFile(path=path, body=body)


def _generator(view: OutputView, kind: FeedFormat) -> Any:
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


def _place_in_archive(generator: Any, view: OutputView, kind: FeedFormat) -> None:
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
