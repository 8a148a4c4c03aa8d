"""Eight writers on PostgreSQL at once leave what they would have left one after the other."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from feedhub.errors import NotAloneError, PollError, StoreError, StoreInUseError
from feedhub.model.item import ParsedItem
from feedhub.model.source import Condition, DedupeSettings, Rule, Source, SourceState
from feedhub.pipeline.fetch import Fetched, fetch_source
from feedhub.pipeline.ingest import IngestContext
from feedhub.runtime.poller import Ingester
from feedhub.store.sql import SqlStore, open_store
from feedhub.store.tables import metadata
from support.builders import DAY, ingest, plan, url
from support.library import record
from support.postgres import address_of, check_derived_data, connected, new_database
from support.world import START, World

WRITERS = 8
SOURCES = tuple(
    Source(
        name=f"s{number}",
        url=f"https://s{number}.example/feed",
        categories=("tech", "cn")[: 1 + number % 2],
        dedupe=DedupeSettings(same_title=DAY.total_seconds() if number % 3 == 0 else None, across=True),
    )
    for number in range(12)
)
RULES = (Rule(name="adverts", when=Condition(kind="title", values=("Advert",)), drop=True),)


@dataclass(slots=True)
class Poll:
    """What was fetched of a source, and its place in the order of all writers."""

    fetched: Fetched
    now: datetime
    place: int = 0


@dataclass(slots=True, kw_only=True)
class Writers:
    """Writers of one store, each with connections of its own. ``fault`` is what broke one of them."""

    database: str
    world: World
    work: "SimpleQueue[Poll]" = field(default_factory=SimpleQueue)
    faults: list[Exception] = field(default_factory=list)

    def run(self) -> None:
        """Store polls until none is left. The place is drawn inside the transaction, which has all its locks then."""
        poll: Poll
        store = open_store(address_of(self.database), busy_timeout=60)
        beside = connected(self.database)

        def place(*_: object) -> None:
            ((poll.place,),) = beside.execute("SELECT nextval('places')::int").fetchall()  # type: ignore[assignment]

        context = IngestContext(
            settings=self.world.settings,
            store=store,
            cleaner=self.world.cleaner,
            scheduled=place,  # type: ignore[arg-type]
        )
        try:
            while True:
                poll = self.work.get_nowait()
                Ingester(context, now=lambda: poll.now).ingest(poll.fetched)  # noqa: B023
        except Empty:
            pass
        except Exception as error:  # noqa: BLE001 - told by the test
            self.faults.append(error)
        finally:
            store.close()
            beside.close()


def documents(chance: random.Random, many: int) -> Iterator[tuple[str, list[ParsedItem]]]:
    """Yield documents of sources that share addresses and titles; texts change from time to time."""
    for number in range(many):
        name = chance.choice(SOURCES).name
        stories = chance.sample(range(60), chance.randint(4, 15))
        yield (
            name,
            [
                record(
                    f"{'Advert' if story % 11 == 0 else 'Story'} {story}",
                    guid=f"{story}" if story % 4 else None,
                    link=f"https://www.example/{story}" if story % 5 else f"https://{name}.example/{story}",
                    text=f"text {story} {number // 25 if story % 3 == 0 else ''}",
                )
                for story in stories
            ],
        )


def rows_of(store: SqlStore) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a store holds, with names in the place of numbers, and without numbers of changes."""
    with store._read() as connection:
        tables = {
            name: [row._asdict() for row in connection.execute(metadata.tables[name].select())] for name in COMPARED
        }
    items = {row["pk"]: row["id"] for row in tables["items"]}
    sources = {row["id"]: row["name"] for row in tables["sources"]}
    named = {"item_pk": items, "source_id": sources, "owner_id": sources, "shown_by": sources}
    left_out = {"pk", "touched", "number", "version"}
    return {
        name: sorted(
            (
                tuple(
                    (column, named[column].get(value) if column in named else value)
                    for column, value in row.items()
                    if column not in left_out and not (column == "id" and name in {"sources", "ledger"})
                )
                for row in rows
            ),
            key=repr,
        )
        for name, rows in tables.items()
    }


COMPARED = [name for name in metadata.tables if name not in {"schema_migrations", "meta", "branches"}]


