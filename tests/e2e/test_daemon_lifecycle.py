"""The daemon from its start to its end: real processes against a real server (SPEC §7, guarantees 23, 32 and 44)."""

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from support.daemons import PATIENCE, RunningDaemon, running, store_row, until, write_config
from support.responders import FEED, redirect, slow_body, static, status
from support.server import LoopbackServer, serve
from support.site import SiteFolder

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")

DRIP = slow_body(FEED, every=1.0)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with serve({"/a": static(etag='"1"'), "/b": static(), "/drip": DRIP}) as running_server:
        yield running_server


def _source(server: LoopbackServer, name: str, more: str = "", *, path: str = "") -> str:
    return f"name: {name}, url: '{server.url(path or f'/{name}')}', category: news{', ' if more else ''}{more}"


def _store(folder: Path) -> Path:
    return folder / "var" / "feedhub.db"


# How it ends.


def test_it_ends_in_time_while_a_server_drips_and_publishes_what_was_stored(
    tmp_path: Path, server: LoopbackServer
) -> None:
    config = write_config(tmp_path, [_source(server, "a"), _source(server, "drip", "timeout: 60s")])
    with running(config) as daemon:
        daemon.heard("poll", source="a")
        until(lambda: server.requests("/drip"))
        began = time.monotonic()
        daemon.tell(signal.SIGTERM)
        assert daemon.heard("stopping")["under_way"] >= 1
        assert daemon.ended() == 0
        assert time.monotonic() - began < 25
        until(lambda: not daemon.family(), what="workers end with it")
        assert daemon.events[-1]["event"] == "stopped"
    assert [item["url"] for item in SiteFolder(tmp_path).feed("news")] == ["http://example.org/1"]


def test_a_second_signal_ends_it_at_once(tmp_path: Path, server: LoopbackServer) -> None:
    with running(write_config(tmp_path, [_source(server, "drip", "timeout: 60s")])) as daemon:
        until(lambda: server.requests("/drip"))
        daemon.tell(signal.SIGINT)
        daemon.heard("stopping")
        _ends_at_once(daemon, signal.SIGINT)


def _ends_at_once(daemon: RunningDaemon, number: int) -> None:
    began = time.monotonic()
    daemon.tell(number)
    assert daemon.ended() == 0
    assert time.monotonic() - began < 10


# One daemon per store.


def test_a_second_one_that_comes_by_a_link_finds_the_first(tmp_path: Path, server: LoopbackServer) -> None:
    one = write_config(tmp_path / "one", [_source(server, "a", "every: 1h")])
    by_file, by_folder = (
        write_config(tmp_path / name, [_source(server, "b", "every: 1h")]) for name in ("file", "folder")
    )
    with running(one) as first:
        (tmp_path / "folder" / "var").symlink_to(tmp_path / "one" / "var")
        (tmp_path / "file" / "var").mkdir()
        _store(tmp_path / "file").symlink_to(_store(tmp_path / "one"))
        for other in (by_file, by_folder):
            with running(other, is_ready=False) as second:
                assert second.ended() == 3
                assert f"process id {first.pid} " in second.events[-1]["event"]
        assert first.stop() == 0


def test_a_second_one_names_the_holder_and_a_killed_holder_lets_go_and_leaves_no_worker(
    tmp_path: Path, server: LoopbackServer
) -> None:
    config = write_config(tmp_path, [_source(server, "a", "every: 1h"), _source(server, "drip", "timeout: 60s")])
    with running(config) as first:
        first.heard("poll", source="a")
        with running(config, is_ready=False) as second:
            assert second.ended() == 3
            (told,) = second.events
        assert told["level"] == "error"
        assert f"process id {first.pid} " in told["event"]
        assert "feedhub run" in told["event"]
        beside = SiteFolder(tmp_path).run("poll", "a")
        assert (beside.code, beside.err) == (0, "[1/1] a: not modified\n")
        assert SiteFolder(tmp_path).run("health").code == 0
        assert first.family()
        first.tell(signal.SIGKILL)
        first.ended()
        until(lambda: not first.family(), what="workers end by themselves")
        ill = SiteFolder(tmp_path).run("health")
        assert (ill.code, ill.err) == (1, "feedhub: no daemon runs on this store\n")
        began = time.monotonic()
        with running(config) as third:
            assert time.monotonic() - began < 15
            assert third.stop() == 0


def test_a_restart_polls_only_what_is_due(tmp_path: Path, server: LoopbackServer) -> None:
    config = write_config(tmp_path, [_source(server, "a", "every: 1h"), _source(server, "b", "every: 1s")])
    with running(config) as daemon:
        daemon.heard("poll", source="a")
        until(lambda: server.requests("/b"))
        assert daemon.stop() == 0
    before = store_row(_store(tmp_path), "a")["next_poll_at"]
    asked = len(server.requests("/b"))
    with running(config) as daemon:
        until(lambda: len(server.requests("/b")) > asked)
        assert daemon.stop() == 0
    assert len(server.requests("/a")) == 1
    assert store_row(_store(tmp_path), "a")["next_poll_at"] == before


