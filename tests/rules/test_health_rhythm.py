"""How often a source brings something, and when it has fallen silent."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.source import Source, SourceState
from feedhub.rules.health import duration_text, rate_text, silent_for, usual_rate, with_new_items

START = datetime(2024, 1, 1, tzinfo=UTC)
SOURCE = Source(name="a", url="https://a.example/rss")
DAY = timedelta(days=1)


def polled(days: float, per_day: float, *, first: int = 30) -> SourceState:
    """A source that was polled every two hours for some days."""
    state = with_new_items(SourceState(name="a"), first, START)
    owed = 0.0
    for hour in range(2, int(days * 24) + 1, 2):
        owed += per_day / 12
        state = with_new_items(state, int(owed), START + timedelta(hours=hour))
        owed -= int(owed)
    return state


@pytest.mark.parametrize(("days", "per_day"), [(5, 8), (60, 8), (30, 1), (90, 0.2), (10, 200)])
def test_the_rate_is_what_lately_came_a_day(days: float, per_day: float) -> None:
    assert usual_rate(polled(days, per_day)) == pytest.approx(per_day, rel=0.35)


@pytest.mark.parametrize("state", [SourceState(name="a"), polled(1, 8), polled(30, 0)], ids=["new", "young", "no news"])
def test_without_experience_there_is_no_rate(state: SourceState) -> None:
    assert usual_rate(state) is None
    assert silent_for(SOURCE, state, START + 400 * DAY) is None


def test_what_the_first_poll_finds_says_nothing_about_the_rhythm() -> None:
    assert usual_rate(polled(20, 2, first=5000)) == pytest.approx(2, rel=0.35)


def test_a_first_poll_without_items_is_remembered_as_the_beginning() -> None:
    state = with_new_items(SourceState(name="a"), 0, START)
    assert (state.first_success_at, state.last_new_at) == (START, None)
    assert with_new_items(state, 2, START + DAY).last_new_at == START + DAY


def test_a_busy_source_is_silent_after_days_and_a_slow_one_after_weeks() -> None:
    busy, slow = polled(30, 8), polled(90, 0.5)
    assert busy.last_new_at is not None
    assert slow.last_new_at is not None
    assert silent_for(SOURCE, busy, busy.last_new_at + 3 * DAY) is None
    assert silent_for(SOURCE, busy, busy.last_new_at + 5 * DAY) == 5 * DAY
    assert silent_for(SOURCE, slow, slow.last_new_at + 10 * DAY) is None
    assert silent_for(SOURCE, slow, slow.last_new_at + 60 * DAY) == 60 * DAY


def test_the_configuration_may_say_when_silence_is_too_long() -> None:
    impatient = Source(name="a", url="https://a.example/rss", stale_after=3600.0)
    patient = Source(name="a", url="https://a.example/rss", stale_after=math.inf)
    state = with_new_items(SourceState(name="a"), 0, START)
    assert silent_for(impatient, state, START + timedelta(hours=2)) == timedelta(hours=2)
    assert silent_for(patient, polled(30, 8), START + 4000 * DAY) is None


def test_a_source_that_was_never_polled_is_not_silent() -> None:
    assert silent_for(SOURCE, SourceState(name="a"), START) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(40, "40 s"), (-40, "40 s"), (720, "12 min"), (10_800, "3 h"), (432_000, "5 days"), (129_600, "36 h")],
)
def test_a_length_of_time_in_words(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words


@pytest.mark.parametrize(
    ("per_day", "words"),
    [(8.2, "8 a day"), (0.5, "4 a week"), (0.05, "2 a month"), (0.01, "less than 1 a month"), (1000, "1000 a day")],
)
def test_a_rate_in_words(per_day: float, words: str) -> None:
    assert rate_text(per_day) == words
