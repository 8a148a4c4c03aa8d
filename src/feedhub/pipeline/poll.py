"""One poll of a source: fetched and read anywhere and in parallel, then decided about and stored in one transaction."""

import hashlib
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
from feedhub.rules import pacing
from feedhub.rules.dates import without_build_dates
from feedhub.rules.health import told_of, with_news
from feedhub.rules.pacing import (
    RETRY_SECONDS,
    adaptive_interval,
    next_poll_at,
    next_try_at,
    pacing_text,
    redirected_request,
    usual_interval,
)
from feedhub.rules.requests import first_request, next_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came. ``feed`` is None when nothing had to be parsed; ``seconds`` is what it took.

    ``asked`` is the address that the request went to, "" when there was none. ``held_until`` says that no request was
    made because the host wants to be left alone until then.
    """

    source: Source
    asked: str = ""
    answer: Document | NotModified | None = None
    feed: ParsedFeed | None = None
    details: Details = NO_DETAILS
    error: PollError | None = None
    held_until: datetime | None = None
    seconds: float = 0.0


def fetch_source(source: Source, state: SourceState, *, outside: Outside, now: datetime) -> Fetched:
    """Fetch a source and read what came, unless it is what came last time. Writes nothing to the store."""
    if source.broken:
        return Fetched(source=source, error=PollError(source.broken))
    current = is_current(source, state)
    request = first_request(source, state.validators if current else Validators(), now)
    request = redirected_request(request, source, state)
    asked = request.url
    answer: Document | NotModified | None = None
    try:
        answer = _settled(outside.fetcher.fetch(outside.sign(request, source)), source)
        if isinstance(answer, NotModified) or (current and answer.digest == state.body_digest):
            return Fetched(source=source, asked=asked, answer=answer)
        known = (state.reading_digest if current and source.pages is None else None) or ""
        feed = outside.parser.parse(
            replace(answer, known_reading=known, known_texts=outside.offered_texts(source.name)), source
        )
        if known and feed.reading == known:
            return Fetched(source=source, asked=asked, answer=answer)
        feed = _with_further_pages(feed, answer, source, outside, now)
        details = outside.details(source, feed, now) if source.detail else NO_DETAILS
        return Fetched(source=source, asked=asked, answer=answer, feed=feed, details=details)
    except PollError as error:
        return Fetched(source=source, asked=asked, answer=answer, error=error)


def _settled(answer: Document | NotModified, source: Source) -> Document | NotModified:
    """Return an answer with the digest of what is used of it, as far as that can be told without reading it.

    What further pages say cannot be told from the first one at all.
    """
    if isinstance(answer, NotModified) or source.kind != "feed" or source.pages is not None:
        return answer
    settled = without_build_dates(answer.body)
    return answer if settled is answer.body else replace(answer, digest=hashlib.sha256(settled).hexdigest())


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
    return state.settings_digest == source.settings_digest and state.configured_url == source.url


_RHYTHM_DAYS: Final = 14
GONE: Final = 410

Scheduled = Callable[[Source, datetime], datetime | None]
"""The next time a source's cron expression names, or None for a source without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What storing a poll needs beside what was fetched."""

    settings: Settings
    store: Store
    cleaner: Cleaner
    scheduled: Scheduled


def store_in(
    transaction: Transaction, fetched: Fetched, keeping: Keeping, *, now: datetime, is_ours: bool = False
) -> PollReport:
    """Decide about what was fetched and store it as a part of a transaction: all of it or nothing.

    ``is_ours`` tells that a failure is our own network's fault.

    Raises:
        StoreError: nothing was stored; the same poll can be repeated.
    """
    with transaction.part():
        before = transaction.state(fetched.source.name)
        if fetched.held_until:
            transaction.save_state(replace(before, next_poll_at=fetched.held_until))
            return _held_report(fetched)
        state = replace(before, last_poll_at=now, pacing=pacing_text(fetched.source, keeping.settings.poll))
        if fetched.error:
            state = _unreached(state, fetched, now) if is_ours else _failed(state, fetched, keeping, now)
            report = _failure_report(fetched)
        else:
            state, report = _succeeded(transaction, state, fetched, keeping, now)
            state = replace(state, next_poll_at=_due(transaction, state, fetched, keeping, now))
        state, events = told_of(before, state, fetched.source, now)
        transaction.tell(events)
        transaction.save_state(state)
        return report


