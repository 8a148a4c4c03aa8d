"""Looking at a source or a page without storing anything (SPEC §2, ``preview`` and ``discover``)."""

from feedhub.errors import ParseError, UsageError
from feedhub.model.document import Document, Request
from feedhub.model.report import Preview
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.ports import Cleaner, Fetcher, Parser
from feedhub.rules.identity import keyed_document
from feedhub.rules.urls import is_web_url
from feedhub.sources.discover import DiscoveredFeed, discover_feeds


def preview_source(source: Source, *, fetcher: Fetcher, parser: Parser, cleaner: Cleaner, limit: int) -> Preview:
    """Fetch and read a source as a poll would, and return its first ``limit`` items; nothing is stored.

    Raises:
        PollError: what a poll of the source would fail with.
    """
    document = _fetched(source, fetcher)
    feed = parser.parse(document, source)
    shown = keyed_document(feed.items, source.identity, source.name).items[:limit]
    return Preview(
        url=document.url,
        title=feed.title,
        items=tuple((keyed.item, cleaner.clean(keyed.item, source)) for keyed in shown),
        keys=tuple(tuple(key.text for key in keyed.keys) for keyed in shown),
        rejected=feed.rejected,
        notes=feed.notes,
    )


def discover(url: str, settings: Settings, *, fetcher: Fetcher, parser: Parser) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page offers; the address itself when it is a feed already.

    Raises:
        PollError: the page cannot be fetched.
    """
    source = adhoc_source(url, settings)
    document = _fetched(source, fetcher)
    try:
        feed = parser.parse(document, source)
    except ParseError:
        return discover_feeds(document)
    return (DiscoveredFeed(url=document.url, title=feed.title, media_type=document.content_type or ""),)


def adhoc_source(url: str, settings: Settings) -> Source:
    """Return a source for an address that is not in the configuration, with the configuration's defaults.

    Raises:
        UsageError: the address is not http(s).
    """
    if not is_web_url(url):
        raise UsageError(f'"{url}" is neither the name of a source nor an http(s) address')
    return Source(
        name="preview",
        url=url,
        timezone=settings.site.timezone,
        timeout=settings.poll.timeout,
        max_size=settings.poll.max_size,
        user_agent=settings.poll.user_agent,
    )


def _fetched(source: Source, fetcher: Fetcher) -> Document:
    answer = fetcher.fetch(
        Request(
            url=source.url,
            headers=source.headers,
            proxy=source.proxy,
            timeout=source.timeout,
            max_size=source.max_size,
            user_agent=source.user_agent,
        )
    )
    if not isinstance(answer, Document):
        raise ParseError("answered 304 to a request without validators")
    return answer