# A changed configuration.


def _save(path: Path, text: str) -> None:
    """Save as editors do: a new file in the place of the old one."""
    fresh = path.with_name(path.name + "~")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


def test_a_good_file_takes_effect_without_losing_due_times(tmp_path: Path, server: LoopbackServer) -> None:
    server.routes |= {"/moved": static(), "/new": static()}
    stays, goes = _source(server, "stays", "every: 1h", path="/a"), _source(server, "goes", path="/b")
    moves = _source(server, "moves", "every: 1h", path="/a?2")
    slow = _source(server, "slow", "every: 2h", path="/a?3")
    config = write_config(tmp_path, [stays, goes, moves, slow])
    with running(config) as daemon:
        for name in ("stays", "goes", "moves", "slow"):
            until(lambda name=name: store_row(_store(tmp_path), name).get("last_poll_at"))  # type: ignore[misc]
        before = store_row(_store(tmp_path), "stays")
        was_slow = store_row(_store(tmp_path), "slow")["next_poll_at"]
        changed = write_config(
            tmp_path / "elsewhere",
            [
                stays,
                _source(server, "moves", "every: 1h", path="/moved"),
                _source(server, "slow", "every: 1m", path="/a?3"),
                _source(server, "new", "every: 1h"),
            ],
        )
        began = time.monotonic()
        _save(config, changed.read_text("utf-8"))
        until(lambda: server.requests("/moved") and server.requests("/new"))
        assert time.monotonic() - began < 5
        asked = len(server.requests("/b"))
        daemon.heard("reloaded")
        until(lambda: store_row(_store(tmp_path), "new").get("last_poll_at"))
        after = store_row(_store(tmp_path), "stays")
        assert (after["last_poll_at"], after["next_poll_at"]) == (before["last_poll_at"], before["next_poll_at"])
        assert store_row(_store(tmp_path), "slow")["next_poll_at"] < was_slow
        time.sleep(1.5)  # "goes" would have been due meanwhile
        assert len(server.requests("/b")) <= asked
        assert daemon.stop() == 0


def test_sighup_reads_files_that_nobody_watches(tmp_path: Path, server: LoopbackServer) -> None:
    """A link to a file elsewhere: saving that is not seen in the folder of the link."""
    real = write_config(tmp_path / "elsewhere", [_source(server, "a", "every: 1h")])
    site = tmp_path / "site"
    site.mkdir()
    (site / "feedhub.yaml").symlink_to(real)
    with running(site / "feedhub.yaml") as daemon:
        write_config(tmp_path / "elsewhere", [_source(server, "b", "every: 1h")])
        daemon.tell(signal.SIGHUP)
        daemon.heard("reloaded")
        until(lambda: server.requests("/b"))
        assert daemon.stop() == 0


def test_a_new_included_file_is_noticed(tmp_path: Path, server: LoopbackServer) -> None:
    config = write_config(tmp_path, [_source(server, "a", "every: 1h")], more="include: [more/*.yaml, none-yet/*.yaml]")
    (tmp_path / "more").mkdir()
    with running(config) as daemon:
        (tmp_path / "more" / "b.yaml").write_text(f"sources:\n  - {{{_source(server, 'b', 'every: 1h')}}}\n", "utf-8")
        until(lambda: server.requests("/b"))
        (tmp_path / "none-yet").mkdir()
        time.sleep(0.2)
        (tmp_path / "none-yet" / "c.yaml").write_text(
            f"sources:\n  - {{{_source(server, 'c', 'every: 1h')}}}\n", "utf-8"
        )
        until(lambda: server.requests("/c"))
        assert daemon.stop() == 0


# What is told to systemd, and to the log.


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator["Channel"]:
    with Channel(tmp_path / "notify") as channel:
        yield channel


