import gzip
import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from feedhub.errors import StoreError
from feedhub.store.database import apply_next
from feedhub.store.sql import open_store
from feedhub.store.sqlite import MIGRATIONS
from feedhub.store.tables import metadata
from support.builders import NOW
from support.cli_runs import run
from support.derived_data import check_derived_data


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/migrated.db").close()
    with sqlite3.connect(tmp_path / "migrated.db") as connection:
        migrated = schema(connection)
    connection.close()
    engine = create_engine("sqlite://")
    with engine.connect() as made:
        for table in metadata.sorted_tables:
            made.exec_driver_sql(str(CreateTable(table).compile(engine)))
            for index in table.indexes:
                made.exec_driver_sql(str(CreateIndex(index).compile(engine)))
        expected = schema(made.connection.driver_connection)
    engine.dispose()
    assert migrated == expected


def schema(connection: sqlite3.Connection) -> dict[str, object]:
    names = [
        (kind, name)
        for kind, name in connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type != 'trigger' ORDER BY name"
        )
        if "item_search" not in name
    ]
    return {
        name: (
            connection.execute(f"PRAGMA table_xinfo({name})").fetchall(),
            sorted(key[2:] for key in connection.execute(f"PRAGMA foreign_key_list({name})")),
        )
        if kind == "table"
        else connection.execute(f"PRAGMA index_xinfo({name})").fetchall()
        for kind, name in names
    }


def test_what_an_older_store_holds_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "feedhub.db"
    older = MIGRATIONS[:3]
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)")
        for number, statements in enumerate(older, 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_migrations VALUES (?, 'then')", (number,))
        connection.execute("INSERT INTO sources (id, name) VALUES (1, 'one')")
        for slug in ("tech", "cn"):
            connection.execute("INSERT INTO categories VALUES (?, '', '', 1, 1, 1, 0, 0)", (slug,))
        for pk in range(5):
            removed_at = 9 if pk == 4 else None
            connection.execute("INSERT INTO items VALUES (?, ?, 1, 0, 0, 0, ?)", (pk, f"urn:{pk}", removed_at))
        for pk in range(3):
            connection.execute("INSERT INTO memberships VALUES ('tech', ?, 1, '', 0, 0, 0)", (pk,))
    connection.close()
    store = open_store(f"sqlite:///{path}")
    assert store.item_count() == 4
    assert {one.slug: one.items for one in store.categories()} == {"tech": 3, "cn": 0}
    store.close()
    check_derived_data(path)


def test_every_migration_is_recorded_once(tmp_path: Path) -> None:
    for _ in range(2):
        open_store(f"sqlite:///{tmp_path}/feedhub.db").close()
    connection = sqlite3.connect(tmp_path / "feedhub.db")
    versions = connection.execute("SELECT version, applied_at FROM schema_migrations").fetchall()
    connection.close()
    assert [version for version, _ in versions] == list(range(1, len(MIGRATIONS) + 1))
    assert all(applied_at for _, applied_at in versions)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/feedhub.db").close()
    connection = sqlite3.connect(tmp_path / "feedhub.db")
    newer = len(MIGRATIONS) + 1
    connection.execute("INSERT INTO schema_migrations VALUES (?, 'tomorrow')", (newer,))
    connection.commit()
    connection.close()
    told = rf"feedhub\.db has schema {newer}, this feedhub knows up to {len(MIGRATIONS)}: use a newer feedhub"
    with pytest.raises(StoreError, match=told):
        open_store(f"sqlite:///{tmp_path}/feedhub.db")


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE invoices (id)")
    connection.commit()
    with pytest.raises(StoreError, match=r"another program.*invoices"):
        open_store(f"sqlite:///{tmp_path}/other.db")
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]
    connection.close()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/feedhub.db")
    broken = (*MIGRATIONS, ("CREATE TABLE half (id INTEGER)", "CREATE TABLE half (id INTEGER)"))
    with pytest.raises(StoreError), store.transaction() as transaction:
        apply_next(transaction._connection.plain, "it", broken)
    store.close()
    connection = sqlite3.connect(tmp_path / "feedhub.db")
    assert connection.execute("SELECT max(version) FROM schema_migrations").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    connection.close()


