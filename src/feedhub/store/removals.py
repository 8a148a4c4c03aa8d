"""Categories that were removed: what their feeds showed last, and when the removal was first published."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from feedhub.model.item import StoredItem
from feedhub.model.output import RemovedCategory
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.outputs import shown_wordings
from feedhub.store.tables import categories, memberships, removed_categories

_MOST_ENTRIES: Final = 1_000
_OF_CATEGORY = PreparedStatement(
    select(memberships.c.item_pk, memberships.c.source_id)
    .where(memberships.c.slug == bindparam("slug"))
    .order_by(memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position)
    .limit(_MOST_ENTRIES)
)
_PUBLISHED = select(categories).where(categories.c.slug == bindparam("slug"), categories.c.published_version > 0)
_REMOVED = select(removed_categories).order_by(removed_categories.c.slug)
_SHOWN = select(removed_categories.c.shown).where(removed_categories.c.slug == bindparam("slug"))
_DATE = (
    update(removed_categories)
    .where(removed_categories.c.published_at.is_(None))
    .values(published_at=bindparam("now", type_=removed_categories.c.published_at.type))
)


def remember_removal(connection: Connection, slug: str) -> None:
    """Remember what the feed of a category shows that is about to be removed, if it was ever published."""
    row = connection.execute(_PUBLISHED, {"slug": slug}).first()
    if row is None:
        return
    shown = [list(pair) for pair in connection.execute(_OF_CATEGORY, {"slug": slug})]
    forget_removals(connection, [slug])
    connection.execute(
        removed_categories.insert(),
        {
            "slug": slug,
            "title": row.title,
            "description": row.description,
            "entries": row.entries,
            "shown": json.dumps(shown, separators=(",", ":")),
            "published_at": None,
        },
    )


def forget_removals(connection: Connection, slugs: Collection[str]) -> None:
    """Forget that categories were removed, because there are categories of that slug again."""
    for part in chunks(sorted(slugs)):
        connection.execute(delete(removed_categories).where(removed_categories.c.slug.in_(part)))


class SqlRemovals(Database):
    """See ``feedhub.ports.store.OutputStore``."""

    def removed_categories(self) -> tuple[RemovedCategory, ...]:
        return tuple(
            RemovedCategory(
                slug=row.slug,
                title=row.title,
                description=row.description,
                entries=row.entries,
                published_at=row.published_at,
            )
            for row in self._query(_REMOVED)
        )

    def date_removals(self, now: datetime) -> None:
        with self._write() as connection:
            connection.execute(_DATE, {"now": now})

    def last_entries(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        with self._read() as connection:
            found: str | None = connection.execute(_SHOWN, {"slug": slug}).scalar()
            pairs = [(int(pk), int(source)) for pk, source in json.loads(found or "[]")]
            return shown_wordings(connection, pairs[:limit])
