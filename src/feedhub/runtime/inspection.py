"""Questions that store nothing: ``preview``, ``discover`` and ``explain`` (SPEC §2), and searches of the web server."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from feedhub.errors import (
    DeadlineError,
    FetchError,
    HttpStatusError,
    ParseError,
    PollError,
    RefusedAddressError,
    UnreachableError,
    UsageError,
)
from feedhub.model.document import Document, Validators
from feedhub.model.identity import Filing, KeyPattern
from feedhub.model.item import Item, ParsedFeed, ParsedItem
from feedhub.model.report import Explanation, Preview, RecordTrace, SearchHit
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.pipeline.fetch import FetchContext, Sign, as_received, unsigned, with_links_put_right
from feedhub.pipeline.filing import dates_of
from feedhub.pipeline.outputs import newest_shown
from feedhub.ports.store import Store
from feedhub.ports.world import Fetcher, Parser
from feedhub.publish.addresses import id_digits
from feedhub.rules.categorize import file_item, record_categories
from feedhub.rules.identity import LINK_AS_GUID, key_text, keyed_document
from feedhub.rules.patterns import compile_pattern
from feedhub.rules.requests import first_request
from feedhub.rules.select import ALL, output_feed
from feedhub.rules.urls import canonical_url, is_web_url, without_feed_scheme
from feedhub.sources.feed.discover import DiscoveredFeed

_MOST_FOUND: Final = 10
"""How many items are found by words of their titles."""


class PreviewParser(Parser, Protocol):
    """A parser that returns more of a document than a poll needs."""

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


def preview_source(
    source: Source, *, context: FetchContext, parser: PreviewParser, limit: int, now: datetime
) -> Preview:
    """Fetch and read a source as a poll would, and return its first ``limit`` items; nothing is stored.

    Second requests are not made.

    Raises:
        PollError: what a poll of the source would fail with.
    """
    document = _fetched(source, context.fetcher, now, context.sign)
    traces = parser.trace(document, source, limit)
    try:
        feed = parser.parse(document, source)
    except ParseError as error:
        if not traces:
            raise
        # Every record was left out, so what the paths gave is all there is to show.
        feed = ParsedFeed(title="", items=(), notes=(str(error),))
    feed = with_links_put_right(feed, source, context.rules)
    shown = keyed_document(feed.items, source).items[:limit]
    items = [(keyed.item, _cleaned(keyed.item, feed, source, context)) for keyed in shown]
    return Preview(
        url=document.url,
        title=feed.title,
        items=tuple(items),
        filings=tuple(_filing(parsed, item, source, context, now) for parsed, item in items),
        keys=tuple(tuple(key.text for key in keyed.keys) for keyed in shown),
        rejected=feed.rejected,
        notes=feed.notes,
        traces=traces,
    )


def _cleaned(parsed: ParsedItem, feed: ParsedFeed, source: Source, context: FetchContext) -> Item:
    """Return an item as a poll would store it; a worker has cleaned it already, unless its text is to be fetched."""
    cleaned = feed.cleaned.get(parsed.position)
    return cleaned or context.cleaner.clean(as_received(parsed), source)


def _filing(parsed: ParsedItem, item: Item, source: Source, context: FetchContext, now: datetime) -> Filing:
    """Return what the rules would make of an item that is met now."""
    return file_item(
        item,
        source,
        context.rules,
        [slug for _, slug in record_categories(item, source)],
        dates=dates_of(parsed, None, now),
        clean_again=context.cleaner.clean_again,
    )


_BARE_HOST: Final = re.compile(
    r"(?!\w+://)(?:localhost|[^\s/?#:@]+\.[^\s/?#:@]+|\[[0-9a-f:.]+\])(?::\d+)?(?:[/?#].*)?", re.I
)
# Where feeds are on sites that do not say so: WordPress and its like, Tumblr, Blogger, Hugo, Jekyll and Ghost.
_WELL_KNOWN: Final = ("feed", "rss", "atom.xml", "feed.json", "?feed=rss2", "rss.xml", "feed.xml", "index.xml")
_MOST_ASKED: Final = 12


def discover(
    url: str, settings: Settings, *, fetcher: Fetcher, parser: PreviewParser, now: datetime
) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page offers; the address itself when it is a feed already.

    Of a page that names none, some addresses are asked where feeds usually are.

    Raises:
        PollError: the page cannot be fetched or read.
    """
    document = fetched_page(url, settings, fetcher, now)
    feed = read_as_feed(document, settings, parser)
    if feed is not None:
        return (feed,)
    offers = parser.offers(document)
    return offers or tuple(well_known_feeds(document.url, settings, fetcher, parser, now))