class Channel:
    """The socket on which systemd listens."""

    def __init__(self, path: Path) -> None:
        import socket

        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(PATIENCE)
        self.told: list[tuple[float, str]] = []

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hear(self, start: str) -> str:
        """Wait for a message that begins so."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            text = self._socket.recv(4096).decode()
            self.told.append((time.monotonic(), text))
            if text.startswith(start):
                return text
        raise AssertionError(f"never heard {start}: {self.told}")


def test_systemd_is_told_everything(tmp_path: Path, server: LoopbackServer, systemd: Channel) -> None:
    config = write_config(tmp_path, [_source(server, "b")])
    told = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "1000000"}
    with running(config, environment=told) as daemon:
        assert systemd.hear("READY=1")
        for _ in range(4):
            systemd.hear("WATCHDOG=1")
        beats = [at for at, text in systemd.told if text == "WATCHDOG=1"][1:]
        assert sorted(later - earlier for earlier, later in pairwise(beats))[0] < 0.9
        with config.open("a") as stream:
            stream.write("# saved\n  - {" + _source(server, "a") + "}\n")
        reloading = systemd.hear("RELOADING=1").split("\n")[1].split("=")
        assert reloading[0] == "MONOTONIC_USEC"
        assert 0 <= time.monotonic_ns() // 1000 - int(reloading[1]) < 30_000_000
        systemd.hear("READY=1")
        daemon.tell(signal.SIGHUP)  # nothing changed: systemd waits for an answer all the same
        systemd.hear("RELOADING=1")
        systemd.hear("READY=1")
        config.write_text("nonsense: [", "utf-8")
        daemon.tell(signal.SIGHUP)
        systemd.hear("RELOADING=1")
        systemd.hear("READY=1")
        daemon.tell(signal.SIGTERM)
        systemd.hear("STOPPING=1")
        assert daemon.ended() == 0


def test_its_threads_share_two_heaps(tmp_path: Path, server: LoopbackServer) -> None:
    """glibc would reserve 64 MB for each thread, and keep what lies between (mallopt(3), M_ARENA_MAX)."""
    config = write_config(tmp_path, [_source(server, "a", "every: 1h"), _source(server, "drip", "timeout: 60s")])
    with running(config) as daemon:
        daemon.heard("poll", source="a")
        lines = [line.split() for line in Path(f"/proc/{daemon.pid}/maps").read_text("utf-8").splitlines()]
    areas = [(*(int(end, 16) for end in place.split("-")), how) for place, how, *_ in lines]
    heaps = [
        begin
        for (begin, middle, used), (same, end, rest) in pairwise(areas)
        if (used, rest) == ("rw-p", "---p") and middle == same and end - begin == 64 << 20
    ]
    assert len(heaps) <= 1


def test_a_slow_end_still_gives_signs_of_life(tmp_path: Path, server: LoopbackServer, systemd: Channel) -> None:
    config = write_config(tmp_path, [_source(server, "drip", "timeout: 60s")])
    told = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "2000000"}
    with running(config, environment=told) as daemon:
        until(lambda: server.requests("/drip"))
        daemon.tell(signal.SIGTERM)
        systemd.hear("STOPPING=1")
        systemd.hear("WATCHDOG=1")
        _ends_at_once(daemon, signal.SIGTERM)


NASTY = '\u2028{"event": "forged"}\n{"event": "forged"}\r\x1b[2J\x85'


def test_every_line_of_the_log_is_one_object_without_secrets(tmp_path: Path, server: LoopbackServer) -> None:
    secret = "s3cret-token-0123456789"
    server.routes |= {
        "/forged": status(200, f"<{NASTY}>".encode()),
        "/page": status(200, f"<html><head><title>{NASTY}</title></head></html>".encode()),
        "/away": redirect(f"http://127.0.0.1:1/{secret}"),
        "/bad": static(FEED.replace(b"One", NASTY.encode()).replace(b"http://example.org/1", b"javascript:x\n{}")),
    }
    names = ["forged", "page", "bad", "a"]
    sources = [_source(server, name) for name in names]
    sources.append(f"name: header, url: '{server.url('/a')}', headers: {{Authorization: 'Bearer ${{TOKEN}}'}}")
    sources.append(f"name: address, url: '{server.url('/none')}?key=${{TOKEN}}'")
    sources.append(f"name: away, url: '{server.url('/away')}?key=${{TOKEN}}'")
    config = write_config(tmp_path, sources)
    with running(config, "-v", environment={"TOKEN": secret}) as daemon:
        for name in (*names, "header", "address", "away"):
            until(lambda name=name: any(one.get("source") == name for one in daemon.events))  # type: ignore[misc]
        config.write_text(config.read_text("utf-8") + "  - {name: x, url: 'ftp://${TOKEN}@x/'}\n", "utf-8")
        daemon.heard("the configuration is not valid")
        assert daemon.stop() == 0
        text = daemon.log.read_text("utf-8")
    assert secret not in text
    assert server.requests("/a")[0].header("User-Agent")
    assert any(one.header("Authorization") == f"Bearer {secret}" for one in server.log)
    for line in text.splitlines():
        event = json.loads(line)
        assert {"event", "level", "timestamp"} <= set(event), line
        assert event["event"] != "forged"


def test_a_start_that_fails_says_so_in_an_object_too(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["name: x, url: 'ftp://x/'"])
    with running(config, is_ready=False) as daemon:
        assert daemon.ended() == 2
        assert [one["level"] for one in daemon.events] == ["error"]
        assert daemon.events[0]["event"].startswith(f"{config}:5:")
    assert os.path.exists(config)  # noqa: PTH110
