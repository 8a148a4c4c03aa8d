"""The web server: a thread with an event loop of its own, alone or in the process of the daemon.

It speaks HTTP/1.1 by uvicorn and h11, with time limits, so that no slow client holds a connection (guarantee 16). A
plain GET of a cached file is answered with prepared bytes before h11 sees it, which is several times faster
(docs/decisions/0012). Every other request goes through h11.
"""

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from feedhub.errors import ServeError
from feedhub.model.output import OutputSettings
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.settings import ConfigFault, WebSettings
from feedhub.runtime.hub import Hub
from feedhub.web.app import WebApp
from feedhub.web.files import PublishedFiles
from feedhub.web.metrics import Metrics

log = logging.getLogger(__name__)

_BACKLOG: Final = 256
_GRACE: Final = 3
_STATUS_LINES: Final = {200: b"HTTP/1.1 200 OK\r\n", 304: b"HTTP/1.1 304 Not Modified\r\n"}
_LARGEST_JOINED: Final = 32_768
_TOO_MANY_CONNECTIONS: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 21\r\n\r\ntoo many connections\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds for a whole request to come in, and for an idle connection; a client must take ``stall_bytes`` of its
    answer in ``stall`` seconds. ``head`` is the largest header of a request in bytes."""

    connections: int = 256
    request: float = 10.0
    idle: float = 15.0
    stall: float = 20.0
    stall_bytes: int = 20_000
    head: int = 16_384


class GuardedProtocol(H11Protocol):
    """One connection. uvicorn makes the objects, so a subclass has ``files`` and ``limits`` as attributes."""

    files: PublishedFiles
    limits: Limits

    _request_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; refuse a connection beyond the limit."""
        super().connection_made(transport)
        # asyncio sets this only for sockets made with the protocol's number. Without it a small answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # From the first byte that waits for the client, so that a client which reads nothing is noticed too.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > self.limits.connections:
            transport.write(_TOO_MANY_CONNECTIONS)
            transport.close()
            return
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._end_request_timer()
        self._end_stall_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a simple request at once, give others to h11, and limit the time in which a request comes in."""
        if self.transport.is_closing():
            return
        if self._is_idle() and (answer := self.files.fast_answer(data)) is not None:
            self._end_request_timer()
            self._unset_keepalive_if_required()
            # The date comes first, as uvicorn writes it.
            date = b"".join(b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)
            head = _STATUS_LINES[answer.status] + date + answer.header_bytes
            if len(answer.body) <= _LARGEST_JOINED:
                self.transport.write(head + answer.body)
            else:
                self.transport.write(head)
                self.transport.write(answer.body)
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            return
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._await_request()
        else:
            self._end_request_timer()

    def pause_writing(self) -> None:
        """Watch a client that is slower than the server."""
        super().pause_writing()
        if self._stall_timer is None:
            # What is written after this call counts too, so that nothing is expected of the first span.
            self._watch_progress(sys.maxsize)

    def resume_writing(self) -> None:
        """Stop watching: everything was sent."""
        super().resume_writing()
        self._end_stall_timer()

    def _is_idle(self) -> bool:
        conn = self.conn
        return (
            conn.our_state is h11.IDLE
            and conn.their_state is h11.IDLE
            and not self.flow.write_paused
            and not conn.trailing_data[0]
        )

    def _await_request(self) -> None:
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(self.limits.request, self.transport.abort)

    def _end_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _watch_progress(self, before: int) -> None:
        self._stall_timer = self.loop.call_later(self.limits.stall, partial(self._check_progress, before))

    def _check_progress(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left > before - self.limits.stall_bytes and left:
            self.transport.abort()
        else:
            self._watch_progress(left)

    def _end_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def protocol_of(files: PublishedFiles, limits: Limits) -> type[GuardedProtocol]:
    """Return the protocol of one server."""
    return type("Protocol", (GuardedProtocol,), {"files": files, "limits": limits})


class WebServer:
    """Serves what a hub publishes and its store contains. Read-only; starts no poll.

    ``hub`` returns the present hub, which a reload exchanges. ``metrics`` are what the daemon counts; without them
    ``/metrics`` is about the store only. ``fault`` returns what is wrong with the saved configuration. Results that
    cost much are used again for ``max_age`` seconds.
    """

    def __init__(
        self,
        hub: Callable[[], Hub],
        settings: WebSettings,
        *,
        metrics: Metrics | None = None,
        fault: Callable[[], ConfigFault | None] = lambda: None,
        limits: Limits | None = None,
        max_age: float = 5.0,
    ) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        self._app = WebApp(hub, metrics, fault=fault, max_age=max_age, largest_head=self._limits.head)
        self._address = _address(settings.host, settings.port)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._server: Server | None = None

    @property
    def address(self) -> str:
        """Where the server listens, as ``http://HOST:PORT``."""
        return self._address

    @property
    def words(self) -> str:
        """The address to open, and whether other machines reach it, too."""
        host, _, port = self._address.removeprefix("http://").rpartition(":")
        is_any = host in ("0.0.0.0", "[::]")  # noqa: S104 - only told of
        return f"http://localhost:{port}/, and on every address of this machine" if is_any else f"{self._address}/"

    def start(self) -> None:
        """Listen, and serve in a thread.

        Raises:
            ServeError: the address is in use, not ours, or no address.
        """
        self._socket = _listening(self._settings.host, self._settings.port)
        self._address = _address(*self._socket.getsockname()[:2])
        self._server = Server(self._config())
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        log.info("serving on %s", self.words)

    def stop(self, timeout: float = 5.0) -> None:
        """Stop listening, and let answers under way end for at most ``timeout`` seconds. May be called again."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.should_exit = True
        thread.join(max(0.0, timeout - 1))
        server.force_exit = True
        thread.join(1)
        if self._socket is not None:
            self._socket.close()
        self._app.close()
        self._server = self._thread = None

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def _config(self) -> Config:
        limits = self._limits
        return Config(
            self._app,
            http=protocol_of(self._app.files, limits),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=limits.idle,  # type: ignore[arg-type]  # seconds of call_later, whole or not
            timeout_graceful_shutdown=_GRACE,
            h11_max_incomplete_event_size=limits.head,
        )

    def _run(self) -> None:
        assert self._server is not None  # noqa: S101 - tells the type checker
        assert self._socket is not None  # noqa: S101
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except Exception:
            log.exception("the web server ended unexpectedly")


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as exc:
        # The standard library adds the address to the text. A ValueError says that no host can have such a name.
        reason = (getattr(exc, "strerror", None) or str(exc)).partition(" (while ")[0].lower()
        raise ServeError(
            f"web server cannot listen on {_address(host, port)}: {reason}; choose another with web.host and web.port"
        ) from exc


class WebObserver:
    """The web server of a daemon, as an ``Observer`` of ``feedhub.runtime.daemon``.

    At the start of the daemon an address that cannot be listened on is an error. After a reload only the web server is
    off until the next reload, which tries again.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._hub: Hub | None = None
        self._server: WebServer | None = None
        self._settings: WebSettings | None = None
        self._fault: ConfigFault | None = None

    @property
    def address(self) -> str | None:
        """Where the server listens; None while it does not."""
        return self._server.address if self._server else None

    def polled(self, report: PollReport) -> None:
        """Count the poll."""
        self.metrics.count_poll(report)

    def published(self, report: PublishReport) -> None:
        """Count the publish."""
        self.metrics.count_publish(report)

    def reloaded(self, hub: Hub) -> None:
        """Show this hub from now on, and listen where its configuration says.

        Raises:
            ServeError: the first time only, see the class.
        """
        is_first = self._hub is None
        self._hub = hub
        wanted = hub.settings.web
        if self._settings == wanted:
            return
        self.close()
        if not wanted.enabled:
            if is_first:
                log.info("%s", _where_outputs_are(hub.settings.output))
            return
        server = WebServer(lambda: self._hub or hub, wanted, metrics=self.metrics, fault=lambda: self._fault)
        try:
            server.start()
        except ServeError as error:
            if is_first:
                raise
            log.error("the web server is off", extra={"reason": str(error)})
            return
        self._server, self._settings = server, wanted

    def misconfigured(self, fault: ConfigFault | None) -> None:
        """Tell of the fault from now on, or of none."""
        self._fault = fault

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.stop()
        self._server = self._settings = None


def _where_outputs_are(output: OutputSettings) -> str:
    first = "index.html" if output.pages else f"feeds/all.{output.formats[0]}"
    return f"open {output.dir}/{first}; with web: {{enabled: true}} this process serves it"
