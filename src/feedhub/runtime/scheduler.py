"""APScheduler for what recurs: the tick that looks for due sources, and housekeeping.

Due times themselves live in the store (docs/decisions/0006-due-times-live-in-the-store.md).
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

TICK_SECONDS: Final = 1
_FIRST_HOUSEKEEPING: Final = timedelta(minutes=10)


class Scheduler:
    """Calls ``tick`` every second and ``keep_house`` once a night, and soon after the start."""

    def __init__(self, *, tick: Callable[[], None], keep_house: Callable[[], None], timezone: str) -> None:
        # A run that could not be made on time is made once, however late and however many were missed.
        self._scheduler = BackgroundScheduler(
            timezone=ZoneInfo(timezone),
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_job(tick, IntervalTrigger(seconds=TICK_SECONDS), id="tick")
        house = _in_background(keep_house)
        self._scheduler.add_job(house, CronTrigger(hour=0, minute=20, timezone=ZoneInfo(timezone)), id="night")
        first = datetime.now(ZoneInfo(timezone)) + _FIRST_HOUSEKEEPING
        self._scheduler.add_job(house, "date", run_date=first, id="first housekeeping")

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def wind(self) -> None:
        """Set the times of all jobs anew: APScheduler goes by the wall clock, and would wait for it to catch up."""
        for job in self._scheduler.get_jobs():
            now = datetime.now(job.trigger.timezone) if hasattr(job.trigger, "timezone") else None
            upcoming = job.trigger.get_next_fire_time(None, now) if now else None
            if upcoming is not None:
                job.modify(next_run_time=upcoming)

    def close(self) -> None:
        """End; a run under way is not waited for."""
        self._scheduler.shutdown(wait=False)


def _in_background(task: Callable[[], None]) -> Callable[[], None]:
    """Return a task that does not keep the process from ending: each of its steps is a transaction."""

    def start() -> None:
        threading.Thread(target=task, name="housekeeping", daemon=True).start()

    return start
