"""The web application (ASGI): published files, and the pages and documents that are made on request."""

import asyncio
import json
import logging
import os
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files as resources
from time import monotonic
from typing import Final, Generic, TypeVar
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from feedhub.errors import FeedhubError, ReplacedStoreError, StoreError
from feedhub.model.report import HubStatus
from feedhub.model.settings import ConfigFault
from feedhub.model.source import Health
from feedhub.publish.addresses import SEARCH_FEED, SEARCH_PAGE
from feedhub.publish.formats import ATOM_FORMAT
from feedhub.publish.templating import built_in_templates
from feedhub.runtime.hub import Hub
from feedhub.runtime.inspection import search_result, search_result_feed
from feedhub.runtime.logs import Masker, masked_values
from feedhub.runtime.plugins import added_formats
from feedhub.runtime.status import daily_series, fault_json, fault_place, polling_complaints, status_json
from feedhub.web.files import PublishedFiles, respond
from feedhub.web.log_page import LOG_ENTRIES, parse_log_request
from feedhub.web.metrics import MEDIA_TYPE, Metrics, exposition
from feedhub.web.pages import HITS, PAGES_STYLE, Pages, parse_query
from feedhub.web.representation import SECURITY, answer_for, fields_by_name, prepare_file

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_INSTANT: Final = {"type": ["string", "null"], "format": "date-time"}


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(of: Mapping[str, object]) -> dict[str, object]:
    return {"type": "array", "items": of}


def _answer(words: str, kind: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"description": words, "content": {kind: {"schema": schema}}}


_SOURCE: Final = _object(
    {
        "name": _TEXT,
        "title": {**_TEXT, "description": "What people read; empty while none is known."},
        "url": {**_TEXT, "description": "Address in the configuration."},
        "state": {**_TEXT, "description": ", ".join(health.value for health in Health)},
        "reason": {**_TEXT, "description": "Why it is not ok, in words."},
        "current_url": {"type": ["string", "null"], "description": "Address that is asked."},
        "next_poll_in": {"type": ["number", "null"], "description": "Seconds; negative when overdue."},
        "last_success": _INSTANT,
        "last_error": {"type": ["string", "null"]},
        "http_status": {"type": ["integer", "null"]},
        "items": _COUNT,
        "items_per_day": {"type": "number", "minimum": 0},
        "failures": {**_COUNT, "description": "Failed polls since the last success."},
        "warnings": _list(_TEXT),
    }
)
_CATEGORY: Final = _object({"slug": _TEXT, "title": _TEXT, "items": _COUNT, "changed_at": _INSTANT})
_STORY_MEMBER: Final = _object(
    {
        "item_id": _TEXT,
        "title": _TEXT,
        "source": _TEXT,
        "published_at": {**_TEXT, "format": "date-time"},
        "how": {**_TEXT, "description": "reprint, event or by hand; empty for the first report."},
        "reason": {**_TEXT, "description": "Why it belongs there, in words."},
        "link": {"type": ["string", "null"]},
        "source_title": _TEXT,
    }
)
_PROBLEM: Final = _object({"file": _TEXT, "line": _COUNT, "column": _COUNT, "key": _TEXT, "message": _TEXT})
_FAULT: Final = {
    **_object({"since": _INSTANT, "count": _COUNT, "problems": _list(_PROBLEM)}),
    "type": ["object", "null"],
    "description": "What is wrong with the saved configuration, while the one before it goes on; null for nothing.",
}
_QUERY: Final = {
    "name": "q",
    "in": "query",
    "required": True,
    "description": "Words that must all occur; Chinese needs no spaces.",
    "schema": {"type": "string", "maxLength": 200},
}


