"""The ledger: why a record was dropped, merged or refused. A repeated fact is written once."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import bindparam, or_, select

from feedhub.model.identity import LedgerNote
from feedhub.model.report import LedgerEntry
from feedhub.store.codec import fact_digest, stored_key
from feedhub.store.connection import Connection, Prepared
from feedhub.store.sqlite import insert
from feedhub.store.tables import AnyRow, ledger

_WRITE = Prepared(insert(ledger).on_conflict_do_nothing(index_elements=["digest"]))
_ABOUT = (
    select(ledger)
    .where(
        or_(
            ledger.c.key.in_(bindparam("keys", expanding=True)),
            ledger.c.item_id.in_(bindparam("ids", expanding=True)),
            ledger.c.link.in_(bindparam("links", expanding=True)),
        )
    )
    .order_by(ledger.c.at, ledger.c.id)
)


def write_notes(connection: Connection, source: str, notes: Iterable[LedgerNote], now: datetime) -> None:
    """Write what was decided at ``now`` about records of ``source``."""
    rows = [_row(source, note, now) for note in notes]
    if rows:
        connection.execute(_WRITE, rows)


def entries_about(
    connection: Connection, *, keys: Collection[str], ids: Collection[str], links: Collection[str]
) -> tuple[LedgerEntry, ...]:
    """Return the entries that name one of these, oldest first."""
    rows = connection.execute(
        _ABOUT, {"keys": [stored_key(key) for key in keys], "ids": list(ids), "links": list(links)}
    )
    return tuple(_entry(row) for row in rows)


def _row(source: str, note: LedgerNote, now: datetime) -> dict[str, object]:
    key = None if note.key is None else stored_key(note.key)
    return {
        "digest": fact_digest(source, note.kind, note.reason, key, note.item_id, note.title, note.link),
        "at": now,
        "source": source,
        "kind": note.kind,
        "reason": note.reason,
        "key": key,
        "item_id": note.item_id,
        "title": note.title,
        "link": note.link,
    }


def _entry(row: AnyRow) -> LedgerEntry:
    return LedgerEntry(
        at=row.at,
        source=row.source,
        kind=row.kind,
        reason=row.reason,
        key=row.key,
        item_id=row.item_id,
        title=row.title,
        link=row.link,
    )
