"""What a store keeps although it follows from the rest: numbers of items, and the index of the full text."""

import sqlite3
from pathlib import Path

from feedhub.rules.text import item_terms
from feedhub.store.tables import decode_item, unpacked

COUNTED = """SELECT slug, CASE slug
    WHEN 'all' THEN (SELECT count(*) FROM items WHERE shown_by IS NOT NULL AND unlisted IS NULL)
    ELSE (SELECT count(*) FROM memberships WHERE memberships.slug = categories.slug) END FROM categories"""
SHOWN = """SELECT items.pk, wording, effect FROM items
    JOIN sightings ON sightings.item_pk = items.pk AND sightings.source_id = items.shown_by"""
_INDEXED = "SELECT doc, col, offset, term FROM terms ORDER BY doc, col, offset"


def check_derived_data(path: Path) -> None:
    """Fail when a stored number is not that of the items, or the index holds other terms than those of what is shown.

    Without a file there is nothing to check.
    """
    if path.exists():
        connection = sqlite3.connect(path)
        kept = dict(connection.execute("SELECT slug, items FROM categories"))
        counted = dict(connection.execute(COUNTED))
        waiting = {pk for (pk,) in connection.execute("SELECT item_pk FROM unindexed_items")}
        indexed = _terms_in(connection, "main.item_search")
        shown = [row for row in connection.execute(SHOWN) if row[0] not in waiting]
        connection.close()
        assert kept == counted
        assert indexed == _terms_of(shown)


def _terms_of(shown: list[tuple[int, str | bytes, str | bytes | None]]) -> list[tuple[object, ...]]:
    """Return what an index holds that was made at one stroke."""
    made = sqlite3.connect(":memory:")
    made.execute("CREATE VIRTUAL TABLE item_search USING fts5(title, body, content='', tokenize='unicode61')")
    rows = [(pk, *item_terms(decode_item(unpacked(wording), unpacked(effect)))) for pk, wording, effect in shown]
    made.executemany("INSERT INTO item_search (rowid, title, body) VALUES (?, ?, ?)", rows)
    found = _terms_in(made, "main.item_search")
    made.close()
    return found


def _terms_in(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    schema, _, name = table.partition(".")
    connection.execute(f"CREATE VIRTUAL TABLE temp.terms USING fts5vocab('{schema}', '{name}', 'instance')")
    return connection.execute(_INDEXED).fetchall()
