"""New, changed or duplicate: what each record of a document is, seen from the store (SPEC §4).

The records of a document are first put together where they are one item by themselves. Then every item that any key
of a record leads to is weighed against it (``evidence.py``), and the pairs are settled from the strongest reason to
the weakest, so that the order of the records decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
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
from feedhub.model.source import Source
from feedhub.rules.evidence import (
    DIFFERENT,
    SAME,
    Comparison,
    Shared,
    Strength,
    Trust,
    comparable_title,
    compare,
    instants,
    is_imposed,
    reason_for_one,
)
from feedhub.rules.habits import Habits, habits_of, kept_parts, unchanged_document
from feedhub.rules.identity import (
    KeyedDocument,
    groups_of,
    item_id,
    joined_values,
    known_values,
    named_values,
    own_names,
    rank,
    told_apart,
    values_agree,
    without_keys,
)

_REMEMBERED: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})


def judge(
    document: KeyedDocument,
    known: KnownKeys,
    *,
    source: Source,
    site_url: str,
    now: datetime,
    changing: frozenset[str] = frozenset(),
) -> Judgement:
    """Decide about every record of one document of ``source``; the decisions are in the order of the records.

    ``changing`` is what is remembered of the source: parts that it changes on known items at each poll. ``now`` stands
    for the date of a record that has none.
    """
    if not document.warnings and (unchanged := unchanged_document(document.items, known)):
        return Judgement(decisions=unchanged, changing=changing - kept_parts(document.items))
    remembered = frozenset(key for keyed in document.items for key in keyed.keys if key.text in known.distrusted)
    items = told_apart([without_keys(keyed, remembered) for keyed in document.items])
    habits = habits_of(items, known.items, changing)
    matching = _Matching(
        source=source.name,
        site_url=site_url,
        known=known,
        items=items,
        habits=habits,
        changing=changing,
        now=now,
        within=source.dedupe.same_title or 0.0,
    )
    decisions = matching.decisions()
    notes = [LedgerNote(kind="distrusted", reason=text) for text in document.warnings]
    notes += [LedgerNote(kind="migration", reason=habits.note)] * bool(habits.note)
    warnings = (*document.warnings, *((habits.note,) if habits.note else ()), *_nameless(decisions))
    return Judgement(
        decisions=decisions,
        notes=(*matching.notes, *notes),
        distrusted=document.distrusted,
        warnings=warnings,
        sections=tuple(matching.sections),
        changing=habits.changing,
    )


def _nameless(decisions: Sequence[Decision]) -> tuple[str, ...]:
    count = sum(one.verdict is Verdict.UNIDENTIFIED for one in decisions)
    return (f"{count} records have nothing to recognise them by and were left out",) if count else ()


# --- which record is which item ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """A record that is a known item: how strong the reason is (0 is strongest), and by what."""

    strength: Strength
    reason: str
    record: int
    target: KnownItem
    key: IdentityKey


@dataclass(slots=True, kw_only=True)
class _Matching:
    """The records of one document and the known items that they are weighed against."""

    source: str
    site_url: str
    known: KnownKeys
    items: Sequence[KeyedItem]
    habits: Habits
    changing: frozenset[str]
    now: datetime
    within: float
    notes: list[LedgerNote] = field(default_factory=list)
    sections: dict[IdentityKey, None] = field(default_factory=dict)
    _shared: Shared = field(default_factory=Shared)
    _has_paths: bool = False
    _claimed: dict[str, str] = field(default_factory=dict)

    def decisions(self) -> tuple[Decision, ...]:
        """Decide about every record, in the order of the records."""
        decided: dict[int, Decision] = {}
        found = groups_of(self.items, self.now, self.within)
        groups = [sorted(group, key=self._turn) if len(group) > 1 else group for group in found]
        settled = self._settled(groups)
        met: set[str] = set()
        for number, group in sorted(enumerate(groups), key=lambda pair: (pair[0] not in settled, pair[0])):
            speaker, *others = group
            match = settled.get(number)
            if not self.items[speaker].keys:
                decided.update((record, self._unidentified(self.items[record])) for record in group)
                continue
            if match is None:
                first = self._new(self.items[speaker], group)
            else:
                first = self._matched(speaker, match, is_repeat=match.target.id in met)
            met.add(first.item_id)
            decided[speaker] = first
            decided.update((record, self._repeat(self.items[record], first, match)) for record in others)
        return tuple(decided[number] for number in range(len(self.items)))

    def _turn(self, number: int) -> tuple[float, bool, str, str]:
        """Return the turn of a record among those of one item, of which the first speaks for it.

        The newest does, else what was said before: never the place in the document, or the item would seem edited
        whenever two records change places.
        """
        newest, words, rest = rank(self.items[number])
        before = (target.sighting for target in self._targets(self.items[number]))
        return newest, words not in {sighting.text_digest for sighting in before if sighting}, words, rest

    def _targets(self, keyed: KeyedItem) -> list[KnownItem]:
        keys = (*keyed.keys, *keyed.distrusted, *keyed.fallbacks, *keyed.leads, *keyed.titles, keyed.signature)
        found = {
            self.known.items[key.text].id: self.known.items[key.text] for key in keys if key.text in self.known.items
        }
        return list(found.values())

    def _settled(self, groups: Sequence[Sequence[int]]) -> dict[int, _Match]:
        """Settle which group is which known item, from the strongest reason to the weakest."""
        if not self.known.items:
            return {}
        for group in groups:
            self._shared.add([self.items[record] for record in group])
        self._has_paths = self._shared.has_paths()
        matches = [
            (match.strength, not self._is_unchanged(match), match.target.id, number, match)
            for number, group in enumerate(groups)
            for record in group
            for target in self._targets(self.items[record])
            if (match := self._weighed(record, target))
        ]
        matches.sort(key=lambda found: found[:4])
        settled: dict[int, _Match] = {}
        values: dict[str, dict[str, set[str]]] = {}
        firsts: dict[str, int] = {}
        for strength, _, item, number, match in matches:
            if number in settled:
                if settled[number].target.id != item and strength <= Strength.ADDRESS_AND_WORDS:
                    self._note_conflict(match, settled[number])
                continue
            own = named_values(self.items[match.record])
            if item not in values:
                settled[number], values[item] = match, joined_values(own, known_values(match.target))
                firsts[item] = match.record
            elif self._may_share(match, firsts[item]) and values_agree(own, values[item]):
                settled[number], values[item] = match, joined_values(own, values[item])
        return settled

    def _is_unchanged(self, match: _Match) -> bool:
        """Tell whether a record says what is stored of the item. Of two equal reasons that one is to be believed."""
        before = match.target.sighting
        return before is not None and before.says_the_same(self.items[match.record].said)

    def _may_share(self, match: _Match, first: int) -> bool:
        """Tell whether a record may be an item that another record of the document is already.

        Not if it has come to be one by mistake: by guids that were those of revisions, and are those of a list now.
        """
        if match.strength in {Strength.NAMED, Strength.TITLE_ALONE}:
            return True
        are_one = match.target.sighting is None or not _are_two(self.items[match.record], self.items[first])
        return match.strength <= Strength.ADDRESS_AND_WORDS and are_one

    def _weighed(self, record: int, target: KnownItem) -> _Match | None:
        """Return why a record is a known item, or None where that cannot be said."""
        keyed = self.items[record]
        if target.named and _names_differ(keyed, target):
            return None
        keys = {key.strength: key for key in reversed(keyed.keys) if self._leads_to(key, target)}
        named = keys.get(KeyStrength.NAMED)
        before = target.sighting
        if named and not (before and is_imposed(named, before, keyed)):
            return _Match(strength=Strength.NAMED, reason=named.name, record=record, target=target, key=named)
        if before is None:
            key = next((key for key in keyed.keys if self._leads_to(key, target)), None)
            if key is None or key.text in self.known.sections:
                return self._by_title(record, target)
            return _Match(strength=Strength.ADDRESS, reason=key.name, record=record, target=target, key=key)
        if before.says_the_same(keyed.said) and keys.keys() >= {KeyStrength.URL, KeyStrength.GUID}:
            # Mostly nothing is different at all, and there is nothing to weigh.
            return _Match(
                strength=Strength.GUID_AND_ADDRESS,
                reason="guid",
                record=record,
                target=target,
                key=keys[KeyStrength.URL],
            )
        if keyed.signature in self.habits.signatures and self._leads_to(keyed.signature, target):
            return _Match(
                strength=Strength.TITLE_AND_SECOND,
                reason="title and date",
                record=record,
                target=target,
                key=keyed.signature,
            )
        found = self._compared(keyed, target, before, keys)
        reason = reason_for_one(found, stable_guids=self.habits.stable_guids, stable_dates=self.habits.stable_dates)
        is_named = any(self._leads_to(key, target) for key in own_names(keyed))
        if reason is None or (not is_named and self._shared.is_of_several(keyed, reason[0], found)):
            return self._by_title(record, target)
        if is_named:
            reason = min(reason, (Strength.TITLE_AND_FILE, reason[1]))
        key = keys.get(KeyStrength.URL) or keys.get(KeyStrength.GUID) or keyed.words or keyed.signature
        return _Match(strength=reason[0], reason=reason[1], record=record, target=target, key=key)

    def _by_title(self, record: int, target: KnownItem) -> _Match | None:
        """Take a record for an item of the same title where the configuration says so, and their dates are near."""
        keyed = self.items[record]
        key = next((key for key in keyed.titles if self._leads_to(key, target)), None)
        at = keyed.item.published_at or self.now
        if key is None or target.published_at is None or abs((at - target.published_at).total_seconds()) > self.within:
            return None
        return _Match(
            strength=Strength.TITLE_ALONE,
            reason="title, as dedupe.same_title says",
            record=record,
            target=target,
            key=key,
        )

    def _compared(
        self, keyed: KeyedItem, target: KnownItem, before: Sighting, keys: Mapping[KeyStrength, IdentityKey]
    ) -> Comparison:
        now = keyed.said
        own = {key.strength for key in keyed.keys}
        same_title = comparable_title(now.title) == comparable_title(before.title)
        # An item keeps every address and guid that it ever had; but an address that only another source gave it
        # says nothing when the headline is another.
        is_address_known = KeyStrength.URL in keys and (same_title or before.url_key is None)
        trust = Trust(
            guid=KeyStrength.GUID in own,
            address=KeyStrength.URL in own,
            files=self._shared.files[keyed.evidence.files] == 1,
            bare_files=self._has_paths,
            changing=self.habits.changing,
        )
        return compare(
            now,
            before,
            trust,
            link=keyed.item.link,
            guid=SAME if KeyStrength.GUID in keys else None,
            address=SAME if is_address_known else None,
        )

    def _leads_to(self, key: IdentityKey, target: KnownItem) -> bool:
        found = self.known.items.get(key.text)
        return found is not None and found.id == target.id

    def _matched(self, speaker: int, match: _Match, *, is_repeat: bool) -> Decision:
        keyed, target = self.items[speaker], match.target
        verdict = Verdict.REPEAT if is_repeat else _verdict(keyed, target)
        if verdict is Verdict.DUPLICATE:
            reason = f"the same item as one of {target.owner}, by {match.reason}"
            self._note(keyed, "duplicate", reason, target, match.key)
        elif verdict is Verdict.REMOVED:
            self._note(keyed, "removed", "taken out earlier, not presented again", target, match.key)
        elif verdict is Verdict.REPEAT:
            self._note_repeat(keyed, target, match.key, match.reason)
        return Decision(
            keyed=keyed,
            verdict=verdict,
            item_id=target.id,
            owner=target.owner,
            matched=match.key,
            doubted=self._doubted(keyed, target.id),
            gained=self._gained(keyed, target.id, is_stored=verdict in _REMEMBERED),
            text_digest=keyed.item.text_digest,
            extras_digest=keyed.said.extras_digest,
            reoffered=_is_reoffered(verdict, target),
            has_new_evidence=verdict is Verdict.SEEN and self._tells_more(keyed, target),
            reason=match.reason,
        )

    def _tells_more(self, keyed: KeyedItem, target: KnownItem) -> bool:
        """Tell whether the evidence of a record is to be remembered although nothing else changed."""
        sighting = target.sighting
        if sighting is None or sighting.evidence is None:
            return True
        now, before = keyed.evidence, sighting.evidence
        is_dated_anew = "date" not in self.habits.changing and now.published_at != before.published_at
        is_named_anew = "guid" not in self.habits.changing and sighting.guid not in (None, keyed.said.guid)
        return is_dated_anew or is_named_anew or now.pictures != before.pictures

    def _repeat(self, keyed: KeyedItem, first: Decision, match: _Match | None) -> Decision:
        reason = match.reason if match else _shared_name(keyed, first.keyed)
        target = KnownItem(id=first.item_id, owner=self.source)
        key = next((key for key in keyed.keys if key in first.keyed.keys), keyed.keys[0])
        self._note_repeat(keyed, target, key, reason)
        return Decision(
            keyed=keyed,
            verdict=Verdict.REPEAT,
            item_id=first.item_id,
            owner=first.owner,
            matched=key,
            gained=self._gained(keyed, first.item_id, is_stored=False),
            text_digest=keyed.item.text_digest,
            extras_digest=keyed.said.extras_digest,
            reason=reason,
        )

    def _new(self, keyed: KeyedItem, group: Sequence[int]) -> Decision:
        """Present a record as a new item; a key that was reused for it now names it."""
        doubted = self._doubted(keyed)
        own = self._own_name(keyed)
        item = KnownItem(id=item_id(self.site_url, own), owner=self.source)
        moved: list[IdentityKey] = []
        for key in doubted:
            target = self.known.items[key.text]
            if _names_differ(keyed, target) or (key.text in self.known.sections and target.sighting is None):
                continue
            if key.strength is KeyStrength.URL:
                self.sections[key] = None
            if target.owner != self.source:
                # A source changes only what it owns, so the key stays where it is.
                self._note(keyed, "kept", f"{key.text} stays with an item of {target.owner}", target, key)
                continue
            moved.append(key)
            self._note(keyed, "reused", f"{key.text} came back for another item", target, key)
        moved += keyed.titles
        self._claimed.update((key.text, item.id) for key in moved)
        gained = self._gained(keyed, item.id, is_stored=True)
        if own not in gained and own.strength is not KeyStrength.SIGNATURE:
            gained = (own, *gained)
            self._claimed[own.text] = item.id
        return Decision(
            keyed=keyed,
            verdict=Verdict.NEW,
            item_id=item.id,
            owner=self.source,
            doubted=doubted,
            gained=gained,
            moved=tuple(moved),
            text_digest=keyed.item.text_digest,
            extras_digest=keyed.said.extras_digest,
        )

    def _doubted(self, keyed: KeyedItem, item: str = "") -> tuple[IdentityKey, ...]:
        """Return the keys of a record that lead to other items than the one it is."""
        return tuple(
            key for key in keyed.keys if key.text in self.known.items and self.known.items[key.text].id != item
        )

    def _own_name(self, keyed: KeyedItem) -> IdentityKey:
        """Return the strongest key that names no other item: the id follows from it."""
        names = (*keyed.keys, *keyed.fallbacks, keyed.signature)
        name = next((key for key in names if not self._is_taken(key)), None)
        if name is None:
            # All that it says names an item already that nothing leads to; two must never have one id.
            rest = (keyed.said.guid, keyed.item.link, keyed.evidence, self.now.isoformat())
            name = replace(keyed.signature, strength=KeyStrength.TEXT, text=f"{keyed.signature.text}:{rest}")
        return name

    def _is_taken(self, key: IdentityKey) -> bool:
        return key.text in self.known.items or key.text in self._claimed

    def _gained(self, keyed: KeyedItem, item: str, *, is_stored: bool) -> tuple[IdentityKey, ...]:
        """Return the keys that an item gets by a record, what nobody has yet; no guid where they change each poll."""
        is_random = "guid" in self.changing & self.habits.changing and not is_stored
        keys = [key for key in keyed.keys if not (is_random and key.strength is KeyStrength.GUID)]
        if is_stored and not any(key.strength is KeyStrength.URL for key in keyed.keys):
            keys += keyed.leads
        gained = [key for key in keys if not self._is_taken(key)]
        self._claimed.update((key.text, item) for key in gained)
        return tuple(gained)

    def _unidentified(self, keyed: KeyedItem) -> Decision:
        self._note(keyed, "rejected", "no link, guid, title, text, file or picture to recognise it by")
        return Decision(keyed=keyed, verdict=Verdict.UNIDENTIFIED, item_id="")

    def _note_conflict(self, match: _Match, settled: _Match) -> None:
        reason = f"{settled.key.text} and {match.key.text} name different items"
        self._note(self.items[match.record], "conflict", reason, settled.target, match.key)

    def _note_repeat(self, keyed: KeyedItem, target: KnownItem, key: IdentityKey, reason: str) -> None:
        self._note(keyed, "repeat", f"a second record of one item in the document, by {reason}", target, key)

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


def _are_two(one: KeyedItem, other: KeyedItem) -> bool:
    """Tell whether two records of one document differ in title, or in guid and in date, text or file."""
    guids = one.said.guid, other.said.guid
    if comparable_title(one.item.title) != comparable_title(other.item.title):
        return True
    return (
        all(guids)
        and guids[0] != guids[1]
        and (
            instants(one.evidence, other.evidence) is DIFFERENT
            or one.item.text_digest != other.item.text_digest
            or one.evidence.files != other.evidence.files
        )
    )


def _shared_name(one: KeyedItem, other: KeyedItem) -> str:
    return next((key.name for key in one.keys if key in other.keys), "all that it says")


def _verdict(keyed: KeyedItem, target: KnownItem) -> Verdict:
    before = target.sighting
    if target.removed:
        return Verdict.REMOVED
    if before is None:
        return Verdict.DUPLICATE
    if before.text_digest != keyed.item.text_digest:
        return Verdict.CHANGED
    return Verdict.SEEN if before.extras_digest == keyed.said.extras_digest else Verdict.REFRESHED


def _names_differ(keyed: KeyedItem, target: KnownItem) -> bool:
    """Tell whether record and item carry different values of one named key: then they are two items."""
    return not values_agree(named_values(keyed), known_values(target))


def _is_reoffered(verdict: Verdict, target: KnownItem) -> bool:
    """Tell whether the store does not know yet that the source offers the item; it must not forget one on offer."""
    if target.sighting is None:
        return verdict is Verdict.REMOVED
    return not target.sighting.offered
