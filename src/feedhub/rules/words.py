"""Lengths of time in words, wherever a sentence needs them."""

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def span(seconds: float) -> str:
    """Return a length of time in its largest sensible unit: ``40 s``, ``12 min``, ``3 h``, ``5 days``."""
    seconds = abs(seconds)
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 90 * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"


def frequency(per_day: float) -> str:
    """Return a rate as people say it: ``8 a day``, ``3 a week``, ``1 a month``."""
    for days, unit in ((1, "day"), (7, "week"), (30, "month")):
        if per_day * days >= 1:
            return f"{per_day * days:.0f} a {unit}"
    return "less than 1 a month"
