"""The number of items of every output, which triggers keep up to date, against a count of them."""

import sqlite3
from pathlib import Path

_COUNTED = """SELECT slug, CASE slug
    WHEN 'all' THEN (SELECT count(*) FROM items WHERE shown_by IS NOT NULL)
    ELSE (SELECT count(*) FROM memberships WHERE memberships.slug = categories.slug) END FROM categories"""


def check_item_counts(path: Path) -> None:
    """Fail when a stored number is not that of the items. Without a file there is nothing to check."""
    if path.exists():
        connection = sqlite3.connect(path)
        kept = dict(connection.execute("SELECT slug, items FROM categories"))
        counted = dict(connection.execute(_COUNTED))
        connection.close()
        assert kept == counted
