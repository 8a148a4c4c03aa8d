"""Evidence: what speaks for and against two records being one item (SPEC §4, "Evidence").

A record and what a source said before are compared part by part; the parts together, never one of them alone, say
whether both are one item. A part that does not discriminate in its source (``Trust``) is unknown: neither for nor
against.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import Enum, IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from feedhub.model.identity import Evidence, IdentityKey, KeyedItem, Sighting
from feedhub.model.item import Enclosure, ParsedItem
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.urls import canonical_url, without_query

_SHOWN: Final = lazy_pattern(
    r"""<(?:img|video|audio|source|iframe)\b[^<>]*?\ssrc\s*=\s*["']?([^\s"'<>]{1,2000})""", re.IGNORECASE
)
# What a script would show, of a record that says nothing else.
_SHOWN_LATER: Final = lazy_pattern(
    r"""<(?:img|video|audio|source|object|embed)\b[^<>]*?\s(?:data-[\w-]{1,40}|data|srcset|src)\s*=\s*["']?"""
    r"""((?:https?:)?/[^\s"'<>]{1,2000})""",
    re.IGNORECASE,
)
_WORD: Final = lazy_pattern(r"(?:^|>)\s*[^<\s]")
_PICTURE: Final = lazy_pattern(r"\.(?:avif|gif|jpe?g|png|svg|webp)$", re.IGNORECASE)
_MIDNIGHT: Final = time(0, tzinfo=UTC)
_HALF_A_DAY: Final = timedelta(hours=12)


class Likeness(Enum):
    """What one part of two records says about them."""

    SAME = "alike"
    DIFFERENT = "differ"
    UNKNOWN = "unknown"


SAME, DIFFERENT, UNKNOWN = Likeness


class Strength(IntEnum):
    """How strong a reason is for two records to be one item; the smallest is the strongest.

    Up to ``ADDRESS_AND_WORDS`` a reason holds for several records of a document. Beyond, it holds only for one record,
    and only while no other is that item by a stronger one. ``NAMED`` is an identity key of the configuration,
    ``TITLE_ALONE`` what ``dedupe.same_title`` allows.
    """

    NAMED = 0
    GUID_AND_ADDRESS = 1
    GUID = 2
    ADDRESS = 3
    ADDRESS_AND_WORDS = 4
    WORDS_AND_SECOND = 5
    TITLE_AND_SECOND = 6
    TITLE_AND_FILE = 7
    WORDS_ALONE = 8
    GUID_ALONE = 9
    TITLE_ALONE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which parts are evidence. ``guid``, ``address``, ``files`` and ``bare_files``: this very value discriminates, no
    other record of the document has it. ``changing``: parts that the source changes on items that are known, of
    ``guid``, ``address``, ``date`` and ``file``."""

    guid: bool = True
    address: bool = True
    files: bool = True
    bare_files: bool = False
    changing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every part of two records, compared.

    ``is_revision``: the guids are one address with two counters. ``is_elsewhere``: the links, which are the guids, are
    one address with two fragments. ``is_untitled``: neither has a title.
    """

    guid: Likeness
    address: Likeness
    instant: Likeness
    title: Likeness
    text: Likeness
    files: Likeness
    pictures: Likeness
    is_revision: bool = False
    is_elsewhere: bool = False
    is_untitled: bool = False

    def parts(self) -> Iterator[tuple[str, Likeness]]:
        """Yield each part by its name in plain words."""
        yield "guids", self.guid
        yield "addresses", self.address
        yield "dates", self.instant
        yield "titles", self.title
        yield "texts", self.text
        yield "files", self.files
        yield "pictures", self.pictures

    @property
    def is_other_story(self) -> bool:
        """Whether the titles differ; what has none is told by its text."""
        return self.title is DIFFERENT or (self.is_untitled and self.text is DIFFERENT)

    def words(self) -> str:
        """Say which parts are alike and which differ, such as ``titles and texts alike; guids and dates differ``."""
        said = [
            f"{listed([name for name, likeness in self.parts() if likeness is wanted])} {wanted.value}"
            for wanted in (SAME, DIFFERENT)
            if any(likeness is wanted for _, likeness in self.parts())
        ]
        return "; ".join(said) or "nothing to compare"


@lru_cache(maxsize=4096)  # a title is compared with several others, and was compared at the poll before
def comparable_title(title: str) -> str:
    """Return a title so that width, case and white space make no difference."""
    return "".join(unicodedata.normalize("NFKC", title).casefold().split())


def evidence_of(item: ParsedItem) -> Evidence:
    """Return what a record says beside its keys. Pictures count where nothing stronger names the record."""
    heard = [enclosure.url for enclosure in item.enclosures if not _is_picture(enclosure)]
    files = [canonical_url(address) or address for address in heard]
    at = item.published_at
    is_exact = at is not None and not item.has_rough_date and at.timetz() != _MIDNIGHT
    return Evidence(
        published_at=at.replace(microsecond=0) if at and is_exact else None,
        day=_day(at) if at and not is_exact else "",
        files=_digest(files),
        bare_files=_digest([_path(file) for file in files]),
        pictures=_digest(pictures_of(item)) if item.guid is None or _is_wordless(item) else "",
    )


