"""Writing identity keys: those an item gains, those that move to it, and those a source has disqualified."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete

from feedhub.model.identity import IdentityKey, KeyStrength
from feedhub.store.codec import stored_key
from feedhub.store.connection import Connection, Prepared
from feedhub.store.sqlite import insert
from feedhub.store.tables import distrusted_keys, identity_keys

_GAIN = Prepared(insert(identity_keys).on_conflict_do_nothing(index_elements=["text"]))
_new_key = insert(identity_keys)
_MOVE = Prepared(
    _new_key.on_conflict_do_update(
        index_elements=["text"], set_={name: _new_key.excluded[name] for name in ("item_pk", "strength", "added_at")}
    )
)
_DISTRUST = Prepared(insert(distrusted_keys).on_conflict_do_nothing(index_elements=["source_id", "key"]))
# "g" stands behind every hex digit.
_UNSIGN = Prepared(
    delete(identity_keys).where(
        identity_keys.c.item_pk == bindparam("pk"),
        identity_keys.c.strength == KeyStrength.SIGNATURE.value,
        identity_keys.c.text >= bindparam("beginning"),
        identity_keys.c.text < bindparam("beginning") + "g",
    )
)


def key_rows(keys: Iterable[IdentityKey], pk: int, now: datetime) -> list[dict[str, object]]:
    """Return the rows of an item's keys."""
    return [
        {"text": stored_key(key.text), "item_pk": pk, "strength": key.strength.value, "added_at": now} for key in keys
    ]


def gain_keys(connection: Connection, rows: list[dict[str, object]]) -> None:
    """Add keys that nobody has."""
    if rows:
        connection.execute(_GAIN, rows)


def move_keys(connection: Connection, rows: list[dict[str, object]]) -> None:
    """Let keys name another item than before."""
    if rows:
        connection.execute(_MOVE, rows)


def sign(
    connection: Connection, signatures: Iterable[tuple[int, IdentityKey]], now: datetime, *, fresh: Collection[int]
) -> None:
    """Give items the signatures of what a source says of them now; earlier ones go, or every edit would leave one.

    Those of ``fresh`` have none yet.
    """
    rows = [row for pk, signature in signatures for row in key_rows([signature], pk, now)]
    signed = [{"pk": row["item_pk"], "beginning": _beginning(row)} for row in rows if row["item_pk"] not in fresh]
    if signed:
        connection.execute(_UNSIGN, signed)
    if rows:
        connection.execute(_MOVE, rows)


def _beginning(row: dict[str, object]) -> str:
    return str(row["text"]).rpartition(":")[0] + ":"


def distrust(connection: Connection, source_id: int, keys: Collection[IdentityKey]) -> None:
    """Remember keys that identify nothing within a source."""
    if keys:
        connection.execute(_DISTRUST, [{"source_id": source_id, "key": stored_key(key.text)} for key in keys])
