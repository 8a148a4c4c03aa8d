"""The web application (ASGI): published files first, and beside them what is made when somebody asks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files as resources
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from feedhub.errors import FeedhubError
from feedhub.publish.addresses import SEARCH_FEED, SEARCH_PAGE
from feedhub.publish.page_template import built_in
from feedhub.runtime.looking import Looked
from feedhub.runtime.metrics import Metrics
from feedhub.web.answers import Answer, Answers
from feedhub.web.choice import chosen, joined
from feedhub.web.files import Files, respond
from feedhub.web.headers import SECURITY
from feedhub.web.prepared import prepare

log = logging.getLogger(__name__)

_KEEP: Final = 5.0
_HEAD: Final = 16_384
# The store answers two at a time, so that polling keeps most of the machine; the others wait, but not a crowd.
_AT_ONCE: Final = 2
_WAITING: Final = 40
_TOO_LONG: Final = 20.0
_STYLE: Final = "web.css"


class WebApp:
    """Routes requests. ``close`` ends its threads."""

    def __init__(
        self, hub: Looked, metrics: Metrics | None = None, *, keep: float = _KEEP, largest_head: int = _HEAD
    ) -> None:
        self._work = ThreadPoolExecutor(_AT_ONCE, "web-work")
        self._reading = ThreadPoolExecutor(_AT_ONCE, "web-files")
        self._under_way = 0
        self._largest_head = largest_head
        self._answers = answers = Answers(hub, metrics, keep=keep)
        self.files = Files(lambda: hub.settings.output.dir, self._reading, answers.missing)
        made: dict[str, Answer] = {
            f"/{SEARCH_PAGE}": answers.search,
            f"/{SEARCH_FEED}": answers.search_feed,
            "/status": answers.status,
            "/api/status.json": answers.status_json,
            "/api/openapi.json": answers.openapi,
            "/healthz": answers.health,
            "/metrics": answers.metrics,
        }
        # The look is that of the pages, also where none are published.
        own = resources("feedhub.web").joinpath("static", _STYLE).read_text("utf-8")
        self._style = prepare(_STYLE, f"{built_in()['style.css']}\n{own}".encode(), (), 0.0)
        self._paths = frozenset({*made, f"/{_STYLE}"})
        self._made = Starlette(
            routes=[
                *(Route(path, self._in_thread(answer)) for path, answer in made.items()),
                Route(f"/{_STYLE}", self._sheet),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3); only ``http`` is spoken."""
        if scope["type"] != "http":
            return
        if _size(scope) > self._largest_head:
            await respond(send, 431, [(b"connection", b"close"), *SECURITY], b"")
        elif scope["path"] in self._paths:
            await self._made(scope, receive, partial(_send_secured, send))
        else:
            await self.files(scope, receive, send)

    def close(self) -> None:
        """End the threads, without waiting for what is under way."""
        self._work.shutdown(wait=False, cancel_futures=True)
        self._reading.shutdown(wait=False, cancel_futures=True)

    def _in_thread(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if self._under_way >= _WAITING:
                return Response("too many requests at once\n", 503, {"retry-after": "10"}, "text/plain")
            self._under_way += 1
            try:
                made = asyncio.get_running_loop().run_in_executor(self._work, answer, request)
                return await asyncio.wait_for(made, _TOO_LONG)
            except TimeoutError:
                log.warning("a page took too long", extra={"path": request.url.path})
                return self._answers.failed()
            except FeedhubError as error:
                log.warning("a page could not be made", extra={"path": request.url.path, "reason": str(error)})
                return self._answers.failed()
            finally:
                self._under_way -= 1

        return endpoint

    async def _sheet(self, request: Request) -> Response:
        choice = chosen(self._style, joined(request.scope["headers"]))
        response = Response(choice.body, choice.status)
        response.raw_headers = [pair for pair in choice.headers if pair not in SECURITY and pair[0] != b"last-modified"]
        return response


def _size(scope: Scope) -> int:
    # h11 bounds only what comes in pieces.
    fields = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return fields + len(scope["raw_path"]) + len(scope["query_string"])


async def _send_secured(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message["headers"], *SECURITY]}
    await send(message)
