"""Limits of hosts across workers, and the right of a worker to ask any: for as long as the database hears of it."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from feedhub.errors import DeadlineError, FetchError, StoreError
from feedhub.fetch.throttle import Grouping, Pace, Slot, Throttle
from feedhub.store.cluster import ClusterTables

log = logging.getLogger(__name__)

_SHARE_OF_TAKEOVER: Final = 0.8


def seconds_since_boot() -> float:
    """Return a time that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """The right to ask hosts. It begins with a sign of life that the database has heard, and ends by itself.

    That is before others take over, which they do ``takeover`` seconds after the last one.
    """

    def __init__(self, takeover: float, clock: Callable[[], float] = seconds_since_boot) -> None:
        self.clock = clock
        self._seconds = takeover * _SHARE_OF_TAKEOVER
        self._until = 0.0

    def renew(self, sent_at: float) -> None:
        """Go on: the database has heard what was sent at this time of the clock."""
        self._until = max(self._until, sent_at + self._seconds)

    def end(self) -> None:
        """Ask no host any more."""
        self._until = -1.0

    @property
    def is_held(self) -> bool:
        """Whether hosts may be asked."""
        return self.clock() < self._until

    def check(self) -> None:
        """Raise unless hosts may be asked.

        Raises:
            FetchError: what was to be asked is another worker's to ask by now.
        """
        if not self.is_held:
            raise FetchError("this worker was not heard of for too long, so that others take over its hosts")


class DatabaseClock:
    """The time of the database, asked for now and then; in between goes the clock of this machine."""

    def __init__(self, ask: Callable[[], datetime], clock: Callable[[], float] = seconds_since_boot) -> None:
        self._ask = ask
        self._clock = clock
        self.set()

    def set(self) -> None:
        """Ask for the time."""
        before = self._clock()
        at = self._ask()
        self._at, self._when = at, (before + self._clock()) / 2

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""
        return self._at + timedelta(seconds=self._clock() - self._when)


_ASK_AGAIN: Final = 0.2


class SharedThrottle(Throttle):
    """Limits of hosts for one worker among many.

    A job has its host for itself, and is limited as the requests of a daemon are. A request to another host, such as
    a redirect or the page of an article, is a guest there: it waits until no other worker asks that host, and asks the
    job that has it to end early. ``lease_of_guests`` is how many seconds a request may last.
    """

    def __init__(
        self, pace: Pace, group: Grouping, *, hosts: ClusterTables, lease: Lease, lease_of_guests: float
    ) -> None:
        super().__init__(pace, group)
        self._tables = hosts
        self._lease = lease
        self.lease_of_guests = lease_of_guests
        self._own: set[str] = set()
        self._inside: Counter[str] = Counter()
        self._left = threading.Condition()

    @contextmanager
    def serving(self, host: str) -> Iterator[None]:
        """Have a host, by its key, for the block; at the end nobody here asks it any more."""
        with self._left:
            self._own.add(host)
        try:
            yield
        finally:
            with self._left:
                self._own.discard(host)
                self._left.wait_for(lambda: not self._inside[host])
                del self._inside[host]

    @contextmanager
    def slot(self, host: str, timeout: float, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[Slot]:
        """See ``Throttle.slot``; raises FetchError also where the worker lost its right, or a host is closed."""
        self._lease.check()
        with (
            self._admitted(self._group(host), timeout, is_cancelled),
            super().slot(host, timeout, is_cancelled) as slot,
        ):
            self._lease.check()
            yield slot

    @contextmanager
    def _admitted(self, key: str, timeout: float, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        with self._left:
            is_own = key in self._own
            self._inside[key] += is_own
        if not is_own:
            with self._as_guest(key, timeout, is_cancelled):
                yield
            return
        try:
            yield
        finally:
            with self._left:
                self._inside[key] -= 1
                self._left.notify_all()

    @contextmanager
    def _as_guest(self, key: str, timeout: float, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        guest = random.getrandbits(62)
        give_up_at = time.monotonic() + timeout
        try:
            while not self._tables.enter(key, guest, lease=self.lease_of_guests, gap=self._pace(key)[1]):
                self._wait_as_guest(key, give_up_at, is_cancelled)
        except StoreError as error:
            raise FetchError(f"{key} was not asked, because others may do so: {error}") from error
        try:
            yield
        finally:
            # Where this fails, the time of the guest ends by itself.
            with suppress(StoreError):
                self._tables.leave(key, guest)

    def _wait_as_guest(self, key: str, give_up_at: float, is_cancelled: Callable[[], bool]) -> None:
        closed_for = self._tables.want(key)
        if closed_for > 0:
            raise FetchError(f"{key} asked not to be asked for another {closed_for:.0f} s")
        if time.monotonic() >= give_up_at:
            raise DeadlineError(f"too many other requests to {key} were waiting before this one")
        time.sleep(_ASK_AGAIN)
        self._lease.check()
        if is_cancelled():
            raise FetchError("ended before the host was asked")
