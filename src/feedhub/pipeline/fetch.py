"""The first half of a poll: a source is fetched and read, anywhere and in parallel; nothing is written to the store.

The second half, ``ingest.py``, decides about what was read and stores it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from feedhub.errors import ParseError, PollError, UnreachableError
from feedhub.model.document import Document, NotModified, Request, Validators
from feedhub.model.identity import IdentityKey, KnownKeys, OfferedRecord, Verdict
from feedhub.model.item import Detail, ItemDates, ParsedFeed, ParsedItem, Received
from feedhub.model.source import DetailMap, Rule, Source, SourceState
from feedhub.pipeline.filing import dates_of
from feedhub.ports.world import Cleaner, Fetcher, Parser
from feedhub.rules.categorize import file_item, link_rules, with_link_put_right
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import KeyedDocument, keyed_document, lookup_keys
from feedhub.rules.pacing import host_name
from feedhub.rules.pruning import CutDocument, as_offered, cut_document, follows_from_store, may_prune
from feedhub.rules.requests import detail_request, first_request, next_request, redirected_request
from feedhub.rules.text import without_build_dates

Known = Callable[[str, Sequence[IdentityKey]], KnownKeys]
"""Returns what the store knows of keys, for a source. It may know more when the poll is stored."""

Sign = Callable[[Request, Source], Request]
"""Signs a request for a source that asks for it."""


def unsigned(request: Request, source: Source) -> Request:
    """Return the request as it is: what most sources ask for."""
    return request


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchContext:
    """What fetching and reading a source needs.

    ``known``, ``offered_texts`` and ``offered_records`` read the store: which keys it knows; the text digests of the
    items that a source offers already, which are not cleaned again; the records of which that are not read again.
    Items are to be ``sketched`` where stories are told.
    """

    fetcher: Fetcher
    parser: Parser
    cleaner: Cleaner
    known: Known
    rules: Sequence[Rule]
    site_url: str
    sign: Sign = unsigned
    offered_texts: Callable[[str], frozenset[str]] = lambda _: frozenset()
    offered_records: Callable[[str], Mapping[int, OfferedRecord]] = lambda _: {}
    sketched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What second requests gave, by position in the document; ``waiting`` says why an item must wait for its own."""

    found: Mapping[int, Detail] = field(default_factory=dict)
    waiting: Mapping[int, str] = field(default_factory=dict)


NO_DETAILS: Final = Details()


