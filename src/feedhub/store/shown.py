"""Whose wording shows an item outside of categories: in ``all``, on its page, in the full text."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, select, update

from feedhub.model.item import Received
from feedhub.rules.text import item_terms
from feedhub.store.database import Connection, PreparedStatement, chunks
from feedhub.store.sqlite import index_texts, unindex
from feedhub.store.tables import decode_item, items, sightings

_PKS: Final[BindParameter[Any]] = bindparam("pks", expanding=True)
_BEFORE = PreparedStatement(select(items.c.pk, items.c.shown_by).where(items.c.pk.in_(_PKS)))
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
_WORDINGS = PreparedStatement(
    select(items.c.pk, sightings.c.wording, sightings.c.effect)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.shown_by))
    .where(items.c.pk.in_(_PKS))
)


def settle_shown(connection: Connection, pks: Collection[int]) -> dict[int, int | None]:
    """Decide anew whose wording shows these items; return those of which that changed, with the source's number.

    It is the owner's, else that of the source that gave the item first, of those that no rule drops.
    """
    changed: dict[int, int | None] = {}
    for part in chunks(sorted(pks)):
        first: dict[int, int] = {}
        for pk, source in connection.execute(_CANDIDATES, {"pks": part}):
            first.setdefault(pk, source)
        before = connection.execute(_BEFORE, {"pks": part})
        changed.update((pk, first.get(pk)) for pk, source in before if source != first.get(pk))
    if changed:
        connection.execute(_SHOW, [{"number": pk, "source": source} for pk, source in changed.items()])
    return changed


def index_shown(connection: Connection, pks: Collection[int]) -> None:
    """Bring the full text in line with what is shown of these items."""
    for part in chunks(sorted(pks)):
        found = connection.execute(_WORDINGS, {"pks": part})
        terms = {row.pk: item_terms(decode_item(row.wording, row.effect)) for row in found}
        index_texts(connection, [{"pk": pk, "title": title, "body": body} for pk, (title, body) in terms.items()])
        unindex(connection, [pk for pk in part if pk not in terms])
