"""Making connections: a name is resolved once, and only addresses that the guard allows are connected to.

The check is made here, on the address that is connected to, so that no second resolution can give another one. The
name stays in ``Host``, SNI and the certificate check.
"""

import errno
import http.client
import io
import os
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from feedhub.errors import FetchError, RefusedAddressError, UnreachableError
from feedhub.fetch.guard import AddressGuard
from feedhub.fetch.watchdog import Exchange

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_OWN_NETWORK = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})
# Seconds after which a thread that waits for the resolver checks whether its fetch was ended.
_CHECK_INTERVAL = 0.25

SocketOptions = Sequence[tuple[int, int, int | bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One resolved address, as the socket module wants it."""

    family: socket.AddressFamily
    address: tuple[str, int] | tuple[str, int, int, int]

    @property
    def ip(self) -> str:
        return self.address[0]


class UnknownNameError(UnreachableError):
    """The name cannot be resolved here."""


Lookup = Callable[[str, int], list[Endpoint]]


class Dialer:
    """Opens sockets for the exchange that the calling thread is in, and gives them to that exchange."""

    def __init__(self, guard: AddressGuard, lookup: Lookup | None = None) -> None:
        self._guard = guard
        self._lookup = lookup or system_lookup
        self._thread = threading.local()

    @contextmanager
    def during(self, exchange: Exchange) -> Iterator[None]:
        """Give sockets that this thread opens or reuses in the block to ``exchange``."""
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
        """Return a connected socket. ``is_trusted`` is for the configured proxy, of which the guard is not asked.

        Raises:
            RefusedAddressError: the guard allows none of the addresses.
            UnreachableError: the name is unknown, or nothing answers.
        """
        try:
            endpoints = self._resolve(host, port)
            if not is_trusted:
                endpoints = self._allowed(host, port, endpoints)
            return _connect(endpoints, host, port, options, self.exchange)
        except UnreachableError as exc:
            if is_trusted:
                raise UnreachableError(f"cannot reach the proxy: {exc}", own_network=exc.own_network) from exc
            raise

    def check_target(self, host: str, port: int) -> None:
        """Check the target of a request through a proxy, as far as its name is known here.

        The proxy resolves by itself and may choose any of the addresses, so all of them must be allowed.

        Raises:
            RefusedAddressError: one of the addresses is refused, or a name that is unknown here looks like one.
        """
        try:
            endpoints = self._resolve(host, port)
        except UnknownNameError as exc:
            if kind := self._guard.refusal_of_unknown(host, port):
                reason = f"refused to ask a proxy for {host}:{port} ({kind}); poll.allow_private would allow it"
                raise RefusedAddressError(reason) from exc
            return
        for endpoint in endpoints:
            self._allowed(host, port, [endpoint])

    def _resolve(self, host: str, port: int) -> list[Endpoint]:
        """Return the addresses of ``host`` in the order of preference.

        Resolution cannot be interrupted, so it runs in a thread of its own, which is abandoned when time is up.
        """
        name = host.removeprefix("[").removesuffix("]")
        if _is_address(name):
            return system_lookup(name, port)
        exchange = self.exchange
        answers: queue.SimpleQueue[list[Endpoint] | FetchError] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(self._lookup(name, port))
            except FetchError as exc:
                answers.put(exc)

        threading.Thread(target=work, name="feedhub-fetch-resolve", daemon=True).start()
        while not exchange.is_time_up:
            with suppress(queue.Empty):
                answer = answers.get(timeout=min(exchange.remaining(), _CHECK_INTERVAL))
                if isinstance(answer, FetchError):
                    raise answer
                return answer
        # A name server that does not answer is taken for one that cannot be reached.
        raise UnreachableError(_no_name_server(name), own_network=True)

    def _allowed(self, host: str, port: int, endpoints: list[Endpoint]) -> list[Endpoint]:
        refusals = {each.ip: self._guard.refusal(host, port, each.ip) for each in endpoints}
        allowed = [each for each in endpoints if refusals[each.ip] is None]
        if endpoints and not allowed:
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
        if exc.errno == socket.EAI_AGAIN:
            raise UnknownNameError(_no_name_server(name), own_network=True) from exc
        raise UnknownNameError(f"host name not found: {name}") from exc
    except UnicodeError as exc:
        raise UnknownNameError(f"not a possible host name: {name}") from exc
    except OSError as exc:
        is_own = exc.errno in _OWN_NETWORK
        raise UnknownNameError(f"host name cannot be looked up: {name}", own_network=is_own) from exc
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


def _no_name_server(name: str) -> str:
    return f"host name cannot be looked up at the moment: {name} (no name server answers; is this machine online?)"


def _connect(
    endpoints: list[Endpoint], host: str, port: int, options: SocketOptions, exchange: Exchange
) -> socket.socket:
    """Try one address after the other; each gets its share of the time, so that a dead one cannot use it all."""
    failures: list[UnreachableError] = []
    for index, endpoint in enumerate(endpoints):
        if exchange.is_time_up:
            break
        share = exchange.remaining() / (len(endpoints) - index)
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            # The watchdog gets it before it is connected, so that closing need not wait for a silent host.
            exchange.attach(sock)
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(share)
            sock.connect(endpoint.address)
        except OSError as exc:
            sock.close()
            exchange.close_sockets()
            if exchange.expired and not exchange.is_time_up:
                raise exchange.deadline_error() from exc
            failures.append(_not_connected(exc, endpoint.ip, host, port, exchange))
            failures[-1].__cause__ = exc
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    # A failure of our own network, as for a family this machine has no route for, counts only if all failed so.
    raise next((each for each in failures if not each.own_network), None) or (
        failures[-1] if failures else UnreachableError(f"the name {host} has no address")
    )


def _not_connected(error: OSError, ip: str, host: str, port: int, exchange: Exchange) -> UnreachableError:
    place = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
    if host.strip("[]") != ip:
        place = f"{host} ({place})"
    # The watchdog may have shut the socket down before its own timeout.
    if isinstance(error, TimeoutError) or exchange.is_time_up:
        return UnreachableError(f"no answer from {place} within {exchange.total:g} s")
    if error.errno == errno.ECONNREFUSED:
        return UnreachableError(f"connection refused by {place}")
    if error.errno in _OWN_NETWORK:
        return UnreachableError(f"no way to {place}: {os.strerror(error.errno).lower()}", own_network=True)
    why = f": {os.strerror(error.errno).lower()}" if error.errno else ""
    return UnreachableError(f"cannot connect to {place}{why}")


_POOLED_HOSTS = 64
_MOST_INTERIM = 10


class _Counted(io.RawIOBase):
    """Counts what is read from a socket."""

    def __init__(self, raw: io.RawIOBase, exchange: Exchange) -> None:
        self._raw = raw
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        self._exchange.receive(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """The final answer to a request: what is said before it (RFC 9110 §15.2) is passed over.

    The standard library passes over 100 only, and takes 102 and 103 for an answer without a body.
    """

    def __init__(self, exchange: Exchange, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What frames the chunks of a body never comes to those who read it.
        self.fp = io.BufferedReader(_Counted(self.fp.detach(), exchange))

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine("interim answers without end")


class DialedConnection(HTTPConnection):
    """A connection whose socket comes from the dialer and belongs to each exchange that uses it."""

    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialer = dialer
        self._exchange: Exchange | None = None

    @property
    def response_class(self) -> Any:  # type: ignore[override]
        """What http.client makes answers of, also that of a proxy to CONNECT."""
        return partial(_FinalResponse, self._dialer.exchange)

    def _new_conn(self) -> Any:
        self._exchange = self._dialer.exchange
        # With a proxy, the target was checked before, and this is the connection to the proxy.
        options = self.socket_options or ()
        return self._dialer.dial(self._dns_host, self.port, options, is_trusted=self.proxy is not None)

    @property
    def is_connected(self) -> bool:
        # The pool asks this before it gives out a kept connection, and opens one that is not connected anew.
        return not self._dialer.exchange.needs_new_connection and super().is_connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        # The socket is open already if it was kept from an earlier exchange, or opened for TLS or a tunnel.
        exchange = self._dialer.exchange
        if self.sock is not None and self._exchange is not exchange:
            exchange.attach(self.sock, reused=True)
            self._exchange = exchange
        try:
            super().request(*args, **kwargs)
        finally:
            # A request that broke off may have arrived all the same, if there was a connection for it.
            if self.sock is not None:
                exchange.when_sent()


class DialedTlsConnection(DialedConnection, HTTPSConnection):
    """The same with TLS; the order of the bases puts the dialing above urllib3's two classes."""


class DialedAdapter(HTTPAdapter):
    """Sends prepared requests; safe for many threads. ``ca_bundle`` replaces the bundle that requests brings."""

    def __init__(self, dialer: Dialer, *, connections_per_host: int, ca_bundle: str | None = None) -> None:
        self._dialer = dialer
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.RLock()
        super().__init__(pool_connections=_POOLED_HOSTS, pool_maxsize=connections_per_host)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._use_dialer(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        # Under a lock, so that no other thread gets a manager before it uses our dialer.
        with self._lock:
            if proxy not in self.proxy_manager:
                self._use_dialer(super().proxy_manager_for(proxy, proxy_ssl_context=self._tls_context(), **kwargs))
            return cast("ProxyManager", self.proxy_manager[proxy])

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: object, cert: object = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, True, None)
        if host["scheme"] == "https":
            pool["ssl_context"] = self._tls_context()
        return host, pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the context has its certificates already, and loading them for a connection takes 20 ms."""

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Return a response of requests, without the cookies and the guess at the encoding that it would add."""
        response = requests.Response()
        response.status_code = resp.status
        response.headers.update(resp.headers)
        response.raw = resp
        response.request = req
        return response

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = create_urllib3_context()
                self._tls.load_verify_locations(cafile=self._ca_bundle or DEFAULT_CA_BUNDLE_PATH)
            return self._tls

    def _use_dialer(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = cast(
            "dict[str, type[HTTPConnectionPool]]",
            {
                "http": partial(_pool, HTTPConnectionPool, DialedConnection, self._dialer),
                "https": partial(_pool, HTTPSConnectionPool, DialedTlsConnection, self._dialer),
            },
        )


def _pool(
    kind: type[HTTPConnectionPool],
    connection: type[DialedConnection],
    dialer: Dialer,
    host: str,
    port: int,
    **kwargs: Any,
) -> HTTPConnectionPool:
    pool = kind(host, port, **kwargs)
    pool.ConnectionCls = cast("type[DialedConnection]", partial(connection, dialer=dialer))
    return pool
