"""Storing what was decided about the records of a document: items with their keys, sightings and filings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, delete, select, update

from feedhub.errors import NotAloneError
from feedhub.model.identity import (
    Filing,
    IdentityKey,
    Ingest,
    IngestPlan,
    KeyStrength,
    LedgerNote,
    Verdict,
)
from feedhub.model.item import Item
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, PreparedStatement, chunks
from feedhub.store.keys import KeyTransaction
from feedhub.store.ledger import write_notes
from feedhub.store.memberships import FiledItem, file_items, file_new, outputs_showing, settle_shown
from feedhub.store.outputs import bump, count_items, next_change
from feedhub.store.queries import index_later, reindexed
from feedhub.store.source_states import SqlSourceTransaction
from feedhub.store.sqlite import insert
from feedhub.store.stories import keep_sketches
from feedhub.store.tables import (
    NO_WORDING,
    WAITING,
    AnyRow,
    decode_item,
    decode_link,
    distrusted_keys,
    encode_effect,
    encode_evidence,
    encode_item,
    identity_keys,
    items,
    sightings,
    sources,
    stored_key,
)

_WORDING = PreparedStatement(
    select(sightings.c.wording)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(items.c.id == bindparam("item"), sources.c.name == bindparam("source"))
)


_NAMED_BY: Final = len("urn:uuid:") + 8


class SqlItemTransaction(KeyTransaction, SqlSourceTransaction):
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
        items.c.id,
        items.c.pk,
        items.c.shown_by,
        items.c.published_at,
        items.c.first_seen_at,
        items.c.position,
        items.c.removed_at.is_not(None).label("removed"),
        items.c.unlisted,
    ).where(items.c.id.in_(bindparam("ids", expanding=True)))
)
_OWN_SIGHTINGS = PreparedStatement(
    select(sightings.c.item_pk, sightings.c.first_seen_at, sightings.c.dropped_by).where(
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
    for name in ("guid", "url_key", "title", "text_digest", "extras_digest", "evidence", "left_at", "record_digest")
}
_NEW_ITEM = PreparedStatement(items.insert())
_NEW_SIGHTING = PreparedStatement(insert(sightings).on_conflict_do_nothing())
_UPDATE_EVIDENCE = PreparedStatement(update(sightings).where(*_THIS_SIGHTING).values(**_NEW_VALUES))
_NEW_WORDING: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}") for name in ("wording", "effect", "dropped_by", "received")
}
_UPDATE_REFRESHED = PreparedStatement(update(sightings).where(*_THIS_SIGHTING).values(**_NEW_VALUES, **_NEW_WORDING))
_UPDATE_CHANGED = PreparedStatement(
    update(sightings).where(*_THIS_SIGHTING).values(**_NEW_VALUES, **_NEW_WORDING, updated_at=bindparam("changed_at"))
)
_WORDINGS = PreparedStatement(
    select(sightings.c.item_pk, sightings.c.wording).where(
        sightings.c.source_id == bindparam("source"), sightings.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_KNOW_RECORD = PreparedStatement(update(sightings).where(*_THIS_SIGHTING).values(record_digest=bindparam("digest")))
_SET_LEFT_AT = PreparedStatement(update(sightings).where(*_THIS_SIGHTING).values(left_at=bindparam("since")))


@dataclass(slots=True, kw_only=True)
class _Ingestion:
    """One plan of a source while it is stored. ``stored`` has the rows of the items that the plan names, by id.

    ``own`` has what the source said of the known items that it says something new of, by number.
    """

    connection: Connection
    source: str
    source_id: int
    plan: IngestPlan
    now: datetime
    stored: dict[str, AnyRow] = field(default_factory=dict)
    own: dict[int, AnyRow] = field(default_factory=dict)

    def run(self, *, complete: bool) -> frozenset[str]:
        """Store the plan as ``Transaction.ingest`` says."""
        self._look_up(_ids_to_look_up(self.plan))
        new, refused = self._split_new()
        self._lock_names_of(new)
        write_notes(self.connection, self.source, [*self.plan.notes, *refused], self.now)
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
        self._look_up_own(rewritten)
        known_here = [one for one in rewritten if _is(one, Verdict.DUPLICATE) or self._pk(one) in self.own]
        reworded_here = [ingest for ingest in known_here if ingest.item is not None]
        known = [
            one for one in self.plan.ingests if one.decision.has_new_evidence and one.decision.item_id in self.stored
        ]
        unsettled = self._unsettled(reworded_here)
        own = {self._pk(one) for one in reworded_here if self._shown_by(one) == self.source_id}
        with reindexed(self.connection, own.union(unsettled)):
            self._insert_sightings([*new, *duplicates, *removed])
            self._update_sightings([*edited, *known])
            moved = settle_shown(self.connection, unsettled)
        self._know_records()
        self._write_keys(new)
        self._mark_offered(complete=complete)
        worded = [*new, *reworded_here]
        outputs, changed = self._show(worded, moved)
        slugs, filed_pks = self._file(worded)
        reworded = {self._pk(ingest) for ingest in edited if ingest.item is not None}
        shown, shown_pks = outputs_showing(self.connection, self.source_id, reworded)
        outputs |= slugs | shown
        changed |= filed_pks | shown_pks
        bump(self.connection, outputs, changed, already_touched={self._pk(ingest) for ingest in new})
        # No output shows a further report of an item, but its page does.
        reported = {self._pk(one) for one in rewritten if one.item is not None and not self._stays_dropped(one)}
        bump(self.connection, (), reported - changed)
        return frozenset(outputs)

    def _lock_names_of(self, new: Sequence[Ingest]) -> None:
        """Let nobody else store items meanwhile whose ids begin alike: the earlier one has the shorter address."""
        if self.connection.sharing is not None:
            self.connection.backend.lock(self.connection, {one.decision.item_id[:_NAMED_BY] for one in new})

    def _look_up_own(self, rewritten: Sequence[Ingest]) -> None:
        for part in chunks(self._pk(ingest) for ingest in rewritten):
            rows = self.connection.execute(_OWN_SIGHTINGS, {"source": self.source_id, "pks": part})
            self.own.update((row.item_pk, row) for row in rows)

    def _unsettled(self, reworded: Sequence[Ingest]) -> list[int]:
        """Return the known items of which is settled anew whose wording shows them in ``all``.

        So it is where a rule now drops what the source says, or does no longer, and where nothing showed the item.
        """
        return [
            self._pk(one)
            for one in reworded
            if self._drops_or_returns(one) or (self._shown_by(one) is None and not _is_dropped(one))
        ]

    def _show(self, worded: Sequence[Ingest], moved: dict[int, int | None]) -> tuple[set[str], set[int]]:
        """Return the outputs and items that show a change in ``all``; the owner's wording shows a new item."""
        shown_by = {self._pk(one): self._shown_by(one) for one in worded} | moved
        own = [one for one in worded if shown_by[self._pk(one)] == self.source_id and not _is_dropped(one)]
        index_later(self.connection, (self._pk(one) for one in own if _is(one, Verdict.NEW)))
        changed = {self._pk(one) for one in own if not _waits(one)} | moved.keys()
        return ({ALL} if changed else set()), changed

    def _shown_by(self, ingest: Ingest) -> int | None:
        shown_by: int | None = self.stored[ingest.decision.item_id].shown_by
        return shown_by

    def _drops_or_returns(self, ingest: Ingest) -> bool:
        """Tell whether a rule drops what the source says now and did not before, or the other way round."""
        own = self.own.get(self._pk(ingest))
        return own is not None and (own.dropped_by is not None) != _is_dropped(ingest)

    def _stays_dropped(self, ingest: Ingest) -> bool:
        return _is_dropped(ingest) and not self._drops_or_returns(ingest)

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

    def _insert_items(self, new: list[Ingest]) -> None:
        rows = [
            {
                "id": ingest.decision.item_id,
                "owner_id": self.source_id,
                "published_at": ingest.published_at or self.now,
                "first_seen_at": self.now,
                "position": ingest.decision.keyed.item.position,
                "shown_by": None if _is_dropped(ingest) else self.source_id,
                "unlisted": WAITING if _waits(ingest) else None,
            }
            for ingest in new
        ]
        if rows:
            self.connection.execute(_NEW_ITEM, rows)
            listed = sum(row["shown_by"] is not None and row["unlisted"] is None for row in rows)
            count_items(self.connection, {ALL: listed})
            self._look_up(ingest.decision.item_id for ingest in new)
            keep_sketches(self.connection, {self._pk(one): one.sketch for one in new if one.sketch and _waits(one)})

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
                **_wording_values(ingest),
                # What is dropped from the beginning is published nowhere.
                "touched": number if _is(ingest, Verdict.NEW) and not _is_dropped(ingest) else 0,
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
                # The wording stays: only the evidence is new.
                rows[_UPDATE_EVIDENCE].append(row)
                continue
            row.update((f"new_{name}", value) for name, value in _wording_values(ingest).items())
            if _is(ingest, Verdict.CHANGED):
                rows[_UPDATE_CHANGED].append({**row, "changed_at": self.now})
            else:
                rows[_UPDATE_REFRESHED].append(row)
        for statement, of_statement in rows.items():
            if of_statement:
                self.connection.execute(statement, of_statement)

    def _know_records(self) -> None:
        """Remember by what records are known of which nothing is written but that."""
        as_before = {
            self._pk(ingest): ingest
            for ingest in self.plan.ingests
            if ingest.item is None and ingest.record_digest is not None
        }
        rows: list[dict[str, object]] = [
            {"pk": row.item_pk, "source": self.source_id, "digest": as_before[row.item_pk].record_digest}
            for part in chunks(as_before)
            for row in self.connection.execute(_WORDINGS, {"source": self.source_id, "pks": part})
            if decode_link(row.wording) == as_before[row.item_pk].decision.keyed.item.link
        ]
        if rows:
            self.connection.execute(_KNOW_RECORD, rows)

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
        sharing = self.connection.sharing
        written = {str(row["text"]) for row in (*gained, *moved, *signatures)}
        if sharing is not None and not written.union(stored_key(key.text) for key in self.plan.sections) <= (
            sharing.keys or frozenset()
        ):
            raise NotAloneError("a key is written that was not asked for")
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
            (_DISTRUST, distrusted),
            (_MARK_SECTION, [{"section": stored_key(key.text)} for key in self.plan.sections]),
        ):
            if rows:
                self.connection.execute(statement, rows)
        # Mostly nothing has them yet, and to move a key takes twice as long as to insert one.
        if signatures and self.connection.execute(_GAIN, signatures).rowcount < len(signatures):
            self.connection.execute(_MOVE, signatures)

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

    def _file(self, worded: list[Ingest]) -> tuple[set[str], set[int]]:
        known: list[FiledItem] = []
        new: list[FiledItem] = []
        for ingest in worded:
            if ingest.filing is not None:
                own = self.own.get(self._pk(ingest))
                since = self.now if own is None else own.first_seen_at
                filed = FiledItem(pk=self._pk(ingest), pairs=ingest.filing.categories, since=since)
                (new if _is(ingest, Verdict.NEW) else known).append(filed)
        rows = {row.pk: row for row in self.stored.values()}
        of_new = file_new(self.connection, self.source_id, new, rows)
        of_known = file_items(self.connection, self.source_id, known)
        return of_new[0] | of_known[0], of_new[1] | of_known[1]


