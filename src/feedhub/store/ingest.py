"""Writing identity keys: those an item gains, those that move to it, and those a source has disqualified."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, select, update

from feedhub.model.identity import IdentityKey, Ingest, IngestPlan, KeyStrength, LedgerNote, Verdict
from feedhub.rules.dedupe import url_key
from feedhub.store.codec import NO_WORDING, encode_item, stored_key
from feedhub.store.explain import write_notes
from feedhub.store.memberships import Filed, file_items, outputs_showing
from feedhub.store.outputs import ALL, bump, chunks, next_change, stamp
from feedhub.store.search import index_items
from feedhub.store.sqlite import Connection, Prepared, insert
from feedhub.store.tables import distrusted_keys, identity_keys, items, sightings

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


_REWRITTEN = {Verdict.CHANGED, Verdict.REFRESHED, Verdict.DUPLICATE}

_STORED = Prepared(
    select(
        items.c.id, items.c.pk, items.c.owner_id, items.c.published_at, items.c.removed_at.is_not(None).label("removed")
    ).where(items.c.id.in_(bindparam("ids", expanding=True)))
)
_SINCE = Prepared(
    select(sightings.c.item_pk, sightings.c.first_seen_at).where(
        sightings.c.source_id == bindparam("source"), sightings.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_OFFERED = Prepared(
    select(items.c.id, items.c.pk)
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .where(sightings.c.source_id == bindparam("source"), sightings.c.left_at.is_(None))
)
_OWN = (sightings.c.item_pk == bindparam("pk"), sightings.c.source_id == bindparam("source"))
_SAID: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}") for name in ("guid", "url_key", "title", "text_digest", "extras_digest", "left_at")
}
_NEW_ITEM = Prepared(items.insert())
_NEW_SIGHTING = Prepared(insert(sightings).on_conflict_do_nothing())
_REFUSE = Prepared(update(sightings).where(*_OWN).values(**_SAID))
_REFRESH = Prepared(update(sightings).where(*_OWN).values(**_SAID, wording=bindparam("new_wording")))
_CHANGE = Prepared(
    update(sightings).where(*_OWN).values(**_SAID, wording=bindparam("new_wording"), updated_at=bindparam("changed_at"))
)
_MARK = Prepared(update(sightings).where(*_OWN).values(left_at=bindparam("since")))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an item is stored."""

    pk: int
    owner_id: int
    published_at: datetime
    removed: bool = False


def apply_plan(
    connection: Connection, source: str, source_id: int, plan: IngestPlan, now: datetime, *, complete: bool
) -> frozenset[str]:
    """Apply ``plan`` as ``Transaction.ingest`` says."""
    stored = _stored(connection, _ids_to_look_up(plan))
    fresh, taken = _split_new(plan, stored)
    write_notes(connection, source, [*plan.notes, *taken], now)
    stored |= _insert_items(connection, source_id, fresh, now)
    again = [
        ingest
        for ingest in plan.ingests
        if ingest.decision.verdict in _REWRITTEN
        and ingest.decision.item_id in stored
        and not stored[ingest.decision.item_id].removed
    ]
    removed = [i for i in plan.ingests if _is(i, Verdict.REMOVED) and i.decision.item_id in stored]
    duplicates = [i for i in again if _is(i, Verdict.DUPLICATE) and i.item is not None]
    _insert_sightings(connection, source_id, [*fresh, *duplicates, *removed], stored, now)
    _update_sightings(connection, source_id, [i for i in again if not _is(i, Verdict.DUPLICATE)], stored, now)
    _write_keys(connection, source_id, plan, fresh, stored, now)
    slugs, touched = _file(connection, source_id, [*fresh, *again], stored, now)
    reworded = {
        stored[ingest.decision.item_id].pk
        for ingest in again
        if ingest.item is not None and not _is(ingest, Verdict.DUPLICATE)
    }
    shown, shown_pks = outputs_showing(connection, source_id, reworded)
    owned = [
        ingest
        for ingest in [*fresh, *again]
        if ingest.item is not None and stored[ingest.decision.item_id].owner_id == source_id
    ]
    index_items(connection, [(stored[i.decision.item_id].pk, i.item, i.terms) for i in owned if i.item is not None])
    _mark_offered(connection, source_id, plan, stored, now, complete=complete)
    outputs = slugs | shown | ({ALL} if owned else set())
    changed = touched | shown_pks | {stored[i.decision.item_id].pk for i in owned}
    bump(connection, outputs, changed, stamped={stored[ingest.decision.item_id].pk for ingest in fresh})
    # No output shows a further report of an item, but its page does.
    stamp(connection, {stored[i.decision.item_id].pk for i in again if i.item is not None} - changed)
    return frozenset(outputs)


