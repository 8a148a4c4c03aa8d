"""Identity keys: how one record of one document can be recognised, and which of them are one item (SPEC §4)."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from math import inf
from types import MappingProxyType
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from feedhub.model.identity import Evidence, IdentityKey, KeyedItem, KeyPattern, KeyStrength, KnownItem, Sighting
from feedhub.model.item import ParsedItem
from feedhub.model.source import Source
from feedhub.rules.evidence import comparable_title, evidence_of, moment, revised_address
from feedhub.rules.patterns import compile_pattern
from feedhub.rules.urls import canonical_url, without_query

# A user's own pattern is believed longer than a publisher's guid: two records with one infoCode are one article
# with a corrected headline, three different headlines are a pattern that matches too much.
_TITLES_ALLOWED: Final = {KeyStrength.NAMED: 2, KeyStrength.URL: 1, KeyStrength.GUID: 1}
# Two revisions of an article may stand in one document; more records whose guids count are entries of a list.
_MOST_REVISIONS: Final = 2
KEYS_OF_SOURCES: Final = ("guid", "text", "words", "files", "signature", "title")
"""What keys begin with that hold within one source: its name follows, between colons."""
LINK_AS_GUID: Final = "link:"
"""What begins the guid of a record that has none, but a link with a fragment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedDocument:
    """The records of one document with their keys; ``warnings`` name keys that do not discriminate."""

    items: tuple[KeyedItem, ...]
    distrusted: tuple[IdentityKey, ...] = ()
    warnings: tuple[str, ...] = ()


def keyed_document(
    items: Sequence[ParsedItem], source: Source, said: Mapping[int, Sighting] = MappingProxyType({})
) -> KeyedDocument:
    """Give every record its keys, leaving out those that several different records of the document share.

    Of some, by position, it is known what they say: they are given without their texts.
    """
    keyed = [_keyed(item, source, said.get(item.position)) for item in items]
    distrusted = _indiscriminate(keyed)
    words = Counter(one.item.text_digest for one in keyed)
    if not distrusted and len(words) == len(keyed):
        return KeyedDocument(items=tuple(keyed))
    return KeyedDocument(
        items=tuple(without_keys(_with_all_fallbacks(one, words, source), distrusted) for one in keyed),
        distrusted=tuple(sorted(distrusted)),
        warnings=tuple(
            f"{key.name} {_shown(key)} is shared by {count} different records and identifies none of them"
            for key, count in sorted(distrusted.items())
        ),
    )


def _with_all_fallbacks(keyed: KeyedItem, words: Mapping[str, int], source: Source) -> KeyedItem:
    """Return a record whose words others of the document have with everything that may name it instead."""
    if words[keyed.item.text_digest] == 1:
        return keyed
    fallbacks = _fallbacks(keyed.item, keyed.evidence, keyed.words, source.name, has_address=False)
    return replace(keyed, fallbacks=fallbacks)


def without_keys(keyed: KeyedItem, distrusted: "dict[IdentityKey, int] | frozenset[IdentityKey]") -> KeyedItem:
    """Take keys away from a record; what is left, or else its fingerprint, identifies it."""
    lost = tuple(key for key in keyed.keys if key in distrusted)
    if not lost:
        return keyed
    kept = tuple(key for key in keyed.keys if key not in distrusted) or keyed.fallbacks[:1]
    return replace(keyed, keys=kept, distrusted=keyed.distrusted + lost)


def told_apart(keyed: Sequence[KeyedItem]) -> list[KeyedItem]:
    """Name records that only their words identify by more than their words, where others of the document say the same.

    Which of several names a record gets does not depend on its place: the first that no other record has.
    """
    users: dict[IdentityKey, set[object]] = defaultdict(set)
    for one in keyed:
        # A front page, a fragment, or an address that is none of the web is no key, but two of them are two.
        link = one.item.link or ""
        says = (one.evidence, link.partition("#")[2] if one.said.url_key else link)
        for key in one.fallbacks:
            users[key].add(says)
    return [_told_apart(one, users) for one in keyed]


