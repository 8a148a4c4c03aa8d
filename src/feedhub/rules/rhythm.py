"""How often a source brings something, and when its silence is worth a word.

A counter that decays (half of it in about ten days) is all that is remembered: updating it costs the same for every
source, however many items it has.
"""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from feedhub.model.source import Source, SourceState

_MEMORY_DAYS: Final = 14.0
_LEAST_DAYS: Final = 2.0
_DAY: Final = timedelta(days=1)

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
    faded = state.rhythm * math.exp(-max((now - since) / _DAY, 0.0) / _MEMORY_DAYS)
    return replace(state, rhythm=faded + new, last_new_at=now)


def usual_rate(state: SourceState) -> float | None:
    """Return the items a day that were usual when the last one came; None while that is not known yet."""
    if state.first_success_at is None or state.last_new_at is None or not state.rhythm:
        return None
    days = (state.last_new_at - state.first_success_at) / _DAY
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
    return timedelta.max if rate is None else max(_SHORTEST_SILENCE, min(_USUAL_PAUSES / rate, 3_650) * _DAY)
