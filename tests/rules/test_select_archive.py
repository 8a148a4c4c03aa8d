"""Months and parts: what is old stays where it is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedhub.model.output import ItemVersion, Part
from feedhub.rules.select import PART_SIZE, closed_parts, month_bounds, month_of, parts_in, versions_of_part

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


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (PART_SIZE, 1), (PART_SIZE + 1, 2), (5 * PART_SIZE, 5)])
def test_a_month_is_divided_into_full_parts_and_a_rest(count: int, parts: int) -> None:
    assert parts_in(count) == parts
    assert len(closed_parts("2026-11", count, is_newest=False, entries=100)) == parts


@pytest.mark.parametrize(
    ("count", "entries", "written"),
    [(0, 100, 0), (1, 100, 0), (100, 100, 0), (101, 100, 1), (250, 100, 2), (30, 20, 1), (250, 20, 3)],
)
def test_the_part_that_still_grows_is_written_only_when_the_feed_does_not_show_all_of_it(
    count: int, entries: int, written: int
) -> None:
    parts = closed_parts("2026-11", count, is_newest=True, entries=entries)
    assert [part.name for part in parts] == ["2026-11", "2026-11-2", "2026-11-3"][:written]


def test_a_new_item_moves_none_of_the_older_parts() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    versions = [ItemVersion(id=str(n), published_at=at + timedelta(minutes=n), change_number=1) for n in range(150)][
        ::-1
    ]
    more = [ItemVersion(id="new", published_at=at + timedelta(days=1), change_number=2), *versions]
    first, second = Part(month="2026-11"), Part(month="2026-11", number=2)
    assert versions_of_part(first, more) == versions_of_part(first, versions)
    assert [version.id for version in versions_of_part(first, versions)][::99] == ["99", "0"]
    assert versions_of_part(second, versions[:50], first=2) == versions_of_part(second, versions)
    assert [version.id for version in versions_of_part(second, more)] == [
        "new",
        *(version.id for version in versions_of_part(second, versions)),
    ]
