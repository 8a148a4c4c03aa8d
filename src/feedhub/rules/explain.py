"""Why two references are one item, or two: the answer of ``feedhub explain REF OTHER`` (SPEC §4)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from math import ceil
from typing import Final

from feedhub.model.identity import KeyStrength, Sighting
from feedhub.model.report import Explanation, SightingReport
from feedhub.model.source import DedupeSettings, Source
from feedhub.rules.evidence import (
    DIFFERENT,
    SAME,
    UNKNOWN,
    Comparison,
    Likeness,
    Trust,
    comparable_title,
    compare,
    listed,
    reason_for_one,
)
from feedhub.rules.health import duration_text
from feedhub.rules.identity import LINK_AS_GUID
from feedhub.rules.urls import canonical_url

_DAY: Final = 86_400
_NEAR_DAYS: Final = 7
_FAR_DAYS: Final = 31
# Weaker reasons hold only while no other record of the document has a better one.
_WEAKEST_ALONE: Final = 4
_MOBILE: Final = ("m.", "mobile.", "amp.")
_JOINING: Final = frozenset({"duplicate", "repeat"})
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class Obstacle(Enum):
    """What keeps two items apart."""

    NO_ITEM = "no_item"
    """One of them never became an item."""
    NAMED = "named_key"
    """Two values of one named key: two items, whatever else they say."""
    STORED = "stored"
    """Records that say this today would be one item, but stored items are never merged."""
    SHARED = "shared"
    """The address or guid that both have is that of several items."""
    ACROSS = "across_sources"
    """Between sources only a named key or the address is believed."""
    EVIDENCE = "evidence"
    """What is alike is not enough within one source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDifference:
    """Where two addresses differ: ``parts`` of host, path, parameters, fragment; ``parameters`` by name.

    ``is_addition``: each of the parameters stands in one of the addresses only.
    """

    parts: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    is_addition: bool = False

    def words(self) -> str:
        """Return the parts in words, such as ``the parameter ref``."""
        plural = "s" if len(self.parameters) > 1 else ""
        named = f"parameter{plural} {listed(self.parameters)}"
        return "the " + listed([named if part == "parameters" else part for part in self.parts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A key of the configuration and its value in YAML that would make one item of such records. ``is_set`` already."""

    key: str
    value: str
    is_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """When a record was taken for the item, and why. ``key`` led to it."""

    at: datetime
    source: str
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAnswer:
    """Why two references are one item or two.

    ``sources`` are those whose sightings were compared. ``shared`` are the address and the guid that both have, where
    several items have them. ``named`` are the named keys that differ: name, values of the
    one, values of the other. ``seconds_apart``: between the dates that they gave. ``reason`` is why records that say
    the same today are one item. ``joins`` say how records became one item, oldest first.
    """

    one: Explanation
    other: Explanation
    obstacle: Obstacle | None = None
    sources: tuple[str, ...] = ()
    comparison: Comparison | None = None
    address: AddressDifference | None = None
    seconds_apart: float | None = None
    named: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()
    shared: tuple[str, ...] = ()
    reason: str = ""
    settings: tuple[Setting, ...] = ()
    joins: tuple[Join, ...] = ()

    @property
    def has_likeness(self) -> bool:
        """Whether anything that both say is alike."""
        return self.comparison is not None and any(likeness is SAME for _, likeness in self.comparison.parts())

    @property
    def is_one(self) -> bool:
        """Whether both are one item."""
        return self.obstacle is None

    def words(self) -> str:
        """Say what is alike and what differs, such as ``titles alike; addresses differ in the parameter ref``."""
        if self.comparison is None:
            return "nothing to compare"
        rest, said = self.comparison, []
        if self.seconds_apart and rest.instant is DIFFERENT:
            rest = replace(rest, instant=UNKNOWN)
            said.append(f"dates differ by {duration_text(self.seconds_apart)}")
        if self.address:
            rest = replace(rest, address=UNKNOWN)
            said.append(f"addresses differ in {self.address.words()}")
        if not said or any(likeness is not UNKNOWN for _, likeness in rest.parts()):
            said.insert(0, rest.words())
        return "; ".join(said)


def chosen_pair(ones: Sequence[Explanation], others: Sequence[Explanation]) -> tuple[Explanation, Explanation] | None:
    """Return the two that are meant, or None where a reference may mean several items.

    Of an address that two items have, the item that the other reference does not mean is meant.
    """
    ones, others = _items_first(ones), _items_first(others)
    mine, theirs = _ids(ones), _ids(others)
    if len(ones) == 2 and mine == theirs:
        return ones[0], ones[1]
    if len(ones) == 1 and len(others) > 1:
        others = [one for one in others if one.item_id not in mine]
    elif len(others) == 1 and len(ones) > 1:
        ones = [one for one in ones if one.item_id not in theirs]
    return (ones[0], others[0]) if len(ones) == len(others) == 1 else None


def under_guids(one: Explanation, ref: str) -> Explanation:
    """Return what is known of an item under the guid that ``ref`` is word for word, if it has that guid."""
    names = (f"guid:{seen.source}:{ref}" for seen in one.sightings)
    return replace(one, ref=next((name for name in names if name in one.keys), one.ref))


def explain_pair(
    one: Explanation,
    other: Explanation,
    *,
    sources: Mapping[str, Source],
    changing: Mapping[str, frozenset[str]],
) -> PairAnswer:
    """Say why two references are one item, or why they are two and which settings would join such records.

    ``changing`` are by source the parts that it changes on known items at each poll.
    """
    if one.item_id is None or other.item_id is None:
        return PairAnswer(one=one, other=other, obstacle=Obstacle.NO_ITEM)
    if one.item_id == other.item_id:
        return _one_item(one, other)
    pair = _nearest(one, other)
    if pair is None:
        return PairAnswer(one=one, other=other, obstacle=Obstacle.EVIDENCE, named=_named_difference(one, other))
    return _Apart(one=one, other=other, pair=pair, sources=sources, changing=changing).answer()


# --- one item ----------------------------------------------------------------------------------------------------


def _one_item(one: Explanation, other: Explanation) -> PairAnswer:
    joins = [
        Join(at=entry.at, source=entry.source, reason=entry.reason, key=entry.key)
        for entry in one.ledger
        if entry.kind in _JOINING and entry.item_id == one.item_id
    ]
    told = {(join.at, join.source) for join in joins}
    asked = {one.ref, other.ref}
    names = [report.text for report in one.key_reports if report.strength <= KeyStrength.GUID]
    # By an id or a title one asks about all of the item's names.
    later = (_later_key(one, name) for name in names if name in asked or not asked <= {*names})
    joins += [join for join in later if join and (join.at, join.source) not in told]
    joins.sort(key=lambda join: join.at)
    seen = _owners(one), _sighting_named(one, other.ref)
    if seen[0] is None or seen[1] is None:
        return PairAnswer(one=one, other=other, joins=tuple(joins))
    return _compared(PairAnswer(one=one, other=other, joins=tuple(joins)), (seen[0], seen[1]))


def _later_key(one: Explanation, ref: str) -> Join | None:
    """Return how an item came to a key that it did not have from the beginning."""
    report = next((report for report in one.key_reports if report.text == ref), None)
    earlier = {each.text for each in one.key_reports if report and each.since < report.since}
    if report is None or not earlier:
        return None
    seen = next((each for each in one.sightings if ref in _names(each)), None)
    known = [name for name in _names(seen) if name in earlier] if seen else []
    words = f"a record with this key was taken for the item by {known[0] if known else 'the rest that it says'}"
    return Join(at=report.since, source=seen.source if seen else one.owner or "", reason=words, key=ref)


def _names(seen: SightingReport) -> tuple[str, ...]:
    guid = f"guid:{seen.source}:{seen.said.guid}" if seen.said.guid else None
    return tuple(name for name in (seen.said.url_key, guid) if name)


def _sighting_named(item: Explanation, ref: str) -> SightingReport | None:
    """Return the sighting of another source than the owner that a reference is of, or else the first of another."""
    others = [seen for seen in item.sightings if seen.source != item.owner]
    return next((seen for seen in others if ref in _names(seen)), others[0] if others else None)


# --- two items ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apart:
    """Two items and the sightings of them that are nearest to each other; the second was seen later."""

    one: Explanation
    other: Explanation
    pair: tuple[SightingReport, SightingReport]
    sources: Mapping[str, Source]
    changing: Mapping[str, frozenset[str]]

    def answer(self) -> PairAnswer:
        """Say what keeps them apart, and what would join them."""
        found = _compared(PairAnswer(one=self.one, other=self.other), self.pair)
        found = replace(found, named=_named_difference(self.one, self.other))
        if found.named:
            return replace(found, obstacle=Obstacle.NAMED)
        settings = tuple(setting for setting in self._settings(found) if setting is not None)
        reason = self._reason(None)
        if reason or any(setting.is_set for setting in settings):
            return replace(found, obstacle=Obstacle.STORED, reason=reason, settings=settings)
        if shared := set(_names(self.pair[0])) & set(_names(self.pair[1])) & self._shared:
            return replace(found, obstacle=Obstacle.SHARED, shared=tuple(sorted(shared)), settings=settings)
        apart = Obstacle.EVIDENCE if self._is_one_source else Obstacle.ACROSS
        return replace(found, obstacle=apart, settings=settings)

    @property
    def _is_one_source(self) -> bool:
        return self.pair[0].source == self.pair[1].source

    @property
    def _shared(self) -> set[str]:
        return {*self.one.shared, *self.other.shared}

    def _dedupe(self, seen: SightingReport) -> DedupeSettings:
        source = self.sources.get(seen.source)
        return source.dedupe if source else DedupeSettings()

    def _reason(self, address: Likeness | None) -> str:
        """Return why records that say this are one item, if their addresses are alike as ``address`` says."""
        before, now = self.pair
        if not self._is_one_source:
            alike = address or _address_likeness(before.said.url_key, now.said.url_key)
            return "url" if alike is SAME and now.said.url_key not in self._shared else ""
        changing = self.changing.get(now.source, frozenset())
        trust = Trust(
            guid=f"guid:{now.source}:{now.said.guid}" not in self._shared,
            address=now.said.url_key not in self._shared,
            changing=changing,
        )
        found = reason_for_one(
            compare(now.said, before.said, trust, address=address),
            stable_guids="guid" not in changing,
            stable_dates="date" not in changing,
        )
        return found[1] if found and found[0] <= _WEAKEST_ALONE else ""

    # --- what would join them ---

    def _settings(self, found: PairAnswer) -> tuple[Setting | None, ...]:
        if found.comparison and DIFFERENT in (found.comparison.files, found.comparison.pictures):
            return ()  # two episodes, whatever else is alike
        return self._parameters(found), self._same_title(), self._one_host(found)

    def _parameters(self, found: PairAnswer) -> Setting | None:
        """Suggest leaving parameters out, if that joins them and the parameters do not seem to name pages."""
        difference = found.address
        if difference is None or difference.parts != ("parameters",):
            return None
        patterns = tuple(re.sub(r"([*?\[])", r"[\1]", name) for name in difference.parameters)
        without = self._addresses(patterns, patterns)
        if without[0] is None or without[0] != without[1] or not self._reason(SAME):
            return None
        if not difference.is_addition and not self._same_words:
            return None
        own = self._addresses(*(self._dedupe(seen).ignore_parameters for seen in self.pair))
        return Setting(
            key="dedupe.ignore_parameters",
            value=f"[{', '.join(map(_yaml_name, patterns))}]",
            is_set=own[0] is not None and own[0] == own[1],
        )

    @property
    def _same_words(self) -> bool:
        first, second = self.pair
        return _is_same_title(first, second) and "" != first.text_digest == second.text_digest

    def _addresses(self, one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str | None, str | None]:
        """Return both addresses without the parameters that one and the other leave out."""
        first, second = (f"https://{(seen.said.url_key or '').removeprefix('url:')}" for seen in self.pair)
        return canonical_url(first, one), canonical_url(second, other)

    def _same_title(self) -> Setting | None:
        """Suggest that a title decides, if the titles are alike and the dates not far from each other."""
        first, second = (self.sources.get(seen.source) for seen in self.pair)
        at = self.one.published_at, self.other.published_at
        if not _is_same_title(*self.pair) or first is None or second is None or at[0] is None or at[1] is None:
            return None
        apart = abs((at[0] - at[1]).total_seconds())
        days = max(_NEAR_DAYS, ceil(apart / _DAY))
        across = not self._is_one_source
        if days > _FAR_DAYS or (across and not set(first.categories) & set(second.categories)):
            return None
        return Setting(
            key="dedupe.same_title",
            value=f"{{within: {days}d, across: category}}" if across else f"{days}d",
            is_set=all(
                source.dedupe.same_title is not None
                and apart <= source.dedupe.same_title
                and (source.dedupe.across or not across)
                for source in (first, second)
            ),
        )

    def _one_host(self, found: PairAnswer) -> Setting | None:
        """Suggest a rule that puts addresses right, where they differ in nothing but the host."""
        if found.address is None or found.address.parts != ("host",) or not _is_same_title(*self.pair):
            return None
        if not self._reason(SAME):
            return None
        hosts = [_parts(seen.said.url_key or "")[0] for seen in self.pair]
        first, second = sorted(hosts, key=lambda host: host.startswith(_MOBILE))
        pattern = f"^https?://{re.escape(second)}/"
        return Setting(
            key="rules",
            value=f"[{{name: one host, when: {{link: '{pattern}'}}, "
            f"then: {{replace: {{field: link, pattern: '{pattern}', with: 'https://{first}/'}}}}}}]",
        )


def _nearest(one: Explanation, other: Explanation) -> tuple[SightingReport, SightingReport] | None:
    """Return the sightings of one source that are most alike, else those of the owners; the earlier one first."""
    pairs = [(mine, theirs) for mine in one.sightings for theirs in other.sightings if mine.source == theirs.source]
    if not pairs:
        mine, theirs = _owners(one), _owners(other)
        if mine is None or theirs is None:
            return None
        pairs = [(mine, theirs)]
    nearest = max(pairs, key=_count_alike)
    return nearest if nearest[0].first_seen_at <= nearest[1].first_seen_at else (nearest[1], nearest[0])


def _owners(item: Explanation) -> SightingReport | None:
    own = (seen for seen in item.sightings if seen.source == item.owner)
    return next(own, item.sightings[0] if item.sightings else None)


def _count_alike(pair: tuple[SightingReport, SightingReport]) -> int:
    found = compare(pair[1].said, pair[0].said, Trust())
    return sum(likeness is SAME for _, likeness in found.parts())


def _compared(answer: PairAnswer, pair: tuple[SightingReport, SightingReport]) -> PairAnswer:
    """Compare two sightings for people: texts without their titles, and nothing where one has nothing."""
    before, now = pair
    has_guids = before.source == now.source and all(guid_of_publisher(seen.said) for seen in pair)
    found = compare(now.said, before.said, Trust(), guid=None if has_guids else UNKNOWN)
    found = replace(
        found,
        title=found.title if before.said.title or now.said.title else UNKNOWN,
        text=_likeness(before.text_digest, now.text_digest),
    )
    dates = [seen.said.evidence.published_at for seen in pair if seen.said.evidence and seen.said.evidence.published_at]
    return replace(
        answer,
        sources=(before.source, now.source),
        comparison=found,
        address=_address_difference(before, now),
        seconds_apart=abs((dates[0] - dates[1]).total_seconds()) if len(dates) == 2 else None,
    )


def guid_of_publisher(said: Sighting) -> str | None:
    """Return the guid that a record gave; what stands for one (``rules/identity.py: guid_of``) is none."""
    return None if (said.guid or "").startswith(LINK_AS_GUID) else said.guid


def _likeness(one: str, other: str) -> Likeness:
    if not one or not other:
        return UNKNOWN
    return SAME if one == other else DIFFERENT


def _address_likeness(one: str | None, other: str | None) -> Likeness:
    return _likeness(one or "", other or "")


def _address_difference(before: SightingReport, now: SightingReport) -> AddressDifference | None:
    one, other = before.said.url_key, now.said.url_key
    if one is None or other is None:
        return None
    if one == other:
        fragments = {(seen.link or "").partition("#")[2] for seen in (before, now)}
        return AddressDifference(parts=("fragment",)) if len(fragments) > 1 else None
    (host, path, query), (other_host, other_path, other_query) = _parts(one), _parts(other)
    differing = set(query) ^ set(other_query)
    names = tuple(sorted({parameter.partition("=")[0].lower() for parameter in differing}))
    in_both = [{parameter.partition("=")[0].lower() for parameter in each} for each in (query, other_query)]
    differs = (("host", host != other_host), ("path", path != other_path), ("parameters", bool(names)))
    return AddressDifference(
        parts=tuple(name for name, is_other in differs if is_other),
        parameters=names,
        is_addition=not set(names) & in_both[0] & in_both[1],
    )


def _parts(url_key: str) -> tuple[str, str, tuple[str, ...]]:
    """Return host, path and parameters of a URL key."""
    address, _, query = url_key.removeprefix("url:").partition("?")
    host, slash, path = address.partition("/")
    return host, slash + path, tuple(parameter for parameter in query.split("&") if parameter)


def _is_same_title(one: SightingReport, other: SightingReport) -> bool:
    title = comparable_title(one.said.title)
    return title != "" and title == comparable_title(other.said.title)


def _named_difference(one: Explanation, other: Explanation) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Return the named keys of which both have values and none in common."""
    mine, theirs = _named(one), _named(other)
    return tuple(
        (name, tuple(sorted(mine[name])), tuple(sorted(theirs[name])))
        for name in sorted(mine.keys() & theirs.keys())
        if not mine[name] & theirs[name]
    )


def _named(item: Explanation) -> dict[str, set[str]]:
    values: dict[str, set[str]] = {}
    for report in item.key_reports:
        if report.strength is KeyStrength.NAMED:
            name, _, value = report.text.partition(":")
            values.setdefault(name, set()).add(value)
    return values


def _items_first(found: Sequence[Explanation]) -> list[Explanation]:
    """Leave out what never became an item where the reference means items too."""
    return [one for one in found if one.item_id] or list(found)


def _ids(found: Sequence[Explanation]) -> set[str]:
    return {one.item_id for one in found if one.item_id}


def _yaml_name(name: str) -> str:
    is_plain = _PLAIN_NAME.fullmatch(name) and name.lower() not in _YAML_WORDS
    return name if is_plain else "'" + name.replace("'", "''") + "'"
