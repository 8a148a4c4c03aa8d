"""Making connections: resolve once, ask the guard, connect only to addresses that it allows.

The check sits here, on the address that is connected to, so that no second resolution can slip another one in;
the name stays in ``Host``, SNI and the certificate check.
"""

import errno
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from feedhub.errors import FetchError, RefusedAddressError
from feedhub.fetch.guard import AddressGuard
from feedhub.fetch.watchdog import Exchange

_FAMILIES = (socket.AF_INET, socket.AF_INET6)

SocketOptions = Sequence[tuple[int, int, int | bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One resolved address, as the socket module wants it."""

    family: socket.AddressFamily
    address: tuple[str, int] | tuple[str, int, int, int]

    @property
    def ip(self) -> str:
        return self.address[0]


class UnknownNameError(FetchError):
    """The name cannot be resolved here."""


Lookup = Callable[[str, int], list[Endpoint]]


class Dialer:
    """Opens sockets for the exchange that the calling thread is in, and lets the watchdog know them."""

    def __init__(self, guard: AddressGuard, lookup: Lookup | None = None) -> None:
        self._guard = guard
        self._lookup = lookup or system_lookup
        self._thread = threading.local()

    @contextmanager
    def during(self, exchange: Exchange) -> Iterator[None]:
        """Let sockets that this thread opens or takes up in the block belong to ``exchange``."""
        self._thread.exchange = exchange
        try:
            yield
        finally:
            del self._thread.exchange

    @property
    def exchange(self) -> Exchange:
        """The exchange that the calling thread is in."""
        exchange: Exchange = self._thread.exchange
        return exchange

    def dial(self, host: str, port: int, options: SocketOptions, *, is_trusted: bool) -> socket.socket:
        """Return a connected socket. ``is_trusted`` is for the configured proxy, which is not asked about.

        Raises:
            RefusedAddressError: the guard allows none of the addresses.
            FetchError: the name is unknown, or nothing answers.
        """
        exchange = self.exchange
        endpoints = self._resolve(host, port)
        if not is_trusted:
            endpoints = self._allowed(host, port, endpoints)
        sock = _connect(endpoints, port, options, exchange)
        try:
            exchange.attach(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    def check_target(self, host: str, port: int) -> None:
        """Check what a proxy is going to be asked for, as far as the name is known here.

        The proxy resolves by itself and may choose any of the addresses, so all of them must be allowed.

        Raises:
            RefusedAddressError: one of the addresses is refused.
        """
        try:
            endpoints = self._resolve(host, port)
        except UnknownNameError:
            return
        for endpoint in endpoints:
            self._allowed(host, port, [endpoint])

    def _resolve(self, host: str, port: int) -> list[Endpoint]:
        """Return the addresses of ``host`` in the order of preference.

        Resolution cannot be interrupted, so it runs in a thread of its own that is left alone when time is up.
        """
        name = host.removeprefix("[").removesuffix("]")
        if _is_address(name):
            return system_lookup(name, port)
        answers: queue.SimpleQueue[list[Endpoint] | FetchError] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(self._lookup(name, port))
            except FetchError as exc:
                answers.put(exc)

        threading.Thread(target=work, name="feedhub-fetch-resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=self.exchange.remaining())
        except queue.Empty:
            raise self.exchange.too_late() from None
        if isinstance(answer, FetchError):
            raise answer
        return answer

    def _allowed(self, host: str, port: int, endpoints: list[Endpoint]) -> list[Endpoint]:
        refusals = {each.ip: self._guard.refusal(host, port, each.ip) for each in endpoints}
        allowed = [each for each in endpoints if refusals[each.ip] is None]
        if not allowed:
            listed = ", ".join(f"{ip} ({kind})" for ip, kind in refusals.items())
            raise RefusedAddressError(f"refused to ask {host}:{port} at {listed}; poll.allow_private would allow it")
        return allowed


def system_lookup(name: str, port: int) -> list[Endpoint]:
    """Ask the resolver of the operating system.

    Raises:
        UnknownNameError: it knows no address.
    """
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        # The resolver itself has trouble: the own network may be down, the name may be good.
        words = "name cannot be resolved at the moment" if exc.errno == socket.EAI_AGAIN else "name not found"
        raise UnknownNameError(f"{words}: {name}") from exc
    except (UnicodeError, OSError) as exc:
        raise UnknownNameError(f"name cannot be resolved: {name}") from exc
    return [
        Endpoint(family=family, address=cast("tuple[str, int]", address))
        for family, _, _, _, address in found
        if family in _FAMILIES
    ]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _connect(endpoints: list[Endpoint], port: int, options: SocketOptions, exchange: Exchange) -> socket.socket:
    """Try one address after the other; each gets its share of the time, so that a dead one cannot take all."""
    failure: FetchError | None = None
    for index, endpoint in enumerate(endpoints):
        share = exchange.remaining() / (len(endpoints) - index)
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(share)
            sock.connect(endpoint.address)
        except OSError as exc:
            sock.close()
            failure = FetchError(_why_not_connected(exc, endpoint.ip, port))
            failure.__cause__ = exc
        else:
            return sock
    exchange.remaining()
    raise failure or FetchError("the name has no address")


def _why_not_connected(error: OSError, ip: str, port: int) -> str:
    place = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
    if isinstance(error, TimeoutError):
        return f"no answer from {place}"
    if error.errno == errno.ECONNREFUSED:
        return f"connection refused by {place}"
    if error.errno:
        return f"cannot connect to {place}: {os.strerror(error.errno).lower()}"
    return f"cannot connect to {place}"
