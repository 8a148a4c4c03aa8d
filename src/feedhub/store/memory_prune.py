"""Retention of a store in memory."""

from dataclasses import replace
from datetime import datetime

from feedhub.model.report import PruneReport
from feedhub.model.source import SourceState
from feedhub.store.codec import NO_WORDING
from feedhub.store.memory_data import ALL, Data, Seen


def prune(
    data: Data, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
) -> PruneReport:
    """See ``Store.prune``."""
    removed = _outdated(data, offered_before) if offered_before else []
    for item_id in removed:
        _remove(data, item_id, now)
    cut = _cut(data, keep_per_category, now) if keep_per_category is not None else 0
    keys = _forget(data, forget_before)
    old = [fact for fact, entry in data.ledger.items() if entry.at < forget_before]
    for fact in old:
        del data.ledger[fact]
    return PruneReport(items=len(removed) + cut, keys=keys, ledger=len(old))


def _outdated(data: Data, offered_before: datetime) -> list[str]:
    return [
        item.id
        for item in data.items.values()
        if item.removed_at is None and not _offered_since(data, item.id, offered_before)
    ]


def _offered_since(data: Data, item_id: str, moment: datetime) -> bool:
    return any(
        _last_offered(data, source, seen) >= moment for (of, source), seen in data.sightings.items() if of == item_id
    )


def _last_offered(data: Data, source: str, seen: Seen) -> datetime:
    state = data.states.get(source) or SourceState(name=source)
    return seen.left_at or state.last_success_at or seen.first_seen_at


def _cut(data: Data, keep: int, now: datetime) -> int:
    removed = 0
    for slug in sorted(data.outputs.keys() - {ALL}):
        for item, _ in data.newest(slug)[keep:]:
            sightings = [(source, seen) for (of, source), seen in data.sightings.items() if of == item.id]
            if any(seen.left_at is None for _, seen in sightings):
                continue
            data.bump({ALL, *data.holding(item.id)}, ())
            data.stamp({item.id})
            del data.memberships[slug, item.id]
            for source, _ in sightings:
                said = data.filings.get((item.id, source), {})
                data.filings[item.id, source] = {of: rule for of, rule in said.items() if of != slug}
            if not data.holding(item.id):
                _remove(data, item.id, now)
                removed += 1
    return removed


def _remove(data: Data, item_id: str, now: datetime) -> None:
    data.bump({ALL, *data.holding(item_id)}, ())
    data.stamp({item_id})
    data.items[item_id] = replace(data.items[item_id], removed_at=now)
    data.memberships = {place: held for place, held in data.memberships.items() if place[1] != item_id}
    data.filings = {place: said for place, said in data.filings.items() if place[0] != item_id}
    # What is left tells a later record that reuses one of the keys from this item.
    for place, seen in data.sightings.items():
        if place[0] == item_id:
            data.sightings[place] = replace(seen, wording=NO_WORDING, left_at=seen.left_at or now)


def _forget(data: Data, before: datetime) -> int:
    forgotten = {
        item.id
        for item in data.items.values()
        if item.removed_at and item.removed_at < before and not _offered_since(data, item.id, before)
    }
    texts = [text for text, (_, item_id) in data.keys.items() if item_id in forgotten]
    for text in texts:
        del data.keys[text]
    for item_id in forgotten:
        del data.items[item_id]
    data.sightings = {place: seen for place, seen in data.sightings.items() if place[0] not in forgotten}
    return len(texts)
