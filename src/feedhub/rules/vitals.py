"""Whether feedhub as a whole is alive: what ``/healthz`` answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from feedhub.model.source import Source, SourceState
from feedhub.rules.health import source_status

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
