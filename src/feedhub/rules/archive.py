"""How the items of an output are divided into months and parts, so that what is old stays as it is (RFC 5005 §4)."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from feedhub.model.output import Mark, Part

PART_SIZE: Final = 100
"""Items of one part. A change of it renames the files of every archive."""
_DECEMBER: Final = 12
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def month_of(instant: datetime, zone: tzinfo) -> str:
    """Return the month of an instant, ``YYYY-MM``; at the edges of the calendar, where zones end, in UTC."""
    try:
        local = instant.astimezone(zone)
    except OverflowError:
        local = instant.astimezone(UTC)
    return f"{local.year:04}-{local.month:02}"


def month_bounds(month: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return when a month begins and when the next one does, in UTC."""
    year, number = int(month[:4]), int(month[5:])
    begins = _in_utc(year, number, zone)
    if (year, number) == (_LAST.year, _DECEMBER):
        return begins, _LAST
    return begins, _in_utc(*((year + 1, 1) if number == _DECEMBER else (year, number + 1)), zone)


def _in_utc(year: int, month: int, zone: tzinfo) -> datetime:
    if (year, month) == (_FIRST.year, 1):
        return _FIRST
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def parts_in(count: int) -> int:
    """Return into how many parts a month of ``count`` items is divided."""
    return -(-count // PART_SIZE)


def closed_parts(month: str, count: int, *, is_newest: bool, entries: int) -> tuple[Part, ...]:
    """Return the parts of a month that are written, oldest first.

    The newest part of the newest month is still growing. It is written only when it holds more than the ``entries``
    that the feed itself shows: else whoever reads the feed and its archive has seen everything without it.
    """
    parts = parts_in(count)
    newest = count - (parts - 1) * PART_SIZE
    written = parts - 1 if parts and is_newest and newest <= entries else parts
    return tuple(Part(month=month, number=number) for number in range(1, written + 1))


def marks_of(part: Part, marks: Sequence[Mark], first: int = 1) -> tuple[Mark, ...]:
    """Return the items of a part, newest first; ``marks`` are those of its month from part ``first`` on, likewise."""
    oldest_first = marks[::-1]
    return tuple(oldest_first[(part.number - first) * PART_SIZE : (part.number - first + 1) * PART_SIZE][::-1])
