"""What sources said, read again for the rules: filed anew when they change, and lent to those that are tried."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, func, select, update

from feedhub.model.identity import Filing, LedgerNote
from feedhub.model.item import Item, ItemDates, Received
from feedhub.model.report import SightedItem, StoredSighting
from feedhub.model.source import Source
from feedhub.rules.select import ALL
from feedhub.store.categories import SqlCategoryTransaction
from feedhub.store.database import Connection, Database, PreparedStatement
from feedhub.store.ledger import write_notes
from feedhub.store.memberships import FiledItem, file_items, outputs_showing, settle_shown
from feedhub.store.outputs import bump
from feedhub.store.queries import reindexed
from feedhub.store.sqlite import insert
from feedhub.store.status import EPOCH
from feedhub.store.tables import (
    FOLDED,
    AnyRow,
    categories,
    decode_configuration,
    decode_item,
    encode_configuration,
    encode_effect,
    filings,
    items,
    sightings,
    sources,
)

_FILED_DIGESTS = PreparedStatement(select(sources.c.name, sources.c.filed_digest, sources.c.filed_to))
_new_source = insert(sources)
_MARK_FILED = PreparedStatement(
    _new_source.on_conflict_do_update(
        index_elements=["name"],
        set_={name: _new_source.excluded[name] for name in ("filed_digest", "filed_as")},
    )
)
_FILED_AS = PreparedStatement(select(sources.c.id, sources.c.name, sources.c.filed_as).order_by(sources.c.name))
_FILED_BY_SOURCE = PreparedStatement(
    select(filings.c.slug)
    .where(filings.c.source_id == bindparam("source"), filings.c.rule == "source")
    .order_by(filings.c.slug)
    .distinct()
)
_SLUGS = PreparedStatement(select(categories.c.slug))
_NEXT = PreparedStatement(
    select(
        sightings.c.item_pk,
        sightings.c.first_seen_at,
        sightings.c.wording,
        sightings.c.effect,
        sightings.c.dropped_by,
        sightings.c.received,
        items.c.id,
        items.c.published_at,
        items.c.shown_by,
    )
    .join(items, items.c.pk == sightings.c.item_pk)
    .where(
        sightings.c.source_id == bindparam("source"),
        sightings.c.item_pk > bindparam("after"),
        items.c.removed_at.is_(None),
        sightings.c.received != Received.FORGOTTEN.value,
    )
    .order_by(sightings.c.item_pk)
    .limit(bindparam("most"))
)
_UPDATE = PreparedStatement(
    update(sightings)
    .where(sightings.c.item_pk == bindparam("pk"), sightings.c.source_id == bindparam("source"))
    .values(effect=bindparam("new_effect"), dropped_by=bindparam("rule"))
)
_NOTE_PROGRESS = PreparedStatement(
    update(sources)
    .where(sources.c.id == bindparam("number"))
    .values(filed_digest=bindparam("digest"), filed_as=bindparam("known"), filed_to=bindparam("last"))
)
_BEFORE_THE_FIRST: Final = 0


class SqlRefiling(Database):
    """See ``feedhub.ports.store.PollStore``."""

    def filed_digests(self) -> dict[str, str | None]:
        rows = self._query(_FILED_DIGESTS)
        return {row.name: row.filed_digest if row.filed_to is None else None for row in rows}

    def mark_filed(self, digests: Sequence[tuple[Source, str]]) -> None:
        if digests:
            with self._write() as connection:
                connection.execute(
                    _MARK_FILED,
                    [
                        {"name": source.name, "filed_digest": digest, "filed_as": encode_configuration(source)}
                        for source, digest in digests
                    ],
                )

    def departed_sources(self, present: Collection[str]) -> tuple[Source, ...]:
        with self._read() as connection:
            slugs = set(connection.execute(_SLUGS).scalars())
            rows = [row for row in connection.execute(_FILED_AS) if row.name not in present]
            departed = [_as_filed(connection, row) for row in rows]
        return tuple(
            replace(source, categories=tuple(slug for slug in source.categories if slug in slugs))
            for source in departed
        )


def _as_filed(connection: Connection, row: AnyRow) -> Source:
    """Return a source as it was configured when it was filed; by what it was filed under if that was not kept."""
    if row.filed_as is not None:
        return decode_configuration(row.name, row.filed_as)
    slugs = connection.execute(_FILED_BY_SOURCE, {"source": row.id}).scalars()
    return Source(name=row.name, url="", categories=tuple(slugs))


class SqlRefilingTransaction(SqlCategoryTransaction):
    """See ``feedhub.ports.store.Transaction``."""

    def refile(
        self,
        source: Source,
        digest: str,
        most: int,
        filing: Callable[[Item, Received, ItemDates], Filing],
        now: datetime,
    ) -> bool:
        number = self._source_id(source.name)
        row = self._source_row(self._connection, source.name)
        after = row.filed_to if row is not None and row.filed_digest == digest else _BEFORE_THE_FIRST
        if after is None:
            return False
        rows = self._connection.execute(_NEXT, {"source": number, "after": after, "most": most})
        filed = [
            _Refiled(row, item, filing(item, Received(row.received), _dates(row))) for row, item in _with_items(rows)
        ]
        changed = [one for one in filed if one.is_changed]
        with reindexed(self._connection, [one.pk for one in changed]):
            if changed:
                self._connection.execute(_UPDATE, [{"source": number, **one.values()} for one in changed])
            moved = settle_shown(self._connection, {one.pk for one in filed if one.drops or one.returns})
        write_notes(self._connection, source.name, [one.note() for one in changed if one.drops], now)
        self._show(number, filed, moved.keys())
        last = rows[-1].item_pk if len(rows) == most else None
        self._connection.execute(
            _NOTE_PROGRESS, {"number": number, "digest": digest, "known": encode_configuration(source), "last": last}
        )
        self._source_rows.pop(source.name, None)
        return last is not None

    def _show(self, number: int, filed: Sequence["_Refiled"], moved: Collection[int]) -> None:
        """Settle which categories show the items; outputs that show a difference become due."""
        connection = self._connection
        slugs, pks = file_items(
            connection,
            number,
            (FiledItem(pk=one.pk, pairs=one.filing.categories, since=one.row.first_seen_at) for one in filed),
        )
        updated = {one.pk for one in filed if one.is_changed}
        own = {one.pk for one in filed if one.row.shown_by == number} & updated
        shown, shown_pks = outputs_showing(connection, number, updated)
        changed = pks.union(shown_pks, own, moved)
        bump(connection, slugs | shown | ({ALL} if own or moved else set()), changed)
        # What no output shows of an item may be named on its page.
        bump(connection, (), updated - changed)


class _Refiled:
    """A stored sighting, and what the rules make of it now."""

    def __init__(self, row: AnyRow, item: Item, filing: Filing) -> None:
        self.row = row
        self.pk = int(row.item_pk)
        self.filing = filing
        self.drops = row.dropped_by is None and filing.dropped_by is not None
        self.returns = row.dropped_by is not None and filing.dropped_by is None
        self._item = item
        self._effect = encode_effect(item, filing.shown)
        self.is_changed = (row.effect, row.dropped_by) != (self._effect, filing.dropped_by)

    def values(self) -> dict[str, object]:
        """Return what is to be stored with the sighting."""
        return {"pk": self.pk, "new_effect": self._effect, "rule": self.filing.dropped_by}

    def note(self) -> LedgerNote:
        """Return the note on a sighting that a rule drops now."""
        reason = f'rule "{self.filing.dropped_by}"'
        return LedgerNote(
            kind="dropped", reason=reason, item_id=self.row.id, title=self._item.title, link=self._item.link
        )


def _dates(row: AnyRow) -> ItemDates:
    return ItemDates(published_at=row.published_at, first_seen_at=row.first_seen_at)


def _with_items(rows: Iterable[AnyRow]) -> Iterator[tuple[AnyRow, Item]]:
    return ((row, decode_item(row.wording)) for row in rows)


_LAST_NUMBER = PreparedStatement(select(func.max(items.c.pk)))
_NUMBERS = PreparedStatement(
    select(items.c.pk)
    .where(
        items.c.pk > bindparam("after"),
        items.c.pk <= bindparam("last"),
        items.c.removed_at.is_(None),
        items.c.first_seen_at >= bindparam("since", type_=items.c.first_seen_at.type),
    )
    .order_by(items.c.pk)
    .limit(bindparam("most"))
)
_PKS: Final[BindParameter[Any]] = bindparam("pks", expanding=True)
_SIGHTINGS = PreparedStatement(
    select(
        items.c.pk,
        items.c.id,
        items.c.published_at,
        items.c.shown_by,
        items.c.hidden_at,
        items.c.unlisted,
        sightings.c.source_id,
        sightings.c.first_seen_at,
        sightings.c.wording,
        sightings.c.effect,
        sightings.c.dropped_by,
        sightings.c.received,
        sources.c.name,
    )
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(items.c.pk.in_(_PKS), sightings.c.received != Received.FORGOTTEN.value)
    .order_by(items.c.pk, sightings.c.source_id != items.c.owner_id, sightings.c.first_seen_at, sightings.c.source_id)
)
_FILINGS = PreparedStatement(
    select(filings.c.item_pk, filings.c.source_id, filings.c.slug).where(filings.c.item_pk.in_(_PKS))
)
_MOST_AT_ONCE: Final = 100


class SqlSightedItems(Database):
    """See ``feedhub.ports.store.QueryStore``."""

    def last_item_number(self) -> int:
        return int(self._query(_LAST_NUMBER).scalar() or 0)

    def sighted_items(self, after: int, last: int, since: datetime | None) -> Iterator[SightedItem]:
        asked = {"last": last, "since": since or EPOCH, "most": _MOST_AT_ONCE}
        while pks := self._query(_NUMBERS, {**asked, "after": after}).scalars():
            with self._read() as connection:
                found = _sighted(connection, pks)
            yield from found
            after = pks[-1]


def _sighted(connection: Connection, pks: list[int]) -> list[SightedItem]:
    slugs: dict[tuple[int, int], set[str]] = defaultdict(set)
    for row in connection.execute(_FILINGS, {"pks": pks}):
        slugs[row.item_pk, row.source_id].add(row.slug)
    rows: dict[int, list[AnyRow]] = defaultdict(list)
    for row in connection.execute(_SIGHTINGS, {"pks": pks}):
        rows[row.pk].append(row)
    return [
        SightedItem(
            item_id=of_item[0].id,
            sightings=tuple(_sighting(row, slugs[pk, row.source_id]) for row in of_item),
            is_shown=of_item[0].shown_by is not None,
            is_hidden=of_item[0].hidden_at is not None,
            is_folded=of_item[0].unlisted == FOLDED,
        )
        for pk, of_item in rows.items()
    ]


def _sighting(row: AnyRow, slugs: set[str]) -> StoredSighting:
    item = decode_item(row.wording)
    return StoredSighting(
        source=row.name,
        item=item,
        received=Received(row.received),
        dates=ItemDates(published_at=row.published_at, first_seen_at=row.first_seen_at),
        shown=item if row.effect is None else decode_item(row.wording, row.effect),
        dropped_by=row.dropped_by,
        categories=frozenset(slugs),
    )
