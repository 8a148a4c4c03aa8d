"""A running web server on loopback, and clients that see every byte."""

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedhub.model.settings import WebSettings
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.web.metrics import Metrics
from feedhub.web.server import Limits, WebServer

FEED = b"<feed xmlns='http://www.w3.org/2005/Atom'>" + b"<entry>news</entry>" * 400 + b"</feed>"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is being served."""

    folder: Path
    hub: Hub
    server: WebServer
    metrics: Metrics

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def ask(self, path: str, method: str = "GET", **fields: str) -> Answer:
        """One request by the long way: ``Connection: close``."""
        return self._asked(method, path, {"Connection": "close", **fields})

    def twice(self, path: str, **fields: str) -> tuple[Answer, Answer]:
        """The same by the long way and, now that the file is in memory, by the short one."""
        long = self.ask(path, **fields)
        return long, self._asked("GET", path, fields)

    def _asked(self, method: str, path: str, fields: Mapping[str, str]) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, headers=headers)
            with connection.getresponse() as response:
                return Answer(response.status, _by_name(response.getheaders()), response.read())

    def raw(self, *parts: bytes, timeout: float = 20) -> bytes:
        """Send bytes, and return everything until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as client:
            for part in parts:
                client.sendall(part)
            return b"".join(iter(lambda: received(client), b""))


def received(client: socket.socket) -> bytes:
    """Return what comes; nothing when the other side hung up, politely or not."""
    try:
        return client.recv(65_536)
    except ConnectionResetError:
        return b""


def _by_name(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


@contextmanager
def served(
    folder: Path,
    *,
    sources: str = "[]",
    more: str = "",
    site: str = "",
    limits: Limits | None = None,
    **options: Any,
) -> Iterator[Site]:
    """Serve ``folder/output`` with a configuration that has these sources."""
    folder.mkdir(exist_ok=True)
    (folder / "feedhub.yaml").write_text(
        f"site: {{title: 'News & <views>', url: 'https://news.example.org', timezone: Asia/Shanghai{site}}}\n"
        f"{more}sources: {sources}\n",
        "utf-8",
    )
    (folder / "output" / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "output" / "feeds" / "all.atom").write_bytes(FEED)
    metrics = Metrics()
    with Hub(load_settings(str(folder / "feedhub.yaml"))) as hub:
        server = WebServer(
            lambda: hub, WebSettings(port=0), metrics=metrics, limits=limits, **{"max_age": 0.0, **options}
        )
        server.start()
        try:
            yield Site(folder, hub, server, metrics)
        finally:
            server.stop()