def _is_wordless(item: ParsedItem) -> bool:
    """Tell whether a record has no title or no text, so that what it shows is what it says."""
    texts = (text.value for text in (item.content, item.summary) if text is not None)
    return not item.title or not any(_WORD.search(text) for text in texts)


def _day(at: datetime) -> str:
    """Return the day that a date without a time names, wherever its midnight is; empty for one reckoned from now.

    Midnights of all time zones are whole quarters of an hour in UTC; a span before now ends on one by chance only.
    """
    is_midnight = at.minute % 15 == 0 and at.second == at.microsecond == 0
    return (at + _HALF_A_DAY).date().isoformat() if is_midnight else ""


def _path(file: str) -> str:
    """Return the path of a file: hosts and tokens change although the file stays."""
    bare = without_query(file)
    return bare.partition("/")[2] or bare


def pictures_of(item: ParsedItem) -> list[str]:
    """Return the addresses of what a record shows, without their queries, which are sizes and tokens."""
    shown = [enclosure.url for enclosure in item.enclosures if _is_picture(enclosure)]
    if item.image:
        shown.append(item.image)
    for text in (item.content, item.summary):
        if text is not None and text.kind == "html":
            shown.extend(_SHOWN.findall(text.value))
            if not (shown or item.title or item.link or item.guid):
                shown.extend(_SHOWN_LATER.findall(text.value))
    return sorted({without_query(address) for address in shown if not address.startswith("data:")})


def _is_picture(enclosure: Enclosure) -> bool:
    if enclosure.media_type:
        return enclosure.media_type.startswith("image/")
    return _PICTURE.search(without_query(enclosure.url)) is not None


def compare(
    now: Sighting,
    before: Sighting,
    trust: Trust,
    *,
    link: str | None = None,
    guid: Likeness | None = None,
    address: Likeness | None = None,
) -> Comparison:
    """Compare what a source says, with its ``link`` as it is written, with what was said before.

    ``guid`` and ``address`` are given where more is known of them than the last sighting says: an item keeps all that
    it ever had.
    """
    mine, theirs = now.evidence or _NOTHING, before.evidence
    guid = guid or _likeness(now.guid, before.guid)
    address = address or _likeness(now.url_key, before.url_key)
    headline, other = comparable_title(now.title), comparable_title(before.title)
    return Comparison(
        guid=_believed(guid, trusted=trust.guid, changing="guid" in trust.changing),
        address=_believed(address, trusted=trust.address, changing="address" in trust.changing),
        instant=_believed(instants(mine, theirs), trusted=True, changing="date" in trust.changing),
        title=SAME if headline == other else DIFFERENT,
        text=SAME if now.text_digest == before.text_digest else DIFFERENT,
        files=_believed(_files(mine, theirs, trust), trusted=True, changing="file" in trust.changing),
        pictures=_likeness(mine.pictures or None, (theirs and theirs.pictures) or None),
        is_revision=_is_revision(now, before, link),
        is_untitled=not (headline or other),
        is_elsewhere=_fragment(now.guid) != _fragment(before.guid) and now.guid in {link, f"link:{link}"},
    )


def moment(evidence: Evidence) -> datetime | str | None:
    """Return the date of a record to its precision: an instant, else a day; None for neither."""
    return evidence.published_at or evidence.day or None


def instants(one: Evidence, other: Evidence | None) -> Likeness:
    """Compare two dates, each to its precision: two instants to the second; two days differ or tell nothing."""
    if other is None:
        return UNKNOWN
    if one.published_at and other.published_at:
        return SAME if one.published_at == other.published_at else DIFFERENT
    return DIFFERENT if one.day and other.day and one.day != other.day else UNKNOWN


def reason_for_one(found: Comparison, *, stable_guids: bool, stable_dates: bool) -> tuple[Strength, str] | None:
    """Return why two records of one source are one item, with the strength of the reason; else None.

    ``stable_guids`` and ``stable_dates``: other known records of the document kept theirs.
    """
    is_stable = stable_guids and stable_dates
    if found.guid is SAME:
        return _by_guid(found, is_stable=is_stable)
    if found.address is SAME:
        return _by_address(found, is_stable=is_stable)
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


def _by_guid(found: Comparison, *, is_stable: bool) -> tuple[Strength, str] | None:
    if DIFFERENT in (found.files, found.address) and found.instant is DIFFERENT and not is_stable:
        return None  # the guid of a programme, whose episodes have dates, and files or pages
    if found.address is SAME:
        return Strength.GUID_AND_ADDRESS, "guid"
    if found.instant is SAME:
        return Strength.GUID, "guid and second"
    if found.address is DIFFERENT:
        return (Strength.GUID, "guid, title and text") if found.text is SAME and found.files is not DIFFERENT else None
    if found.is_other_story:
        # Neither words nor date are those that the guid had: it counts places, or was given away.
        return (Strength.GUID_ALONE, "guid") if found.instant is UNKNOWN else None
    return Strength.GUID, "guid"