def _is(ingest: Ingest, verdict: Verdict) -> bool:
    return ingest.decision.verdict is verdict


def _ids_to_look_up(plan: IngestPlan) -> set[str]:
    """Return the items of which more must be known: an unchanged poll asks nothing."""
    return {
        decision.item_id
        for decision in (ingest.decision for ingest in plan.ingests)
        if decision.verdict in _REWRITTEN
        or decision.verdict is Verdict.NEW
        or decision.gained
        or decision.moved
        or decision.reoffered
    }


def _stored(connection: Connection, ids: Collection[str]) -> dict[str, _Place]:
    return {
        row.id: _Place(pk=row.pk, owner_id=row.owner_id, published_at=row.published_at, removed=row.removed)
        for part in chunks(sorted(ids))
        for row in connection.execute(_STORED, {"ids": part})
    }


def _split_new(plan: IngestPlan, stored: Collection[str]) -> tuple[list[Ingest], list[LedgerNote]]:
    """Return the new items, and notes on those whose id another item has: they cannot be stored beside it."""
    fresh: dict[str, Ingest] = {}
    taken: list[LedgerNote] = []
    for ingest in plan.ingests:
        decision, record = ingest.decision, ingest.decision.keyed.item
        if decision.verdict is not Verdict.NEW or ingest.item is None:
            continue
        if decision.item_id in stored or decision.item_id in fresh:
            reason = "its permanent id belongs to another stored item"
            taken.append(
                LedgerNote(
                    kind="conflict", reason=reason, item_id=decision.item_id, title=record.title, link=record.link
                )
            )
        else:
            fresh[decision.item_id] = ingest
    return list(fresh.values()), taken


def _insert_items(connection: Connection, source_id: int, fresh: list[Ingest], now: datetime) -> dict[str, _Place]:
    if not fresh:
        return {}
    rows = [
        {
            "id": ingest.decision.item_id,
            "owner_id": source_id,
            "published_at": ingest.published_at or now,
            "first_seen_at": now,
            "position": ingest.decision.keyed.item.position,
        }
        for ingest in fresh
    ]
    connection.execute(_NEW_ITEM, rows)
    return _stored(connection, [ingest.decision.item_id for ingest in fresh])


def _insert_sightings(
    connection: Connection,
    source_id: int,
    first: list[Ingest],
    stored: dict[str, _Place],
    now: datetime,
) -> None:
    # Written once: the row of a sighting is long. See ``bump``.
    number = next_change(connection) if first else 0
    rows = [
        {
            "item_pk": stored[ingest.decision.item_id].pk,
            "source_id": source_id,
            **_said(ingest),
            "first_seen_at": now,
            "updated_at": stored[ingest.decision.item_id].published_at,
            "wording": encode_item(ingest.item or NO_WORDING),
            "touched": number if _is(ingest, Verdict.NEW) else 0,
        }
        for ingest in first
    ]
    if rows:
        connection.execute(_NEW_SIGHTING, rows)


