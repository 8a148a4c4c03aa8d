"""requests' adapter over connections that the dialer makes.

The adapter is used without a ``Session``: a session costs half as much CPU time again for an answer of 304, and
brings a cookie jar, the environment's proxies and redirects of its own, none of which may be used here.
"""

import ssl
import threading
from functools import partial
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from feedhub.fetch.dial import Dialer
from feedhub.fetch.watchdog import Exchange

_HOSTS_KEPT = 64


class DialedConnection(HTTPConnection):
    """A connection whose socket comes from the dialer, and is watched in every exchange it is used for."""

    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialer = dialer
        self._watched_in: Exchange | None = None

    def _new_conn(self) -> Any:
        self._watched_in = self._dialer.exchange
        # With a proxy, the target was checked before; this is the way to the proxy.
        options = self.socket_options or ()
        return self._dialer.dial(self._dns_host, self.port, options, is_trusted=self.proxy is not None)

    @property
    def is_connected(self) -> bool:
        # What the pool asks before it gives out a kept connection; one that is not connected is opened anew.
        return not self._dialer.exchange.wants_new and super().is_connected

    def request(self, *args: Any, **kwargs: Any) -> None:
        # Open already: kept from an earlier exchange, or just opened, as TLS and tunnels do before the request.
        exchange = self._dialer.exchange
        if self.sock is not None and self._watched_in is not exchange:
            exchange.attach(self.sock, reused=True)
            self._watched_in = exchange
        try:
            super().request(*args, **kwargs)
        finally:
            # A request that broke off may have arrived all the same, unless there was no connection for it.
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
        super().__init__(pool_connections=_HOSTS_KEPT, pool_maxsize=connections_per_host)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._use_dialer(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        # Under a lock, so that no other thread gets hold of a manager that does not dial through us yet.
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
        """The context has its certificates already; to load them for every connection costs 20 ms each."""

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Without cookies and encoding guesses."""
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
