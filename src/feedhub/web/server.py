"""The web server: a thread with an event loop of its own, alone or in the process of the daemon."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Final

from uvicorn import Config, Server

from feedhub.errors import ServeError
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.settings import ConfigFault, WebSettings
from feedhub.runtime.hub import Hub
from feedhub.runtime.metrics import Metrics
from feedhub.web.app import WebApp
from feedhub.web.protocol import Limits, protocol_of

log = logging.getLogger(__name__)

_BACKLOG: Final = 256
_GRACE: Final = 3


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
        log.info("serving on %s", self.address)

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
