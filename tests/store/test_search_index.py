"""The index of the full text, which keeps no copy of the texts that it is of."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedhub.model.item import Item, Person
from feedhub.rules.text import TERMS_VERSION, item_terms
from feedhub.store.sql import SqlStore, open_store
from support.builders import NOW, categories, ingest, put
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
    found = store.search("story", 9)
    assert len(found) == 5
    by_another_version(path)
    again = open_store(f"sqlite:///{path}")
    assert not again.search("story", 9)
    assert again.index_some(2)
    put(again, ingest(7))  # waits for its turn
    assert len(again.search("story", 9)) == 2
    check_derived_data(path)
    assert again.index_some(3)
    assert not again.index_some(3)
    assert not again.index_some(3)
    put(again, ingest(8))
    assert len(again.search("story", 9)) == 7
    again.close()
    check_derived_data(path)


def test_a_new_store_has_nothing_to_index(store: SqlStore) -> None:
    assert not store.index_some(1)
    put(store, ingest(1))
    assert len(store.search("story", 9)) == 1


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


def by_another_version(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '0 1.1' WHERE key = 'search_terms'")
    connection.commit()
    connection.close()
