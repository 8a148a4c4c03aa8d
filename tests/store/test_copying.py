"""A store copied into a new one of either kind: every row, the search, new numbers; cut in the middle; refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from feedhub.errors import StoreError
from feedhub.model.identity import LedgerNote, Verdict
from feedhub.model.report import HealthEvent
from feedhub.model.source import SourceState
from feedhub.model.story import StorySettings
from feedhub.pipeline.stories import StoryTeller
from feedhub.rules.stories.features import sketch_of, story_features
from feedhub.store.copying import TABLES
from feedhub.store.sql import SqlStore, copy_store, open_store
from feedhub.store.tables import metadata
from support.builders import DAY, NOW, categories, ingest, item_id, plan, put, url
from support.postgres import address_of, new_database

_numbers = count()


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/store{next(_numbers)}.db"


def _postgresql(_: Path) -> str:
    return address_of(new_database("copies"))


KINDS: dict[str, Callable[[Path], str]] = {"sqlite": _sqlite, "postgresql": _postgresql}


def fill(store: SqlStore, many: int = 600) -> None:
    """Store something in every table."""
    store.sync_categories(categories("tech", "cn", "gone"), NOW)
    long = {"content": f"<p>{'words 文字 ' * 90}</p>"}
    put(store, *(ingest(number, wording=long if number == 3 else None) for number in range(many)), complete=True)
    notes = [LedgerNote(kind="dropped", reason="rule", key="k", title="题", link="l")]
    with store.transaction() as transaction:
        changed = ingest(1, verdict=Verdict.CHANGED, title="另一个标题", slugs=["cn"])
        transaction.ingest("one", plan(changed, notes=notes, distrusted=[url("d")]), NOW, complete=False)
        transaction.save_state(SourceState(name="one", title="One", next_poll_at=NOW + DAY))
        transaction.add_health_events([HealthEvent(at=NOW, source="one", kind="gone", text="it is")])
    put(store, ingest(5000, "two", slugs=["gone"]), source="two")
    store.hide(item_id(7), "asked", NOW)
    store.sync_stories("told", lambda _: True)
    text = (
        "The ferry ran aground off the island early on Monday with 214 passengers aboard, in thick fog, and was left."
    )
    for number in (6000, 6001, 6002):
        sketch = sketch_of(story_features("Ferry aground", text))
        put(store, replace(ingest(number, f"s{number}"), sketch=sketch), source=f"s{number}")
        if number == 6001:
            StoryTeller(StorySettings()).decide(store)
    store.sync_categories(categories("tech", "cn"), NOW)


def rows_of(store: SqlStore) -> dict[str, list[tuple[object, ...]]]:
    """Return all that a store holds but for its index."""
    with store._read() as connection:
        tables = {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
            if table.name not in {"schema_migrations", "unindexed_items"}
        }
    return {name: sorted(rows, key=repr) for name, rows in tables.items()}


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("origin", KINDS)
def test_a_copy_holds_every_row_and_goes_on_as_the_store_would(tmp_path: Path, origin: str, target: str) -> None:
    old_address, new_address = KINDS[origin](tmp_path), KINDS[target](tmp_path)
    old = open_store(old_address)
    fill(old)
    told: list[str] = []
    copied = copy_store(old_address, new_address, lambda table: told.append(table.name))
    new = open_store(new_address, may_make=False)
    rows = rows_of(new)
    assert rows == rows_of(old)
    assert [name for name, found in rows.items() if not found] == []
    assert told == [table.name for table in copied] == TABLES
    assert {table.name: table.rows for table in copied} == {name: len(rows[name]) for name in TABLES}
    for query in ("story 33", "另一个"):
        assert [hit.id for hit in new.search(query, 5)] == [hit.id for hit in old.search(query, 5)] != []
    for store in (old, new):
        put(store, ingest(9000), ingest(9001, "three"), source="three")
    assert rows_of(new) == rows_of(old)
    assert new.changed_outputs(-1) == old.changed_outputs(-1)
    for store in (old, new):
        store.close()


_KILLED = """
import os, signal, sys
from feedhub.store.sql import copy_store
copy_store({old!r}, {new!r}, lambda table: table.name == {last!r} and os.kill(os.getpid(), signal.SIGKILL))
"""


def kill_copying(old: str, new: str, last: str) -> None:
    """Copy in a process of its own that is killed when this table is there."""
    script = _KILLED.format(old=old, new=new, last=last)
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL


@pytest.mark.parametrize("target", KINDS)
def test_what_was_cut_is_refused_and_gone_on_with(tmp_path: Path, target: str) -> None:
    old_address, new_address = _sqlite(tmp_path), KINDS[target](tmp_path)
    old = open_store(old_address)
    fill(old)
    kill_copying(old_address, new_address, "identity_keys")
    with pytest.raises(StoreError, match=r"is an unfinished copy of /.*store\d+\.db: `feedhub migrate-store`"):
        open_store(new_address)
    with pytest.raises(StoreError, match=r"is an unfinished copy of another store"):
        copy_store(_filled(_sqlite(tmp_path)), new_address, lambda _: None)
    part = open_store(new_address, unfinished=True)
    with part._write() as connection:  # as if it had been cut within the table
        middle = connection.plain.exec_driver_sql("SELECT text FROM identity_keys ORDER BY text LIMIT 1 OFFSET 550")
        connection.plain.exec_driver_sql(f"DELETE FROM identity_keys WHERE text >= '{middle.scalar()}'")
    part.close()
    copied = {table.name: table for table in copy_store(old_address, new_address, lambda _: None)}
    assert (copied["items"].copied, copied["items"].rows) == (0, 604)
    assert copied["identity_keys"].rows == copied["identity_keys"].copied + 550
    new = open_store(new_address, may_make=False)
    assert rows_of(new) == rows_of(old)
    for store in (old, new):
        store.close()


def _filled(address: str) -> str:
    store = open_store(address)
    fill(store, 3)
    store.close()
    return address


def test_what_was_changed_after_a_copying_was_cut_is_copied_anew(tmp_path: Path) -> None:
    old_address, new_address = _sqlite(tmp_path), _sqlite(tmp_path)
    old = open_store(old_address)
    fill(old, 20)
    kill_copying(old_address, new_address, "sightings")
    put(old, ingest(2, verdict=Verdict.CHANGED, title="Changed"))
    copy_store(old_address, new_address, lambda _: None)
    new = open_store(new_address, may_make=False)
    assert rows_of(new) == rows_of(old)
    assert [hit.id for hit in new.search("Changed", 5)] == [item_id(2)]
    for store in (old, new):
        store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_in_use_or_holds_something_is_refused(tmp_path: Path, kind: str) -> None:
    old_address, new_address = KINDS[kind](tmp_path), KINDS[kind](tmp_path)
    old = open_store(_filled(old_address), busy_timeout=0.1)
    new = open_store(new_address)
    for store in (old, new):
        in_use = rf"in use: `feedhub run` with process id {os.getpid()} "
        with store.task_lock("run", wait=0), pytest.raises(StoreError, match=in_use):
            copy_store(old_address, new_address, lambda _: None)

    def write(_: object) -> None:
        with pytest.raises(StoreError, match="is in use"):
            put(old, ingest(100))

    copy_store(old_address, new_address, write)
    put(old, ingest(100))
    with pytest.raises(StoreError, match=r"is no new one: it holds 2 rows of branches, 2 rows of categories"):
        copy_store(old_address, new_address, lambda _: None)
    with pytest.raises(StoreError, match="no store yet at"):
        copy_store(KINDS[kind](tmp_path), new_address, lambda _: None)
    for store in (old, new):
        store.close()