class Follower:
    """Reads again and again what changed since it read last, as publishing does."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.met: dict[str, object] = {}
        self.changed: set[str] = set()
        self._since = 0

    def read(self) -> None:
        with self.store.snapshot():
            number = self.store.change_number()
            versions = self.store.item_versions("all", START - DAY, START + 99 * DAY)
            assert all(version.change_number <= number for version in versions)
            self.changed.update(self.store.changed_outputs(self._since))
            self.met.update((page.item.id, page) for page in self.store.page_items(self._since))
        self._since = number


def test_many_at_once_are_as_some_one_after_the_other() -> None:
    name = new_database("writers")
    with connected(name) as connection:
        store = open_store(address_of(name))
        connection.execute("CREATE SEQUENCE places")
        world = World(SOURCES, RULES, store=store)
        polls = []
        for number, (source, records) in enumerate(documents(random.Random(21), 160)):
            world.answer(source, *records)
            chosen = next(one for one in SOURCES if one.name == source)
            fetched = fetch_source(chosen, SourceState(name=source), context=world.fetch_context, now=world.now)
            polls.append(Poll(fetched, START + number * timedelta(minutes=1)))
        writers = Writers(database=name, world=world)
        for poll in polls:
            writers.work.put(poll)
        threads = [threading.Thread(target=writers.run) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        follower = Follower(store)
        while any(thread.is_alive() for thread in threads):
            follower.read()
        assert writers.faults == []
        follower.read()
        assert store.change_number() == store.change_number() > 1
        assert store.changed_outputs(store.change_number()) == {}
        assert follower.changed == {"all", "tech", "cn"}
        assert follower.met == {page.item.id: page for page in store.page_items(-1) if not page.removed}
        check_derived_data(connection)
        assert connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", [name]).fetchone() == (
            0,
        )
    assert sorted(poll.place for poll in polls) == sorted({poll.place for poll in polls}), "every poll has a place"
    replay = World(SOURCES, RULES)
    for poll in sorted(polls, key=lambda poll: poll.place):
        replay.now = poll.now
        replay.keep(poll.fetched)
    same, found = rows_of(replay.store), rows_of(store)
    for table in COMPARED:
        assert found[table] == same[table], table
    assert len(found["items"]) > 60
    assert {"duplicate", "dropped"} <= {dict(row)["kind"] for row in found["ledger"]}
    store.close()


@pytest.fixture
def store() -> Iterator[SqlStore]:
    made = open_store(address_of(new_database("beside")), busy_timeout=0.3)
    yield made
    made.close()


def test_what_must_be_done_alone_is_repeated_so(store: SqlStore) -> None:
    one, two = SOURCES[:2]
    world = World(SOURCES, store=store)
    context = IngestContext(
        settings=world.settings, store=store, cleaner=world.cleaner, scheduled=lambda source, now: None
    )
    ingester = Ingester(context, now=lambda: world.now)
    for fault in (None, "gone astray", None):  # a source that fails and recovers is told of by events
        world.answer(two.name, record("Story", guid="1", link="https://a.example/1"))
        fetched = fetch_source(two, SourceState(name=two.name), context=world.fetch_context, now=world.now)
        ingester.ingest(Fetched(source=two, error=PollError(fault)) if fault else fetched)
        world.pass_time(days=9)
    assert (world.state(two.name).failures, store.item_count()) == (0, 1)
    until = world.now + DAY
    ingester.ingest(Fetched(source=one, error=PollError("too many requests", retry_at=until)))
    assert world.state(one.name).next_poll_at == until
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name]) as transaction:
        transaction.postpone([two.name], until)
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name]) as transaction:
        transaction.state(two.name)
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name]) as transaction:
        transaction.find_or_add_category("New", "new", world.now)
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name]) as transaction:
        transaction.known_keys(one.name, [url(number) for number in range(1001)])
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name, two.name]) as transaction:
        transaction.known_keys(one.name, [url(1)])
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name]) as transaction:  # noqa: PT012
        transaction.known_keys(one.name, [url(1)])
        transaction.known_keys(one.name, [url(2)])
    with pytest.raises(NotAloneError), store.transaction(beside=[one.name]) as transaction:  # noqa: PT012
        transaction.known_keys(one.name, [url(1)])
        transaction.ingest(one.name, plan(ingest(2)), world.now, complete=False)


def test_those_of_one_source_or_key_wait_and_others_do_not(store: SqlStore) -> None:
    with store.transaction(beside=["a"]) as transaction:
        transaction.known_keys("a", [url(1)])
        with store.transaction(beside=["b"]) as beside:
            beside.save_state(SourceState(name="b"))
            with pytest.raises(StoreInUseError, match="is in use by another process"):
                beside.known_keys("b", [url(1)])
        for names in ([], ["a"], ["b", "a"]):
            with pytest.raises(StoreError, match="is in use"), store.transaction(beside=names):
                pass
    with store.snapshot():
        pass
    with store.transaction(beside=["b"]), pytest.raises(StoreError, match="is in use"), store.snapshot():
        pass
    with store.transaction(), pytest.raises(StoreError, match="is in use"), store.transaction(beside=["b"]):
        pass
