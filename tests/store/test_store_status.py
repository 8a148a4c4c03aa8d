"""What the driver alone says of a store is what the store says."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedhub.model.identity import Verdict
from feedhub.model.source import Health, SourceState
from feedhub.store.sql import SqlStore, open_store
from feedhub.store.sqlite import MIGRATIONS
from feedhub.store.status import SCHEMA, StatusReader, answer_of_sqlite
from support.builders import DAY, NOW, categories, ingest, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a b#c.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    made = open_store(f"sqlite:///{path.parent}/a b%23c.db?timeout=5")
    made.sync_categories(categories("tech", "cn"), NOW)
    yield made
    made.close()


def all_answers(reader: StatusReader) -> list[object]:
    counts = sorted(reader.source_counts(NOW - 14 * DAY).items())
    changes = [reader.changed_at(slug, entries) for slug in ("all", "tech", "cn", "none") for entries in (1, 100)]
    return [reader.states(), reader.next_polls(), counts, reader.categories(), changes]


def test_the_schema_that_is_asked_for_is_the_newest() -> None:
    assert len(MIGRATIONS) == SCHEMA


def test_the_driver_alone_says_what_the_store_says(store: SqlStore, path: Path) -> None:
    put(store, ingest(1), ingest(2, slugs=("cn",)), now=NOW - 3 * DAY)
    put(store, ingest(1, "two", Verdict.DUPLICATE), ingest(3, "two"), source="two", now=NOW)
    with store.transaction() as transaction:
        transaction.save_state(
            SourceState(name="one", title="一", last_poll_at=NOW, failures=3, failing_since=NOW, warnings=("w",))
        )
        transaction.save_state(
            SourceState(name="two", next_poll_at=NOW, link="https://x.example/", reported_health=Health.GONE)
        )
    said = all_answers(store)
    assert answer_of_sqlite(f"sqlite:///{path.parent}/a b%23c.db?timeout=5", all_answers) == said
    assert [state.failures for state in store.states()] == [3, 0]
    assert path.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("UPDATE schema_migrations SET version = version - 1", id="of an older schema"),
        pytest.param("INSERT INTO schema_migrations VALUES (999, '')", id="of a newer schema"),
        pytest.param("DROP TABLE sources", id="without a table"),
        pytest.param("DROP TABLE schema_migrations", id="of another program"),
    ],
)
def test_a_store_that_is_not_as_it_should_be_is_left_to_who_opens_it(store: SqlStore, path: Path, spoil: str) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(spoil)
    connection.close()
    assert answer_of_sqlite(f"sqlite:///{path.parent}/a b%23c.db", all_answers) is None


def test_no_store_is_made_and_none_of_another_kind_is_asked(tmp_path: Path) -> None:
    assert answer_of_sqlite(f"sqlite:///{tmp_path}/none.db", all_answers) is None
    assert answer_of_sqlite("postgresql://localhost/x", all_answers) is None
    (tmp_path / "text.db").write_text("no database" * 1_000)
    assert answer_of_sqlite(f"sqlite:///{tmp_path}/text.db", all_answers) is None
    assert [each.name for each in tmp_path.iterdir()] == ["text.db"]


def test_status_of_what_is_kept_imports_neither_sqlalchemy_nor_what_reads_configurations(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<rss version='2.0'><channel><title>A</title></channel></rss>")
    config = 'site: {title: T, url: "https://example.org"}\nsources: [{name: a, url: a.xml, category: tech}]\n'
    (tmp_path / "feedhub.yaml").write_text(config)
    code = (
        "import sys; from feedhub.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert not end.code\n"
        "print('imported:', *({'sqlalchemy', 'yaml', 'feedhub.config.load'} & set(sys.modules)))"
    )

    def run(*arguments: str) -> str:
        command = [sys.executable, "-c", code, *arguments, "-c", "feedhub.yaml"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "yaml" in run("poll", "--all").rpartition("imported:")[2]
    shown, _, imported = run("status").rpartition("imported:")
    assert "ok" in shown
    assert imported.split() == []
