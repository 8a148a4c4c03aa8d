"""The index of the full text, which keeps no copy of the texts that it is of."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedhub.model.identity import Verdict
from feedhub.model.item import Item, Person
from feedhub.rules.text import TERMS_VERSION, item_terms
from feedhub.store.sql import SqlStore, open_store
from support.builders import NOW, categories, ingest, item_id, put
from support.derived_data import check_derived_data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feedhub.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    made = open_store(f"sqlite:///{path}")
    made.sync_categories(categories("tech", "cn"), NOW)
    yield made
    made.close()


def test_an_index_by_other_terms_is_made_anew_some_items_at_once_and_polls_go_on_meanwhile(
    store: SqlStore, path: Path
) -> None:
    for number in range(5):
        put(store, ingest(number))
    assert len(store.search("story", 9)) == len(indexed(store)) == 5
    by_another_version(path)
    again = open_store(f"sqlite:///{path}")
    assert not indexed(again)
    assert again.index_some(2)
    put(again, ingest(7))  # waits for its turn
    assert len(indexed(again)) == 2
    check_derived_data(path)
    assert again.index_some(3)
    assert not again.index_some(3)
    assert not again.index_some(3)
    assert len(indexed(again)) == 6
    again.close()
    check_derived_data(path)


def test_new_items_wait_for_the_first_search_and_follow_what_is_changed_meanwhile(store: SqlStore, path: Path) -> None:
    put(store, ingest(1), ingest(2), ingest(3))
    assert not indexed(store)
    put(store, ingest(2, verdict=Verdict.CHANGED, title="Oysters"))
    assert store.hide(item_id(3), "", NOW)
    check_derived_data(path)
    assert [hit.title for hit in store.search("story", 9)] == ["Story 1"]
    assert len(indexed(store)) == 1
    assert store.unhide(item_id(3), NOW)
    assert {hit.title for hit in (*store.search("oysters", 9), *store.search("story", 9))} == {
        "Oysters",
        "Story 1",
        "Story 3",
    }
    check_derived_data(path)


def test_a_store_that_cannot_be_written_to_is_searched_as_far_as_it_is_indexed(
    store: SqlStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, ingest(1))
    assert len(store.search("story", 9)) == 1
    put(store, ingest(2))
    impatient = open_store(f"sqlite:///{path}", busy_timeout=0.01)
    with store.transaction():
        assert len(impatient.search("story", 9)) == 1
    assert "the newest items cannot be found yet" in caplog.text
    assert len(impatient.search("story", 9)) == 2
    impatient.close()


def test_a_search_that_leaves_items_out_says_so_in_the_log(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    put(store, *(ingest(number) for number in range(450)))
    store._make_index_whole(seconds=0.0)
    assert "the newest items cannot be found yet" in caplog.text
    assert len(indexed(store, 900)) == 200
    caplog.clear()
    assert len(store.search("story", 900)) == 450
    assert not caplog.text


def test_a_new_store_has_nothing_to_index(store: SqlStore) -> None:
    assert not store.index_some(1)


def test_other_terms_come_with_another_version() -> None:
    """Stores take terms out of their index by making them again: raise ``TERMS_VERSION`` with every other digest."""
    item = Item(
        title="Ferry № 5: 银行A股 ﬁnal — ｆｕｌｌ",
        summary="<p>An <b>ex</b>ample &amp; 中国<em>银行</em></p><br>x &lt;y&gt;",
        content="<ul><li>한국어 カタカナ<li>E-Mail a@b.example</ul>",
        authors=(Person(name="Ann Müller"),),
        tags=("利率", "Rates"),
    )
    digest = hashlib.sha256(repr(item_terms(item)).encode()).hexdigest()[:16]
    assert (TERMS_VERSION, digest) == (1, "e78e1ee8f7c1d424")


def indexed(store: SqlStore, most: int = 9) -> list[int]:
    """Return the numbers of the stories that the index has."""
    with store._read() as connection:
        return connection.backend.matching(connection, ["story"], most)


def by_another_version(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '0 1.1' WHERE key = 'search_terms'")
    connection.commit()
    connection.close()
