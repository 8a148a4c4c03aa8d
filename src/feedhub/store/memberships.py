"""What shows which item, in whose wording: categories (SPEC §5), and ``all`` with the item's page and the search."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, delete, select, update

from feedhub.model.item import Received
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, PreparedStatement, chunks
from feedhub.store.outputs import count_items, next_change, put_change
from feedhub.store.sqlite import insert
from feedhub.store.tables import WAITING, AnyRow, ended_memberships, filings, items, memberships, sightings, story_folds

CategoryPairs = tuple[tuple[str, str], ...]
"""The slugs under which an item is filed, each with the name of the rule that says so."""

_FILINGS = PreparedStatement(select(filings).where(filings.c.item_pk.in_(bindparam("pks", expanding=True))))
_MEMBERSHIPS = PreparedStatement(
    select(memberships.c.slug, memberships.c.item_pk, memberships.c.source_id, memberships.c.rule).where(
        memberships.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_FILED_ITEMS = PreparedStatement(
    select(
        items.c.pk,
        items.c.published_at,
        items.c.first_seen_at,
        items.c.position,
        items.c.hidden_at,
        items.c.unlisted,
    ).where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
_FOLDS = PreparedStatement(
    select(story_folds.c.item_pk, story_folds.c.slug).where(story_folds.c.item_pk.in_(bindparam("pks", expanding=True)))
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
# Of what is new none is there yet. Where a statement may have to replace a row, and other tables are looked at for it,
# SQLite keeps all that it is about to change, for each row: five times what inserting takes.
_NEW_FILING = PreparedStatement(filings.insert())
_NEW_MEMBERSHIP = PreparedStatement(memberships.insert())
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


def file_new(
    connection: Connection, source_id: int, filed: Iterable[FiledItem], rows: Mapping[int, AnyRow]
) -> tuple[set[str], set[int]]:
    """File items that were stored just now, of which ``rows`` are by number; return the same as ``file_items``.

    Those that wait for their story are members of nothing yet.
    """
    before: Mapping[int, Any] = defaultdict(dict)
    filings_after = {entry.pk: _filings_after({}, source_id, entry) for entry in filed}
    _write_filings(connection, before, filings_after, _NEW_FILING)
    after = {
        pk: {slug: (source, rule) for (source, slug), (rule, _) in of_item.items()}
        for pk, of_item in filings_after.items()
        if rows[pk].unlisted is None
    }
    _write_memberships(connection, before, after, rows, _NEW_MEMBERSHIP)
    slugs, touched = set[str]().union(*after.values()), {pk for pk, of_item in after.items() if of_item}
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
    after = {
        pk: _memberships_of(of_item) if rows[pk].hidden_at is None and rows[pk].unlisted != WAITING else {}
        for pk, of_item in filed.items()
    }
    if connection.backend.tells_stories:
        for pk, slug in connection.execute(_FOLDS, {"pks": list(filed)}):
            after[pk].pop(slug, None)
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


def _write_filings(
    connection: Connection,
    before: Mapping[int, _Filings],
    after: Mapping[int, _Filings],
    statement: PreparedStatement = _PUT_FILING,
) -> None:
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
        connection.execute(statement, put)


def _write_memberships(
    connection: Connection,
    before: Mapping[int, _Memberships],
    after: Mapping[int, _Memberships],
    rows: Mapping[int, AnyRow],
    statement: PreparedStatement = _PUT_MEMBERSHIP,
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
        connection.execute(statement, put)
    counted = Counter(slug for pk, of_item in after.items() for slug in of_item.keys() - before[pk].keys())
    counted.subtract(slug for _, slug in removed)
    count_items(connection, counted)


def outputs_showing(connection: Connection, source_id: int, pks: Collection[int]) -> tuple[set[str], set[int]]:
    """Return the categories that show the wording of a source for some items, and which of the items."""
    slugs: set[str] = set()
    shown: set[int] = set()
    for part in chunks(pks):
        for slug, pk in connection.execute(_SHOWN_BY, {"source": source_id, "pks": part}):
            slugs.add(slug)
            shown.add(pk)
    return slugs, shown


def remove_memberships(connection: Connection, slug: str) -> None:
    """Remove all items from a category that is to be removed itself."""
    number = next_change(connection)
    ended = connection.execute(select(memberships.c.item_pk).where(memberships.c.slug == slug)).scalars()
    if ended:
        connection.execute(_END_MEMBERSHIP, [{"slug": slug, "item_pk": pk, "number": number} for pk in ended])
        put_change(connection, number)
    for table in (filings, memberships, story_folds):
        connection.execute(delete(table).where(table.c.slug == slug))


_PKS: Final[BindParameter[Any]] = bindparam("pks", expanding=True)
_BEFORE = PreparedStatement(select(items.c.pk, items.c.shown_by, items.c.unlisted).where(items.c.pk.in_(_PKS)))
_CANDIDATES = PreparedStatement(
    select(sightings.c.item_pk, sightings.c.source_id)
    .join(items, items.c.pk == sightings.c.item_pk)
    .where(
        items.c.pk.in_(_PKS),
        items.c.removed_at.is_(None),
        items.c.hidden_at.is_(None),
        sightings.c.dropped_by.is_(None),
        sightings.c.received != Received.FORGOTTEN.value,
    )
    .order_by(
        sightings.c.item_pk, sightings.c.source_id != items.c.owner_id, sightings.c.first_seen_at, sightings.c.source_id
    )
)
_SHOW = PreparedStatement(update(items).where(items.c.pk == bindparam("number")).values(shown_by=bindparam("source")))


def settle_shown(connection: Connection, pks: Collection[int]) -> dict[int, int | None]:
    """Decide anew whose wording shows these items; return those of which that changed, with the source's number.

    It is the owner's, else that of the source that gave the item first, of those that no rule drops.
    """
    changed: dict[int, int | None] = {}
    for part in chunks(sorted(pks)):
        first: dict[int, int] = {}
        for pk, source in connection.execute(_CANDIDATES, {"pks": part}):
            first.setdefault(pk, source)
        before = [row for row in connection.execute(_BEFORE, {"pks": part}) if row.shown_by != first.get(row.pk)]
        changed.update((row.pk, first.get(row.pk)) for row in before)
        more = sum((row.pk in first) - (row.shown_by is not None) for row in before if row.unlisted is None)
        count_items(connection, {ALL: more})
    if changed:
        connection.execute(_SHOW, [{"number": pk, "source": source} for pk, source in changed.items()])
    return changed
