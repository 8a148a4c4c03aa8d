"""What only a store on PostgreSQL promises: the order of ids, one writer, plain words, recovery, copies, its index."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.schema import CreateTable

from feedhub.errors import DamagedStoreError, NoStoreError, StoreError, StoreInUseError
from feedhub.model.source import SourceState
from feedhub.rules.text import query_terms, search_terms
from feedhub.store import sqlite
from feedhub.store.postgresql import MIGRATIONS, tables, text_vector
from feedhub.store.sql import SqlStore, open_store
from feedhub.store.status import SCHEMA
from feedhub.store.tables import metadata
from support.builders import NOW, categories, ingest, item_id, plan, put, url
from support.postgres import (
    address_of,
    check_derived_data,
    connected,
    emptied,
    new_database,
    programs,
    refuse_without,
)
from support.stores import reported_before_kill

LOCK = "SELECT pg_advisory_lock(1717921124, 0)"


@pytest.fixture(scope="session")
def database() -> str:
    return new_database("own")


@pytest.fixture
def store(database: str) -> Iterator[SqlStore]:
    with emptied(database):
        made = open_store(address_of(database), busy_timeout=0.2)
        made.sync_categories(categories("tech", "cn"), NOW)
        yield made
        made.close()


def test_a_new_store_has_the_tables_of_the_statements_with_the_conditions_that_sqlite_has(
    store: SqlStore, database: str
) -> None:
    with connected(database) as connection:
        conditions = dict(
            connection.execute(
                "SELECT relname, pg_get_expr(indpred, indrelid) FROM pg_index"
                " JOIN pg_class ON pg_class.oid = indexrelid"
                " WHERE indpred IS NOT NULL AND relnamespace = 'public'::regnamespace"
            ).fetchall()
        )
        numbers = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
    wanted = {
        index.name: str(index.dialect_options["sqlite"]["where"])
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert conditions.keys() == wanted.keys()
    for name, words in wanted.items():
        column, _, rest = words.partition(" ")
        assert column.split(".")[1] in conditions[name], name
        assert ("IS NOT NULL" in rest) == ("IS NOT NULL" in conditions[name]), name
    assert numbers == (len(MIGRATIONS),)


def test_both_databases_have_the_same_number_of_migrations() -> None:
    assert len(MIGRATIONS) == len(sqlite.MIGRATIONS) == SCHEMA
    assert "sqlite" not in "".join(str(CreateTable(table)) for table in tables().sorted_tables)


def test_names_are_in_the_order_of_their_bytes_though_the_database_has_that_of_people(store: SqlStore) -> None:
    with store.transaction() as transaction:
        for name in ("a-b", "B", "a", "ab", "Ä"):
            transaction.save_state(SourceState(name=name))
    assert [state.name for state in store.states()] == ["B", "a", "a-b", "ab", "Ä"]


def test_a_newer_schema_is_refused(store: SqlStore, database: str) -> None:
    with connected(database) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (99, 'tomorrow')")
        try:
            with pytest.raises(StoreError, match=r"has schema 99, this feedhub knows up to \d+: use a newer feedhub"):
                open_store(address_of(database))
        finally:
            connection.execute("DELETE FROM schema_migrations WHERE version = 99")


def test_a_database_of_another_program_or_without_a_store_is_left_alone() -> None:
    name = new_database("others")
    with pytest.raises(NoStoreError, match="no store yet at postgresql"):
        open_store(address_of(name), may_make=False)
    with connected(name) as connection:
        connection.execute("CREATE TABLE invoices (id BIGINT)")
        with pytest.raises(StoreError, match=r"another program.*invoices"):
            open_store(address_of(name))
        assert connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall() == [("invoices",)]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param(lambda: address_of("nowhere", "pass-word"), "cannot be reached .*does not exist", id="database"),
        pytest.param(
            lambda: "postgresql+psycopg://u:pass-word@/d?host=/nowhere", "cannot be reached .*No such file", id="server"
        ),
        pytest.param(lambda: "postgresql://u:pass-word@h/d", r"write postgresql\+psycopg://", id="other driver"),
        pytest.param(lambda: "postgresql+psycopg://u:pass-word@h", r"write postgresql\+psycopg://", id="no database"),
    ],
)
def test_what_cannot_be_reached_is_said_without_the_password(address, words: str) -> None:
    with pytest.raises(StoreError, match=words) as refused:
        open_store(address())
    assert "u:***@" in str(refused.value) or "feedhub:***@" in str(refused.value)
    assert "pass-word" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_process_that_writes_too_long_is_said_so_and_reads_go_on(store: SqlStore, database: str) -> None:
    put(store, ingest(1))
    with connected(database) as other:
        other.execute(LOCK)
        with pytest.raises(StoreInUseError, match="is in use by another process"):
            put(store, ingest(2))
        assert store.item_count() == 1
    put(store, ingest(2))
    assert store.item_count() == 2


def test_a_reader_sees_nothing_unfinished(store: SqlStore) -> None:
    put(store, ingest(1))
    seen: list[int] = []
    with store.transaction() as transaction:
        transaction.ingest("one", plan(ingest(2)), NOW, complete=False)
        reader = threading.Thread(target=lambda: seen.append(len(store.newest("all", 5))))
        reader.start()
        reader.join()
    assert seen == [1]
    assert len(store.newest("all", 5)) == 2


def test_a_cut_connection_loses_what_was_unfinished_and_is_made_anew(store: SqlStore, database: str) -> None:
    put(store, ingest(1))
    with pytest.raises(StoreError, match=r"was stopped|cannot be reached"), store.transaction() as transaction:  # noqa: PT012
        transaction.ingest("one", plan(ingest(2)), NOW, complete=False)
        with connected(database) as other:
            cut(other, "feedhub")
        transaction.save_state(SourceState(name="one"))
    assert [item.id for item in store.newest("all", 5)] == [item_id(1)]
    put(store, ingest(2))
    assert store.item_count() == 2


def test_a_server_that_only_reads_is_said_so(store: SqlStore, database: str) -> None:
    with connected("postgres") as connection:
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        try:
            store.close()
            with pytest.raises(StoreError, match="cannot be written: the server only reads"):
                put(store, ingest(1))
            assert store.item_count() == 0
        finally:
            connection.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
            store.close()


def cut(connection: "psycopg.Connection[Any]", name: str) -> None:
    """End the connections to this database that have such a name; other tests have others."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE %s AND datname = current_database()",
        [name],
    )


