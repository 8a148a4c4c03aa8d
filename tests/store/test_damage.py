"""What only a look at every page finds: a store that opens and works, although a part of it is gone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from feedhub.errors import DamagedStoreError
from feedhub.store.sql import SqlStore, open_store
from support.builders import NOW, categories, ingest, put


def filled(place: Path) -> SqlStore:
    store = open_store(f"sqlite:///{place}")
    store.sync_categories(categories("tech"), NOW)
    put(store, *(ingest(number) for number in range(1, 40)))
    return store


def test_a_sound_store_passes(tmp_path: Path) -> None:
    filled(tmp_path / "feedhub.db").verify()


def test_an_index_that_lost_its_entries_is_found_and_the_store_named(tmp_path: Path) -> None:
    place = tmp_path / "feedhub.db"
    filled(place).close()
    with closing(sqlite3.connect(place)) as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sightings_touched'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with place.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(bytes([10, 0, 0, 0, 0, size >> 8, size & 255, 0]))  # an index page without cells
    store = open_store(f"sqlite:///{place}")
    assert store.item_count() == 39
    with pytest.raises(DamagedStoreError, match=r"feedhub\.db is damaged; put a backup"):
        store.verify()
    store.close()