def test_a_later_migration_is_applied_to_what_is_there(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/feedhub.db")
    longer = (*MIGRATIONS, ("CREATE TABLE more (id INTEGER)",))
    with store.transaction() as transaction:
        assert apply_next(transaction._connection.plain, "it", longer)
        assert not apply_next(transaction._connection.plain, "it", longer)
    store.close()
    with pytest.raises(StoreError, match=f"has schema {len(MIGRATIONS) + 1}"):
        open_store(f"sqlite:///{tmp_path}/feedhub.db")


def test_a_store_of_the_version_before_keeps_its_items_and_finds_nothing_new_in_the_same_document(
    tmp_path: Path,
) -> None:
    """``schema_4.db.gz`` was written by the version before, from the feed beside it."""
    here = Path(__file__).parent
    (tmp_path / "store.db").write_bytes(gzip.decompress((here / "schema_4.db.gz").read_bytes()))
    feed = (here / "schema_4_feed.xml").read_text("utf-8")
    (tmp_path / "feedhub.yaml").write_text(CONFIG, "utf-8")
    ids = item_ids(tmp_path)
    assert polled(tmp_path, feed) == (0, 0, 0)
    # What it says beside its keys is remembered now, so that it is weighed the next time: the same words to the second.
    again = feed.replace(">r-1<", ">r-2<").replace("About two.", "About two, with notes.")
    assert polled(tmp_path, again) == (0, 1, 0)
    assert item_ids(tmp_path) == ids


def test_a_store_whose_rules_had_replaced_keeps_that_until_the_source_offers_it_again(tmp_path: Path) -> None:
    """``schema_5.db.gz`` was written by the version before, from the feeds beside it and with ``RULES``.

    It has an item that retention removed, one that two sources gave, and one that the rules edited; it has not the one
    that they dropped.
    """
    here = Path(__file__).parent
    (tmp_path / "store.db").write_bytes(gzip.decompress((here / "schema_5.db.gz").read_bytes()))
    for name in ("paper", "wire"):
        (tmp_path / f"{name}.xml").write_bytes((here / f"schema_5_{name}.xml").read_bytes())
    ids = item_ids(tmp_path)
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + RULES, "utf-8")
    assert published(tmp_path) == ["Ferry reopens", "Chips at length Fabs edited", "Rates fall"]
    check_derived_data(tmp_path / "store.db")
    # A category that was there before the migration and is removed after it ends as any other.
    (tmp_path / "feedhub.yaml").write_text((TWO_SOURCES + RULES).replace("[news, wires]", "news"), "utf-8")
    published(tmp_path)
    last, *kept = json.loads((tmp_path / "output/feeds/wires.json").read_bytes())["items"]
    assert last["title"] == "“wires” has ended"
    assert kept
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + RULES.replace("at length", "at great length"), "utf-8")
    assert published(tmp_path)[1] == "Chips at length Fabs edited"
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + NO_RATES, "utf-8")
    assert published(tmp_path) == ["Ferry reopens", "Chips at length Fabs edited"]
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES, "utf-8")
    feedhub(tmp_path, "poll", "--all")
    assert published(tmp_path) == ["Ferry reopens", "Chips in short Fabs", "[Sponsored] Buy now", "Rates fall"]
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + RULES, "utf-8")
    assert published(tmp_path) == ["Ferry reopens", "Chips at length Fabs edited", "Rates fall"]
    assert set(item_ids(tmp_path)) > set(ids)


def test_a_store_whose_index_kept_the_texts_finds_all_of_them_again(tmp_path: Path) -> None:
    """``schema_6.db.gz`` was written by the version before, from the feeds beside it and with ``RULES``.

    It has an item that is hidden, one that the rules drop, one that they edit, and one that two sources gave.
    """
    here = Path(__file__).parent
    (tmp_path / "store.db").write_bytes(gzip.decompress((here / "schema_6.db.gz").read_bytes()))
    for name in ("paper", "wire"):
        (tmp_path / f"{name}.xml").write_bytes((here / f"schema_6_{name}.xml").read_bytes())
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + RULES, "utf-8")
    found = {"oysters": 1, "银行": 1, "wafers": 1, "edited": 1, "mattresses": 0, "harbour": 0, "zeppelins": 0}
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    assert store.index_some(1)  # the first item; then the process is killed
    store.close()
    check_derived_data(tmp_path / "store.db")
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    item = item_of(tmp_path, "Ferry reopens")
    assert store.hide(item, "", NOW)  # an item in it, and one that is not in it yet
    assert store.hide(store.newest("all", 1)[0].id, "", NOW)
    check_derived_data(tmp_path / "store.db")
    for hidden in (item, item_of(tmp_path, "Chips in short")):
        assert store.unhide(hidden, NOW)
    while store.index_some(2):
        check_derived_data(tmp_path / "store.db")
    assert {word: len(store.search(word, 9)) for word in found} == found
    store.close()
    check_derived_data(tmp_path / "store.db")
    (source, _) = json.loads(feedhub(tmp_path, "poll", "--all", "--json", "--no-publish"))["sources"]
    assert (source["new"], source["changed"]) == (0, 0)
    check_derived_data(tmp_path / "store.db")


