"""The second half of a poll: decide about every record that was read, and store it all in one transaction.

A document goes one way: its keys are looked up (identity), every record gets a verdict (dedupe), new and changed ones
are cleaned and filed (categorize), and one plan is stored together with the state of the source.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from feedhub.model.document import Document, Freshness, NotModified, Validators
from feedhub.model.identity import Decision, IdentityKey, Ingest, IngestPlan, LedgerNote, Verdict
from feedhub.model.item import Item, ParsedFeed, ParsedItem, Rejected
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import NextPoll, PollReason, Source, SourceState
from feedhub.pipeline.fetch import UNSEEN, Fetched
from feedhub.ports.store import Store, Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.categorize import file_item, record_categories
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
# Every category is some files in the output, a link on every page, and a feed that is rendered again when it changes.
MOST_RECORD_CATEGORIES: Final = 500
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
    """Decide about what was fetched and store it as a part of a transaction, all or nothing.

    ``is_offline``: our own network is down, so that a failure counts against no source.

    Raises:
        StoreError: nothing was stored; the same poll can be repeated.
    """
    source = fetched.source
    with transaction.savepoint():
        before = transaction.state(source.name)
        if fetched.held_until:
            transaction.save_state(replace(before, next_poll_at=fetched.held_until))
            return StoredPoll(
                report=_held_report(source, fetched.held_until),
                next_poll=NextPoll(at=fetched.held_until, reason=PollReason.HOST),
            )
        planned = None
        state = replace(before, last_poll_at=now, pacing=pacing_text(source, context.settings.poll))
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
        state, events = health_events(before, replace(state, next_poll_at=next_poll.at), source, now)
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
_ASKED_FOR: Final = ("left out by where", "over the limit")


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
    planner = _Planner(
        fetched=fetched,
        feed=feed,
        context=context,
        now=now,
        transaction=transaction,
        categories=_RecordCategories(transaction=transaction, source=source),
    )
    ingests = [planner.ingest(decision) for decision in judgement.decisions]
    dropped = [ingest for ingest in ingests if ingest.filing and ingest.filing.dropped_by]
    notes = (
        *judgement.notes,
        *(note for ingest in dropped for note in _dropped_notes(ingest)),
        *(note for rejected in feed.rejected for note in _rejected_notes(rejected, source)),
    )
    left_out = {ingest.decision.item_id for ingest in dropped} | planner.waiting.keys()
    verdicts = Counter(one.decision.verdict for one in ingests if one.decision.item_id not in planner.waiting)
    verdicts.subtract(ingest.decision.verdict for ingest in dropped)
    return _Planned(
        feed=feed,
        ingests=tuple(ingests),
        plan=IngestPlan(
            ingests=_without(left_out, ingests),
            notes=notes,
            distrusted=judgement.distrusted,
            sections=judgement.sections,
        ),
        changing=judgement.changing,
        verdicts=verdicts,
        dropped=Counter(ingest.filing.dropped_by for ingest in dropped if ingest.filing and ingest.filing.dropped_by),
        warnings=(*feed.notes, *judgement.warnings, *planner.warnings()),
        is_whole=not planner.waiting,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planner:
    """Plans the records of one document. ``waiting`` collects items whose second request did not succeed yet."""

    transaction: Transaction
    fetched: Fetched
    feed: ParsedFeed
    context: IngestContext
    now: datetime
    categories: "_RecordCategories"
    waiting: dict[str, str] = field(default_factory=dict)

    def ingest(self, decision: Decision) -> Ingest:
        """Clean and file a record that will be written; one that is known as it is only keeps its verdict."""
        source = self.fetched.source
        if decision.verdict in _UPDATED and source.detail is not None and source.detail.fields:
            # The fields come from the second request, so the list says nothing that could have changed.
            decision = replace(decision, verdict=Verdict.SEEN)
        if decision.verdict not in _REWRITTEN:
            return Ingest(decision=decision)
        parsed = decision.keyed.item
        early = self.feed.cleaned.get(parsed.position)
        cleaned = early.item if early else self._cleaned(decision)
        item, filing = file_item(
            cleaned,
            source,
            self.context.settings.rules,
            self.categories.slugs(cleaned),
            clean_again=self.context.cleaner.clean_again,
        )
        if filing.dropped_by is None and self._lacks_detail(decision):
            reason = self.fetched.details.waiting.get(parsed.position, "its second request has not been made yet")
            self.waiting[decision.item_id] = reason
            return Ingest(decision=decision)
        terms = early.terms if early and item is early.item else None
        published_at = settled_published(parsed.published_at, self.now)
        return Ingest(decision=decision, item=item, terms=terms, filing=filing, published_at=published_at)

    def warnings(self) -> tuple[str, ...]:
        """Return what to say of items that wait and of categories that were not begun."""
        return (*_waiting_warning(self.waiting), *self.categories.warning())

    def _cleaned(self, decision: Decision) -> Item:
        source, parsed = self.fetched.source, decision.keyed.item
        item = replace(self.context.cleaner.clean(parsed, source), published_at=parsed.published_at)
        if source.detail is None or decision.verdict in UNSEEN:
            return item
        # The list's own text changed; the text of the second request stays, since that is not made again.
        stored = self.transaction.wording(source.name, decision.item_id)
        return replace(item, content=stored.content) if stored and stored.content else item

    def _lacks_detail(self, decision: Decision) -> bool:
        wanted = self.fetched.source.detail is not None and decision.verdict in UNSEEN
        return wanted and decision.keyed.item.position not in self.fetched.details.found


@dataclass(slots=True, kw_only=True)
class _RecordCategories:
    """Finds the categories that the records of a source name themselves. ``left_out``: titles without room for them."""

    transaction: Transaction
    source: Source
    left_out: dict[str, None] = field(default_factory=dict)
    _room: int | None = None

    def slugs(self, item: Item) -> list[str]:
        """Return the categories that a record names; a new title begins one as long as there is room."""
        found = [self._slug(title, wanted) for title, wanted in record_categories(item, self.source)]
        return [slug for slug in found if slug is not None]

    def warning(self) -> tuple[str, ...]:
        """Return what to say of titles that were left out."""
        if not self.left_out:
            return ()
        count = "1 category" if len(self.left_out) == 1 else f"{len(self.left_out)} categories"
        first, most = next(iter(self.left_out)), MOST_RECORD_CATEGORIES
        return (f"{count} not begun, the first “{first}”: the records of a source may bring {most} in all",)

    def _slug(self, title: str, wanted: str) -> str | None:
        known = self.transaction.find_category(title)
        if known is not None:
            return known
        if self._room is None:
            self._room = MOST_RECORD_CATEGORIES - self.transaction.count_record_categories(self.source.name)
        if self._room <= 0:
            self.left_out[title] = None
            return None
        self._room -= 1
        return self.transaction.find_or_add_category(title, wanted)


def _without(left_out: set[str], ingests: Sequence[Ingest]) -> tuple[Ingest, ...]:
    """Leave out records that a rule dropped or that wait, and repeats of them; a stored item keeps its wording."""
    kept = []
    for ingest in ingests:
        verdict = ingest.decision.verdict
        if verdict is Verdict.UNIDENTIFIED:
            continue
        if ingest.decision.item_id not in left_out:
            kept.append(ingest)
        elif verdict in _UPDATED:
            kept.append(Ingest(decision=replace(ingest.decision, verdict=Verdict.SEEN)))
    return tuple(kept)


def _dropped_notes(ingest: Ingest) -> Iterator[LedgerNote]:
    """Yield the notes on a record that a rule dropped."""
    keyed = ingest.decision.keyed
    rule = ingest.filing.dropped_by if ingest.filing else ""
    return _notes("dropped", f'rule "{rule}"', keyed.keys, keyed.item.title, keyed.item.link)


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
    state = replace(
        state,
        failures=0,
        failing_since=None,
        last_error=None,
        gone=False,
        last_success_at=now,
        http_status=_status(answer),
    )
    if answer is not None:
        state = move_after_success(state, fetched.requested_url, answer.redirects)
        state = replace(state, validators=answer.validators)
    if isinstance(answer, Document):
        # Without a plan they may be other bytes, but nothing that anybody uses is different.
        state = replace(state, body_digest=answer.digest)
    if planned is not None:
        state = replace(
            state,
            reading_digest=planned.feed.reading,
            settings_digest=fetched.source.settings_digest,
            title=planned.feed.title,
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
