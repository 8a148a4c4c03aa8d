"""A series of numbers as small bars, for an SVG that a strict policy allows: no style, no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from feedhub.runtime.looking import DAYS

_STEP: Final = 4
_HEIGHT: Final = 22
_TOP: Final = 2
WIDTH: Final = DAYS * _STEP - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar; the lower edge is that of the drawing."""

    x: int
    y: int
    height: int


def bars(series: Sequence[int]) -> tuple[Bar, ...]:
    """Return a bar for each number that is not 0, the largest as high as the drawing; what is small is still seen."""
    highest = max(series, default=0)
    return tuple(
        Bar(x=place * _STEP, y=_TOP + _HEIGHT - height, height=height)
        for place, number in enumerate(series)
        if number > 0
        for height in [max(2, round(number / highest * _HEIGHT))]
    )
