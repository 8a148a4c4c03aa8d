"""Stored items with all that their sources said, in the order in which they were stored: for trying rules."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, func, select

from feedhub.model.item import ItemDates, Received
from feedhub.model.trial import SightedItem, StoredSighting
from feedhub.store.database import Connection, Database, PreparedStatement
from feedhub.store.tables import EPOCH, AnyRow, decode_item, filings, items, sightings, sources

_LAST = PreparedStatement(select(func.max(items.c.pk)))
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
_MOST: Final = 100


class SqlSightedItems(Database):
    """See ``feedhub.ports.store.QueryStore``."""

    def last_item_number(self) -> int:
        return int(self._query(_LAST).scalar() or 0)

    def sighted_items(self, after: int, last: int, since: datetime | None) -> Iterator[SightedItem]:
        asked = {"last": last, "since": since or EPOCH, "most": _MOST}
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
