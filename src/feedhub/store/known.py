"""What the store knows of the keys of one document: read before anything is decided."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select

from feedhub.model.identity import IdentityKey, KeyStrength, KnownItem, KnownKeys, Sighting
from feedhub.model.item import Item
from feedhub.store.codec import decode_item, stored_key
from feedhub.store.outputs import chunks
from feedhub.store.sqlite import Connection, Prepared
from feedhub.store.tables import AnyRow, distrusted_keys, identity_keys, items, sightings, sources

_KNOWN = Prepared(
    select(
        identity_keys.c.text,
        items.c.pk,
        items.c.id,
        items.c.removed_at,
        sources.c.name,
        sightings.c.source_id,
        sightings.c.guid,
        sightings.c.url_key,
        sightings.c.title,
        sightings.c.text_digest,
        sightings.c.extras_digest,
        sightings.c.left_at,
    )
    .select_from(identity_keys)
    .join(items, items.c.pk == identity_keys.c.item_pk)
    .join(sources, sources.c.id == items.c.owner_id)
    .outerjoin(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == bindparam("source_id")))
    .where(identity_keys.c.text.in_(bindparam("keys", expanding=True)))
)
_DISTRUSTED = Prepared(
    select(distrusted_keys.c.key).where(
        distrusted_keys.c.source_id == bindparam("source_id"),
        distrusted_keys.c.key.in_(bindparam("keys", expanding=True)),
    )
)
_WORDING = Prepared(
    select(sightings.c.wording)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(items.c.id == bindparam("item"), sources.c.name == bindparam("source"))
)
_OFFERED_TEXTS = Prepared(
    select(sightings.c.text_digest)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(sources.c.name == bindparam("source"), sightings.c.left_at.is_(None))
)
_NAMED = Prepared(
    select(identity_keys.c.item_pk, identity_keys.c.text).where(
        identity_keys.c.item_pk.in_(bindparam("pks", expanding=True)),
        identity_keys.c.strength == KeyStrength.NAMED.value,
    )
)


def known_keys(connection: Connection, source_id: int, keys: Sequence[IdentityKey]) -> KnownKeys:
    """Return the items that ``keys`` point at, and the keys that this source has disqualified."""
    asked = {stored_key(key.text): key.text for key in keys}
    rows: list[AnyRow] = []
    distrusted: list[str] = []
    for part in chunks(asked):
        rows += connection.execute(_KNOWN, {"source_id": source_id, "keys": part})
        distrusted += connection.execute(_DISTRUSTED, {"source_id": source_id, "keys": part}).scalars()
    named = _named_keys(connection, {row.pk for row in rows}, asked)
    found = {row.pk: _known_item(row, tuple(named[row.pk])) for row in rows}
    return KnownKeys(
        items={asked[row.text]: found[row.pk] for row in rows}, distrusted=frozenset(asked[key] for key in distrusted)
    )


def wording(connection: Connection, source: str, item_id: str) -> Item | None:
    """Return what a source says of an item, as it is stored; None if it never gave it."""
    text = connection.execute(_WORDING, {"source": source, "item": item_id}).scalar()
    return decode_item(text) if text else None


def offered_texts(connection: Connection, source: str) -> frozenset[str]:
    """Return the text digests of what a source offers."""
    return frozenset(connection.execute(_OFFERED_TEXTS, {"source": source}).scalars())


def _named_keys(connection: Connection, pks: Collection[int], asked: dict[str, str]) -> dict[int, list[IdentityKey]]:
    named: dict[int, list[IdentityKey]] = defaultdict(list)
    for part in chunks(sorted(pks)):
        for pk, text in connection.execute(_NAMED, {"pks": part}):
            named[pk].append(IdentityKey(KeyStrength.NAMED, asked.get(text, text)))
    return named


def _known_item(row: AnyRow, named: tuple[IdentityKey, ...]) -> KnownItem:
    sighting = None
    if row.source_id is not None:
        sighting = Sighting(
            guid=row.guid,
            url_key=row.url_key,
            title=row.title,
            text_digest=row.text_digest,
            extras_digest=row.extras_digest,
            offered=row.left_at is None,
        )
    return KnownItem(
        id=row.id, owner=row.name, named=tuple(sorted(named)), sighting=sighting, removed=row.removed_at is not None
    )
