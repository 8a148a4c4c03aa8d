"""When a source is polled next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.model.document import Freshness
from feedhub.model.source import NextPoll, PollReason, PollSettings, Source, SourceState
from feedhub.rules.pacing import (
    adaptive_interval,
    first_poll_at,
    next_poll,
    next_try,
    pacing_text,
    replanned_at,
    spread,
)

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
SETTINGS = PollSettings(every=900, min=60, max=86_400)

WISHES = {
    "the interval": (900, None, Freshness(), 900, PollReason.INTERVAL, None),
    "a larger ttl": (900, 3600, Freshness(), 3600, PollReason.TTL, None),
    "a smaller ttl": (900, 60, Freshness(), 900, PollReason.INTERVAL, None),
    "the same ttl": (900, 900, Freshness(max_age=900), 900, PollReason.INTERVAL, None),
    "max-age": (900, None, Freshness(max_age=1800), 1800, PollReason.MAX_AGE, None),
    "expires": (900, None, Freshness(expires_at=NOW + timedelta(hours=2)), 7200, PollReason.EXPIRES, None),
    "expired": (900, None, Freshness(expires_at=NOW - timedelta(hours=2)), 900, PollReason.INTERVAL, None),
    "retry after": (900, None, Freshness(retry_at=NOW + timedelta(hours=3)), 10_800, PollReason.RETRY_AFTER, None),
    "at most max": (900, 10_000_000, Freshness(), 86_400, PollReason.TTL, "max"),
    "at least min": (5, None, Freshness(), 60, PollReason.INTERVAL, "min"),
}
SOURCE = Source(name="a", url="https://a.example/rss")


@pytest.mark.parametrize(("interval", "ttl", "freshness", "seconds", "reason", "limit"), WISHES.values(), ids=WISHES)
def test_the_largest_wish_counts(
    interval: float,
    ttl: int | None,
    freshness: Freshness,
    seconds: float,
    reason: PollReason,
    limit: Literal["min", "max"] | None,
) -> None:
    due = next_poll(SOURCE, NOW, interval=interval, ttl=ttl, freshness=freshness, scheduled=None, settings=SETTINGS)
    assert due == NextPoll(at=NOW + timedelta(seconds=seconds), reason=reason, limit=limit)


def test_a_schedule_is_taken_as_given_and_a_rhythm_is_named() -> None:
    auto, at = replace(SOURCE, auto=True), NOW + timedelta(seconds=1)
    wishes = {"interval": 900.0, "ttl": None, "freshness": Freshness(), "settings": SETTINGS}
    assert next_poll(SOURCE, NOW, scheduled=at, **wishes) == NextPoll(at=at, reason=PollReason.SCHEDULE)
    assert next_poll(auto, NOW, scheduled=None, **wishes).reason is PollReason.RHYTHM


def tried(failures: int, *, retry_at: datetime | None = None, source: Source = SOURCE, **given: Any) -> NextPoll:
    more = {"scheduled": None, "is_gone": False, "settings": SETTINGS, **given}
    return next_try(source, NOW, failures=failures, retry_at=retry_at, **more)


def wait(failures: int, *, retry_at: datetime | None = None, source: Source = SOURCE) -> float:
    due = tried(failures, retry_at=retry_at, source=source)
    assert due.at
    return (due.at - NOW).total_seconds()


def test_failures_double_the_wait_up_to_a_cap_and_never_stop() -> None:
    waits = [wait(failures) for failures in (1, 2, 3, 4, 50, 10_000)]
    assert waits[:4] == sorted(waits[:4])
    assert 720 <= waits[0] <= 900
    assert all(0.8 * 86_400 <= late <= 86_400 for late in waits[4:])


def test_a_failed_poll_is_not_repeated_before_the_shortest_interval() -> None:
    due = tried(1, source=replace(SOURCE, every=5.0))
    assert due == NextPoll(at=NOW + timedelta(seconds=60), reason=PollReason.BACKOFF, limit="min")


def test_what_is_gone_is_not_tried_again() -> None:
    assert tried(1, is_gone=True) == NextPoll(at=None, reason=PollReason.GONE)


def test_a_failed_poll_is_repeated_at_the_time_that_the_schedule_names_but_not_before_the_wait_is_over() -> None:
    assert tried(1, scheduled=NOW + timedelta(days=2)) == NextPoll(
        at=NOW + timedelta(days=2), reason=PollReason.SCHEDULE
    )
    assert tried(1, scheduled=NOW + timedelta(seconds=1)) == tried(1)
    assert tried(1).reason is PollReason.BACKOFF


def test_two_sources_that_meet_once_do_not_stay_in_step() -> None:
    assert len({wait(failures) for failures in range(20, 40)}) == 20


def test_two_sources_of_a_dead_host_do_not_come_back_in_step() -> None:
    assert len({wait(3, source=replace(SOURCE, name=f"source-{number}")) for number in range(20)}) == 20


@given(st.integers(1, 86_400), st.integers(1, 40))
def test_retry_after_is_never_undercut(seconds: int, failures: int) -> None:
    assert wait(failures, retry_at=NOW + timedelta(seconds=seconds)) >= seconds


def test_retry_after_beyond_the_maximum_is_clamped() -> None:
    due = tried(1, retry_at=NOW + timedelta(days=400))
    assert due == NextPoll(at=NOW + timedelta(seconds=86_400), reason=PollReason.RETRY_AFTER)


@pytest.mark.parametrize(("items", "seconds"), [(0, 86_400), (14, 28_800), (14 * 24, 1200), (10_000_000, 60)])
def test_a_busy_source_is_asked_more_often(items: int, seconds: float) -> None:
    assert adaptive_interval(items, 14, SETTINGS) == seconds


def test_the_spread_of_a_name_is_always_the_same_and_below_one() -> None:
    assert spread("a") == spread("a")
    assert 0 <= spread("a") < 1


HOUR = timedelta(hours=1)
POLLED = SourceState(
    name="a",
    configured_url=SOURCE.url,
    last_poll_at=NOW - HOUR,
    next_poll_at=NOW + HOUR,
    pacing=pacing_text(SOURCE, SETTINGS),
)


def replanned(
    source: Source = SOURCE, state: SourceState = POLLED, scheduled: datetime | None = None
) -> datetime | None:
    return replanned_at(source, state, now=NOW, scheduled=scheduled, settings=SETTINGS)


REPLANNED = {
    "unchanged": (SOURCE, POLLED, NOW + HOUR),
    "of an older feedhub": (SOURCE, replace(POLLED, pacing=None), NOW + HOUR),
    "overdue": (SOURCE, replace(POLLED, next_poll_at=NOW - HOUR), NOW - HOUR),
    "another address": (replace(SOURCE, url="https://b.example/rss"), POLLED, NOW),
    "another address of one that is gone": (replace(SOURCE, url="https://b.example"), replace(POLLED, gone=True), NOW),
    "gone": (SOURCE, replace(POLLED, gone=True, next_poll_at=None), None),
    "without a time": (SOURCE, replace(POLLED, next_poll_at=None), NOW),
    "polled more often now": (replace(SOURCE, every=4000.0), POLLED, NOW - HOUR + timedelta(seconds=4000)),
    "polled much more often now": (replace(SOURCE, every=60.0), POLLED, NOW),
    "polled less often now": (replace(SOURCE, every=86_400.0), POLLED, NOW + HOUR),
    "polled more often, but failing": (replace(SOURCE, every=60.0), replace(POLLED, failures=1), NOW + HOUR),
    "more often, last time unknown": (
        replace(SOURCE, every=60.0),
        replace(POLLED, last_poll_at=None),
        NOW + timedelta(seconds=60),
    ),
    "the clock was set back since": (
        SOURCE,
        replace(POLLED, last_poll_at=NOW + 9 * HOUR, next_poll_at=NOW + 10 * HOUR),
        NOW + HOUR,
    ),
}


@pytest.mark.parametrize(("source", "state", "due"), REPLANNED.values(), ids=REPLANNED)
def test_a_plan_made_anew_keeps_due_times_unless_there_is_a_reason(
    source: Source, state: SourceState, due: datetime | None
) -> None:
    assert replanned(source, state) == due


CRON = replace(SOURCE, schedule="0 8 * * *")
DAILY = replace(POLLED, pacing="0 8 * * *", next_poll_at=NOW + 20 * HOUR)
SET_BACK = {
    "a wait moves with the clock": (SOURCE, POLLED, None, NOW - HOUR),
    "a time of day does not": (CRON, DAILY, NOW + 20 * HOUR, NOW + 20 * HOUR),
    "a day that was ahead by mistake is forgotten": (
        CRON,
        replace(DAILY, last_poll_at=NOW + 700 * HOUR, next_poll_at=NOW + 720 * HOUR),
        NOW + 20 * HOUR,
        NOW + 20 * HOUR,
    ),
    "the wait of one that fails moves": (CRON, replace(DAILY, failures=2), NOW + 20 * HOUR, NOW + 18 * HOUR),
    "gone stays gone": (CRON, replace(DAILY, gone=True, next_poll_at=None), NOW + 20 * HOUR, None),
}


@pytest.mark.parametrize(("source", "state", "cron", "due"), SET_BACK.values(), ids=SET_BACK)
def test_a_clock_that_is_set_back_by_two_hours(
    source: Source, state: SourceState, cron: datetime | None, due: datetime | None
) -> None:
    moment = replanned_at(source, state, now=NOW, scheduled=cron, settings=SETTINGS, set_by=-7200)
    assert moment == due


def test_a_new_cron_expression_is_followed_at_once() -> None:
    assert replanned(replace(SOURCE, schedule="0 * * * mon"), scheduled=NOW + 3 * HOUR) == NOW + 3 * HOUR


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (SOURCE, "every 900"),
        (replace(SOURCE, auto=True), "auto"),
        (replace(SOURCE, schedule="5 4 * * sun"), "5 4 * * sun"),
    ],
)
def test_the_pacing_of_a_source_can_be_compared(source: Source, text: str) -> None:
    assert pacing_text(source, SETTINGS) == text


def test_first_polls_come_one_after_the_other_within_one_interval() -> None:
    times = [(first_poll_at(NOW, position=number, interval=900) - NOW).total_seconds() for number in range(4000)]
    assert times[:3] == [0, 0.5, 1]
    assert max(times) < 900
    assert max(times.count(time) for time in set(times)) == 3
