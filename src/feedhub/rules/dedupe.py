"""New, changed or duplicate: what each record of a document is, seen from the store (SPEC §4).

The records of a document are first put together where they are one item by themselves. Then every item that any key
of a record leads to is weighed against it (``evidence.py``), and the pairs are settled from the strongest reason to
the weakest, so that the order of the records decides nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
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
from feedhub.model.source import Source
from feedhub.rules.evidence import (
    DIFFERENT,
    SAME,
    WORDS_ALONE,
    Comparison,
    Likeness,
    Trust,
    comparable_title,
    compare,
    is_imposed,
    reason_for_one,
)
from feedhub.rules.habits import Habits, habits_of
from feedhub.rules.identity import (
    Classes,
    KeyedDocument,
    item_id,
    joined_values,
    known_values,
    named_values,
    told_apart,
    values_agree,
    without_keys,
)

_REMEMBERED: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})
# Up to here a reason holds for several records of a document; beyond, only for the first.
_SHARED_REASONS: Final = 4
_NAMED, _ACROSS, _WHOLESALE, _NAMED_BY_WORDS, _BY_TITLE = 0, 3, 6, 7, 9


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
    remembered = frozenset(key for keyed in document.items for key in keyed.keys if key.text in known.distrusted)
    items = told_apart([without_keys(keyed, remembered) for keyed in document.items])
    habits = habits_of(items, known.items, changing)
    matching = _Matching(
        source=source.name,
        site_url=site_url,
        known=known,
        items=items,
        habits=habits,
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
    count = sum(decision.verdict is Verdict.UNIDENTIFIED for decision in decisions)
    return (f"{count} records have nothing to recognise them by and were left out",) if count else ()


# --- which record is which item ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """A record that is a known item: how strong the reason is (0 is strongest), and by what."""

    strength: int
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
    now: datetime
    within: float
    notes: list[LedgerNote] = field(default_factory=list)
    sections: dict[IdentityKey, None] = field(default_factory=dict)
    _claimed: dict[str, str] = field(default_factory=dict)
    _stretches: dict[IdentityKey, datetime] = field(default_factory=dict)

    def decisions(self) -> tuple[Decision, ...]:
        """Decide about every record, in the order of the records."""
        decided: dict[int, Decision] = {}
        groups = self._groups()
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

    def _groups(self) -> list[list[int]]:
        """Put records together that are one item by themselves; the first of each group speaks for it.

        The newest does, else what was said before: never the place in the document, or the item would seem edited
        whenever two records change places.
        """
        order = sorted(range(len(self.items)), key=self._rank)
        if self._all_differ():
            return [[number] for number in order]
        classes = Classes(len(order))
        names: dict[int, dict[str, set[str]]] = {}
        first: dict[object, int] = {}
        for place, number in enumerate(order):
            keyed = self.items[number]
            names[place] = named_values(keyed)
            for key in (*keyed.keys, *_whole(keyed), *self._near_titles(keyed)):
                other = classes.find(first.setdefault(key, place))
                own = classes.find(place)
                if other != own and values_agree(names[other], names[own]):
                    classes.join(place, other)
                    names[classes.find(place)] = joined_values(names[other], names[own])
        groups: dict[int, list[int]] = {}
        for place, number in enumerate(order):
            groups.setdefault(classes.find(place), []).append(number)
        return [sorted(group, key=self._turn) for group in groups.values()]

    def _all_differ(self) -> bool:
        """Tell whether no two records share anything by which they could be one item: so it mostly is."""
        keys = [key for keyed in self.items for key in keyed.keys]
        words = {keyed.item.text_digest for keyed in self.items}
        has_titles = any(keyed.titles for keyed in self.items)
        return len(words) == len(self.items) and len(set(keys)) == len(keys) and not has_titles

    def _near_titles(self, keyed: KeyedItem) -> Iterator[object]:
        """Yield what records of one title share where the configuration lets a title decide: a stretch of time."""
        at = keyed.item.published_at or self.now
        for key in keyed.titles:
            nearest = self._stretches.setdefault(key, at)
            if abs((at - nearest).total_seconds()) > self.within:
                nearest = self._stretches[key] = at
            yield key, nearest

    def _rank(self, number: int) -> tuple[float, str, str]:
        item = self.items[number].item
        at = item.published_at.timestamp() if item.published_at else -inf
        return -at, item.text_digest, f"{item.guid} {item.link}"

    def _turn(self, number: int) -> tuple[float, bool, str, str]:
        newest, words, rest = self._rank(number)
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
        same_words = Counter(self.items[group[0]].item.text_digest for group in groups)
        matches = [
            (match.strength, match.target.id, number, match)
            for number, group in enumerate(groups)
            for record in group
            for target in self._targets(self.items[record])
            if (match := self._weighed(record, target))
            # Words that several records of the document have are those of none of them.
            and (match.strength != WORDS_ALONE or same_words[self.items[record].item.text_digest] == 1)
        ]
        matches.sort(key=lambda found: found[:3])
        settled: dict[int, _Match] = {}
        values: dict[str, dict[str, set[str]]] = {}
        for strength, item, number, match in matches:
            if number in settled:
                if settled[number].target.id != item and strength <= _SHARED_REASONS:
                    self._note_conflict(match, settled[number])
                continue
            own = named_values(self.items[match.record])
            if item not in values:
                settled[number], values[item] = match, joined_values(own, known_values(match.target))
            elif (strength <= _SHARED_REASONS or strength == _BY_TITLE) and values_agree(own, values[item]):
                settled[number], values[item] = match, joined_values(own, values[item])
        return settled

    def _weighed(self, record: int, target: KnownItem) -> _Match | None:
        """Return why a record is a known item, or None where that cannot be said."""
        keyed = self.items[record]
        if target.named and _names_differ(keyed, target):
            return None
        keys = {key.strength: key for key in reversed(keyed.keys) if self._leads_to(key, target)}
        named = keys.get(KeyStrength.NAMED)
        before = target.sighting
        if named and not (before and is_imposed(named, before, keyed)):
            return _Match(strength=_NAMED, reason=named.name, record=record, target=target, key=named)
        if before is None:
            key = next((key for key in keyed.keys if self._leads_to(key, target)), None)
            if key is None or key.text in self.known.sections:
                return self._by_title(record, target)
            return _Match(strength=_ACROSS, reason=key.name, record=record, target=target, key=key)
        if keyed.signature in self.habits.signatures and self._leads_to(keyed.signature, target):
            return _Match(
                strength=_WHOLESALE, reason="title and date", record=record, target=target, key=keyed.signature
            )
        found = self._compared(keyed, target, before, keys)
        reason = reason_for_one(found, stable_guids=self.habits.stable_guids, stable_dates=self.habits.stable_dates)
        if reason is None:
            return self._by_title(record, target)
        if KeyStrength.TEXT in keys:
            reason = min(reason, (_NAMED_BY_WORDS, reason[1]))
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
            strength=_BY_TITLE, reason="title, as dedupe.same_title says", record=record, target=target, key=key
        )

    def _compared(
        self, keyed: KeyedItem, target: KnownItem, before: Sighting, keys: Mapping[KeyStrength, IdentityKey]
    ) -> Comparison:
        now = keyed.said
        own = {key.strength for key in keyed.keys}
        same_title = comparable_title(now.title) == comparable_title(before.title)
        # An item keeps every address and guid that it ever had; but an address that only another source gave it
        # says nothing when the headline is another.
        address: Likeness | None = None
        if KeyStrength.URL in keys and (same_title or before.url_key is None):
            address = SAME
        elif KeyStrength.URL in keys and before.url_key != now.url_key and "address" not in self.habits.changing:
            address = DIFFERENT
        guid = SAME if KeyStrength.GUID in keys else None
        trust = Trust(guid=KeyStrength.GUID in own, address=KeyStrength.URL in own, changing=self.habits.changing)
        return compare(now, before, trust, guid=guid, address=address)

    def _leads_to(self, key: IdentityKey, target: KnownItem) -> bool:
        found = self.known.items.get(key.text)
        return found is not None and found.id == target.id

    # --- what to store ---

    def _matched(self, speaker: int, match: _Match, *, is_repeat: bool) -> Decision:
        keyed, target = self.items[speaker], match.target
        verdict = Verdict.REPEAT if is_repeat else _verdict(keyed, target)
        if verdict is Verdict.DUPLICATE:
            self._note(
                keyed, "duplicate", f"the same item as one of {target.owner}, by {match.reason}", target, match.key
            )
        elif verdict is Verdict.REMOVED:
            self._note(keyed, "removed", "taken out by retention earlier, not presented again", target, match.key)
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
        before = target.sighting.evidence if target.sighting else None
        if before is None:
            return True
        now = keyed.evidence
        is_dated_anew = "date" not in self.habits.changing and now.published_at != before.published_at
        is_named_anew = (
            "guid" not in self.habits.changing
            and target.sighting is not None
            and (target.sighting.guid not in (None, keyed.said.guid))
        )
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
            rest = (keyed.said.guid, keyed.item.link, keyed.signature.text, keyed.evidence)
            name = replace(keyed.signature, strength=KeyStrength.TEXT, text=f"{keyed.signature.text}:{rest}")
        return name

    def _is_taken(self, key: IdentityKey) -> bool:
        return key.text in self.known.items or key.text in self._claimed

    def _gained(self, keyed: KeyedItem, item: str, *, is_stored: bool) -> tuple[IdentityKey, ...]:
        """Return the keys that an item gets by a record; what nobody has yet, and no random guid of a known item."""
        keys = [
            key
            for key in keyed.keys
            if not (key.strength is KeyStrength.GUID and "guid" in self.habits.changing and not is_stored)
        ]
        if is_stored and not any(key.strength is KeyStrength.URL for key in keyed.keys):
            keys += keyed.leads
        gained = [key for key in keys if not self._is_taken(key)]
        self._claimed.update((key.text, item) for key in gained)
        return tuple(gained)

    def _unidentified(self, keyed: KeyedItem) -> Decision:
        self._note(keyed, "rejected", "no link, guid, title, text, file or picture to recognise it by")
        return Decision(keyed=keyed, verdict=Verdict.UNIDENTIFIED, item_id="")

    def _note_conflict(self, match: _Match, settled: _Match) -> None:
        if settled.target.id == match.target.id:
            return
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


def _whole(keyed: KeyedItem) -> tuple[object, ...]:
    """Return all that a record says but for its guid, if that is enough to tell two copies of it by."""
    if keyed.evidence.published_at is None:
        return ()
    return ((keyed.item.link, keyed.item.text_digest, keyed.evidence, comparable_title(keyed.item.title)),)


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
