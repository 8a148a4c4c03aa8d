"""``feedhub serve``, and the web server beside the daemon."""

import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from feedhub.errors import ServeError
from feedhub.model.report import Outcome, PollReport, PublishReport
from feedhub.model.settings import WebSettings
from feedhub.runtime.daemon import Daemon, Stop
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.web.server import WebObserver
from support.cli_runs import rss, run, write_project
from support.server import unused_port


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "in.xml").write_bytes(rss(("One", "https://example.org/1")))
    path = write_project(tmp_path, "  - {name: paper, url: in.xml, category: news}\n")
    assert run("poll", "-c", path).code == 0
    return path


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=20) as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_it_listens_serves_and_ends_when_told_to(config: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "feedhub", "serve", "--port", "0", "-c", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert address, line
        assert b"<feed" in fetched(address[0] + "feeds/news.atom")
        assert b'"ok": true' in fetched(address[0] + "healthz")
        process.send_signal(number)
        assert (process.wait(20), process.stderr.read()) == (0, "")


def test_serve_names_an_address_that_is_in_use(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--set", f"web.port={port}", "-c", config)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"feedhub: web server cannot listen on http://127.0.0.1:{port}: address already in use; "
        "choose another with web.host and web.port\n"
    )


def test_serve_without_a_usable_store_ends_at_once(config: Path) -> None:
    store = config.parent.parent / "var" / "feedhub.db"
    store.write_bytes(b"not a database" * 1_000)
    ran = run("serve", "--port", "0", "-c", config)
    assert ran.code == 3
    assert "feedhub.db" in ran.err


def on(config: Path, web: WebSettings) -> Hub:
    return Hub(replace(load_settings(str(config)), web=web))


def test_the_server_of_a_daemon_follows_the_configuration_and_counts(config: Path) -> None:
    web = WebSettings(enabled=True, port=unused_port())
    observer = WebObserver()
    with on(config, WebSettings()) as off, on(config, web) as first, on(config, web) as same:
        observer.reloaded(off)
        assert observer.address is None
        observer.reloaded(first)
        address = observer.address
        assert address == f"http://127.0.0.1:{web.port}"
        observer.polled(PollReport(source="paper", outcome=Outcome.STORED, new=2))
        observer.published(PublishReport(written=("feeds/a.atom",)))
        metrics = fetched(f"{address}/metrics").decode()
        assert 'feedhub_records_total{kind="new"} 2.0' in metrics
        assert "feedhub_files_written_total 1.0" in metrics
        observer.reloaded(same)
        assert observer.address == address
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            on(config, WebSettings(enabled=True, port=taken.getsockname()[1])) as blocked,
        ):
            observer.reloaded(blocked)
            assert observer.address is None
        observer.reloaded(first)
        assert observer.address == address
        observer.close()
        assert observer.address is None


def test_at_the_start_an_address_in_use_ends_the_daemon(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        web = WebSettings(enabled=True, port=taken.getsockname()[1])
        with on(config, web) as hub, pytest.raises(ServeError):
            Daemon(hub, load=lambda: hub.settings, observers=(WebObserver(),)).run()


@contextmanager
def running(daemon: Daemon) -> Iterator[None]:
    """Let a thread talk to a daemon that has the main thread, as it needs for signals."""
    yield
    daemon.post(Stop("the test is over"))


def test_the_daemon_serves_what_it_publishes(config: Path) -> None:
    web = WebSettings(enabled=True, port=unused_port())
    with on(config, web) as hub:
        daemon = Daemon(hub, load=lambda: hub.settings, observers=(WebObserver(),))
        seen: list[bytes] = []

        def visit() -> None:
            with running(daemon):
                for path in ("feeds/news.json", "healthz", "status"):
                    for _ in range(200):
                        try:
                            seen.append(fetched(f"http://127.0.0.1:{web.port}/{path}"))
                            break
                        except OSError:
                            threading.Event().wait(0.05)

        visitor = threading.Thread(target=visit)
        visitor.start()
        daemon.run()
        visitor.join()
    assert len(seen) == 3
    assert b"https://example.org/1" in seen[0]
    with pytest.raises(OSError, match="refused"):
        fetched(f"http://127.0.0.1:{web.port}/healthz")
