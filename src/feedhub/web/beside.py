"""The web server beside the daemon: it starts, moves and ends with the configuration, and counts what is done."""

import logging

from feedhub.errors import ServeError
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.web import WebSettings
from feedhub.runtime.hub import Hub
from feedhub.runtime.looking import LiveHub
from feedhub.runtime.metrics import Metrics
from feedhub.web.server import WebServer

log = logging.getLogger(__name__)


class WebBeside:
    """See ``feedhub.runtime.events.Observer``.

    At the start an address that cannot be had ends the daemon; after a reload it costs only the web server, and is
    tried again at the next one.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._hub: LiveHub | None = None
        self._server: WebServer | None = None
        self._at: WebSettings | None = None

    @property
    def address(self) -> str | None:
        """Where the server listens; None while it does not."""
        return self._server.address if self._server else None

    def polled(self, report: PollReport) -> None:
        """Count."""
        self.metrics.count(report)

    def published(self, report: PublishReport) -> None:
        """Count."""
        self.metrics.published(report)

    def reloaded(self, hub: Hub) -> None:
        """Look at this hub from now on, and listen where its configuration says.

        Raises:
            ServeError: the first time only, see the class.
        """
        is_first = self._hub is None
        if self._hub is None:
            self._hub = LiveHub(hub)
        self._hub.hub = hub
        wanted = hub.settings.web
        if self._at == wanted:
            return
        self.close()
        if not wanted.enabled:
            return
        server = WebServer(self._hub, wanted, metrics=self.metrics)
        try:
            server.start()
        except ServeError as error:
            if is_first:
                raise
            log.error("the web server is off", extra={"reason": str(error)})
            return
        self._server, self._at = server, wanted

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.stop()
        self._server = self._at = None
