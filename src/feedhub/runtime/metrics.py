"""Counts of what the daemon has done since its start, which ``web/prometheus.py`` exposes."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from feedhub.model.report import Outcome, PollReport, PublishReport

DURATION_BUCKETS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds of the buckets in which durations of polls are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """The counts at one moment. Instants are seconds of the epoch, 0 for never.

    ``records`` are counted by verdict: new, changed, duplicate, rejected, dropped. ``durations`` are counts for each of
    ``DURATION_BUCKETS`` and one for longer polls.
    """

    polls: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    durations: tuple[int, ...] = (0,) * (len(DURATION_BUCKETS) + 1)
    poll_seconds: float = 0.0
    fetched_bytes: int = 0
    publishes: int = 0
    written: int = 0
    removed: int = 0
    failed_outputs: tuple[str, ...] = ()
    failures_to_publish: int = 0
    polled_at: float = 0.0
    published_at: float = 0.0


class Metrics:
    """Counts reports. Safe for many threads; never fails. ``clock`` returns seconds of the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._polls: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._durations = [0] * (len(DURATION_BUCKETS) + 1)
        self._seconds = 0.0
        self._bytes = 0
        self._publishes = self._written = self._removed = self._failures = 0
        self._failed: tuple[str, ...] = ()
        self._polled_at = self._published_at = 0.0

    def count_poll(self, report: PollReport) -> None:
        """Count one poll."""
        with self._lock:
            self._polls[report.outcome.value] += 1
            for what in ("new", "changed", "duplicate", "rejected", "dropped"):
                self._records[what] += getattr(report, what)
            self._bytes += report.bytes
            if report.outcome is not Outcome.SKIPPED:
                self._seconds += report.seconds
                self._durations[sum(report.seconds > bound for bound in DURATION_BUCKETS)] += 1
                self._polled_at = self._clock()

    def count_publish(self, report: PublishReport) -> None:
        """Count one publish, whether or not it wrote anything; its failures replace those of the one before."""
        with self._lock:
            self._publishes += 1
            self._written += len(report.written)
            self._removed += len(report.removed)
            self._failures += len(report.failed)
            self._failed = tuple(path for path, _ in report.failed)
            self._published_at = self._clock()

    def snapshot(self) -> MetricsSnapshot:
        """Return all counts."""
        with self._lock:
            return MetricsSnapshot(
                polls=dict(self._polls),
                records=dict(self._records),
                durations=tuple(self._durations),
                poll_seconds=self._seconds,
                fetched_bytes=self._bytes,
                publishes=self._publishes,
                written=self._written,
                removed=self._removed,
                failed_outputs=self._failed,
                failures_to_publish=self._failures,
                polled_at=self._polled_at,
                published_at=self._published_at,
            )
