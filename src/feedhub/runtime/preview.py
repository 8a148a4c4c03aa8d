"""Looking at a source or a page without storing anything (SPEC §2, ``preview`` and ``discover``)."""

from datetime import datetime
from typing import Final

from feedhub.errors import ParseError, UsageError
from feedhub.model.document import Document, Validators
from feedhub.model.item import ParsedFeed
from feedhub.model.report import Preview
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.pipeline.details import Outside, Sign, unsigned
from feedhub.ports.world import Fetcher, Parser
from feedhub.rules.identity import keyed_document
from feedhub.rules.requests import first_request
from feedhub.rules.urls import is_web_url
from feedhub.sources.discover import DiscoveredFeed, discover_feeds
from feedhub.sources.html_page import trace_html_page
from feedhub.sources.json_api import traced

_TRACERS: Final = {"json": traced, "html": trace_html_page}


def preview_source(source: Source, *, outside: Outside, limit: int, now: datetime) -> Preview:
    """Fetch and read a source as a poll would, and return its first ``limit`` items; nothing is stored.

    Second requests are not made.

    Raises:
        PollError: what a poll of the source would fail with.
    """
    document = _fetched(source, outside.fetcher, now, outside.sign)
    traces = _TRACERS[source.kind](document, source, limit) if source.kind in _TRACERS else ()
    try:
        feed = outside.parser.parse(document, source)
    except ParseError as error:
        if not traces:
            raise
        # Every record was left out: what the paths gave is what there is to look at.
        feed = ParsedFeed(title="", items=(), notes=(str(error),))
    shown = keyed_document(feed.items, source.identity, source.name).items[:limit]
    return Preview(
        url=document.url,
        title=feed.title,
        items=tuple((keyed.item, outside.cleaner.clean(keyed.item, source)) for keyed in shown),
        keys=tuple(tuple(key.text for key in keyed.keys) for keyed in shown),
        rejected=feed.rejected,
        notes=feed.notes,
        traces=traces,
    )


def discover(
    url: str, settings: Settings, *, fetcher: Fetcher, parser: Parser, now: datetime
) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page offers; the address itself when it is a feed already.

    Raises:
        PollError: the page cannot be fetched.
    """
    source = adhoc_source(url, settings)
    document = _fetched(source, fetcher, now)
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


def _fetched(source: Source, fetcher: Fetcher, now: datetime, sign: Sign = unsigned) -> Document:
    answer = fetcher.fetch(sign(first_request(source, Validators(), now), source))
    if not isinstance(answer, Document):
        raise ParseError("answered 304 to a request without validators")
    return answer
