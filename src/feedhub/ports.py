"""Ports: what the pipeline asks of the world. The docstrings are the contracts; adapters live one floor up."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Protocol

from feedhub.model.document import Document, NotModified, Request
from feedhub.model.identity import IdentityKey, IngestPlan, KnownKeys
from feedhub.model.item import Detail, Item, ParsedFeed, ParsedItem, StoredItem
from feedhub.model.output import Category, CategorySummary, OutputFile, OutputView, PostView
from feedhub.model.report import Explanation, PruneReport, SearchHit, SourceCounts
from feedhub.model.source import Source, SourceState


class Fetcher(Protocol):
    """Gets one document. Safe to call from many threads at once."""

    def fetch(self, request: Request) -> Document | NotModified:
        """Return a complete, size-checked answer within ``request.timeout`` seconds in all.

        Raises:
            FetchError: or one of its children; never a foreign exception.
        """
        ...

    def close(self) -> None:
        """End fetches under way and give connections back; no fetch may follow."""
        ...


class Parser(Protocol):
    """Reads documents. Safe to call from many threads at once; pure: no I/O, no clock."""

    def parse(self, document: Document, source: Source) -> ParsedFeed:
        """Return the items of ``document`` in document order; a bad record is in ``rejected``, not an error.

        Raises:
            ParseError: the document is no feed, or no record of it can be read.
        """
        ...

    def detail(self, document: Document, source: Source) -> Detail:
        """Return what the answer to a second request says, as ``source.detail`` asks.

        Raises:
            ParseError: nothing was found where the content should be.
        """
        ...

    def close(self) -> None:
        """Stop workers, if there are any."""
        ...


class Cleaner(Protocol):
    """Turns a parsed item into a normalised one; only called for items that will be stored."""

    def clean(self, parsed: ParsedItem, source: Source) -> Item:
        """Return the item with markup sanitised as ``source.content`` says and addresses absolute. Never raises."""
        ...


class Transaction(Protocol):
    """Read and write inside one write transaction of the store: all of it happens or none."""

    def state(self, name: str) -> SourceState:
        """Return what is remembered about a source; a fresh state if nothing is."""
        ...

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """Return what the store knows of ``keys``, with this source's own sightings. No table scan."""
        ...

    def ingest(self, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
        """Apply ``plan`` and return the slugs of the categories whose outputs may differ now.

        With ``complete`` the plan covers the whole document: sightings of this source that it does not mention
        are marked as no longer offered since ``now``.
        """
        ...

    def save_state(self, state: SourceState) -> None:
        """Remember ``state``."""
        ...

    def rate(self, source: str, since: datetime) -> int:
        """Return how many items the source gave for the first time since then."""
        ...

    def category_slug(self, title: str, wanted: str) -> str:
        """Return the slug of the category of this title, for ever the same.

        A title met for the first time becomes a category; its slug is ``wanted``, with a suffix if that is taken.
        """
        ...

    def wording(self, source: str, item_id: str) -> Item | None:
        """Return what the source says of an item, as it is stored; None if it never gave it."""
        ...


class Store(Protocol):
    """Items, keys, memberships and states. Every method raises StoreError when the store cannot be used."""

    def writing(self) -> AbstractContextManager[Transaction]:
        """Begin a write transaction; commit at the end of the block, roll back when it raises.

        Writers exclude each other, across processes too; a writer waits up to the busy timeout.
        """
        ...

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """Return what is known of ``keys`` now, outside of a transaction: it may change before the next one."""
        ...

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, now: datetime, *, from_records: bool = False
    ) -> None:
        """Make the stored categories those of the configuration.

        Those that records brought stay; without ``from_records`` (no source brings any) only while they hold items.

        New ones are added (and their outputs due), unmentioned ones removed with their memberships. When
        ``output_digest`` differs from the stored one, every output becomes due.
        """
        ...

    def states(self) -> tuple[SourceState, ...]:
        """Return all remembered states, by name. Sources that were never polled are missing."""
        ...

    def due_outputs(self) -> dict[str, int]:
        """Return slug (``all`` included) → version for every output that changed since it was last published."""
        ...

    def mark_published(self, versions: dict[str, int]) -> None:
        """Remember that outputs were published at these versions; later changes stay due."""
        ...

    def newest(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        """Return the newest items of a category in the wording filed there, or of ``all`` in their owner's.

        Order: published, then first seen, both newest first; then document order; then id.
        """
        ...

    def categories(self) -> tuple[CategorySummary, ...]:
        """Return all categories in the order of the configuration."""
        ...

    def item_count(self) -> int:
        """Return how many items the store holds, without those retention removed."""
        ...

    def changed_at(self, slug: str) -> datetime:
        """Return when the newest change of an output happened; the epoch for one that never had an item."""
        ...

    def counts(self, since: datetime) -> dict[str, SourceCounts]:
        """Return per source the number of its items and its daily rate since then."""
        ...

    def filed_digest(self, source: str) -> str | None:
        """Return the digest of the rules by which the source's items were last refiled."""
        ...

    def refile(
        self, source: str, filings: Iterable[tuple[str, tuple[tuple[str, str], ...]]], *, digest: str, now: datetime
    ) -> None:
        """Replace the filings that come from ``source`` (pairs of item id and (category, rule) pairs) for these items.

        Remembers ``digest``; outputs that changed become due.
        """
        ...

    def wordings(self, source: str) -> Iterable[tuple[str, Item]]:
        """Return (item id, wording) of every sighting of a source; for refiling after a change of rules."""
        ...

    def posts(self, since: int) -> Iterable[tuple[str, StoredItem]]:
        """Return (category slug, item in the wording shown there) of every membership touched after a change number."""
        ...

    def change_number(self) -> int:
        """Return the number of the newest change of a wording or a membership; it only grows."""
        ...

    def posts_published(self) -> int:
        """Return the change number up to which posts were published; 0 at first."""
        ...

    def mark_posts_published(self, number: int) -> None:
        """Remember that posts were published up to a change number."""
        ...

    def explain(self, refs: Sequence[str]) -> tuple[Explanation, ...]:
        """Return what is known of any of ``refs``: item ids, first eight digits of one, or key texts."""
        ...

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """Return items that hold every word of ``query`` (Chinese included), best first."""
        ...

    def prune(
        self, *, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
    ) -> PruneReport:
        """Remove items that no source has offered since ``offered_before``, and those beyond the newest N.

        Never removes an item still offered. The keys of what was removed stay known until ``forget_before``.
        """
        ...

    def backup(self, path: str) -> None:
        """Write a consistent copy, while others go on writing. Refuses an existing file."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...


class Renderer(Protocol):
    """Turns a view into one file. Pure: same view, same bytes."""

    def render(self, view: OutputView) -> OutputFile:
        """Raises PublishError when the view cannot be rendered."""
        ...


class IndexRenderer(Protocol):
    """Renders the files that speak of all outputs: the OPML list and the manifest. Pure."""

    def render(
        self, categories: Sequence[CategorySummary], *, items: int, changed_at: datetime
    ) -> tuple[OutputFile, ...]:
        """Return the files; the manifest is the last, so that what it names exists when it is read."""
        ...

    def listed(self, manifest: bytes) -> tuple[str, ...]:
        """Return the slugs that an earlier manifest names; () for one that cannot be read."""
        ...

    def paths(self, slug: str) -> tuple[str, ...]:
        """Return the paths of every file that an output of this slug may own, in any format."""
        ...


class PostFormat(Protocol):
    """Turns an item of a category into a post. Pure: same view, same bytes."""

    def render(self, view: PostView) -> OutputFile:
        """Return the post, in the folder for new posts.

        Raises:
            PublishError: this item cannot become a post.
        """
        ...

    def path(self, view: PostView, today: date) -> str:
        """Return where the post belongs on ``today``: with the posts or in the archive. The name begins with its day.

        Raises:
            PublishError: this item cannot become a post.
        """
        ...


class OutputWriter(Protocol):
    """Puts files into the output folder, whole or not at all."""

    def write(self, file: OutputFile) -> bool:
        """Write through a temporary name; return False and touch nothing if the bytes are already there.

        Raises:
            PublishError: no room, no permission, or a path that would leave the folder.
        """
        ...

    def remove(self, path: str) -> bool:
        """Remove a file that was published before; False if it was not there."""
        ...

    def move(self, old: str, new: str) -> bool:
        """Rename a file in one step, in the place of what is at ``new``; False if ``old`` is not there."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder, sorted, hidden ones left out; [] if there is none."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return a published file, or None."""
        ...
