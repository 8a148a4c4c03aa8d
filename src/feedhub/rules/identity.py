"""Identity keys: how one record of one document can be recognised (SPEC §4)."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from feedhub.model.identity import IdentityKey, KeyedItem, KeyPattern, KeyStrength
from feedhub.model.item import ParsedItem
from feedhub.rules.patterns import compile_pattern
from feedhub.rules.urls import canonical_url, without_query

# A user's own pattern is believed longer than a publisher's guid: two records with one infoCode are one article
# with a corrected headline, three different headlines are a pattern that matches too much.
_TITLES_ALLOWED: Final = {KeyStrength.NAMED: 2, KeyStrength.URL: 1, KeyStrength.GUID: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedDocument:
    """The records of one document with their keys; ``warnings`` name keys that do not discriminate."""

    items: tuple[KeyedItem, ...]
    distrusted: tuple[IdentityKey, ...] = ()
    warnings: tuple[str, ...] = ()


def keyed_document(items: Sequence[ParsedItem], patterns: Sequence[KeyPattern], source: str) -> KeyedDocument:
    """Give every record its keys, leaving out those that several different records of the document share."""
    keyed = [_keyed(item, patterns, source) for item in items]
    distrusted = _indiscriminate(keyed)
    if not distrusted:
        return KeyedDocument(items=tuple(keyed))
    return KeyedDocument(
        items=tuple(without_keys(one, distrusted) for one in keyed),
        distrusted=tuple(sorted(distrusted)),
        warnings=tuple(
            f"{key.name} {_shown(key)} is shared by {count} different records and identifies none of them"
            for key, count in sorted(distrusted.items())
        ),
    )


def without_keys(keyed: KeyedItem, distrusted: "dict[IdentityKey, int] | frozenset[IdentityKey]") -> KeyedItem:
    """Take keys away from a record; what is left, or else its fingerprint, identifies it."""
    lost = tuple(key for key in keyed.keys if key in distrusted)
    if not lost:
        return keyed
    kept = tuple(key for key in keyed.keys if key not in distrusted)
    if not kept and keyed.fingerprint:
        kept = (keyed.fingerprint,)
    return replace(keyed, keys=kept, distrusted=keyed.distrusted + lost)


def lookup_keys(items: Sequence[KeyedItem]) -> tuple[IdentityKey, ...]:
    """Return everything the store has to be asked for to judge a document, in one go."""
    asked: dict[IdentityKey, None] = {}
    for keyed in items:
        asked.update(dict.fromkeys(keyed.keys + keyed.distrusted))
        asked[keyed.signature] = None
        if keyed.fingerprint:
            asked[keyed.fingerprint] = None
    return tuple(asked)


def item_id(site_url: str, key: IdentityKey) -> str:
    """Return the permanent id that follows from a key: a version 5 UUID (RFC 9562) over the site's address."""
    return uuid5(_namespace(site_url), key.text).urn


def comparable_title(title: str) -> str:
    """Return a title so that width, case and white space make no difference."""
    return "".join(unicodedata.normalize("NFKC", title).casefold().split())


def extras_digest(item: ParsedItem) -> str:
    """Return a digest of what is worth storing again although the text is the same: link and enclosures.

    Queries of enclosures are left out, since many carry a token that changes with every request.
    """
    link = canonical_url(item.link) if item.link else None
    return _digest(link or item.link or "", *(without_query(enclosure.url) for enclosure in item.enclosures))


def key_text(name: str, value: str) -> str:
    """Return the text of a key that holds across sources, such as ``infoCode:2021`` or ``url:example.org/a``."""
    return f"{name}:{value}"


def _keyed(item: ParsedItem, patterns: Sequence[KeyPattern], source: str) -> KeyedItem:
    keys = [key for pattern in patterns if (key := _named_key(item, pattern))]
    url = canonical_url(item.link) if item.link else None
    if url:
        keys.append(IdentityKey(KeyStrength.URL, key_text("url", url)))
    if item.guid:
        keys.append(IdentityKey(KeyStrength.GUID, f"guid:{source}:{item.guid}"))
    fingerprint = _fingerprint(item, source)
    if not keys and fingerprint:
        keys.append(fingerprint)
    moment = item.published_at.isoformat() if item.published_at else item.text_digest
    signature = _digest(comparable_title(item.title) or item.text_digest, moment)
    return KeyedItem(
        item=item,
        keys=tuple(keys),
        fingerprint=fingerprint,
        signature=IdentityKey(KeyStrength.SIGNATURE, f"signature:{source}:{signature}"),
    )


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


def _fingerprint(item: ParsedItem, source: str) -> IdentityKey | None:
    has_text = any(body and body.value.strip() for body in (item.summary, item.content))
    if not (item.title or has_text):
        return None
    return IdentityKey(KeyStrength.TEXT, f"text:{source}:{item.text_digest}")


def _indiscriminate(keyed: Sequence[KeyedItem]) -> dict[IdentityKey, int]:
    """Return the keys that several different records share, with the number of records."""
    users: dict[IdentityKey, list[ParsedItem]] = defaultdict(list)
    for one in keyed:
        for key in one.keys:
            if key.strength in _TITLES_ALLOWED:
                users[key].append(one.item)
    return {
        key: len(items)
        for key, items in users.items()
        if len(items) > 1 and _distinct(items) > _TITLES_ALLOWED[key.strength]
    }


def _distinct(items: Sequence[ParsedItem]) -> int:
    labels = {comparable_title(item.title) or item.text_digest for item in items}
    if len(labels) > 1:
        return len(labels)
    # One headline over and over ("Daily briefing") is still many items when guid, date and text all say so.
    distinct = min(
        len({item.guid for item in items}),
        len({item.published_at for item in items}),
        len({item.text_digest for item in items}),
    )
    return distinct if distinct == len(items) else 1


def _shown(key: IdentityKey) -> str:
    value = key.text.split(":", 2)[-1] if key.strength is KeyStrength.GUID else key.text.partition(":")[2]
    return f'"{value[:80]}"'


def _digest(*texts: str) -> str:
    joined = "\x00".join(texts).encode("utf-8", "replace")
    return hashlib.sha256(joined).hexdigest()[:32]


@lru_cache(maxsize=8)
def _namespace(site_url: str) -> UUID:
    return uuid5(NAMESPACE_URL, site_url)