def openapi() -> dict[str, object]:
    """Return the OpenAPI description of the addresses that programs use."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "feedhub", "version": version("feedhub"), "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": ".."}],
        "paths": _paths(),
        "components": {
            "schemas": {
                "Health": _object({"ok": {"type": "boolean"}, "reasons": _list(_TEXT), "warnings": _list(_TEXT)}),
                "Stories": _object({"stories": _list(_object({"members": _list(_STORY_MEMBER)}))}),
                "Status": _object(
                    {"sources": _list(_SOURCE), "categories": _list(_CATEGORY), "configuration_fault": _FAULT}
                ),
            }
        },
    }


def _document(name: str, summary: str, words: str, schema: str) -> dict[str, object]:
    """Return what is described of a document that is read from the store."""
    found, health = ({"$ref": f"#/components/schemas/{kind}"} for kind in (schema, "Health"))
    responses = {
        "200": _answer(words, "application/json", found),
        "503": _answer("The store cannot be read.", "application/json", health),
    }
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def _paths() -> dict[str, object]:
    health = {"$ref": "#/components/schemas/Health"}
    return {
        "/api/status.json": _document(
            "status", "Every source and category, as `feedhub status --json` prints them.", "The status.", "Status"
        ),
        "/api/stories.json": _document(
            "stories",
            "The stories of today that most items report, where the configuration has `stories`.",
            "The stories.",
            "Stories",
        ),
        "/healthz": {
            "get": {
                "operationId": "health",
                "summary": "Whether feedhub as a whole works; starts no poll.",
                "responses": {
                    "200": _answer("It does.", "application/json", health),
                    "503": _answer("It does not; the reasons say why.", "application/json", health),
                },
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Numbers for Prometheus.",
                "responses": {"200": _answer("The numbers.", "text/plain", _TEXT)},
            }
        },
        "/search.atom": {
            "get": {
                "operationId": "search",
                "summary": "The newest items that hold every word of a query, as an Atom feed.",
                "parameters": [_QUERY],
                "responses": {
                    "200": _answer("The feed.", "application/atom+xml", _TEXT),
                    "304": {"description": "It has not changed."},
                    "400": _answer("No query.", "text/plain", _TEXT),
                },
            }
        },
    }


_T = TypeVar("_T")


class TimedCache(Generic[_T]):
    """Returns a value, made anew when the last one is older than ``max_age`` seconds; callers wait for one another."""

    def __init__(self, make: Callable[[], _T], max_age: float) -> None:
        self._make = make
        self._max_age = max_age
        self._lock = threading.Lock()
        self._value: tuple[float, _T] | None = None

    def __call__(self) -> _T:
        """Return the value. An error of making it is raised, and the next call tries again."""
        with self._lock:
            if self._value is None or monotonic() - self._value[0] >= self._max_age:
                value = self._make()
                self._value = (monotonic(), value)
            return self._value[1]


log = logging.getLogger(__name__)

_HTML: Final = "text/html; charset=utf-8"
_NO_STORE: Final = {"cache-control": "no-store"}
_RETRY_LATER: Final = {**_NO_STORE, "retry-after": "30"}

Endpoint = Callable[[Request], Response]


class Endpoints:
    """The answers that are made on request, one method per address; each may block, and be called from many threads.

    Results that cost much are used again for ``max_age`` seconds.
    """

    def __init__(
        self, hub: Callable[[], Hub], metrics: Metrics | None, fault: Callable[[], ConfigFault | None], max_age: float
    ) -> None:
        self._hub = hub
        self._metrics = metrics
        self._fault = fault
        self._pages = Pages(lambda own, added: hub().page_templates(own, added))
        self._status = TimedCache[HubStatus](lambda: hub().status(), max_age)
        self._items = TimedCache[int](self._counted_items, max_age)
        self._health = TimedCache[tuple[str, ...]](self._complaints, max_age)
        self._status_page = TimedCache[bytes](self._made_status_page, max_age)
        self._status_json = TimedCache[bytes](self._made_status_json, max_age)
        self._stories = TimedCache[bytes](self._made_stories, max_age)
        self._openapi = _json_bytes(openapi())

    def message(self, name: str, root: str) -> bytes:
        """Return the page for an address that is ``missing`` or ``gone``; ``root`` is the path to the root."""
        return self._pages.message(self._hub().settings, name, root)

    def failed(self) -> Response:
        """Answer that a page cannot be made at the moment."""
        return Response(self._pages.message(self._hub().settings, "failed"), 503, _RETRY_LATER, _HTML)

    def search(self, request: Request) -> Response:
        """Answer with the page of a search."""
        query = parse_query(request.query_params.get("q", ""), request.query_params.get("page", "1"))
        try:
            result = search_result(self._hub().store, query.text, query.first, HITS)
        except StoreError as error:
            log.warning("search failed", extra={"reason": str(error)})
            return Response(self._pages.search(self._hub().settings, query, None), 503, _RETRY_LATER, _HTML)
        return Response(self._pages.search(self._hub().settings, query, result), 200, _NO_STORE, _HTML)

    def search_feed(self, request: Request) -> Response:
        """Answer with the feed of a search."""
        query = parse_query(request.query_params.get("q", ""))
        if not query.text:
            return Response("give words to search for: search.atom?q=…\n", 400, _NO_STORE, "text/plain; charset=utf-8")
        body = search_result_feed(self._hub().store, query.text, self._hub().settings)
        headers = {"etag": f'"{sha256(body).hexdigest()[:32]}"', "cache-control": "public, max-age=60"}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(body, 200, headers, f"{ATOM_FORMAT.media_type}; charset=utf-8")

    def status(self, _: Request) -> Response:
        """Answer with the page of the status."""
        return Response(self._status_page(), 200, _NO_STORE, _HTML)

    def log(self, request: Request) -> Response:
        """Answer with a page of the log."""
        asked = parse_log_request(request.query_params)
        entries = self._hub().store.log(asked.query, asked.first, LOG_ENTRIES + 1)
        return Response(self._pages.log(self._hub().settings, asked, entries), 200, _NO_STORE, _HTML)

    def status_json(self, _: Request) -> Response:
        """Answer with the status for programs."""
        try:
            return Response(self._status_json(), 200, _NO_STORE, "application/json")
        except StoreError as error:
            return self._unhealthy((self._public_reason(error),))

    def stories(self, _: Request) -> Response:
        """Answer with the largest stories of the last day."""
        try:
            return Response(self._stories(), 200, _NO_STORE, "application/json")
        except StoreError as error:
            return self._unhealthy((self._public_reason(error),))

    def health(self, _: Request) -> Response:
        """Answer 200 when nothing is wrong, else 503 with the reasons; start no poll.

        A fault in the saved configuration is a warning: whoever restarts the daemon for it finds that none starts.
        """
        complaints = self._health()
        if complaints:
            return self._unhealthy(complaints)
        body = _json_bytes({"ok": True, "reasons": [], "warnings": self._warnings()})
        return Response(body, 200, _NO_STORE, "application/json")

    def metrics(self, _: Request) -> Response:
        """Answer with the metrics for Prometheus."""
        counted = self._metrics.snapshot() if self._metrics else None
        body = exposition(self._status(), self._items(), counted, len(self._health()))
        return Response(body, 200, _NO_STORE, MEDIA_TYPE)

    def openapi(self, _: Request) -> Response:
        """Answer with the OpenAPI description."""
        return Response(self._openapi, 200, {"cache-control": "max-age=3600"}, "application/json")

    def _unhealthy(self, reasons: tuple[str, ...]) -> Response:
        body = _json_bytes({"ok": False, "reasons": list(reasons), "warnings": self._warnings()})
        return Response(body, 503, _NO_STORE, "application/json")

    def _warnings(self) -> list[str]:
        fault = self._fault()
        if fault is None:
            return []
        since = f"{fault.since:%Y-%m-%dT%H:%M:%SZ}"
        return [
            f"the saved configuration cannot be used since {since}, the one before it goes on: {fault_place(fault)}"
        ]

    def _counted_items(self) -> int:
        return self._hub().store.item_count()

    def _complaints(self) -> tuple[str, ...]:
        settings = self._hub().settings
        reasons: list[str] = []
        try:
            reasons += polling_complaints(self._hub())
        except StoreError as error:
            reasons.append(self._public_reason(error))
        if not os.access(settings.output.dir, os.R_OK | os.X_OK):
            reasons.append("the output folder cannot be read")
        broken = len(self._metrics.snapshot().failed_outputs) if self._metrics else 0
        if broken:
            reasons.append("1 output cannot be written" if broken == 1 else f"{broken} outputs cannot be written")
        return tuple(reasons)

    @staticmethod
    def _public_reason(error: FeedhubError) -> str:
        # The reason names the path of the store, which goes into the log only: anybody may see the answer.
        log.error("the store cannot be read", extra={"reason": str(error)})
        if isinstance(error, ReplacedStoreError):
            return "the store was replaced by another file while it was open; a restart takes up the new one"
        return "the store cannot be read"

    def _made_status_page(self) -> bytes:
        hub = self._hub()
        status, series = self._status(), daily_series(hub)
        return self._pages.status(
            hub.settings, status, series, self._items(), self._health(), hub.now(), fault=self._fault()
        )

    def _made_stories(self) -> bytes:
        from feedhub.runtime.stories import group_json  # most configurations tell none

        hub, masked = self._hub(), Masker()
        masked.hide(hub.settings.secrets)
        is_told = hub.settings.stories is not None
        groups = hub.store.stories(hub.now() - timedelta(days=1), _MOST_STORIES) if is_told else ()
        return _json_bytes(masked_values({"stories": [group_json(group) for group in groups]}, masked))

    def _made_status_json(self) -> bytes:
        masked = Masker()
        masked.hide(self._hub().settings.secrets)
        document = {**status_json(self._status()), "configuration_fault": fault_json(self._fault())}
        return _json_bytes(masked_values(document, masked))


def _json_bytes(document: Mapping[str, object]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


_MAX_AGE: Final = 5.0
_MOST_STORIES: Final = 50
_LARGEST_HEAD: Final = 16_384
# Two requests at a time ask the store, so that polling keeps most of the machine; a bounded number of others wait.
_THREADS: Final = 2
_MOST_WAITING: Final = 40
_TIME_LIMIT: Final = 20.0
_STYLE: Final = "web.css"
_LAST: Final = (b"connection", b"close")
# Who is between us and the client may have gone by the other one (RFC 9112 §6.3).
_TWO_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
_ABSOLUTE: Final = re.compile(rb"https?://[^/]*", re.IGNORECASE)


class WebApp:
    """Routes requests. ``close`` ends its threads."""

    def __init__(
        self,
        hub: Callable[[], Hub],
        metrics: Metrics | None = None,
        *,
        fault: Callable[[], ConfigFault | None] = lambda: None,
        max_age: float = _MAX_AGE,
        largest_head: int = _LARGEST_HEAD,
    ) -> None:
        self._work = ThreadPoolExecutor(_THREADS, "web-work")
        self._reading = ThreadPoolExecutor(_THREADS, "web-files")
        self._under_way = 0
        self._largest_head = largest_head
        self._endpoints = endpoints = Endpoints(hub, metrics, fault, max_age)
        self.files = PublishedFiles(
            lambda: hub().settings.output.dir,
            self._reading,
            endpoints.message,
            lambda: {one.name: one.media_type for one in added_formats(hub().settings.output.formats)},
        )
        generated: dict[str, Endpoint] = {
            f"/{SEARCH_PAGE}": endpoints.search,
            f"/{SEARCH_FEED}": endpoints.search_feed,
            "/status": endpoints.status,
            "/log": endpoints.log,
            "/api/status.json": endpoints.status_json,
            "/api/stories.json": endpoints.stories,
            "/api/openapi.json": endpoints.openapi,
            "/healthz": endpoints.health,
            "/metrics": endpoints.metrics,
        }
        own = resources("feedhub.web").joinpath("static", _STYLE).read_bytes()
        styles = {_STYLE: own, PAGES_STYLE: built_in_templates()["style.css"].encode()}
        self._styles = {f"/{path}": prepare_file(path, body, (), 0.0) for path, body in styles.items()}
        self._paths = frozenset({*generated, *self._styles})
        self._generated = Starlette(
            routes=[
                *(Route(path, self._in_thread(endpoint)) for path, endpoint in generated.items()),
                *(Route(path, self._style_sheet) for path in self._styles),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3) over HTTP; ignore other protocols."""
        if scope["type"] != "http":
            return
        scope = _in_origin_form(scope)
        if _head_size(scope) > self._largest_head:
            await respond(send, 431, [_LAST, *SECURITY], b"")
        elif {name for name, _ in scope["headers"]} >= _TWO_LENGTHS:
            await respond(send, 400, [_LAST, *SECURITY], b"")
        elif scope["path"] in self._paths:
            await self._generated(scope, receive, partial(_send_secured, send))
        else:
            await self.files(scope, receive, send)

    def close(self) -> None:
        """Stop the threads, without waiting for answers under way."""
        self._work.shutdown(wait=False, cancel_futures=True)
        self._reading.shutdown(wait=False, cancel_futures=True)

    def _in_thread(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            if self._under_way >= _MOST_WAITING:
                return Response("too many requests at once\n", 503, {"retry-after": "10"}, "text/plain")
            self._under_way += 1
            try:
                made = asyncio.get_running_loop().run_in_executor(self._work, endpoint, request)
                return await asyncio.wait_for(made, _TIME_LIMIT)
            except TimeoutError:
                log.warning("a page took too long", extra={"path": request.url.path})
                return self._endpoints.failed()
            except FeedhubError as error:
                log.warning("a page could not be made", extra={"path": request.url.path, "reason": str(error)})
                return self._endpoints.failed()
            finally:
                self._under_way -= 1

        return run

    async def _style_sheet(self, request: Request) -> Response:
        answer = answer_for(self._styles[request.url.path], fields_by_name(request.scope["headers"]))
        response = Response(answer.body, answer.status)
        response.raw_headers = [pair for pair in answer.headers if pair not in SECURITY and pair[0] != b"last-modified"]
        return response


def _in_origin_form(scope: Scope) -> Scope:
    """Return a request for a whole address as one for its path (RFC 9112 §3.2.2); here, all hosts are one."""
    found = _ABSOLUTE.match(scope["raw_path"])
    if found is None:
        return scope
    raw_path = scope["raw_path"][found.end() :] or b"/"
    return {**scope, "raw_path": raw_path, "path": unquote(raw_path.decode("ascii"))}


def _head_size(scope: Scope) -> int:
    # h11 has a limit only for a head that comes in several pieces.
    fields = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return fields + len(scope["raw_path"]) + len(scope["query_string"])


async def _send_secured(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message["headers"], *SECURITY]}
    await send(message)
