"""One thread that ends exchanges whose time is up.

A read timeout counts from byte to byte, so a server that sends its header slowly never trips it, and a deadline that
is checked between reads is not looked at while the header is being read. The socket has to be shut down from outside.
"""

import heapq
import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from feedhub.errors import DeadlineError, TooLargeError


class Exchange:
    """One request and its answer, under a deadline on the monotonic clock and a limit of bytes. A context manager.

    ``when_sent`` is called when the request has gone out, or as much of it as could be written. With
    ``needs_new_connection`` no kept connection is used. ``expired`` must be asked after the exchange: a connection that
    was shut down looks like a complete answer (requests returns status 200 with a cut header).
    """

    __slots__ = (
        "_lock",
        "_open",
        "_sockets",
        "deadline",
        "expired",
        "most_received",
        "needs_new_connection",
        "received",
        "reused",
        "total",
        "when_sent",
    )

    def __init__(self, timeout: float, total: float, when_sent: Callable[[], None]) -> None:
        self.total = total
        self.when_sent = when_sent
        self.needs_new_connection = False
        self.most_received = sys.maxsize
        self.received = 0
        self.deadline = time.monotonic() + timeout
        self.expired = False
        self.reused = False
        self._open = True
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            DeadlineError: none are left.
        """
        left = self.deadline - time.monotonic()
        if left <= 0 or self.expired:
            raise self.deadline_error()
        return left

    def deadline_error(self) -> DeadlineError:
        """Return the error for an exchange that took too long."""
        return DeadlineError(f"no complete answer within {self.total:g} s")

    def receive(self, count: int) -> None:
        """Count bytes that came over the connection, whatever they are: header, text, or what frames its pieces.

        Raises:
            TooLargeError: more than ``most_received``.
        """
        self.received += count
        if self.received > self.most_received:
            raise TooLargeError("the answer is larger than it may be, with all that frames it")

    def attach(self, sock: socket.socket, *, reused: bool = False) -> None:
        """Give a socket to the exchange, so that the watchdog can shut it down.

        A duplicate is kept, because wrapping a socket in TLS takes the descriptor away from the plain one.
        """
        with self._lock:
            if self.expired:
                raise self.deadline_error()
            self.reused = reused
            self._sockets.append(socket.fromfd(sock.fileno(), sock.family, sock.type))

    def close_sockets(self) -> None:
        """Close the duplicates of sockets that did not connect, which would keep the attempt going."""
        with self._lock:
            self._close_sockets()

    def expire(self) -> None:
        """Shut the sockets down unless the exchange is over; called by the watchdog."""
        with self._lock:
            if not self._open:
                return
            self.expired = True
            for sock in self._sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    @property
    def is_over(self) -> bool:
        return not self._open

    @property
    def is_time_up(self) -> bool:
        """Whether the deadline has passed; an exchange may also have ``expired`` because the fetcher was closed."""
        return time.monotonic() >= self.deadline

    def __enter__(self) -> "Exchange":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._open = False
            self._close_sockets()

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()


class Watchdog:
    """Ends exchanges at their deadlines. Its thread starts with the first one."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Exchange]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, timeout: float, total: float, when_sent: Callable[[], None] = lambda: None) -> Exchange:
        """Begin an exchange that is ended in ``timeout`` seconds, which are what is left of ``total``."""
        exchange = Exchange(timeout, total, when_sent)
        with self._changed:
            if self._closed:
                exchange.expire()
                return exchange
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feedhub-fetch-watchdog", daemon=True)
                self._thread.start()
            is_earliest = not self._heap or exchange.deadline < self._heap[0][0]
            heapq.heappush(self._heap, (exchange.deadline, next(self._numbers), exchange))
            if is_earliest:
                self._changed.notify()
        return exchange

    def close(self) -> None:
        """End all exchanges now, and those that begin later at once; stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
            pending = [exchange for _, _, exchange in self._heap]
        for exchange in pending:
            exchange.expire()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                due = self._next_due()
                if due is None:
                    return
            due.expire()

    def _next_due(self) -> Exchange | None:
        """Wait for the next deadline of an open exchange; None when closed. Called with the lock held."""
        while not self._closed:
            while self._heap and self._heap[0][2].is_over:
                heapq.heappop(self._heap)
            if not self._heap:
                self._changed.wait()
                continue
            wait = self._heap[0][0] - time.monotonic()
            if wait <= 0:
                return heapq.heappop(self._heap)[2]
            self._changed.wait(wait)
        return None
