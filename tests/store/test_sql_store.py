"""What only the SQL store promises: durability, plain words for what goes wrong, no table scans."""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from feedhub.errors import DamagedStoreError, StoreError, StoreInUseError
from feedhub.model.identity import Filing, Verdict
from feedhub.model.source import Source, SourceState
from feedhub.store.maintenance import remove_from_category, remove_items
from feedhub.store.sql import SqlStore, open_store
from feedhub.store.tables import encode_item
from support.builders import DAY, HOUR, NOW, categories, ingest, item_id, named, plan, put, url
from support.following import due_outputs, publish
from support.stores import reported_before_kill

LATER = NOW + HOUR


def test_the_log_of_writes_is_shortened_once_nobody_reads_the_past(store: SqlStore, path: Path) -> None:
    log = Path(f"{path}-wal")
    past = sqlite3.connect(path, isolation_level=None)
    past.execute("BEGIN")
    past.execute("SELECT count(*) FROM items").fetchall()
    for number in range(40):
        put(store, ingest(number))
    store.maintain()  # waits for nobody, and breaks nothing
    assert log.stat().st_size > 500_000
    past.close()
    store.maintain()
    assert log.stat().st_size == 0
    assert sum(counts.items for counts in store.source_counts(NOW).values()) == 40


def use_transaction(work: Callable[[Any], object]) -> Callable[[SqlStore], None]:
    def call(store: SqlStore) -> None:
        with store.transaction() as transaction:
            work(transaction)

    return call


