"""All that a store in memory knows about a reference."""

from collections.abc import Sequence
from dataclasses import replace

from feedhub.model.report import Explanation, LedgerEntry, SightingReport
from feedhub.store.explain import id_prefix, once
from feedhub.store.memory_data import Data


def explain(data: Data, refs: Sequence[str]) -> tuple[Explanation, ...]:
    """See ``Store.explain``."""
    refs = tuple(dict.fromkeys(refs))
    noted = [entry for ref in refs for entry in data.ledger.values() if _is_about(entry, ref)]
    found: dict[str, str] = {}
    for ref in refs:
        prefix = id_prefix(ref)
        for item_id in data.items:
            named = ref in data.keys and data.keys[ref][1] == item_id
            seen = any(of == item_id and it.said.url_key == ref for (of, _), it in data.sightings.items())
            if named or seen or (prefix and item_id.startswith(prefix)):
                found.setdefault(item_id, ref)
    for entry in noted:
        if entry.item_id in data.items and entry.item_id is not None:
            found.setdefault(entry.item_id, entry.item_id)
    explained = [_explain_item(data, item_id, ref) for item_id, ref in found.items()]
    told = {replace(entry, key=None) for explanation in explained for entry in explanation.ledger}
    for ref in refs:
        about = (entry for entry in noted if replace(entry, key=None) not in told and _is_about(entry, ref))
        own = once(about)
        told.update(replace(entry, key=None) for entry in own)
        if own:
            explained.append(Explanation(ref=ref, title=own[-1].title, ledger=own))
    return tuple(explained)


def _is_about(entry: LedgerEntry, ref: str) -> bool:
    return bool({ref, id_prefix(ref)} & {entry.key, entry.link, entry.item_id} - {None})


def _explain_item(data: Data, item_id: str, ref: str) -> Explanation:
    item = data.items[item_id]
    keys = tuple(sorted(key for key, holder in data.keys.values() if holder == item_id))
    reports = [
        SightingReport(
            source=source,
            link=seen.wording.link,
            title=seen.wording.title,
            first_seen_at=seen.first_seen_at,
            updated_at=seen.updated_at,
            offered=seen.left_at is None,
            left_at=seen.left_at,
        )
        for (of, source), seen in data.sightings.items()
        if of == item_id
    ]
    reports.sort(key=lambda report: report.first_seen_at)
    own = data.sightings.get((item_id, item.owner))
    names = {item_id, *(key.text for key in keys), *(report.link for report in reports)} - {None}
    entries = [
        entry
        for entry in data.ledger.values()
        if entry.item_id in {None, item_id} and names & {entry.item_id, entry.key, entry.link}
    ]
    return Explanation(
        ref=ref,
        item_id=item_id,
        owner=item.owner,
        title=own.wording.title if own else "",
        published_at=item.published_at,
        updated_at=own.updated_at if own else None,
        removed_at=item.removed_at,
        keys=tuple(key.text for key in keys),
        sightings=tuple(reports),
        memberships=tuple(
            (slug, rule, source)
            for slug, _ in data.ordered_outputs()
            if (slug, item_id) in data.memberships
            for source, rule in [data.memberships[slug, item_id]]
        ),
        ledger=once(sorted(entries, key=lambda entry: entry.at)),
    )