def _told_apart(keyed: KeyedItem, users: Mapping[IdentityKey, set[object]]) -> KeyedItem:
    if not keyed.keys or keyed.keys != keyed.fallbacks[:1] or len(users[keyed.keys[0]]) == 1:
        return keyed
    name = next((key for key in keyed.fallbacks if len(users[key]) == 1), keyed.fallbacks[-1])
    return replace(keyed, keys=(name,))


def own_names(keyed: KeyedItem) -> tuple[IdentityKey, ...]:
    """Return what names a record that only its words, and what it says beside them, identify."""
    if not keyed.keys or keyed.keys[0] not in keyed.fallbacks:
        return ()
    return keyed.fallbacks[keyed.fallbacks.index(keyed.keys[0]) :]


def lookup_keys(items: Sequence[KeyedItem]) -> tuple[IdentityKey, ...]:
    """Return everything the store has to be asked for to judge a document, in one go."""
    asked: dict[IdentityKey, None] = {}
    for keyed in items:
        asked.update(dict.fromkeys(keyed.keys + keyed.distrusted))
        asked[keyed.signature] = None
        asked.update(dict.fromkeys(keyed.fallbacks))
        asked.update(dict.fromkeys(keyed.leads + keyed.titles))
    return tuple(asked)


def item_id(site_url: str, key: IdentityKey) -> str:
    """Return the permanent id that follows from a key: a version 5 UUID (RFC 9562) over the site's address."""
    return uuid5(_namespace(site_url), key.text).urn


def extras_digest(item: ParsedItem, ignored: tuple[str, ...] = ()) -> str:
    """Return a digest of what is worth storing again although the text is the same: link and enclosures.

    Queries of enclosures are left out, since many carry a token that changes with every request.
    """
    link = canonical_url(item.link, ignored) if item.link else None
    return _digest(link or item.link or "", *(without_query(enclosure.url) for enclosure in item.enclosures))


def key_text(name: str, value: str) -> str:
    """Return the text of a key that holds across sources, such as ``infoCode:2021`` or ``url:example.org/a``."""
    return f"{name}:{value}"


def _keyed(item: ParsedItem, source: Source, said: Sighting | None = None) -> KeyedItem:
    keys = [key for pattern in source.identity if (key := _named_key(item, pattern))]
    ignored = source.dedupe.ignore_parameters
    urls = [canonical_url(link, ignored) for link in (item.link, item.received_link) if link]
    addresses = [IdentityKey(KeyStrength.URL, f"url:{url}") for url in dict.fromkeys(urls) if url]
    keys += addresses
    guid = guid_of(item)
    if guid:
        keys.append(IdentityKey(KeyStrength.GUID, f"guid:{source.name}:{guid}"))
    evidence = (said and said.evidence) or evidence_of(item)
    words = _words(item, source.name)
    fallbacks: tuple[IdentityKey, ...] = (words,) if words else ()
    if not (words and guid and addresses):
        fallbacks = _fallbacks(item, evidence, words, source.name, has_address=bool(addresses))
    date = item.published_at.isoformat() if item.published_at else item.text_digest
    signature = _digest(comparable_title(item.title) or item.text_digest, date)
    return KeyedItem(
        item=item,
        keys=tuple(keys) or fallbacks[:1],
        said=said
        or Sighting(
            guid=guid,
            url_key=addresses[0].text if addresses else None,
            title=item.title,
            text_digest=item.text_digest,
            extras_digest=extras_digest(item, ignored),
            offered=True,
            evidence=evidence,
        ),
        words=words,
        fallbacks=fallbacks,
        leads=_leads(item, evidence, words, source.name),
        titles=_titles(item, source),
        signature=IdentityKey(KeyStrength.SIGNATURE, f"signature:{source.name}:{signature}"),
    )


