"""Times: cron expressions and periodic jobs by APScheduler, and noticing that the clock was set."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

_DAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# More than clocks are ever set by when summer time begins or ends.
_NEAR: Final = timedelta(hours=3)


def next_cron_time(expression: str, timezone: str, now: datetime) -> datetime | None:
    """Return the first moment after ``now`` that a cron expression names, aware UTC; None when it names no day.

    When clocks are set back, a time of day that comes twice counts once; an expression whose minute or hour begins with
    ``*`` goes on in every hour. One that is left out when clocks are set forward comes an hour later.
    """
    trigger = _trigger(expression)
    if trigger is None:
        return None
    zone = ZoneInfo(timezone)
    here = now.astimezone(zone)
    wall = _next_wall_time(trigger, here.replace(tzinfo=None))
    if wall is None:
        return None
    due = wall.replace(tzinfo=zone)
    if _is_regular(here) and _is_regular(due):
        return due.astimezone(UTC)
    is_repeated = any(field.startswith("*") for field in expression.split()[:2])
    return _next_while_clocks_are_set(trigger, zone, here, is_repeated=is_repeated)


def _next_wall_time(trigger: CronTrigger, after: datetime) -> datetime | None:
    """Return the next time on the wall, naive: APScheduler finds none that is right where clocks are set back."""
    found: datetime | None = trigger.get_next_fire_time(None, after.replace(tzinfo=UTC) + timedelta(microseconds=1))
    return found.replace(tzinfo=None) if found else None


def _is_regular(local: datetime) -> bool:
    """Tell whether no clocks are set near an instant."""
    offset = local.utcoffset()
    return all(_moved(local, by).utcoffset() == offset for by in (-_NEAR, _NEAR))


def _moved(local: datetime, by: timedelta) -> datetime:
    return (local.astimezone(UTC) + by).astimezone(local.tzinfo)


def _next_while_clocks_are_set(
    trigger: CronTrigger, zone: ZoneInfo, here: datetime, *, is_repeated: bool
) -> datetime | None:
    """Return the earliest moment after ``here`` for which a time on the wall around it stands."""
    best: datetime | None = None
    wall = _next_wall_time(trigger, here.replace(tzinfo=None) - _NEAR)
    while wall is not None and (best is None or wall <= best.astimezone(zone).replace(tzinfo=None) + _NEAR):
        for fold in (0, 1) if is_repeated else (0,):
            moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            # In the hour that is left out, the second reading is a time before it.
            is_real = fold == 0 or moment.astimezone(zone).replace(tzinfo=None) == wall
            if is_real and moment > here and (best is None or moment < best):
                best = moment
        wall = _next_wall_time(trigger, wall)
    return best


@lru_cache(maxsize=1024)
def _trigger(expression: str) -> CronTrigger | None:
    """Return what finds times on the wall; None for days that never come, after which it would look up to 9999."""
    minute, hour, day, month, weekday = expression.split()
    find = partial(
        CronTrigger, minute=minute, hour=hour, day=day, month=month, day_of_week=_named_days(weekday), timezone=UTC
    )
    # Calendars repeat after 28 years.
    is_ever = find(end_date=datetime(2029, 1, 1, tzinfo=UTC)).get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC))
    return find() if is_ever else None


def _named_days(field: str) -> str:
    """Return days of the week as names: cron counts from Sunday = 0 (or 7), APScheduler from Monday = 0."""
    numbers = [number % 7 for part in field.lower().split(",") for number in _days(part)]
    return ",".join(_DAY_NAMES[number] for number in dict.fromkeys(numbers))


def _days(part: str) -> range:
    span, _, step = part.partition("/")
    first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
    return range(_day(first), _day(last if dash else first) + 1, int(step or 1))


def _day(text: str) -> int:
    return int(text) if text.isdigit() else _DAY_NAMES.index(text)


class _EveryNight(BaseTrigger):  # type: ignore[misc]
    """Fires at 00:20, once a night."""

    def __init__(self, timezone: str) -> None:
        super().__init__()
        self._timezone = timezone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        return next_cron_time("20 0 * * *", self._timezone, previous or now)


_FIRST_MAINTENANCE: Final = timedelta(minutes=10)


class Scheduler:
    """Calls ``tick`` every ``seconds`` and ``run_maintenance`` once a night, and soon after the start."""

    def __init__(
        self, *, tick: Callable[[], None], run_maintenance: Callable[[], None], timezone: str, seconds: float = 1.0
    ) -> None:
        # A job that could not run on time runs once, however late and however many runs were missed.
        self._scheduler = BackgroundScheduler(
            timezone=ZoneInfo(timezone),
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._timezone = ZoneInfo(timezone)
        self._seconds = seconds
        house = _in_background(run_maintenance)
        for name, trigger in self._triggers().items():
            self._scheduler.add_job(tick if name == "tick" else house, trigger, id=name)

    def _triggers(self) -> dict[str, BaseTrigger]:
        """Return when each job is due, from now on."""
        return {
            "tick": IntervalTrigger(seconds=self._seconds, timezone=self._timezone),
            "night": _EveryNight(self._timezone.key),
            "first housekeeping": DateTrigger(datetime.now(self._timezone) + _FIRST_MAINTENANCE),
        }

    def start(self) -> None:
        """Start the thread."""
        self._scheduler.start()

    def reschedule(self) -> None:
        """Set the times of all jobs anew after the clock was set back, for which APScheduler would wait.

        Triggers are made anew as well, because they never fire before the time at which they were made.
        """
        triggers = self._triggers()
        for job in self._scheduler.get_jobs():
            job.reschedule(triggers[job.id])

    def close(self) -> None:
        """Stop the thread, without waiting for a job under way."""
        self._scheduler.shutdown(wait=False)


def _in_background(task: Callable[[], None]) -> Callable[[], None]:
    """Return a task that runs in a daemon thread, at most once at a time: each of its steps is a transaction."""

    is_busy = threading.Lock()

    def run() -> None:
        with is_busy:
            task()

    def start() -> None:
        if not is_busy.locked():
            threading.Thread(target=run, name="housekeeping", daemon=True).start()

    return start


# Corrections of a time service are smaller. A larger jump is a clock set by hand, or a sleep of the machine.
_JUMP: Final = 30.0


class ClockWatch:
    """Compares the wall clock with the monotonic clock, which nobody can set.

    ``now`` returns aware UTC, ``monotonic`` seconds.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._offset = self._difference()

    def jump(self) -> float:
        """Return by how many seconds the clock was set since the last call: forward positive, 0 for none."""
        offset = self._difference()
        jump = offset - self._offset
        if abs(jump) < _JUMP:
            return 0.0
        self._offset = offset
        return jump

    def _difference(self) -> float:
        return self._now().timestamp() - self._monotonic()
