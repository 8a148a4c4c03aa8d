"""Workers as processes of their own on one store: they share the polls, and take over from one another."""

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from support.cli_runs import rss, run
from support.daemons import PATIENCE, RunningDaemon, running, until, write_config
from support.postgres import address_of, connected, new_database
from support.responders import static
from support.server import Wire, serve

HOSTS = 12
OF_A_HOST = 5
CONCURRENT = 2


class Growing:
    """Sixty feeds on twelve hosts; each has one item at first, and three from its second document on."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once: dict[str, int] = defaultdict(int)
        self.most_at_once = 0
        self._lock = threading.Lock()

    def begin_anew(self) -> None:
        self.asked.clear()

    def __call__(self, wire: Wire) -> None:
        host = wire.headers["Host"]
        with self._lock:
            self.asked[wire.path] += 1
            count = 1 if self.asked[wire.path] == 1 else 3
            self.at_once[host] += 1
            self.most_at_once = max(self.most_at_once, self.at_once[host])
        try:
            time.sleep(0.02)
            name = wire.path.strip("/")
            document = rss(*((f"Item {n} of {name}", f"https://{name}.example/{n}") for n in range(count)))
            # No two items have one date, so that their order does not depend on which was met first.
            hour, minute = map(int, name[1:].split("x"))
            static(document.replace(b"08:00:00", f"{hour:02}:{minute:02}:00".encode()))(wire)
        finally:
            with self._lock:
                self.at_once[host] -= 1


@contextmanager
def feeds(hosts: int = HOSTS) -> Iterator[tuple[Growing, list[str]]]:
    """Serve them; the sources as the inside of YAML flow mappings."""
    growing = Growing()
    with serve({"*": growing}, host="0.0.0.0") as web:
        yield (
            growing,
            [
                f"name: s{host}x{number}, category: [h{host}, news], "
                f"url: 'http://127.0.1.{host}:{web.port}/s{host}x{number}'"
                for host in range(1, hosts + 1)
                for number in range(OF_A_HOST)
            ],
        )


def configured(folder: Path, sources: list[str], store: str, more: str = "") -> Path:
    poll = "allow_private: [127.0.0.0/8]"
    config = write_config(folder, sources, more=f"store: '{store}'\n{more}")
    text = config.read_text("utf-8").replace("allow_private: [127.0.0.1]", poll)
    config.write_text(text.replace("concurrent: 8", f"concurrent: {CONCURRENT}"), "utf-8")
    return config


def tree(folder: Path) -> dict[str, bytes]:
    """Return what is published, without notes and the feed of health, which says when it was made."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".feedhub" not in path.parts]
    files = [path for path in files if path.name != "health.atom"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def stored(database: str) -> list[tuple[object, ...]]:
    with connected(database) as connection:
        return connection.execute(
            "SELECT items.id, name, first_seen_at IS NOT NULL FROM items JOIN sources ON sources.id = owner_id"
            " ORDER BY items.id"
        ).fetchall()


@contextmanager
def two_workers(config: Path) -> Iterator[list[RunningDaemon]]:
    with ExitStack() as running_here:
        first, other = (config.parent / name / "feedhub.yaml" for name in ("first", "other"))
        for place in (first, other):
            place.parent.mkdir()
            place.write_bytes(config.read_bytes())
        yield [
            running_here.enter_context(running(place, "--concurrency", "6", command="worker", is_ready=False))
            for place in (first, other)
        ]


def polled_with_a_kill(folder: Path, growing: Growing, sources: list[str], number: int) -> dict[str, bytes]:
    """What is published of what two workers store, where one of them is killed in the middle; all is stored once."""
    growing.begin_anew()
    database = new_database("killed")
    config = configured(folder, sources, address_of(database))
    with two_workers(config) as workers:
        for worker in workers:
            worker.heard("no work is taken")
        assert run("apply", "-c", config).code == 0
        killed, left = workers if number % 2 else reversed(workers)
        begin = len(sources) * (2 + number % 5) // 8
        until(lambda: sum(growing.asked.values()) > begin)
        os.kill(killed.pid, signal.SIGKILL)
        try:
            until(lambda: len(stored(database)) == 3 * len(sources), patience=2 * PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{len(stored(database))} items: {[*killed.lines[-9:], *left.lines[-20:]]}") from error
        assert left.stop() == 0
    published = run("publish", "-c", config)
    assert published.code == 0, published.err
    return tree(folder / "output")


def polled_by_one(folder: Path, growing: Growing, sources: list[str]) -> dict[str, bytes]:
    growing.begin_anew()
    config = configured(folder, sources, f"sqlite:///{folder}/one.db")
    for _round in range(2):
        assert run("poll", "--all", "-c", config).code == 0
    return tree(folder / "output")


@pytest.mark.timeout(180)
def test_two_workers_one_of_them_killed_leave_what_one_machine_leaves(tmp_path: Path) -> None:
    with feeds(hosts=4) as (growing, sources):
        published = polled_with_a_kill(tmp_path / "two", growing, sources, 1)
        assert published == polled_by_one(tmp_path / "one", growing, sources)
        assert growing.most_at_once <= CONCURRENT


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_twenty_times_a_worker_is_killed_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    with feeds() as (growing, sources):
        expected = polled_by_one(tmp_path / "one", growing, sources)
        for number in range(20):
            assert polled_with_a_kill(tmp_path / str(number), growing, sources, number) == expected, number
            assert growing.most_at_once <= CONCURRENT


class Pausing:
    """Three feeds of one host; the answer to the first request comes when it is told to. It notes every request."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.spans: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def __call__(self, wire: Wire) -> None:
        with self._lock:
            is_first = not self.spans
            place = len(self.spans)
            self.spans.append((time.monotonic(), 0.0))
        if is_first:
            self.go_on.wait(30)
        static(rss((f"Item {wire.path}", f"https://a.example{wire.path}")))(wire)
        with self._lock:
            self.spans[place] = (self.spans[place][0], time.monotonic())


GAP = 0.3
HOLDER = "SELECT process FROM cluster_workers JOIN procrastinate_jobs ON worker_id = polls_as"


@pytest.mark.nightly
def test_a_frozen_worker_is_replaced_and_stores_and_asks_nothing_when_it_goes_on(tmp_path: Path) -> None:
    pausing, database = Pausing(), new_database("frozen")
    with serve({"*": pausing}) as web, ExitStack() as stack:
        sources = [f"name: s{number}, url: '{web.url(f'/{number}')}', category: news" for number in range(3)]
        config = write_config(tmp_path, sources, more=f"store: '{address_of(database)}'\n")
        text = config.read_text("utf-8").replace("gap: 0s, concurrent: 8", f"gap: {GAP}s, concurrent: 1")
        config.write_text(text, "utf-8")
        assert run("apply", "-c", config).code == 0
        frozen, other = stack.enter_context(two_workers(config))
        until(lambda: pausing.spans)
        with connected(database) as connection:
            holders = until(lambda: connection.execute(HOLDER).fetchall())
            if holders != [(frozen.pid,)]:
                frozen, other = other, frozen
            frozen.tell(signal.SIGSTOP)
            # What it asked for comes to nobody; the next job of the host is queued behind its job.
            pausing.go_on.set()
            connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
                " SELECT queue_name, task_name, lock, lock, args FROM procrastinate_jobs WHERE status = 'doing'"
                " AND lock IS NOT NULL"
            )
        other.heard("hosts of a lost worker are taken over")
        until(lambda: len(pausing.spans) > 4)
        frozen.tell(signal.SIGCONT)
        frozen.heard("the worker begins anew")
        until(lambda: len(pausing.spans) > 8)
        assert (frozen.stop(), other.stop()) == (0, 0)
    # The request in flight when it was frozen apart, one at a time, and a gap between them.
    later = sorted(pausing.spans[1:])
    gaps = [second - end for (_, end), (second, _) in pairwise(later)]
    assert min(gaps) > GAP / 2, gaps


@pytest.mark.timeout(180)
def test_edges_publish_and_serve_what_workers_store_and_one_of_them_tells_of_it(tmp_path: Path) -> None:
    database = new_database("edges")
    store = ("--store", address_of(database))
    told = tmp_path / "told"
    hook = f"output: {{pages: false, after: {{run: [sh, -c, 'echo told >> {told}']}}}}"
    with serve({"*": static(rss(("Item", "https://a.example/1")))}) as web, ExitStack() as stack:
        config = write_config(
            tmp_path, [f"name: a, url: '{web.url('/a')}', category: news"], more=f"store: '{address_of(database)}'\n"
        )
        config.write_text(config.read_text("utf-8").replace("output: {pages: false}", hook), "utf-8")
        folders = [tmp_path / "one", tmp_path / "two"]
        edges = [
            stack.enter_context(
                running(
                    folder / "x.yaml",
                    *store,
                    "--output",
                    str(folder / "out"),
                    "--port",
                    "0",
                    "--run-after",
                    command="edge",
                    is_ready=False,
                )
            )
            for folder in folders
        ]
        for edge in edges:
            edge.heard("nothing is published: no configuration")
        assert run("apply", "-c", config).code == 0
        for edge in edges:
            edge.heard("started")
        with running(tmp_path / "w" / "x.yaml", *store, command="worker") as worker:
            worker.heard("poll", source="a")
            places = [folder / "out" / "feeds" / "news.atom" for folder in folders]
            until(lambda: all(place.exists() and b"a.example/1" in place.read_bytes() for place in places))
            assert worker.stop() == 0
        # What is published stays when the store cannot be asked, and the state of each is in its folder.
        assert [(folder / "out" / ".feedhub" / "state.json").exists() for folder in folders] == [True, True]
        count = until(lambda: told.exists() and told.read_text().count("told"))
        assert 1 <= count <= 3
        assert [edge.stop() for edge in edges] == [0, 0]
    expected = run("publish", "-c", config)
    assert expected.code == 0
    trees = [tree(folder) for folder in (tmp_path / "output", *(folder / "out" for folder in folders))]
    assert trees[0] == trees[1] == trees[2]


@pytest.mark.timeout(180)
def test_workers_take_up_what_is_applied_and_take_no_work_without_its_variables(tmp_path: Path) -> None:
    database = new_database("generations")
    with serve({"*": static(rss(("Item", "https://a.example/1")))}) as web:
        config = write_config(
            tmp_path, [f"name: a, url: '{web.url('/a')}', category: news"], more=f"store: '{address_of(database)}'\n"
        )
        secret = ", headers: {Authorization: 'Bearer open-sesame'}"
        text = config.read_text("utf-8")
        config.write_text(text.replace("category: news", f"category: news{secret}"), "utf-8")
        refused = run("apply", "-c", config)
        assert (refused.code, "write ${NAME}" in refused.err, "sesame" in refused.err) == (2, True, False)
        config.write_text(text, "utf-8")
        assert run("apply", "-c", config).out == "generation 1 is in force: 1 source\n"
        assert run("apply", "-c", config).out == "generation 1 is in force already: 1 source\n"
        store = ("--store", address_of(database))
        assert "no worker was ever started" in run("workers", *store).err
        with running(tmp_path / "elsewhere" / "none.yaml", *store, command="worker") as worker:
            worker.heard("poll", source="a")
            more = text + f"\n  - {{name: b, url: '{web.url('/b')}', headers: {{X-Key: '${{KEY_OF_B}}'}}}}\n"
            config.write_text(more, "utf-8")
            os.environ["KEY_OF_B"] = "only-here"
            try:
                assert run("apply", "-c", config).code == 0
            finally:
                del os.environ["KEY_OF_B"]
            assert "KEY_OF_B" in worker.heard("no work is taken")["reason"]
            listed = run("workers", *store)
            assert (listed.code, "KEY_OF_B" in listed.out) == (1, True)
            config.write_text(more.replace("${KEY_OF_B}", "${KEY_OF_B:-}"), "utf-8")
            assert run("apply", "-c", config).code == 0
            worker.heard("started", generation=3)
            worker.heard("poll", source="b")
            assert run("workers", *store).code == 0
            # One daemon or many workers.
            with running(config, is_ready=False) as daemon:
                assert daemon.ended() == 3
                assert "worker` with process id" in daemon.events[-1]["event"]
            assert worker.stop() == 0
