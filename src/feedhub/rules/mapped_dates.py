"""Dates of mapped sources, in the forms that their configuration names (SPEC §3.1, §3.2)."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from feedhub.model.mapping import NAMED_FORMATS
from feedhub.rules.dates import parse_date
from feedhub.rules.mapped_values import shown

_PER_SECOND: Final = {"epoch": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_FIRST_YEAR, _LAST_YEAR = 1990, 2100  # as in rules/dates: 0001-01-01 and 1970-01-01 stand for "no date"
_LONGEST: Final = 200
_LONG_FRACTION: Final = re.compile(r"(?<=\d[.,:])(\d{6})\d+")


def read_mapped_date(value: str, formats: tuple[str, ...], zone: tzinfo, now: datetime | None) -> datetime:
    """Return the instant that ``value`` names in one of ``formats``, in UTC; without formats, in any known form.

    Formats are strptime patterns, ``iso``, ``epoch``, ``epoch_ms``, ``epoch_us`` or ``relative``. A date without a
    zone is taken in ``zone``. ``relative`` (``今天 16:25``, ``3分钟前``) needs ``now``.

    Raises:
        ValueError: ``"…" does not match "%Y-%m-%d"``.
    """
    text = " ".join(value.split())
    if len(text) > _LONGEST:
        raise ValueError(f"{shown(text)} is too long for a date")
    if not formats:
        found = parse_date(text, zone=zone, now=now)
        if found is None:
            raise ValueError(f"{shown(text)} is no date that can be read")
        return found
    for form in formats:
        moment = _read(text, form, zone, now)
        if moment is not None:
            if _FIRST_YEAR <= moment.year <= _LAST_YEAR:
                return moment
            raise ValueError(f"{shown(text)} read as {form} is in the year {moment.year}, which cannot be believed")
    if "relative" in formats and now is None:
        raise ValueError(f"{shown(text)} cannot be read: it is not known when the document was fetched")
    raise ValueError(f"{shown(text)} does not match {' or '.join(_quoted(form) for form in formats)}")


def _quoted(form: str) -> str:
    return form if form in NAMED_FORMATS else f'"{form}"'


def _read(text: str, form: str, zone: tzinfo, now: datetime | None) -> datetime | None:
    try:
        if form in _PER_SECOND:
            return _from_epoch(text, _PER_SECOND[form])
        if form == "iso":
            return _in_utc(datetime.fromisoformat(text), zone)
        if form == "relative":
            return parse_date(text, zone=zone, now=now) if now else None
        return _from_pattern(text, form, zone)
    except (ValueError, OverflowError, IndexError, re.error):
        return None


def _from_epoch(text: str, per_second: int) -> datetime | None:
    number = int(text) if text.lstrip("-").isdecimal() else float(text)
    if not math.isfinite(number):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(number * (1_000_000 // per_second)))


def _from_pattern(text: str, form: str, zone: tzinfo) -> datetime:
    if "%f" in form:
        text = _LONG_FRACTION.sub(r"\1", text)  # strptime knows six digits, some services write nine
    return _in_utc(datetime.strptime(text, form), zone)  # noqa: DTZ007 - the zone is put in by _in_utc


def _in_utc(moment: datetime, zone: tzinfo) -> datetime:
    if not 1 < moment.year < 9999:
        return moment.replace(tzinfo=UTC)  # where calendars end, zones cannot be counted
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
