"""``feedhub demo``: the real pipeline, offline, on sources that this process serves."""

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any, Final

from feedhub.cli.explanations import explanation_json
from feedhub.cli.screen import Screen, own_command
from feedhub.cli.views import print_run, run_json
from feedhub.errors import UsageError
from feedhub.model.report import Explanation, PollRun
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings

_MEDIA_TYPES: Final = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
    "html": "text/html; charset=utf-8",
}


class _DemoServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self.documents = documents
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _DemoServer

    def do_GET(self) -> None:
        """Answer with the document, or 304 to a client that has it already."""
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
        """Print nothing: the demo prints what happens by itself."""


@contextmanager
def serving(documents: Mapping[str, bytes]) -> Iterator[str]:
    """Serve ``documents`` by name on a free loopback port for the block; yield ``HOST:PORT``."""
    with _DemoServer(documents) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


CONFIG: Final = "feedhub.yaml"
BROKEN_SOURCE: Final = "north-gate"
DROPPED_LINK: Final = "https://daily.yunxi.example/a/202609151200000456.html"
_SYSTEM_FILES: Final = frozenset({".DS_Store", ".gitkeep"})


def run_demo(screen: Screen, folder: str | None, *, as_json: bool) -> None:
    """Poll and publish the sources of the demo twice, and print the results.

    Raises:
        UsageError: ``folder`` cannot be used.
    """
    root = _empty_folder(folder)
    documents = {file.name: file.read_bytes() for file in files("feedhub.cli.demo_data").iterdir() if file.is_file()}
    with serving(documents) as host:
        config = _write_config(root, documents[CONFIG].decode(), host)
        with Hub(load_settings(str(config), environ={})) as hub:
            runs = hub.poll(everything=True), hub.poll(everything=True)
            merged = tuple(_merged(hub))
            feeds = _published_feeds(hub)
            if as_json:
                screen.json(_as_json(root, runs, hub, merged, feeds))
                return
            _print_runs(screen, runs, hub, merged)
    _print_next_steps(screen, root, feeds)


def _empty_folder(given: str | None) -> Path:
    if given is None:
        return Path(mkdtemp(prefix="feedhub-demo-"))
    root = Path(given).absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        occupied = {entry.name for entry in root.iterdir()} - _SYSTEM_FILES
    except OSError as error:
        raise UsageError(f"{given} cannot be used: {error.strerror}") from error
    if occupied:
        raise UsageError(f"{given} is not empty; the demo never overwrites")
    return root


def _write_config(root: Path, template: str, host: str) -> Path:
    path = root / "config" / CONFIG
    path.parent.mkdir()
    path.write_text(template.replace("@HOST@", host), encoding="utf-8")
    return path


def _merged(hub: Hub) -> Iterator[Explanation]:
    """Yield what is known of every item that more than one source reported, newest first."""
    for item in hub.store.newest("all", hub.settings.output.entries):
        for explanation in hub.explain(item.id):
            if len({sighting.source for sighting in explanation.sightings}) > 1:
                yield explanation


def _published_feeds(hub: Hub) -> tuple[str, ...]:
    slugs = ("all", *(category.slug for category in hub.store.categories()))
    form = hub.settings.output.formats[0]
    paths = (Path(hub.settings.output.dir) / "feeds" / f"{slug}.{form}" for slug in slugs)
    return tuple(str(path) for path in paths if path.is_file())


def _print_runs(screen: Screen, runs: tuple[PollRun, PollRun], hub: Hub, merged: tuple[Explanation, ...]) -> None:
    zone = hub.settings.site.timezone
    for heading, run in zip(("First round: everything is new.", "Second round: nothing changed."), runs, strict=True):
        screen.print(heading, style="bold")
        print_run(screen, run, hub.now(), zone)
        screen.print()
    screen.print(f"{BROKEN_SOURCE} fails on purpose: one bad source costs nothing but itself.")
    screen.print()
    screen.print("Published once, although reported more than once:", style="bold")
    for explanation in merged:
        for line in _merge_words(explanation, hub):
            screen.print(line)
    screen.print()


def _merge_words(explanation: Explanation, hub: Hub) -> Iterator[str]:
    sources = {sighting.source for sighting in explanation.sightings}
    links = {sighting.link for sighting in explanation.sightings if sighting.link}
    yield (
        f"  “{explanation.title}” came from {len(sources)} sources under {len(links)} addresses and is published once."
    )
    yield f"    recognised by {explanation.keys[0]}"
    for category in hub.store.categories():
        for item in hub.store.newest(category.slug, hub.settings.output.entries):
            if item.id == explanation.item_id:
                yield f"    in {category.title} as “{item.item.title}”"


def _print_next_steps(screen: Screen, root: Path, feeds: tuple[str, ...]) -> None:
    screen.print("Feeds to open (Atom; .rss and .json are beside them):", style="bold")
    for feed in feeds:
        screen.print(f"  {feed}")
    screen.print()
    screen.print("In a browser:", style="bold")
    screen.print(f"  {(root / 'output' / 'index.html').as_uri()}")
    command, config = own_command(), shlex.quote(str(root / "config" / CONFIG))
    screen.print()
    screen.print("Look around:", style="bold")
    for rest in ("status", "search 利率", f"explain {DROPPED_LINK}"):
        screen.print(f"  {command} {rest} -c {config}")


def _as_json(
    root: Path, runs: tuple[PollRun, PollRun], hub: Hub, merged: tuple[Explanation, ...], feeds: tuple[str, ...]
) -> dict[str, object]:
    return {
        "folder": str(root),
        "rounds": [run_json(run) for run in runs],
        "merged": [explanation_json(explanation, hub.settings.site.timezone) for explanation in merged],
        "feeds": list(feeds),
    }
