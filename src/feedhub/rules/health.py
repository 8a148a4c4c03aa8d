"""Whether a source, and feedhub as a whole, is well, in words a person understands, and what is worth telling."""

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import OutputFeed, OutputView, Site
from feedhub.model.report import HealthEvent, SourceCounts, SourceStatus
from feedhub.model.source import Source, SourceState
from feedhub.rules.pacing import asked_url
from feedhub.rules.select import EPOCH

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def span(seconds: float) -> str:
    """Return a length of time in its largest sensible unit: ``40 s``, ``12 min``, ``3 h``, ``5 days``."""
    seconds = abs(seconds)
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 90 * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"


def frequency(per_day: float) -> str:
    """Return a rate as people say it: ``8 a day``, ``3 a week``, ``1 a month``."""
    for days, unit in ((1, "day"), (7, "week"), (30, "month")):
        if per_day * days >= 1:
            return f"{per_day * days:.0f} a {unit}"
    return "less than 1 a month"


_MEMORY_DAYS: Final = 14.0
_LEAST_DAYS: Final = 2.0
_ONE_DAY: Final = timedelta(days=1)

# A weekend and a day are no silence; neither are ten times the usual pause.
_SHORTEST_SILENCE: Final = timedelta(days=4)
_USUAL_PAUSES: Final = 12


def with_news(state: SourceState, new: int, now: datetime) -> SourceState:
    """Return the state after a successful poll that brought ``new`` items never seen before.

    What the first poll finds says nothing about the rhythm: it is everything the source still offers.
    """
    if state.first_success_at is None:
        return replace(state, first_success_at=now, last_new_at=now if new else None)
    if not new:
        return state
    since = state.last_new_at or state.first_success_at
    faded = state.rhythm * math.exp(-max((now - since) / _ONE_DAY, 0.0) / _MEMORY_DAYS)
    return replace(state, rhythm=faded + new, last_new_at=now)


def usual_rate(state: SourceState) -> float | None:
    """Return the items a day that were usual when the last one came; None while that is not known yet."""
    if state.first_success_at is None or state.last_new_at is None or not state.rhythm:
        return None
    days = (state.last_new_at - state.first_success_at) / _ONE_DAY
    if days < _LEAST_DAYS:
        return None
    return state.rhythm / (_MEMORY_DAYS * (1 - math.exp(-days / _MEMORY_DAYS)))


def silent_for(source: Source, state: SourceState, now: datetime) -> timedelta | None:
    """Return how long a source has brought nothing, if that is longer than its rhythm or ``stale_after`` allows."""
    last = state.last_new_at or state.first_success_at
    if last is None or now - last <= _allowed(source, state):
        return None
    return now - last


def _allowed(source: Source, state: SourceState) -> timedelta:
    if source.stale_after is not None:
        return timedelta.max if math.isinf(source.stale_after) else timedelta(seconds=source.stale_after)
    rate = usual_rate(state)
    return timedelta.max if rate is None else max(_SHORTEST_SILENCE, min(_USUAL_PAUSES / rate, 3_650) * _ONE_DAY)


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


HEALTH: Final = "health"
ENTRIES: Final = 100

_HEADLINES: Final = {
    "failing": "{} fails",
    "recovered": "{} works again",
    "stale": "{} has fallen silent",
    "revived": "{} brings items again",
    "gone": "{} is gone for good",
    "moved": "{} has moved",
}


def health_view(site: Site, events: Sequence[HealthEvent], *, hub: str | None = None) -> OutputView:
    """Return the feed of these events, which come newest first. Same events, same view."""
    items = tuple(_item(site, event) for event in events)
    return OutputView(
        site=site,
        feed=OutputFeed(
            slug=HEALTH,
            title=f"{site.title}: health of the sources",
            description="Sources that failed, recovered, fell silent, moved or are gone.",
            entries=ENTRIES,
        ),
        items=items,
        updated_at=max((item.updated_at for item in items), default=EPOCH),
        formats=("atom",),
        hub=hub,
    )


def _item(site: Site, event: HealthEvent) -> StoredItem:
    name = f"{site.url}/feeds/health#{event.source}/{event.kind}/{event.at.isoformat()}"
    headline = _HEADLINES.get(event.kind, "{}: " + event.kind).format(event.source)
    return StoredItem(
        id=uuid.uuid5(uuid.NAMESPACE_URL, name).urn,
        item=Item(title=headline, content=f"<p>{escape(event.text, quote=False)}</p>", link=f"{site.url}/sources.html"),
        source=event.source,
        source_title=event.source,
        published_at=event.at,
        updated_at=event.at,
    )


_INTERVALS: Final = 3
_STOPPED: Final = frozenset({"paused", "gone", "broken"})


def complaints(
    sources: Sequence[Source], states: Mapping[str, SourceState], every: float, now: datetime
) -> tuple[str, ...]:
    """Return what is wrong with polling as a whole, in words; () when it goes on.

    ``every`` is the default interval in seconds. One failing source is that source's affair. Nothing is wrong before
    the first poll.
    """
    words = {source.name: source_status(source, states.get(source.name), None, now).state for source in sources}
    polled = [
        (word, state)
        for name, word in words.items()
        if word not in _STOPPED and (state := states.get(name)) and state.last_poll_at
    ]
    if not polled:
        return ()
    found = []
    if all(word == "failing" for word, _ in polled):
        found.append("every source fails" if len(polled) > 1 else "the only source fails")
    standstill = _standstill([state for _, state in polled], timedelta(seconds=every), now)
    return (*found, standstill) if standstill else tuple(found)


def _standstill(states: Sequence[SourceState], every: timedelta, now: datetime) -> str | None:
    """Say that nothing is polled any more, although the next poll should have come long ago."""
    last = max(state.last_poll_at for state in states if state.last_poll_at)
    due = min((state.next_poll_at for state in states if state.next_poll_at), default=now)
    if now - last <= _INTERVALS * max(due - last, every) or due >= now:
        return None
    return f"no poll for {_minutes(now - last)} min; the next was due {_minutes(now - due)} min ago"


def _minutes(span: timedelta) -> int:
    return round(span.total_seconds() / 60)
