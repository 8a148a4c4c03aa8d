"""Serves the demo's documents from this machine as a careful publisher would: with ETags and 304."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

_MEDIA_TYPES: Final = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
    "html": "text/html; charset=utf-8",
}


class _Publisher(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self.documents = documents
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: _Publisher

    def do_GET(self) -> None:
        """Answer with the document, or 304 to who has it already."""
        body = self.server.documents.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        known = self.headers.get("If-None-Match") == etag
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", etag)
        if not known:
            self.send_header("Content-Type", _MEDIA_TYPES.get(self.path.rpartition(".")[2], "application/octet-stream"))
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not known:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing; the demo prints its own story."""


@contextmanager
def serving(documents: Mapping[str, bytes]) -> Iterator[str]:
    """Serve ``documents`` by name on a free loopback port for the block; give ``HOST:PORT``."""
    with _Publisher(documents) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
