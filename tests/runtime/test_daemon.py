"""The daemon in this process: a real store, a real server, real files; the clock is the only thing that is moved."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from feedhub.errors import StoreError
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.settings import ConfigFault
from feedhub.runtime.config_loader import load_or_say_why
from feedhub.runtime.daemon import Daemon, Reload, Stop
from feedhub.runtime.hub import Hub, Waits
from feedhub.runtime.plugins import load_settings
from feedhub.store.sql import open_store
from support.responders import static, status
from support.server import LoopbackServer, serve

FEED = b"<rss version='2.0'><channel><title>A</title><item><title>One</title><guid>1</guid></item></channel></rss>"


@dataclass
class Notes:
    """An observer that remembers."""

    polls: list[PollReport] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    faults: list[ConfigFault | None] = field(default_factory=list)
    hubs: int = 0
    is_closed: bool = False

    def polled(self, report: PollReport) -> None:
        self.polls.append(report)

    def published(self, report: PublishReport) -> None:
        self.written += report.written

    def reloaded(self, hub: Hub) -> None:
        self.hubs += 1

    def misconfigured(self, fault: ConfigFault | None) -> None:
        self.faults.append(fault)

    def close(self) -> None:
        self.is_closed = True

    def count(self, name: str) -> int:
        return sum(report.source == name for report in self.polls)


@dataclass
class Clock:
    """The clock on the wall, which somebody may set."""

    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass
class Site:
    """A configuration on disk."""

    folder: Path
    port: int

    @property
    def config(self) -> str:
        return str(self.folder / "feedhub.yaml")

    def write(self, *sources: str, every: str = "1s", more: str = "") -> None:
        lines = "".join(f"  - {source.replace('PORT', str(self.port))}\n" for source in sources)
        poll = f"every: {every}, min: 1s, allow_private: [127.0.0.0/8, localhost], per_host: {{gap: 0s{more}}}"
        text = (
            "site: {title: T, url: https://news.example.org}\nstore: sqlite:///feedhub.db\n"
            f"poll: {{{poll}}}\nsources:\n{lines}"
        )
        (self.folder / "new.yaml").write_text(text)
        (self.folder / "new.yaml").rename(self.config)


# As little as there can be, so that tests wait for what happens and not for its turn.
WAITS = Waits(tick=0.1, publish=0.1, publish_retry=0.2, probe=0.5, grace=1.0)
PAPER = "{name: paper, url: 'http://127.0.0.1:PORT/feed', category: news}"
WIRE = "{name: wire, url: 'http://localhost:PORT/wire', category: news}"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with serve() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, server: LoopbackServer) -> Site:
    server.routes["/feed"] = static(FEED)
    made = Site(tmp_path, server.port)
    made.write(PAPER)
    return made


@contextmanager
def running(site: Site, clock: Clock | None = None, notes: Notes | None = None) -> Iterator[tuple[Notes, Daemon]]:
    """Run the daemon for the block."""
    notes = notes or Notes()
    failures: list[BaseException] = []
    with Hub(load_settings(site.config), now=clock or Clock(), waits=WAITS) as hub:
        load = partial(load_or_say_why, site.config, (), os.environ, str(Path.cwd()))
        daemon = Daemon(hub, load=load, observers=(notes,))

        def run() -> None:
            try:
                daemon.run()
            except StoreError as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield notes, daemon
        finally:
            daemon.post(Stop("the test is over"))
            thread.join(30)
        assert not thread.is_alive()
        assert notes.is_closed or failures
        if failures:
            raise failures[0]


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def test_it_polls_again_and_again_and_publishes_what_is_new(site: Site) -> None:
    with running(site) as (notes, _):
        wait_for(lambda: notes.count("paper") >= 3)
    assert [report.new for report in notes.polls][:3] == [1, 0, 0]
    assert "feeds/news.atom" in notes.written
    assert (site.folder / "output" / "feeds" / "health.atom").exists()


def test_it_makes_new_items_searchable_when_nothing_else_is_to_do(site: Site) -> None:
    with running(site) as (notes, _):
        wait_for(lambda: notes.count("paper"))
        wait_for(lambda: not unindexed(site))
    with closing(open_store(f"sqlite:///{site.folder}/feedhub.db")) as store:
        assert store.item_count() == 1


def unindexed(site: Site) -> list[object]:
    with closing(sqlite3.connect(site.folder / "feedhub.db")) as connection:
        return connection.execute("SELECT item_pk FROM unindexed_items").fetchall()


def test_a_saved_configuration_is_taken_up(site: Site, server: LoopbackServer) -> None:
    server.routes["/wire"] = static(FEED)
    with running(site) as (notes, _):
        wait_for(lambda: notes.count("paper"))
        site.write(WIRE)
        wait_for(lambda: notes.count("wire") >= 2)
        polls_of_paper = notes.count("paper")
        wait_for(lambda: notes.count("wire") >= 4)
        assert notes.count("paper") == polls_of_paper
    assert notes.hubs == 2


def test_a_broken_configuration_is_told_with_its_place_and_changes_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with running(site) as (notes, _):
        wait_for(lambda: notes.count("paper"))
        site.write("{name: paper, url: 'gopher://x', category: news}")
        wait_for(lambda: "feedhub.yaml:5:24: sources[0].url" in caplog.text)
        before = notes.count("paper")
        wait_for(lambda: notes.count("paper") > before)
    assert notes.hubs == 1


MANY = b"".join(f"<item><title>Chips {number}</title><guid>{number}</guid></item>".encode() for number in range(450))
NO_CHIPS = "rules: [{name: no chips, when: {title: Chips}, then: {drop: true}}]\n"


def test_changed_rules_file_stored_items_beside_the_polls(
    site: Site, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.routes["/wire"] = static(FEED.replace(b"</channel>", MANY + b"</channel>"))
    site.write(PAPER, WIRE)
    feed = site.folder / "output" / "feeds" / "news.json"
    with caplog.at_level(logging.INFO), running(site) as (notes, _):
        wait_for(lambda: notes.count("wire") and feed.exists() and b"Chips" in feed.read_bytes())
        site.write(PAPER, WIRE)
        with Path(site.config).open("a") as file:
            file.write(NO_CHIPS)
        polls = notes.count("paper")
        wait_for(lambda: b"Chips" not in feed.read_bytes())
        assert b"One" in feed.read_bytes()
        wait_for(lambda: notes.count("paper") > polls)
    assert "stored items are filed by the present rules" in caplog.text


class Fragile(Notes):
    """An observer that one configuration breaks."""

    def reloaded(self, hub: Hub) -> None:
        if any(source.name == "wire" for source in hub.settings.sources):
            raise TypeError("no such thing as a wire")
        super().reloaded(hub)


def test_a_configuration_that_breaks_what_works_with_it_is_told_and_the_old_one_goes_on(
    site: Site, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.routes["/wire"] = static(FEED)
    with running(site, notes=Fragile()) as (notes, _):
        wait_for(lambda: notes.count("paper"))
        site.write(WIRE)
        wait_for(lambda: "cannot be used: TypeError: no such thing as a wire" in caplog.text)
        before = notes.count("paper")
        wait_for(lambda: notes.count("paper") > before)
        site.write(PAPER)
        wait_for(lambda: notes.faults[-1:] == [None])
    assert notes.faults[0] is not None
    assert not notes.count("wire")


def test_an_unchanged_configuration_is_not_taken_up_again(site: Site) -> None:
    with running(site) as (notes, daemon):
        wait_for(lambda: notes.count("paper"))
        daemon.post(Reload("SIGHUP"))
        before = notes.count("paper")
        wait_for(lambda: notes.count("paper") > before)
    assert notes.hubs == 1


def test_a_clock_that_is_set_back_does_not_stop_polling(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with running(site, clock) as (notes, _):
        wait_for(lambda: notes.count("paper"))
        clock.offset = -timedelta(hours=6)
        wait_for(lambda: "the clock was set" in caplog.text)
        before = notes.count("paper")
        wait_for(lambda: notes.count("paper") >= before + 2)


def test_after_a_sleep_of_the_machine_every_source_is_polled_once(site: Site) -> None:
    site.write(PAPER, every="1h")
    clock = Clock()
    with running(site, clock) as (notes, _):
        wait_for(lambda: notes.count("paper") == 1)
        clock.offset = timedelta(hours=8)
        wait_for(lambda: notes.count("paper") == 2)
        time.sleep(0.5)
    assert notes.count("paper") == 2


def test_when_nobody_can_be_reached_nobody_is_blamed(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    dead = [f"{{name: s{number}, url: 'http://127.0.0.{number + 10}:9/', category: news}}" for number in range(4)]
    site.write(*dead)
    with running(site) as (notes, _):
        wait_for(lambda: all(notes.count(f"s{number}") for number in range(3)))
        wait_for(lambda: "network seems to be down" in caplog.text)
    states = open_store(f"sqlite:///{site.folder}/feedhub.db").states()
    assert {state.failures for state in states} == {0}


def test_a_host_that_asks_for_rest_is_given_it_by_all_its_sources(site: Site, server: LoopbackServer) -> None:
    server.routes["/busy"] = status(429, headers=[("Retry-After", "3600")])
    busy = "{name: busy, url: 'http://127.0.0.1:PORT/busy', category: news}"
    site.write(busy, PAPER, WIRE, more=", retry_after: host")
    server.routes["/wire"] = static(FEED)
    with running(site) as (notes, _):
        wait_for(lambda: notes.count("busy"))
        asked = len(server.requests("/feed"))
        wait_for(lambda: notes.count("wire") >= 3)
        # One that was already waiting for its turn may be told so.
        assert len(server.requests("/feed")) <= asked + 1


def test_a_second_daemon_on_the_store_is_refused_and_names_the_first(site: Site) -> None:
    with running(site) as (notes, _):
        wait_for(lambda: notes.hubs)
        with pytest.raises(StoreError, match="`feedhub run` with process id"), running(site):
            pass


def test_a_folder_that_cannot_be_written_is_tried_again_and_costs_no_poll(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    (site.folder / "output").write_text("in the way")
    with caplog.at_level(logging.ERROR), running(site) as (notes, _):
        wait_for(lambda: "publish failed" in caplog.text)
        wait_for(lambda: notes.count("paper") >= 2)
    assert not notes.written