def _is_dropped(ingest: Ingest) -> bool:
    return ingest.filing is not None and ingest.filing.dropped_by is not None


def _waits(ingest: Ingest) -> bool:
    """Tell whether no output is to list a new item before its story is known."""
    return ingest.sketch is not None and _is(ingest, Verdict.NEW) and not _is_dropped(ingest)


def _is(ingest: Ingest, verdict: Verdict) -> bool:
    return ingest.decision.verdict is verdict


def _ids_to_look_up(plan: IngestPlan) -> set[str]:
    """Return the items whose rows are needed: none for a document that says nothing new."""
    return {
        decision.item_id
        for ingest, decision in ((ingest, ingest.decision) for ingest in plan.ingests)
        if decision.verdict in _REWRITTEN
        or decision.verdict is Verdict.NEW
        or decision.gained
        or decision.moved
        or decision.reoffered
        or decision.has_new_evidence
        or ingest.record_digest is not None
    }


def _wording_values(ingest: Ingest) -> dict[str, object]:
    item, filing = ingest.item or NO_WORDING, ingest.filing or Filing()
    return {
        "wording": encode_item(item),
        "effect": encode_effect(item, filing.shown),
        "dropped_by": filing.dropped_by,
        "received": ingest.received.value,
    }


def _sighting_values(ingest: Ingest) -> dict[str, object]:
    now = ingest.decision.keyed.said
    return {
        "guid": now.guid,
        "url_key": now.url_key,
        "title": now.title,
        "text_digest": ingest.decision.text_digest,
        "extras_digest": ingest.decision.extras_digest,
        "evidence": encode_evidence(ingest.decision.keyed.evidence),
        "record_digest": None if ingest.item is None else ingest.record_digest,
    }
