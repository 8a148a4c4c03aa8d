"""Politeness: how many requests run at once on one host, and how far apart they are sent (SPEC §8)."""

import itertools
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from feedhub.errors import DeadlineError, FetchError

Pace = Callable[[str], tuple[int, float]]
"""For what a limit is counted by: how many requests at once, and how many seconds from one to the next."""

Grouping = Callable[[str], str]
"""For a host: what its limit is counted by."""


@dataclass(slots=True)
class _Use:
    """What goes on: requests under way, those of them that were not sent yet, and when the last one was sent."""

    running: int = 0
    starting: int = 0
    sent_at: float = -inf

    def add(self, other: "_Use") -> None:
        self.running += other.running
        self.starting += other.starting
        self.sent_at = max(self.sent_at, other.sent_at)


@dataclass(slots=True)
class _Lane:
    """The limit of one host or group while it is in use. ``queue`` holds who waits, and for which host, in order."""

    concurrent: int
    gap: float
    changed: threading.Condition
    use: _Use = field(default_factory=_Use)
    queue: list[tuple[int, str]] = field(default_factory=list)

    def is_free_at(self, now: float) -> bool:
        # While a request is on its way out, nobody knows yet from when its gap counts.
        is_clear = not self.gap or not self.use.starting
        return is_clear and self.use.running < self.concurrent and now >= self.free_at

    @property
    def free_at(self) -> float:
        return self.use.sent_at + self.gap


class Slot:
    """The place of one request. ``sent`` is to be called when the request has gone out."""

    def __init__(self, sent: Callable[[], None]) -> None:
        self.sent = sent


class Throttle:
    """Gives out slots per host; safe for many threads, first come first served.

    The gap counts from a request being sent to the next one being begun; a request that was never sent counts from
    when it had its slot. ``clock`` is monotonic; ``condition`` makes what callers wait on, over the lock that it is
    given.
    """

    def __init__(
        self,
        pace: Pace,
        group: Grouping = str,
        *,
        clock: Callable[[], float] = time.monotonic,
        condition: Callable[[threading.RLock], threading.Condition] = threading.Condition,
    ) -> None:
        self._pace = pace
        self._group = group
        self._clock = clock
        self._condition = condition
        self._lock = threading.RLock()
        self._tickets = itertools.count()
        self._hosts: dict[str, _Use] = {}
        self._lanes: dict[str, _Lane] = {}
        self._next_sweep = 0.0

    def reconfigure(self, pace: Pace, group: Grouping | None = None) -> None:
        """Go on under other limits. What is under way and what was sent is still counted; who waits keeps his turn."""
        with self._lock:
            self._pace = pace
            self._group = group or self._group
            old, self._lanes = self._lanes, {}
            for host, use in self._hosts.items():
                self._lane(host).use.add(use)
            for lane in old.values():
                for ticket in lane.queue:
                    insort(self._lane(ticket[1]).queue, ticket)
                lane.changed.notify_all()

    def wake(self) -> None:
        """Let everybody who waits look whether he is still wanted."""
        with self._lock:
            for lane in self._lanes.values():
                lane.changed.notify_all()

    @contextmanager
    def slot(self, host: str, patience: float, is_over: Callable[[], bool] = lambda: False) -> Iterator[Slot]:
        """Hold a slot on ``host`` for the block; wait for it at most ``patience`` seconds.

        Raises:
            DeadlineError: no slot became free in that time.
            FetchError: ``is_over`` became true while waiting (see ``wake``).
        """
        began = self._acquire(host, patience, is_over)
        is_sent = False

        def sent() -> None:
            nonlocal is_sent
            if not is_sent:
                is_sent = True
                self._change(host, _Use(starting=-1, sent_at=self._clock()))

        try:
            yield Slot(sent)
        finally:
            change = _Use(running=-1)
            if not is_sent:
                change = _Use(running=-1, starting=-1, sent_at=began)
            self._change(host, change)

    @property
    def hosts(self) -> int:
        """How many hosts are remembered."""
        return len(self._hosts)

    @property
    def waiting(self) -> int:
        """How many callers wait for a slot."""
        with self._lock:
            return sum(len(lane.queue) for lane in self._lanes.values())

    def _acquire(self, host: str, patience: float, is_over: Callable[[], bool]) -> float:
        give_up_at = self._clock() + patience
        with self._lock:
            self._sweep()
            ticket = (next(self._tickets), host)
            insort(self._lane(host).queue, ticket)
            try:
                # The lane may be another one after each wait (see ``reconfigure``).
                while not self._is_turn_of(ticket):
                    self._wait(ticket, give_up_at)
                    if is_over():
                        raise FetchError("ended before the host was asked")
                self._change(host, _Use(running=1, starting=1))
            finally:
                lane = self._lane(host)
                lane.queue.remove(ticket)
                lane.changed.notify_all()
            return self._clock()

    def _is_turn_of(self, ticket: tuple[int, str]) -> bool:
        lane = self._lane(ticket[1])
        return lane.queue[0] == ticket and lane.is_free_at(self._clock())

    def _wait(self, ticket: tuple[int, str], give_up_at: float) -> None:
        now, lane = self._clock(), self._lane(ticket[1])
        if now >= give_up_at:
            raise DeadlineError(f"too many other requests to {ticket[1]} were waiting before this one")
        wait = give_up_at - now
        if lane.queue[0] == ticket and now < lane.free_at:
            wait = min(wait, lane.free_at - now)
        lane.changed.wait(wait)

    def _change(self, host: str, change: _Use) -> None:
        with self._lock:
            self._hosts.setdefault(host, _Use()).add(change)
            lane = self._lane(host)
            lane.use.add(change)
            lane.changed.notify_all()

    def _lane(self, host: str) -> _Lane:
        key = self._group(host)
        if key not in self._lanes:
            concurrent, gap = self._pace(key)
            self._lanes[key] = _Lane(max(1, concurrent), max(0.0, gap), self._condition(self._lock))
        return self._lanes[key]

    def _sweep(self) -> None:
        """Forget idle hosts now and then, so that memory does not grow."""
        now = self._clock()
        if now < self._next_sweep:
            return
        self._next_sweep = now + 1.0
        for host, use in list(self._hosts.items()):
            if not use.running and now >= use.sent_at + self._lane(host).gap:
                del self._hosts[host]
        for key, lane in list(self._lanes.items()):
            if not lane.use.running and not lane.queue and now >= lane.free_at:
                del self._lanes[key]
