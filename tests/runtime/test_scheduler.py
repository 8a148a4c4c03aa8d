"""Cron expressions in the site's time zone, with the days of the week as cron counts them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.model.source import Source
from feedhub.runtime.hub import Hub
from feedhub.runtime.scheduler import next_cron_time
from support.examples import examples
from support.world import World

NOW = datetime(2024, 5, 1, 8, tzinfo=UTC)  # a Wednesday, 16:00 in Shanghai

CASES = {
    "every day at eight": ("0 8 * * *", datetime(2024, 5, 2, 0, tzinfo=UTC)),
    "every five minutes of trading": ("*/5 9-15 * * 1-5", datetime(2024, 5, 2, 1, tzinfo=UTC)),
    "Monday is 1": ("0 8 * * 1", datetime(2024, 5, 6, 0, tzinfo=UTC)),
    "Sunday is 0": ("0 8 * * 0", datetime(2024, 5, 5, 0, tzinfo=UTC)),
    "Sunday is 7": ("0 8 * * 7", datetime(2024, 5, 5, 0, tzinfo=UTC)),
    "a range up to Sunday": ("0 8 * * 6-7", datetime(2024, 5, 4, 0, tzinfo=UTC)),
    "names": ("0 8 * * sat,sun", datetime(2024, 5, 4, 0, tzinfo=UTC)),
    "a step": ("0 8 * * 1-5/2", datetime(2024, 5, 3, 0, tzinfo=UTC)),
    "a step over all": ("0 8 * * */3", datetime(2024, 5, 4, 0, tzinfo=UTC)),
}


def scheduled(expression: str | None) -> datetime | None:
    source = Source(name="a", url="https://a.example/", schedule=expression)
    return Hub(World((source,)).settings).scheduled(source, NOW)


@pytest.mark.parametrize(("expression", "due"), CASES.values(), ids=CASES)
def test_the_next_time_of_an_expression(expression: str, due: datetime) -> None:
    assert scheduled(expression) == due


def test_a_source_without_expression_has_no_scheduled_time() -> None:
    assert scheduled(None) is None


def test_a_date_that_never_comes_gives_none() -> None:
    assert scheduled("0 0 31 2 *") is None


def test_a_date_that_never_comes_is_not_looked_for_until_the_end_of_the_calendar() -> None:
    began = time.process_time()
    for number in range(100):
        assert next_cron_time(f"{number % 60} 0 30 2 *", "UTC", NOW + timedelta(days=number)) is None
    assert time.process_time() - began < 3


def times(expression: str, zone: str, start: str, count: int) -> list[str]:
    """The next times, each after the one before, as clocks on the wall show them."""
    now, found = datetime.fromisoformat(start), []
    for _ in range(count):
        due = next_cron_time(expression, zone, now)
        assert due is not None
        assert due > now
        now = due
        found.append(due.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z").removesuffix("00"))
    return found


BACK, FORWARD = "2026-10-24T23:00:00+02:00", "2026-03-28T23:00:00+01:00"
SETTINGS = {
    "a time that comes twice counts once": ("30 2 * * *", BACK, ["25 02:30+02", "26 02:30+01"]),
    "so do several": ("30 2,3 * * *", BACK, ["25 02:30+02", "25 03:30+01", "26 02:30+01"]),
    "every hour goes on": (
        "30 * * * *",
        BACK[:11] + "23:45:00+02:00",
        ["25 00:30+02", "25 01:30+02", "25 02:30+02", "25 02:30+01", "25 03:30+01"],
    ),
    "so does every half hour": (
        "*/30 1-2 * * *",
        "2026-10-25T01:40:00+02:00",
        ["25 02:00+02", "25 02:30+02", "25 02:00+01", "25 02:30+01", "26 01:00+01"],
    ),
    "a time that is left out comes an hour later": ("30 2 * * *", FORWARD, ["29 03:30+02", "30 02:30+02"]),
    "others are not moved": ("0 8 * * *", FORWARD, ["29 08:00+02", "30 08:00+02"]),
}


@pytest.mark.parametrize(("expression", "start", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_times_while_clocks_are_set(expression: str, start: str, expected: list[str]) -> None:
    assert times(expression, "Europe/Berlin", start, len(expected)) == expected


def test_a_time_equal_to_now_is_not_the_next_one() -> None:
    for start in ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-05-01T02:30:00+02:00"):
        now = datetime.fromisoformat(start)
        assert (next_cron_time("30 2 * * *", "Europe/Berlin", now) or now) > now + timedelta(hours=20)


CLOCKS_ARE_SET = (
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/St_Johns", "2026-11-01"),
    ("Asia/Shanghai", "2026-11-01"),
)
FIELDS = ("*", "*/20", "0", "15,45", "*/7")
HOURS = ("*", "*/2", "0-3", "2", "1,2,23")


def minutes_named(expression: str, zone: ZoneInfo, start: datetime, days: int) -> Iterator[datetime]:
    """Every minute that an expression in which each is named again and again names, by looking at all of them."""
    minute, hour, *_ = expression.split()
    for number in range(1, days * 24 * 60):
        moment = start + timedelta(minutes=number)
        local = moment.astimezone(zone)
        if _names(minute, local.minute, 59) and _names(hour, local.hour, 23):
            yield moment


def _names(field: str, value: int, last: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"0-{last}" if span == "*" else span).partition("-")
        if value in range(int(low), int(high or low) + 1, int(step or 1)):
            return True
    return False


@settings(max_examples=examples(20))
@given(
    where=st.sampled_from(CLOCKS_ARE_SET),
    fields=st.tuples(st.sampled_from(FIELDS), st.sampled_from(HOURS)).filter(lambda some: "*" in some[0] + some[1]),
    minute=st.integers(-1_440, 1_440),
)
def test_expressions_that_go_on_name_every_minute_of_theirs_once(
    where: tuple[str, str], fields: tuple[str, str], minute: int
) -> None:
    zone, expression = ZoneInfo(where[0]), f"{fields[0]} {fields[1]} * * *"
    start = datetime.fromisoformat(where[1]).replace(tzinfo=zone).astimezone(UTC) + timedelta(minutes=minute)
    expected = list(minutes_named(expression, zone, start, 2))[:60]
    now, found = start, []
    for _ in expected:
        now = next_cron_time(expression, where[0], now) or start
        found.append(now)
    others = [moment for moment in found if moment not in expected]
    assert [moment for moment in found if moment in expected] == expected[: len(found) - len(others)]
    # Times that are left out when clocks are set forward come later.
    assert all(_offset(moment - timedelta(hours=3), zone) < _offset(moment, zone) for moment in others)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