def _update_sightings(
    connection: Connection, source_id: int, again: list[Ingest], stored: dict[str, _Place], now: datetime
) -> None:
    rows: dict[object, list[dict[str, object]]] = {}
    for ingest in again:
        row: dict[str, object] = {"pk": stored[ingest.decision.item_id].pk, "source": source_id, "new_left_at": None}
        row.update((f"new_{name}", value) for name, value in _said(ingest).items())
        if ingest.item is None:
            # Now dropped by a rule: the old wording stays, and the new one is not asked about again.
            rows.setdefault(_REFUSE, []).append(row)
            continue
        row["new_wording"] = encode_item(ingest.item)
        if _is(ingest, Verdict.CHANGED):
            rows.setdefault(_CHANGE, []).append({**row, "changed_at": now})
        else:
            rows.setdefault(_REFRESH, []).append(row)
    for statement in (_REFUSE, _REFRESH, _CHANGE):
        if statement in rows:
            connection.execute(statement, rows[statement])


def _said(ingest: Ingest) -> dict[str, str | None]:
    record = ingest.decision.keyed.item
    return {
        "guid": record.guid,
        "url_key": url_key(ingest.decision.keyed),
        "title": record.title,
        "text_digest": ingest.decision.text_digest,
        "extras_digest": ingest.decision.extras_digest,
    }


def _write_keys(
    connection: Connection,
    source_id: int,
    plan: IngestPlan,
    fresh: list[Ingest],
    stored: dict[str, _Place],
    now: datetime,
) -> None:
    gained: list[dict[str, object]] = []
    moved: list[dict[str, object]] = []
    signed: list[tuple[int, IdentityKey]] = []
    inserted = {id(ingest) for ingest in fresh}
    new = {stored[ingest.decision.item_id].pk for ingest in fresh}
    for ingest in plan.ingests:
        decision = ingest.decision
        if decision.item_id not in stored or (_is(ingest, Verdict.NEW) and id(ingest) not in inserted):
            continue
        pk = stored[decision.item_id].pk
        gained.extend(key_rows(decision.gained, pk, now))
        moved.extend(key_rows(decision.moved, pk, now))
        if ingest.item is not None:
            signed.append((pk, decision.keyed.signature))
    gain_keys(connection, gained)
    move_keys(connection, moved)
    sign(connection, signed, now, fresh=new)
    distrust(connection, source_id, plan.distrusted)


def _file(
    connection: Connection, source_id: int, ingests: list[Ingest], stored: dict[str, _Place], now: datetime
) -> tuple[set[str], set[int]]:
    filed = [ingest for ingest in ingests if ingest.filing is not None and ingest.item is not None]
    pks = [stored[ingest.decision.item_id].pk for ingest in filed if not _is(ingest, Verdict.NEW)]
    since = {
        pk: at for part in chunks(pks) for pk, at in connection.execute(_SINCE, {"source": source_id, "pks": part})
    }
    return file_items(
        connection,
        source_id,
        (
            Filed(pk=pk, pairs=ingest.filing.categories, since=since.get(pk, now))
            for ingest in filed
            for pk in [stored[ingest.decision.item_id].pk]
            if ingest.filing is not None and (pk in since or _is(ingest, Verdict.NEW))
        ),
    )


def _mark_offered(
    connection: Connection,
    source_id: int,
    plan: IngestPlan,
    stored: dict[str, _Place],
    now: datetime,
    *,
    complete: bool,
) -> None:
    marks: list[dict[str, object]] = [
        {"pk": stored[decision.item_id].pk, "source": source_id, "since": None}
        for decision in (ingest.decision for ingest in plan.ingests)
        if decision.reoffered and decision.item_id in stored
    ]
    if complete:
        mentioned = {ingest.decision.item_id for ingest in plan.ingests}
        offered = connection.execute(_OFFERED, {"source": source_id})
        marks += [{"pk": pk, "source": source_id, "since": now} for item, pk in offered if item not in mentioned]
    if marks:
        connection.execute(_MARK, marks)
