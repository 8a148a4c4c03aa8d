"""When a source is polled next, how politely its host is treated, when our own network is down (SPEC §7, §8); cron."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import itemgetter
from typing import Final, Literal
from urllib.parse import urlsplit

from feedhub.errors import PollError, UnreachableError
from feedhub.model.document import Freshness
from feedhub.model.source import NextPoll, PollReason, PollSettings, Source, SourceState
from feedhub.rules.urls import ascii_host

# With ``every: auto`` about three polls are made for each item that is expected.
_POLLS_PER_ITEM: Final = 3
_BACKOFF_DOUBLINGS: Final = 16
# At most two first polls a second, however many sources were added at once.
_FIRST_POLL_GAP: Final = 0.5


def next_poll(
    source: Source,
    now: datetime,
    *,
    interval: float,
    ttl: int | None,
    freshness: Freshness,
    scheduled: datetime | None,
    settings: PollSettings,
) -> NextPoll:
    """Return the next poll after a success: at the time ``scheduled``, else after the longest wait asked for.

    Waits are clamped to ``min``…``max``, so ``Retry-After`` is obeyed up to ``max``. ``interval`` and ``ttl`` are in
    seconds. A cron schedule is taken as given (SPEC §7): with ``scheduled``, neither ``Retry-After`` nor any other wish
    of the server counts. After a failure it does: see ``next_try``.
    """
    if scheduled:
        return NextPoll(at=scheduled, reason=PollReason.SCHEDULE)
    wishes = [
        (interval, PollReason.RHYTHM if source.auto else PollReason.INTERVAL),
        (float(ttl or 0), PollReason.TTL),
        (float(freshness.max_age or 0), PollReason.MAX_AGE),
        (_seconds_until(freshness.expires_at, now), PollReason.EXPIRES),
        (_seconds_until(freshness.retry_at, now), PollReason.RETRY_AFTER),
    ]
    wish, reason = max(wishes, key=itemgetter(0))
    wait = _clamped(wish, settings)
    limit: Literal["min", "max"] | None = None if wait == wish else "min" if wait > wish else "max"
    return NextPoll(at=now + timedelta(seconds=wait), reason=reason, limit=limit)


def next_try(
    source: Source,
    now: datetime,
    *,
    failures: int,
    retry_at: datetime | None,
    scheduled: datetime | None,
    is_gone: bool,
    settings: PollSettings,
) -> NextPoll:
    """Return the next poll after ``failures`` failed ones in a row: the wait doubles, spread by up to a fifth.

    The spread follows from the source's name and the count, so that many sources of one dead host do not come back
    in step. The waits never end, unless the source is gone; neither ``Retry-After`` nor ``scheduled`` is undercut.
    """
    if is_gone:
        return NextPoll(at=None, reason=PollReason.GONE)
    doubled = usual_interval(source, settings) * 2.0 ** min(max(failures - 1, 0), _BACKOFF_DOUBLINGS)
    waits = [
        (min(doubled, settings.max) * (1 - spread(f"{source.name}:{failures}") / 5), PollReason.BACKOFF),
        (min(_seconds_until(retry_at, now), settings.max), PollReason.RETRY_AFTER),
        (_seconds_until(scheduled, now), PollReason.SCHEDULE),
    ]
    wait, reason = max(waits, key=itemgetter(0))
    limit: Literal["min", "max"] | None = "min" if wait < settings.min else None
    return NextPoll(at=now + timedelta(seconds=max(wait, settings.min)), reason=reason, limit=limit)


def _seconds_until(at: datetime | None, now: datetime) -> float:
    return (at - now).total_seconds() if at else 0.0


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
    """Return when a new source is polled first; ``position`` is its place among all new ones, from 0.

    First polls are spread out, in the order of the configuration, within one interval.
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

    Its due time stays, unless the source has another address now (then it is due at once), or another interval or
    schedule: then it is due as if the new setting had applied at the last poll, but not later than before. The wait
    after failures is kept in any case. ``scheduled`` is the next time that its cron expression names; a clock that is
    set back does not change it, while waits move with the clock. ``set_by`` is by how many seconds the clock was set
    just now, negative for back.
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
    """Return a number from 0 to 1 that follows from a name, so that it is the same at every start."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32


def _clamped(seconds: float, settings: PollSettings) -> float:
    return min(max(seconds, settings.min), settings.max)


def is_due(source: Source, state: SourceState | None, now: datetime) -> bool:
    """Tell whether a source is to be polled: never polled, or its time has come; not when paused or gone."""
    if source.broken:
        return True
    if source.paused or (state and is_gone(source, state)):
        return False
    return state is None or state.next_poll_at is None or state.next_poll_at <= now


def is_gone(source: Source, state: SourceState) -> bool:
    """Tell whether the server said 410 at the address that is configured now, and not at an earlier one."""
    return state.gone and state.configured_url in (None, source.url)


def host_key(url: str, settings: PollSettings) -> str:
    """Return the key by which requests are limited: the pattern of the first group that the host is in, else the host.

    The host is in lower case, in ASCII, without port and trailing dot; "" for what has no host, such as a file.
    """
    return group_key(host_name(url), settings)


@lru_cache(maxsize=1024)  # a poll asks for its host several times
def host_name(url: str) -> str:
    """Return the host of an address in the form of ``host_key``, "" for what has none."""
    try:
        parts = urlsplit(url)
        return "" if parts.scheme == "file" else ascii_host(parts.hostname or "")
    except ValueError:
        return ""


def group_key(host: str, settings: PollSettings) -> str:
    """Return ``host_key`` of any address on a host that ``host_name`` gave."""
    if not host or not settings.host_groups:
        return host
    # Patterns may be written in either form of an international name.
    names = (host, _in_letters(host))
    for group in settings.host_groups:
        if any(fnmatchcase(name, group.pattern.lower()) for name in names):
            return group.pattern
    return host


def host_pace(key: str, settings: PollSettings) -> tuple[int, float]:
    """Return how many requests at a time, and how many seconds apart, for a key that ``host_key`` gave."""
    for group in settings.host_groups:
        if group.pattern == key:
            return group.concurrent, group.gap
    return settings.host_concurrent, settings.host_gap


def most_concurrent(settings: PollSettings) -> int:
    """Return the largest number of requests at a time that any host may get."""
    return max(settings.host_concurrent, *(group.concurrent for group in settings.host_groups), 1)


def _in_letters(name: str) -> str:
    try:
        return name.encode().decode("idna")
    except UnicodeError:
        return name


_FEWEST_HOSTS: Final = 3
_SHARE: Final = 20
_MOST_HOSTS: Final = 20
RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Polls in a row that reached nobody: the hosts, and the sources that were asked, oldest first."""

    hosts: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    is_certain: bool = True

    def after(self, source: str, host: str, error: PollError | None) -> "Outage":
        """Return what is known after one more poll. Any answer, even a bad one, ends the suspicion."""
        if not host:
            return self  # a local file says nothing about the network
        if not isinstance(error, UnreachableError):
            return Outage()
        return replace(
            self,
            hosts=self.hosts | {host},
            sources=tuple(dict.fromkeys((*self.sources, source))),
            is_certain=self.is_certain and error.own_network,
        )

    def is_ours(self, hosts: Collection[str]) -> bool:
        """Tell whether our own network must be down; ``hosts`` are all that are polled.

        A few hosts that do not answer one after the other are no coincidence; the threshold grows with the number of
        hosts. With fewer hosts, all of them, if the errors speak of our side: no route, or a resolver out of reach.
        """
        if len(self.hosts) >= min(_FEWEST_HOSTS + len(hosts) // _SHARE, _MOST_HOSTS):
            return True
        return self.is_certain and bool(self.hosts) and self.hosts.issuperset(hosts)


_CRON_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_CRON_DAYS: Final = "sun mon tue wed thu fri sat".split()
_CRON_PART: Final = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,4}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _CronField:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_CRON_FIELDS: Final = (
    _CronField(name="minute", low=0, high=59),
    _CronField(name="hour", low=0, high=23),
    _CronField(name="day of month", low=1, high=31),
    _CronField(name="month", low=1, high=12, names=tuple(_CRON_MONTHS)),
    _CronField(name="day of week", low=0, high=7, names=tuple(_CRON_DAYS)),
)