def _titles(item: ParsedItem, source: Source) -> tuple[IdentityKey, ...]:
    """Return keys of the title where the configuration lets a title decide: of the source, or of its categories."""
    title = comparable_title(item.title)
    if source.dedupe.same_title is None or not title:
        return ()
    scopes = [f"@{category}" for category in source.categories] if source.dedupe.across else [source.name]
    return tuple(IdentityKey(KeyStrength.SIGNATURE, f"title:{scope}:{_digest(title)}") for scope in scopes)


def _named_key(item: ParsedItem, pattern: KeyPattern) -> IdentityKey | None:
    compiled = compile_pattern(pattern.pattern)
    for field in pattern.fields:
        for text in field_texts(item, field):
            value = compiled.value(text)
            if value:
                return IdentityKey(KeyStrength.NAMED, key_text(pattern.name, value))
    return None


def field_texts(item: ParsedItem, field: str) -> tuple[str, ...]:
    """Return the texts of a field that patterns may look at: ``id link title summary content author``."""
    texts: dict[str, tuple[str | None, ...]] = {
        "id": (item.guid,),
        "link": (item.link,),
        "title": (item.title,),
        "summary": (item.summary.value if item.summary else None,),
        "content": (item.content.value if item.content else None,),
        "author": tuple(person.name for person in item.authors),
    }
    return tuple(text for text in texts[field] if text)


def guid_of(item: ParsedItem) -> str | None:
    """Return the guid of a record; without one, its link where a fragment may be what names the item."""
    if item.guid or not item.link or "#" not in item.link:
        return item.guid
    return LINK_AS_GUID + item.link


def _words(item: ParsedItem, source: str) -> IdentityKey | None:
    has_text = any(body and body.value.strip() for body in (item.summary, item.content))
    if not (item.title or has_text):
        return None
    return IdentityKey(KeyStrength.TEXT, f"text:{source}:{item.text_digest}")


def _fallbacks(
    item: ParsedItem, evidence: Evidence, words: IdentityKey | None, source: str, *, has_address: bool
) -> tuple[IdentityKey, ...]:
    """Return what names a record that has no key: its words, then with its files, pictures and date added in turn.

    At last all that it says, unless it has an address of its own.
    """
    found = [words] if words else []
    parts = [item.text_digest if words else ""]
    date = item.published_at.isoformat() if item.published_at else ""
    page = "" if words or not item.link else item.link
    for part in (page, evidence.files, evidence.pictures):
        if part:
            parts.append(part)
            found.append(_text_key(source, *parts))
    if date and found:
        found.append(_text_key(source, *parts, date))
    if found and not has_address:
        found.append(_text_key(source, *parts, date, item.guid or "", item.link or "", "whole"))
    return tuple(found)


def _leads(item: ParsedItem, evidence: Evidence, words: IdentityKey | None, source: str) -> tuple[IdentityKey, ...]:
    found = [IdentityKey(KeyStrength.SIGNATURE, f"words:{source}:{item.text_digest}")] if words else []
    files = [evidence.files] if evidence.files else []
    if any("?" in enclosure.url for enclosure in item.enclosures):
        files.append(evidence.bare_files)
    return (*found, *(IdentityKey(KeyStrength.SIGNATURE, f"files:{source}:{digest}") for digest in files))


def _text_key(source: str, *parts: str) -> IdentityKey:
    return IdentityKey(KeyStrength.TEXT, f"text:{source}:{_digest(*parts)}")


def _indiscriminate(keyed: Sequence[KeyedItem]) -> dict[IdentityKey, int]:
    """Return the keys that several different records share, with the number of records."""
    users: dict[IdentityKey, list[KeyedItem]] = defaultdict(list)
    for one in keyed:
        for key in one.keys:
            if key.strength in _TITLES_ALLOWED:
                users[key].append(one)
    return {
        key: len(items)
        for key, items in users.items()
        if len(items) > 1 and _distinct(items, key) > _TITLES_ALLOWED[key.strength]
    }