def fetched_page(url: str, settings: Settings, fetcher: Fetcher, now: datetime) -> Document:
    """Return the page; a host that is written without a scheme is asked with TLS first."""
    address = without_feed_scheme(url)
    if not _BARE_HOST.fullmatch(address):
        return _fetched(adhoc_source(address, settings), fetcher, now)
    try:
        return _fetched(adhoc_source(f"https://{address}", settings), fetcher, now)
    except (HttpStatusError, RefusedAddressError):
        raise
    except FetchError:
        with suppress(FetchError):
            return _fetched(adhoc_source(f"http://{address}", settings), fetcher, now)
        raise


def read_as_feed(document: Document, settings: Settings, parser: PreviewParser) -> DiscoveredFeed | None:
    """Return what a document says of itself if it is a feed; None if it is none."""
    try:
        feed = parser.parse(document, adhoc_source(document.url, settings))
    except ParseError:
        return None
    return DiscoveredFeed(url=document.url, title=feed.title, media_type=document.content_type or "")


def well_known_feeds(
    url: str, settings: Settings, fetcher: Fetcher, parser: PreviewParser, now: datetime
) -> Iterator[DiscoveredFeed]:
    """Yield the feeds at the usual addresses below the folder of a page and of its site, each document once."""
    known: set[str] = set()
    folders = (urljoin(url, "."), urljoin(url, "/"))
    for address in list(dict.fromkeys(urljoin(folder, path) for path in _WELL_KNOWN for folder in folders))[
        :_MOST_ASKED
    ]:
        try:
            document = _fetched(adhoc_source(address, settings), fetcher, now)
        except (UnreachableError, DeadlineError):
            return
        except PollError as error:
            if error.retry_at:
                return
            continue
        is_other = document.digest not in known and document.url not in known
        known |= {document.digest, document.url}
        if is_other and (feed := read_as_feed(document, settings, parser)):
            yield feed


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


def explain(ref: str, store: Store, settings: Settings) -> tuple[Explanation, ...]:
    """Return every item (or entry of the ledger) that ``ref`` may mean, with the output files that contain it now.

    What is no name of anything, and no address, is looked for as words of a title.
    """
    ref = ref.strip()
    found = store.explain(tuple(dict.fromkeys(_references(ref, settings))))
    if not found and not is_web_url(ref):
        found = tuple(replace(one, by_title=True) for one in store.explain_titles(ref, _MOST_FOUND))
    shown: dict[str, frozenset[str]] = {}
    return tuple(replace(one, outputs=tuple(_outputs_with(one, store, settings, shown))) for one in found)


def _references(ref: str, settings: Settings) -> Iterator[str]:
    yield ref
    for ignored in dict.fromkeys(((), *(source.dedupe.ignore_parameters for source in settings.sources))):
        if url := canonical_url(ref, ignored):
            yield key_text("url", url)
    if digits := id_digits(ref):
        yield digits
    for pattern in _patterns(settings):
        yield key_text(pattern.name, ref)
        value = compile_pattern(pattern.pattern).value(ref)
        if value:
            yield key_text(pattern.name, value)
    for source in settings.sources:
        yield f"guid:{source.name}:{ref}"
        if "#" in ref:
            yield f"guid:{source.name}:{LINK_AS_GUID}{ref}"


def _patterns(settings: Settings) -> Iterator[KeyPattern]:
    seen = set()
    for source in settings.sources:
        for pattern in source.identity:
            if pattern not in seen:
                seen.add(pattern)
                yield pattern


def _outputs_with(
    explanation: Explanation, store: Store, settings: Settings, shown: dict[str, frozenset[str]]
) -> Iterator[str]:
    """Yield the feeds that contain an item; ``shown`` remembers by slug what an output shows."""
    if explanation.item_id is None or explanation.removed_at is not None:
        return
    for slug in (ALL, *(slug for slug, _, _ in explanation.memberships)):
        if slug not in shown:
            feed = output_feed(slug, settings.site, settings.categories, settings.output)
            newest = newest_shown(store, feed, feed.entries, ZoneInfo(settings.site.timezone))
            shown[slug] = frozenset(item.id for item in newest)
        if explanation.item_id in shown[slug]:
            yield from (f"feeds/{slug}.{form}" for form in settings.output.formats)


_FEED_ENTRIES: Final = 50
_MOST_COUNTED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One page of hits. ``total`` is counted up to ``most``."""

    hits: tuple[SearchHit, ...]
    total: int
    most: int = _MOST_COUNTED


def search_result(store: Store, query: str, first: int, count: int) -> SearchResult:
    """Return ``count`` hits from number ``first`` on (from 0), and how many there are."""
    hits = store.search(query, first + count)[first:]
    return SearchResult(hits=hits, total=store.count_matches(query, _MOST_COUNTED) if hits or first else 0)


def search_result_feed(store: Store, query: str, settings: Settings) -> bytes:
    """Return the feed of a search.

    Raises:
        PublishError: it cannot be written.
    """
    from feedhub.publish.atom_rss import search_feed

    return search_feed(
        query,
        settings.site,
        settings.output,
        store.search_items(query, _FEED_ENTRIES),
        addresses={source.name: source.url for source in settings.sources},
        secrets=settings.secrets,
    )
