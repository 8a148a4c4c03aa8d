"""The commands on a store of PostgreSQL; captured feeds give the same files as from one of SQLite."""

import hashlib
import re
import shutil
import threading
import zlib
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pytest

from feedhub.model.document import Document, NotModified, Request
from feedhub.ports.world import Fetcher
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.store.sql import copy_store
from support.cli_runs import rss, run, write_project
from support.daemons import running, until, write_config
from support.postgres import address_of, connected, new_database, own_server, start, stop
from support.responders import static
from support.server import serve
from support.site import needs_shared_feeds, shared_feeds

START = datetime(2026, 11, 1, 8, tzinfo=UTC)


def test_every_command_works_and_none_shows_the_password(tmp_path: Path) -> None:
    (tmp_path / "wire.xml").write_bytes(rss(("央行宣布降准", "https://a.example/1"), ("Chips", "https://a.example/2")))
    store = address_of(new_database("commands"), "pa%40ss-word")
    config = write_project(tmp_path, "  - {name: wire, url: wire.xml, category: news}\n", f"store: {store}\n")
    backup = tmp_path / "monday.dump"
    expected = {
        ("check",): "",
        ("status",): "no store yet at postgresql",
        ("poll", "--all", "-v"): "wire",
        ("search", "降准"): "央行宣布降准",
        ("explain", "https://a.example/2"): "Chips",
        ("log",): "",
        ("publish",): "",
        ("prune",): "",
        ("backup", str(backup)): str(backup),
        ("status", "--json"): "postgresql+psycopg://***@/",
        ("health",): "",
    }
    texts = {}
    for command, words in expected.items():
        ran = run(*command, "-c", config)
        texts[command] = ran.out + ran.err
        assert words in texts[command], command
    assert [command for command, text in texts.items() if "ss-word" in text] == []
    assert backup.read_bytes().startswith(b"PGDMP")
    assert (tmp_path / "output" / "feeds" / "news.atom").exists() or list(tmp_path.rglob("news.atom"))
    lost = run("poll", "--all", "-c", config, "--set", "store=postgresql+psycopg://u:pa%40ss-word@/d?host=/nowhere")
    assert (lost.code, "cannot be reached" in lost.err, "ss-word" in lost.err) == (3, True, False)