def _succeeded(
    transaction: Transaction, state: SourceState, fetched: Fetched, keeping: Keeping, now: datetime
) -> tuple[SourceState, PollReport]:
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
        state = pacing.after_success(state, fetched.asked, answer.redirects)
    report = PollReport(
        source=fetched.source.name, outcome=Outcome.NOT_MODIFIED, status=state.http_status, seconds=fetched.seconds
    )
    if isinstance(answer, Document) and fetched.feed is not None:
        state, report = _read(transaction, state, fetched, answer, keeping, now)
    elif answer is not None:
        state = replace(state, validators=answer.validators)
        if isinstance(answer, Document):
            # Perhaps other bytes, but nothing that anybody uses is different.
            state = replace(state, body_digest=answer.digest)
        report = replace(report, bytes=len(answer.body) if isinstance(answer, Document) else 0)
    return with_news(state, report.new, now), report


def _read(
    transaction: Transaction, state: SourceState, fetched: Fetched, answer: Document, keeping: Keeping, now: datetime
) -> tuple[SourceState, PollReport]:
    """Store the items of a document that was read."""
    source, feed = fetched.source, fetched.feed
    assert feed is not None  # noqa: S101 - tells the type checker
    planned = plan_document(
        transaction,
        feed,
        source,
        settings=keeping.settings,
        cleaner=keeping.cleaner,
        now=now,
        details=fetched.details,
    )
    # An empty document says nothing about what the source still offers (guarantee 39).
    transaction.ingest(source.name, planned.plan, now, complete=bool(feed.items))
    state = replace(
        state,
        # What waits for its text is asked for again only if the document is read again.
        validators=answer.validators if planned.is_whole else Validators(),
        body_digest=answer.digest if planned.is_whole else None,
        reading_digest=feed.reading if planned.is_whole else None,
        settings_digest=source.settings_digest,
        title=feed.title,
        link=feed.link,
        ttl=feed.ttl,
        configured_url=source.url,
        warnings=planned.warnings,
    )
    return state, replace(planned.report, status=state.http_status, bytes=len(answer.body), seconds=fetched.seconds)


def _due(transaction: Transaction, state: SourceState, fetched: Fetched, keeping: Keeping, now: datetime) -> datetime:
    source, settings = fetched.source, keeping.settings.poll
    freshness = fetched.answer.freshness if fetched.answer else Freshness()
    named = keeping.scheduled(source, now)
    if named:
        return named
    interval = usual_interval(source, settings)
    if source.auto:
        recent = transaction.rate(source.name, now - timedelta(days=_RHYTHM_DAYS))
        interval = adaptive_interval(recent, _RHYTHM_DAYS, settings)
    return next_poll_at(now, interval=interval, ttl=state.ttl, freshness=freshness, settings=settings)


def _failed(state: SourceState, fetched: Fetched, keeping: Keeping, now: datetime) -> SourceState:
    source, error, settings = fetched.source, fetched.error, keeping.settings.poll
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
    failures = state.failures + 1
    due = next_try_at(
        now,
        source=source.name,
        failures=failures,
        interval=usual_interval(source, settings),
        retry_at=error.retry_at if error else None,
        settings=settings,
    )
    named = keeping.scheduled(source, now)
    state = pacing.after_failure(
        replace(
            state,
            failures=failures,
            failing_since=state.failing_since or now,
            last_error=str(error),
            http_status=error.status if error and error.status else _status(fetched.answer),
            gone=bool(error and error.status == GONE),
        )
    )
    return replace(state, next_poll_at=None if state.gone else max(due, named or due))


def _unreached(state: SourceState, fetched: Fetched, now: datetime) -> SourceState:
    """The state after a poll that could not leave our own network: it counts against nobody, and is made up soon."""
    again = now + timedelta(seconds=RETRY_SECONDS)
    return replace(state, last_error=f"{NO_NETWORK}: {fetched.error}", next_poll_at=again)


NO_NETWORK: Final = "no source can be reached at the moment, so this machine's network seems to be down"


def forgive(transaction: Transaction, names: tuple[str, ...], now: datetime) -> None:
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


def _failure_report(fetched: Fetched) -> PollReport:
    return PollReport(
        source=fetched.source.name,
        outcome=Outcome.FAILED,
        reason=str(fetched.error),
        status=(fetched.error.status if fetched.error else None) or _status(fetched.answer),
        bytes=len(fetched.answer.body) if isinstance(fetched.answer, Document) else 0,
        seconds=fetched.seconds,
    )


def _held_report(fetched: Fetched) -> PollReport:
    until = fetched.held_until
    reason = f"the host asked to be left alone until {until:%H:%M:%S} UTC" if until else ""
    return PollReport(source=fetched.source.name, outcome=Outcome.SKIPPED, reason=reason)


def _status(answer: Document | NotModified | None) -> int | None:
    return answer.status if answer else None
