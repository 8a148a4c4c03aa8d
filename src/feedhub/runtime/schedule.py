"""Cron expressions of sources (``schedule:``), read by APScheduler."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from feedhub.model.source import Source

_DAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class CronSchedule:
    """Answers when a source's cron expression is due next, in the site's time zone."""

    def __init__(self, timezone: str) -> None:
        self._timezone = timezone

    def __call__(self, source: Source, now: datetime) -> datetime | None:
        """Return the first moment after ``now``, aware UTC; None for a source without a ``schedule``."""
        if not source.schedule:
            return None
        due: datetime | None = _trigger(source.schedule, self._timezone).get_next_fire_time(now, now)
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
    """Put names for numbers: cron counts days from Sunday = 0 (or 7), APScheduler from Monday = 0."""
    numbers = [number % 7 for part in field.lower().split(",") for number in _days(part)]
    return ",".join(_DAY_NAMES[number] for number in dict.fromkeys(numbers))


def _days(part: str) -> range:
    span, _, step = part.partition("/")
    first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
    return range(_day(first), _day(last if dash else first) + 1, int(step or 1))


def _day(text: str) -> int:
    return int(text) if text.isdigit() else _DAY_NAMES.index(text)
