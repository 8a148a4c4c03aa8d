"""Times: cron expressions and periodic jobs by APScheduler, and noticing that the clock was set."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

_DAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def next_cron_time(expression: str, timezone: str, now: datetime) -> datetime | None:
    """Return the first moment after ``now`` that a cron expression names, aware UTC; None when it names no day."""
    due: datetime | None = _trigger(expression, timezone).get_next_fire_time(now, now)
    return due.astimezone(UTC) if due else None


@lru_cache(maxsize=1024)
def _trigger(expression: str, timezone: str) -> CronTrigger:
    minute, hour, day, month, weekday = expression.split()
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=_named_days(weekday),
        timezone=ZoneInfo(timezone),
    )


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
            "night": CronTrigger(hour=0, minute=20, timezone=self._timezone),
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
