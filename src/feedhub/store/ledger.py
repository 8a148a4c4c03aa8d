"""The ledger: what was decided about records, each fact once."""

from collections.abc import Iterable
from datetime import datetime

from feedhub.model.identity import LedgerNote
from feedhub.store.database import Connection, PreparedStatement
from feedhub.store.sqlite import insert
from feedhub.store.tables import fact_digest, ledger, stored_key

_NEW_NOTE = PreparedStatement(insert(ledger).on_conflict_do_nothing(index_elements=["digest"]))


def write_notes(
    connection: Connection, source: str, notes: Iterable[LedgerNote], now: datetime, *, each_time: bool = False
) -> None:
    """Write notes about records of a source; what is written there already stays as it is, unless ``each_time``."""
    rows: list[dict[str, object]] = []
    for note in notes:
        said = {
            "source": source,
            "kind": note.kind,
            "reason": note.reason,
            "key": None if note.key is None else stored_key(note.key),
            "item_id": note.item_id,
            "title": note.title,
            "link": note.link,
        }
        when = now.isoformat() if each_time else None
        rows.append({"digest": fact_digest(*said.values(), *([when] if when else [])), "at": now, **said})
    if rows:
        connection.execute(_NEW_NOTE, rows)
