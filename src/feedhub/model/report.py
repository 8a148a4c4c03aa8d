"""What steps report, which ``runtime/`` counts and ``cli/`` and ``web/`` show; and what trying rules says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

from feedhub.model.identity import Filing, KeyStrength, Sighting
from feedhub.model.item import Item, ItemDates, ParsedItem, Received, Rejected
from feedhub.model.output import CategorySummary, OutputChoice
from feedhub.model.source import Health


class Outcome(Enum):
    """How a poll ended."""

    STORED = "stored"
    NOT_MODIFIED = "not_modified"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollReport:
    """One poll of one source. ``reason`` says in words why it failed or was skipped.

    ``rejected`` counts records that became no item: unusable, left out by ``where``, over the limit. ``dropped_by``
    counts those that a rule dropped, by its name.
    ``seconds`` is the time from the start of the fetch to the end of the transaction.
    """

    source: str
    outcome: Outcome
    new: int = 0
    changed: int = 0
    duplicate: int = 0
    rejected: int = 0
    dropped_by: tuple[tuple[str, int], ...] = ()
    seen: int = 0
    reason: str = ""
    status: int | None = None
    bytes: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """How many records rules dropped."""
        return sum(number for _, number in self.dropped_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What a publish did to the files of the output folder, and why.

    ``failed`` pairs a path with its reason. ``choices`` say of every output why it was published or was not.
    """

    written: tuple[str, ...] = ()
    unchanged: int = 0
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    choices: tuple[OutputChoice, ...] = ()


