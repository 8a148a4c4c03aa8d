"""When a source is polled next (SPEC §7): after a success, after a failure, and when the plan is made anew."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from feedhub.model.document import Freshness
from feedhub.model.source import PollSettings, Source, SourceState

# Aims at about three polls per expected item, as a reader that looks a little more often than it is rewarded.
_POLLS_PER_ITEM: Final = 3
_BACKOFF_DOUBLINGS: Final = 16
# Never more than two first polls a second, however many sources were added at once.
_FIRST_POLL_GAP: Final = 0.5


def next_poll_at(
    now: datetime, *, interval: float, ttl: int | None, freshness: Freshness, settings: PollSettings
) -> datetime:
    """Return the time of the next poll after a success: the largest wish, clamped to ``min``…``max``.

    ``interval`` and ``ttl`` in seconds. ``Retry-After`` is obeyed up to ``max``, never undercut.
    """
    wishes = [interval, float(ttl or 0), float(freshness.max_age or 0)]
    wishes += [(at - now).total_seconds() for at in (freshness.expires_at, freshness.retry_at) if at]
    return now + timedelta(seconds=_clamped(max(wishes), settings))


def next_try_at(
    now: datetime, *, source: str, failures: int, interval: float, retry_at: datetime | None, settings: PollSettings
) -> datetime:
    """Return the time of the next poll after ``failures`` failed ones in a row: doubling, spread by up to a fifth.

    The spread follows from the source's name and the count, so that many sources of one dead host do not come back
    in step. It never ends; ``Retry-After`` is never undercut.
    """
    doubled = interval * 2.0 ** min(max(failures - 1, 0), _BACKOFF_DOUBLINGS)
    wait = min(doubled, settings.max) * (1 - spread(f"{source}:{failures}") / 5)
    if retry_at:
        wait = max(wait, min((retry_at - now).total_seconds(), settings.max))
    return now + timedelta(seconds=max(wait, settings.min))


def adaptive_interval(items: int, days: float, settings: PollSettings) -> float:
    """Return the interval in seconds for ``every: auto``, from the number of items in the last ``days``."""
    expected = days * 86_400 / (max(items, 1) * _POLLS_PER_ITEM)
    return _clamped(expected, settings)


def usual_interval(source: Source, settings: PollSettings) -> float:
    """Return the configured interval in seconds."""
    return source.every or settings.every


def pacing_text(source: Source, settings: PollSettings) -> str:
    """Return what decides about a source's times, to tell whether it changed since they were set."""
    return source.schedule or ("auto" if source.auto else f"every {usual_interval(source, settings):g}")


def first_poll_at(now: datetime, *, position: int, interval: float) -> datetime:
    """Return when the source that is new at ``position`` among all new ones is polled first.

    In the order of the configuration, spread out, and within one interval.
    """
    return now + timedelta(seconds=position * _FIRST_POLL_GAP % max(interval, _FIRST_POLL_GAP))


def replanned_at(
    source: Source,
    state: SourceState,
    *,
    now: datetime,
    scheduled: datetime | None,
    settings: PollSettings,
    set_by: float = 0.0,
) -> datetime | None:
    """Return when a source that was polled before is due, after a restart or a change of the configuration or clock.

    Its due time stays, unless the source has another address now (then it is due), or is paced otherwise: then it is
    due when it would be had it always been so, but never later than it was and not before a failing server's time.
    ``scheduled`` is the next time its cron expression names, which a clock that is set back leaves where it is; waits
    move with the clock. ``set_by``: by how many seconds it was set just now, negative for back.
    """
    if state.configured_url is not None and state.configured_url != source.url:
        return now
    due = state.next_poll_at
    is_back = set_by < 0 or bool(state.last_poll_at and state.last_poll_at > now)
    if is_back and due and scheduled and not state.failures and not state.gone:
        return scheduled
    if due and set_by < 0:
        due += timedelta(seconds=set_by)
    elif due and state.last_poll_at and is_back:
        due = now + (due - state.last_poll_at)
    if state.gone or due is None or state.pacing in (None, pacing_text(source, settings)) or state.failures:
        return None if state.gone else (due or now)
    if scheduled is not None:
        return scheduled
    last = state.last_poll_at or now
    return max(now, min(due, last + timedelta(seconds=usual_interval(source, settings))))


def spread(name: str) -> float:
    """Return a number from 0 to 1 that follows from a name: the same at every start, different for every source."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32


def _clamped(seconds: float, settings: PollSettings) -> float:
    return min(max(seconds, settings.min), settings.max)
