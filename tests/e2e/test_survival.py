"""What goes wrong in a year, for real: disks, locks, damage, clocks, networks (guarantees 23–25, 31, 33)."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.daemons import IMPATIENT, RunningDaemon, running, store_row, until, write_config
from support.responders import static
from support.server import LoopbackServer, serve, unused_port
from support.site import SiteFolder

MEGABYTE = 1 << 20


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[None]:
    """Mount a small file system of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("nothing can be mounted here (needs root)")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up all room in a folder's file system."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        for block in (65_536, 4_096, 1):
            try:
                while stream.write(b"x" * block) == block:
                    pass
            except OSError:
                continue
    return ballast


def document(*numbers: int, size: int = 200) -> bytes:
    """A feed with these items."""
    items = "".join(
        f"<item><title>Item {number}</title><link>https://a.example/{number}</link><guid>{number}</guid>"
        f"<description>{'text ' * (size // 5)}</description></item>"
        for number in numbers
    )
    return f"<rss version='2.0'><channel><title>F</title>{items}</channel></rss>".encode()


class Growing:
    """A feed with one more item at every request; it shows the newest fifty."""

    def __init__(self, size: int = 200) -> None:
        self.given = 0
        self._size = size

    def __call__(self, wire: object) -> None:
        self.given += 1
        static(document(*range(max(1, self.given - 49), self.given + 1), size=self._size))(wire)  # type: ignore[arg-type]


@pytest.fixture
def growing() -> Growing:
    return Growing()


@pytest.fixture
def server(growing: Growing) -> Iterator[LoopbackServer]:
    with serve({"/a": growing}) as running_server:
        yield running_server


def _source(server: LoopbackServer, name: str = "a", more: str = "") -> str:
    return f"name: {name}, url: '{server.url('/a')}', category: news{', ' if more else ''}{more}"


def _published(folder: Path) -> int:
    return len(SiteFolder(folder).feed("news")) if (folder / "output" / "feeds" / "news.json").exists() else 0


# The disk.


def test_a_full_disk_under_the_store_costs_nothing_but_time(
    tmp_path: Path, server: LoopbackServer, growing: Growing
) -> None:
    growing._size = 5_000
    with tmpfs(tmp_path / "var", 4 * MEGABYTE):
        config = write_config(tmp_path, [_source(server)])
        with running(config) as daemon:
            until(lambda: _published(tmp_path))
            ballast = fill(tmp_path / "var")
            told = daemon.heard("the store cannot be used")
            assert "no room on the disk" in told["reason"]
            time.sleep(2)  # a publish that was under way ends
            good = SiteFolder(tmp_path).files()
            by_hand = SiteFolder(tmp_path).run("poll", "a", program=IMPATIENT)
            assert by_hand.code == 3, by_hand
            assert "no room on the disk" in by_hand.err
            assert SiteFolder(tmp_path).files() == good
            ballast.unlink()
            daemon.heard("the store can be used again")
            before = _published(tmp_path)
            until(lambda: _published(tmp_path) > before)
            assert daemon.stop() == 0
        # What the server gave during the time without room is there as well: it still offered it.
        assert [item["title"] for item in SiteFolder(tmp_path).feed("news")][-1] == "Item 1"


def test_a_daemon_that_is_started_on_a_full_disk_waits_for_room(
    tmp_path: Path, server: LoopbackServer, growing: Growing
) -> None:
    with tmpfs(tmp_path / "var", 4 * MEGABYTE):
        config = write_config(tmp_path, [_source(server)])
        ballast = fill(tmp_path / "var")
        with running(config, is_ready=False) as daemon:
            assert "no room on the disk" in daemon.heard("the store cannot be used")["reason"]
            daemon.tell(signal.SIGTERM)
            assert daemon.ended() == 0
        with running(config, is_ready=False) as daemon:
            daemon.heard("the store cannot be used")
            ballast.unlink()
            daemon.heard("started")
            until(lambda: _published(tmp_path))
            daemon.tell(signal.SIGKILL)
            daemon.ended()
        # One that was used already, too.
        ballast = fill(tmp_path / "var")
        before = growing.given
        with running(config, is_ready=False) as daemon:
            assert "no room on the disk" in daemon.heard("the store cannot be used")["reason"]
            ballast.unlink()
            daemon.heard("started")
            until(lambda: _published(tmp_path) > before)
            assert daemon.stop() == 0


