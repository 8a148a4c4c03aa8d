"""What feedgen makes of a view without its entries: the document of a feed or of a part of its archive."""

from typing import Any

from feedgen.feed import FeedGenerator

from feedhub.model.output import FeedFormat, OutputView
from feedhub.publish.addresses import MEDIA_TYPES, feed_id, feed_url, page_url
from feedhub.publish.entry import whole_second
from feedhub.publish.feedgen_extension import NAME, AtomFeed, RssFeed
from feedhub.publish.safe import language_tag, safe_line


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
