"""When a source is polled next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.model.document import Freshness
from feedhub.model.source import PollSettings
from feedhub.rules.pacing import adaptive_interval, next_poll_at, next_try_at, spread

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
SETTINGS = PollSettings(every=900, min=60, max=86_400)

WISHES = {
    "the interval": (900, None, Freshness(), 900),
    "a larger ttl": (900, 3600, Freshness(), 3600),
    "a smaller ttl": (900, 60, Freshness(), 900),
    "max-age": (900, None, Freshness(max_age=1800), 1800),
    "expires": (900, None, Freshness(expires_at=NOW + timedelta(hours=2)), 7200),
    "expired": (900, None, Freshness(expires_at=NOW - timedelta(hours=2)), 900),
    "retry after": (900, None, Freshness(retry_at=NOW + timedelta(hours=3)), 10_800),
    "at most max": (900, 10_000_000, Freshness(), 86_400),
    "at least min": (5, None, Freshness(), 60),
}


@pytest.mark.parametrize(("interval", "ttl", "freshness", "seconds"), WISHES.values(), ids=WISHES)
def test_the_largest_wish_counts(interval: float, ttl: int | None, freshness: Freshness, seconds: float) -> None:
    due = next_poll_at(NOW, interval=interval, ttl=ttl, freshness=freshness, settings=SETTINGS)
    assert (due - NOW).total_seconds() == seconds


def wait(failures: int, *, retry_at: datetime | None = None, source: str = "a") -> float:
    due = next_try_at(NOW, source=source, failures=failures, interval=900, retry_at=retry_at, settings=SETTINGS)
    return (due - NOW).total_seconds()


def test_failures_double_the_wait_up_to_a_cap_and_never_stop() -> None:
    waits = [wait(failures) for failures in (1, 2, 3, 4, 50, 10_000)]
    assert waits[:4] == sorted(waits[:4])
    assert 720 <= waits[0] <= 900
    assert all(0.8 * 86_400 <= late <= 86_400 for late in waits[4:])


def test_two_sources_of_a_dead_host_do_not_come_back_in_step() -> None:
    assert len({wait(3, source=f"source-{number}") for number in range(20)}) == 20


@given(st.integers(1, 86_400), st.integers(1, 40))
def test_retry_after_is_never_undercut(seconds: int, failures: int) -> None:
    assert wait(failures, retry_at=NOW + timedelta(seconds=seconds)) >= seconds


def test_retry_after_beyond_the_maximum_is_clamped() -> None:
    assert wait(1, retry_at=NOW + timedelta(days=400)) == 86_400


@pytest.mark.parametrize(("items", "seconds"), [(0, 86_400), (14, 28_800), (14 * 24, 1200), (10_000_000, 60)])
def test_a_busy_source_is_asked_more_often(items: int, seconds: float) -> None:
    assert adaptive_interval(items, 14, SETTINGS) == seconds


def test_the_spread_of_a_name_is_always_the_same_and_below_one() -> None:
    assert spread("a") == spread("a")
    assert 0 <= spread("a") < 1
