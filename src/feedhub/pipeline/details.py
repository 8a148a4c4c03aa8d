"""The second request: full text for new items, once per item and source for ever (SPEC §3.1 ``detail``)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from feedhub.errors import ParseError, PollError, UnreachableError
from feedhub.model.document import Document, Request
from feedhub.model.identity import Decision, IdentityKey, KnownKeys, Verdict
from feedhub.model.item import Detail, ParsedFeed, ParsedItem
from feedhub.model.source import Rule, Source
from feedhub.ports.world import Cleaner, Fetcher, Parser
from feedhub.rules.categorize import file_item
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import keyed_document, lookup_keys
from feedhub.rules.pacing import host_name
from feedhub.rules.requests import detail_request

Known = Callable[[str, Sequence[IdentityKey]], KnownKeys]
"""What the store knows of keys, for a source: a look that binds nobody."""

Sign = Callable[[Request, Source], Request]
"""Signs a request for a source that asks for it."""


def unsigned(request: Request, source: Source) -> Request:
    """Return the request as it is: what most sources ask for."""
    return request


# Every wording is fetched by the source that gives it, so a duplicate has a second request of its own.
UNSEEN: Final = frozenset({Verdict.NEW, Verdict.DUPLICATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What second requests gave, by position in the document; ``waiting`` says why an item must wait.

    ``retry_at`` (aware UTC) is the latest time before which a server does not want to be asked again.
    """

    found: Mapping[int, Detail] = field(default_factory=dict)
    waiting: Mapping[int, str] = field(default_factory=dict)
    retry_at: datetime | None = None


NO_DETAILS: Final = Details()
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a poll needs of the world before its transaction. ``known`` is asked what is new, and asked again later.

    ``offered_texts`` says what a source gave already, so that only the rest is cleaned where it is read.
    """

    fetcher: Fetcher
    parser: Parser
    cleaner: Cleaner
    known: Known
    rules: Sequence[Rule]
    site_url: str
    sign: Sign = unsigned
    offered_texts: Callable[[str], frozenset[str]] = lambda _: frozenset()

    def details(self, source: Source, feed: ParsedFeed, now: datetime) -> Details:
        """Fetch the details of every record that the source has not given before.

        A host that asks for time, or that cannot be reached, is not asked again for the rest of the document.
        """
        document = keyed_document(feed.items, source.identity, source.name)
        known = self.known(source.name, lookup_keys(document.items))
        judgement = judge(document, known, source=source.name, site_url=self.site_url)
        found: dict[int, Detail] = {}
        waiting: dict[int, str] = {}
        closed: dict[str, str] = {}
        retry_at: datetime | None = None
        for decision in judgement.decisions:
            item = decision.keyed.item
            if not self._is_wanted(decision, source):
                continue
            request = detail_request(source, source.detail, item, now) if source.detail else None
            host = host_name(request.url) if request else ""
            if host in closed:
                waiting[item.position] = closed[host]
                continue
            try:
                found[item.position] = self._detail(source, request)
            except PollError as error:
                waiting[item.position] = str(error)
                if host and _closes_host(error):
                    closed[host] = str(error)
                retry_at = max(filter(None, (retry_at, error.retry_at)), default=None)
        return Details(found=found, waiting=waiting, retry_at=retry_at)

    def _is_wanted(self, decision: Decision, source: Source) -> bool:
        if decision.verdict not in UNSEEN:
            return False
        item = self.cleaner.clean(decision.keyed.item, source)
        return file_item(item, source, self.rules)[1].dropped_by is None

    def _detail(self, source: Source, request: Request | None) -> Detail:
        if request is None:
            raise ParseError("detail: the record has no link or field to ask with")
        answer = self.fetcher.fetch(self.sign(request, source))
        if not isinstance(answer, Document):
            raise ParseError("detail: answered 304 to a request without validators")
        return self.parser.detail(answer, source)


def _closes_host(error: PollError) -> bool:
    """Tell whether a failure is the host's and not the page's."""
    return bool(error.retry_at) or error.status == _TOO_MANY or isinstance(error, UnreachableError)


def completed(item: ParsedItem, details: Details) -> ParsedItem:
    """Return an item with what its second request gave."""
    detail = details.found.get(item.position)
    if detail is None:
        return item
    if detail.item is not None:
        own = {name: getattr(detail.item, name) for name in _MERGED if getattr(detail.item, name)}
        item = replace(item, **own)
    return replace(item, content=detail.content) if detail.content else item


_MERGED: Final = (
    "title",
    "link",
    "published_at",
    "summary",
    "content",
    "authors",
    "tags",
    "language",
    "image",
    "comments",
    "enclosures",
    "text_digest",
)
