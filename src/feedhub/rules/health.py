"""Whether a source, and feedhub as a whole, is well, in words a person understands, and what is worth telling."""

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import OutputFeed, OutputView, Site
from feedhub.model.report import HealthEvent, SourceCounts, SourceStatus
from feedhub.model.source import Health, Source, SourceState
from feedhub.rules.pacing import is_gone
from feedhub.rules.requests import asked_url
from feedhub.rules.select import HEALTH_SLUG

_NOT_POLLED: Final = frozenset({Health.PAUSED, Health.GONE, Health.BROKEN})
# One failed poll passes by itself; the health feed tells of a source that goes on failing.
_FAILURES_REPORTED: Final = 3
_REPORTED: Final = frozenset({Health.OK, Health.FAILING, Health.GONE, Health.STALE})
_DEAD: Final = frozenset({Health.FAILING, Health.GONE})


def source_status(
    source: Source, state: SourceState | None, counts: SourceCounts | None, now: datetime
) -> SourceStatus:
    """Describe one source at ``now`` from its configuration, what is remembered of it, and what it gave."""
    state = state or SourceState(name=source.name)
    health, reason = health_of(source, state, now)
    in_seconds = (state.next_poll_at - now).total_seconds() if state.next_poll_at else None
    return SourceStatus(
        name=source.name,
        title=shown_title(source, state),
        url=source.url,
        state=health,
        reason=reason,
        current_url=asked_url(source, state),
        next_poll_in=None if health in _NOT_POLLED else in_seconds,
        last_success=state.last_success_at,
        last_error=state.last_error,
        http_status=state.http_status,
        items=counts.items if counts else 0,
        items_per_day=counts.items_per_day if counts else 0.0,
        failures=state.failures,
        warnings=state.warnings,
    )


def shown_title(source: Source, state: SourceState) -> str:
    """Return what people read for a source: its title in the configuration, else what its document calls itself."""
    return source.title or (state.title if state.own_title is None else state.own_title)


def health_of(source: Source, state: SourceState, now: datetime) -> tuple[Health, str]:
    """Return the health of a source and the reason in words; "" when there is nothing to say."""
    if source.broken:
        return Health.BROKEN, source.broken
    if source.paused:
        return Health.PAUSED, "paused in the configuration"
    if is_gone(source, state):
        return Health.GONE, (
            f"the server says that this feed is gone for good; its items stay. To try again: feedhub poll {source.name}"
        )
    if state.failures:
        return Health.FAILING, f"{state.last_error} ({_attempts(state, now)})"
    if state.last_success_at is None and not state.gone:
        return Health.NEW, state.last_error or "not polled yet"
    silence = silent_for(source, state, now)
    notes = ("; ".join(state.warnings),) if state.warnings else ()
    if silence is not None:
        rate = usual_rate(state)
        usual = f", usually {rate_text(rate)}" if rate else ""
        return Health.STALE, "; ".join((f"no new item for {duration_text(silence.total_seconds())}{usual}", *notes))
    if state.last_error:
        notes = (state.last_error, *notes)
    return Health.OK, "; ".join(notes)


def _attempts(state: SourceState, now: datetime) -> str:
    times = "once" if state.failures == 1 else f"{state.failures} times in a row"
    since = state.failing_since
    lasting = f", for {duration_text((now - since).total_seconds())}" if since and state.failures > 1 else ""
    return f"failed {times}{lasting}"


_MEMORY_DAYS: Final = 14.0
_LEAST_DAYS: Final = 2.0
_ONE_DAY: Final = timedelta(days=1)

# A source may pause for a long weekend, or for twelve times its usual pause, without being called silent.
_SHORTEST_SILENCE: Final = timedelta(days=4)
_USUAL_PAUSES: Final = 12


def with_new_items(state: SourceState, new: int, now: datetime) -> SourceState:
    """Return the state after a successful poll that brought ``new`` items never seen before.

    What the first poll finds says nothing about the rhythm: it is everything the source still offers.
    """
    if state.first_success_at is None:
        return replace(state, first_success_at=now, last_new_at=now if new else None)
    if not new:
        return state
    since = state.last_new_at or state.first_success_at
    remembered = state.rhythm * math.exp(-max((now - since) / _ONE_DAY, 0.0) / _MEMORY_DAYS)
    return replace(state, rhythm=remembered + new, last_new_at=now)


def usual_rate(state: SourceState) -> float | None:
    """Return the items a day that were usual when the last one came; None while that is not known yet."""
    if state.first_success_at is None or state.last_new_at is None or not state.rhythm:
        return None
    days = (state.last_new_at - state.first_success_at) / _ONE_DAY
    if days < _LEAST_DAYS:
        return None
    return state.rhythm / (_MEMORY_DAYS * (1 - math.exp(-days / _MEMORY_DAYS)))


def silent_for(source: Source, state: SourceState, now: datetime) -> timedelta | None:
    """Return how long a source has brought nothing new, if its rhythm or ``stale_after`` does not allow that."""
    last = state.last_new_at or state.first_success_at
    if last is None or now - last <= _allowed_silence(source, state):
        return None
    return now - last


def _allowed_silence(source: Source, state: SourceState) -> timedelta:
    if source.stale_after is not None:
        return timedelta.max if math.isinf(source.stale_after) else timedelta(seconds=source.stale_after)
    rate = usual_rate(state)
    return timedelta.max if rate is None else max(_SHORTEST_SILENCE, min(_USUAL_PAUSES / rate, 3_650) * _ONE_DAY)


