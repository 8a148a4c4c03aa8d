"""Verdicts: what every record of a document is, seen from the store, and why (SPEC §4).

The keys of a record lead to stored items. A key is believed unless the record speaks against it: a guid that comes back
with another link and another headline, or a link with another guid and headline, was reused for a new item. When a
source changes all its guids or all its links at once, that says nothing about a single record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from feedhub.model.identity import (
    Decision,
    IdentityKey,
    Judgement,
    KeyedItem,
    KeyStrength,
    KnownItem,
    KnownKeys,
    LedgerNote,
    Sighting,
    Verdict,
)
from feedhub.rules.identity import KeyedDocument, comparable_title, extras_digest, item_id, without_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """Which kinds of keys a source changed all at once: then another guid (or link) says nothing about a record.

    ``signatures`` are those of records that have neither guid nor link of before, and are known by headline and date.
    """

    guids: bool = False
    links: bool = False
    signatures: frozenset[IdentityKey] = frozenset()
    note: str = ""


def find_migration(items: Sequence[KeyedItem], known: Mapping[str, KnownItem]) -> Migration:
    """Find out whether a source changed its guids, its links or both all at once (guarantee 36)."""
    guids = _mostly_changed(items, known, KeyStrength.URL)
    links = _mostly_changed(items, known, KeyStrength.GUID)
    signatures = _known_signatures(items, known)
    causes = [name for name, found in (("guids", guids), ("links", links)) if found]
    if signatures:
        causes = ["guids and links"]
    note = f"the source changed its {' and its '.join(causes)} all at once; known items stay known" if causes else ""
    return Migration(guids=guids, links=links, signatures=signatures, note=note)


def _mostly_changed(items: Sequence[KeyedItem], known: Mapping[str, KnownItem], anchor: KeyStrength) -> bool:
    """Tell whether most records found by URL have another guid (or by guid another link), headlines unchanged."""
    same = changed = same_title = 0
    for keyed in items:
        found = _sighting_by(keyed, known, anchor)
        if found is None:
            continue
        before, now = _before_and_now(keyed, found, anchor)
        if before is None or now is None or before == now:
            same += 1
            continue
        changed += 1
        same_title += comparable_title(found.title) == comparable_title(keyed.item.title)
    return changed >= 2 and changed > same and same_title * 2 >= changed


def _sighting_by(keyed: KeyedItem, known: Mapping[str, KnownItem], anchor: KeyStrength) -> Sighting | None:
    key = next((key for key in keyed.keys if key.strength is anchor), None)
    target = known.get(key.text) if key else None
    return target.sighting if target else None


def _before_and_now(keyed: KeyedItem, found: Sighting, anchor: KeyStrength) -> tuple[str | None, str | None]:
    if anchor is KeyStrength.URL:
        return found.guid, keyed.item.guid
    url = next((key.text for key in keyed.keys if key.strength is KeyStrength.URL), None)
    return found.url_key, url


def _known_signatures(items: Sequence[KeyedItem], known: Mapping[str, KnownItem]) -> frozenset[IdentityKey]:
    """Return the signatures of the records that are known by nothing else, if most of a document is."""
    unknown = [keyed for keyed in items if keyed.keys and not any(key.text in known for key in keyed.keys)]
    recognised = {known[key.text].id for keyed in items for key in keyed.keys if key.text in known}
    found = [
        keyed.signature
        for keyed in unknown
        if (target := known.get(keyed.signature.text)) and target.id not in recognised
    ]
    most = len(found) >= 2 and len(found) * 2 >= len(items) and len(found) * 5 >= len(unknown) * 3
    # Three records with headlines and dates that are known are no coincidence, however many others are new.
    enough = most or (len(found) >= 3 and len(found) * 3 >= len(unknown))
    return frozenset(found) if enough and len(set(found)) == len(found) else frozenset()


_STORED: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})


def judge(document: KeyedDocument, known: KnownKeys, *, source: str, site_url: str) -> Judgement:
    """Decide about every record of one document of ``source``; the records keep their order."""
    distrusted = frozenset(key for keyed in document.items for key in keyed.keys if key.text in known.distrusted)
    items = [without_keys(keyed, distrusted) for keyed in document.items]
    migration = find_migration(items, known.items)
    notes = [LedgerNote(kind="migration", reason=migration.note)] if migration.note else []
    judging = _DocumentJudge(source=source, site_url=site_url, known=known.items, migration=migration, notes=notes)
    decided = {number: judging.decide(items[number]) for number in judging.order(items)}
    notes.extend(LedgerNote(kind="distrusted", reason=text) for text in document.warnings)
    return Judgement(
        decisions=tuple(decided[number] for number in range(len(items))),
        notes=tuple(notes),
        distrusted=document.distrusted,
        warnings=(*document.warnings, *([migration.note] if migration.note else ())),
    )


@dataclass(slots=True, kw_only=True)
class _DocumentJudge:
    """Decides about the records of one document, one after the other.

    What earlier records changed is taken into account: ``claimed`` are the keys that they gained, ``updated`` the items
    that they belong to, by id, and ``seen_ids`` the ids of these.
    """

    source: str
    site_url: str
    known: Mapping[str, KnownItem]
    migration: Migration
    notes: list[LedgerNote]
    claimed: dict[str, KnownItem] = field(default_factory=dict)
    updated: dict[str, KnownItem] = field(default_factory=dict)
    seen_ids: set[str] = field(default_factory=set)

    def order(self, items: Sequence[KeyedItem]) -> list[int]:
        """Return the numbers of the records in the order in which they are to be decided.

        Of two records of one item the first decided gives its text. That must not depend on their places in the
        document, or the item would seem edited whenever they change places: the newest record comes first, then the one
        that says what the item said before.
        """

        def rank(number: int) -> tuple[float, bool, int]:
            keyed = items[number]
            targets = [self.known[key.text] for key in keyed.keys if key.text in self.known]
            said = {target.sighting.text_digest for target in targets if target.sighting}
            at = keyed.item.published_at.timestamp() if keyed.item.published_at else -inf
            return -at, keyed.item.text_digest not in said, number

        return sorted(range(len(items)), key=rank)

    def decide(self, keyed: KeyedItem) -> Decision:
        """Return what a record is. The decisions on later records of the document depend on it."""
        if not keyed.keys:
            self._note(keyed, "rejected", "no link, guid, title or text to recognise it by")
            return Decision(keyed=keyed, verdict=Verdict.UNIDENTIFIED, item_id="")
        believed, doubted = self._candidates(keyed)
        if believed:
            return self._known_item(keyed, believed, doubted)
        return self._new_item(keyed, doubted)

    def _candidates(self, keyed: KeyedItem) -> tuple[list[tuple[IdentityKey, KnownItem]], list[IdentityKey]]:
        """Split the keys that lead to an item into those believed, strongest first, and those that are not."""
        believed, doubted = [], []
        for key in keyed.keys:
            target = self._target(key)
            if target is None:
                continue
            if self._contradicts(keyed, key, target):
                doubted.append(key)
            else:
                believed.append((key, target))
        if not believed:
            believed = self._by_weaker_sign(keyed)
        return believed, doubted

    def _by_weaker_sign(self, keyed: KeyedItem) -> list[tuple[IdentityKey, KnownItem]]:
        """Return the item that a record without a believed key is nevertheless, with the key that says so."""
        if keyed.signature in self.migration.signatures:
            return [(keyed.signature, self.known[keyed.signature.text])]
        # The key told records apart until now and led to this item; a record that did not change is still that item.
        for key in keyed.distrusted:
            target = self._target(key)
            if target and target.id not in self.seen_ids and _is_unchanged(keyed, target):
                return [(key, target)]
        return []

    def _target(self, key: IdentityKey) -> KnownItem | None:
        target = self.claimed.get(key.text) or self.known.get(key.text)
        return self.updated.get(target.id, target) if target else None

    def _contradicts(self, keyed: KeyedItem, key: IdentityKey, target: KnownItem) -> bool:
        """Tell whether a record speaks against being the item that one of its keys leads to."""
        sighting = target.sighting
        if key.strength is KeyStrength.NAMED:
            return sighting is not None and _is_imposed(key, sighting, keyed)
        if _names_differ(keyed, target):
            return True
        if sighting is None or comparable_title(sighting.title) == comparable_title(keyed.item.title):
            return False
        if key.strength is KeyStrength.GUID:
            return not self.migration.links and _differ(sighting.url_key, url_key(keyed))
        if not self.migration.links and _differ(sighting.url_key, key.text):
            return True  # this source never gave the item under this address; another one did
        return not self.migration.guids and _differ(sighting.guid, keyed.item.guid)

    def _known_item(
        self, keyed: KeyedItem, believed: list[tuple[IdentityKey, KnownItem]], doubted: list[IdentityKey]
    ) -> Decision:
        key, target = believed[0]
        for other_key, other in believed[1:]:
            if other.id != target.id:
                self._note(
                    keyed, "conflict", f"{key.text} and {other_key.text} name different items", target, other_key
                )
        verdict = self._verdict(keyed, target)
        if verdict is Verdict.DUPLICATE:
            self._note(keyed, "duplicate", f"the same item as one of {target.owner}, by {key.name}", target, key)
        elif verdict is Verdict.REMOVED:
            self._note(keyed, "removed", "taken out by retention earlier, not presented again", target, key)
        elif verdict is Verdict.REPEAT:
            self._note(keyed, "repeat", f"a second record of one item in the document, by {key.name}", target, key)
        return self._decision(
            keyed, verdict, target, matched=key, doubted=doubted, reoffered=_is_reoffered(verdict, target)
        )

    def _verdict(self, keyed: KeyedItem, target: KnownItem) -> Verdict:
        sighting = target.sighting
        if target.id in self.seen_ids:
            return Verdict.REPEAT
        if target.removed:
            return Verdict.REMOVED
        if sighting is None:
            return Verdict.DUPLICATE
        if sighting.text_digest != keyed.item.text_digest:
            return Verdict.CHANGED
        return Verdict.SEEN if sighting.extras_digest == extras_digest(keyed.item) else Verdict.REFRESHED

    def _new_item(self, keyed: KeyedItem, doubted: list[IdentityKey]) -> Decision:
        """Present a record as a new item; keys that were reused for it lead to it from now on."""
        own = next((key for key in keyed.keys if key not in doubted), keyed.fingerprint or keyed.signature)
        item = KnownItem(id=item_id(self.site_url, own), owner=self.source)
        moved: list[IdentityKey] = []
        for key in doubted:
            target = self._target(key)
            if target is None or _names_differ(keyed, target):
                continue
            if target.owner != self.source:
                # A source changes only its own items, so the key stays where it is.
                self._note(keyed, "kept", f"{key.text} stays with an item of {target.owner}", target, key)
                continue
            moved.append(key)
            self._note(keyed, "reused", f"{key.text} came back with another headline and address", target, key)
        return self._decision(keyed, Verdict.NEW, item, doubted=doubted, moved=tuple(moved))

    def _decision(
        self,
        keyed: KeyedItem,
        verdict: Verdict,
        target: KnownItem,
        *,
        matched: IdentityKey | None = None,
        doubted: Sequence[IdentityKey] = (),
        moved: tuple[IdentityKey, ...] = (),
        reoffered: bool = False,
    ) -> Decision:
        gained = tuple(key for key in keyed.keys if key.text not in self.known and key.text not in self.claimed)
        names = tuple(key for key in gained if key.strength is KeyStrength.NAMED)
        extras = extras_digest(keyed.item)
        # Later records are judged as the next poll will judge them, with this one stored.
        sighting = _sighting(keyed, extras) if verdict in _STORED else target.sighting
        target = self.updated[target.id] = replace(target, named=target.named + names, sighting=sighting)
        self.claimed.update((key.text, target) for key in gained + moved)
        self.seen_ids.add(target.id)
        return Decision(
            keyed=keyed,
            verdict=verdict,
            item_id=target.id,
            owner=target.owner,
            matched=matched,
            doubted=tuple(doubted),
            gained=gained,
            moved=moved,
            text_digest=keyed.item.text_digest,
            extras_digest=extras,
            reoffered=reoffered,
        )

    def _note(
        self,
        keyed: KeyedItem,
        kind: str,
        reason: str,
        target: KnownItem | None = None,
        key: IdentityKey | None = None,
    ) -> None:
        self.notes.append(
            LedgerNote(
                kind=kind,
                reason=reason,
                item_id=target.id if target else None,
                key=key.text if key else None,
                title=keyed.item.title,
                link=keyed.item.link,
            )
        )


def url_key(keyed: KeyedItem) -> str | None:
    """Return the text of a record's URL key, distrusted or not: the address that a sighting remembers."""
    return next((key.text for key in keyed.keys + keyed.distrusted if key.strength is KeyStrength.URL), None)


