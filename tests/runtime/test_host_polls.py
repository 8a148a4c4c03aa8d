"""What a worker does with one job: due sources of one host, as long as the host is its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from feedhub.model.report import PollReport
from feedhub.runtime.cluster.engine import make_engine_tables
from feedhub.runtime.cluster.generations import apply_generation, keep_house, read_generation
from feedhub.runtime.cluster.hosts import DatabaseClock, Lease, SharedThrottle
from feedhub.runtime.cluster.polling import HostPolls, InForce
from feedhub.runtime.hub import Hub
from feedhub.store.sql import SqlStore, open_store
from support.cli_runs import rss
from support.daemons import write_config
from support.postgres import address_of, connected, new_database
from support.responders import static, too_many
from support.server import LoopbackServer, Wire, serve

HOST = "127.0.0.1"


class World:
    """A store with a configuration in force, a server of three sources, and the jobs of one worker."""

    def __init__(self, folder: Path, web: LoopbackServer, stack: ExitStack, per_host: str = "") -> None:
        self.database = new_database("jobs")
        self.web = web
        sources = [f"name: s{number}, url: '{web.url(f'/{number}')}', category: news" for number in range(3)]
        store = address_of(self.database)
        self.config = write_config(folder, sources, more=f"store: '{store}'\n")
        text = self.config.read_text("utf-8")
        self.config.write_text(
            text.replace("every: 1s, min: 1s", "every: 1h").replace("concurrent: 8", f"concurrent: 1{per_host}")
        )
        self.store: SqlStore = open_store(store)
        stack.callback(self.store.close)
        self.tables = self.store.cluster()
        settings, document = read_generation(str(self.config), ())
        self.hub = Hub(settings)
        self.hub.store = self.store
        stack.enter_context(self.hub)
        generation, _ = apply_generation(self.hub, self.tables, document)
        make_engine_tables(self.tables)
        clock = DatabaseClock(self.tables.now)
        # First polls are spread over a second and a half.
        self.hub.now = lambda: clock.now() + timedelta(seconds=5)
        self.lease = Lease(3_600.0)
        self.lease.renew(self.lease.clock())
        throttle = SharedThrottle(lambda _: (1, 0.0), str, hosts=self.tables, lease=self.lease, lease_of_guests=5.0)
        self.reports: list[PollReport] = []
        self.number = generation.number
        self.polls = HostPolls(
            InForce(number=generation.number, hub=self.hub),
            tables=self.tables,
            throttle=throttle,
            lease=self.lease,
            on_report=self.reports.append,
        )

    def job(self) -> int:
        with connected(self.database) as connection:
            connection.execute("DELETE FROM procrastinate_jobs")
            ((number,),) = connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status)"
                " VALUES ('feedhub-polls', 'x', %s, 'doing') RETURNING id",
                [HOST],
            ).fetchall()
        assert isinstance(number, int)
        return number

    @property
    def polled(self) -> list[str]:
        return [report.source for report in self.reports]

    @property
    def asked(self) -> list[str]:
        return [each.path for each in self.web.log]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def web(stack: ExitStack) -> LoopbackServer:
    return stack.enter_context(serve({"*": static(rss(("Item", "https://a.example/1")))}))


def test_a_job_polls_what_is_due_on_its_host_and_gives_the_host_back(
    tmp_path: Path, web: LoopbackServer, stack: ExitStack
) -> None:
    world = World(tmp_path, web, stack)
    job = world.job()
    world.polls.run(HOST, job)
    assert world.polled == ["s0", "s1", "s2"]
    assert world.tables.guest_left(HOST, job) is None
    world.polls.run(HOST, world.job())
    assert len(world.asked) == 3


def test_a_job_ends_early_when_others_want_its_host(tmp_path: Path, web: LoopbackServer, stack: ExitStack) -> None:
    world = World(tmp_path, web, stack)

    def wanted(wire: Wire) -> None:
        # As guests say again and again, for longer than a busy machine takes to store this.
        with connected(world.database) as connection:
            connection.execute("UPDATE cluster_hosts SET wanted_at = now() + interval '10 minutes'")
        static(rss(("Item", "https://a.example/1")))(wire)

    web.routes["/0"] = wanted
    world.polls.run(HOST, world.job())
    assert world.polled == ["s0"]
    world.polls.stop()
    world.polls.run(HOST, world.job())
    assert world.polled == ["s0"]


@pytest.mark.parametrize("loss", ["host", "lease", "configuration"])
def test_what_was_fetched_is_not_stored_once_it_is_anothers(
    loss: str, tmp_path: Path, web: LoopbackServer, stack: ExitStack
) -> None:
    world = World(tmp_path, web, stack)
    job = world.job()

    def lost(wire: Wire) -> None:
        if loss == "host":
            world.tables.give_back_all([job])
        elif loss == "lease":
            world.lease.end()
        else:
            world.tables.add_generation("{}", "other")
        static(rss(("Item", "https://a.example/1")))(wire)

    web.routes["/0"] = lost
    world.polls.run(HOST, job)
    assert (world.reports, world.store.item_count(), world.asked[0]) == ([], 0, "/0")
    assert len(world.asked) <= 2


def test_a_host_that_asks_for_quiet_is_closed_to_all_workers(
    tmp_path: Path, web: LoopbackServer, stack: ExitStack
) -> None:
    web.routes["/0"] = too_many("600")
    world = World(tmp_path, web, stack, per_host=", retry_after: host")
    world.polls.run(HOST, world.job())
    assert world.asked == ["/0"]
    assert world.tables.report().closed_hosts == (HOST,)
    assert world.tables.due_hosts(9, 50.0) == []
    world.polls.run(HOST, world.job())
    assert world.asked == ["/0"]


def test_one_of_all_workers_keeps_house_and_only_by_the_newest_configuration(
    tmp_path: Path, web: LoopbackServer, stack: ExitStack
) -> None:
    world = World(tmp_path, web, stack)
    assert keep_house(world.hub, world.number, world.tables) is True
    assert keep_house(world.hub, world.number, world.tables) is False
    later = world.hub.now() + timedelta(hours=13)
    world.hub.now = lambda: later
    assert keep_house(world.hub, world.number + 1, world.tables) is False
    with world.store.task_lock("apply", wait=0.0):
        assert keep_house(world.hub, world.number, world.tables) is False
    assert keep_house(world.hub, world.number, world.tables) is True
