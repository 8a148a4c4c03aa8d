"""Politeness: how many requests run at once on one host, and how far apart they start (SPEC §8)."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from feedhub.errors import DeadlineError


@dataclass(slots=True)
class _Host:
    """What is known about one host while it is in use. ``queue`` keeps callers in the order of their coming."""

    changed: threading.Condition
    running: int = 0
    next_start: float = 0.0
    queue: deque[object] = field(default_factory=deque)


class Throttle:
    """Gives out slots per host; safe for many threads, first come first served.

    ``gap`` is in seconds between two starts. ``clock`` is monotonic; ``condition`` makes what callers wait on,
    over the lock that it is given.
    """

    def __init__(
        self,
        concurrent: int,
        gap: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        condition: Callable[[threading.RLock], threading.Condition] = threading.Condition,
    ) -> None:
        self._concurrent = max(1, concurrent)
        self._gap = max(0.0, gap)
        self._clock = clock
        self._condition = condition
        self._lock = threading.RLock()
        self._hosts: dict[str, _Host] = {}
        self._next_sweep = 0.0

    @contextmanager
    def slot(self, host: str, patience: float) -> Iterator[None]:
        """Hold a slot on ``host`` for the block; wait for it at most ``patience`` seconds.

        Raises:
            DeadlineError: no slot became free in that time.
        """
        self._acquire(host, patience)
        try:
            yield
        finally:
            self._release(host)

    @property
    def hosts(self) -> int:
        """How many hosts are remembered."""
        return len(self._hosts)

    def _acquire(self, host: str, patience: float) -> None:
        give_up_at = self._clock() + patience
        ticket = object()
        with self._lock:
            state = self._state(host)
            state.queue.append(ticket)
            try:
                self._wait_for_turn(host, state, ticket, give_up_at)
                state.running += 1
                state.next_start = self._clock() + self._gap
            finally:
                state.queue.remove(ticket)
                state.changed.notify_all()

    def _wait_for_turn(self, host: str, state: _Host, ticket: object, give_up_at: float) -> None:
        while True:
            now = self._clock()
            is_free = state.queue[0] is ticket and state.running < self._concurrent
            if is_free and now >= state.next_start:
                return
            if now >= give_up_at:
                raise DeadlineError(f"{host} was busy with other requests for too long")
            wait = give_up_at - now
            state.changed.wait(min(wait, state.next_start - now) if is_free else wait)

    def _release(self, host: str) -> None:
        with self._lock:
            state = self._hosts[host]
            state.running -= 1
            state.changed.notify_all()

    def _state(self, host: str) -> _Host:
        """Return the state of ``host``; forget idle hosts now and then, so that memory does not grow."""
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + max(self._gap, 1.0)
            for name, state in list(self._hosts.items()):
                if not state.running and not state.queue and now >= state.next_start:
                    del self._hosts[name]
        if host not in self._hosts:
            self._hosts[host] = _Host(self._condition(self._lock))
        return self._hosts[host]
