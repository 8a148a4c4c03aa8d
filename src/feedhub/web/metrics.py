"""Counts of what the daemon has done since its start, and ``/metrics`` in the text format of Prometheus.

No label names a source, so that sources add no time series.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from feedhub.model.report import HubStatus, Outcome, PollReport, PublishReport
from feedhub.model.source import Health

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
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


def exposition(status: HubStatus, items: int, snapshot: MetricsSnapshot | None, complaints: int) -> bytes:
    """Return all metrics; those of a daemon only where there is one."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        _Collected([*_store_metrics(status, items, complaints), *(_daemon_metrics(snapshot) if snapshot else ())])
    )
    text: bytes = generate_latest(registry)
    return text


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _store_metrics(status: HubStatus, items: int, complaints: int) -> Iterator[Metric]:
    yield InfoMetricFamily("feedhub", "This feedhub.", value={"version": version("feedhub")})
    states = Counter(source.state for source in status.sources)
    sources = GaugeMetricFamily("feedhub_sources", "Configured sources by state.", labels=["state"])
    for state in Health:
        sources.add_metric([state.value], states[state])
    yield sources
    yield GaugeMetricFamily("feedhub_items", "Items in the store.", value=items)
    yield GaugeMetricFamily("feedhub_categories", "Categories.", value=len(status.categories))
    overdue = [-source.next_poll_in for source in status.sources if source.next_poll_in is not None]
    late = max([0.0, *overdue])
    yield GaugeMetricFamily("feedhub_most_overdue_seconds", "How long the next poll has been due.", value=late)
    yield GaugeMetricFamily("feedhub_complaints", "Reasons for which /healthz answers 503.", value=complaints)


def _daemon_metrics(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    polls = CounterMetricFamily("feedhub_polls", "Polls since the start, by how they ended.", labels=["outcome"])
    for outcome in Outcome:
        polls.add_metric([outcome.value], snapshot.polls.get(outcome.value, 0))
    yield polls
    records = CounterMetricFamily("feedhub_records", "Records of documents, by what became of them.", labels=["kind"])
    for kind in ("new", "changed", "duplicate", "rejected", "dropped"):
        records.add_metric([kind], snapshot.records.get(kind, 0))
    yield records
    yield _durations(snapshot)
    yield CounterMetricFamily("feedhub_fetched_bytes", "Decoded bytes of documents.", value=snapshot.fetched_bytes)
    yield CounterMetricFamily(
        "feedhub_publishes", "Times that outputs were brought up to date.", value=snapshot.publishes
    )
    yield CounterMetricFamily("feedhub_files_written", "Output files written.", value=snapshot.written)
    yield CounterMetricFamily("feedhub_files_removed", "Output files removed.", value=snapshot.removed)
    failures = snapshot.failures_to_publish
    yield CounterMetricFamily("feedhub_publish_failures", "Outputs that could not be written.", value=failures)
    polled, published = snapshot.polled_at, snapshot.published_at
    yield GaugeMetricFamily("feedhub_last_poll_timestamp_seconds", "When a poll last ended; 0: never.", value=polled)
    yield GaugeMetricFamily("feedhub_last_publish_timestamp_seconds", "When it was last published.", value=published)


def _durations(snapshot: MetricsSnapshot) -> HistogramMetricFamily:
    up_to, buckets = 0, []
    for bound, number in zip((*map(str, DURATION_BUCKETS), "+Inf"), snapshot.durations, strict=True):
        up_to += number
        buckets.append((bound, up_to))
    name, words = "feedhub_poll_duration_seconds", "Time from the start of a fetch to the end of its transaction."
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=snapshot.poll_seconds)
