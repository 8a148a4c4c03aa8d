"""Looking at a source or a page without storing anything (SPEC §2, ``preview`` and ``discover``)."""

from datetime import datetime
from typing import Protocol

from feedhub.errors import ParseError, UsageError
from feedhub.model.document import Document, Validators
from feedhub.model.item import Item, ParsedFeed, ParsedItem
from feedhub.model.report import Preview, RecordTrace
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.pipeline.fetch import FetchContext, Sign, unsigned
from feedhub.ports.world import Fetcher, Parser
from feedhub.rules.identity import keyed_document
from feedhub.rules.requests import first_request
from feedhub.rules.urls import is_web_url
from feedhub.sources.feed.discover import DiscoveredFeed


class Looker(Parser, Protocol):
    """A parser that tells more of a document than a poll needs."""

    def trace(self, document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
        """Return what each path gave on the first ``limit`` records of a mapped source; nothing for other kinds.

        Raises:
            ParseError: what reading the document fails with before any record is read.
        """
        ...

    def offers(self, document: Document) -> tuple[DiscoveredFeed, ...]:
        """Return the feeds that a page names; none for what is no page.

        Raises:
            ParseError: it takes too long or too much memory.
        """
        ...


def preview_source(source: Source, *, context: FetchContext, looker: Looker, limit: int, now: datetime) -> Preview:
    """Fetch and read a source as a poll would, and return its first ``limit`` items; nothing is stored.

    Second requests are not made.

    Raises:
        PollError: what a poll of the source would fail with.
    """
    document = _fetched(source, context.fetcher, now, context.sign)
    traces = looker.trace(document, source, limit)
    try:
        feed = looker.parse(document, source)
    except ParseError as error:
        if not traces:
            raise
        # Every record was left out: what the paths gave is what there is to look at.
        feed = ParsedFeed(title="", items=(), notes=(str(error),))
    shown = keyed_document(feed.items, source.identity, source.name).items[:limit]
    return Preview(
        url=document.url,
        title=feed.title,
        items=tuple((keyed.item, _cleaned(keyed.item, feed, source, context)) for keyed in shown),
        keys=tuple(tuple(key.text for key in keyed.keys) for keyed in shown),
        rejected=feed.rejected,
        notes=feed.notes,
        traces=traces,
    )


def _cleaned(parsed: ParsedItem, feed: ParsedFeed, source: Source, context: FetchContext) -> Item:
    """Return an item as a poll would store it; a worker has cleaned it already, unless its text is still to come."""
    prepared = feed.prepared.get(parsed.position)
    return prepared.item if prepared else context.cleaner.clean(parsed, source)


def discover(
    url: str, settings: Settings, *, fetcher: Fetcher, looker: Looker, now: datetime
) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page offers; the address itself when it is a feed already.

    Raises:
        PollError: the page cannot be fetched or read.
    """
    source = adhoc_source(url, settings)
    document = _fetched(source, fetcher, now)
    try:
        feed = looker.parse(document, source)
    except ParseError:
        return looker.offers(document)
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
