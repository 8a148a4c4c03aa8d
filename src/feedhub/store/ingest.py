"""Items and their identity keys: what is known of a document's keys before anything is decided, and storing a plan."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, select, update

from feedhub.model.identity import (
    IdentityKey,
    Ingest,
    IngestPlan,
    KeyStrength,
    KnownItem,
    KnownKeys,
    LedgerNote,
    Verdict,
)
from feedhub.model.item import Item
from feedhub.rules.select import ALL
from feedhub.rules.text import item_terms
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.memberships import FiledItem, file_items, outputs_showing
from feedhub.store.outputs import bump, next_change, touch
from feedhub.store.source_states import SourceReader, SqlSourceTransaction
from feedhub.store.sqlite import index_texts, insert
from feedhub.store.tables import (
    NO_WORDING,
    AnyRow,
    decode_item,
    decode_sighting,
    distrusted_keys,
    encode_evidence,
    encode_item,
    fact_digest,
    identity_keys,
    items,
    ledger,
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
        sightings.c.left_at,
    )
    .join(sources, sources.c.id == items.c.owner_id)
    .outerjoin(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == bindparam("source_id")))
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
_DISTRUSTED = PreparedStatement(
    select(distrusted_keys.c.key).where(
        distrusted_keys.c.source_id == bindparam("source_id"),
        distrusted_keys.c.key.in_(bindparam("keys", expanding=True)),
    )
)
_WORDING = PreparedStatement(
    select(sightings.c.wording)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(items.c.id == bindparam("item"), sources.c.name == bindparam("source"))
)
_OFFERED_TEXTS = PreparedStatement(
    select(sightings.c.text_digest)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(sources.c.name == bindparam("source"), sightings.c.left_at.is_(None))
)
_NAMED = PreparedStatement(
    select(identity_keys.c.item_pk, identity_keys.c.text).where(
        identity_keys.c.item_pk.in_(bindparam("pks", expanding=True)),
        identity_keys.c.strength == KeyStrength.NAMED.value,
    )
)


class KeyReader(SourceReader):
    """Looks up identity keys, inside a transaction and outside."""

    def known_keys(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        asked = {stored_key(key.text): key.text for key in keys}
        rows: list[AnyRow] = []
        distrusted: list[str] = []
        with self._read() as connection:
            row = self._source_row(connection, source)
            source_id = row.id if row is not None else 0
            for part in chunks(asked):
                rows += connection.execute(_KEYS, {"keys": part})
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
        removed=row.removed_at is not None,
        published_at=row.published_at,
    )


class SqlItems(KeyReader, Database):
    """Items and keys outside of a transaction; see ``feedhub.ports.store.PollStore``."""

    def offered_texts(self, source: str) -> frozenset[str]:
        return frozenset(self._query(_OFFERED_TEXTS, {"source": source}).scalars())


class SqlItemTransaction(KeyReader, SqlSourceTransaction):
    """Items and keys inside a transaction; see ``feedhub.ports.store.Transaction``."""

    def wording(self, source: str, item_id: str) -> Item | None:
        text = self._query(_WORDING, {"source": source, "item": item_id}).scalar()
        return decode_item(text) if text else None

    def ingest(self, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
        step = _Ingestion(
            connection=self._connection, source=source, source_id=self._source_id(source), plan=plan, now=now
        )
        return step.run(complete=complete)


_GAIN = PreparedStatement(insert(identity_keys).on_conflict_do_nothing(index_elements=["text"]))
_new_key = insert(identity_keys)
_MOVE = PreparedStatement(
    _new_key.on_conflict_do_update(
        index_elements=["text"], set_={name: _new_key.excluded[name] for name in ("item_pk", "strength", "added_at")}
    )
)
_DISTRUST = PreparedStatement(insert(distrusted_keys).on_conflict_do_nothing(index_elements=["source_id", "key"]))
# "g" sorts behind every hex digit.
_DELETE_SIGNATURES = PreparedStatement(
    delete(identity_keys).where(
        identity_keys.c.item_pk == bindparam("pk"),
        identity_keys.c.strength == KeyStrength.SIGNATURE.value,
        identity_keys.c.text >= bindparam("beginning"),
        identity_keys.c.text < bindparam("beginning") + "g",
    )
)
_MARK_SECTION = PreparedStatement(
    update(identity_keys).where(identity_keys.c.text == bindparam("section")).values(is_section=1)
)
_REWRITTEN = {Verdict.CHANGED, Verdict.REFRESHED, Verdict.DUPLICATE}
_STORED = PreparedStatement(
    select(
        items.c.id, items.c.pk, items.c.owner_id, items.c.published_at, items.c.removed_at.is_not(None).label("removed")
    ).where(items.c.id.in_(bindparam("ids", expanding=True)))
)
_SINCE = PreparedStatement(
    select(sightings.c.item_pk, sightings.c.first_seen_at).where(
        sightings.c.source_id == bindparam("source"), sightings.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_OFFERED = PreparedStatement(
    select(items.c.id, items.c.pk)
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .where(sightings.c.source_id == bindparam("source"), sightings.c.left_at.is_(None))
)
_THIS_SIGHTING = (sightings.c.item_pk == bindparam("pk"), sightings.c.source_id == bindparam("source"))
_NEW_VALUES: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}")
    for name in ("guid", "url_key", "title", "text_digest", "extras_digest", "evidence", "left_at")
}
_NEW_ITEM = PreparedStatement(items.insert())
_NEW_SIGHTING = PreparedStatement(insert(sightings).on_conflict_do_nothing())
_NEW_NOTE = PreparedStatement(insert(ledger).on_conflict_do_nothing(index_elements=["digest"]))
_UPDATE_EVIDENCE = PreparedStatement(update(sightings).where(*_THIS_SIGHTING).values(**_NEW_VALUES))
_UPDATE_REFRESHED = PreparedStatement(
    update(sightings).where(*_THIS_SIGHTING).values(**_NEW_VALUES, wording=bindparam("new_wording"))
)
_UPDATE_CHANGED = PreparedStatement(
    update(sightings)
    .where(*_THIS_SIGHTING)
    .values(**_NEW_VALUES, wording=bindparam("new_wording"), updated_at=bindparam("changed_at"))
)
_SET_LEFT_AT = PreparedStatement(update(sightings).where(*_THIS_SIGHTING).values(left_at=bindparam("since")))


@dataclass(slots=True, kw_only=True)
class _Ingestion:
    """One plan of a source while it is stored. ``stored`` has the rows of the items that the plan names, by id."""

    connection: Connection
    source: str
    source_id: int
    plan: IngestPlan
    now: datetime
    stored: dict[str, AnyRow] = field(default_factory=dict)

    def run(self, *, complete: bool) -> frozenset[str]:
        """Store the plan as ``Transaction.ingest`` says."""
        self._look_up(_ids_to_look_up(self.plan))
        new, refused = self._split_new()
        self._write_notes([*self.plan.notes, *refused])
        self._insert_items(new)
        rewritten = [
            ingest
            for ingest in self.plan.ingests
            if ingest.decision.verdict in _REWRITTEN
            and ingest.decision.item_id in self.stored
            and not self.stored[ingest.decision.item_id].removed
        ]
        edited = [ingest for ingest in rewritten if not _is(ingest, Verdict.DUPLICATE)]
        duplicates = [ingest for ingest in rewritten if _is(ingest, Verdict.DUPLICATE) and ingest.item is not None]
        dropped = [ingest for ingest in self.plan.ingests if _is(ingest, Verdict.REMOVED)]
        removed = [ingest for ingest in dropped if ingest.decision.item_id in self.stored]
        self._insert_sightings([*new, *duplicates, *removed])
        known = [
            one for one in self.plan.ingests if one.decision.has_new_evidence and one.decision.item_id in self.stored
        ]
        self._update_sightings([*edited, *known])
        self._write_keys(new)
        self._mark_offered(complete=complete)
        worded = [ingest for ingest in [*new, *rewritten] if ingest.item is not None]
        owned = [one for one in worded if self.stored[one.decision.item_id].owner_id == self.source_id]
        self._index(owned)
        slugs, filed_pks = self._file(worded)
        reworded = {self._pk(ingest) for ingest in edited if ingest.item is not None}
        shown, shown_pks = outputs_showing(self.connection, self.source_id, reworded)
        outputs = slugs | shown | ({ALL} if owned else set())
        changed = filed_pks | shown_pks | {self._pk(ingest) for ingest in owned}
        bump(self.connection, outputs, changed, already_touched={self._pk(ingest) for ingest in new})
        # No output shows a further report of an item, but its page does.
        touch(self.connection, {self._pk(ingest) for ingest in rewritten if ingest.item is not None} - changed)
        return frozenset(outputs)

    def _pk(self, ingest: Ingest) -> int:
        return int(self.stored[ingest.decision.item_id].pk)

    def _look_up(self, ids: Iterable[str]) -> None:
        for part in chunks(sorted(ids)):
            self.stored.update((row.id, row) for row in self.connection.execute(_STORED, {"ids": part}))

    def _split_new(self) -> tuple[list[Ingest], list[LedgerNote]]:
        """Return the new items, and notes on those whose id another item has: they cannot be stored beside it."""
        new: dict[str, Ingest] = {}
        refused: list[LedgerNote] = []
        for ingest in self.plan.ingests:
            item_id, record = ingest.decision.item_id, ingest.decision.keyed.item
            if not _is(ingest, Verdict.NEW) or ingest.item is None:
                continue
            if item_id in self.stored or item_id in new:
                reason = "its permanent id belongs to another stored item"
                refused.append(
                    LedgerNote(kind="conflict", reason=reason, item_id=item_id, title=record.title, link=record.link)
                )
            else:
                new[item_id] = ingest
        return list(new.values()), refused

    def _write_notes(self, notes: Iterable[LedgerNote]) -> None:
        rows: list[dict[str, object]] = []
        for note in notes:
            key = None if note.key is None else stored_key(note.key)
            said = {
                "source": self.source,
                "kind": note.kind,
                "reason": note.reason,
                "key": key,
                "item_id": note.item_id,
                "title": note.title,
                "link": note.link,
            }
            rows.append({"digest": fact_digest(*said.values()), "at": self.now, **said})
        if rows:
            self.connection.execute(_NEW_NOTE, rows)

    def _insert_items(self, new: list[Ingest]) -> None:
        rows = [
            {
                "id": ingest.decision.item_id,
                "owner_id": self.source_id,
                "published_at": ingest.published_at or self.now,
                "first_seen_at": self.now,
                "position": ingest.decision.keyed.item.position,
            }
            for ingest in new
        ]
        if rows:
            self.connection.execute(_NEW_ITEM, rows)
            self._look_up(ingest.decision.item_id for ingest in new)

    def _insert_sightings(self, first: list[Ingest]) -> None:
        # A new item gets its change number here and not by ``bump``: the row of a sighting is long and written once.
        number = next_change(self.connection) if first else 0
        rows = [
            {
                "item_pk": self._pk(ingest),
                "source_id": self.source_id,
                **_sighting_values(ingest),
                "first_seen_at": self.now,
                "updated_at": self.stored[ingest.decision.item_id].published_at,
                "wording": encode_item(ingest.item or NO_WORDING),
                "touched": number if _is(ingest, Verdict.NEW) else 0,
            }
            for ingest in first
        ]
        if rows:
            self.connection.execute(_NEW_SIGHTING, rows)

    def _update_sightings(self, edited: list[Ingest]) -> None:
        rows: dict[PreparedStatement, list[dict[str, object]]] = {
            _UPDATE_EVIDENCE: [],
            _UPDATE_REFRESHED: [],
            _UPDATE_CHANGED: [],
        }
        for ingest in edited:
            row: dict[str, object] = {"pk": self._pk(ingest), "source": self.source_id, "new_left_at": None}
            row.update((f"new_{name}", value) for name, value in _sighting_values(ingest).items())
            if ingest.item is None:
                # The wording stays: only the evidence is new, or the record is now dropped by a rule.
                rows[_UPDATE_EVIDENCE].append(row)
                continue
            row["new_wording"] = encode_item(ingest.item)
            if _is(ingest, Verdict.CHANGED):
                rows[_UPDATE_CHANGED].append({**row, "changed_at": self.now})
            else:
                rows[_UPDATE_REFRESHED].append(row)
        for statement, of_statement in rows.items():
            if of_statement:
                self.connection.execute(statement, of_statement)

    def _write_keys(self, new: list[Ingest]) -> None:
        gained: list[dict[str, object]] = []
        moved: list[dict[str, object]] = []
        signatures: list[dict[str, object]] = []
        inserted = {id(ingest) for ingest in new}
        for ingest in self.plan.ingests:
            decision = ingest.decision
            if decision.item_id not in self.stored or (_is(ingest, Verdict.NEW) and id(ingest) not in inserted):
                continue
            pk = self._pk(ingest)
            gained += self._key_rows(decision.gained, pk)
            moved += self._key_rows(decision.moved, pk)
            if ingest.item is not None:
                signatures += self._key_rows([decision.keyed.signature], pk)
        # Only the signature of what a source says of an item now stays, or every edit would leave one.
        new_pks = {self._pk(ingest) for ingest in new}
        signed = [
            {"pk": row["item_pk"], "beginning": str(row["text"]).rpartition(":")[0] + ":"}
            for row in signatures
            if row["item_pk"] not in new_pks
        ]
        distrusted = [{"source_id": self.source_id, "key": stored_key(key.text)} for key in self.plan.distrusted]
        for statement, rows in (
            (_GAIN, gained),
            (_MOVE, moved),
            (_DELETE_SIGNATURES, signed),
            (_MOVE, signatures),
            (_DISTRUST, distrusted),
            (_MARK_SECTION, [{"section": stored_key(key.text)} for key in self.plan.sections]),
        ):
            if rows:
                self.connection.execute(statement, rows)

    def _key_rows(self, keys: Iterable[IdentityKey], pk: int) -> list[dict[str, object]]:
        return [
            {"text": stored_key(key.text), "item_pk": pk, "strength": key.strength.value, "added_at": self.now}
            for key in keys
        ]

    def _mark_offered(self, *, complete: bool) -> None:
        marks: list[dict[str, object]] = [
            {"pk": self._pk(ingest), "source": self.source_id, "since": None}
            for ingest in self.plan.ingests
            if ingest.decision.reoffered and ingest.decision.item_id in self.stored
        ]
        if complete:
            mentioned = {ingest.decision.item_id for ingest in self.plan.ingests}
            offered = self.connection.execute(_OFFERED, {"source": self.source_id})
            marks += [
                {"pk": pk, "source": self.source_id, "since": self.now} for item, pk in offered if item not in mentioned
            ]
        if marks:
            self.connection.execute(_SET_LEFT_AT, marks)

    def _index(self, owned: list[Ingest]) -> None:
        """Put the items that this source owns into the full text; terms that no worker has cut are cut here."""
        rows: list[dict[str, object]] = []
        for ingest in owned:
            if ingest.item is not None:
                title, body = ingest.terms or item_terms(ingest.item)
                rows.append({"pk": self._pk(ingest), "title": title, "body": body})
        index_texts(self.connection, rows)

    def _file(self, worded: list[Ingest]) -> tuple[set[str], set[int]]:
        filed = [(self._pk(ingest), ingest) for ingest in worded if ingest.filing is not None]
        since: dict[int, datetime] = {}
        for part in chunks(pk for pk, ingest in filed if not _is(ingest, Verdict.NEW)):
            since.update(self.connection.execute(_SINCE, {"source": self.source_id, "pks": part}))
        return file_items(
            self.connection,
            self.source_id,
            (
                FiledItem(pk=pk, pairs=ingest.filing.categories, since=since.get(pk, self.now))
                for pk, ingest in filed
                if ingest.filing is not None and (pk in since or _is(ingest, Verdict.NEW))
            ),
        )


def _is(ingest: Ingest, verdict: Verdict) -> bool:
    return ingest.decision.verdict is verdict


def _ids_to_look_up(plan: IngestPlan) -> set[str]:
    """Return the items whose rows are needed: none for a document that says nothing new."""
    return {
        decision.item_id
        for decision in (ingest.decision for ingest in plan.ingests)
        if decision.verdict in _REWRITTEN
        or decision.verdict is Verdict.NEW
        or decision.gained
        or decision.moved
        or decision.reoffered
        or decision.has_new_evidence
    }


def _sighting_values(ingest: Ingest) -> dict[str, str | None]:
    now = ingest.decision.keyed.said
    return {
        "guid": now.guid,
        "url_key": now.url_key,
        "title": now.title,
        "text_digest": ingest.decision.text_digest,
        "extras_digest": ingest.decision.extras_digest,
        "evidence": encode_evidence(ingest.decision.keyed.evidence),
    }
