"""Another file in the place of an open store: nothing more goes into the old one, nothing of it into the new one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from feedhub.errors import ReplacedStoreError
from feedhub.model.source import SourceState
from feedhub.store.sql import SqlStore, open_store


def opened(path: Path) -> SqlStore:
    return open_store(f"sqlite:///{path}")


def save(store: SqlStore, name: str) -> None:
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name=name))


def names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT name FROM sources")]


def test_the_log_of_the_old_one_is_put_aside_and_belongs_to_it_still(tmp_path: Path) -> None:
    path, old, new = tmp_path / "s.db", tmp_path / "old.db", tmp_path / "new.db"
    save(other := opened(new), "new")
    other.close()
    store = opened(path)
    for name in ("one", "two"):
        save(store, name)
    path.rename(old)
    new.rename(path)
    for _ in range(2):
        with pytest.raises(ReplacedStoreError, match="was replaced by another file"):
            save(store, "three")
        with pytest.raises(ReplacedStoreError):
            store.states()
    assert names(path) == ["new"]
    store.close()
    assert names(path) == ["new"]
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}.replaced").rename(f"{old}{suffix}")
    assert names(old) == ["one", "two"]


def test_the_log_of_the_new_one_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = opened(path)
    for name in ("one", "two"):
        save(store, name)
    for file in list(tmp_path.glob("s.db*")):
        file.rename(file.with_name(f"old-{file.name}"))
    newer = opened(path)
    save(newer, "new")
    with pytest.raises(ReplacedStoreError):
        store.states()
    assert [state.name for state in newer.states()] == ["new"]
    newer.close()
    store.close()
    assert names(path) == ["new"]


def test_what_is_under_way_when_it_is_replaced_is_not_committed(tmp_path: Path) -> None:
    path, old = tmp_path / "s.db", tmp_path / "old.db"
    store = opened(path)
    save(store, "one")
    with pytest.raises(ReplacedStoreError), store.transaction() as transaction:  # noqa: PT012 - raised by its end
        transaction.save_state(SourceState(name="two"))
        path.rename(old)
    old.rename(path)
    assert [state.name for state in store.states()] == ["one"]


def test_a_removed_one_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = opened(path)
    save(store, "one")
    path.unlink()
    with pytest.raises(ReplacedStoreError, match="or removed"):
        save(store, "two")
    store.close()
    assert not path.exists()


def test_a_link_that_leads_elsewhere_is_another_store(tmp_path: Path) -> None:
    one, other, link = tmp_path / "one.db", tmp_path / "other.db", tmp_path / "link.db"
    for path in (one, other):
        opened(path).close()
    link.symlink_to(one)
    store = opened(link)
    save(store, "one")
    (tmp_path / "new.db").symlink_to(other)
    (tmp_path / "new.db").rename(link)
    with pytest.raises(ReplacedStoreError):
        save(store, "two")
    assert names(one) == ["one"]
