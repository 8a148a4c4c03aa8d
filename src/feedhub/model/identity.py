"""How an item is recognised, and what is decided about it (SPEC §4)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum

from feedhub.model.item import Item, ParsedItem, Received, Sent


class KeyStrength(IntEnum):
    """Strength of a key; a smaller number is stronger."""

    NAMED = 1
    URL = 2
    GUID = 3
    TEXT = 4
    SIGNATURE = 5


@dataclass(frozen=True, slots=True, order=True)
class IdentityKey(Sent):
    """One way to recognise an item. ``text`` is unique over the whole store and readable.

    Named keys (``infoCode:2021…``) and URL keys (``url:example.org/a``) hold across sources; guid, text and signature
    keys contain the name of their source. A signature, which is a headline with its date, identifies an item only when
    a whole document seems to have other guids and links than before.
    """

    strength: KeyStrength
    text: str

    def __hash__(self) -> int:
        """Return the hash of the text, which Python keeps; that of an enumeration is computed every time."""
        return hash(self.text)

    @property
    def name(self) -> str:
        """What stands before the first colon: ``infoCode``, ``url``, ``guid``, ``text``, ``signature``."""
        return self.text.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPattern:
    """A named key: the first match of ``pattern`` in one of ``fields`` (``id``, ``link``, ``title``…)."""

    name: str
    fields: tuple[str, ...]
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Sent):
    """What a record says beside its keys, for comparing it with others; digests are empty for what it does not have.

    ``published_at`` is an instant to the second, ``day`` a date without a time; neither for a relative form or no date.
    ``files`` are the enclosures, ``bare_files`` their paths alone, ``pictures`` what is shown, without queries.
    """

    published_at: datetime | None = None
    day: str = ""
    files: str = ""
    bare_files: str = ""
    pictures: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting(Sent):
    """What a source last said about a stored item: enough to tell an edit from a reused key.

    ``offered`` tells whether the item was in the source's last document. ``evidence`` is None where it was stored by a
    version that did not keep it: unknown, neither for nor against.
    """

    guid: str | None
    url_key: str | None
    title: str
    text_digest: str
    extras_digest: str
    offered: bool
    evidence: Evidence | None = None

    def says_the_same(self, other: "Sighting") -> bool:
        """Tell whether nothing that is compared differs."""
        return (
            self.guid == other.guid
            and self.url_key == other.url_key
            and self.text_digest == other.text_digest
            and self.title == other.title
            and self.evidence == other.evidence
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedRecord(Sent):
    """What stands for a record that is as before: what the source ``said`` in it, and its ``link`` as it came."""

    said: Sighting
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedItem(Sent):
    """A parsed item with the keys that identify it, strongest first, and what is remembered of it once it is stored.

    ``distrusted`` keys are shared by different records of the document and identify none of them. ``fallbacks`` name
    it where no key does: by its words, then with its files, what it shows and its date added. ``words`` is the first
    of them, None when there is neither title nor text. ``leads`` identify nothing: they find items that say the same or
    have the same files, to be weighed against the record; ``titles`` are such keys where the configuration lets a title
    decide.
    """

    item: ParsedItem
    keys: tuple[IdentityKey, ...]
    signature: IdentityKey
    said: Sighting
    words: IdentityKey | None = None
    fallbacks: tuple[IdentityKey, ...] = ()
    leads: tuple[IdentityKey, ...] = ()
    titles: tuple[IdentityKey, ...] = ()
    distrusted: tuple[IdentityKey, ...] = ()

    @property
    def evidence(self) -> Evidence:
        """What the record says beside its keys."""
        return self.said.evidence or Evidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownItem(Sent):
    """A stored item that a key of a document leads to.

    ``owner`` is the source that gave it first. ``named`` are its named keys. ``sighting`` is that of the source whose
    document it is, if it has one, which gave it first at ``first_seen_at``; ``received`` says what is stored of it. Of
    an item that was ``removed`` only the keys are remembered.
    """

    id: str
    owner: str
    named: tuple[IdentityKey, ...] = ()
    sighting: Sighting | None = None
    received: Received = Received.WHOLE
    removed: bool = False
    published_at: datetime | None = None
    first_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKeys:
    """What the store knows of the keys of one document: the items they lead to, and those found to be shared before.

    ``sections`` are addresses that were given to different items: they say nothing across sources.
    """

    items: dict[str, KnownItem] = field(default_factory=dict)
    distrusted: frozenset[str] = frozenset()
    sections: frozenset[str] = frozenset()


class Verdict(Enum):
    """What a record is, seen from the store."""

    NEW = "new"
    CHANGED = "changed"
    DUPLICATE = "duplicate"
    """First sighting of a known item by another source than its owner."""
    SEEN = "seen"
    """Known, and nothing that is shown is different."""
    REFRESHED = "refreshed"
    """Known, same text, but its link or enclosures moved: stored without a new ``updated``."""
    REPEAT = "repeat"
    """A second record of the same item in one document."""
    REMOVED = "removed"
    """Taken out earlier, by retention or for good; never presented again."""
    UNIDENTIFIED = "unidentified"
    """No link, guid, title or text: nothing to recognise it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerNote:
    """One line of the ledger: what was decided about which record, and why."""

    kind: str
    reason: str
    item_id: str | None = None
    key: str | None = None
    title: str = ""
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Sent):
    """What to do with one record, and why.

    ``matched`` is the key by which it was recognised as an item of the source ``owner``, ``reason`` the evidence in
    words; None and empty for a new item. ``doubted`` keys are known, and were not believed: other evidence speaks
    against them. ``gained`` are keys the item did not have; ``moved`` keys change their item. ``has_new_evidence``:
    the item is stored as it is, but its evidence is not known yet or is another now.
    """

    keyed: KeyedItem
    verdict: Verdict
    item_id: str
    owner: str = ""
    matched: IdentityKey | None = None
    doubted: tuple[IdentityKey, ...] = ()
    gained: tuple[IdentityKey, ...] = ()
    moved: tuple[IdentityKey, ...] = ()
    text_digest: str = ""
    extras_digest: str = ""
    reoffered: bool = False
    has_new_evidence: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Everything decided about one document, before its markup is cleaned and the rules are run.

    ``distrusted`` keys are to be remembered as such; ``warnings`` are for the status of the source.
    """

    decisions: tuple[Decision, ...]
    notes: tuple[LedgerNote, ...] = ()
    distrusted: tuple[IdentityKey, ...] = ()
    warnings: tuple[str, ...] = ()
    sections: tuple[IdentityKey, ...] = ()
    changing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing(Sent):
    """What the rules make of an item: how it is shown, in which categories with what said so, or that it is dropped.

    ``shown`` None is the item as it was received. ``applied`` are the rules that held, ``left_out`` those of them whose
    replacements would have let a text grow beyond bounds. An item that ``is_apart`` belongs to no story.
    """

    shown: Item | None = None
    categories: tuple[tuple[str, str], ...] = ()
    applied: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    dropped_by: str | None = None
    is_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest(Sent):
    """One record that is ready to be stored: decided, cleaned and filed. ``item`` None leaves the stored item as it is.

    ``item`` is what was ``received``, before any rule. ``record_digest`` is that of a record that follows from what is
    stored of it, None for others. ``sketch`` is that by which the story of a new item is found, None for what belongs
    to no story.
    """

    decision: Decision
    item: Item | None = None
    received: Received = Received.WHOLE
    filing: Filing | None = None
    published_at: datetime | None = None
    record_digest: int | None = None
    sketch: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPlan:
    """What one poll stores about the items of its source, in one transaction."""

    ingests: tuple[Ingest, ...] = ()
    notes: tuple[LedgerNote, ...] = ()
    distrusted: tuple[IdentityKey, ...] = ()
    sections: tuple[IdentityKey, ...] = ()