WRITES: dict[str, Callable[[SqlStore], object]] = {
    "state": use_transaction(lambda t: t.state("one")),
    "known": use_transaction(lambda t: t.known_keys("one", [url(1)])),
    "ingest": use_transaction(lambda t: t.ingest("one", plan(ingest(1)), NOW, complete=True)),
    "save_state": use_transaction(lambda t: t.save_state(SourceState(name="one"))),
    "rate": use_transaction(lambda t: t.count_new("one", NOW)),
    "sync_categories": lambda s: s.sync_categories(categories("new"), NOW),
    "forget_folder_before": lambda s: s.forget_folder_before(),
    "refile": use_transaction(lambda t: t.refile(Source(name="one", url=""), "d", 1, lambda *_: Filing(), NOW)),
    "prune": lambda s: s.prune(offered_before=NOW + DAY, keep_per_category=0, forget_before=NOW + DAY, now=NOW),
}
READS: dict[str, Callable[[SqlStore], object]] = {
    "states": lambda s: s.states(),
    "changed_outputs": lambda s: s.changed_outputs(0),
    "branch_of": lambda s: s.branch_of(0),
    "folder_before": lambda s: s.folder_before(),
    "newest": lambda s: s.newest("tech", 5),
    "newest of all": lambda s: s.newest("all", 5),
    "categories": lambda s: s.categories(),
    "item_count": lambda s: s.item_count(),
    "changed_at": lambda s: s.changed_at("all", 100),
    "counts": lambda s: s.source_counts(NOW),
    "filed_digests": lambda s: s.filed_digests(),
    "ended_posts": lambda s: s.ended_posts(0),
    "added_at": lambda s: s.added_at("all"),
    "explain": lambda s: s.explain([item_id(1)]),
    "explain_titles": lambda s: s.explain_titles("story", 5),
    "search": lambda s: s.search("story", 5),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_store_locked_by_another_process_is_said_so(store: SqlStore, path: Path, name: str) -> None:
    put(store, ingest(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreInUseError, match=r"feedhub\.db is in use by another process"):
        WRITES[name](store)
    other.execute("ROLLBACK")
    other.close()
    WRITES[name](store)


@pytest.mark.parametrize("name", [*WRITES, *READS])
def test_a_damaged_schema_is_a_store_error_from_every_method(store: SqlStore, path: Path, name: str) -> None:
    put(store, ingest(1))
    other = sqlite3.connect(path, isolation_level=None)
    tables = other.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%fts5%'").fetchall()
    for (table,) in tables:
        if "item_search_" not in table:
            other.execute(f"DROP TABLE {table}")
    other.execute("DROP TABLE item_search")
    other.close()
    with pytest.raises(StoreError, match=r"feedhub\.db is damaged"):
        {**WRITES, **READS}[name](store)


def test_an_error_inside_the_block_is_already_a_store_error_there(store: SqlStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE distrusted_keys")
    other.close()
    with store.transaction() as transaction, pytest.raises(StoreError, match="no such table"):
        transaction.known_keys("one", [url(1)])


def test_a_reader_is_not_held_up_by_a_writer_and_sees_nothing_unfinished(store: SqlStore) -> None:
    put(store, ingest(1))
    seen: list[int] = []
    with store.transaction() as transaction:
        transaction.ingest("one", plan(ingest(2)), NOW, complete=False)
        reader = threading.Thread(target=lambda: seen.append(len(store.newest("all", 5))))
        reader.start()
        reader.join()
    assert seen == [1]
    assert len(store.newest("all", 5)) == 2


def test_a_writer_of_the_same_process_that_waits_too_long_is_told_so(store: SqlStore) -> None:
    failures: list[StoreError] = []

    def late() -> None:
        try:
            put(store, ingest(1))
        except StoreError as exc:
            failures.append(exc)

    with store.transaction():
        other = threading.Thread(target=late)
        other.start()
        other.join()
    assert "another thread" in str(failures[0])
    put(store, ingest(1))


def test_two_processes_worth_of_stores_on_one_file_take_turns(path: Path) -> None:
    stores = [open_store(f"sqlite:///{path}") for _ in range(2)]

    def work(number: int) -> None:
        for each in range(20):
            put(stores[number], ingest(number * 100 + each, str(number)), source=str(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].item_count() == stores[1].item_count() == 40
    for each in stores:
        each.close()


def test_a_killed_process_loses_nothing_it_had_committed(path: Path) -> None:
    reported = reported_before_kill(f"sqlite:///{path}")
    store = open_store(f"sqlite:///{path}")
    assert store.item_count() in {reported, reported + 1}
    assert len(store.explain([url(number).text for number in range(reported)])) == reported
    put(store, ingest(5000))
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_a_full_disk_is_said_so_and_is_no_harm_once_there_is_room(store: SqlStore, path: Path) -> None:
    put(store, ingest(1))

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are now

    store.close()
    event.listen(Engine, "connect", limit)
    try:
        full = open_store(f"sqlite:///{path}")
        with pytest.raises(StoreError, match=r"feedhub\.db cannot grow: no room on the disk"):
            put(full, *(ingest(number) for number in range(2, 500)))
        assert full.item_count() == 1
        full.close()
    finally:
        event.remove(Engine, "connect", limit)
    again = open_store(f"sqlite:///{path}")
    put(again, *(ingest(number) for number in range(2, 500)))
    assert again.item_count() == 499
    again.close()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        pytest.param(lambda p: p.write_bytes(b"no database at all" * 99), "is not a database", id="other file"),
        pytest.param(lambda p: p.mkdir(), "cannot be opened", id="a folder"),
    ],
)
def test_a_file_that_is_no_store_is_refused(path: Path, prepare: Callable[[Path], object], words: str) -> None:
    prepare(path)
    with pytest.raises(StoreError, match=rf"feedhub\.db {words}"):
        open_store(f"sqlite:///{path}")


def test_a_damaged_file_is_a_store_error(store: SqlStore, path: Path) -> None:
    put(store, *(ingest(number) for number in range(200)))
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(DamagedStoreError, match=r"feedhub\.db is damaged"):
        open_store(f"sqlite:///{path}").newest("all", 500)


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"store .*feedhub\.db cannot be used"):
        open_store(f"sqlite:///{tmp_path}/file/feedhub.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_file_is_a_store_error(store: SqlStore, path: Path) -> None:
    store.close()
    path.chmod(0o400)
    with pytest.raises(StoreError, match="cannot be written"):
        put(open_store(f"sqlite:///{path}"), ingest(1))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://u:secret@db/feedhub", r"postgresql://u:\*\*\*@db/feedhub cannot be read: write postgresql\+psy"),
        ("mysql://u:secret@db/feedhub", r"mysql://u:\*\*\*@db/feedhub is of an unknown kind"),
        ("sqlite://", "unknown kind"),
        ("sqlite:///:memory:", "unknown kind"),
        ("var/feedhub.db", "cannot be read"),
    ],
)
def test_other_addresses_are_refused_without_their_secrets(address: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as refused:
        open_store(address)
    assert "secret" not in str(refused.value)


def test_a_backup_is_whole_and_its_own_while_a_writer_is_busy(store: SqlStore, tmp_path: Path) -> None:
    put(store, ingest(1))
    target = tmp_path / "copy.db"
    with store.transaction() as transaction:
        transaction.ingest("one", plan(ingest(2)), NOW, complete=False)
        thread = threading.Thread(target=store.backup, args=(str(target),))
        thread.start()
        thread.join()
    assert sorted(each.name for each in tmp_path.glob("copy*")) == ["copy.db"]
    raw = sqlite3.connect(target)
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",), "one file that can be carried away"
    raw.close()
    copy = open_store(f"sqlite:///{target}")
    assert [item.id for item in copy.newest("all", 5)] == [item_id(1)]
    copy.close()


def test_a_backup_that_cannot_be_written_leaves_nothing(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such folder/copy"):
        store.backup(str(tmp_path / "no such folder" / "copy.db"))
    with pytest.raises(StoreError, match="there already"):
        store.backup(str(tmp_path / "feedhub.db"))


def test_connections_are_opened_as_decided(store: SqlStore) -> None:
    with store._read() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 50}


def test_lists_of_many_terms_and_hits_are_read_in_parts(store: SqlStore) -> None:
    put(store, *(ingest(number) for number in range(600)))
    assert len(store.search("story", 1000)) == 600
    assert len(store.newest("tech", 600)) == 600


def test_retention_of_nothing_touches_nothing(store: SqlStore) -> None:
    put(store, ingest(1))
    publish(store)
    with store._write() as connection:
        assert remove_from_category(connection, "tech", []) == []
        remove_items(connection, [], NOW)
    assert due_outputs(store) == {}


def test_what_is_offered_again_while_retention_runs_stays(store: SqlStore, path: Path) -> None:
    put(store, ingest(1), complete=True)
    put(store, complete=True, now=LATER)
    poller = open_store(f"sqlite:///{path}")

    taken: list[object] = []

    def poll_between(*_: object) -> None:
        taken.append(None)
        if len(taken) == 2:  # retention has looked, and begins to write
            put(poller, ingest(1, verdict=Verdict.SEEN, reoffered=True))
            with poller.transaction() as transaction:
                transaction.save_state(SourceState(name="one", last_success_at=NOW + 9 * DAY))

    event.listen(store._engine.pool, "checkout", poll_between)
    report = store.prune(offered_before=NOW + DAY, keep_per_category=None, forget_before=NOW, now=NOW + 9 * DAY)
    poller.close()
    assert (report.items, store.item_count()) == (0, 1)


def test_a_right_that_was_given_back_leaves_no_note_of_who_held_it(store: SqlStore, path: Path) -> None:
    with store.task_lock("run", wait=0):
        assert path.with_name(f"{path.name}.run.json").exists()
    assert not path.with_name(f"{path.name}.run.json").exists()


def test_a_key_of_any_length_takes_little_room(store: SqlStore, path: Path) -> None:
    put(store, ingest(1, keys=[url("a" * 284), url("b" * 285), named("c", "n" * 5000)]))
    connection = sqlite3.connect(path)
    stored = {text for (text,) in connection.execute("SELECT text FROM identity_keys WHERE strength < 3")}
    connection.close()
    assert url("a" * 284).text in stored
    assert sorted(map(len, stored)) == [len("url:sha256=") + 64, 60 + len(":sha256=") + 64, 300]


def test_a_long_wording_takes_little_room_and_one_of_a_version_before_is_read(store: SqlStore, path: Path) -> None:
    words = {"content": f"<p>{'the same words again and again, ' * 100}</p>"}
    put(store, ingest(1, wording=words), ingest(2, wording=words))
    shown = store.newest("all", 2)
    first = next(one.item for one in shown if one.id == item_id(1))
    with sqlite3.connect(path) as connection:
        packed = [stored for (stored,) in connection.execute("SELECT wording FROM sightings")]
        connection.execute("UPDATE sightings SET wording = ? WHERE item_pk = 1", (encode_item(first),))
    connection.close()
    assert all(isinstance(stored, bytes) and len(stored) < 300 for stored in packed)
    assert store.newest("all", 2) == shown
    assert {one.item.content for one in shown} == {words["content"]}


@pytest.mark.parametrize("stray", [OSError("not ours"), ValueError("not ours")])
def test_errors_of_the_caller_inside_the_block_stay_what_they_are(store: SqlStore, stray: Exception) -> None:
    with pytest.raises(type(stray), match="not ours"), store.transaction():
        raise stray
