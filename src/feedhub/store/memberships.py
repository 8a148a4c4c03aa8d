"""Categories (SPEC §5), and which of them holds which item, in whose wording."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, exists, func, select, update

from feedhub.model.item import Item
from feedhub.model.output import Category
from feedhub.rules.categorize import unique_slug
from feedhub.rules.select import ALL
from feedhub.store.database import CHUNK, Connection, Database, PreparedStatement, chunks
from feedhub.store.outputs import HEALTH_PUBLISHED, PAGES_PUBLISHED, POSTS_PUBLISHED, bump, put_value
from feedhub.store.source_states import SqlSourceTransaction, source_id
from feedhub.store.sqlite import insert
from feedhub.store.tables import EPOCH, categories, decode_item, filings, items, memberships, meta, sightings, sources

CategoryPairs = tuple[tuple[str, str], ...]
"""The slugs under which an item is filed, each with the name of the rule that says so."""

_FILINGS = PreparedStatement(select(filings).where(filings.c.item_pk.in_(bindparam("pks", expanding=True))))
_MEMBERSHIPS = PreparedStatement(
    select(memberships.c.slug, memberships.c.item_pk, memberships.c.source_id, memberships.c.rule).where(
        memberships.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_SORT_KEYS = PreparedStatement(
    select(items.c.pk, items.c.published_at, items.c.first_seen_at, items.c.position).where(
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
    before: dict[int, _Memberships] = defaultdict(dict)
    for slug, pk, source, rule in connection.execute(_MEMBERSHIPS, {"pks": list(filed)}):
        before[pk][slug] = (source, rule)
    filings_after = {pk: _filings_after(filings_before[pk], source_id, entry) for pk, entry in filed.items()}
    _write_filings(connection, filings_before, filings_after)
    after = {pk: _memberships_after(filings_after[pk], before[pk]) for pk in filed}
    _write_memberships(connection, before, after)
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


def _memberships_after(filings: _Filings, before: _Memberships) -> _Memberships:
    """Let a source keep its membership while it files the item there; else the source that filed it first gets it."""
    after: _Memberships = {}
    for slug in dict.fromkeys(slug for _, slug in filings):
        source = before[slug][0] if slug in before else None
        if source is None or (source, slug) not in filings:
            source = min((since, other) for (other, of), (_, since) in filings.items() if of == slug)[1]
        after[slug] = (source, filings[source, slug][0])
    return after


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
    connection: Connection, before: Mapping[int, _Memberships], after: Mapping[int, _Memberships]
) -> None:
    removed = [{"pk": pk, "category": slug} for pk in after for slug in before[pk].keys() - after[pk].keys()]
    put = [
        (pk, slug, *filed_by)
        for pk, of_item in after.items()
        for slug, filed_by in of_item.items()
        if before[pk].get(slug) != filed_by
    ]
    if removed:
        connection.execute(_REMOVE_MEMBERSHIP, removed)
    if put:
        items_put = {row.pk: row for row in connection.execute(_SORT_KEYS, {"pks": list({pk for pk, *_ in put})})}
        connection.execute(
            _PUT_MEMBERSHIP,
            [
                {
                    "slug": slug,
                    "item_pk": pk,
                    "source_id": source,
                    "rule": rule,
                    "published_at": items_put[pk].published_at,
                    "first_seen_at": items_put[pk].first_seen_at,
                    "position": items_put[pk].position,
                }
                for pk, slug, source, rule in put
            ],
        )


def outputs_showing(connection: Connection, source_id: int, pks: Collection[int]) -> tuple[set[str], set[int]]:
    """Return the categories that show the wording of a source for some items, and which of the items."""
    slugs: set[str] = set()
    shown: set[int] = set()
    for part in chunks(pks):
        for slug, pk in connection.execute(_SHOWN_BY, {"source": source_id, "pks": part}):
            slugs.add(slug)
            shown.add(pk)
    return slugs, shown


_OF_SOURCE = (
    select(sightings.c.item_pk, items.c.id, sightings.c.first_seen_at)
    .join(items, items.c.pk == sightings.c.item_pk)
    .where(sightings.c.source_id == bindparam("source"), items.c.removed_at.is_(None))
    .order_by(sightings.c.item_pk)
)
_NEXT_WORDINGS = (
    select(sightings.c.item_pk, items.c.id, sightings.c.wording)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(
        sources.c.name == bindparam("source"),
        sightings.c.item_pk > bindparam("after"),
        items.c.removed_at.is_(None),
    )
    .order_by(sightings.c.item_pk)
    .limit(CHUNK)
)
_FILED_DIGESTS = PreparedStatement(select(sources.c.name, sources.c.filed_digest))
_new_source = insert(sources)
_MARK_FILED = PreparedStatement(
    _new_source.on_conflict_do_update(index_elements=["name"], set_={"filed_digest": _new_source.excluded.filed_digest})
)
_OUTPUT_DIGEST: Final = "output_digest"
_DIGEST = select(meta.c.value).where(meta.c.key == _OUTPUT_DIGEST)
_CONFIGURED = select(categories).where(categories.c.slug != ALL, categories.c.from_records == 0)
_OF_RECORDS = select(categories.c.slug, categories.c.title).where(categories.c.from_records == 1)
_EMPTY_OF_RECORDS = select(categories.c.slug).where(
    categories.c.from_records == 1, ~exists().where(memberships.c.slug == categories.c.slug)
)
_new_category = insert(categories)
_PUT_CATEGORY = _new_category.on_conflict_do_update(
    index_elements=["slug"],
    set_={name: _new_category.excluded[name] for name in ("title", "description", "position", "from_records")},
)


class SqlCategories(Database):
    """What the configuration says of categories, and refiling by its rules; see ``feedhub.ports.store.PollStore``."""

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, *, from_records: bool = False
    ) -> None:
        wanted = {one.slug: (one.title, one.description, position) for position, one in enumerate(categories)}
        with self._write() as connection:
            rows = connection.execute(_CONFIGURED)
            stored = {row.slug: (row.title, row.description, row.position) for row in rows}
            same_outputs = connection.execute(_DIGEST).scalar() == output_digest
            if stored == wanted and same_outputs:
                if not from_records:
                    _remove_categories(connection, connection.execute(_EMPTY_OF_RECORDS).scalars())
                return
            titles = {title for title, _, _ in wanted.values()}
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
                connection.execute(_PUT_CATEGORY, [_category_row(slug, *values) for slug, values in wanted.items()])
            put_value(connection, _OUTPUT_DIGEST, output_digest)

    def filed_digests(self) -> dict[str, str | None]:
        return dict(self._query(_FILED_DIGESTS))

    def mark_filed(self, names: Sequence[str], digest: str) -> None:
        if names:
            with self._write() as connection:
                connection.execute(_MARK_FILED, [{"name": name, "filed_digest": digest} for name in names])

    def refile(self, source: str, filings: Iterable[tuple[str, CategoryPairs]], *, digest: str) -> None:
        # Rules are run while the iterable is read: not inside the transaction.
        wanted = dict(filings)
        with self._write() as connection:
            number = source_id(connection, source)
            filed = (
                FiledItem(pk=row.item_pk, pairs=wanted[row.id], since=row.first_seen_at)
                for row in connection.execute(_OF_SOURCE, {"source": number})
                if row.id in wanted
            )
            bump(connection, *file_items(connection, number, filed))
            connection.execute(update(sources).where(sources.c.id == number).values(filed_digest=digest))

    def wordings(self, source: str) -> Iterator[tuple[str, Item]]:
        last = 0
        while rows := self._query(_NEXT_WORDINGS, {"source": source, "after": last}):
            yield from ((row.id, decode_item(row.wording)) for row in rows)
            last = rows[-1].item_pk


def _remove_categories(connection: Connection, slugs: Collection[str]) -> None:
    for slug in sorted(slugs):
        for table in (filings, memberships, categories):
            connection.execute(delete(table).where(table.c.slug == slug))


def _make_everything_due(connection: Connection) -> None:
    connection.execute(update(categories).values(version=categories.c.version + 1))
    put_value(connection, POSTS_PUBLISHED, 0)
    put_value(connection, HEALTH_PUBLISHED, -1)
    put_value(connection, PAGES_PUBLISHED, -1)


def _category_row(
    slug: str, title: str, description: str, position: int, *, from_records: bool = False
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
        "changed_at": EPOCH,
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

    def find_or_add_category(self, title: str, wanted: str) -> str:
        found = self.find_category(title)
        if found is not None:
            return found
        slug: str = unique_slug(wanted, set(self._query(select(categories.c.slug)).scalars()))
        last = self._query(select(func.max(categories.c.position))).scalar()
        position = max(last + 1, _FIRST_PLACE_OF_RECORDS)
        self._connection.execute(categories.insert(), _category_row(slug, title, "", position, from_records=True))
        return slug
