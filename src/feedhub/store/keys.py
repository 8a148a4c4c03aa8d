"""What is known of a document's identity keys before anything is decided."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import bindparam, select

from feedhub.model.identity import IdentityKey, KeyStrength, KnownItem, KnownKeys, OfferedRecord
from feedhub.model.item import Received
from feedhub.store.database import Connection, Database, OpenTransaction, PreparedStatement, Sharing, chunks
from feedhub.store.source_states import SourceReader
from feedhub.store.tables import (
    AnyRow,
    decode_link,
    decode_sighting,
    distrusted_keys,
    identity_keys,
    items,
    sightings,
    sources,
    stored_key,
)

# Several keys of a record lead to one item: the keys are looked up first, then each item once.
_KEYS = PreparedStatement(
    select(identity_keys.c.text, identity_keys.c.item_pk, identity_keys.c.is_section).where(
        identity_keys.c.text.in_(bindparam("keys", expanding=True))
    )
)
_KNOWN_ITEMS = PreparedStatement(
    select(
        items.c.pk,
        items.c.id,
        items.c.removed_at,
        items.c.published_at,
        sources.c.name,
        sightings.c.source_id,
        sightings.c.guid,
        sightings.c.url_key,
        sightings.c.title,
        sightings.c.text_digest,
        sightings.c.extras_digest,
        sightings.c.evidence,
        sightings.c.received,
        sightings.c.first_seen_at,
        sightings.c.left_at,
    )
    .join(sources, sources.c.id == items.c.owner_id)
    .outerjoin(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == bindparam("source_id")))
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
_DISTRUSTS = PreparedStatement(
    select(distrusted_keys.c.source_id).where(distrusted_keys.c.source_id == bindparam("source_id")).limit(1)
)
_DISTRUSTED = PreparedStatement(
    select(distrusted_keys.c.key).where(
        distrusted_keys.c.source_id == bindparam("source_id"),
        distrusted_keys.c.key.in_(bindparam("keys", expanding=True)),
    )
)
_OFFERED_TEXTS = PreparedStatement(
    select(sightings.c.text_digest)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(sources.c.name == bindparam("source"), sightings.c.left_at.is_(None))
)
_OFFERED_RECORDS = PreparedStatement(
    select(
        sightings.c.record_digest,
        sightings.c.guid,
        sightings.c.url_key,
        sightings.c.title,
        sightings.c.text_digest,
        sightings.c.extras_digest,
        sightings.c.evidence,
        sightings.c.left_at,
        sightings.c.wording,
    )
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(
        sources.c.name == bindparam("source"),
        sightings.c.left_at.is_(None),
        sightings.c.record_digest.is_not(None),
        sightings.c.received == Received.WHOLE.value,
    )
)
_NAMED = PreparedStatement(
    select(identity_keys.c.item_pk, identity_keys.c.text).where(
        identity_keys.c.item_pk.in_(bindparam("pks", expanding=True)),
        identity_keys.c.strength == KeyStrength.NAMED.value,
    )
)


_OFFERED_ITEMS = PreparedStatement(
    select(sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(sources.c.name == bindparam("source"), sightings.c.left_at.is_(None))
)
_MOST_LOCKS: Final = 1_000
"""Of keys, and of items: the server has room for 6,400 locks of all its connections, if it is not told otherwise."""


class KeyReader(SourceReader):
    """Looks up identity keys, inside a transaction and outside."""

    def known_keys(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        asked = {stored_key(key.text): key.text for key in keys}
        rows: list[AnyRow] = []
        distrusted: list[str] = []
        with self._read() as connection:
            row = self._source_row(connection, source)
            source_id = row.id if row is not None else 0
            distrusts = bool(connection.execute(_DISTRUSTS, {"source_id": source_id}))
            for part in chunks(asked):
                rows += connection.execute(_KEYS, {"keys": part})
                if distrusts:
                    distrusted += connection.execute(_DISTRUSTED, {"source_id": source_id, "keys": part}).scalars()
            pks = {row.item_pk for row in rows}
            named = _named_keys(connection, pks, asked)
            found = {
                row.pk: _known_item(row, tuple(named[row.pk]))
                for part in chunks(sorted(pks))
                for row in connection.execute(_KNOWN_ITEMS, {"source_id": source_id, "pks": part})
            }
        return KnownKeys(
            items={asked[row.text]: found[row.item_pk] for row in rows},
            distrusted=frozenset(asked[key] for key in distrusted),
            sections=frozenset(asked[row.text] for row in rows if row.is_section),
        )


def _named_keys(connection: Connection, pks: Collection[int], asked: dict[str, str]) -> dict[int, list[IdentityKey]]:
    named: dict[int, list[IdentityKey]] = defaultdict(list)
    for part in chunks(sorted(pks)):
        for pk, text in connection.execute(_NAMED, {"pks": part}):
            named[pk].append(IdentityKey(KeyStrength.NAMED, asked.get(text, text)))
    return named


def _known_item(row: AnyRow, named: tuple[IdentityKey, ...]) -> KnownItem:
    return KnownItem(
        id=row.id,
        owner=row.name,
        named=tuple(sorted(named)),
        sighting=None if row.source_id is None else decode_sighting(row),
        received=Received.WHOLE if row.received is None else Received(row.received),
        removed=row.removed_at is not None or row.received == Received.FORGOTTEN,
        published_at=row.published_at,
        first_seen_at=row.first_seen_at,
    )


class KeyTransaction(KeyReader, OpenTransaction):
    """Looks up identity keys in a transaction. One that runs beside others locks what it may read and write."""

    def known_keys(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        sharing = self._connection.sharing
        if sharing is not None:
            asked = frozenset(stored_key(key.text) for key in keys)
            if sharing.keys is None:
                self._lock(sharing, source, asked)
            elif not asked <= sharing.keys:
                self._must_be_alone()
        return super().known_keys(source, keys)

    def _lock(self, sharing: Sharing, source: str, asked: frozenset[str]) -> None:
        """Lock all keys, then all items that they lead to or that the source offers: in one order everywhere."""
        if len(sharing.sources) > 1 or len(asked) > _MOST_LOCKS:
            self._must_be_alone()
        connection = self._connection
        connection.backend.lock(connection, asked)
        sharing.keys = asked
        pks = {row.item_pk for part in chunks(sorted(asked)) for row in connection.execute(_KEYS, {"keys": part})}
        pks.update(connection.execute(_OFFERED_ITEMS, {"source": source}).scalars())
        if len(pks) > _MOST_LOCKS:
            self._must_be_alone()
        connection.backend.lock(connection, (f"item:{pk}" for pk in pks))


class SqlItems(KeyReader, Database):
    """Items and keys outside of a transaction; see ``feedhub.ports.store.PollStore``."""

    def offered_texts(self, source: str) -> frozenset[str]:
        return frozenset(self._query(_OFFERED_TEXTS, {"source": source}).scalars())

    def offered_records(self, source: str) -> dict[int, OfferedRecord]:
        return {
            row.record_digest: OfferedRecord(said=decode_sighting(row), link=decode_link(row.wording) or "")
            for row in self._query(_OFFERED_RECORDS, {"source": source})
        }
