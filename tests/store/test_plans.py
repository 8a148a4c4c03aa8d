"""No statement of a poll or a publish looks through a table, on either database, and few are asked."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from feedhub.model.identity import LedgerNote, Verdict
from feedhub.model.source import SourceState
from feedhub.store.sql import SqlStore, open_store
from support.builders import DAY, HOUR, NOW, categories, guid, ingest, named, plan, put, url
from support.postgres import address_of, connected, new_database

LATER = NOW + HOUR


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What SQLite itself was asked, values filled in."""
    caught: list[str] = []

    def catch(statement: str) -> None:
        # The full-text index asks its own tables, as comments.
        if not statement.startswith("--"):
            caught.append(statement)

    def watch(driver: sqlite3.Connection, *_: object) -> None:
        driver.set_trace_callback(catch)

    event.listen(Pool, "checkout", watch)
    yield caught
    event.remove(Pool, "checkout", watch)


def one_poll_of_everything(store: SqlStore) -> None:
    notes = [LedgerNote(kind="dropped", reason="rule", key="k", title="t", link="l")]
    for source in ("one", "two"):
        verdict = Verdict.NEW if source == "one" else Verdict.DUPLICATE
        ingests = [
            *(ingest(number, source, verdict, gained=[guid(source, number)]) for number in range(5)),
            ingest(0, source, Verdict.REPEAT, gained=[named(f"{source} x")]),
        ]
        with store.transaction() as transaction:
            transaction.state(source)
            transaction.known_keys(source, [key for each in ingests for key in each.decision.keyed.keys])
            transaction.ingest(source, plan(*ingests, notes=notes, distrusted=[url("d")]), NOW, complete=True)
            transaction.save_state(SourceState(name=source, title=source))
            transaction.count_new(source, NOW)
    put(
        store,
        ingest(0, verdict=Verdict.CHANGED, slugs=["cn"], moved=[url("m")]),
        ingest(1, verdict=Verdict.REFRESHED),
        ingest(2, verdict=Verdict.SEEN, reoffered=True),
        complete=True,
    )
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="one", title="renamed"))


def publish_everything(store: SqlStore) -> None:
    for slug in store.changed_outputs(-1):
        store.newest(slug, 10)
        store.changed_at(slug, 10)
        store.part_starts(slug, NOW - 90 * DAY, NOW, 100, 30)
    number = store.change_number() - 1
    assert len(list(store.page_items(number))) == 1
    store.posts(number)
    store.categories()
    store.item_count()
    store.health_events(10)


# Categories are few; the newest are taken from the front of an index, and numbered then; a search has its own.
_BOUNDED = (
    "SCAN categories",
    "USING INDEX items_newest",
    "USING INDEX memberships_newest",
    "VIRTUAL TABLE INDEX",
    "SCAN health_events",
    "SCAN newest",
    "SCAN numbered",
    "SCAN (subquery-",
)


@pytest.mark.parametrize("work", [one_poll_of_everything, publish_everything])
def test_no_statement_of_a_poll_or_a_publish_scans_a_table(
    store: SqlStore, path: Path, statements: list[str], work: Callable[[SqlStore], None]
) -> None:
    put(store, *(ingest(number, "big", keys=[url(number)]) for number in range(1000, 1100)), source="big")
    put(store, ingest(2000))
    statements.clear()
    work(store)
    connection = sqlite3.connect(path)
    scans = [
        (step, statement)
        for statement in statements
        if statement.split()[0] in {"SELECT", "UPDATE", "DELETE"}
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        if "SCAN" in step and not any(bounded in step for bounded in _BOUNDED)
    ]
    connection.close()
    assert scans == []
    assert len(statements) > 3


def test_a_poll_with_nothing_new_asks_little_and_writes_the_state_only(store: SqlStore, statements: list[str]) -> None:
    put(store, *(ingest(number) for number in range(30)), complete=True)
    statements.clear()
    with store.transaction() as transaction:
        transaction.state("one")
        transaction.known_keys("one", [url(number) for number in range(30)])
        transaction.ingest(
            "one", plan(*(ingest(number, verdict=Verdict.SEEN) for number in range(30))), LATER, complete=True
        )
        transaction.save_state(SourceState(name="one"))
    words = [statement.split()[0] for statement in statements]
    assert [word for word in words if word not in {"SELECT", "BEGIN", "COMMIT"}] == ["UPDATE"]
    assert len(words) < 14


@pytest.fixture
def plans() -> Iterator[list[dict[str, Any]]]:
    """The plans by which PostgreSQL answered, which looks through a table only when no index helps."""
    caught: list[dict[str, Any]] = []

    def watch(driver: Any, *_: object) -> None:
        driver.add_notice_handler(
            lambda told: (
                caught.append(json.loads(told.message_primary.partition("plan:")[2]))
                if "plan:" in told.message_primary
                else None
            )
        )
        driver.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_format = json;"
            "SET auto_explain.log_level = notice; SET enable_seqscan = off"
        )

    event.listen(Pool, "connect", watch)
    yield caught
    event.remove(Pool, "connect", watch)


def steps_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a step of a plan and all that is below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from steps_of(below)


# Categories are few; of the newest no more is read than a LIMIT lets through.
_BOUNDED_THERE = ("categories", "health_events", "items_newest", "memberships_newest")


@pytest.mark.parametrize("work", [one_poll_of_everything, publish_everything])
def test_no_statement_of_a_poll_or_a_publish_scans_a_table_of_postgresql(
    plans: list[dict[str, Any]], work: Callable[[SqlStore], None]
) -> None:
    name = new_database(f"plans_{work.__name__}")
    store = open_store(address_of(name))
    store.sync_categories(categories("tech", "cn"), NOW)
    for source in ("big", "other", "third"):
        numbers = range(len(source) * 1000, len(source) * 1000 + 300)
        many = [ingest(number, source, keys=[url(number)], published_at=NOW - number * HOUR) for number in numbers]
        put(store, *many, source=source)
    put(store, ingest(2000))
    with connected(name) as connection:
        connection.execute("ANALYZE")
    plans.clear()
    work(store)
    store.close()
    scans = [
        (step, told["Query Text"])
        for told in plans
        for step in steps_of(told["Plan"])
        if "Scan" in step["Node Type"] and not step["Node Type"].startswith(("Bitmap Heap", "Subquery", "Function"))
        if "Index Cond" not in step
        if not {step.get("Relation Name"), step.get("Index Name")} & {*_BOUNDED_THERE}
    ]
    assert scans == []
    assert len(plans) > 3
