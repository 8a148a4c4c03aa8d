"""A source that re-identifies itself: all guids or all links change at once (SPEC §4, guarantee 36)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feedhub.model.identity import IdentityKey, KeyedItem, KeyStrength, KnownItem, Sighting
from feedhub.rules.identity import comparable_title


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What changed wholesale: then a changed guid (or link) says nothing about a single record.

    ``signatures`` are those of records that lost both and are recognised by headline and date.
    """

    guids: bool = False
    links: bool = False
    signatures: frozenset[IdentityKey] = frozenset()
    note: str = ""


def find_migration(items: Sequence[KeyedItem], known: Mapping[str, KnownItem]) -> Migration:
    """Look at a whole document for wholesale changes of guids or links."""
    guids = _mostly_changed(items, known, KeyStrength.URL)
    links = _mostly_changed(items, known, KeyStrength.GUID)
    signatures = _re_identified(items, known)
    causes = [name for name, found in (("guids", guids), ("links", links)) if found]
    if signatures:
        causes = ["guids and links"]
    note = f"the source changed its {' and its '.join(causes)} all at once; known items stay known" if causes else ""
    return Migration(guids=guids, links=links, signatures=signatures, note=note)


def _mostly_changed(items: Sequence[KeyedItem], known: Mapping[str, KnownItem], anchor: KeyStrength) -> bool:
    """Tell whether most records found by URL have another guid (or by guid another link), headlines unchanged."""
    same = changed = same_title = 0
    for keyed in items:
        found = _own_sighting(keyed, known, anchor)
        if found is None:
            continue
        before, now = _other_side(keyed, found, anchor)
        if before is None or now is None or before == now:
            same += 1
            continue
        changed += 1
        same_title += comparable_title(found.title) == comparable_title(keyed.item.title)
    return changed >= 2 and changed > same and same_title * 2 >= changed


def _own_sighting(keyed: KeyedItem, known: Mapping[str, KnownItem], anchor: KeyStrength) -> Sighting | None:
    key = next((key for key in keyed.keys if key.strength is anchor), None)
    target = known.get(key.text) if key else None
    return target.sighting if target else None


def _other_side(keyed: KeyedItem, found: Sighting, anchor: KeyStrength) -> tuple[str | None, str | None]:
    if anchor is KeyStrength.URL:
        return found.guid, keyed.item.guid
    url = next((key.text for key in keyed.keys if key.strength is KeyStrength.URL), None)
    return found.url_key, url


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
    return frozenset(found) if enough and len(set(found)) == len(found) else frozenset()
