"""What ``feedhub add`` asks the web: the feed behind an address, or what may be read at it in another way (SPEC §2)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from feedhub.errors import DeadlineError, ParseError, PollError
from feedhub.fetch.fetcher import build_fetcher
from feedhub.model.document import Document, NotModified, Request
from feedhub.model.identity import KnownKeys
from feedhub.model.report import Preview
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.pipeline.fetch import FetchContext
from feedhub.ports.world import Fetcher
from feedhub.rules.categorize import category_slug
from feedhub.rules.text import plain
from feedhub.rules.urls import without_feed_scheme
from feedhub.runtime.inspection import adhoc_source, fetched_page, preview_source, read_as_feed, well_known_feeds
from feedhub.runtime.worker_pool import ParsePool
from feedhub.sources.feed.discover import DiscoveredFeed
from feedhub.sources.mapped.drafts import Draft
from feedhub.sources.markup import HtmlCleaner

_MOST_REQUESTS: Final = 12
_MOST_SECONDS: Final = 24.0
"""For starting a request or reading a document; with what then is under way, less than the 30 of SPEC §2."""
_MOST_READING: Final = 5.0
_MOST_FEEDS_TRIED: Final = 4
_GREATEST_GAP: Final = 1.0
_LONGEST_TITLE: Final = 200
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an address leads to: how it is to be read, and ``others``, feeds that the page offers as well."""

    url: str
    title: str
    draft: Draft | None = None
    others: tuple[DiscoveredFeed, ...] = ()


class _Patience(Fetcher):
    """A fetcher that remembers documents and gives each request no more time than is left of all."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float] = monotonic) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._ends_at = clock() + _MOST_SECONDS
        self._documents: dict[str, Document] = {}

    def fetch(self, request: Request) -> Document | NotModified:
        """See ``Fetcher``."""
        if request.url in self._documents:
            return self._documents[request.url]
        left = self._ends_at - self._clock()
        if left <= 0:
            raise DeadlineError("it takes longer than is waited for")
        answer = self._fetcher.fetch(replace(request, timeout=min(request.timeout, left)))
        if isinstance(answer, Document):
            self._documents[request.url] = answer
        return answer

    def close(self) -> None:
        """See ``Fetcher``."""
        self._fetcher.close()


class SourceFinder:
    """Finds out how an address is to be read. It makes 12 requests at most. Use as a context manager."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now
        polite = replace(settings.poll, host_gap=min(settings.poll.host_gap, _GREATEST_GAP), host_groups=())
        self._fetcher = _Patience(build_fetcher(polite, now=now, most_requests=_MOST_REQUESTS))
        self._parser = ParsePool(workers=1, timeout=_MOST_READING)

    def __enter__(self) -> "SourceFinder":
        return self

    def __exit__(self, *_: object) -> None:
        self._fetcher.close()
        self._parser.close()

    def find(self, address: str) -> Found:
        """Return what is at an address, or behind it: a feed, the feed of a page, an API, a list of links.

        Raises:
            PollError: nothing is there, or nothing that can be read in one of these ways.
            UsageError: it is no http(s) address.
        """
        page = fetched_page(address, self._settings, self._fetcher, self._now())
        if (feed := read_as_feed(page, self._settings, self._parser)) is not None:
            return Found(url=_as_asked(address, page), title=_line(feed.title))
        offers = self._parser.offers(page)
        if (found := self._first_that_reads(offers)) is not None:
            return found
        if (
            draft := self._parser.draft(page, adhoc_source(page.url, self._settings))
        ) is not None and draft.kind == "json":
            return Found(url=_as_asked(address, page), title=_line(draft.title), draft=draft)
        known = () if offers else well_known_feeds(page.url, self._settings, self._fetcher, self._parser, self._now())
        for feed in known:
            return Found(url=feed.url, title=_line(feed.title))
        if draft is None:
            raise ParseError(
                "is no feed and offers none, and neither records of an API nor a list of links are found in it"
            )
        return Found(url=_as_asked(address, page), title=_line(draft.title), draft=draft)

    def preview(self, source: Source, rules_of: Settings, limit: int) -> Preview:
        """Return what a source gives, of the documents that were fetched already.

        Raises:
            PollError: what a poll would fail with.
        """
        context = FetchContext(
            fetcher=self._fetcher,
            parser=self._parser,
            cleaner=HtmlCleaner(),
            known=lambda *_: KnownKeys(),
            rules=rules_of.rules,
            site_url=rules_of.site.url,
        )
        return preview_source(source, context=context, parser=self._parser, limit=limit, now=self._now())

    def _first_that_reads(self, offers: tuple[DiscoveredFeed, ...]) -> Found | None:
        """Return the first feed of a page that can be read; feeds of comments are asked last."""
        in_order = sorted(offers, key=_is_of_comments)
        for feed in in_order[:_MOST_FEEDS_TRIED]:
            try:
                document = fetched_page(feed.url, self._settings, self._fetcher, self._now())
                read = read_as_feed(document, self._settings, self._parser)
            except PollError:
                continue
            if read is not None:
                others = tuple(one for one in offers if one is not feed)
                return Found(url=feed.url, title=_line(read.title or feed.title), others=others)
        return None


_COMMENTS: Final = re.compile(r"comment|评论|replies", re.IGNORECASE)


def _is_of_comments(feed: DiscoveredFeed) -> bool:
    return bool(_COMMENTS.search(feed.title) or _COMMENTS.search(urlsplit(feed.url).path))


def _as_asked(address: str, document: Document) -> str:
    """Return the address that was given, with the scheme under which it answered."""
    given = without_feed_scheme(address)
    return given if urlsplit(given).scheme in ("http", "https") else _with_scheme(given, document)


def _with_scheme(given: str, document: Document) -> str:
    first = document.redirects[0].url if document.redirects else document.url
    return f"{urlsplit(first).scheme}://{given}"


def _line(text: str) -> str:
    return plain(text)[:_LONGEST_TITLE].strip()


def source_name(found: Found, taken: frozenset[str]) -> str:
    """Return a name for a source: what it calls itself, or its host, in letters that a name may have."""
    host = (urlsplit(found.url).hostname or "source").removeprefix("www.")
    wished = category_slug(found.title)[:_LONGEST_NAME].strip("-") or category_slug(host.replace(".", "-")) or "source"
    numbered = (wished if number == 1 else f"{wished}-{number}" for number in range(1, 10_000))
    return next(name for name in numbered if name not in taken)
