"""One poll of one source: fetch and parse anywhere, then decide and store in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from feedhub.errors import PollError
from feedhub.model.document import Document, Freshness, NotModified, Validators
from feedhub.model.item import ParsedFeed
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import Source, SourceState
from feedhub.pipeline.details import NO_DETAILS, Details, Outside
from feedhub.pipeline.ingest import plan_document
from feedhub.ports.store import Store, Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.pacing import adaptive_interval, next_poll_at, next_try_at
from feedhub.rules.requests import first_request, next_request

_RHYTHM_DAYS: Final = 14
GONE: Final = 410

Scheduled = Callable[[Source, datetime], datetime | None]
"""The next time a source's cron expression names, or None for a source without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The outside half of a poll. ``feed`` is None when nothing had to be parsed; ``seconds`` is what it took."""

    source: Source
    answer: Document | NotModified | None = None
    feed: ParsedFeed | None = None
    details: Details = NO_DETAILS
    error: PollError | None = None
    seconds: float = 0.0


def fetch_source(source: Source, state: SourceState, *, outside: Outside, now: datetime) -> Fetched:
    """Fetch a source and read what came, unless it is what came last time. Writes nothing to the store."""
    if source.broken:
        return Fetched(source=source, error=PollError(source.broken))
    current = is_current(source, state)
    request = first_request(source, state.validators if current else Validators(), now)
    answer: Document | NotModified | None = None
    try:
        answer = outside.fetcher.fetch(outside.sign(request, source))
        if isinstance(answer, NotModified) or (current and answer.digest == state.body_digest):
            return Fetched(source=source, answer=answer)
        feed = _with_further_pages(outside.parser.parse(answer, source), answer, source, outside, now)
        details = outside.details(source, feed, now) if source.detail else NO_DETAILS
        return Fetched(source=source, answer=answer, feed=feed, details=details)
    except PollError as error:
        return Fetched(source=source, answer=answer, error=error)


def _with_further_pages(
    feed: ParsedFeed, document: Document, source: Source, outside: Outside, now: datetime
) -> ParsedFeed:
    """Add the items of further pages. A page that fails costs that page, and the source's status says so."""
    latest, number = feed, 2
    while (request := next_request(source, document, latest, number, now)) is not None:
        try:
            answer = outside.fetcher.fetch(outside.sign(request, source))
            if not isinstance(answer, Document):
                break
            document, latest = answer, outside.parser.parse(answer, source)
        except PollError as error:
            return replace(feed, notes=(*feed.notes, f"page {number} is missing: {error}"))
        start = len(feed.items) + len(feed.rejected)
        moved = tuple(replace(item, position=item.position + start) for item in latest.items)
        feed = replace(feed, items=feed.items + moved, rejected=feed.rejected + latest.rejected)
        number += 1
    return feed


def is_current(source: Source, state: SourceState) -> bool:
    """Tell whether the last document was read under the source's present settings, so that it may be skipped."""
    return state.settings_digest == source.settings_digest and state.current_url == source.url


def store_fetched(
    fetched: Fetched,
    *,
    settings: Settings,
    store: Store,
    cleaner: Cleaner,
    scheduled: Scheduled,
    now: datetime,
) -> PollReport:
    """Decide about what was fetched and store it, all or nothing.

    Raises:
        StoreError: nothing was stored; the same poll can be repeated.
    """
    with store.writing() as transaction:
        state = replace(transaction.state(fetched.source.name), last_poll_at=now)
        if fetched.error:
            transaction.save_state(_failed(state, fetched, settings, scheduled, now))
            return _failure_report(fetched)
        state, report = _succeeded(transaction, state, fetched, settings, cleaner, now)
        wait = _interval(transaction, fetched.source, settings, now)
        freshness = fetched.answer.freshness if fetched.answer else Freshness()
        due = scheduled(fetched.source, now) or next_poll_at(
            now, interval=wait, ttl=state.ttl, freshness=freshness, settings=settings.poll
        )
        transaction.save_state(replace(state, next_poll_at=due))
        return report


def _succeeded(
    transaction: Transaction,
    state: SourceState,
    fetched: Fetched,
    settings: Settings,
    cleaner: Cleaner,
    now: datetime,
) -> tuple[SourceState, PollReport]:
    source, answer = fetched.source, fetched.answer
    state = replace(state, failures=0, last_error=None, gone=False, last_success_at=now, http_status=_status(answer))
    report = PollReport(
        source=source.name, outcome=Outcome.NOT_MODIFIED, status=state.http_status, seconds=fetched.seconds
    )
    if not isinstance(answer, Document):
        return (replace(state, validators=answer.validators) if answer else state), report
    if fetched.feed is None:
        return replace(state, validators=answer.validators), replace(report, bytes=len(answer.body))
    planned = plan_document(
        transaction, fetched.feed, source, settings=settings, cleaner=cleaner, now=now, details=fetched.details
    )
    # An empty document says nothing about what the source still offers (guarantee 39).
    transaction.ingest(source.name, planned.plan, now, complete=bool(fetched.feed.items))
    state = replace(
        state,
        # What waits for its text is asked for again only if the document is read again.
        validators=answer.validators if planned.is_whole else Validators(),
        body_digest=answer.digest if planned.is_whole else None,
        settings_digest=source.settings_digest,
        title=fetched.feed.title,
        link=fetched.feed.link,
        ttl=fetched.feed.ttl,
        current_url=source.url,
        warnings=planned.warnings,
    )
    report = replace(planned.report, status=state.http_status, bytes=len(answer.body), seconds=fetched.seconds)
    return state, report


def _interval(transaction: Transaction, source: Source, settings: Settings, now: datetime) -> float:
    if source.auto:
        recent = transaction.rate(source.name, now - timedelta(days=_RHYTHM_DAYS))
        return adaptive_interval(recent, _RHYTHM_DAYS, settings.poll)
    return source.every or settings.poll.every


def _failed(
    state: SourceState, fetched: Fetched, settings: Settings, scheduled: Scheduled, now: datetime
) -> SourceState:
    source, error = fetched.source, fetched.error
    failures = state.failures + 1
    due = next_try_at(
        now,
        source=source.name,
        failures=failures,
        interval=source.every or settings.poll.every,
        retry_at=error.retry_at if error else None,
        settings=settings.poll,
    )
    named = scheduled(source, now)
    gone = bool(error and error.status == GONE)
    return replace(
        state,
        failures=failures,
        last_error=str(error),
        http_status=error.status if error and error.status else _status(fetched.answer),
        gone=gone,
        next_poll_at=None if gone else max(due, named or due),
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


def _status(answer: Document | NotModified | None) -> int | None:
    return answer.status if answer else None