def parse_cron(text: str) -> str:
    """Return the expression with months as numbers and days of the week as a list of names.

    Cron counts days from Sunday = 0 (and 7), some schedulers from Monday; names mean the same everywhere.

    Raises:
        ValueError: one line that names the field.
    """
    fields = text.lower().split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError('expected five fields such as "*/5 9-15 * * 1-5" (minute, hour, day, month, day of week)')
    values = [_cron_values(part, field) for part, field in zip(fields, _CRON_FIELDS, strict=True)]
    if fields[3] != "*":
        fields[3] = ",".join(str(month) for month in sorted(values[3]))
    if fields[4] != "*":
        days = sorted({day % 7 for day in values[4]}, key=lambda day: (day - 1) % 7)
        fields[4] = ",".join(_CRON_DAYS[day] for day in days)
    return " ".join(fields)


def _cron_values(text: str, field: _CronField) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        match = _CRON_PART.fullmatch(part)
        if match is None:
            raise ValueError(f"expected numbers, ranges, lists or steps as {field.name}")
        values.update(_cron_range(match, field))
    return values


def _cron_range(match: re.Match[str], field: _CronField) -> range:
    if match["star"]:
        low, high = field.low, field.high
    else:
        low = _cron_number(match["first"], field)
        high = _cron_number(match["last"], field) if match["last"] else (field.high if match["step"] else low)
    if field.name == _CRON_FIELDS[4].name:
        # Sunday ends a week as 7; a star or an open step means seven days, not eight.
        high = 7 if high == 0 < low else high
        high = 6 if high == 7 and (match["star"] or not match["last"]) and low < 7 else high
    if low > high:
        raise ValueError(f"expected a range that goes upwards as {field.name}")
    step = int(match["step"] or 1)
    if match["step"] and not 1 <= step <= high - low:
        raise ValueError(f"expected a step within the range as {field.name}")
    return range(low, high + 1, step)


def _cron_number(text: str, field: _CronField) -> int:
    if text in field.names:
        return field.names.index(text) + field.low
    if text.isascii() and text.isdigit() and len(text) <= 2 and field.low <= int(text) <= field.high:
        return int(text)
    names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
    raise ValueError(f"expected {field.low}-{field.high}{names} as {field.name}")
