"""Answers that are costly to make and the same for everybody: made once, kept for some seconds."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """Makes a value when it is asked for and the last one is too old; who asks meanwhile waits for the same one."""

    def __init__(self, make: Callable[[], _T], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._lock = threading.Lock()
        self._made: tuple[float, _T] | None = None

    def __call__(self) -> _T:
        """Return the value; raises what making it raises, and tries again the next time."""
        with self._lock:
            if self._made is None or monotonic() - self._made[0] >= self._seconds:
                value = self._make()
                self._made = (monotonic(), value)
            return self._made[1]
