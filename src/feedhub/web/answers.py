"""What is answered to those who ask for something that is not a file: made in threads, from the store."""

import json
import logging
import os
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from feedhub.errors import FeedhubError, StoreError
from feedhub.model.report import HubStatus
from feedhub.publish.addresses import MEDIA_TYPES
from feedhub.runtime.logs import Masker
from feedhub.runtime.looking import Looked, daily_series, found, found_feed, vitals
from feedhub.runtime.metrics import Metrics
from feedhub.runtime.status_json import hidden, status_json
from feedhub.web import prometheus
from feedhub.web.kept import Kept
from feedhub.web.openapi import openapi
from feedhub.web.pages import HITS, Pages, query_of

log = logging.getLogger(__name__)

_HTML: Final = "text/html; charset=utf-8"
_NOT_KEPT: Final = {"cache-control": "no-store"}
_LATER: Final = {**_NOT_KEPT, "retry-after": "30"}

Answer = Callable[[Request], Response]


class Answers:
    """One method per address; each may block, and be called from many threads.

    ``keep`` is for how many seconds what costs much is shown without being made again.
    """

    def __init__(self, hub: Looked, metrics: Metrics | None, *, keep: float) -> None:
        self._hub = hub
        self._metrics = metrics
        self._pages = Pages()
        self._status = Kept[HubStatus](hub.status, keep)
        self._items = Kept[int](self._counted_items, keep)
        self._health = Kept[tuple[str, ...]](self._complaints, keep)
        self._status_page = Kept[bytes](self._made_status_page, keep)
        self._status_json = Kept[bytes](self._made_status_json, keep)
        self._openapi = _json_bytes(openapi())

    def missing(self, root: str) -> bytes:
        """Return the page for a wrong address, for sites that publish none; ``root`` leads to the root of the site."""
        return self._pages.message(self._hub.settings, "missing", root)

    def failed(self) -> Response:
        """Answer that a page cannot be made now."""
        return Response(self._pages.message(self._hub.settings, "failed"), 503, _LATER, _HTML)

    def search(self, request: Request) -> Response:
        """Answer with the page of a search."""
        query = query_of(request.query_params.get("q", ""), request.query_params.get("page", "1"))
        try:
            result = found(self._hub, query.text, query.first, HITS)
        except StoreError as error:
            log.warning("search failed", extra={"reason": str(error)})
            return Response(self._pages.search(self._hub.settings, query, None), 503, _LATER, _HTML)
        return Response(self._pages.search(self._hub.settings, query, result), 200, _NOT_KEPT, _HTML)

    def search_feed(self, request: Request) -> Response:
        """Answer with the feed of a search."""
        query = query_of(request.query_params.get("q", ""))
        if not query.text:
            return Response("give words to search for: search.atom?q=…\n", 400, _NOT_KEPT, "text/plain; charset=utf-8")
        body = found_feed(self._hub, query.text)
        headers = {"etag": f'"{sha256(body).hexdigest()[:32]}"', "cache-control": "public, max-age=60"}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(body, 200, headers, f"{MEDIA_TYPES['atom']}; charset=utf-8")

    def status(self, _: Request) -> Response:
        """Answer with the page of the status."""
        return Response(self._status_page(), 200, _NOT_KEPT, _HTML)

    def status_json(self, _: Request) -> Response:
        """Answer with the status for programs."""
        try:
            return Response(self._status_json(), 200, _NOT_KEPT, "application/json")
        except StoreError as error:
            return self._unhealthy((self._in_public(error),))

    def health(self, _: Request) -> Response:
        """Answer 200 when all is well, else 503 with the reasons; starts no poll."""
        complaints = self._health()
        if complaints:
            return self._unhealthy(complaints)
        return Response(_json_bytes({"ok": True, "reasons": []}), 200, _NOT_KEPT, "application/json")

    def metrics(self, _: Request) -> Response:
        """Answer with the numbers for Prometheus."""
        counted = self._metrics.now() if self._metrics else None
        body = prometheus.exposition(self._status(), self._items(), counted, len(self._health()))
        return Response(body, 200, _NOT_KEPT, prometheus.MEDIA_TYPE)

    def openapi(self, _: Request) -> Response:
        """Answer with the description of all this."""
        return Response(self._openapi, 200, {"cache-control": "max-age=3600"}, "application/json")

    def _unhealthy(self, reasons: tuple[str, ...]) -> Response:
        return Response(_json_bytes({"ok": False, "reasons": list(reasons)}), 503, _NOT_KEPT, "application/json")

    def _counted_items(self) -> int:
        return self._hub.store.item_count()

    def _complaints(self) -> tuple[str, ...]:
        settings = self._hub.settings
        reasons: list[str] = []
        try:
            reasons += vitals(self._hub)
        except StoreError as error:
            reasons.append(self._in_public(error))
        if not os.access(settings.output.dir, os.R_OK | os.X_OK):
            reasons.append("the output folder cannot be read")
        broken = len(self._metrics.now().failed_outputs) if self._metrics else 0
        if broken:
            reasons.append("1 output cannot be written" if broken == 1 else f"{broken} outputs cannot be written")
        return tuple(reasons)

    @staticmethod
    def _in_public(error: FeedhubError) -> str:
        # Where the store lies is for the log; everybody may see this.
        log.error("the store cannot be read", extra={"reason": str(error)})
        return "the store cannot be read"

    def _made_status_page(self) -> bytes:
        hub = self._hub
        status, series = self._status(), daily_series(hub)
        return self._pages.status(hub.settings, status, series, self._items(), self._health(), hub.now())

    def _made_status_json(self) -> bytes:
        masked = Masker()
        masked.hide(self._hub.settings.secrets)
        return _json_bytes(hidden(status_json(self._status()), masked))


def _json_bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