@pytest.mark.parametrize("command", [("publish",), ("search", "ferry")])
def test_a_command_makes_the_index_of_an_older_store(tmp_path: Path, command: tuple[str, ...]) -> None:
    here = Path(__file__).parent
    (tmp_path / "store.db").write_bytes(gzip.decompress((here / "schema_6.db.gz").read_bytes()))
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + RULES, "utf-8")
    feedhub(tmp_path, *command)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    assert [hit.title for hit in store.search("wafers", 9)] == ["Chips at length"]
    store.close()
    check_derived_data(tmp_path / "store.db")


def test_records_of_a_store_that_knew_none_are_known_once_they_were_read(tmp_path: Path) -> None:
    """``schema_7.db.gz`` was written by the version before, from the feeds of schema 6 and with ``RULES``."""
    here = Path(__file__).parent
    (tmp_path / "store.db").write_bytes(gzip.decompress((here / "schema_7.db.gz").read_bytes()))
    for name in ("paper", "wire"):
        (tmp_path / f"{name}.xml").write_bytes((here / f"schema_6_{name}.xml").read_bytes())
    (tmp_path / "feedhub.yaml").write_text(TWO_SOURCES + RULES, "utf-8")
    ids = item_ids(tmp_path)
    assert published(tmp_path) == ["Chips at length Fabs edited", "Rates fall 银行降息", "Ferry reopens"]
    assert record_digests(tmp_path) == [None] * 6
    paper = (tmp_path / "paper.xml").read_text("utf-8")
    for text, changed in ((paper, 0), (paper.replace("Oysters", "Mussels"), 1), (paper, 1)):
        (tmp_path / "paper.xml").write_text(text, "utf-8")
        for source in json.loads(feedhub(tmp_path, "poll", "--all", "--json"))["sources"]:
            assert (source["new"], source["changed"]) == (0, changed if source["name"] == "paper" else 0)
        assert None not in record_digests(tmp_path)
    assert published(tmp_path) == ["Chips at length Fabs edited", "Rates fall 银行降息", "Ferry reopens"]
    assert item_ids(tmp_path) == ids
    check_derived_data(tmp_path / "store.db")


CONFIG = """site: {title: Old, url: "https://site.example"}
store: sqlite:///store.db
output: {dir: output}
sources: [{name: paper, url: feed.xml, category: news}]
"""
TWO_SOURCES = CONFIG.replace("url: feed.xml, category: news}", "url: paper.xml, category: news}, WIRE").replace(
    "WIRE", "{name: wire, url: wire.xml, category: [news, wires]}"
)
RULES = """rules:
  - {name: no sponsors, when: {title: Sponsored}, then: {drop: true}}
  - name: longer
    when: {title: in short}
    then: {replace: {field: title, pattern: in short, with: at length}, tag: [edited]}
"""
NO_RATES = "rules: [{name: no rates, when: {title: Rates}, then: {drop: true}}]\n"


def polled(folder: Path, feed: str) -> tuple[int, int, int]:
    """Poll a feed with the real command; return how many items were new, changed and rejected."""
    (folder / "feed.xml").write_text(feed, "utf-8")
    (source,) = json.loads(feedhub(folder, "poll", "--all", "--json", "--no-publish"))["sources"]
    return source["new"], source["changed"], source["rejected"]


def published(folder: Path) -> list[str]:
    """Publish with the real command; return the titles of the combined feed, each with the item's tags."""
    feedhub(folder, "publish")
    items = json.loads((folder / "output/feeds/all.json").read_bytes())["items"]
    return [
        " ".join([item["title"], *(tag for tag in item.get("tags", ()) if tag not in {"news", "wires"})])
        for item in items
    ]


def feedhub(folder: Path, *arguments: str) -> str:
    ran = run(*arguments, "-c", folder / "feedhub.yaml")
    assert ran.code == 0, ran.err
    return ran.out


def item_of(folder: Path, title: str) -> str:
    """Return the id of the item that a source gave this title."""
    connection = sqlite3.connect(folder / "store.db")
    wanted = "SELECT id FROM items WHERE pk = (SELECT item_pk FROM sightings WHERE title = ?)"
    found = connection.execute(wanted, (title,)).fetchone()
    connection.close()
    return str(found[0])


def record_digests(folder: Path) -> list[int | None]:
    """Return by what each record is known."""
    connection = sqlite3.connect(folder / "store.db")
    found = [digest for (digest,) in connection.execute("SELECT record_digest FROM sightings ORDER BY item_pk")]
    connection.close()
    return found


def item_ids(folder: Path) -> list[str]:
    """Return the ids in the store."""
    connection = sqlite3.connect(folder / "store.db")
    found = [item for (item,) in connection.execute("SELECT id FROM items ORDER BY id")]
    connection.close()
    return found