RIGHT = zlib.crc32(b"run") & 0x7FFFFFFF
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'feedhub%%' OR application_name LIKE '`feedhub%%'"""


class Growing:
    """A feed with one more item at every request."""

    items: list[tuple[str, str]]

    def __init__(self) -> None:
        self.items = []

    def __call__(self, wire: object) -> None:
        number = len(self.items) + 1
        self.items.append((f"Item {number}", f"https://a.example/{number}"))
        static(rss(*((name, link) for name, link in self.items[-25:])))(wire)  # type: ignore[arg-type]


def test_a_daemon_outlives_its_server_and_is_the_only_one_again(tmp_path: Path) -> None:
    growing = Growing()
    with own_server() as folder, serve({"/a": growing}) as web:
        source = f"name: a, url: '{web.url('/a')}', category: news"
        config = write_config(tmp_path, [source], more=f"store: {address_of('postgres', at=folder)}\n")
        with running(config) as daemon:
            daemon.heard("poll", source="a")
            stop(folder)
            lost = daemon.heard("the store cannot be used")
            assert re.search("was stopped|cannot be reached", lost["reason"])
            start(folder)
            daemon.heard("the store can be used again")
            daemon.heard("poll", source="a")
            with running(config, is_ready=False) as second:
                assert second.ended() == 3
                assert f"process id {daemon.pid} " in second.events[-1]["event"]
            # Another waits for the right, and has it as soon as the connection is cut.
            with connected("postgres", at=folder) as other, connected("postgres", at=folder) as third:
                waiting = threading.Thread(
                    target=other.execute, args=("SELECT pg_advisory_lock(1717921124, %s)", [RIGHT])
                )
                waiting.start()
                until(lambda: third.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())
                third.execute(CUT)
                waiting.join()
                until(lambda: "is in use: " in daemon.heard("the store cannot be used")["reason"])
                daemon.heard("the store cannot be used")
                asked = len(growing.items)
                daemon.heard("the store cannot be used")
                assert len(growing.items) == asked
            daemon.heard("the store can be used again")
            daemon.heard("poll", source="a")
            assert daemon.stop() == 0
        with connected("postgres", at=folder) as connection:
            ((stored,),) = connection.execute("SELECT count(*) FROM items").fetchall()
        assert stored == len(growing.items)


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files of an output folder that readers see; notes beside them hold change numbers of the store."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".feedhub" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_store_moves_to_postgresql_and_back_and_its_outputs_stay_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "wire.xml").write_bytes(rss(("央行宣布降准", "https://a.example/1"), ("Chips", "https://a.example/2")))
    (tmp_path / "two.xml").write_bytes(rss(("Chips", "https://a.example/2"), ("Rates", "https://b.example/3")))
    sources = "".join(f"  - {{name: {name}, url: {name}.xml, category: [{name}, news]}}\n" for name in ("wire", "two"))
    config = write_project(tmp_path, sources)
    output = config.parent.parent / "output"
    assert run("poll", "--all", "-c", config).code == 0
    first = tree(output)
    stores = [
        f"sqlite:///{tmp_path}/var/feedhub.db",
        address_of(new_database("moved"), "pa%40ss-word"),
        f"sqlite:///{tmp_path}/back.db",
    ]
    for old, new in pairwise(stores):
        moved = run("migrate-store", old, new)
        assert (moved.code, "ss-word" in moved.out + moved.err) == (0, False), moved.err
        assert "copied and compared: " in moved.out
        told = run("publish", "-c", config, "--set", f"store={new}", "--json")
        assert (told.code, tree(output)) == (0, first)
        shutil.rmtree(output)
        assert run("publish", "-c", config, "--set", f"store={new}").code == 0
        assert tree(output) == first
        again = run("poll", "--all", "-c", config, "--set", f"store={new}")
        assert again.err.count("not modified") == 2
    assert first
    again = run("migrate-store", *stores[:2])
    assert (again.code, "is no new one" in again.err) == (3, True)
    for wrong in ("mysql://u:ss-word@h/d", "sqlite:///${NOT_SET}"):
        refused = run("migrate-store", wrong, stores[2])
        assert (refused.code, "ss-word" in refused.err, refused.err[:15]) == (2, False, "feedhub: FROM: ")


class Rounds:
    """A fetcher of captured feeds: new, not modified, with a word changed everywhere, and as at first."""

    def __init__(self) -> None:
        files = shared_feeds()
        self.bodies = {f"https://feeds.example/{file.parent.name}/{file.name}": file.read_bytes() for file in files}
        self.number = 0

    def fetch(self, request: Request) -> Document | NotModified:
        if self.number == 1:
            return NotModified(url=request.url)
        body = self.bodies[request.url]
        if self.number == 2:
            body = body.replace(b" the ", b" that ").replace("的".encode(), "之".encode())
        return Document(url=request.url, body=body, digest=hashlib.sha256(body).hexdigest(), fetched_at=self.now())

    def now(self) -> datetime:
        return START + timedelta(hours=self.number)

    def close(self) -> None:
        pass


class RoundsHub(Hub):
    rounds: Rounds

    @cached_property
    def fetcher(self) -> Fetcher:
        return self.rounds


def published(folder: Path, store: str) -> list[dict[str, bytes]]:
    """Return all output files after each round."""
    folder.mkdir()
    sources = "".join(
        f"  - {{name: '{file.parent.name}-{file.name}', url: 'https://feeds.example/{file.parent.name}/{file.name}', "
        f"category: [{file.parent.name}, everything]}}\n"
        for file in shared_feeds()
    )
    (folder / "feedhub.yaml").write_text(
        f"site: {{title: Both, url: https://news.example.org}}\nstore: {store}\nsources:\n{sources}", "utf-8"
    )
    rounds, trees = Rounds(), []
    for rounds.number in range(4):
        hub = RoundsHub(load_settings(str(folder / "feedhub.yaml")), now=rounds.now)
        hub.rounds = rounds
        with hub:
            hub.poll(everything=True)
        trees.append(tree(folder / "output"))
    return trees


@pytest.mark.nightly
@needs_shared_feeds
def test_captured_feeds_give_the_same_files_from_either_database(tmp_path: Path) -> None:
    first = published(tmp_path / "sqlite", "sqlite:///store.db")
    other = published(tmp_path / "postgresql", address_of(new_database("outputs")))
    assert [len(files) for files in other] == [len(files) for files in first]
    for number, (files, same) in enumerate(zip(first, other, strict=True)):
        assert [name for name in files if files[name] != same.get(name)] == [], f"round {number}"
    assert len(first[0]) > 600
    assert first[0] != first[2]
    stores = [f"sqlite:///{tmp_path}/sqlite/store.db", address_of(new_database("moved")), f"sqlite:///{tmp_path}/2.db"]
    for number, (old, new) in enumerate(pairwise(stores)):
        copy_store(old, new, lambda _: None)
        shutil.rmtree(tmp_path / "sqlite" / "output")
        override = (f"store={new}",)
        with RoundsHub(load_settings(str(tmp_path / "sqlite" / "feedhub.yaml"), override), now=Rounds().now) as hub:
            hub.publish()
        same = tree(tmp_path / "sqlite" / "output")
        assert [name for name in first[3] if first[3][name] != same.get(name)] == [], f"move {number}"