def _by_address(found: Comparison, *, is_stable: bool) -> tuple[Strength, str] | None:
    if found.is_revision:
        return Strength.ADDRESS, "url and a guid that counts revisions"
    if found.instant is SAME:
        return Strength.ADDRESS, "url and second"
    if found.files is DIFFERENT:
        return None
    is_other = found.is_other_story or found.pictures is DIFFERENT
    if found.guid is UNKNOWN:
        # Another date, and another headline or picture, and no guid that says it is the same: another item.
        return None if found.instant is DIFFERENT and is_other else (Strength.ADDRESS, "url")
    if is_other or found.text is DIFFERENT:
        return None
    # The same words under another guid and date: said again where guids and dates are kept, else made anew.
    is_said_again = found.instant is DIFFERENT and (is_stable or found.is_elsewhere)
    return None if is_said_again else (Strength.ADDRESS_AND_WORDS, "url, title and text")


def _by_words(found: Comparison, *, stable_guids: bool, stable_dates: bool) -> tuple[Strength, str] | None:
    """Weigh a record that no key names: the same title, and neither guid nor address alike."""
    is_nameless = found.guid is UNKNOWN and found.address is UNKNOWN
    is_other_file = DIFFERENT in (found.files, found.pictures)
    if found.instant is SAME:
        if found.text is SAME:
            return (Strength.TITLE_AND_FILE if is_other_file else Strength.WORDS_AND_SECOND), "title, text and second"
        if is_other_file:
            return None
        if SAME in (found.files, found.pictures):
            return Strength.WORDS_AND_SECOND, "title, second and file"
        return (Strength.TITLE_AND_SECOND, "title and second") if is_nameless else None
    if is_other_file:
        return None
    if found.files is SAME and found.instant is UNKNOWN:
        if found.text is SAME:
            return Strength.TITLE_AND_SECOND, "title, text and file"
        return (Strength.TITLE_AND_FILE, "title and file") if is_nameless else None
    if found.text is DIFFERENT or found.address is DIFFERENT or (found.guid is DIFFERENT and stable_guids):
        return None
    if found.instant is DIFFERENT and stable_dates and found.files is not SAME:
        return None
    return Strength.WORDS_ALONE, "title and text"


_NOTHING: Final = Evidence()


@dataclass(slots=True, kw_only=True)
class Shared:
    """How many items of a document say what is evidence only while one of them does."""

    words: Counter[object] = field(default_factory=Counter)
    seconds: Counter[object] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    bare_files: Counter[str] = field(default_factory=Counter)

    def add(self, group: Sequence[KeyedItem]) -> None:
        """Count what the records of one item say."""
        self.words[group[0].item.text_digest] += 1
        self.seconds.update({(one.item.text_digest, one.evidence.published_at) for one in group})
        self.files.update({one.evidence.files for one in group if one.evidence.files})
        self.bare_files.update({one.evidence.bare_files for one in group if one.evidence.bare_files})

    def has_paths(self) -> bool:
        """Tell whether the paths of files tell them apart."""
        return len(self.bare_files) > 1 and max(self.bare_files.values()) == 1

    def is_of_several(self, keyed: KeyedItem, strength: Strength, found: Comparison) -> bool:
        """Tell whether a reason is words that several items of the document have: those of none of them."""
        words = keyed.item.text_digest
        if strength is Strength.WORDS_ALONE:
            return self.words[words] > 1
        if strength in {Strength.WORDS_AND_SECOND, Strength.TITLE_AND_FILE} and found.files is not SAME:
            return self.seconds[words, keyed.evidence.published_at] > 1
        return False


def _likeness(one: str | None, other: str | None) -> Likeness:
    if one is None or other is None:
        return UNKNOWN
    return SAME if one == other else DIFFERENT


def _believed(found: Likeness, *, trusted: bool, changing: bool) -> Likeness:
    if changing and found is DIFFERENT:
        return UNKNOWN
    return UNKNOWN if found is SAME and not trusted else found


def _files(mine: Evidence, theirs: Evidence | None, trust: Trust) -> Likeness:
    if theirs is None or not (mine.files and theirs.files):
        return UNKNOWN
    if mine.files == theirs.files:
        return SAME if trust.files else UNKNOWN
    if mine.bare_files != theirs.bare_files:
        return DIFFERENT
    # Another query alone may be another token or another file; the host may have moved.
    return SAME if trust.bare_files else UNKNOWN


def _fragment(guid: str | None) -> str:
    return (guid or "").partition("#")[2]


def _is_revision(now: Sighting, before: Sighting, link: str | None) -> bool:
    if now.guid == before.guid:
        return False
    base = revised_address(now, link)
    return base is not None and base == revised_address(before, None)


def revised_address(said: Sighting, link: str | None) -> str | None:
    """Return the address of a guid that is the address of its record, whatever fragment or query it has; else None.

    None, too, where the link has a fragment: then that is where the record is found, and counts no revisions.
    """
    if said.guid is None or said.url_key is None or (link and "#" in link):
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
