"""``/metrics`` in the text format of Prometheus. No label names a source, so that sources add no time series."""

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from feedhub.model.report import HubStatus, Outcome
from feedhub.model.source import Health
from feedhub.runtime.metrics import DURATION_BUCKETS, MetricsSnapshot

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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
