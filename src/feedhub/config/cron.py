"""Checks cron expressions of five fields: minute, hour, day of month, month, day of week."""

import re
from dataclasses import dataclass
from typing import Final

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS: Final = "sun mon tue wed thu fri sat".split()
_PART: Final = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,4}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day of month", low=1, high=31),
    _Field(name="month", low=1, high=12, names=tuple(_MONTHS)),
    _Field(name="day of week", low=0, high=7, names=tuple(_DAYS)),
)


def parse_cron(text: str) -> str:
    """Return the expression with months as numbers and days of the week as a list of names.

    Cron counts days from Sunday = 0 (and 7), some schedulers from Monday; names mean the same everywhere.

    Raises:
        ValueError: one line that names the field.
    """
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError('expected five fields such as "*/5 9-15 * * 1-5" (minute, hour, day, month, day of week)')
    values = [_expand(part, field) for part, field in zip(fields, _FIELDS, strict=True)]
    if fields[3] != "*":
        fields[3] = ",".join(str(month) for month in sorted(values[3]))
    if fields[4] != "*":
        days = sorted({day % 7 for day in values[4]}, key=lambda day: (day - 1) % 7)
        fields[4] = ",".join(_DAYS[day] for day in days)
    return " ".join(fields)


def _expand(text: str, field: _Field) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"expected numbers, ranges, lists or steps as {field.name}")
        values.update(_range(match, field))
    return values


def _range(match: re.Match[str], field: _Field) -> range:
    if match["star"]:
        low, high = field.low, field.high
    else:
        low = _number(match["first"], field)
        high = _number(match["last"], field) if match["last"] else (field.high if match["step"] else low)
    if field.name == _FIELDS[4].name:
        # Sunday ends a week as 7; a star or an open step means seven days, not eight.
        high = 7 if high == 0 < low else high
        high = 6 if high == 7 and (match["star"] or not match["last"]) and low < 7 else high
    if low > high:
        raise ValueError(f"expected a range that goes upwards as {field.name}")
    step = int(match["step"] or 1)
    if match["step"] and not 1 <= step <= high - low:
        raise ValueError(f"expected a step within the range as {field.name}")
    return range(low, high + 1, step)


def _number(text: str, field: _Field) -> int:
    if text in field.names:
        return field.names.index(text) + field.low
    if text.isascii() and text.isdigit() and len(text) <= 2 and field.low <= int(text) <= field.high:
        return int(text)
    names = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
    raise ValueError(f"expected {field.low}-{field.high}{names} as {field.name}")
