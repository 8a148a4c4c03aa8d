"""Whether a source is well, in words a person understands, and what is worth telling."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from feedhub.model.report import HealthEvent, SourceCounts, SourceStatus
from feedhub.model.source import Source, SourceState
from feedhub.rules.moves import asked_url
from feedhub.rules.rhythm import silent_for, usual_rate
from feedhub.rules.words import frequency, span

# One failed poll is weather. What is told of is what does not pass.
_FAILURES_TOLD: Final = 3
_DEAD: Final = frozenset({"failing", "gone"})


def source_status(
    source: Source, state: SourceState | None, counts: SourceCounts | None, now: datetime
) -> SourceStatus:
    """Describe one source at ``now`` from its configuration, what is remembered of it, and what it gave."""
    state = state or SourceState(name=source.name)
    word, reason = health(source, state, now)
    stopped = word in ("paused", "gone", "broken")
    return SourceStatus(
        name=source.name,
        url=source.url,
        state=word,
        reason=reason,
        current_url=asked_url(source, state),
        next_poll_in=None if stopped or not state.next_poll_at else (state.next_poll_at - now).total_seconds(),
        last_success=state.last_success_at,
        last_error=state.last_error,
        http_status=state.http_status,
        items=counts.items if counts else 0,
        items_per_day=counts.items_per_day if counts else 0.0,
        failures=state.failures,
        warnings=state.warnings,
    )


def is_due(source: Source, state: SourceState | None, now: datetime) -> bool:
    """Tell whether a source is to be polled: never polled, or its time has come; not when paused or gone."""
    if source.broken:
        return True
    if source.paused or (state and is_gone(source, state)):
        return False
    return state is None or state.next_poll_at is None or state.next_poll_at <= now


def is_gone(source: Source, state: SourceState) -> bool:
    """Tell whether the server said 410 at the address that is configured now; another address begins anew."""
    return state.gone and state.configured_url in (None, source.url)


def health(source: Source, state: SourceState, now: datetime) -> tuple[str, str]:
    """Return the state of health and the reason in words; "" when there is nothing to say."""
    if source.broken:
        return "broken", source.broken
    if source.paused:
        return "paused", "paused in the configuration"
    if is_gone(source, state):
        return "gone", (
            f"the server says that this feed is gone for good; its items stay. To try again: feedhub poll {source.name}"
        )
    if state.failures:
        return "failing", f"{state.last_error} ({_attempts(state, now)})"
    if state.last_success_at is None and not state.gone:
        return "new", state.last_error or "not polled yet"
    silence = silent_for(source, state, now)
    notes = ("; ".join(state.warnings),) if state.warnings else ()
    if silence is not None:
        rate = usual_rate(state)
        usual = f", usually {frequency(rate)}" if rate else ""
        return "stale", "; ".join((f"no new item for {span(silence.total_seconds())}{usual}", *notes))
    if state.last_error:
        notes = (state.last_error, *notes)
    return "ok", "; ".join(notes)


def _attempts(state: SourceState, now: datetime) -> str:
    times = "once" if state.failures == 1 else f"{state.failures} times in a row"
    since = state.failing_since
    lasting = f", for {span((now - since).total_seconds())}" if since and state.failures > 1 else ""
    return f"failed {times}{lasting}"


def told_of(
    before: SourceState, after: SourceState, source: Source, now: datetime
) -> tuple[SourceState, tuple[HealthEvent, ...]]:
    """Return the state with what is told of, and what there is to tell after a poll."""
    word, reason = health(source, after, now)
    events = [HealthEvent(at=now, source=source.name, kind=kind, text=text) for kind, text in _moves(before, after)]
    kind = _kind(before, after, word)
    if kind is None:
        return after, tuple(events)
    text = _revival(before, after, now) if kind in ("recovered", "revived") else reason
    events.append(HealthEvent(at=now, source=source.name, kind=kind, text=text))
    return replace(after, told=word), tuple(events)


def _kind(before: SourceState, after: SourceState, word: str) -> str | None:
    if word == "failing" and after.failures < _FAILURES_TOLD:
        return None
    if word == before.told or word not in ("ok", "failing", "gone", "stale"):
        return None
    if word != "ok":
        return word
    return "recovered" if before.told in _DEAD else "revived"


def _moves(before: SourceState, after: SourceState) -> Iterator[tuple[str, str]]:
    if after.moved_to == before.moved_to:
        return
    if after.moved_to:
        yield "moved", f"moved for good to {after.moved_to}; put that address into the configuration"
    else:
        yield "moved", f"{before.moved_to} does not work any more; the configured address is asked again"


def _revival(before: SourceState, after: SourceState, now: datetime) -> str:
    if before.told in _DEAD:
        since = before.failing_since
        return f"works again after {span((now - since).total_seconds())}" if since else "works again"
    last = before.last_new_at or before.first_success_at
    return f"brings items again after {span((now - last).total_seconds())}" if last else "brings items again"
