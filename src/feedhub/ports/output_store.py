"""What publishing asks of the store. Every method raises StoreError when the store cannot be used."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from feedhub.model.item import StoredItem
from feedhub.model.output import CategorySummary, Mark, PageItem
from feedhub.model.report import HealthEvent


class OutputStore(Protocol):
    """What publishing needs."""

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

    def newest_of(self, slugs: Sequence[str], limit: int) -> Mapping[str, tuple[StoredItem, ...]]:
        """Return what ``newest`` does, for several categories as they are at one moment."""
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

    def health_events(self, limit: int) -> tuple[HealthEvent, ...]:
        """Return the newest events, newest first."""
        ...

    def health_number(self) -> int:
        """Return the number of the newest health event; it only grows, 0 at first."""
        ...

    def health_published(self) -> int:
        """Return the number up to which health events were published; less than any number when all are due."""
        ...

    def mark_health_published(self, number: int) -> None:
        """Remember that health events were published up to a number."""
        ...

    def page_items(self, since: int) -> Iterable[PageItem]:
        """Return the items touched after a change number, removed ones too; all of them for a negative number.

        Touched is: its wording, its categories, what another source says of it, its removal. Read in parts, so that
        a large store is not held in memory.
        """
        ...

    def pages_published(self) -> int:
        """Return the change number up to which pages and archives were published; -1 when all are to be made anew."""
        ...

    def mark_pages_published(self, number: int) -> None:
        """Remember that pages and archives were published up to a change number."""
        ...

    def marks(self, slug: str, since: datetime, until: datetime, limit: int | None = None) -> tuple[Mark, ...]:
        """Return the newest ``limit`` items published from ``since`` to before ``until``, ordered as ``newest``."""
        ...

    def count_between(self, slug: str, since: datetime, until: datetime) -> int:
        """Return how many items of an output were published from ``since`` to before ``until``."""
        ...

    def published_before(self, slug: str, moment: datetime) -> datetime | None:
        """Return the newest published time in an output before ``moment``; None if there is none."""
        ...

    def shown(self, slug: str, ids: Sequence[str]) -> tuple[StoredItem, ...]:
        """Return items of an output by id, as ``newest`` would: wording, order; those that left it are missing."""
        ...

    def newest_of_sources(self) -> Mapping[str, datetime]:
        """Return when each source last gave an item for the first time; sources that never did are missing."""
        ...
