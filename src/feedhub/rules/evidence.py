"""Evidence: what speaks for and against two records being one item (SPEC §4, "Evidence").

A record and what a source said before are compared part by part; the parts together, never one of them alone, say
whether both are one item. A part that does not discriminate in its source (``Trust``) is unknown: neither for nor
against.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, time
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from feedhub.model.identity import Evidence, IdentityKey, KeyedItem, Sighting
from feedhub.model.item import ParsedItem
from feedhub.rules.urls import canonical_url, without_query

_SHOWN: Final = re.compile(
    r"""<(?:img|video|audio|source|iframe)\b[^<>]*?\ssrc\s*=\s*["']?([^\s"'<>]{1,2000})""", re.IGNORECASE
)
_MIDNIGHT: Final = time(0, tzinfo=UTC)


class Likeness(Enum):
    """What one part of two records says about them."""

    SAME = "alike"
    DIFFERENT = "differ"
    UNKNOWN = "unknown"


SAME, DIFFERENT, UNKNOWN = Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which parts are evidence. ``guid`` and ``address``: this very value discriminates. ``changing``: parts that the
    source changes on items that are known, of ``guid``, ``address`` and ``date``."""

    guid: bool = True
    address: bool = True
    changing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every part of two records, compared. ``is_revision``: the guids are one address with two counters."""

    guid: Likeness
    address: Likeness
    instant: Likeness
    title: Likeness
    text: Likeness
    files: Likeness
    pictures: Likeness
    is_revision: bool = False

    def parts(self) -> Iterator[tuple[str, Likeness]]:
        """Yield each part by its name in plain words."""
        yield "guids", self.guid
        yield "addresses", self.address
        yield "dates", self.instant
        yield "titles", self.title
        yield "texts", self.text
        yield "files", self.files
        yield "pictures", self.pictures

    def words(self) -> str:
        """Say which parts are alike and which differ, such as ``titles and texts alike; guids and dates differ``."""
        said = [
            f"{listed([name for name, likeness in self.parts() if likeness is wanted])} {wanted.value}"
            for wanted in (SAME, DIFFERENT)
            if any(likeness is wanted for _, likeness in self.parts())
        ]
        return "; ".join(said) or "nothing to compare"

    @property
    def is_unopposed(self) -> bool:
        """Whether neither guid, address, file nor picture speaks against one item."""
        return DIFFERENT not in (self.guid, self.address, self.files, self.pictures)


@lru_cache(maxsize=4096)  # a title is compared with several others, and was compared at the poll before
def comparable_title(title: str) -> str:
    """Return a title so that width, case and white space make no difference."""
    return "".join(unicodedata.normalize("NFKC", title).casefold().split())


def evidence_of(item: ParsedItem) -> Evidence:
    """Return what a record says beside its keys. Pictures count where nothing stronger names the record."""
    files = [canonical_url(enclosure.url) or enclosure.url for enclosure in item.enclosures]
    bare = [without_query(file) for file in files]
    at = item.published_at if item.published_at and not item.has_rough_date else None
    if at is not None and at.timetz() == _MIDNIGHT:
        at = None  # a day, not an instant
    return Evidence(
        published_at=at and at.replace(microsecond=0),
        files=_digest(files),
        bare_files=_digest(bare),
        pictures=_digest(pictures_of(item)) if item.guid is None or not item.title else "",
    )


def pictures_of(item: ParsedItem) -> list[str]:
    """Return the addresses of what a record shows, without their queries, which are sizes and tokens."""
    shown = [item.image] if item.image else []
    for text in (item.content, item.summary):
        if text is not None and text.kind == "html":
            shown.extend(_SHOWN.findall(text.value))
    return sorted({without_query(address) for address in shown if not address.startswith("data:")})


def compare(
    now: Sighting, before: Sighting, trust: Trust, *, guid: Likeness | None = None, address: Likeness | None = None
) -> Comparison:
    """Compare what a source says with what was said before.

    ``guid`` and ``address`` are given where more is known of them than the last sighting says: an item keeps all that
    it ever had.
    """
    mine, theirs = now.evidence or _NOTHING, before.evidence
    is_revision = _is_revision(now, before)
    guid = guid or _likeness(now.guid, before.guid)
    address = address or _likeness(now.url_key, before.url_key)
    title = SAME if comparable_title(now.title) == comparable_title(before.title) else DIFFERENT
    instant = UNKNOWN
    if theirs and mine.published_at and theirs.published_at:
        instant = SAME if mine.published_at == theirs.published_at else DIFFERENT
    return Comparison(
        guid=_believed(guid, trusted=trust.guid, changing="guid" in trust.changing),
        address=_believed(address, trusted=trust.address, changing="address" in trust.changing),
        instant=_believed(instant, trusted=True, changing="date" in trust.changing),
        title=title,
        text=SAME if now.text_digest == before.text_digest else DIFFERENT,
        files=_files(mine, theirs),
        pictures=_likeness(mine.pictures or None, (theirs and theirs.pictures) or None),
        is_revision=is_revision,
    )