def _distinct(items: Sequence[KeyedItem], key: IdentityKey) -> int:
    """Return how many different items the records that share a key are, as far as they themselves tell."""
    titles = {comparable_title(one.item.title) or one.item.text_digest for one in items}
    if len(titles) > 1:
        return len(titles)
    # One headline over and over ("Daily briefing") is still many items when the rest says so.
    return len(set(_same_records(items, key).values()))


def _same_records(items: Sequence[KeyedItem], key: IdentityKey) -> dict[int, int]:
    """Put records of one key and title that are one item into one class, by number.

    Records that differ in guid (or, sharing that, in link) and in date, text or file are different items. So are
    entries of a list, which share even that.
    """
    classes = Classes(len(items))
    same: dict[object, int] = {}
    counted = {one.said.guid for one in items if _revised(one)}
    names = [_name_beside(one, key, is_list=len(counted) > _MOST_REVISIONS) for one in items]
    lists = _lists(items, names)
    is_spread = max(len(counted), len({_place(one) for one in items})) > _MOST_REVISIONS
    # The newest first, those without date last, and those without name after the others of their date, so that the
    # order of the document decides nothing.
    by_name = sorted(range(len(items)), key=lambda number: (names[number] is None, names[number] or ""))
    for number in sorted(by_name, key=lambda number: str(moment(items[number].evidence) or ""), reverse=True):
        one, name, date = items[number], names[number], moment(items[number].evidence)
        # Records of other addresses are no copies of each other if there are many, or no date says that they are.
        place = (_place(one), name if is_spread else "") if is_spread or date is None else ()
        classes.join(number, same.setdefault((_says(one), date, place), number))
        first = same.setdefault(_says(one), number)
        if name is not None and name not in lists:
            classes.join(number, same.setdefault(name, number))
        elif name is None and date is None:
            classes.join(number, first)
    return {number: classes.find(number) for number in range(len(items))}


def _lists(items: Sequence[KeyedItem], names: Sequence[str | None]) -> set[str | None]:
    """Return which names are those of several entries of a list, not of revisions of one.

    Of records that share key, title and name, two with files of their own are entries, unless they are of one second
    and text; and so are more with dates, texts or files of their own.
    """
    said: dict[str | None, set[object]] = defaultdict(set)
    files: dict[str | None, set[str]] = defaultdict(set)
    beside: dict[str | None, set[object]] = defaultdict(set)
    for one, name in zip(items, names, strict=True):
        date, file = moment(one.evidence), one.evidence.bare_files
        said[name].add((date, one.item.text_digest, file))
        beside[name].add((date or file, one.item.text_digest))
        if file:
            files[name].add(file)
    return {name for name in said if len(said[name]) > _MOST_REVISIONS or min(len(files[name]), len(beside[name])) > 1}


def _says(one: KeyedItem) -> tuple[str, str, str]:
    return one.item.text_digest, one.evidence.files, one.evidence.pictures


def _place(one: KeyedItem) -> str:
    """Return where a record is found, with the fragment of its link."""
    return (one.said.url_key or "") + "#" + (one.item.link or "").partition("#")[2]


def _name_beside(one: KeyedItem, key: IdentityKey, *, is_list: bool) -> str | None:
    """Return what tells records of one key apart: the guid, or for records of one guid the address."""
    if key.strength is KeyStrength.GUID:
        return _place(one)
    base = None if is_list else _revised(one)
    return base or (one.said.guid and f"{one.said.guid} {_place(one)}")


def _revised(one: KeyedItem) -> str | None:
    return revised_address(one.said, one.item.link)


class Classes:
    """Numbers that belong together (union–find); the smallest stands for its class."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, number: int) -> int:
        """Return what stands for the class of a number."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one class of two."""
        one, other = self.find(one), self.find(other)
        self._parents[max(one, other)] = min(one, other)