def test_a_killed_process_loses_nothing_it_had_committed_and_holds_up_nobody(store: SqlStore, database: str) -> None:
    reported = reported_before_kill(address_of(database))
    put(store, ingest(5000))
    assert store.item_count() - 1 in {reported, reported + 1}
    assert len(store.explain([url(number).text for number in range(reported)])) == reported
    with connected(database) as connection:
        check_derived_data(connection)


def test_who_holds_a_task_is_named_and_a_cut_connection_gives_it_back(store: SqlStore, database: str) -> None:
    other = open_store(address_of(database))
    with other.task_lock("run", wait=0):
        held = rf"in use: `feedhub run` with process id {os.getpid()} on .+ holds it since 20\d\d-"
        with pytest.raises(StoreInUseError, match=held), store.task_lock("run", wait=0.05):
            pass
        with connected(database) as connection:
            cut(connection, "%run%")
        with store.task_lock("run", wait=5):
            pass
    other.close()


def test_a_sound_store_passes_and_an_index_without_an_entry_is_found(store: SqlStore, database: str) -> None:
    put(store, *(ingest(number) for number in range(40)))
    store.verify()
    index = "indexrelid = 'sightings_touched'::regclass"
    with connected(database) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        store.verify()
        connection.execute(f"UPDATE pg_index SET indisready = false, indisvalid = false WHERE {index}")
        put(store, ingest(100))
        connection.execute(f"UPDATE pg_index SET indisready = true, indisvalid = true WHERE {index}")
        try:
            with pytest.raises(DamagedStoreError, match=r"is damaged; restore a backup.*sightings_touched"):
                store.verify()
        finally:
            connection.execute("REINDEX INDEX sightings_touched")
    store.verify()


def test_a_backup_can_be_read_into_another_database(store: SqlStore, tmp_path: Path) -> None:
    put(store, *(ingest(number) for number in range(5)), ingest(7, title="金融消息"))
    store.backup(str(tmp_path / "store.dump"))
    name = new_database("restored")
    address = address_of(name).partition("?host=")
    read = ["pg_restore", "--exit-on-error", "--no-owner", f"--dbname=postgresql://feedhub@/{name}?host={address[2]}"]
    subprocess.run([*read, str(tmp_path / "store.dump")], check=True, capture_output=True)
    copy = open_store(address_of(name), may_make=False)
    assert copy.newest("all", 9) == store.newest("all", 9)
    assert [hit.id for hit in copy.search("金融", 5)] == [item_id(7)]
    put(copy, ingest(8))
    assert copy.item_count() == 7
    copy.close()