def as_received(parsed: ParsedItem, details: Details = NO_DETAILS) -> ParsedItem:
    """Return a record with the link that it came with, where a rule put that right before it was recognised."""
    detail = details.found.get(parsed.position)
    has_link_of_detail = detail is not None and detail.item is not None and detail.item.link is not None
    return parsed if parsed.received_link is None or has_link_of_detail else replace(parsed, link=parsed.received_link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of fetching a source; ``seconds`` is how long it took.

    ``requested_url`` is the address that the request went to, "" when there was none. ``feed`` and ``keyed``, its
    records with their keys and with what their second requests gave, are None when there was nothing new to read.
    ``held_until`` says that no request was made because the host asked to be left alone until then.

    ``digests`` are those of records that may be known by them from now on, by position; ``pruned`` are the positions of
    those that are known by them already, and have no texts here. ``whole`` then reads the document with all of them.
    """

    source: Source
    requested_url: str = ""
    answer: Document | NotModified | None = None
    feed: ParsedFeed | None = None
    keyed: KeyedDocument | None = None
    details: Details = NO_DETAILS
    error: PollError | None = None
    held_until: datetime | None = None
    seconds: float = 0.0
    digests: Mapping[int, int] = field(default_factory=dict)
    pruned: frozenset[int] = frozenset()
    whole: "Callable[[], Fetched] | None" = None


def fetch_source(source: Source, state: SourceState, *, context: FetchContext, now: datetime) -> Fetched:
    """Fetch a source and read what came, unless it is what came last time."""
    if source.broken:
        return Fetched(source=source, error=PollError(source.broken))
    current = _is_current(source, state)
    request = first_request(source, state.validators if current else Validators(), now)
    request = redirected_request(request, source, state)
    requested = request.url
    answer: Document | NotModified | None = None
    try:
        answer = context.fetcher.fetch(context.sign(request, source))
        if isinstance(answer, NotModified):
            return Fetched(source=source, requested_url=requested, answer=answer)
        if source.kind == "feed" and source.pages is None:  # the first page does not tell whether others have changed
            answer = replace(answer, digest=_digest_of_content(answer))
        if current and answer.digest == state.body_digest:
            return Fetched(source=source, requested_url=requested, answer=answer)
        if state.last_success_at is None:  # it has offered nothing yet
            context = replace(context, offered_texts=lambda _: frozenset(), offered_records=lambda _: {})
        known = (state.reading_digest if current and source.pages is None else None) or ""
        may_cut = may_prune(source, has_link_rules=bool(link_rules(context.rules)))
        return _Reading(
            source=source,
            context=context,
            now=now,
            requested_url=requested,
            answer=answer,
            known=known,
            cut=cut_document(answer, source) if may_cut else None,
        ).fetched()
    except PollError as error:
        return Fetched(source=source, requested_url=requested, answer=answer, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One document while it is read. ``known`` is the reading of the source's last one, "" for one not to compare."""

    source: Source
    context: FetchContext
    now: datetime
    requested_url: str
    answer: Document
    known: str
    cut: CutDocument | None

    def fetched(self) -> Fetched:
        """Read the document without the records that the source said before, as far as that is the same."""
        cut = self.cut
        offered = self.context.offered_records(self.source.name) if cut else {}
        same = [number for number, digest in enumerate(cut.digests) if digest in offered] if cut else []
        return (self._pruned(cut, offered, same) if cut and same else None) or self._whole()

    def _whole(self) -> Fetched:
        source, context, answer, cut = self.source, self.context, self.answer, self.cut
        texts = context.offered_texts(source.name)
        document = replace(answer, known_reading=self.known, known_texts=texts, sketched=context.sketched)
        feed = context.parser.parse(document, source)
        if self.known and feed.reading == self.known:
            return Fetched(source=source, requested_url=self.requested_url, answer=answer)
        is_cut = cut is not None and _is_read_apart(feed, len(cut.records))
        feed = with_links_put_right(_with_further_pages(feed, answer, source, context, self.now), source, context.rules)
        details = fetch_details(source, source.detail, feed, context, self.now) if source.detail else NO_DETAILS
        keyed = keyed_document([_with_detail(item, details) for item in feed.items], source)
        return Fetched(
            source=source,
            requested_url=self.requested_url,
            answer=answer,
            feed=feed,
            keyed=keyed,
            details=details,
            digests=_rememberable(keyed, dict(enumerate(cut.digests))) if cut and is_cut else {},
        )

    def _pruned(self, cut: CutDocument, offered: Mapping[int, OfferedRecord], same: Sequence[int]) -> Fetched | None:
        """Read what is new of the document; None where it is not certain that each record is read by itself."""
        rest = [number for number in range(len(cut.records)) if number not in set(same)]
        known_texts = self.context.offered_texts(self.source.name) if rest else frozenset[str]()
        body, is_sketched = cut.with_records(rest), self.context.sketched
        document = replace(self.answer, body=body, known_texts=known_texts, sketched=is_sketched)
        try:
            feed = self.context.parser.parse(document, self.source)
        except ParseError:
            return None
        if not _is_read_apart(feed, len(rest)):
            return None
        said = {number: offered[cut.digests[number]].said for number in same}
        items = [replace(item, position=rest[item.position]) for item in feed.items]
        items += [as_offered(offered[cut.digests[number]], number) for number in same]
        items.sort(key=lambda item: item.position)
        feed = replace(
            feed,
            items=tuple(items),
            rejected=tuple(replace(one, position=rest[one.position]) for one in feed.rejected),
            cleaned={rest[position]: item for position, item in feed.cleaned.items()},
            sketches={rest[position]: sketch for position, sketch in feed.sketches.items()},
            reading=None,
        )
        keyed = keyed_document(items, self.source, said)
        return Fetched(
            source=self.source,
            requested_url=self.requested_url,
            answer=self.answer,
            feed=feed,
            keyed=keyed,
            digests=_rememberable(keyed, {number: cut.digests[number] for number in rest}),
            pruned=frozenset(same),
            whole=self._whole,
        )


def _is_read_apart(feed: ParsedFeed, count: int) -> bool:
    return feed.is_apart and not feed.notes and len(feed.items) + len(feed.rejected) == count


def _rememberable(keyed: KeyedDocument, digests: Mapping[int, int]) -> dict[int, int]:
    """Return the digests of the records that follow from what will be stored of them."""
    return {
        one.item.position: digests[one.item.position]
        for one in keyed.items
        if one.item.position in digests and follows_from_store(one)
    }


def with_links_put_right(feed: ParsedFeed, source: Source, rules: Sequence[Rule]) -> ParsedFeed:
    """Let the rules about links act on records before anything is recognised by them."""
    wanted = link_rules(rules)
    if not wanted:
        return feed
    return replace(feed, items=tuple(with_link_put_right(item, source, wanted) for item in feed.items))


def _is_current(source: Source, state: SourceState) -> bool:
    """Tell whether the last document was read under the source's present settings, so that it may be skipped."""
    return state.settings_digest == source.settings_digest and state.configured_url == source.url


def _digest_of_content(answer: Document) -> str:
    """Return the digest of what is used of a document, as far as that can be told without reading it."""
    used = without_build_dates(answer.body)
    return answer.digest if used is answer.body else hashlib.sha256(used).hexdigest()


def _with_further_pages(
    feed: ParsedFeed, document: Document, source: Source, context: FetchContext, now: datetime
) -> ParsedFeed:
    """Add the items of further pages. A page that fails costs that page, and the source's status says so."""
    latest, number = feed, 2
    while (request := next_request(source, document, latest, number, now)) is not None:
        try:
            answer = context.fetcher.fetch(context.sign(request, source))
            if not isinstance(answer, Document):
                break
            document, latest = answer, context.parser.parse(answer, source)
        except PollError as error:
            return replace(feed, notes=(*feed.notes, f"page {number} is missing: {error}"))
        start = len(feed.items) + len(feed.rejected)
        moved = tuple(replace(item, position=item.position + start) for item in latest.items)
        feed = replace(feed, items=feed.items + moved, rejected=feed.rejected + latest.rejected)
        number += 1
    return feed


# A source has wordings of its own, so an item that another source gave first has a second request here too.
UNSEEN: Final = frozenset({Verdict.NEW, Verdict.DUPLICATE})
_KNOWN: Final = frozenset({Verdict.SEEN, Verdict.CHANGED, Verdict.REFRESHED})
_TOO_MANY_REQUESTS: Final = 429


def fetch_details(source: Source, detail: DetailMap, feed: ParsedFeed, context: FetchContext, now: datetime) -> Details:
    """Make the second request of every record that no rule drops, once (SPEC §3.1 ``detail``).

    A host that asks for time, or that cannot be reached, is not asked again for the rest of the document.
    """
    keyed = keyed_document(feed.items, source)
    known = context.known(source.name, lookup_keys(keyed.items))
    judgement = judge(keyed, known, source=source, site_url=context.site_url, now=now)
    by_id = {one.id: one for one in known.items.values()}
    listed = {one.id for one in by_id.values() if one.received is Received.LISTED}
    found: dict[int, Detail] = {}
    waiting: dict[int, str] = {}
    closed_hosts: dict[str, str] = {}
    for decision in judgement.decisions:
        item = decision.keyed.item
        is_wanted = decision.verdict in UNSEEN or (decision.verdict in _KNOWN and decision.item_id in listed)
        if not is_wanted or _is_dropped(item, source, context, dates_of(item, by_id.get(decision.item_id), now)):
            continue
        request = detail_request(source, detail, item, now)
        host = host_name(request.url) if request else ""
        if host in closed_hosts:
            waiting[item.position] = closed_hosts[host]
            continue
        try:
            found[item.position] = _detail(source, request, context)
        except PollError as error:
            waiting[item.position] = str(error)
            if host and _closes_host(error):
                closed_hosts[host] = str(error)
    return Details(found=found, waiting=waiting)


def _is_dropped(parsed: ParsedItem, source: Source, context: FetchContext, dates: ItemDates) -> bool:
    item = context.cleaner.clean(as_received(parsed), source)
    filing = file_item(item, source, context.rules, dates=dates, clean_again=context.cleaner.clean_again)
    return filing.dropped_by is not None


def _detail(source: Source, request: Request | None, context: FetchContext) -> Detail:
    if request is None:
        raise ParseError("detail: the record has no link or field to ask with")
    answer = context.fetcher.fetch(context.sign(request, source))
    if not isinstance(answer, Document):
        raise ParseError("detail: answered 304 to a request without validators")
    return context.parser.detail(answer, source)


def _closes_host(error: PollError) -> bool:
    """Tell whether a failure is the host's and not the page's."""
    return bool(error.retry_at) or error.status == _TOO_MANY_REQUESTS or isinstance(error, UnreachableError)


def _with_detail(item: ParsedItem, details: Details) -> ParsedItem:
    """Return an item with what its second request gave."""
    detail = details.found.get(item.position)
    if detail is None:
        return item
    if detail.item is not None:
        own = {name: getattr(detail.item, name) for name in _DETAIL_FIELDS if getattr(detail.item, name)}
        item = replace(item, **own)
    return replace(item, content=detail.content) if detail.content else item


_DETAIL_FIELDS: Final = (
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
