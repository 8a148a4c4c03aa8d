"""Categories (SPEC §5), and which of them holds which item, in whose wording."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, exists, func, select, update

from feedhub.model.output import Category
from feedhub.rules.categorize import UniqueSlugs
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.outputs import (
    HEALTH_PUBLISHED,
    PAGES_PUBLISHED,
    POSTS_PUBLISHED,
    next_change,
    put_change,
    put_value,
)
from feedhub.store.removals import forget_removals, remember_removal
from feedhub.store.source_states import SqlSourceTransaction
from feedhub.store.sqlite import insert
from feedhub.store.tables import (
    EPOCH,
    AnyRow,
    categories,
    ended_memberships,
    filings,
    items,
    memberships,
    meta,
)

CategoryPairs = tuple[tuple[str, str], ...]
"""The slugs under which an item is filed, each with the name of the rule that says so."""

_INSTANT = categories.c.added_at.type
_FILINGS = PreparedStatement(select(filings).where(filings.c.item_pk.in_(bindparam("pks", expanding=True))))
_MEMBERSHIPS = PreparedStatement(
    select(memberships.c.slug, memberships.c.item_pk, memberships.c.source_id, memberships.c.rule).where(
        memberships.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_FILED_ITEMS = PreparedStatement(
    select(items.c.pk, items.c.published_at, items.c.first_seen_at, items.c.position, items.c.hidden_at).where(
        items.c.pk.in_(bindparam("pks", expanding=True))
    )
)
_REMOVE_FILING = PreparedStatement(
    delete(filings).where(
        filings.c.item_pk == bindparam("pk"),
        filings.c.source_id == bindparam("source"),
        filings.c.slug == bindparam("category"),
    )
)
_REMOVE_MEMBERSHIP = PreparedStatement(
    delete(memberships).where(memberships.c.slug == bindparam("category"), memberships.c.item_pk == bindparam("pk"))
)
_new_filing = insert(filings)
_PUT_FILING = PreparedStatement(
    _new_filing.on_conflict_do_update(
        index_elements=["item_pk", "source_id", "slug"], set_={"rule": _new_filing.excluded.rule}
    )
)
_new_membership = insert(memberships)
_PUT_MEMBERSHIP = PreparedStatement(
    _new_membership.on_conflict_do_update(
        index_elements=["slug", "item_pk"],
        set_={"source_id": _new_membership.excluded.source_id, "rule": _new_membership.excluded.rule},
    )
)
_new_end = insert(ended_memberships)
_END_MEMBERSHIP = PreparedStatement(
    _new_end.on_conflict_do_update(index_elements=["slug", "item_pk"], set_={"number": _new_end.excluded.number})
)
_SHOWN_BY = PreparedStatement(
    select(memberships.c.slug, memberships.c.item_pk).where(
        memberships.c.source_id == bindparam("source"), memberships.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledItem:
    """One item, and where its source files it now; ``since`` is when the source first gave it."""

    pk: int
    pairs: CategoryPairs
    since: datetime


_Filings = dict[tuple[int, str], tuple[str, datetime]]
"""Source and slug → rule and since when, for one item."""
_Memberships = dict[str, tuple[int, str]]
"""Slug → source and rule, for one item."""


def file_items(connection: Connection, source_id: int, filed: Iterable[FiledItem]) -> tuple[set[str], set[int]]:
    """Replace the filings of a source for some items; return the outputs that show a difference, and whose items."""
    slugs: set[str] = set()
    touched: set[int] = set()
    for part in chunks(filed):
        changed = _file_some(connection, source_id, {entry.pk: entry for entry in part})
        touched |= changed.keys()
        slugs.update(*changed.values())
    # Every output lists all categories of an item.
    return (slugs | {ALL} if touched else slugs), touched


def _file_some(connection: Connection, source_id: int, filed: Mapping[int, FiledItem]) -> dict[int, set[str]]:
    filings_before: dict[int, _Filings] = defaultdict(dict)
    for row in connection.execute(_FILINGS, {"pks": list(filed)}):
        filings_before[row.item_pk][row.source_id, row.slug] = (row.rule, row.first_seen_at)
    filings_after = {pk: _filings_after(filings_before[pk], source_id, entry) for pk, entry in filed.items()}
    _write_filings(connection, filings_before, filings_after)
    return _settle(connection, filings_after)


def settle_memberships(connection: Connection, pks: Sequence[int]) -> set[str]:
    """Let the memberships of items follow from their filings; return the categories that show a difference."""
    filed: dict[int, _Filings] = {pk: {} for pk in pks}
    for row in connection.execute(_FILINGS, {"pks": pks}):
        filed[row.item_pk][row.source_id, row.slug] = (row.rule, row.first_seen_at)
    return set[str]().union(*_settle(connection, filed).values())


def _settle(connection: Connection, filed: Mapping[int, _Filings]) -> dict[int, set[str]]:
    """Return the items whose memberships changed, with the categories that hold them now or did before."""
    before: dict[int, _Memberships] = defaultdict(dict)
    for slug, pk, source, rule in connection.execute(_MEMBERSHIPS, {"pks": list(filed)}):
        before[pk][slug] = (source, rule)
    rows = {row.pk: row for row in connection.execute(_FILED_ITEMS, {"pks": list(filed)})}
    after = {pk: _memberships_of(of_item) if rows[pk].hidden_at is None else {} for pk, of_item in filed.items()}
    _write_memberships(connection, before, after, rows)
    return {
        pk: set(after[pk]) | set(before[pk])
        for pk in filed
        if {slug: source for slug, (source, _) in after[pk].items()}
        != {slug: source for slug, (source, _) in before[pk].items()}
    }


def _filings_after(filings: _Filings, source_id: int, entry: FiledItem) -> _Filings:
    """Replace the filings of one source."""
    after = {key: value for key, value in filings.items() if key[0] != source_id}
    for slug, rule in entry.pairs:
        after.setdefault((source_id, slug), (rule, entry.since))
    return after


def _memberships_of(filings: _Filings) -> _Memberships:
    """Give each membership to the source that gave the item first, of those that file it there."""
    first = {
        slug: min((since, source) for (source, of), (_, since) in filings.items() if of == slug)
        for slug in dict.fromkeys(slug for _, slug in filings)
    }
    return {slug: (source, filings[source, slug][0]) for slug, (_, source) in first.items()}


def _write_filings(connection: Connection, before: Mapping[int, _Filings], after: Mapping[int, _Filings]) -> None:
    removed = [
        {"pk": pk, "source": source, "category": slug}
        for pk in after
        for source, slug in before[pk].keys() - after[pk].keys()
    ]
    put = [
        {"item_pk": pk, "source_id": source, "slug": slug, "rule": rule, "first_seen_at": since}
        for pk, of_item in after.items()
        for (source, slug), (rule, since) in of_item.items()
        if before[pk].get((source, slug), ("", None))[0] != rule
    ]
    if removed:
        connection.execute(_REMOVE_FILING, removed)
    if put:
        connection.execute(_PUT_FILING, put)


def _write_memberships(
    connection: Connection,
    before: Mapping[int, _Memberships],
    after: Mapping[int, _Memberships],
    rows: Mapping[int, AnyRow],
) -> None:
    removed = [(pk, slug) for pk in after for slug in before[pk].keys() - after[pk].keys()]
    if removed:
        number = next_change(connection)
        connection.execute(_REMOVE_MEMBERSHIP, [{"pk": pk, "category": slug} for pk, slug in removed])
        connection.execute(_END_MEMBERSHIP, [{"slug": slug, "item_pk": pk, "number": number} for pk, slug in removed])
    put = [
        {
            "slug": slug,
            "item_pk": pk,
            "source_id": source,
            "rule": rule,
            "published_at": rows[pk].published_at,
            "first_seen_at": rows[pk].first_seen_at,
            "position": rows[pk].position,
        }
        for pk, of_item in after.items()
        for slug, (source, rule) in of_item.items()
        if before[pk].get(slug) != (source, rule)
    ]
    if put:
        connection.execute(_PUT_MEMBERSHIP, put)


def outputs_showing(connection: Connection, source_id: int, pks: Collection[int]) -> tuple[set[str], set[int]]:
    """Return the categories that show the wording of a source for some items, and which of the items."""
    slugs: set[str] = set()
    shown: set[int] = set()
    for part in chunks(pks):
        for slug, pk in connection.execute(_SHOWN_BY, {"source": source_id, "pks": part}):
            slugs.add(slug)
            shown.add(pk)
    return slugs, shown


_OUTPUT_DIGEST: Final = "output_digest"
_DIGEST = select(meta.c.value).where(meta.c.key == _OUTPUT_DIGEST)
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


class SqlCategories(Database):
    """What the configuration says of categories; see ``feedhub.ports.store.PollStore``."""

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, now: datetime, *, from_records: bool = False
    ) -> None:
        wanted = {
            one.slug: (one.title, one.description, position, one.entries) for position, one in enumerate(categories)
        }
        with self._write() as connection:
            connection.execute(_DATE_UNDATED, {"now": now})
            rows = connection.execute(_CONFIGURED)
            stored = {row.slug: (row.title, row.description, row.position, row.entries) for row in rows}
            same_outputs = connection.execute(_DIGEST).scalar() == output_digest
            if stored == wanted and same_outputs:
                if not from_records:
                    _remove_categories(connection, connection.execute(_EMPTY_OF_RECORDS).scalars())
                return
            titles = {title for title, *_ in wanted.values()}
            replaced = [
                row.slug
                for row in connection.execute(_OF_RECORDS)
                # The configuration now gives this title another slug.
                if row.slug not in wanted and row.title in titles
            ]
            _remove_categories(connection, {*(stored.keys() - wanted.keys()), *replaced})
            # Titles and order are shown with every item, so any change of a stored one makes all outputs due.
            if not same_outputs or any(wanted.get(slug) != values for slug, values in stored.items()):
                _make_everything_due(connection)
            if wanted:
                connection.execute(
                    _PUT_CATEGORY, [_category_row(slug, *values, now=now) for slug, values in wanted.items()]
                )
                forget_removals(connection, wanted)
            put_value(connection, _OUTPUT_DIGEST, output_digest)


def _remove_categories(connection: Connection, slugs: Collection[str]) -> None:
    for slug in sorted(slugs):
        remember_removal(connection, slug)
        number = next_change(connection)
        ended = connection.execute(select(memberships.c.item_pk).where(memberships.c.slug == slug)).scalars()
        if ended:
            connection.execute(_END_MEMBERSHIP, [{"slug": slug, "item_pk": pk, "number": number} for pk in ended])
            put_change(connection, number)
        for table in (filings, memberships, categories):
            connection.execute(delete(table).where(table.c.slug == slug))


def _make_everything_due(connection: Connection) -> None:
    connection.execute(update(categories).values(version=categories.c.version + 1))
    put_value(connection, POSTS_PUBLISHED, 0)
    put_value(connection, HEALTH_PUBLISHED, -1)
    put_value(connection, PAGES_PUBLISHED, -1)


def _category_row(
    slug: str,
    title: str,
    description: str,
    position: int,
    entries: int | None = None,
    *,
    now: datetime,
    from_records: bool = False,
) -> dict[str, object]:
    """Return the row of a new category; its output is due."""
    return {
        "slug": slug,
        "title": title,
        "description": description,
        "position": position,
        "from_records": int(from_records),
        "version": 1,
        "published_version": 0,
        "added_at": now,
        "entries": entries,
    }


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
        slug: str = UniqueSlugs(self._query(select(categories.c.slug)).scalars()).take(wanted)
        last = self._query(select(func.max(categories.c.position))).scalar()
        position = max(last + 1, _FIRST_PLACE_OF_RECORDS)
        self._connection.execute(
            categories.insert(), _category_row(slug, title, "", position, now=now, from_records=True)
        )
        forget_removals(self._connection, [slug])
        return slug