def test_a_backup_that_cannot_be_written_says_why(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be copied: pg_dump: .*no such folder"):
        store.backup(str(tmp_path / "no such folder" / "copy.dump"))


def test_pg_dump_is_not_given_the_password_where_everybody_reads_it(
    store: SqlStore, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = tmp_path / "pg_dump"
    told = tmp_path / "told"
    around.write_text(f'#!/bin/sh\necho "$PGPASSWORD" "$@" >{told}\nexec {programs()}/pg_dump "$@"\n')
    around.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with_password = open_store(address_of(database, "pass-%2Fword"))
    with_password.backup(str(tmp_path / "copy.dump"))
    with_password.close()
    given, *arguments = told.read_text().split()
    assert given == "pass-/word"
    assert not any("word" in argument for argument in arguments)


def test_the_search_takes_texts_of_any_length_and_marks_above_letters_make_no_difference(store: SqlStore) -> None:
    words = " ".join(f"word{number}" for number in range(30_000))
    put(store, ingest(1, title="Café Ünder", wording={"content": f"<p>{words}</p><p>{'x' * 5000}</p>"}))
    put(store, ingest(2, title="央行" * 900, wording={"content": "<p>" + "金融消息" * 20_000 + "</p>"}))
    found = {query: [hit.id for hit in store.search(query, 5)] for query in ("cafe", "Café under", "word9", "金融消息")}
    assert found == {
        "cafe": [item_id(1)],
        "Café under": [item_id(1)],
        "word9": [item_id(1)],
        "金融消息": [item_id(2)],
    }


def test_a_vector_has_the_places_of_the_terms_and_the_weight_of_the_title() -> None:
    assert text_vector(search_terms("央行 Ab"), search_terms("ab, it's c_d")) == (
        "'央行':1A '行':2A 'ab':3A,5 'it':6 's':7 'c':8 'd':9"
    )
    assert query_terms("it's") == ["it", "s"]


def test_of_a_word_that_is_everywhere_the_newest_ten_thousand_are_ranked(store: SqlStore, database: str) -> None:
    fill = "INSERT INTO item_search SELECT pk, CAST(%s AS tsvector) FROM generate_series(%s, %s) AS pk"
    with connected(database) as connection:
        try:
            connection.execute(fill, ["'chips':1A", 100_000, 100_000])
            connection.execute(fill, ["'chips':9", 100_001, 109_999])
            assert _ranked(store, "chips")[:2] == [100_000, 109_999], "the word in the title makes it the best"
            connection.execute(fill, ["'chips':9", 110_000, 110_000])
            assert _ranked(store, "chips")[:2] == [110_000, 109_999]
        finally:
            connection.execute("DELETE FROM item_search WHERE pk >= 100000")


def _ranked(store: SqlStore, term: str) -> list[int]:
    with store._read() as connection:
        return connection.backend.matching(connection, [term], 3)


def test_a_missing_server_is_a_reason_to_skip_and_where_it_is_required_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDHUB_TEST_POSTGRESQL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no initdb"):
        refuse_without("no initdb")
    monkeypatch.setenv("FEEDHUB_TEST_POSTGRESQL", "required")
    with pytest.raises(pytest.fail.Exception, match="no initdb, and FEEDHUB_TEST_POSTGRESQL requires it"):
        refuse_without("no initdb")
    refuse_without("")


def test_a_right_that_was_lost_is_taken_again_unless_another_has_it(store: SqlStore, database: str) -> None:
    other = open_store(address_of(database))
    with store.task_lock("run", wait=0) as keep:
        keep()
        with connected(database) as connection:
            cut(connection, "%run%")
        keep()
        with pytest.raises(StoreInUseError, match="is in use"), other.task_lock("run", wait=0):
            pass
        with connected(database) as connection:
            cut(connection, "%run%")
        with other.task_lock("run", wait=0):
            for _ in range(2):
                with pytest.raises(StoreError, match=rf"in use: `feedhub run` with process id {os.getpid()} "):
                    keep()
        keep()
    with other.task_lock("run", wait=0):
        pass
    other.close()


def test_nothing_of_postgresql_is_imported_for_a_file(tmp_path: Path) -> None:
    script = (
        "import sys, feedhub.cli.main\n"
        "from feedhub.store.sql import open_store\n"
        f"open_store('sqlite:///{tmp_path}/s.db').item_count()\n"
        "others = ('psycopg', 'postgresql', 'procrastinate', 'store.cluster', 'runtime.cluster')\n"
        "print([name for name in sys.modules if any(other in name for other in others)])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