def groups_of(items: Sequence[KeyedItem], now: datetime, within: float) -> list[list[int]]:
    """Put the records of a document together that are one item by themselves; the newest first.

    Where the configuration lets a title decide, so are those of one title at most ``within`` seconds apart; ``now``
    stands for the date of a record that has none.
    """
    order = sorted(range(len(items)), key=lambda number: rank(items[number]))
    if _all_differ(items):
        return [[number] for number in order]
    classes = Classes(len(order))
    names: dict[int, dict[str, set[str]]] = {}
    first: dict[object, int] = {}
    stretches: dict[IdentityKey, datetime] = {}
    for place, number in enumerate(order):
        keyed = items[number]
        names[place] = named_values(keyed)
        for key in (*keyed.keys, *_whole(keyed), *_near_titles(keyed, stretches, now, within)):
            other = classes.find(first.setdefault(key, place))
            own = classes.find(place)
            if other != own and values_agree(names[other], names[own]):
                classes.join(place, other)
                names[classes.find(place)] = joined_values(names[other], names[own])
    groups: dict[int, list[int]] = {}
    for place, number in enumerate(order):
        groups.setdefault(classes.find(place), []).append(number)
    return list(groups.values())


def rank(keyed: KeyedItem) -> tuple[float, str, str]:
    """Return where a record stands by itself, wherever it stands in its document: the newest first."""
    item = keyed.item
    at = item.published_at.timestamp() if item.published_at else -inf
    return -at, item.text_digest, f"{item.guid} {item.link}"


def _all_differ(items: Sequence[KeyedItem]) -> bool:
    """Tell whether no two records share anything by which they could be one item: so it mostly is."""
    keys = [key for keyed in items for key in keyed.keys]
    words = {keyed.item.text_digest for keyed in items}
    has_titles = any(keyed.titles for keyed in items)
    return len(words) == len(items) and len(set(keys)) == len(keys) and not has_titles


def _near_titles(
    keyed: KeyedItem, stretches: dict[IdentityKey, datetime], now: datetime, within: float
) -> Iterator[object]:
    """Yield what records of one title share where the configuration lets a title decide: a stretch of time."""
    at = keyed.item.published_at or now
    for key in keyed.titles:
        nearest = stretches.setdefault(key, at)
        if abs((at - nearest).total_seconds()) > within:
            nearest = stretches[key] = at
        yield key, nearest


def _whole(keyed: KeyedItem) -> tuple[object, ...]:
    """Return all that a record says but for its guid, if that is enough to tell two copies of it by."""
    if not keyed.keys or keyed.evidence.published_at is None:
        return ()
    return ((keyed.item.link, keyed.item.text_digest, keyed.evidence, comparable_title(keyed.item.title)),)


def _shown(key: IdentityKey) -> str:
    value = key.text.split(":", 2)[-1] if key.strength is KeyStrength.GUID else key.text.partition(":")[2]
    return f'"{value[:80]}"'


def _digest(*texts: str) -> str:
    joined = "\x00".join(texts).encode("utf-8", "replace")
    return hashlib.sha256(joined).hexdigest()[:32]


@lru_cache(maxsize=8)
def _namespace(site_url: str) -> UUID:
    return uuid5(NAMESPACE_URL, site_url)


def named_values(keyed: KeyedItem) -> dict[str, set[str]]:
    """Return the values of a record's named keys, by name."""
    return _by_name(keyed.keys)


def known_values(target: KnownItem) -> dict[str, set[str]]:
    """Return the values of a known item's named keys, by name."""
    return _by_name(target.named)


def _by_name(keys: Sequence[IdentityKey]) -> dict[str, set[str]]:
    values: dict[str, set[str]] = {}
    for key in keys:
        if key.strength is KeyStrength.NAMED:
            values.setdefault(key.name, set()).add(key.text)
    return values


def values_agree(one: Mapping[str, set[str]], other: Mapping[str, set[str]]) -> bool:
    """Tell whether values could be those of one item: of a name that both have, a value is the same."""
    return all(one[name] & other[name] for name in one.keys() & other.keys())


def joined_values(one: Mapping[str, set[str]], other: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the values of both."""
    return {name: one.get(name, set()) | other.get(name, set()) for name in one.keys() | other.keys()}
