"""A real browser over a published folder on loopback, which notes whatever it complains about."""

import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from support.npm import package

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
_AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) =>
    `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
ORIGIN = "wire.lantern.example"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Folder(SimpleHTTPRequestHandler):
    """Serves a folder in silence."""

    def log_message(self, *arguments: object) -> None:
        pass


class Original(BaseHTTPRequestHandler):
    """Serves what stands for every publisher: a page, and two seconds of silence."""

    def do_GET(self) -> None:
        body = b"<!DOCTYPE html><html lang='en'><title>The original</title><link rel='icon' href='data:,'><h1>Here"
        kind = "text/html; charset=utf-8"
        if self.path.endswith(".wav"):
            kind, body = "audio/wav", _silence()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def _silence() -> bytes:
    with BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(1)
            sound.setframerate(8_000)
            sound.writeframes(b"\x80" * 16_000)
        return file.getvalue()


@contextmanager
def listening(handler: Any) -> Iterator[int]:
    """Serve on a free loopback port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@dataclass(slots=True)
class Window:
    """A page of the browser with all that it noted."""

    root: str
    page: Any
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def show(self, path: str) -> Any:
        answer = self.page.goto(f"{self.root}/{path}")
        assert answer.status == 200, path
        return self.page

    def barriers(self) -> list[str]:
        """What axe-core calls serious or worse for those who see or hear less."""
        self.page.evaluate((package("axe-core") / "axe.min.js").read_text("utf-8"))
        found: list[str] = self.page.evaluate(_AXE)
        return found

    @property
    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.violations")
        return found


@dataclass(slots=True)
class Shown:
    """A published folder as browsers reach it."""

    root: str
    folder: Path
    browser: Any

    @contextmanager
    def window(self, width: int = 1280, scheme: str = "light") -> Iterator[Window]:
        context = self.browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        window = Window(self.root, context.new_page())
        window.page.add_init_script(_NOTE_VIOLATIONS)
        window.page.on("console", lambda message: window.errors.append(f"{message.type}: {message.text}"))
        window.page.on("pageerror", lambda error: window.errors.append(str(error)))
        window.page.on("request", lambda request: window.asked.append(request.url))
        yield window
        context.close()


@contextmanager
def shown(folder: Path, browser: Any) -> Iterator[Shown]:
    """Serve a folder as any web server does, and look at it in Chromium."""
    with listening(partial(Folder, directory=str(folder))) as port:
        yield Shown(f"http://127.0.0.1:{port}", folder, browser)


@contextmanager
def started_chromium() -> Iterator[Any]:
    """Start Chromium, for which every other host but that of one publisher does not exist."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is not installed")
        pytest.skip(f"{CHROMIUM} is not installed")
    api = pytest.importorskip("playwright.sync_api")
    with listening(Original) as publisher:
        hosts = f"MAP {ORIGIN} 127.0.0.1:{publisher}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        with api.sync_playwright() as playwright:
            arguments = [*_ARGUMENTS, f"--host-resolver-rules={hosts}"]
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
            yield browser
            browser.close()