def _sighting(keyed: KeyedItem, extras: str) -> Sighting:
    return Sighting(
        guid=keyed.item.guid,
        url_key=url_key(keyed),
        title=keyed.item.title,
        text_digest=keyed.item.text_digest,
        extras_digest=extras,
        offered=True,
    )


def _names_differ(keyed: KeyedItem, target: KnownItem) -> bool:
    """Tell whether record and item carry different values of one named key: then they are two items."""
    theirs = {key.name: set[str]() for key in target.named}
    for key in target.named:
        theirs[key.name].add(key.text)
    return any(
        key.text not in theirs[key.name]
        for key in keyed.keys
        if key.strength is KeyStrength.NAMED and key.name in theirs
    )


def _is_imposed(key: IdentityKey, sighting: Sighting, keyed: KeyedItem) -> bool:
    """Tell whether another source gave an item a named key by which this record must not be taken for that item.

    The source's own earlier record of the item does not show the value, and headline, address and guid all differ.
    """
    value = key.text.partition(":")[2]
    shown = (sighting.guid or "", sighting.url_key or "", sighting.title)
    return (
        not any(value in text for text in shown)
        and comparable_title(sighting.title) != comparable_title(keyed.item.title)
        and sighting.url_key != url_key(keyed)
        and (sighting.guid is None or sighting.guid != keyed.item.guid)
    )


def _is_reoffered(verdict: Verdict, target: KnownItem) -> bool:
    """Tell whether the store has to note that the source offers the item again, so that retention spares it."""
    if target.sighting is None:
        return verdict is Verdict.REMOVED
    return not target.sighting.offered


def _is_unchanged(keyed: KeyedItem, target: KnownItem) -> bool:
    """Tell whether a record has the text, the guid and the address that its source last gave for an item."""
    said = target.sighting
    return (
        said is not None
        and said.text_digest == keyed.item.text_digest
        and not _differ(said.guid, keyed.item.guid)
        and not _differ(said.url_key, url_key(keyed))
        and not _names_differ(keyed, target)
    )


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other
