"""A loopback HTTP server with good and bad manners.

``with serve({"/feed.xml": static(b"...")}) as server: fetch(server.url("/feed.xml"))``. Routes may be added and
replaced while it runs; ``server.log`` holds every request. The responders are in ``support.responders``.
"""

import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Linux's number; elsewhere the time of reading has to do.
_SO_TIMESTAMPNS = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came. ``at`` is monotonic; header names are not case-sensitive in ``header``."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    at: float
    client_port: int
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class _Stamped(io.RawIOBase):
    """Reads a socket, and keeps when the kernel got what was read last (``time.time``)."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.at = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count, told, _, _ = self._sock.recvmsg_into([buffer], 64)
        self.at = time.time()
        for level, kind, data in told:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", data)
                self.at = seconds + nanoseconds / 1e9
        return count


class Wire(BaseHTTPRequestHandler):
    """What a responder writes to. ``stop`` is set when the server is closing: wait on it instead of sleeping."""

    protocol_version = "HTTP/1.1"
    # Nagle and delayed acknowledgements would cost 40 ms per request.
    disable_nagle_algorithm = True
    server: "_Server"

    @property
    def arrived(self) -> float:
        """When the request came in, by the kernel: this thread may have been waiting for its turn ever since."""
        return self._stamped.at

    def setup(self) -> None:
        super().setup()
        # TLS reads in its own way.
        if not isinstance(self.connection, ssl.SSLSocket):
            self._stamped = _Stamped(self.connection)
            self.rfile.close()
            self.rfile = io.BufferedReader(self._stamped)

    @property
    def stop(self) -> threading.Event:
        return self.server.stop

    def head(self, status: int, headers: Mapping[str, str] | tuple[tuple[str, str], ...] = ()) -> None:
        """Write status line and header fields in one piece; no ``Date``, no ``Server`` unless given."""
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Odd"
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in pairs), "", ""]
        self.raw("\r\n".join(lines).encode("latin-1"))

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)

    def answer(self, status: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Write a whole, correct answer."""
        length = () if status == 304 else (("Content-Length", str(len(body))),)
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in (*headers, *length)), "", ""]
        self.raw("\r\n".join(lines).encode("latin-1") + body)

    def hang_up(self) -> None:
        """Close the connection after this answer."""
        self.close_connection = True

    def reset(self) -> None:
        """Send RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.close_connection = True
        # Closed here, because the server's own way of closing begins with FIN.
        self.rfile.close()
        self.connection.close()

    def do_GET(self) -> None:
        message: Message = self.headers
        self.server.log.append(
            Received(
                method=self.command,
                path=self.path,
                headers=tuple(message.items()),
                at=time.monotonic(),
                client_port=self.client_address[1],
                body=self.rfile.read(int(message.get("Content-Length") or 0)) if self.command == "POST" else b"",
            )
        )
        routes = self.server.routes
        responder = routes.get(self.path) or routes.get(self.path.partition("?")[0]) or routes.get("*")
        if responder is None:
            self.answer(404, b"nothing here")
            return
        try:
            responder(self)
        except OSError:
            self.close_connection = True

    do_CONNECT = do_POST = do_HEAD = do_GET

    def handle(self) -> None:
        # Clients that hang up in the middle are what this server is for.
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""


Responder = Callable[[Wire], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], routes: dict[str, Responder], tls: ssl.SSLContext | None) -> None:
        self.routes = routes
        self.log: list[Received] = []
        self.stop = threading.Event()
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Wire)
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        if self._tls is not None:
            # The handshake happens in the connection's own thread, at its first read.
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections.add(sock)
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients break off on purpose."""

    def end_connections(self) -> None:
        with self._lock:
            for sock in self._connections:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class LoopbackServer:
    """A running server. ``routes`` maps a path (with or without query, ``*`` for the rest) to a responder."""

    def __init__(self, server: _Server, *, scheme: str) -> None:
        self._server = server
        self.scheme = scheme
        self.routes = server.routes
        self.log = server.log
        self.host = str(server.server_address[0])
        self.port = int(server.server_address[1])

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{self.scheme}://{name}:{self.port}{path}"

    def requests(self, path: str) -> list[Received]:
        """The requests for one path, in order."""
        return [each for each in self.log if each.path == path]


@contextmanager
def serve(
    routes: Mapping[str, Responder] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[LoopbackServer]:
    """Run a server for the block. Closing ends open connections at once, whatever responders are doing."""
    server = _Server((host, port), dict(routes or {}), tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, name="loopback-server")
    thread.start()
    try:
        yield LoopbackServer(server, scheme="https" if tls else "http")
    finally:
        server.stop.set()
        server.shutdown()
        thread.join()
        server.end_connections()
        server.server_close()


def unused_port() -> int:
    """A port on which nothing listens at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
