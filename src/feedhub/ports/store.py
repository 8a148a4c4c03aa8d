"""What the program asks of the store. Every method raises StoreError when the store cannot be used."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from feedhub.model.identity import Filing, IdentityKey, IngestPlan, KnownKeys, OfferedRecord
from feedhub.model.item import Item, ItemDates, Received, StoredItem
from feedhub.model.output import (
    Category,
    CategorySummary,
    EndedPost,
    ItemVersion,
    PageItem,
    PublishedBefore,
    RemovedCategory,
)
from feedhub.model.report import (
    Explanation,
    HealthEvent,
    LedgerEntry,
    LogQuery,
    PruneReport,
    SearchHit,
    SightedItem,
    SourceCounts,
    WorkersReport,
)
from feedhub.model.source import PlannedPoll, Source, SourceState
from feedhub.ports.stories import StoryStore, StoryTransaction


class OutputStore(Protocol):
    """What publishing needs.

    A change number is given to every change of a wording or a membership; it only grows.
    """

    def snapshot(self) -> AbstractContextManager[None]:
        """Return a block in which all that this thread asks is told as of one moment; it writes nothing meanwhile."""
        ...

    def changed_outputs(self, since: int) -> Mapping[str, int]:
        """Return slug (``all`` included) → number of its newest change, for outputs that changed after ``since``."""
        ...

    def branch_of(self, number: int) -> str:
        """Return which branch of changes a change number is of; "" for one that nobody knows any more.

        Whoever follows the store remembers that with the number: another branch says that it is another store now, or
        one that was restored from a backup, so that the same number is another change.
        """
        ...

    def folder_before(self) -> PublishedBefore | None:
        """Return what was published by a version that kept that in the store; None where that was taken over."""
        ...

    def forget_folder_before(self) -> None:
        """Forget that: an output folder took it over."""
        ...

    def newest(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        """Return the newest items of a category in the wording filed there, or of ``all``, as the rules leave them.

        In ``all`` that is their owner's, or else the one given first, of those that no rule drops. In a category it is
        that of the source that gave the item first, of those that file it there. What rules drop is not shown.

        Order: published, then first seen, both newest first; then document order; then id.
        """
        ...

    def newest_by_category(self, slugs: Sequence[str], limit: int) -> Mapping[str, tuple[StoredItem, ...]]:
        """Return what ``newest`` does, for several categories as they are at one moment."""
        ...

    def categories(self) -> tuple[CategorySummary, ...]:
        """Return all categories in the order of the configuration."""
        ...

    def item_count(self) -> int:
        """Return how many items ``all`` shows."""
        ...

    def changed_at(self, slug: str, entries: int) -> datetime | None:
        """Return when the newest change of an output's newest ``entries`` items happened; None for no item."""
        ...

    def added_at(self, slug: str) -> datetime:
        """Return when an output was first stored."""
        ...

    def change_number(self) -> int:
        """Return the newest change number; 0 at first."""
        ...

    def posts(self, since: int) -> Iterable[tuple[str, StoredItem]]:
        """Return (category slug, item in the wording shown there) of every membership touched after a change number."""
        ...

    def ended_posts(self, since: int) -> Iterable[EndedPost]:
        """Return the memberships that ended after a change number otherwise than by retention."""
        ...

    def health_events(self, limit: int) -> tuple[HealthEvent, ...]:
        """Return the newest events, newest first."""
        ...

    def health_number(self) -> int:
        """Return the number of the newest health event; it only grows, 0 at first."""
        ...

    def page_items(self, since: int) -> Iterable[PageItem]:
        """Return the items touched after a change number, all for a negative one; those not shown are ``removed``.

        An item is touched by a change of its wording or its categories, by what another source says of it, and by its
        removal. Items are read in parts, so that a large store is not held in memory.
        """
        ...

    def item_versions(
        self, slug: str, since: datetime, until: datetime, limit: int | None = None, skip: int = 0
    ) -> tuple[ItemVersion, ...]:
        """Return the newest ``limit`` items published from ``since`` to before ``until``, ordered as ``newest``.

        The newest ``skip`` ones of these are left out.
        """
        ...

    def part_starts(self, slug: str, since: datetime, until: datetime, limit: int, size: int) -> tuple[int, ...]:
        """Return a number of every ``size``-th of the newest ``limit`` items published in a time, the oldest first.

        The number of an item stays the same: where the starts of two parts in succession do, no item came or went
        between them, unless others of them changed.
        """
        ...

    def count_between(self, slug: str, since: datetime, until: datetime) -> int:
        """Return how many items of an output were published from ``since`` to before ``until``."""
        ...

    def published_before(self, slug: str, moment: datetime) -> datetime | None:
        """Return the newest published time in an output before ``moment``; None if there is none."""
        ...

    def items_by_id(self, slug: str, ids: Sequence[str]) -> tuple[StoredItem, ...]:
        """Return these items of an output in the wording and order of ``newest``; those that left it are missing."""
        ...

    def removed_categories(self) -> tuple[RemovedCategory, ...]:
        """Return the categories that were removed, until there is one of that slug again."""
        ...

    def last_entries(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        """Return what a category showed when it was removed, newest first, without what is shown nowhere any more."""
        ...

    def last_new_at(self) -> Mapping[str, datetime]:
        """Return when each source last gave an item for the first time; sources that never did are missing."""
        ...


class Transaction(StoryTransaction, Protocol):
    """Reads and writes inside one write transaction of the store: all of it happens or none."""

    def state(self, name: str) -> SourceState:
        """Return what is remembered about a source; a fresh state if nothing is."""
        ...

    def known_keys(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """Return what the store knows of ``keys``, with this source's own sightings. No table scan."""
        ...

    def rename_source(self, old: str, new: str) -> None:
        """Give a source another name: state, items, keys and history stay its own.

        Nothing happens where there is no such source, or one of the other name.

        Of guids longer than 100 characters only those that it gave last are recognised under the new name.
        """
        ...

    def note(self, name: str) -> str:
        """Return what was noted last under a name, "" for nothing."""
        ...

    def set_note(self, name: str, text: str) -> None:
        """Note a text under a name, for this program alone."""
        ...

    def ingest(self, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
        """Apply ``plan`` and return the slugs of the categories whose outputs may differ now.

        What was received is stored before any rule, and beside it what the rules make of it, whether they drop it or
        not.

        With ``complete`` the plan covers the whole document: sightings of this source that it does not mention
        are marked as no longer offered since ``now``.
        """
        ...

    def must_hold(self, host: str, job: int, generation: int) -> bool:
        """Let nobody take a host from this job of a worker until the end; tell whether others want to ask it soon.

        In stores that many workers share. It comes first in a transaction.

        Raises:
            FencedError: another job has the host, or a configuration after that of this number was applied.
        """
        ...

    def save_state(self, state: SourceState) -> None:
        """Remember ``state``. A source that has another title or address now makes the outputs due that show it."""
        ...

    def count_new(self, source: str, since: datetime) -> int:
        """Return how many items the source gave for the first time since then."""
        ...

    def add_health_events(self, events: Sequence[HealthEvent]) -> None:
        """Add events to the health feed, which is due then."""
        ...

    def postpone(self, names: Sequence[str], until: datetime) -> None:
        """Let these sources not be due before ``until``; those that are due later anyway stay so."""
        ...

    def find_category(self, title: str) -> str | None:
        """Return the slug of the category of this title; None if there is none yet."""
        ...

    def find_or_add_category(self, title: str, wanted: str, now: datetime) -> str:
        """Return the slug of the category of this title, for ever the same.

        A title met for the first time becomes a category; its slug is ``wanted``, with a suffix if that is taken.
        """
        ...

    def count_record_categories(self, source: str) -> int:
        """Return under how many categories that records named, and the configuration does not, the source is filed."""
        ...

    def wording(self, source: str, item_id: str) -> Item | None:
        """Return what the source says of an item, before any rule; None if it never gave it."""
        ...

    def refile(
        self,
        source: Source,
        digest: str,
        most: int,
        filing: Callable[[Item, Received, ItemDates], Filing],
        now: datetime,
    ) -> bool:
        """File the next ``most`` sightings of a source by the rules of ``digest``; return whether there are more.

        How far that came is remembered until rules of another digest begin anew. Where all are filed nothing happens.
        Of each sighting is stored what ``filing`` makes of it; outputs that show a difference become due, and a drop
        leaves a note.
        """
        ...


class PollStore(Protocol):
    """What polling needs: items, keys, memberships, states and due times."""

    def transaction(self, beside: Collection[str] = ()) -> AbstractContextManager[Transaction]:
        """Begin a write transaction; commit at the end of the block, roll back when it raises.

        Writers exclude each other, across processes too; a writer waits up to the busy timeout. One that stores polls
        of these sources alone may say so by ``beside``: where the database can, such transactions run at the same time,
        and leave what they would have left one after the other.

        Raises:
            NotAloneError: of a transaction ``beside``, from any method: it must be repeated without that.
        """
        ...

    def known_keys(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """Return what is known of ``keys`` now, outside of a transaction: it may change before the next one."""
        ...

    def offered_texts(self, source: str) -> frozenset[str]:
        """Return the text digests of the items that the source offers as far as is known; no scan of the store."""
        ...

    def offered_records(self, source: str) -> Mapping[int, OfferedRecord]:
        """Return by digest the records that the source offers, as far as they need not be read to be recognised."""
        ...

    def states(self) -> tuple[SourceState, ...]:
        """Return all remembered states, by name. Sources that were never polled are missing."""
        ...

    def next_polls(self) -> Mapping[str, datetime]:
        """Return when each source that was polled is polled next, by name; one that is not polled again is missing."""
        ...

    def plan_polls(self, plan: Sequence[PlannedPoll]) -> None:
        """Make these the scheduled sources, due at these times; all others are never due."""
        ...

    def due(self, now: datetime, *, per_host: int, limit: int) -> tuple[SourceState, ...]:
        """Return scheduled sources whose time has come, longest overdue first, at most ``per_host`` of one host.

        The cost does not grow with sources that are not due.
        """
        ...

    def due_on_host(self, host: str, now: datetime, *, limit: int) -> tuple[SourceState, ...]:
        """Return scheduled sources of one host whose time has come, longest overdue first."""
        ...

    def next_due_at(self) -> datetime | None:
        """Return when the next scheduled source is due; None when none is."""
        ...

    def sync_categories(self, categories: Sequence[Category], now: datetime, *, from_records: bool = False) -> None:
        """Make the stored categories those of the configuration; the changes that follow are a branch of their own.

        New ones are added, unmentioned ones removed with their memberships. Categories that records named stay; without
        ``from_records`` (no source names any) only while they hold items. Where one that was stored is another now,
        every output has changed.
        """
        ...

    def filed_digests(self) -> Mapping[str, str | None]:
        """Return by name the digest of the rules by which all items of each source are filed; None for not all."""
        ...

    def mark_filed(self, digests: Sequence[tuple[Source, str]]) -> None:
        """Remember the digests of sources that the store does not know yet: they have no items to refile."""
        ...

    def departed_sources(self, present: Collection[str]) -> tuple[Source, ...]:
        """Return the stored sources that are not ``present`` any more, with what filing asks of them as it was last.

        Their categories are those that there still are.
        """
        ...

    def index_some(self, most: int = 200) -> bool:
        """Put ``most`` stored items at once into the full text where that is not complete; tell whether more are left.

        New items wait for that, and all items after a version that made its search terms otherwise. A search does it
        for itself, as far as that is done within two seconds.
        """
        ...


class QueryStore(Protocol):
    """What people ask by commands, the status page and searches."""

    def workers(self) -> WorkersReport | None:
        """Return which workers there are on the store, and what waits for them; None where there never was one."""
        ...

    def source_counts(self, since: datetime) -> dict[str, SourceCounts]:
        """Return per source how many of its items are shown, and how many a day from ``since`` to its last poll."""
        ...

    def new_items_per_day(self, since: datetime, days: int) -> dict[str, tuple[int, ...]]:
        """Return per source how many items it gave for the first time on each of so many days from ``since``.

        Sources that gave none are missing.
        """
        ...

    def explain(self, refs: Sequence[str]) -> tuple[Explanation, ...]:
        """Return what is known of any of ``refs``: item ids, the first eight digits of one, key texts, or addresses.

        One explanation for each item that they name, then one for each ref that only the ledger knows.
        """
        ...

    def explain_titles(self, words: str, limit: int) -> tuple[Explanation, ...]:
        """Return what is known of items, and of records that became none, whose titles hold every word of ``words``.

        Newest first, at most ``limit``. Stored items are found by the wording of their owner and by what the newest
        entries of the ledger tell; no more than a fixed number of entries is read.
        """
        ...

    def log(self, query: LogQuery, first: int, count: int) -> tuple[LedgerEntry, ...]:
        """Return ``count`` entries of the ledger from number ``first`` on, from 0, newest first.

        What was noted under several keys of one record is one entry.
        """
        ...

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """Return items that hold every word of ``query`` (Chinese included), best first."""
        ...

    def search_items(self, query: str, limit: int) -> tuple[StoredItem, ...]:
        """Return those of them that were stored last, at most ``limit``, as ``all`` shows them, newest first."""
        ...

    def last_item_number(self) -> int:
        """Return the number of the item that was stored last: they are counted from 1 on."""
        ...

    def sighted_items(self, after: int, last: int, since: datetime | None) -> Iterable[SightedItem]:
        """Return the items numbered up to ``last`` after ``after``, and met since then, with all that is said of them.

        Removed ones are left out. Items are read in parts, so that a large store is not held in memory.
        """
        ...

    def count_matches(self, query: str, most: int) -> int:
        """Return how many items hold every word of ``query``, counting no further than ``most``."""
        ...


class MaintenanceStore(Protocol):
    """What keeps the store small and safe."""

    def prune(
        self, *, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
    ) -> PruneReport:
        """Remove items that no source has offered since ``offered_before``, and those beyond the newest N.

        What rules drop counts as a category. Never removes an item still offered. The keys of what was removed stay
        known until ``forget_before``, those of hidden items for ever.
        """
        ...

    def hide(self, item_id: str, reason: str, now: datetime) -> bool:
        """Take an item out of everything that is shown until ``unhide``; False when it is hidden, or not there.

        What its sources say of it is stored on, and it stays hidden when it comes again.
        """
        ...

    def unhide(self, item_id: str, now: datetime) -> bool:
        """Show a hidden item again, as the rules leave it; False when it is not hidden."""
        ...

    def forget(self, source: str, now: datetime) -> int | None:
        """Delete for good what a source said of its items, and return of how many; None for an unknown source.

        What others say of them stays; an item that nobody else gave is removed. The keys are remembered, so that what
        the source says of these items again is not presented.
        """
        ...

    def task_lock(self, task: str, *, wait: float) -> AbstractContextManager[Callable[[], None]]:
        """Hold the only right to do ``task`` on this store, across processes; wait at most ``wait`` seconds for it.

        A process that dies gives the right back; one that loses its connection to the database loses it. Who works for
        long calls what the block gives: it takes a lost right again at once, and raises what the beginning raises.

        Raises:
            StoreError: another process holds it; says which.
        """
        ...

    def maintain(self) -> None:
        """Let the database collect its statistics and give back the room that it does not need."""
        ...

    def verify(self) -> None:
        """Look through the whole store for damage; takes as long as reading it.

        Raises:
            DamagedStoreError: there is some; says what.
        """
        ...

    def backup(self, path: str) -> None:
        """Write a consistent copy, while others go on writing. Refuses an existing file."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...


class Store(PollStore, OutputStore, StoryStore, QueryStore, MaintenanceStore, Protocol):
    """All of it. Safe to call from many threads at once."""
