"""The categories themselves (SPEC §5): those of the configuration, those that records name, those that were removed."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, exists, func, select, update

from feedhub.model.item import StoredItem
from feedhub.model.output import Category, RemovedCategory
from feedhub.rules.categorize import UniqueSlugs
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.memberships import remove_memberships
from feedhub.store.outputs import begin_branch, next_change, put_change, shown_wordings
from feedhub.store.source_states import SqlSourceTransaction
from feedhub.store.sqlite import insert
from feedhub.store.status import EPOCH
from feedhub.store.tables import categories, filings, memberships, removed_categories

_INSTANT = categories.c.added_at.type
_CONFIGURED = select(categories).where(categories.c.slug != ALL, categories.c.from_records == 0)
_OF_RECORDS = select(categories.c.slug, categories.c.title).where(categories.c.from_records == 1)
_EMPTY_OF_RECORDS = select(categories.c.slug).where(
    categories.c.from_records == 1, ~exists().where(memberships.c.slug == categories.c.slug)
)
_DATE_UNDATED = PreparedStatement(
    update(categories).where(categories.c.added_at == EPOCH).values(added_at=bindparam("now", type_=_INSTANT))
)
_new_category = insert(categories)
_PUT_CATEGORY = _new_category.on_conflict_do_update(
    index_elements=["slug"],
    set_={
        name: _new_category.excluded[name] for name in ("title", "description", "position", "entries", "from_records")
    },
)
_MOST_ENTRIES: Final = 1_000
_OF_CATEGORY = PreparedStatement(
    select(memberships.c.item_pk, memberships.c.source_id)
    .where(memberships.c.slug == bindparam("slug"))
    .order_by(memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position)
    .limit(_MOST_ENTRIES)
)
_BUMP_ALL = PreparedStatement(update(categories).values(version=bindparam("number")))
_BY_SLUG = select(categories).where(categories.c.slug == bindparam("slug"))
_REMOVED = select(removed_categories).order_by(removed_categories.c.slug)
_SHOWN_LAST = select(removed_categories.c.shown).where(removed_categories.c.slug == bindparam("slug"))


class SqlCategories(Database):
    """See ``feedhub.ports.store.PollStore``; of those that were removed ``feedhub.ports.store.OutputStore``."""

    def sync_categories(self, categories: Sequence[Category], now: datetime, *, from_records: bool = False) -> None:
        wanted = {
            one.slug: (one.title, one.description, position, one.entries) for position, one in enumerate(categories)
        }
        with self._write() as connection:
            begin_branch(connection)
            connection.execute(_DATE_UNDATED, {"now": now})
            rows = connection.execute(_CONFIGURED)
            stored = {row.slug: (row.title, row.description, row.position, row.entries) for row in rows}
            if stored == wanted:
                if not from_records:
                    _remove_categories(connection, connection.execute(_EMPTY_OF_RECORDS).scalars(), now)
                return
            titles = {title for title, *_ in wanted.values()}
            replaced = [
                row.slug
                for row in connection.execute(_OF_RECORDS)
                # The configuration now gives this title another slug.
                if row.slug not in wanted and row.title in titles
            ]
            _remove_categories(connection, {*(stored.keys() - wanted.keys()), *replaced}, now)
            number = _take_number(connection)
            # Titles and order are shown with every item, so any change of a stored one makes all outputs due.
            if any(wanted.get(slug) != values for slug, values in stored.items()):
                connection.execute(_BUMP_ALL, {"number": number})
            if wanted:
                put = [_category_row(slug, *values, now=now, number=number) for slug, values in wanted.items()]
                connection.execute(_PUT_CATEGORY, put)
                _count_anew(connection, wanted.keys() - stored.keys())
                _forget_removals(connection, wanted)

    def removed_categories(self) -> tuple[RemovedCategory, ...]:
        return tuple(
            RemovedCategory(
                slug=row.slug,
                title=row.title,
                description=row.description,
                entries=row.entries,
                removed_at=row.removed_at,
            )
            for row in self._query(_REMOVED)
        )

    def last_entries(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        with self._read() as connection:
            found: str | None = connection.execute(_SHOWN_LAST, {"slug": slug}).scalar()
            pairs = [(int(pk), int(source)) for pk, source in json.loads(found or "[]")]
            return shown_wordings(connection, pairs[:limit])


def _remove_categories(connection: Connection, slugs: Collection[str], now: datetime) -> None:
    for slug in sorted(slugs):
        _remember_removal(connection, slug, now)
        remove_memberships(connection, slug)
        connection.execute(delete(categories).where(categories.c.slug == slug))


def _take_number(connection: Connection) -> int:
    number = next_change(connection)
    put_change(connection, number)
    return number


def _category_row(
    slug: str,
    title: str,
    description: str,
    position: int,
    entries: int | None = None,
    *,
    now: datetime,
    number: int,
    from_records: bool = False,
) -> dict[str, object]:
    """Return the row of a category that is new with the change ``number``."""
    return {
        "slug": slug,
        "title": title,
        "description": description,
        "position": position,
        "from_records": int(from_records),
        "version": number,
        "added_at": now,
        "entries": entries,
    }


def _remember_removal(connection: Connection, slug: str, now: datetime) -> None:
    """Remember what the feed of a category shows that is about to be removed."""
    row = connection.execute(_BY_SLUG, {"slug": slug}).first()
    shown = [list(pair) for pair in connection.execute(_OF_CATEGORY, {"slug": slug})]
    _forget_removals(connection, [slug])
    connection.execute(
        removed_categories.insert(),
        {
            "slug": slug,
            "title": row.title,
            "description": row.description,
            "entries": row.entries,
            "shown": json.dumps(shown, separators=(",", ":")),
            "removed_at": now,
        },
    )


def _forget_removals(connection: Connection, slugs: Collection[str]) -> None:
    """Forget that categories were removed, because there are categories of that slug again."""
    for part in chunks(sorted(slugs)):
        connection.execute(delete(removed_categories).where(removed_categories.c.slug.in_(part)))


_BY_TITLE = PreparedStatement(
    select(categories.c.slug).where(categories.c.title == bindparam("wanted")).order_by(categories.c.position).limit(1)
)
_COUNT_OF_RECORDS = PreparedStatement(
    select(func.count(filings.c.slug.distinct()))
    .join(categories, categories.c.slug == filings.c.slug)
    .where(filings.c.source_id == bindparam("source"), categories.c.from_records == 1)
)
# Behind all categories of any configuration.
_FIRST_PLACE_OF_RECORDS: Final = 1_000_000


class SqlCategoryTransaction(SqlSourceTransaction):
    """Categories that records name; see ``feedhub.ports.store.Transaction``."""

    def find_category(self, title: str) -> str | None:
        found: str | None = self._query(_BY_TITLE, {"wanted": title}).scalar()
        return found

    def count_record_categories(self, source: str) -> int:
        return int(self._query(_COUNT_OF_RECORDS, {"source": self._source_id(source)}).scalar())

    def find_or_add_category(self, title: str, wanted: str, now: datetime) -> str:
        found = self.find_category(title)
        if found is not None:
            return found
        self._must_be_alone()
        slug: str = UniqueSlugs(self._query(select(categories.c.slug)).scalars()).take(wanted)
        last = self._query(select(func.max(categories.c.position))).scalar()
        position = max(last + 1, _FIRST_PLACE_OF_RECORDS)
        number = _take_number(self._connection)
        self._connection.execute(
            categories.insert(), _category_row(slug, title, "", position, now=now, number=number, from_records=True)
        )
        _count_anew(self._connection, [slug])
        _forget_removals(self._connection, [slug])
        return slug


def _count_anew(connection: Connection, slugs: Collection[str]) -> None:
    """Count what new categories hold."""
    held = select(func.count()).where(memberships.c.slug == categories.c.slug).scalar_subquery()
    for part in chunks(sorted(slugs)):
        connection.execute(update(categories).where(categories.c.slug.in_(part)).values(items=held))