def reason_for_one(found: Comparison, *, stable_guids: bool, stable_dates: bool) -> tuple[int, str] | None:
    """Return why two records of one source are one item, with the strength of the reason (1 is strongest); else None.

    From 5 on the reason holds only while no other record of the document is that item by a stronger one.
    ``stable_guids`` and ``stable_dates``: other known records of the document kept theirs.
    """
    if found.guid is SAME:
        return _by_guid(found)
    if found.address is SAME:
        return _by_address(found, stable_guids=stable_guids)
    if found.title is DIFFERENT:
        return None
    return _by_words(found, stable_guids=stable_guids, stable_dates=stable_dates)


def is_imposed(key: IdentityKey, before: Sighting, keyed: KeyedItem) -> bool:
    """Tell whether a named key was tied to a source's item by another source, and this record is another article.

    The source's own earlier record does not show the value, and headline, address and guid are all different.
    """
    value = key.text.partition(":")[2]
    shown = (before.guid or "", before.url_key or "", before.title)
    return (
        not any(value in text for text in shown)
        and comparable_title(before.title) != comparable_title(keyed.item.title)
        and before.url_key != keyed.said.url_key
        and (before.guid is None or before.guid != keyed.said.guid)
    )


def _by_guid(found: Comparison) -> tuple[int, str] | None:
    if found.address is not DIFFERENT:
        return (1 if found.address is SAME else 2), "guid"
    if found.instant is SAME:
        return 2, "guid and second"
    if found.text is SAME:
        return 2, "guid, title and text"
    return None


def _by_address(found: Comparison, *, stable_guids: bool) -> tuple[int, str] | None:
    if found.guid is UNKNOWN:
        # Another headline, another text and another date, and no guid that says it is the same: another item.
        return None if found.title is DIFFERENT and found.instant is DIFFERENT else (3, "url")
    if found.is_revision:
        return 3, "url and a guid that counts revisions"
    if found.instant is SAME:
        return 3, "url and second"
    if found.title is DIFFERENT:
        return None
    if found.text is SAME:
        return 4, "url, title and text"
    if found.instant is UNKNOWN and not stable_guids:
        return 4, "url and title"
    return None


def _by_words(found: Comparison, *, stable_guids: bool, stable_dates: bool) -> tuple[int, str] | None:
    """Weigh a record that no key names: the same title, and neither guid nor address alike."""
    if DIFFERENT in (found.files, found.pictures):
        return None
    if found.instant is SAME:
        if found.text is SAME:
            return 5, "title, text and second"
        if SAME in (found.files, found.pictures):
            return 5, "title, second and file"
        if found.guid is UNKNOWN and found.address is UNKNOWN:
            return 6, "title and second"
        return None
    if found.text is DIFFERENT:
        alike = found.files is SAME and found.guid is UNKNOWN and found.address is UNKNOWN
        return (7, "title and file") if alike else None
    if found.address is DIFFERENT or (found.guid is DIFFERENT and stable_guids):
        return None
    if found.instant is DIFFERENT and stable_dates and found.files is not SAME:
        return None
    return WORDS_ALONE, "title and text"


_NOTHING: Final = Evidence()
WORDS_ALONE: Final = 8
"""The strength of a reason that is nothing but title and text."""


def _likeness(one: str | None, other: str | None) -> Likeness:
    if one is None or other is None:
        return UNKNOWN
    return SAME if one == other else DIFFERENT


def _believed(found: Likeness, *, trusted: bool, changing: bool) -> Likeness:
    if changing and found is DIFFERENT:
        return UNKNOWN
    return UNKNOWN if found is SAME and not trusted else found


def _files(mine: Evidence, theirs: Evidence | None) -> Likeness:
    if theirs is None or not (mine.files and theirs.files):
        return UNKNOWN
    if mine.files == theirs.files:
        return SAME
    # Another query alone may be another token or another file.
    return UNKNOWN if mine.bare_files == theirs.bare_files else DIFFERENT


def _is_revision(now: Sighting, before: Sighting) -> bool:
    return now.guid != before.guid and (base := revised_address(now)) is not None and base == revised_address(before)


def revised_address(said: Sighting) -> str | None:
    """Return the address of a guid that is the address of its record, whatever fragment or query it has; else None."""
    if said.guid is None or said.url_key is None:
        return None
    base = _bare_key(said.guid)
    return base if base is not None and base == said.url_key.removeprefix("url:").partition("?")[0] else None


@lru_cache(maxsize=1024)
def _bare_key(guid: str) -> str | None:
    return canonical_url(without_query(guid))


def _digest(texts: list[str]) -> str:
    return sha256("\x00".join(sorted(texts)).encode("utf-8", "replace")).hexdigest()[:16] if texts else ""


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: ``a, b and c``."""
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