def test_an_output_folder_that_is_full_or_read_only_keeps_the_last_good_files_and_is_waited_for(
    tmp_path: Path, server: LoopbackServer, growing: Growing
) -> None:
    growing._size = 4_000
    output = tmp_path / "output"
    with tmpfs(output, 2 * MEGABYTE):
        config = write_config(tmp_path, [_source(server)])
        with running(config, "-v") as daemon:
            until(lambda: _published(tmp_path))
            ballast = fill(output)
            _fails_to_publish(daemon, tmp_path, "no room left on the disk")
            ballast.unlink()
            _catches_up(tmp_path, growing)
            until(lambda: _is_remounted(output, "ro"))
            _fails_to_publish(daemon, tmp_path, "the file system is read-only")
            until(lambda: _is_remounted(output, "rw"))
            _catches_up(tmp_path, growing)
            assert daemon.stop() == 0


def _is_remounted(folder: Path, mode: str) -> bool:
    """Mount a folder anew; the system refuses that while a publish has a file open for writing."""
    return subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=False).returncode == 0


def _fails_to_publish(daemon: RunningDaemon, folder: Path, reason: str) -> None:
    until(lambda: reason in daemon.heard("publish failed")["reason"])
    assert _published(folder)
    by_hand = SiteFolder(folder).run("poll", "a", program=IMPATIENT)
    assert by_hand.code == 1
    assert reason in by_hand.out + by_hand.err


def _catches_up(folder: Path, growing: Growing) -> None:
    before = growing.given
    until(lambda: _published(folder) >= min(before, 50))


@pytest.mark.nightly
def test_twenty_kills_in_the_middle_of_publishing_tear_no_file_and_the_next_publish_makes_all_good(
    tmp_path: Path, server: LoopbackServer
) -> None:
    server.routes["/a"] = static(document(*range(1, 201)))
    site, other = SiteFolder(tmp_path), tmp_path / "undisturbed"
    write_config(tmp_path, [_source(server)])
    assert site.run("poll").code == 0
    began = time.monotonic()
    assert site.run("publish", "--set", "site.title=Whole").code == 0
    whole = time.monotonic() - began
    chance = random.Random(20_261_128)
    cut_short = number = 0
    while cut_short < 20:
        number += 1
        assert number < 100, "publishing is hardly ever met"
        process = site.start("publish", "--set", f"site.title=Title {number}")
        time.sleep(chance.uniform(0.5, 1.0) * whole)
        is_cut_short = process.poll() is None
        cut_short += is_cut_short
        # How long it takes differs on a busy machine.
        whole *= 1.1 if is_cut_short else 0.8
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path in site.output.rglob("*.html"):
            if path.suffix == ".html":
                assert path.read_text("utf-8").endswith("</html>\n"), path
        for path in site.output.glob("feeds/*.json"):
            json.loads(path.read_text("utf-8"))
    assert site.run("publish").code == 0
    assert site.run("publish", "--set", f"output.dir={other}").code == 0
    found = {name: (site.output / name).read_bytes() for name in site.files()}
    assert found == {name: (other / name).read_bytes() for name in found}
    assert not list(site.output.rglob("*.tmp"))


# The store.


def _store(folder: Path) -> Path:
    return folder / "var" / "feedhub.db"


