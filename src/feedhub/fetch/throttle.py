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
"""Answers for a key of ``Grouping``: how many requests at once, and how many seconds from one to the next."""

Grouping = Callable[[str], str]
"""Answers for a host under which key its requests are counted: its own name, or that of its group."""


@dataclass(slots=True)
class _Usage:
    """Requests under way, those of them that were not sent yet, and when the last one was sent."""

    running: int = 0
    starting: int = 0
    sent_at: float = -inf

    def add(self, other: "_Usage") -> None:
        self.running += other.running
        self.starting += other.starting
        self.sent_at = max(self.sent_at, other.sent_at)


@dataclass(slots=True)
class _Limit:
    """The limit of one host or group while it is used. ``queue`` holds the number and host of requests that wait."""

    concurrent: int
    gap: float
    changed: threading.Condition
    usage: _Usage = field(default_factory=_Usage)
    queue: list[tuple[int, str]] = field(default_factory=list)

    def is_free_at(self, now: float) -> bool:
        # Until a request is sent, it is not known from when its gap counts.
        is_clear = not self.gap or not self.usage.starting
        return is_clear and self.usage.running < self.concurrent and now >= self.free_at

    @property
    def free_at(self) -> float:
        return self.usage.sent_at + self.gap


class Slot:
    """The permission for one request. ``sent`` is to be called when the request has gone out."""

    def __init__(self, sent: Callable[[], None]) -> None:
        self.sent = sent


class Throttle:
    """Gives out slots per host, in the order in which they were asked for; safe for many threads.

    The gap is counted from the sending of a request to the beginning of the next; a request that was never sent counts
    from when it got its slot. ``clock`` is monotonic; ``condition`` makes what callers wait on, over a given lock.
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
        self._hosts: dict[str, _Usage] = {}
        self._limits: dict[str, _Limit] = {}
        self._next_sweep = 0.0

    def reconfigure(self, pace: Pace, group: Grouping | None = None) -> None:
        """Go on under other limits. Requests under way and sent are still counted; waiting ones keep their place."""
        with self._lock:
            self._pace = pace
            self._group = group or self._group
            old, self._limits = self._limits, {}
            for host, use in self._hosts.items():
                self._limit(host).usage.add(use)
            for limit in old.values():
                for ticket in limit.queue:
                    insort(self._limit(ticket[1]).queue, ticket)
                limit.changed.notify_all()

    def wake(self) -> None:
        """Let every waiting caller ask its ``is_cancelled`` again."""
        with self._lock:
            for limit in self._limits.values():
                limit.changed.notify_all()

    @contextmanager
    def slot(self, host: str, timeout: float, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[Slot]:
        """Hold a slot on ``host`` for the block, after waiting for it for at most ``timeout`` seconds.

        Raises:
            DeadlineError: no slot became free in that time.
            FetchError: ``is_cancelled`` became true while waiting (see ``wake``).
        """
        began = self._acquire(host, timeout, is_cancelled)
        is_sent = False

        def sent() -> None:
            nonlocal is_sent
            if not is_sent:
                is_sent = True
                self._change(host, _Usage(starting=-1, sent_at=self._clock()))

        try:
            yield Slot(sent)
        finally:
            change = _Usage(running=-1)
            if not is_sent:
                change = _Usage(running=-1, starting=-1, sent_at=began)
            self._change(host, change)

    @property
    def hosts(self) -> int:
        """How many hosts are remembered."""
        return len(self._hosts)

    @property
    def waiting(self) -> int:
        """How many callers wait for a slot."""
        with self._lock:
            return sum(len(limit.queue) for limit in self._limits.values())

    def _acquire(self, host: str, timeout: float, is_cancelled: Callable[[], bool]) -> float:
        give_up_at = self._clock() + timeout
        with self._lock:
            self._sweep()
            ticket = (next(self._tickets), host)
            insort(self._limit(host).queue, ticket)
            try:
                # ``reconfigure`` may have exchanged the limit during each wait.
                while not self._is_turn_of(ticket):
                    self._wait(ticket, give_up_at)
                    if is_cancelled():
                        raise FetchError("ended before the host was asked")
                self._change(host, _Usage(running=1, starting=1))
            finally:
                limit = self._limit(host)
                limit.queue.remove(ticket)
                limit.changed.notify_all()
            return self._clock()

    def _is_turn_of(self, ticket: tuple[int, str]) -> bool:
        limit = self._limit(ticket[1])
        return limit.queue[0] == ticket and limit.is_free_at(self._clock())

    def _wait(self, ticket: tuple[int, str], give_up_at: float) -> None:
        now, limit = self._clock(), self._limit(ticket[1])
        if now >= give_up_at:
            raise DeadlineError(f"too many other requests to {ticket[1]} were waiting before this one")
        wait = give_up_at - now
        if limit.queue[0] == ticket and now < limit.free_at:
            wait = min(wait, limit.free_at - now)
        limit.changed.wait(wait)

    def _change(self, host: str, change: _Usage) -> None:
        with self._lock:
            self._hosts.setdefault(host, _Usage()).add(change)
            limit = self._limit(host)
            limit.usage.add(change)
            limit.changed.notify_all()

    def _limit(self, host: str) -> _Limit:
        key = self._group(host)
        if key not in self._limits:
            concurrent, gap = self._pace(key)
            self._limits[key] = _Limit(max(1, concurrent), max(0.0, gap), self._condition(self._lock))
        return self._limits[key]

    def _sweep(self) -> None:
        """Forget idle hosts, once a second at most, so that memory does not grow."""
        now = self._clock()
        if now < self._next_sweep:
            return
        self._next_sweep = now + 1.0
        for host, use in list(self._hosts.items()):
            if not use.running and now >= use.sent_at + self._limit(host).gap:
                del self._hosts[host]
        for key, limit in list(self._limits.items()):
            if not limit.usage.running and not limit.queue and now >= limit.free_at:
                del self._limits[key]
