"""How conditions compare what is no text: lengths of time, counts, and times of the week."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Final
from zoneinfo import ZoneInfo

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {">=": ge, "<=": le, ">": gt, "<": lt}
"""What stands before a number that something is compared with; the longer signs come first."""


def is_compared(number: float, wanted: Sequence[str]) -> bool:
    """Tell whether a number is what one of ``wanted`` says: a sign of ``COMPARISONS`` and a number."""
    return any(compare(number, bound) for compare, bound in map(_comparison, wanted))


@lru_cache(maxsize=256)
def _comparison(text: str) -> tuple[Callable[[float, float], bool], float]:
    sign = next(sign for sign in COMPARISONS if text.startswith(sign))
    return COMPARISONS[sign], float(text.removeprefix(sign))


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A part of the time. What is None does not count; ``weekdays`` begin with Monday as 0.

    The first moment of ``after`` belongs to it, that of ``before`` does not.
    """

    zone: str = "UTC"
    weekdays: frozenset[int] | None = None
    hours: frozenset[int] | None = None
    after: datetime | None = None
    before: datetime | None = None

    def hold(self, moment: datetime) -> bool:
        """Tell whether a moment lies within."""
        local = _local(moment, ZoneInfo(self.zone))
        return (
            (self.weekdays is None or local.weekday() in self.weekdays)
            and (self.hours is None or local.hour in self.hours)
            and (self.after is None or moment >= self.after)
            and (self.before is None or moment < self.before)
        )

    def written(self) -> tuple[str, ...]:
        """Return it as the values of a condition."""
        sets = {"weekdays": self.weekdays, "hours": self.hours}
        moments = {"after": self.after, "before": self.before}
        return (
            f"zone={self.zone}",
            *(f"{name}={' '.join(map(str, sorted(one)))}" for name, one in sets.items() if one is not None),
            *(f"{name}={at.isoformat()}" for name, at in moments.items() if at is not None),
        )


@lru_cache(maxsize=256)
def read_times(values: tuple[str, ...]) -> Times:
    """Return the times that ``Times.written`` wrote."""
    parts = dict(value.split("=", 1) for value in values)
    numbers = {name: frozenset(map(int, parts[name].split())) for name in ("weekdays", "hours") if name in parts}
    moments = {name: datetime.fromisoformat(parts[name]) for name in ("after", "before") if name in parts}
    return Times(
        zone=parts["zone"],
        weekdays=numbers.get("weekdays"),
        hours=numbers.get("hours"),
        after=moments.get("after"),
        before=moments.get("before"),
    )


def _local(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # at the edges of the calendar, where zones end
        return moment.astimezone(UTC)
