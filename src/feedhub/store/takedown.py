"""Takedown: items that are hidden by hand, and what a source gave that is forgotten for good."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, exists, func, select, update

from feedhub.model.identity import LedgerNote
from feedhub.model.item import Received
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.ledger import write_notes
from feedhub.store.maintenance import remove_items
from feedhub.store.memberships import settle_memberships
from feedhub.store.outputs import bump
from feedhub.store.shown import index_shown, settle_shown
from feedhub.store.tables import NO_WORDING, AnyRow, decode_item, encode_item, filings, items, sightings, sources

_ITEM = PreparedStatement(
    select(items.c.pk, items.c.hidden_at, items.c.removed_at, sources.c.name, sightings.c.wording)
    .join(sources, sources.c.id == items.c.owner_id)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .where(items.c.id == bindparam("wanted"))
)
_SET_HIDDEN = PreparedStatement(
    update(items)
    .where(items.c.pk == bindparam("number"))
    .values(hidden_at=bindparam("at"), hidden_reason=bindparam("why"))
)
_UNFORGOTTEN = PreparedStatement(
    select(sightings.c.item_pk)
    .where(sightings.c.source_id == bindparam("source"), sightings.c.received != Received.FORGOTTEN.value)
    .order_by(sightings.c.item_pk)
    .limit(bindparam("most"))
)
_MOST: Final = 100
"""Sightings that are forgotten in one transaction, for which polls have to wait."""


class SqlTakedown(Database):
    """See ``feedhub.ports.store.MaintenanceStore``."""

    def hide(self, item_id: str, reason: str, now: datetime) -> bool:
        return self._set_hidden(item_id, now, reason, now)

    def unhide(self, item_id: str, now: datetime) -> bool:
        return self._set_hidden(item_id, None, "", now)

    def _set_hidden(self, item_id: str, at: datetime | None, reason: str, now: datetime) -> bool:
        with self._write() as connection:
            row = connection.execute(_ITEM, {"wanted": item_id}).first()
            if row is None or (row.hidden_at is None) == (at is None):
                return False
            connection.execute(_SET_HIDDEN, {"number": row.pk, "at": at, "why": reason or None})
            _show_anew(connection, [row.pk])
            _note(connection, row, item_id, "shown again" if at is None else "hidden", reason, now)
            return True

    def forget(self, source: str, now: datetime) -> int | None:
        number = self._query(select(sources.c.id).where(sources.c.name == source)).scalar()
        if number is None:
            return None
        count = 0
        while True:
            with self._write() as connection:
                pks = connection.execute(_UNFORGOTTEN, {"source": number, "most": _MOST}).scalars()
                _forget_sightings(connection, number, pks, now)
            count += len(pks)
            if len(pks) < _MOST:
                return count


def _show_anew(connection: Connection, pks: list[int]) -> None:
    """Let what outputs show of items follow from what is stored of them now."""
    slugs = settle_memberships(connection, pks)
    index_shown(connection, settle_shown(connection, pks).keys())
    bump(connection, {ALL, *slugs}, pks)


def _note(connection: Connection, row: AnyRow, item_id: str, kind: str, reason: str, now: datetime) -> None:
    wording = decode_item(row.wording)
    note = LedgerNote(kind=kind, reason=reason or "by hand", item_id=item_id, title=wording.title, link=wording.link)
    write_notes(connection, row.name, [note], now, each_time=True)


def _forget_sightings(connection: Connection, source: int, pks: list[int], now: datetime) -> None:
    if not pks:
        return
    here = (sightings.c.source_id == source, sightings.c.item_pk.in_(pks))
    left = func.coalesce(sightings.c.left_at, bindparam("now", value=now, type_=sightings.c.left_at.type))
    connection.execute(
        update(sightings)
        .where(*here)
        .values(
            wording=encode_item(NO_WORDING),
            effect=None,
            dropped_by=None,
            received=Received.FORGOTTEN.value,
            left_at=left,
        )
    )
    connection.execute(delete(filings).where(filings.c.source_id == source, filings.c.item_pk.in_(pks)))
    _show_anew(connection, pks)
    told = exists().where(sightings.c.item_pk == items.c.pk, sightings.c.received != Received.FORGOTTEN.value)
    for part in chunks(pks):
        nobodys = select(items.c.pk).where(items.c.pk.in_(part), items.c.removed_at.is_(None), ~told)
        remove_items(connection, connection.execute(nobodys).scalars(), now)
