"""Applying the plan of one poll to a store in memory, record by record."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from feedhub.model.identity import (
    IdentityKey,
    Ingest,
    IngestPlan,
    KeyStrength,
    KnownItem,
    KnownKeys,
    LedgerNote,
    Sighting,
    Verdict,
)
from feedhub.rules.dedupe import url_key
from feedhub.store.codec import NO_WORDING
from feedhub.store.memory_data import ALL, Data, Seen, Stored


def known_keys(data: Data, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
    """See ``Transaction.known``."""
    data.sources.setdefault(source)
    found = {key.text: _known_item(data, source, data.keys[key.text][1]) for key in keys if key.text in data.keys}
    distrusted = frozenset(key.text for key in keys if (source, key.text) in data.distrusted)
    return KnownKeys(items=found, distrusted=distrusted)


def _known_item(data: Data, source: str, item_id: str) -> KnownItem:
    item, seen = data.items[item_id], data.sightings.get((item_id, source))
    named = (key for key, holder in data.keys.values() if holder == item_id and key.strength is KeyStrength.NAMED)
    return KnownItem(
        id=item_id,
        owner=item.owner,
        named=tuple(sorted(named)),
        sighting=replace(seen.said, offered=seen.left_at is None) if seen else None,
        removed=item.removed_at is not None,
    )


def apply_plan(data: Data, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
    """See ``Transaction.ingest``."""
    data.sources.setdefault(source)
    data.note(source, plan.notes, now)
    data.distrusted.update(((source, key.text), None) for key in plan.distrusted)
    touched: set[str] = set()
    shown: set[str] = set()
    for ingest in sorted(plan.ingests, key=lambda one: one.decision.verdict is Verdict.REPEAT):
        outputs = _apply(data, source, ingest, now)
        touched |= outputs
        shown |= {ingest.decision.item_id} if outputs else set()
    if complete:
        mentioned = {ingest.decision.item_id for ingest in plan.ingests}
        for (item_id, name), seen in data.sightings.items():
            if name == source and seen.left_at is None and item_id not in mentioned:
                data.sightings[item_id, name] = replace(seen, left_at=now)
    data.bump(touched, shown)
    # No output shows a further report of an item, but its page does.
    again = {one.decision.item_id for one in plan.ingests if one.item is not None} & data.items.keys()
    data.stamp(again - (shown if touched else set()))
    return frozenset(touched)


def _apply(data: Data, source: str, ingest: Ingest, now: datetime) -> set[str]:
    decision = ingest.decision
    touched: set[str] = set()
    if decision.verdict is Verdict.NEW:
        if ingest.item is None:
            return touched
        if decision.item_id in data.items:
            _note_taken_id(data, source, ingest, now)
            return touched
        touched = _add(data, source, ingest, now)
    elif decision.item_id not in data.items:
        return touched
    elif data.items[decision.item_id].removed_at is None:
        touched = _see_again(data, source, ingest, now)
    elif decision.reoffered:
        _offer_removed(data, source, ingest, now)
    for key in decision.gained:
        data.keys.setdefault(key.text, (key, decision.item_id))
    for key in decision.moved:
        data.keys[key.text] = (key, decision.item_id)
    if ingest.item is not None:
        _sign(data, decision.keyed.signature, decision.item_id)
    return touched


def _sign(data: Data, signature: IdentityKey, item_id: str) -> None:
    beginning = signature.text.rpartition(":")[0] + ":"
    for text, (key, holder) in list(data.keys.items()):
        if holder == item_id and key.strength is KeyStrength.SIGNATURE and text.startswith(beginning):
            del data.keys[text]
    data.keys[signature.text] = (signature, item_id)


def _offer_removed(data: Data, source: str, ingest: Ingest, now: datetime) -> None:
    """Remember that an item is on offer although it was removed: it must not be forgotten and come back as new."""
    place = (ingest.decision.item_id, source)
    published_at = data.items[ingest.decision.item_id].published_at
    unseen = Seen(said=_said(ingest), wording=NO_WORDING, first_seen_at=now, updated_at=published_at)
    data.sightings[place] = replace(data.sightings.get(place, unseen), left_at=None)


def _note_taken_id(data: Data, source: str, ingest: Ingest, now: datetime) -> None:
    record = ingest.decision.keyed.item
    note = LedgerNote(
        kind="conflict",
        reason="its permanent id belongs to another stored item",
        item_id=ingest.decision.item_id,
        title=record.title,
        link=record.link,
    )
    data.note(source, [note], now)


def _add(data: Data, source: str, ingest: Ingest, now: datetime) -> set[str]:
    decision = ingest.decision
    data.items[decision.item_id] = Stored(
        id=decision.item_id,
        owner=source,
        published_at=ingest.published_at or now,
        first_seen_at=now,
        position=decision.keyed.item.position,
    )
    return {ALL} | _first_sighting(data, source, ingest, now)


def _first_sighting(data: Data, source: str, ingest: Ingest, now: datetime) -> set[str]:
    item_id = ingest.decision.item_id
    if ingest.item is None:
        return set()
    seen = Seen(
        said=_said(ingest),
        wording=ingest.item,
        first_seen_at=now,
        updated_at=data.items[item_id].published_at,
    )
    data.sightings.setdefault((item_id, source), seen)
    return data.file(item_id, source, ingest.filing.categories) if ingest.filing else set()


def _see_again(data: Data, source: str, ingest: Ingest, now: datetime) -> set[str]:
    decision, place = ingest.decision, (ingest.decision.item_id, source)
    if decision.verdict is Verdict.DUPLICATE:
        return _first_sighting(data, source, ingest, now)
    if place not in data.sightings:
        return set()
    seen = data.sightings[place]
    if decision.verdict not in {Verdict.CHANGED, Verdict.REFRESHED}:
        if decision.reoffered:
            data.sightings[place] = replace(seen, left_at=None)
        return set()
    data.sightings[place] = replace(seen, said=_said(ingest), left_at=None)
    if ingest.item is None:
        return set()
    updated_at = now if decision.verdict is Verdict.CHANGED else seen.updated_at
    data.sightings[place] = replace(data.sightings[place], wording=ingest.item, updated_at=updated_at)
    refiled = data.file(decision.item_id, source, ingest.filing.categories) if ingest.filing else set()
    showing = {slug for slug, holder in data.holding(decision.item_id).items() if holder == source}
    return refiled | showing | ({ALL} if data.items[decision.item_id].owner == source else set())


def _said(ingest: Ingest) -> Sighting:
    record = ingest.decision.keyed.item
    return Sighting(
        guid=record.guid,
        url_key=url_key(ingest.decision.keyed),
        title=record.title,
        text_digest=ingest.decision.text_digest,
        extras_digest=ingest.decision.extras_digest,
        offered=True,
    )