def test_a_store_that_another_program_locks_is_outlived_and_holds_up_no_end(
    tmp_path: Path, server: LoopbackServer
) -> None:
    config = write_config(tmp_path, [_source(server)])
    with running(config) as daemon:
        until(lambda: _published(tmp_path))
        with closing(sqlite3.connect(_store(tmp_path), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            by_hand = SiteFolder(tmp_path).run("poll", "a", program=IMPATIENT)
            assert by_hand.code == 3
            assert "is in use by another process" in by_hand.err
            assert "is in use by another process" in daemon.heard("the store cannot be used")["reason"]
        daemon.heard("the store can be used again")
        before = _published(tmp_path)
        until(lambda: _published(tmp_path) > before)
        with closing(sqlite3.connect(_store(tmp_path), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(0.2)
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 30


def _overwrite(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(length))


def test_a_damaged_store_is_refused_and_the_output_stays(tmp_path: Path, server: LoopbackServer) -> None:
    site = SiteFolder(tmp_path)
    config = write_config(tmp_path, [_source(server)])
    assert site.run("poll").code == 0
    good = site.files()
    store = _store(tmp_path)
    for beside in store.parent.glob("*-wal"):
        beside.unlink()
    whole = store.read_bytes()
    for at, length in ((0, 100), (8_192, len(whole) - 8_192)):
        store.write_bytes(whole)
        _overwrite(store, at, length)
        by_hand = site.run("poll", "a")
        assert by_hand.code == 3, by_hand
        assert str(store) in by_hand.err
        assert by_hand.err.count("\n") == 1
        with running(config, is_ready=False) as daemon:
            assert daemon.ended() == 3
            assert str(store) in daemon.events[-1]["event"]
        assert site.files() == good


def test_a_store_that_is_damaged_meanwhile_ends_the_daemon(tmp_path: Path, server: LoopbackServer) -> None:
    config = write_config(tmp_path, [_source(server)])
    with running(config) as daemon:
        until(lambda: _published(tmp_path))
        with closing(sqlite3.connect(_store(tmp_path))) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        _overwrite(_store(tmp_path), 4_096, _store(tmp_path).stat().st_size - 4_096)
        assert daemon.ended() == 3
        assert "damaged" in daemon.events[-1]["event"]
    assert _published(tmp_path)


def test_a_store_that_is_replaced_meanwhile_is_noticed_and_a_restart_takes_up_the_new_one(
    tmp_path: Path, server: LoopbackServer, growing: Growing
) -> None:
    port = unused_port()
    config = write_config(tmp_path, [_source(server)], more=f"web: {{enabled: true, port: {port}}}")
    store, backup, old = _store(tmp_path), tmp_path / "backup.db", tmp_path / "old.db"
    with running(config) as daemon:
        until(lambda: _published(tmp_path) >= 2)
        assert SiteFolder(tmp_path).run("backup", str(backup)).code == 0
        kept = _titles(backup)
        before = growing.given
        until(lambda: growing.given > before + 1)
        store.rename(old)
        backup.rename(store)
        assert "was replaced by another file" in daemon.heard("the store cannot be used")["reason"]
        written = old.stat().st_mtime_ns, old.read_bytes(), _titles(store)
        time.sleep(2)
        assert (old.stat().st_mtime_ns, old.read_bytes(), _titles(store)) == written
        assert written[2] == kept
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20)
        assert caught.value.code == 503
        (reason,) = json.load(caught.value)["reasons"]
        assert reason.startswith("the store was replaced by another file")
        assert daemon.stop() == 0
    assert _titles(store) == kept
    with running(config) as daemon:
        before = growing.given
        until(lambda: _published(tmp_path) > before)
        assert daemon.stop() == 0
    assert set(_titles(store)) > set(kept)


def _titles(store: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT title FROM sightings ORDER BY rowid")]


def test_a_store_that_is_removed_meanwhile_is_noticed(tmp_path: Path, server: LoopbackServer) -> None:
    config = write_config(tmp_path, [_source(server)])
    with running(config) as daemon:
        until(lambda: _published(tmp_path))
        _store(tmp_path).unlink()
        assert "or removed, while it was open" in daemon.heard("the store cannot be used")["reason"]
        assert daemon.stop() == 0
    assert not _store(tmp_path).exists()
    with running(config) as daemon:
        until(lambda: _store(tmp_path).exists())
        assert daemon.stop() == 0


def test_a_cut_write_ahead_log_loses_polls_and_nothing_else(
    tmp_path: Path, server: LoopbackServer, growing: Growing
) -> None:
    config = write_config(tmp_path, [_source(server)])
    with running(config) as daemon:
        until(lambda: _published(tmp_path) >= 2)
        daemon.tell(signal.SIGKILL)
        daemon.ended()
    log = _store(tmp_path).with_name("feedhub.db-wal")
    with log.open("r+b") as stream:
        stream.truncate(log.stat().st_size * 2 // 3 + 7)
    with running(config) as daemon:
        before = growing.given
        until(lambda: _published(tmp_path) > before)
        assert daemon.stop() == 0
    titles = [item["title"] for item in SiteFolder(tmp_path).feed("news")]
    assert len(titles) == len(set(titles)) >= before


# The clock.


class WallClock:
    """The time of day as a process sees it (``support/wall_clock.c``); its monotonic clock goes on by itself."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler for the library that shows another time of day")
        library, self._file = folder / "wall_clock.so", folder / "clock"
        source = Path(__file__).parent.parent / "support" / "wall_clock.c"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        self.set_by(0)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}

    def set_by(self, seconds: int) -> None:
        """Let it show so much more than the real one."""
        fresh = self._file.with_name("clock~")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def test_a_clock_set_back_stops_no_poll(tmp_path: Path, server: LoopbackServer, clock: WallClock) -> None:
    hourly = _source(server, "hourly", "every: 1h").replace("/a", "/h")
    daily = _source(server, "daily", "schedule: '30 3 * * *'").replace("/a", "/h?2")
    config = write_config(tmp_path, [_source(server), hourly, daily])
    server.routes["/h"] = static()
    with running(config, environment=clock.environment) as daemon:
        daemon.heard("poll", source="hourly")
        until(lambda: server.requests("/a"))
        clock.set_by(-6 * 3_600)
        assert daemon.heard("the clock was set")["by"].startswith("-2160")
        asked = len(server.requests("/a"))
        until(lambda: len(server.requests("/a")) >= asked + 2)
        due = _instant(store_row(_store(tmp_path), "hourly")["next_poll_at"])
        # An hour from now by the new clock, not seven.
        assert due - (time.time() - 6 * 3_600) <= 3_601
        # A time of day stays that time of day.
        assert _instant(store_row(_store(tmp_path), "daily")["next_poll_at"]) % 86_400 == 3.5 * 3_600
        clock.set_by(0)
        daemon.heard("the clock was set")
        assert len(server.requests("/h")) <= 2
        assert daemon.stop() == 0


def test_what_a_sleep_missed_is_made_up_once(tmp_path: Path, server: LoopbackServer, clock: WallClock) -> None:
    server.routes["/h"] = static()
    config = write_config(tmp_path, [_source(server, "hourly", "every: 1h").replace("/a", "/h")])
    with running(config, environment=clock.environment) as daemon:
        daemon.heard("poll", source="hourly", outcome="stored")
        before = len(server.requests("/h"))
        clock.set_by(8 * 3_600)
        daemon.heard("the clock was set")
        until(lambda: len(server.requests("/h")) > before)
        time.sleep(1.2)
        # What a busy store did not take is fetched again, on a busy machine before as after.
        refused = sum("in use" in line for line in daemon.lines)
        assert before + 1 <= len(server.requests("/h")) <= before + 1 + refused, daemon.lines
        assert daemon.stop() == 0


def test_every_night_what_is_too_old_is_removed(tmp_path: Path, server: LoopbackServer, clock: WallClock) -> None:
    server.routes["/a"] = static(document(1, 2, 3))
    config = write_config(tmp_path, [_source(server)], more="retention: {items: 2}")
    with running(config, environment=clock.environment) as daemon:
        until(lambda: _published(tmp_path) == 3)
        # What a source still offers is kept.
        server.routes["/a"] = static(document(1))
        asked = len(server.requests("/a"))
        until(lambda: len(server.requests("/a")) >= asked + 2)
        # At 00:20 by the time zone of the site.
        until_night = timedelta(days=1, minutes=19, seconds=55).total_seconds() - time.time() % 86_400
        clock.set_by(int(until_night))
        assert daemon.heard("housekeeping")["removed"] == 1
        until(lambda: _published(tmp_path) == 2)
        assert daemon.stop() == 0


def test_polls_of_the_future_are_not_waited_for(tmp_path: Path, server: LoopbackServer, clock: WallClock) -> None:
    """A machine whose clock ran ahead was put right while the daemon was not running."""
    config = write_config(tmp_path, [_source(server, "a", "every: 1h"), _source(server, "b", "every: 2s")])
    clock.set_by(30 * 86_400)
    with running(config, environment=clock.environment) as daemon:
        for name in ("a", "b"):
            until(lambda name=name: store_row(_store(tmp_path), name).get("last_poll_at"))  # type: ignore[misc]
        assert daemon.stop() == 0
    asked = len(server.requests("/a"))
    with running(config) as daemon:
        until(lambda: len(server.requests("/a")) > asked)
        assert _instant(store_row(_store(tmp_path), "a")["next_poll_at"]) <= time.time() + 3_601
        assert daemon.stop() == 0


def _instant(stored: object) -> float:
    """Return what the database holds of an instant, in seconds since 1970."""
    if isinstance(stored, int | float):
        return stored / 1_000_000 if stored > 1e12 else float(stored)
    return datetime.fromisoformat(str(stored)).replace(tzinfo=UTC).timestamp()


# Our own network.


def test_when_nobody_can_be_reached_nobody_is_blamed(tmp_path: Path, clock: WallClock) -> None:
    port = unused_port()
    hosts = [f"127.0.0.{number}" for number in range(1, 6)]
    sources = [f"name: s{number}, url: 'http://{host}:{port}/', every: 5s" for number, host in enumerate(hosts)]
    config = write_config(tmp_path, sources)
    config.write_text(config.read_text("utf-8").replace("[127.0.0.1]", "[127.0.0.0/8]"), "utf-8")
    with running(config, environment=clock.environment) as daemon:
        daemon.heard("no source can be reached")
        down = "this machine's network seems to be down"

        def told() -> list[int]:
            status = SiteFolder(tmp_path).run("status", "--json").json["sources"]
            return [one["failures"] for one in status if down in one["reason"]]

        # Those that failed first, before it was clear, are forgiven.
        until(lambda: len(told()) >= 3)
        assert set(told()) == {0}
        with ExitStack() as network:
            servers = [network.enter_context(serve({"*": static()}, host=host, port=port)) for host in hosts]
            clock.set_by(120)  # a minute would do as well, but lasts longer
            daemon.heard("the network is back")
            until(lambda: all(server.log for server in servers))
        assert daemon.stop() == 0
