"""SPEC §3.2, GUARANTEES 38: dates as publishers write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.rules.date_words import DAYS_OF_TWO, WEEKDAYS, folded, translated
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
    ("text", "expected"),
    [
        ("17. März 2024", "2024-03-17 00:00"),
        ("Montag, 2. Dezember 2024 um 8:15 Uhr", "2024-12-02 08:15"),
        ("3. Okt. 2024, 14:30 Uhr", "2024-10-03 14:30"),
        ("Mi, 06 Mär 2024 10:00:00 +0100", "2024-03-06 09:00"),
        ("Mittwoch, 31. Jänner 2024", "2024-01-31 00:00"),
        ("Mo., 05.02.2024 - 10:00 Uhr", "2024-02-05 10:00"),
        ("05. 02. 2024", "2024-02-05 00:00"),
        ("Vendredi, 13 Mars, 2020 - 12:22", "2020-03-13 12:22"),
        ("mar., 05 déc. 2023 10:00:00 +0100", "2023-12-05 09:00"),
        ("mardi 5 mars 2024 à 14h30", "2024-03-05 14:30"),
        ("1er mai 2024", "2024-05-01 00:00"),
        ("Publié le 3 AOÛT 2024", "2024-08-03 00:00"),
        ("12 de enero de 2024 a las 10:30", "2024-01-12 10:30"),
        ("mar 5 nov 2024", "2024-11-05 00:00"),
        ("15 gennaio 2024 alle ore 9:05", "2024-01-15 09:05"),
        ("segunda-feira, 3 de março de 2024 às 14h", "2024-03-03 14:00"),
        ("1º de setembro de 2024", "2024-09-01 00:00"),
        ("dinsdag 12 mrt 2024 om 10:00", "2024-03-12 10:00"),
        ("5 października 2024, godz. 10:00", "2024-10-05 10:00"),
        ("Вс, 12 фев 2017 00:00:00 +0700", "2017-02-11 17:00"),
        ("5 января 2024 г. в 10:00", "2024-01-05 10:00"),
        ("9 мая 2024, 10:00", "2024-05-09 10:00"),
        ("5 травня 2024 року о 10:00", "2024-05-05 10:00"),
        ("5. července 2024 v 10:00", "2024-07-05 10:00"),
        ("5. června 2024", "2024-06-05 00:00"),
        ("5 Kasım 2024 Salı 10:00", "2024-11-05 10:00"),
        ("5 ŞUBAT 2024", "2024-02-05 00:00"),
        ("5. marraskuuta 2024 klo 10:00", "2024-11-05 10:00"),
        ("den 5 maj 2024 kl. 10:00", "2024-05-05 10:00"),
        ("tirsdag den 5. marts 2024 kl. 10.00", "2024-03-05 10:00"),
        ("5. desember 2024 kl. 10:00", "2024-12-05 10:00"),
        ("5. ágúst 2024", "2024-08-05 00:00"),
        ("2024년 1월 5일 금요일 오후 3시 5분", "2024-01-05 15:05"),
        ("2024年1月5日（金） 午後3時5分", "2024-01-05 15:05"),
        ("5 November 2025 - 09:01", "2025-11-05 09:01"),
        ("Nov. 20, 2025 - 5:14 pm", "2025-11-20 17:14"),
        ("20 Nov 2025 | 10:15", "2025-11-20 10:15"),
        ("20 Nov 2025 • 10:15", "2025-11-20 10:15"),
        ("Friday, March 13, 2020 - 12:22", "2020-03-13 12:22"),
        ("Fri, 03/13/2020 - 12:22", "2020-03-13 12:22"),
        ("2024-03-10T0800Z", "2024-03-10 08:00"),
        ("20240310T08:00:00Z", "2024-03-10 08:00"),
        ("2024-03-10 -05:00", "2024-03-10 05:00"),
        ("Sun, 10 Mar 2024 08:00:00 America/New_York", "2024-03-10 12:00"),
        ("2024-07-10 08:00:00 Europe/Berlin", "2024-07-10 06:00"),
        ("2024-07-10 08:00:00 europe/berlin", "2024-07-10 06:00"),
        ("2024-07-10T08:00:00+02:00[Europe/Berlin]", "2024-07-10 06:00"),
        ("2024-07-10 08:00:00 Nowhere/Special", "2024-07-10 08:00"),
        ("Fri, 06 May 1983 09:00:00 -0600", "1983-05-06 15:00"),
        ("Sun, 20 Jul 1969 20:17:00 GMT", "1969-07-20 20:17"),
        ("1850-01-01", "1850-01-01 00:00"),
        ("1900-01-01 08:00", "1900-01-01 08:00"),
        ("1900-01-02", "1900-01-02 00:00"),
        ("1ER JANVIER 2024", "2024-01-01 00:00"),
        ("2 marca 2024 r. godz. 14:30", "2024-03-02 14:30"),
        ("čt 7. března 2024", "2024-03-07 00:00"),
        ("令和6年3月2日", "2024-03-02 00:00"),
        ("令和元年5月1日 10:00", "2019-05-01 10:00"),
        ("2024. 3. 2.", "2024-03-02 00:00"),
        ("2024.03.02. 14:30", "2024-03-02 14:30"),
        ("2024.03.02 오후 2:30", "2024-03-02 14:30"),
        ("Sat, 02 Mar 2024 10:00:00 Etc/GMT+5", "2024-03-02 15:00"),
        ("5 November 2025 @ 09:01", "2025-11-05 09:01"),
        ("09:01 | 5 November 2025", "2025-11-05 09:01"),
        ("14:30 Uhr, 2. März 2024", "2024-03-02 14:30"),
        ("20 Nov 2025 10am", "2025-11-20 10:00"),
        ("Nov 20 2025 5 p.m.", "2025-11-20 17:00"),
        ("发布时间：2024-03-02 14:30", "2024-03-02 14:30"),
        ("Published on 2 March 2024", "2024-03-02 00:00"),
        ("Stand: 2. März 2024", "2024-03-02 00:00"),
        ("1 Jan 50 00:00 GMT", "1950-01-01 00:00"),
    ],
)
def test_dates_of_many_languages_and_forms(text: str, expected: str) -> None:
    found = parse_date(text, zone=UTC)

    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nov 22", "2026-11-22 00:00"),
        ("27. November", "2025-11-27 00:00"),
        ("27.11.", "2025-11-27 00:00"),
        ("22.11. 14:30", "2026-11-22 14:30"),
        ("November 22nd at 10:00", "2026-11-22 10:00"),
        ("22 de noviembre", "2026-11-22 00:00"),
        ("5 мая, 10:00", "2026-05-05 10:00"),
        ("11월 22일", "2026-11-22 00:00"),
        ("Feb 29", "2024-02-29 00:00"),
        ("周三 12:30", "2026-11-18 12:30"),
        ("上周三 12:30", "2026-11-18 12:30"),
        ("星期一", "2026-11-23 00:00"),
        ("星期日", "2026-11-22 00:00"),
        ("水曜日 10:00", "2026-11-18 10:00"),
        ("수요일", "2026-11-18 00:00"),
        ("Wednesday 12:30", "2026-11-18 12:30"),
        ("Monday 12:30", "2026-11-16 12:30"),
        ("mercredi à 12:30", "2026-11-18 12:30"),
        ("gestern, 14:30 Uhr", "2026-11-22 14:30"),
        ("aujourd’hui à 07h30", "2026-11-23 07:30"),
        ("vorgestern", "2026-11-21 00:00"),
        ("i går 10:00", "2026-11-22 10:00"),
        ("вчера в 10:00", "2026-11-22 10:00"),
        ("어제 10:00", "2026-11-22 10:00"),
        ("3h ago", "2026-11-23 05:00"),
        ("2 days, 3 hours ago", "2026-11-21 05:00"),
        ("1d 1h 1m ago", "2026-11-22 06:59"),
        ("1小时10分前", "2026-11-23 06:50"),
        ("1个月10天前", "2026-10-14 08:00"),
        ("半小时前", "2026-11-23 07:30"),
        ("less than a minute ago", "2026-11-23 07:59"),
        ("over 2 years ago", "2024-11-23 08:00"),
        ("vor 3 Stunden", "2026-11-23 05:00"),
        ("vor einer Stunde", "2026-11-23 07:00"),
        ("vor etwa 2 Tagen", "2026-11-21 08:00"),
        ("il y a 3 heures", "2026-11-23 05:00"),
        ("il y a environ une heure", "2026-11-23 07:00"),
        ("hace 2 días", "2026-11-21 08:00"),
        ("há 2 dias", "2026-11-21 08:00"),
        ("3 horas atrás", "2026-11-23 05:00"),
        ("3 ore fa", "2026-11-23 05:00"),
        ("3 uur geleden", "2026-11-23 05:00"),
        ("3 godziny temu", "2026-11-23 05:00"),
        ("3 часа назад", "2026-11-23 05:00"),
        ("3 дні тому", "2026-11-20 08:00"),
        ("před 3 hodinami", "2026-11-23 05:00"),
        ("3 saat önce", "2026-11-23 05:00"),
        ("3 tuntia sitten", "2026-11-23 05:00"),
        ("för 3 timmar sedan", "2026-11-23 05:00"),
        ("for 3 timer siden", "2026-11-23 05:00"),
        ("3時間前", "2026-11-23 05:00"),
        ("3日前", "2026-11-20 08:00"),
        ("1か月前", "2026-10-24 08:00"),
        ("3시간 전", "2026-11-23 05:00"),
        ("几秒前", "2026-11-23 07:59"),
        ("un'ora fa", "2026-11-23 07:00"),
        ("час назад", "2026-11-23 07:00"),
        ("před hodinou", "2026-11-23 07:00"),
        ("两天前", "2026-11-21 08:00"),
        ("十二分钟前", "2026-11-23 07:48"),
        ("二十小时前", "2026-11-22 12:00"),
        ("a few minutes ago", "2026-11-23 07:57"),
        ("a couple of hours ago", "2026-11-23 06:00"),
        ("vor zwei Stunden", "2026-11-23 06:00"),
        ("Posted 3 hours ago", "2026-11-23 05:00"),
    ],
)
def test_dates_that_count_from_now(text: str, expected: str) -> None:
    found = parse_date(text, zone=UTC, now=NOW)

    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == expected


LANGUAGES = "de fr es it pt nl pl ru uk cs tr sv nb nn da fi is".split()


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_day_of_a_language_is_known(name: str) -> None:
    babel = pytest.importorskip("babel")
    locale = babel.Locale.parse(name)
    for days in (locale.days["format"], locale.days["stand-alone"]):
        for width in ("wide", "abbreviated"):
            for number, word in days[width].items():
                key = folded(word).rstrip(".")
                assert WEEKDAYS.get(key) == number + 1 or key in DAYS_OF_TWO
                # 4 March 2024 was a Monday.
                assert parse_date(f"{word} {4 + number}. mars 2024", zone=UTC) is not None


@pytest.mark.parametrize("name", ["ja", "ko", "zh"])
def test_every_day_of_the_far_east_is_known(name: str) -> None:
    babel = pytest.importorskip("babel")
    for number, word in babel.Locale.parse(name).days["format"]["wide"].items():
        assert translated(word).weekday == number


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_month_of_a_language_is_known(name: str) -> None:
    babel = pytest.importorskip("babel")
    locale = babel.Locale.parse(name)
    for width in ("wide", "abbreviated"):
        for form in ("format", "stand-alone"):
            for month, word in locale.months[form][width].items():
                assert parse_date(f"{month} {word} 2024", zone=UTC) == datetime(2024, month, month, tzinfo=UTC)


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
        "2024-13-01",
        "2024-02-30",
        "2024-01-01 25:00",
        "2024-01-01 24:30",
        "2024-01-01 10:61",
        "2101-01-01",
        "0000-00-00 00:00:00",
        "0001-01-01T00:00:00Z",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "1970-01-01",
        "1970-01-01T00:00:00Z",
        "Wed, 31 Dec 1969 19:00:00 -0500",
        "1969-12-31T23:59:59Z",
        "1601-01-01T00:00:00Z",
        "1753-01-01",
        "1899-12-30",
        "1899-12-31T00:00:00",
        "1900-01-01",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "1904-01-01 00:00",
        "32 mars 2024",
        "vor Stunden",
        "vor 3 Äpfeln",
        "3 apples ago",
        "周八 12:30",
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

    assert found is None or (found.tzinfo is UTC and 999 <= found.year <= 2101)


_USUAL = st.tuples(
    st.sampled_from(
        ["Thu, 29 Feb {} 08:00:00{}", "{}-03-31T23:59:59{}", "31 Dec {} 24:00:00{}", "Mon, 01 Foo {} 08:00:00{}"]
    ),
    st.integers(0, 9999),
    st.sampled_from([" GMT", " +0530", " -1500", "Z", "+14:00", "-14:01", ".25+00:00", ""]),
).map(lambda parts: parts[0].format(f"{parts[1]:04}", parts[2]))


@given(_USUAL)
def test_a_usual_form_means_the_same_with_a_blank_before_it_that_no_usual_form_has(text: str) -> None:
    assert parse_date(text, zone=SHANGHAI) == parse_date(f" {text}", zone=SHANGHAI)


@given(st.datetimes(datetime(1970, 1, 3), datetime(2100, 12, 30)))  # noqa: DTZ001 - hypothesis wants naive bounds
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
        ("3時間前", False),
        ("周三 12:30", False),
        ("10:00 EST, Thursday 4 January 2024", True),
        ("今天 16:25", True),
    ],
)
def test_a_date_names_an_instant_or_only_a_day_or_a_span(text: str | float, exact: bool) -> None:
    assert is_exact(text) is exact
