"""Months and parts: what is old stays where it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedhub.model.output import ItemVersion, OutputFeed, Part
from feedhub.rules.select import (
    PART_SIZE,
    month_bounds,
    month_of,
    open_in_feed,
    open_in_list,
    parts_in,
    parts_of,
    versions_of_part,
)

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "zone", "month"),
    [
        (datetime(2026, 10, 31, 15, 59, tzinfo=UTC), SHANGHAI, "2026-10"),
        (datetime(2026, 10, 31, 16, 0, tzinfo=UTC), SHANGHAI, "2026-11"),
        (datetime(2026, 11, 1, 3, 59, tzinfo=UTC), NEW_YORK, "2026-10"),
        (FIRST, NEW_YORK, "0001-01"),
        (LAST, SHANGHAI, "9999-12"),
    ],
)
def test_a_month_is_that_of_the_site(instant: datetime, zone: ZoneInfo, month: str) -> None:
    assert month_of(instant, zone) == month
    since, until = month_bounds(month, zone)
    assert since <= instant
    assert instant < until or instant == LAST


@pytest.mark.parametrize("zone", [SHANGHAI, NEW_YORK, ZoneInfo("UTC")])
def test_months_follow_each_other_without_a_gap(zone: ZoneInfo) -> None:
    for month, following in (("2026-02", "2026-03"), ("2026-12", "2027-01"), ("0001-01", "0001-02")):
        assert month_bounds(month, zone)[1] == month_bounds(following, zone)[0]
        assert month_of(month_bounds(month, zone)[1] - timedelta(seconds=1), zone) == month


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (100, 1), (101, 2), (500, 5)])
def test_a_month_is_divided_into_full_parts_and_a_rest(count: int, parts: int) -> None:
    assert parts_in(count, PART_SIZE) == parts
    assert [part.name for part in parts_of("2026-11", count, PART_SIZE)] == [
        "2026-11" if number == 1 else f"2026-11-{number}" for number in range(1, parts + 1)
    ]


def test_the_older_part_is_the_lesser_one() -> None:
    parts = [Part(month="2026-09", number=12), Part(month="2026-10"), Part(month="2026-10", number=2)]
    assert sorted([parts[2], parts[0], parts[1]]) == parts


@pytest.mark.parametrize(
    ("counts", "entries", "open_parts"),
    [
        ((), 100, 0),
        ((1,), 100, 1),
        ((100,), 100, 1),
        ((30,), 20, 0),
        ((20, 100), 20, 1),
        ((33, 52, 15), 100, 3),
        ((33, 52, 16), 100, 2),
        ((33, 68, 2), 100, 1),
        ((100, 100), 199, 1),
    ],
)
def test_parts_that_the_feed_shows_whole_are_not_written(
    counts: tuple[int, ...], entries: int, open_parts: int
) -> None:
    parts = [Part(month=f"2026-{12 - place:02}") for place in range(len(counts))]
    feed = OutputFeed(slug="all", title="", description="", entries=entries)
    assert open_in_feed(zip(parts, counts, strict=True), feed=feed) == (parts[open_parts - 1] if open_parts else None)
    assert open_in_feed(zip(parts, counts, strict=True), feed=replace(feed, per_source=5)) is None


@pytest.mark.parametrize(
    ("counts", "open_parts"),
    [
        ((), 0),
        ((1,), 1),
        ((30,), 1),
        ((30, 30), 1),
        ((1, 30), 2),
        ((29, 30, 30), 2),
        ((30, 30, 30), 1),
        ((1, 2, 3, 30, 30), 4),
        ((1, 2, 3), 3),
    ],
)
def test_the_first_page_of_a_list_shows_whole_parts_until_it_is_full(counts: tuple[int, ...], open_parts: int) -> None:
    months = [Part(month=f"2026-{12 - place:02}") for place in range(len(counts))]
    found = open_in_list(zip(months, counts, strict=True))
    assert found == (months[open_parts - 1] if open_parts else None)


def test_a_new_item_moves_none_of_the_older_parts() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    versions = [
        ItemVersion(id=str(n), published_at=at + timedelta(minutes=n), change_number=1, source="a") for n in range(150)
    ][::-1]
    more = [ItemVersion(id="new", published_at=at + timedelta(days=1), change_number=2, source="a"), *versions]
    first, second = Part(month="2026-11"), Part(month="2026-11", number=2)
    assert versions_of_part(first, more, 1, 100) == versions_of_part(first, versions, 1, 100)
    assert [version.id for version in versions_of_part(first, versions, 1, 100)][::99] == ["99", "0"]
    assert versions_of_part(second, versions[:50], 2, 100) == versions_of_part(second, versions, 1, 100)
    assert [version.id for version in versions_of_part(second, more, 1, 100)] == [
        "new",
        *(version.id for version in versions_of_part(second, versions, 1, 100)),
    ]
