from datetime import UTC, datetime, timedelta

import pytest

from feedhub.fetch.http import charset_of, freshness_of, http_date, validators_of
from feedhub.model.document import Freshness, Validators
from support.fetching import NOW

IN_AN_HOUR = "Mon, 23 Nov 2026 13:00:00 GMT"
AN_HOUR_AGO = "Mon, 23 Nov 2026 11:00:00 GMT"
HOUR = timedelta(hours=1)
NEVER = "Fri, 31 Dec 9999 23:59:59 GMT"
LONGEST = timedelta(seconds=2**31)

FIELDS: list[tuple[str, dict[str, str], Freshness]] = [
    ("nothing", {}, Freshness()),
    ("max-age", {"Cache-Control": "max-age=600"}, Freshness(max_age=600)),
    ("max-age among others", {"Cache-Control": 'private,s-maxage=9, Max-Age="600"'}, Freshness(max_age=600)),
    ("only s-maxage", {"Cache-Control": "s-maxage=9"}, Freshness()),
    ("max-age 0", {"Cache-Control": "max-age=0"}, Freshness(max_age=0)),
    ("max-age negative", {"Cache-Control": "max-age=-5"}, Freshness()),
    ("max-age too big", {"Cache-Control": "max-age=99999999999999999999"}, Freshness(max_age=2**31)),
    ("Expires", {"Expires": IN_AN_HOUR}, Freshness(expires_at=NOW + HOUR)),
    ("Expires in the past", {"Expires": AN_HOUR_AGO}, Freshness()),
    ("Expires 0", {"Expires": "0"}, Freshness()),
    ("Expires against Date", {"Expires": IN_AN_HOUR, "Date": AN_HOUR_AGO}, Freshness(expires_at=NOW + 2 * HOUR)),
    ("Expires equal to Date", {"Expires": IN_AN_HOUR, "Date": IN_AN_HOUR}, Freshness()),
    ("Expires with a broken Date", {"Expires": IN_AN_HOUR, "Date": "?"}, Freshness(expires_at=NOW + HOUR)),
    ("Retry-After seconds", {"Retry-After": " 90 "}, Freshness(retry_at=NOW + timedelta(seconds=90))),
    ("Retry-After date", {"Retry-After": IN_AN_HOUR}, Freshness(retry_at=NOW + HOUR)),
    (
        "Retry-After date against Date",
        {"Retry-After": IN_AN_HOUR, "Date": AN_HOUR_AGO},
        Freshness(retry_at=NOW + 2 * HOUR),
    ),
    ("Retry-After in the past", {"Retry-After": AN_HOUR_AGO}, Freshness()),
    ("Retry-After 0", {"Retry-After": "0"}, Freshness()),
    ("Retry-After negative", {"Retry-After": "-5"}, Freshness()),
    ("Retry-After fraction", {"Retry-After": "1.5"}, Freshness()),
    ("Retry-After words", {"Retry-After": "later"}, Freshness()),
    ("Retry-After other digits", {"Retry-After": "１２０"}, Freshness()),
    ("Retry-After too big", {"Retry-After": "9" * 20}, Freshness(retry_at=NOW + LONGEST)),
    (
        "Retry-After far date",
        {"Retry-After": NEVER},
        Freshness(retry_at=NOW + LONGEST),
    ),
]


@pytest.mark.parametrize(("headers", "expected"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_when_to_ask_again(headers: dict[str, str], expected: Freshness) -> None:
    assert freshness_of(headers, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 09:49:37 +0100",
        "06 Nov 1994 08:49:37 -0000",
    ],
)
def test_dates_are_read_in_every_form_of_the_standard(text: str) -> None:
    assert http_date(text) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "-1",
        "now",
        "Thu, 99 Jan 2026 00:00:00 GMT",
        "Thu, 01 Jan 99999 00:00:00 GMT",
        "Mon, 23 Nov 2026 08:00:00 +9999",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        ", , ,",
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert http_date(text) is None


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        (None, None),
        ("text/xml", None),
        ("text/xml; charset=utf-8", "utf-8"),
        ("text/xml;CHARSET=GBK", "GBK"),
        ('text/xml; charset="gb2312"; x=y', "gb2312"),
        ("text/xml; charset='big5'", "big5"),
        ("text/xml; charset = utf-8", "utf-8"),
        ("text/xml; charset=", None),
        ("text/xml; nocharset=utf-8", None),
    ],
)
def test_the_charset_of_a_content_type(content_type: str | None, charset: str | None) -> None:
    assert charset_of(content_type) == charset


@pytest.mark.parametrize("value", ["", "a\r\n b", "a\x00b", "x" * 3_000], ids=["empty", "folded", "null", "long"])
def test_a_validator_that_cannot_be_sent_back_counts_as_missing(value: str) -> None:
    assert validators_of({"ETag": value, "Last-Modified": value}) == Validators()
