"""SPEC §3.1 and §3.2: dates of mapped sources."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from feedhub.rules.mapping import read_mapped_date

CHINA = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 2, 5, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "formats", "expected"),
    [
        ("2022-05-30 22:00:29", ("%Y-%m-%d %H:%M:%S",), "2022-05-30 14:00:29"),
        ("  2022-05-30\u3000 22:00:29 ", ("%Y-%m-%d %H:%M:%S",), "2022-05-30 14:00:29"),
        ("2026-07-27 07:53:06:817", ("%Y-%m-%d %H:%M:%S:%f",), "2026-07-26 23:53:06.817000"),
        ("2026-07-27 07:53:06.123456789", ("%Y-%m-%d %H:%M:%S.%f",), "2026-07-26 23:53:06.123456"),
        ("2026-07-27 07:53 -0500", ("%Y-%m-%d %H:%M %z",), "2026-07-27 12:53:00"),
        ("27.07.2026", ("%Y-%m-%d", "%d.%m.%Y"), "2026-07-26 16:00:00"),
        ("2021-06-22T16:42:57.000Z", ("iso",), "2021-06-22 16:42:57"),
        ("2021-06-22T16:42:57", ("iso",), "2021-06-22 08:42:57"),
        ("1203647620", ("epoch",), "2008-02-22 02:33:40"),
        ("1710000000.25", ("epoch",), "2024-03-09 16:00:00.250000"),
        ("1653919229000", ("epoch_ms",), "2022-05-30 14:00:29"),
        ("1644560965017262", ("epoch_us",), "2022-02-11 06:29:25.017262"),
        ("今天 16:25", ("relative",), "2026-02-05 08:25:00"),
        ("3分钟前", ("relative",), "2026-02-05 08:57:00"),
        ("1710000000", (), "2024-03-09 16:00:00"),
        ("20240105", (), "2024-01-04 16:00:00"),
        ("2024年01月01日 08:00", (), "2024-01-01 00:00:00"),
        ("昨天 08:00", (), "2026-02-04 00:00:00"),
    ],
)
def test_dates_are_read_in_their_forms(value: str, formats: tuple[str, ...], expected: str) -> None:
    found = read_mapped_date(value, formats, CHINA, NOW)

    assert str(found) == f"{expected}+00:00"


@pytest.mark.parametrize(
    ("value", "formats", "words"),
    [
        ("soon", ("%Y-%m-%d",), '"soon" does not match "%Y-%m-%d"'),
        ("2022-05-30", ("%Y/%m/%d", "iso", "%d.%m.%Y"), None),
        ("soon", ("%Y/%m/%d", "iso"), '"soon" does not match "%Y/%m/%d" or iso'),
        ("soon", ("epoch",), '"soon" does not match epoch'),
        ("nan", ("epoch",), '"nan" does not match epoch'),
        ("inf", ("epoch_ms",), '"inf" does not match epoch_ms'),
        ("9" * 30, ("epoch",), f'"{"9" * 30}" does not match epoch'),
        ("1653919229000", ("epoch",), '"1653919229000" does not match epoch'),
        ("165391922900", ("epoch",), '"165391922900" read as epoch is in the year 7211, which cannot be believed'),
        ("0", ("epoch",), '"0" read as epoch is in the year 1970, which cannot be believed'),
        ("0001-01-01", ("%Y-%m-%d",), '"0001-01-01" read as %Y-%m-%d is in the year 1, which cannot be believed'),
        ("0001-01-01Z", ("iso",), '"0001-01-01Z" does not match iso'),
        ("soon", (), '"soon" is no date that can be read'),
        ("soon", ("relative",), '"soon" does not match relative'),
        ("x" * 300, (), f'"{"x" * 80}…" is too long for a date'),
        ("2022-05-30", ("%Y-%Q",), '"2022-05-30" does not match "%Y-%Q"'),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_date_that_cannot_be_read_is_told(value: str, formats: tuple[str, ...], words: str | None) -> None:
    if words is None:
        assert read_mapped_date(value, formats, CHINA, NOW).year == 2022
        return
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the words are compared
        read_mapped_date(value, formats, CHINA, NOW)

    assert str(told.value) == words


def test_a_relative_date_needs_to_know_when_the_document_was_fetched() -> None:
    with pytest.raises(ValueError, match='"3分钟前" cannot be read: it is not known when the document was fetched'):
        read_mapped_date("3分钟前", ("relative",), CHINA, None)
