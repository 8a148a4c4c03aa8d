"""The second half of a poll: decide about every record that was read, and store it all in one transaction.

A document goes one way: its keys are looked up (identity), every record gets a verdict (dedupe), new and changed ones
are cleaned and filed (categorize), whether a rule drops them or not, and one plan is stored together with the state of
the source.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from feedhub.model.document import Document, Freshness, NotModified, Validators
from feedhub.model.identity import Decision, Filing, IdentityKey, Ingest, IngestPlan, KnownItem, LedgerNote, Verdict
from feedhub.model.item import LEFT_OUT_BY_WHERE, Item, ParsedFeed, ParsedItem, Received, Rejected
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import NextPoll, PollReason, Source, SourceState
from feedhub.pipeline.fetch import UNSEEN, Fetched, as_received
from feedhub.pipeline.filing import ItemFiler, dates_of
from feedhub.ports.store import Store, Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.dedupe import judge
from feedhub.rules.health import health_events, with_new_items
from feedhub.rules.identity import keyed_document, lookup_keys
from feedhub.rules.pacing import (
    RETRY_SECONDS,
    adaptive_interval,
    next_poll,
    next_try,
    pacing_text,
    usual_interval,
)
from feedhub.rules.requests import move_after_failure, move_after_success
from feedhub.rules.select import settled_published

NO_NETWORK: Final = "no source can be reached at the moment, so this machine's network seems to be down"
_RATE_DAYS: Final = 14
_GONE: Final = 410

Scheduled = Callable[[Source, datetime], datetime | None]
"""The next time a source's cron expression names, or None for a source without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestContext:
    """What storing a poll needs besides what was fetched."""

    settings: Settings
    store: Store
    cleaner: Cleaner
    scheduled: Scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPoll:
    """How a poll went, when the next one is, and what was decided about every record, in the order of the document."""

    report: PollReport
    next_poll: NextPoll
    ingests: tuple[Ingest, ...] = ()


def store_poll(
    transaction: Transaction, fetched: Fetched, context: IngestContext, *, now: datetime, is_offline: bool = False
) -> StoredPoll:
    """Decide about what was fetched and store it as a part of a transaction, which an error must take back.

    ``is_offline``: our own network is down, so that a failure counts against no source.

    Raises:
        StoreError: the same poll can be repeated.
    """
    source = fetched.source
    before = transaction.state(source.name)
    if fetched.held_until:
        transaction.save_state(replace(before, next_poll_at=fetched.held_until))
        return StoredPoll(
            report=_held_report(source, fetched.held_until),
            next_poll=NextPoll(at=fetched.held_until, reason=PollReason.HOST),
        )
    planned = None
    state = before.but(last_poll_at=now, pacing=pacing_text(source, context.settings.poll))
    if fetched.error:
        state = _unreached_state(state, fetched) if is_offline else _failed_state(state, fetched, now)
        next_poll = _next_try(state, fetched, context, now, is_offline=is_offline)
        report = _failure_report(fetched)
    else:
        planned = _planned(transaction, fetched, context, state.changing, now)
        if planned is not None:
            # An empty document says nothing about what the source still offers (guarantee 39).
            complete = bool(planned.feed.items)
            transaction.ingest(source.name, planned.plan, now, complete=complete)
        report = _success_report(fetched, planned)
        state = _succeeded_state(state, fetched, planned, report.new, now)
        next_poll = _next_poll(transaction, state, fetched, context, now)
    state, events = health_events(before, state.but(next_poll_at=next_poll.at), source, now)
    transaction.add_health_events(events)
    transaction.save_state(state)
    return StoredPoll(report=report, next_poll=next_poll, ingests=planned.ingests if planned else ())