class Delivered(Enum):
    """How the sending of a message ended. After ``UNKNOWN`` it may have arrived, so that it is not sent again."""

    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How one message was delivered; ``reason`` says why it was not, without a word of the address."""

    how: Delivered
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What retention took out."""

    items: int
    keys: int
    ledger: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTable:
    """What a table of a copied store holds: how many rows, ``copied`` of them just now, and a digest of all."""

    name: str
    rows: int
    copied: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingReport:
    """Where an item was seen, and what the source said: for ``explain``.

    ``date`` is the one that the source gave. ``text_digest`` is that of the text without the title, empty for no text.
    ``dropped_by`` is the rule that drops it.
    """

    source: str
    link: str | None
    title: str
    first_seen_at: datetime
    updated_at: datetime
    offered: bool
    left_at: datetime | None
    said: Sighting
    date: datetime | None = None
    text_digest: str = ""
    dropped_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """A key of an item: for ``explain``. The item has it ``since`` then."""

    text: str
    strength: KeyStrength
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A ledger row as ``explain`` and ``log`` print it."""

    at: datetime
    source: str
    kind: str
    reason: str
    key: str | None
    item_id: str | None
    title: str
    link: str | None


LOG_KINDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "dropped": ("dropped",),
        "merged": ("duplicate", "repeat"),
        "rejected": ("rejected",),
        "conflict": ("conflict", "distrusted", "kept", "migration", "reused"),
        "hidden": ("hidden", "shown again"),
        "removed": ("removed",),
    }
)
"""What people may ask the log for, and which kinds of entries of the ledger that are."""


def log_kind(kind: str) -> str:
    """Return what people call a kind of entries of the ledger."""
    return next((name for name, kinds in LOG_KINDS.items() if kind in kinds), kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which entries of the ledger are asked for; "" and None ask for all.

    ``kinds`` are those of ``LOG_KINDS``; ``words`` must all stand in a title. ``is_public`` asks for what everybody may
    read: nothing of the words of what is not shown, neither in the entries nor by what is found.
    """

    source: str = ""
    rule: str = ""
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    words: str = ""
    is_public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known about one reference; without ``item_id``, only the ledger knows it.

    ``memberships`` are (category, rule, source) triples. ``key_reports`` say more of each of ``keys``;
    ``shared`` are addresses and guids of the item that several items have, so that they identify none of them.
    ``by_title`` tells that nothing has this reference for a name: its words were found in a title. ``shown_by`` is the
    source whose wording the combined feed shows; None where it shows none.
    """

    ref: str
    ledger: tuple[LedgerEntry, ...]
    title: str = ""
    item_id: str | None = None
    owner: str | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    removed_at: datetime | None = None
    shown_by: str | None = None
    hidden_at: datetime | None = None
    hidden_reason: str = ""
    keys: tuple[str, ...] = ()
    sightings: tuple[SightingReport, ...] = ()
    memberships: tuple[tuple[str, str, str], ...] = ()
    outputs: tuple[str, ...] = ()
    key_reports: tuple[KeyReport, ...] = ()
    shared: tuple[str, ...] = ()
    by_title: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """How many items a source has given, in all and per day over the last fortnight."""

    items: int
    items_per_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One stored item that matches a query."""

    id: str
    title: str
    link: str | None
    source: str
    source_title: str
    published_at: datetime
    snippet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRun:
    """One run over several sources. ``not_due`` counts those left alone; ``next_due_at`` is when the first is due."""

    reports: tuple[PollReport, ...]
    published: PublishReport | None = None
    not_due: int = 0
    next_due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One source as ``status`` shows it. ``title`` is "" while none is known.

    ``reason`` says in words why ``state`` is not ok; ``current_url`` is the address that is asked.
    ``next_poll_in`` in seconds, negative when overdue.
    """

    name: str
    title: str
    url: str
    state: Health
    reason: str
    current_url: str | None
    next_poll_in: float | None
    last_success: datetime | None
    last_error: str | None
    http_status: int | None
    items: int
    items_per_day: float
    failures: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthEvent:
    """A source died, revived, fell silent or moved. ``kind``: failing, recovered, stale, revived, gone or moved."""

    at: datetime
    source: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStatus:
    """Every source and every category at one moment. ``no_store`` says that there is no store yet, and where."""

    sources: tuple[SourceStatus, ...]
    categories: tuple[CategorySummary, ...]
    no_store: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTrace:
    """What one path (or template) of a mapped field gave on one record, shortened; or why it failed."""

    field: str
    path: str
    state: Literal["gave", "empty", "failed"]
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTrace:
    """Every path of every mapped field on the record at ``position`` of the list."""

    position: int
    fields: tuple[FieldTrace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a source would give if it were polled now; nothing of it is stored.

    ``filings`` say of each item what the rules would make of it, ``traces`` of a mapped source what every path gave on
    the first records.
    """

    url: str
    title: str
    items: tuple[tuple[ParsedItem, Item], ...]
    filings: tuple[Filing, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    traces: tuple[RecordTrace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSighting:
    """What a source said of a stored item, and what the rules in force make of it.

    ``shown`` is how they leave it, ``categories`` are the slugs under which they file it.
    """

    source: str
    item: Item
    received: Received
    dates: ItemDates
    shown: Item
    dropped_by: str | None = None
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SightedItem:
    """A stored item with all that its sources said, in the order in which outputs prefer them.

    ``is_shown`` tells whether outputs may show it, ``is_hidden`` that it was hidden by hand, ``is_folded`` that the
    combined feed lists another report instead.
    """

    item_id: str
    sightings: tuple[StoredSighting, ...]
    is_shown: bool
    is_hidden: bool = False
    is_folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialExample:
    """One item on which a rule acts. ``is_new``: what is published of it would change by that."""

    item_id: str
    title: str
    source: str
    published_at: datetime
    does: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrial:
    """What one rule does: on how many sightings it ``holds``, and how many of these it drops, files or edits.

    ``new`` counts those of which something else would be published by that. ``hidden_by`` pairs rules that go before
    with the number of sightings on which this one would hold if they did not drop or stop them.
    """

    name: str
    holds: int = 0
    drops: int = 0
    files: int = 0
    edits: int = 0
    new: int = 0
    hidden_by: tuple[tuple[str, int], ...] = ()
    examples: tuple[TrialExample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesTrial:
    """What rules would make of the stored ``items``, beside what is published now.

    So many ``leave`` all outputs, come ``back`` or are shown ``otherwise``. ``returning`` counts sightings by the rule
    that drops them now and would no more. Of ``final`` ones only what rules of before made is stored, so that replacing
    does not act on them.
    """

    items: int = 0
    leave: int = 0
    back: int = 0
    otherwise: int = 0
    final: int = 0
    returning: tuple[tuple[str, int], ...] = ()
    rules: tuple[RuleTrial, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWorker:
    """One worker: where it runs, for how many hosts it has room, and on which it works."""

    name: str
    process: int
    since: datetime
    room: int
    generation: int | None
    fault: str
    heard_ago: float
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersReport:
    """The workers on a store, and what waits for them.

    That is jobs, due sources, for how many seconds the first of them is due, and hosts that want to be left alone.
    """

    workers: tuple[KnownWorker, ...]
    jobs: int
    due: int
    lag: float
    closed_hosts: tuple[str, ...]
