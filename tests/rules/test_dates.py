"""SPEC §3.2, GUARANTEES 38: dates as publishers write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.rules.dates import is_exact, parse_date

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
"""2024-01-01 08:00 in Shanghai."""


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01 08:00:00",
        "2024-01-01 08:00",
        "2024-1-1 8:00",
        "2024-01-01T08:00",
        "2024-01-01T08:00:00.000",
        "2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00 Z",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01T14:00:00+14:00",
        "2024-01-01T08:00:00+0800",
        "2023-12-31T24:00:00Z",
        "2024/01/01 08:00",
        "2024.01.01 08:00",
        "2024-01-01 8:00:00 AM",
        "2024年01月01日 08:00",
        "2024年01月01日 08:00:00",
        "2024年1月1日08时00分",
        "2024年1月1日 8点",
        "2024年1月1日 星期一 上午8:00",
        "2024-01-01（周一）08:00",
        "２０２４年１月１日　08：00",
        "24年1月1日 08:00",
        "Mon, 01 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +0000",
        "Mon, 1 Jan 2024 08:00:00 CST",
        "2024-01-01 08:00:00 CST",
        "1 Jan 24 00:00 UT",
        "Monday, 01-Jan-24 00:00:00 GMT",
        "Wed, 01 January 2024 08:00:00 +0800 (CST)",
        "2024-01-01 08:00:00 +0800 CST",
        "2024-01-01 08:00:00 UTC+8",
        "Sun Dec 31 2023 19:00:00 GMT-0500 (Eastern Standard Time)",
        "Mon Jan  1 08:00:00 2024",
        "Mon Jan  1 08:00:00 CST 2024",
        "January 1, 2024 8:00 AM",
        "1st January 2024, 08:00",
        "Monday, January 1st, 2024 at 8:00",
        "01.01.2024 08:00",
        "13/01/2024 08:00",
        "01/13/2024 08:00",
        "20240101080000",
        "202401010800",
        "20240101T000000Z",
        "1704067200",
        "1704067200.0",
        "1704067200000",
        "1704067200000000",
        "1704067200000000000",
        1704067200,
        1704067200.0,
        1704067200000,
    ],
)
def test_one_instant_in_many_forms(text: str | float) -> None:
    expected = MIDNIGHT + timedelta(days=12) if "13" in str(text)[:5] else MIDNIGHT

    assert parse_date(text, zone=SHANGHAI) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01", "2023-12-31T16:00:00+00:00"),
        ("20240101", "2023-12-31T16:00:00+00:00"),
        ("2003-12", "2003-11-30T16:00:00+00:00"),
        ("2024年1月1日 下午3:05", "2024-01-01T07:05:00+00:00"),
        ("2024年1月1日 中午12:30", "2024-01-01T04:30:00+00:00"),
        ("2024年1月1日 中午1:30", "2024-01-01T05:30:00+00:00"),
        ("2024年1月1日 中午11:30", "2024-01-01T03:30:00+00:00"),
        ("2024年1月1日 凌晨12:30", "2023-12-31T16:30:00+00:00"),
        ("January 1, 2024 12:15 a.m.", "2023-12-31T16:15:00+00:00"),
        ("2024-01-01T10:00:60Z", "2024-01-01T10:00:59+00:00"),
        ("2024-01-01T10:00:00.25Z", "2024-01-01T10:00:00.250000+00:00"),
        ("Fri, 05 Jan 101 10:00:00 GMT", "2001-01-05T10:00:00+00:00"),
        ("2100-12-31T00:00:00Z", "2100-12-31T00:00:00+00:00"),
        ("1 Jan 49 00:00 GMT", "2049-01-01T00:00:00+00:00"),
        ("1 Jan 99 00:00 GMT", "1999-01-01T00:00:00+00:00"),
        ("2024 Jan 4 10:00", "2024-01-04T02:00:00+00:00"),
        ("10:00 EST, Thursday 4 January 2024", "2024-01-04T15:00:00+00:00"),
        ("10:00 CST 4 Jan 2024", "2024-01-04T02:00:00+00:00"),
        ("10:00 +0100 4 Jan 2024", "2024-01-04T09:00:00+00:00"),
        ("05/05/2024 10:00", "2024-05-05T02:00:00+00:00"),
        ("Mon, 01 Jan 2024 10:00:00 XYZ", "2024-01-01T02:00:00+00:00"),
    ],
)
def test_a_date_gives_the_instant_it_means(text: str, expected: str) -> None:
    found = parse_date(text, zone=SHANGHAI)

    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        (SHANGHAI, 0),
        (ZoneInfo("Asia/Urumqi"), 0),
        (timezone(timedelta(hours=8)), 0),
        (BERLIN, 14),
        (ZoneInfo("America/Chicago"), 14),
    ],
    ids=str,
)
def test_cst_is_china_only_where_the_source_is_in_china(zone: ZoneInfo, hour: int) -> None:
    assert parse_date("Mon, 01 Jan 2024 08:00:00 CST", zone=zone) == MIDNIGHT.replace(hour=hour)


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        (BERLIN, "2024-07-01 10:00", "2024-07-01T08:00:00+00:00"),
        (BERLIN, "2024-01-01 10:00", "2024-01-01T09:00:00+00:00"),
        (BERLIN, "2024-07-01 10:00 EDT", "2024-07-01T14:00:00+00:00"),
        (BERLIN, "2024-07-01 10:00 PST", "2024-07-01T18:00:00+00:00"),
        (BERLIN, "2024-07-01 10:00 BST", "2024-07-01T09:00:00+00:00"),
    ],
)
def test_a_named_zone_wins_over_the_zone_of_the_source(zone: ZoneInfo, text: str, expected: str) -> None:
    found = parse_date(text, zone=zone)

    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天 16:25", "2026-11-23T08:25:00+00:00"),
        ("昨天 09:00", "2026-11-22T01:00:00+00:00"),
        ("前天", "2026-11-20T16:00:00+00:00"),
        ("Yesterday at 9:00", "2026-11-22T01:00:00+00:00"),
        ("3分钟前", "2026-11-23T07:57:00+00:00"),
        ("2 小时前", "2026-11-23T06:00:00+00:00"),
        ("半小时前", "2026-11-23T07:30:00+00:00"),
        ("30秒前", "2026-11-23T07:59:30+00:00"),
        ("1周前", "2026-11-16T08:00:00+00:00"),
        ("3个月前", "2026-08-25T08:00:00+00:00"),
        ("刚刚", "2026-11-23T08:00:00+00:00"),
        ("3 hours ago", "2026-11-23T05:00:00+00:00"),
        ("an hour ago", "2026-11-23T07:00:00+00:00"),
        ("about 2 months ago", "2026-09-24T08:00:00+00:00"),
        ("11-22 08:00", "2026-11-22T00:00:00+00:00"),
        ("11-24 08:00", "2026-11-24T00:00:00+00:00"),
        ("11-25 08:00", "2025-11-25T00:00:00+00:00"),
        ("12-31 08:00", "2025-12-31T00:00:00+00:00"),
        ("1月5日", "2026-01-04T16:00:00+00:00"),
    ],
)
def test_relative_dates_need_now(text: str, expected: str) -> None:
    found = parse_date(text, zone=SHANGHAI, now=NOW)

    assert found is not None
    assert found.isoformat() == expected
    assert parse_date(text, zone=SHANGHAI) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "hello",
        "2024",
        "Jan 2024",
        "Jan 5",
        "2024-13-01",
        "2024-02-30",
        "2024-01-01 25:00",
        "2024-01-01 24:30",
        "2024-01-01 10:61",
        "1850-01-01",
        "2101-01-01",
        "1 Jan 50 00:00 GMT",
        "0000-00-00 00:00:00",
        "0001-01-01T00:00:00Z",
        "03/04/2024",
        "Fri, 05 Jan 2024 10:00:00 +9999",
        "Fri, 05 Jan 2024 10:00:00 +0199",
        "Fri, 05 Jan 2024 10:00:00 +1430",
        "2024-01-05 or 2024-01-06",
        "1月32日",
        "2-30 10:00",
        "123456789",
        "99999999999999999999",
        "1e9",
        "-1704067200",
        "下午 3:00",
        "January 77, 2024 something",
        "at 10:00 in January 2024",
        "2024-01-01 오전 9:00:00",
        "2024-01-01 " + "x" * 100,
        float("nan"),
        float("inf"),
        0,
        -1704067200,
        5,
    ],
)
def test_nonsense_is_no_date(text: str | float) -> None:
    assert parse_date(text, zone=SHANGHAI, now=NOW) is None


@given(st.text(max_size=120) | st.integers() | st.floats())
def test_whatever_is_written_gives_a_believable_instant_or_none(value: str | float) -> None:
    found = parse_date(value, zone=BERLIN, now=NOW)

    assert found is None or (found.tzinfo is UTC and 1989 <= found.year <= 2101)


@given(st.datetimes(datetime(1990, 1, 2), datetime(2100, 12, 30)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_what_iso_writes_is_read_back(moment: datetime) -> None:
    assert parse_date(moment.isoformat() + "+00:00", zone=SHANGHAI) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("2024-01-05 08:00:00", True),
        ("Fri, 05 Jan 2024 08:00:00 GMT", True),
        (1_704_441_600, True),
        ("2024-01-05", False),
        ("3分钟前", False),
        ("just now", False),
    ],
)
def test_a_date_names_an_instant_or_only_a_day_or_a_span(text: str | float, exact: bool) -> None:
    assert is_exact(text) is exact
