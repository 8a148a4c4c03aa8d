"""What a source does with what it gave before: which parts it keeps, which it changes on known items (SPEC §4)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feedhub.model.identity import (
    Decision,
    IdentityKey,
    KeyedItem,
    KeyStrength,
    KnownItem,
    KnownKeys,
    Sighting,
    Verdict,
)
from feedhub.rules.evidence import DIFFERENT, SAME, Trust, comparable_title, compare, instants, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a whole document shows of its source.

    ``changing`` are the parts that it changes on known items, of ``guid``, ``address``, ``date`` and ``file``;
    ``signatures`` those of records that lost guid and link, all at once.
    """

    changing: frozenset[str] = frozenset()
    stable_guids: bool = False
    stable_dates: bool = False
    signatures: frozenset[IdentityKey] = frozenset()
    note: str = ""


@dataclass(slots=True)
class _Counts:
    """How many known records kept a part and how many changed it; ``same_title`` of those that changed it."""

    same: int = 0
    changed: int = 0
    same_title: int = 0

    @property
    def is_wholesale(self) -> bool:
        return self.changed >= 2 and self.changed > self.same and self.same_title * 2 >= self.changed


def habits_of(items: Sequence[KeyedItem], known: Mapping[str, KnownItem], changing: frozenset[str]) -> Habits:
    """Look at a whole document for what its source changes wholesale, and for what it keeps."""
    if not known:
        return Habits(changing=changing)
    counts = {part: _Counts() for part in ("guid", "address", "date", "file")}
    counted = Counter(key for keyed in items for key in keyed.leads)
    for keyed in items:
        by_url = _own_sighting(keyed, known, KeyStrength.URL)
        by_guid = _own_sighting(keyed, known, KeyStrength.GUID)
        now = keyed.said
        if by_url:
            _count(counts["guid"], now, by_url, now.guid, by_url.guid)
        if by_guid:
            _count(counts["address"], now, by_guid, now.url_key, by_guid.url_key)
        before = by_guid or by_url or _own_sighting(keyed, known, KeyStrength.TEXT)
        if before is None and (before := _found(keyed, known, counted)):
            _count(counts["guid"], now, before, now.guid, before.guid)
        if before and before.evidence and (date := moment(before.evidence)):
            _count(counts["date"], now, before, moment(keyed.evidence), date)
        if before and before.evidence and instants(keyed.evidence, before.evidence) is not DIFFERENT:
            files = keyed.evidence.bare_files, before.evidence.bare_files
            if all(files):
                _count(counts["file"], now, before, *files)
    signatures = _re_identified(items, known)
    wholesale = {part for part, count in counts.items() if count.is_wholesale}
    causes = [words for part, words in (("guid", "guids"), ("address", "links")) if part in wholesale]
    if signatures:
        causes = ["guids and links"]
    note = f"the source changed its {' and its '.join(causes)} all at once; known items stay known" if causes else ""
    return Habits(
        changing=frozenset(wholesale | {part for part in changing if not counts[part].same}),
        stable_guids=any(_keeps_guid(keyed, known) for keyed in items),
        stable_dates=counts["date"].same > 0,
        signatures=signatures,
        note=note,
    )


def _count(counts: _Counts, now: Sighting, before: Sighting, one: object, other: object) -> None:
    """Count whether a known record kept a part, but for one that is another item by its date and text, or its file."""
    if one is None or other is None or one == other:
        counts.same += 1
        return
    found = compare(now, before, Trust())
    if found.instant is DIFFERENT and (
        found.text is DIFFERENT or (found.guid is DIFFERENT and found.files is DIFFERENT)
    ):
        return
    counts.changed += 1
    counts.same_title += found.title is SAME


def _keeps_guid(keyed: KeyedItem, known: Mapping[str, KnownItem]) -> bool:
    before = _own_sighting(keyed, known, KeyStrength.GUID)
    return before is not None and comparable_title(before.title) == comparable_title(keyed.item.title)


def _own_sighting(keyed: KeyedItem, known: Mapping[str, KnownItem], strength: KeyStrength) -> Sighting | None:
    key = next((key for key in keyed.keys if key.strength is strength), None)
    target = known.get(key.text) if key else None
    return target.sighting if target else None


def _found(keyed: KeyedItem, known: Mapping[str, KnownItem], leads: Mapping[IdentityKey, int]) -> Sighting | None:
    """Return what was said of the item of the same words that a lead of no other record of the document finds."""
    targets = (known.get(key.text) for key in keyed.leads if leads[key] == 1)
    before = next((target.sighting for target in targets if target and target.sighting), None)
    return before if before and before.text_digest == keyed.item.text_digest else None


def _re_identified(items: Sequence[KeyedItem], known: Mapping[str, KnownItem]) -> frozenset[IdentityKey]:
    """Return signatures of records whose every key is unknown, if that is most of the document and they were known."""
    strangers = [keyed for keyed in items if keyed.keys and not any(key.text in known for key in keyed.keys)]
    recognised = {known[key.text].id for keyed in items for key in keyed.keys if key.text in known}
    found = [
        keyed.signature
        for keyed in strangers
        if (target := known.get(keyed.signature.text)) and target.id not in recognised
    ]
    most = len(found) >= 2 and len(found) * 2 >= len(items) and len(found) * 5 >= len(strangers) * 3
    # Three records that agree in headline and second are no coincidence, however much is new beside them.
    enough = most or (len(found) >= 3 and len(found) * 3 >= len(strangers))
    users = Counter(keyed.signature for keyed in items)
    return frozenset(found) if enough and all(users[signature] == 1 for signature in found) else frozenset()


def unchanged_document(items: Sequence[KeyedItem], known: KnownKeys) -> tuple[Decision, ...] | None:
    """Return the decisions about a document in which nothing is different, which needs no weighing; else None."""
    if known.distrusted:
        return None
    decisions = [_as_before(keyed, known.items) for keyed in items]
    ids = {decision.item_id for decision in decisions if decision}
    return tuple(decision for decision in decisions if decision) if len(ids) == len(items) else None


def _as_before(keyed: KeyedItem, known: Mapping[str, KnownItem]) -> Decision | None:
    """Return the decision about a record whose link and guid lead to an item of which its source says just the same."""
    targets = [known.get(key.text) for key in keyed.keys]
    target = targets[0] if len(targets) > 1 and keyed.keys[-1].strength is KeyStrength.GUID else None
    if target is None or target.removed or any(other is not target for other in targets):
        return None
    before = target.sighting
    if before is None or not before.says_the_same(keyed.said) or before.extras_digest != keyed.said.extras_digest:
        return None
    return Decision(
        keyed=keyed,
        verdict=Verdict.SEEN,
        item_id=target.id,
        owner=target.owner,
        matched=keyed.keys[0],
        text_digest=before.text_digest,
        extras_digest=before.extras_digest,
        reoffered=not before.offered,
        reason="guid",
    )


def kept_parts(items: Sequence[KeyedItem]) -> frozenset[str]:
    """Return the parts that a source keeps in a document in which nothing is different."""
    dates = {"date"} if any(moment(keyed.evidence) for keyed in items) else set()
    files = {"file"} if any(keyed.evidence.files for keyed in items) else set()
    return frozenset({"guid", "address"} | dates | files)
