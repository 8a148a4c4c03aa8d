"""Atom 1.0 (RFC 4287) and RSS 2.0, written by feedgen."""

from typing import Any

from feedgen.feed import FeedGenerator

from feedhub.errors import PublishError
from feedhub.model.output import FeedFormat, OutputFile, OutputView
from feedhub.publish.addresses import MEDIA_TYPES, category_scheme, feed_id, feed_path, feed_url, page_url
from feedhub.publish.entry import OCTETS, Entry, entries_of, whole_second
from feedhub.publish.feedgen_extension import NAME, AtomEntry, AtomFeed, RssEntry, RssFeed
from feedhub.publish.safe import language_tag, safe_line


class AtomRenderer:
    """Writes ``feeds/<slug>.atom``."""

    def render(self, view: OutputView) -> OutputFile:
        """Return the Atom document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty).
        """
        path = feed_path(view.feed.slug, "atom", view.part)
        try:
            generator = _generator(view, "atom")
            generator.register_extension(NAME, AtomFeed, AtomEntry, rss=False)
            _place_in_archive(generator, view, "atom")
            for entry in entries_of(view):
                _add_to_atom(generator, entry, category_scheme(view.site))
            body: bytes = generator.atom_str(pretty=True)
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as Atom: {exc}") from exc
        return OutputFile(path=path, body=body)


class RssRenderer:
    """Writes ``feeds/<slug>.rss``."""

    def render(self, view: OutputView) -> OutputFile:
        """Return the RSS document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (the site's address is empty).
        """
        path = feed_path(view.feed.slug, "rss", view.part)
        try:
            generator = _generator(view, "rss")
            generator.register_extension(NAME, RssFeed, RssEntry, atom=False)
            _place_in_archive(generator, view, "rss")
            for entry in entries_of(view):
                _add_to_rss(generator, entry, category_scheme(view.site))
            body: bytes = generator.rss_str(pretty=True)
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
        element.content(content, type="html")
    if summary:
        element.summary(summary, type="html")
    for person in entry.authors:
        known = {"name": person.name, "uri": person.uri, "email": person.email}
        element.author({field: value for field, value in known.items() if value})


def _add_to_rss(generator: Any, entry: Entry, scheme: str) -> None:
    element = _add(generator, entry, scheme)
    element.title(entry.title)
    if entry.link:
        element.link(href=entry.link, rel="alternate")
    if entry.summary:
        element.description(entry.summary)
    elif entry.content and not entry.title:
        # An item has a title or a description (RSS 2.0, "Elements of <item>").
        element.description(entry.content)
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