def health_events(
    before: SourceState, after: SourceState, source: Source, now: datetime
) -> tuple[SourceState, tuple[HealthEvent, ...]]:
    """Return what a poll changed that is worth telling, and the state that remembers what was told."""
    health, reason = health_of(source, after, now)
    events = [HealthEvent(at=now, source=source.name, kind="moved", text=text) for text in _moves(before, after)]
    if not _is_worth_telling(before, after, health):
        return after, tuple(events)
    kind, text = health.value, reason
    if health is Health.OK:
        kind = "recovered" if before.reported_health in _DEAD else "revived"
        text = _recovery(before, now)
    events.append(HealthEvent(at=now, source=source.name, kind=kind, text=text))
    return replace(after, reported_health=health), tuple(events)


def _is_worth_telling(before: SourceState, after: SourceState, health: Health) -> bool:
    if health is Health.FAILING and after.failures < _FAILURES_REPORTED:
        return False
    return health in _REPORTED and health is not before.reported_health


def _moves(before: SourceState, after: SourceState) -> Iterator[str]:
    if after.moved_to == before.moved_to:
        return
    if after.moved_to:
        yield f"moved for good to {after.moved_to}; put that address into the configuration"
    else:
        yield f"{before.moved_to} does not work any more; the configured address is asked again"


def _recovery(before: SourceState, now: datetime) -> str:
    if before.reported_health in _DEAD:
        since = before.failing_since
        return f"works again after {duration_text((now - since).total_seconds())}" if since else "works again"
    last = before.last_new_at or before.first_success_at
    return f"brings items again after {duration_text((now - last).total_seconds())}" if last else "brings items again"


HEALTH_ENTRIES: Final = 100

_HEADLINES: Final = {
    "failing": "{} fails",
    "recovered": "{} works again",
    "stale": "{} has fallen silent",
    "revived": "{} brings items again",
    "gone": "{} is gone for good",
    "moved": "{} has moved",
}


def health_view(
    site: Site,
    events: Sequence[HealthEvent],
    *,
    added_at: datetime,
    has_pages: bool = True,
    titles: Mapping[str, str] = MappingProxyType({}),
    hub: str | None = None,
) -> OutputView:
    """Return the feed of these events, which come newest first; same events, same view.

    Without events it changed when it was added. ``titles`` are those of sources in the configuration, by name.
    """
    page = f"{site.url}/sources.html" if has_pages else None
    items = tuple(_item(site, event, titles.get(event.source) or event.source, page) for event in events)
    return OutputView(
        site=site,
        feed=OutputFeed(
            slug=HEALTH_SLUG,
            title=f"{site.title}: health of the sources",
            description="Sources that failed, recovered, fell silent, moved or are gone.",
            entries=HEALTH_ENTRIES,
        ),
        items=items,
        updated_at=max((item.updated_at for item in items), default=added_at),
        hub=hub,
        has_pages=has_pages,
    )


def _item(site: Site, event: HealthEvent, title: str, page: str | None) -> StoredItem:
    name = f"{site.url}/feeds/health#{event.source}/{event.kind}/{event.at.isoformat()}"
    headline = _HEADLINES.get(event.kind, "{}: " + event.kind).format(title)
    return StoredItem(
        id=uuid.uuid5(uuid.NAMESPACE_URL, name).urn,
        item=Item(title=headline, content=f"<p>{escape(event.text, quote=False)}</p>", link=page),
        source=event.source,
        source_title=title,
        published_at=event.at,
        updated_at=event.at,
    )


_MISSED_INTERVALS: Final = 3


def complaints(
    sources: Sequence[Source], states: Mapping[str, SourceState], every: float, now: datetime
) -> tuple[str, ...]:
    """Return what is wrong with polling as a whole, in words; () when it goes on.

    ``every`` is the default interval in seconds. One source that fails among others is no fault of polling, and
    nothing is wrong before the first poll.
    """
    known = [(source, states[source.name]) for source in sources if source.name in states]
    polled = [
        (health, state)
        for source, state in known
        if state.last_poll_at and (health := health_of(source, state, now)[0]) not in _NOT_POLLED
    ]
    if not polled:
        return ()
    found = []
    if all(health is Health.FAILING for health, _ in polled):
        found.append("every source fails" if len(polled) > 1 else "the only source fails")
    standstill = _standstill([state for _, state in polled], timedelta(seconds=every), now)
    return (*found, standstill) if standstill else tuple(found)


def _standstill(states: Sequence[SourceState], every: timedelta, now: datetime) -> str | None:
    """Say that nothing is polled any more, although the next poll should have come long ago."""
    last = max(state.last_poll_at for state in states if state.last_poll_at)
    due = min((state.next_poll_at for state in states if state.next_poll_at), default=now)
    if now - last <= _MISSED_INTERVALS * max(due - last, every) or due >= now:
        return None
    return f"no poll for {_minutes(now - last)} min; the next was due {_minutes(now - due)} min ago"


def _minutes(duration: timedelta) -> int:
    return round(duration.total_seconds() / 60)


_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration_text(seconds: float) -> str:
    """Return a length of time in its largest sensible unit: ``40 s``, ``12 min``, ``3 h``, ``5 days``."""
    seconds = abs(seconds)
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 90 * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"


def rate_text(per_day: float) -> str:
    """Return a rate as people say it: ``8 a day``, ``3 a week``, ``1 a month``."""
    for days, unit in ((1, "day"), (7, "week"), (30, "month")):
        if per_day * days >= 1:
            return f"{per_day * days:.0f} a {unit}"
    return "less than 1 a month"