def withdraw_failures(transaction: Transaction, names: tuple[str, ...], now: datetime) -> None:
    """Take back the failure that each of these sources was given before it was clear that our network is down."""
    for name in names:
        state = transaction.state(name)
        if state.failures:
            failures = state.failures - 1
            transaction.save_state(
                replace(
                    state,
                    failures=failures,
                    failing_since=state.failing_since if failures else None,
                    last_error=f"{NO_NETWORK}: {state.last_error}",
                    next_poll_at=now + timedelta(seconds=RETRY_SECONDS),
                )
            )


_REWRITTEN: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})
_UPDATED: Final = frozenset({Verdict.CHANGED, Verdict.REFRESHED})
_KNOWN: Final = _UPDATED | {Verdict.SEEN}
_ASKED_FOR: Final = (LEFT_OUT_BY_WHERE, "over the limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A plan for a document, how many records got each verdict, and what ``status`` should say about the source.

    ``dropped`` counts by rule the records that rules left out. Not ``is_whole`` when items wait for a second request:
    the document must then be read again at the next poll.
    """

    feed: ParsedFeed
    ingests: tuple[Ingest, ...]
    plan: IngestPlan
    verdicts: Counter[Verdict]
    dropped: Counter[str]
    warnings: tuple[str, ...]
    is_whole: bool
    changing: frozenset[str]


def _planned(
    transaction: Transaction, fetched: Fetched, context: IngestContext, changing: frozenset[str], now: datetime
) -> _Planned | None:
    """Judge every record against the store; clean and file those that will be written. None: nothing was read."""
    source, feed, keyed = fetched.source, fetched.feed, fetched.keyed
    if feed is None or keyed is None:
        return None
    known = transaction.known_keys(source.name, lookup_keys(keyed.items))
    judgement = judge(keyed, known, source=source, site_url=context.settings.site.url, now=now, changing=changing)
    by_id = {one.id: one for one in known.items.values()}
    if fetched.whole and any(_needs_texts(one, fetched, by_id) for one in judgement.decisions):
        whole = fetched.whole()
        if whole.error:
            raise whole.error
        return _planned(transaction, whole, context, changing, now)
    planner = _Planner(
        fetched=fetched,
        feed=feed,
        context=context,
        now=now,
        transaction=transaction,
        filer=ItemFiler(transaction, source, context.settings.rules, context.cleaner, now),
        known=by_id,
    )
    ingests = [planner.ingest(decision) for decision in judgement.decisions]
    dropped = [ingest for ingest in ingests if ingest.filing and ingest.filing.dropped_by]
    notes = (
        *judgement.notes,
        *map(_dropped_note, dropped),
        *(note for rejected in feed.rejected for note in _rejected_notes(rejected, source)),
    )
    kept = [one for one in ingests if one.decision.item_id not in planner.waiting]
    verdicts = Counter(ingest.decision.verdict for ingest in kept)
    verdicts.subtract(ingest.decision.verdict for ingest in dropped)
    return _Planned(
        feed=feed,
        ingests=tuple(ingests),
        plan=IngestPlan(
            ingests=tuple(one for one in kept if one.decision.verdict is not Verdict.UNIDENTIFIED),
            notes=notes,
            distrusted=judgement.distrusted,
            sections=judgement.sections,
        ),
        changing=judgement.changing,
        verdicts=verdicts,
        dropped=Counter(ingest.filing.dropped_by for ingest in dropped if ingest.filing and ingest.filing.dropped_by),
        warnings=(*feed.notes, *judgement.warnings, *planner.warnings()),
        is_whole=not (planner.waiting or planner.unread),
    )


def _needs_texts(decision: Decision, fetched: Fetched, known: Mapping[str, KnownItem]) -> bool:
    """Tell whether a record that was not read is something else than what its source said before."""
    if decision.keyed.item.position not in fetched.pruned:
        return False
    item = known.get(decision.item_id)
    return decision.verdict in _REWRITTEN or (item is not None and item.received is not Received.WHOLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    """Plans the records of one document. ``known`` are the items that its keys lead to, by id.

    ``waiting`` collects new items whose second request did not succeed yet, ``unread`` known ones that a rule dropped
    before it was made.
    """

    transaction: Transaction
    fetched: Fetched
    feed: ParsedFeed
    context: IngestContext
    now: datetime
    filer: ItemFiler
    known: Mapping[str, KnownItem]
    waiting: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def ingest(self, decision: Decision) -> Ingest:
        """Clean and file a record that will be written; one that is known as it is only keeps its verdict."""
        parsed = decision.keyed.item
        known = self.known.get(decision.item_id)
        received = known.received if known else Received.WHOLE
        decision = self._reconsidered(decision, received)
        digest = self._record_digest(decision, known)
        if received is Received.LISTED and parsed.position in self.fetched.details.waiting:
            self.unread[decision.item_id] = self.fetched.details.waiting[parsed.position]
        if decision.verdict not in _REWRITTEN:
            return Ingest(decision=decision, record_digest=digest)
        item = self.feed.cleaned.get(parsed.position) or self._cleaned(decision, received)
        received = self._kept(decision, received)
        filing = self.filer.filing(item, received, dates_of(parsed, known, self.now))
        if filing.dropped_by is None and received is Received.LISTED and decision.verdict in UNSEEN:
            reason = self.fetched.details.waiting.get(parsed.position, "its second request has not been made yet")
            self.waiting[decision.item_id] = reason
            return Ingest(decision=decision)
        return Ingest(
            decision=decision,
            item=item,
            received=received,
            filing=filing,
            published_at=settled_published(parsed.published_at, self.now),
            record_digest=digest,
            sketch=self._sketch(parsed.position, item, filing) if decision.verdict is Verdict.NEW else None,
        )

    def _sketch(self, position: int, item: Item, filing: Filing) -> bytes | None:
        stories = self.context.settings.stories
        if stories is None or filing.dropped_by is not None:
            return None
        from feedhub.pipeline.stories import sketch_for  # only where stories are told

        return sketch_for(item, filing, self.feed.sketches.get(position), self.fetched.source, stories)

    def _record_digest(self, decision: Decision, known: KnownItem | None) -> int | None:
        """Return by what the record is known from now on; None where something else than it says is stored of it."""
        digest = self.fetched.digests.get(decision.keyed.item.position)
        if digest is None or decision.verdict in _REWRITTEN or decision.has_new_evidence:
            return digest
        before = known.sighting if known and decision.verdict is Verdict.SEEN else None
        said = decision.keyed.said
        is_stored = before and before.says_the_same(said) and before.extras_digest == said.extras_digest
        return digest if is_stored else None

    def warnings(self) -> tuple[str, ...]:
        """Return what to say of items that wait and of categories that were not begun."""
        return (*_waiting_warning({**self.waiting, **self.unread}), *self.filer.warning())

    def _reconsidered(self, decision: Decision, received: Received) -> Decision:
        """Let a record be written of which less is stored than is known now, without a new time."""
        detail = self.fetched.source.detail
        if detail is None:
            is_known_better = received is Received.FINAL and decision.verdict is Verdict.SEEN
        else:
            is_found = decision.keyed.item.position in self.fetched.details.found
            is_known_better = received is Received.LISTED and is_found and decision.verdict in _KNOWN
        if is_known_better:
            said = decision.keyed.said
            return replace(
                decision,
                verdict=Verdict.REFRESHED,
                text_digest=said.text_digest,
                extras_digest=said.extras_digest,
                has_new_evidence=False,
            )
        if decision.verdict in _UPDATED and detail is not None and detail.fields:
            # The fields come from the second request, so the list says nothing that could have changed.
            return replace(decision, verdict=Verdict.SEEN)
        return decision

    def _cleaned(self, decision: Decision, received: Received) -> Item:
        source, parsed = self.fetched.source, decision.keyed.item
        item = self.context.cleaner.clean(as_received(parsed, self.fetched.details), source)
        if source.detail is None or decision.verdict in UNSEEN or received is Received.LISTED:
            return item
        # The list's own text changed; the text of the second request stays, since that is not made again.
        stored = self.transaction.wording(source.name, decision.item_id)
        return replace(item, content=stored.content) if stored and stored.content else item

    def _kept(self, decision: Decision, received: Received) -> Received:
        """Return what is stored of a record once it is written."""
        if self.fetched.source.detail is None or decision.keyed.item.position in self.fetched.details.found:
            return Received.WHOLE
        return Received.LISTED if decision.verdict in UNSEEN else received


def _dropped_note(ingest: Ingest) -> LedgerNote:
    """Return the note on a record that a rule dropped."""
    record, rule = ingest.decision.keyed.item, ingest.filing.dropped_by if ingest.filing else ""
    return LedgerNote(
        kind="dropped", reason=f'rule "{rule}"', item_id=ingest.decision.item_id, title=record.title, link=record.link
    )


def _rejected_notes(rejected: Rejected, source: Source) -> Iterator[LedgerNote]:
    """Yield the notes on a record that could not be read, or was one too many."""
    seen = ParsedItem(
        position=rejected.position, title=rejected.title, text_digest="", guid=rejected.guid, link=rejected.link
    )
    keys = keyed_document([seen], source).items[0].keys if seen.guid or seen.link else ()
    return _notes("rejected", rejected.reason, keys, rejected.title, rejected.link)


def _notes(kind: str, reason: str, keys: tuple[IdentityKey, ...], title: str, link: str | None) -> Iterator[LedgerNote]:
    for key in keys or (None,):
        yield LedgerNote(kind=kind, reason=reason, key=key.text if key else None, title=title, link=link)


def _rejected_warning(rejected: Sequence[Rejected]) -> tuple[str, ...]:
    """Tell of records that were left out although nobody asked for it."""
    faulty = [record for record in rejected if not record.reason.startswith(_ASKED_FOR)]
    if not faulty:
        return ()
    count = "1 record left out" if len(faulty) == 1 else f"{len(faulty)} records left out, the first"
    return (f"{count}: {faulty[0].reason}",)


def _waiting_warning(waiting: dict[str, str]) -> tuple[str, ...]:
    if not waiting:
        return ()
    count = "1 item waits" if len(waiting) == 1 else f"{len(waiting)} items wait"
    return (f"{count} for the full text: {next(iter(waiting.values()))}",)


def _succeeded_state(
    state: SourceState, fetched: Fetched, planned: _Planned | None, new: int, now: datetime
) -> SourceState:
    answer = fetched.answer
    state = state.but(
        failures=0,
        failing_since=None,
        last_error=None,
        gone=False,
        last_success_at=now,
        http_status=_status(answer),
    )
    if answer is not None:
        state = move_after_success(state, fetched.requested_url, answer.redirects)
        state = state.but(validators=answer.validators)
    if isinstance(answer, Document):
        # Without a plan they may be other bytes, but nothing that anybody uses is different.
        state = state.but(body_digest=answer.digest)
    if planned is not None:
        state = replace(
            state,
            reading_digest=planned.feed.reading,
            settings_digest=fetched.source.settings_digest,
            title=fetched.source.title or planned.feed.title,
            own_title=planned.feed.title if fetched.source.title else None,
            link=planned.feed.link,
            ttl=planned.feed.ttl,
            configured_url=fetched.source.url,
            warnings=planned.warnings,
            changing=planned.changing,
        )
        if not planned.is_whole:
            # What waits for its text is asked for again only if the document is read again.
            state = replace(state, validators=Validators(), body_digest=None, reading_digest=None)
    return with_new_items(state, new, now)


def _failed_state(state: SourceState, fetched: Fetched, now: datetime) -> SourceState:
    source, error = fetched.source, fetched.error
    if state.configured_url != source.url:
        # Another address than the one the last document came from: nothing of that holds for it.
        state = replace(
            state,
            configured_url=source.url,
            validators=Validators(),
            body_digest=None,
            reading_digest=None,
            failures=0,
            moved_to=None,
        )
    return move_after_failure(
        replace(
            state,
            failures=state.failures + 1,
            failing_since=state.failing_since or now,
            last_error=str(error),
            http_status=error.status if error and error.status else _status(fetched.answer),
            gone=bool(error and error.status == _GONE),
        )
    )


def _unreached_state(state: SourceState, fetched: Fetched) -> SourceState:
    """Return the state after a poll that could not leave our own network: the failure counts against no source."""
    return replace(state, last_error=f"{NO_NETWORK}: {fetched.error}")


def _next_try(
    state: SourceState, fetched: Fetched, context: IngestContext, now: datetime, *, is_offline: bool
) -> NextPoll:
    """Return the next poll after a failed one; one that could not leave our own network is made up for soon."""
    if is_offline:
        return NextPoll(at=now + timedelta(seconds=RETRY_SECONDS), reason=PollReason.NO_NETWORK)
    return next_try(
        fetched.source,
        now,
        failures=state.failures,
        retry_at=fetched.error.retry_at if fetched.error else None,
        scheduled=context.scheduled(fetched.source, now),
        is_gone=state.gone,
        settings=context.settings.poll,
    )


def _next_poll(
    transaction: Transaction, state: SourceState, fetched: Fetched, context: IngestContext, now: datetime
) -> NextPoll:
    source, settings = fetched.source, context.settings.poll
    interval = usual_interval(source, settings)
    if source.auto:
        recent = transaction.count_new(source.name, now - timedelta(days=_RATE_DAYS))
        interval = adaptive_interval(recent, _RATE_DAYS, settings)
    return next_poll(
        source,
        now,
        interval=interval,
        ttl=state.ttl,
        freshness=fetched.answer.freshness if fetched.answer else Freshness(),
        scheduled=context.scheduled(source, now),
        settings=settings,
    )


def _success_report(fetched: Fetched, planned: _Planned | None) -> PollReport:
    report = PollReport(
        source=fetched.source.name,
        outcome=Outcome.NOT_MODIFIED,
        status=_status(fetched.answer),
        bytes=len(fetched.answer.body) if isinstance(fetched.answer, Document) else 0,
        seconds=fetched.seconds,
    )
    if planned is None:
        return report
    verdicts = planned.verdicts
    return replace(
        report,
        outcome=Outcome.STORED,
        new=verdicts[Verdict.NEW],
        changed=verdicts[Verdict.CHANGED],
        duplicate=verdicts[Verdict.DUPLICATE] + verdicts[Verdict.REPEAT],
        rejected=len(planned.feed.rejected) + verdicts[Verdict.UNIDENTIFIED],
        dropped_by=tuple(sorted(planned.dropped.items())),
        seen=verdicts[Verdict.SEEN] + verdicts[Verdict.REFRESHED] + verdicts[Verdict.REMOVED],
        warnings=(*planned.warnings, *_rejected_warning(planned.feed.rejected)),
    )


def _failure_report(fetched: Fetched) -> PollReport:
    return PollReport(
        source=fetched.source.name,
        outcome=Outcome.FAILED,
        reason=str(fetched.error),
        status=(fetched.error.status if fetched.error else None) or _status(fetched.answer),
        bytes=len(fetched.answer.body) if isinstance(fetched.answer, Document) else 0,
        seconds=fetched.seconds,
    )


def _held_report(source: Source, until: datetime) -> PollReport:
    reason = f"the host asked to be left alone until {until:%H:%M:%S} UTC"
    return PollReport(source=source.name, outcome=Outcome.SKIPPED, reason=reason)


def _status(answer: Document | NotModified | None) -> int | None:
    return answer.status if answer else None
