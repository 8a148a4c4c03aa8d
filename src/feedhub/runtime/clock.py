"""The one place that asks what time it is, and notices when the answer was changed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

# Corrections of a time service are smaller; what is larger was set by hand, or was a sleep of the machine.
_JUMP: Final = 30.0


def utc_now() -> datetime:
    """Return the present instant, aware UTC."""
    return datetime.now(UTC)


class ClockWatch:
    """Compares the clock on the wall with one that nobody can set.

    ``now`` gives aware UTC, ``monotonic`` seconds that only grow.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._offset = self._difference()

    def jump(self) -> float:
        """Return by how many seconds the clock was set since the last call: forward positive, 0 for none."""
        offset = self._difference()
        jump = offset - self._offset
        if abs(jump) < _JUMP:
            return 0.0
        self._offset = offset
        return jump

    def _difference(self) -> float:
        return self._now().timestamp() - self._monotonic()
