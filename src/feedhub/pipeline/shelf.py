"""The archive of one output as the store has it: which months there are, and into how many parts each is divided."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Final

from feedhub.model.output import Mark, Part
from feedhub.ports.store import Store
from feedhub.rules.archive import PART_SIZE, closed_parts, month_bounds, month_of, parts_in

_NO_PART: Final = 1_000_000_000
_END: Final = datetime.max.replace(tzinfo=UTC)


class Shelf:
    """Asks the store only for months that are looked at: one that is not costs nothing."""

    def __init__(self, store: Store, slug: str, zone: tzinfo, entries: int) -> None:
        self._store = store
        self._slug = slug
        self._zone = zone
        self._entries = entries
        self._counts: dict[str, int] = {}

    @cached_property
    def months(self) -> tuple[str, ...]:
        """Return the months that have items, newest first."""
        found: list[str] = []
        moment = self._store.published_before(self._slug, _END)
        while moment is not None:
            found.append(month_of(moment, self._zone))
            moment = self._store.published_before(self._slug, month_bounds(found[-1], self._zone)[0])
        return tuple(found)

    def marks(self, month: str, first: int) -> tuple[Mark, ...]:
        """Return the items of a month from part ``first`` on, newest first."""
        rest = self.count(month) - (first - 1) * PART_SIZE
        return self._store.marks(self._slug, *month_bounds(month, self._zone), limit=max(rest, 0))

    def count(self, month: str) -> int:
        """Return how many items a month has."""
        if month not in self._counts:
            self._counts[month] = self._store.count_between(self._slug, *month_bounds(month, self._zone))
        return self._counts[month]

    def parts(self, month: str) -> tuple[Part, ...]:
        """Return the parts of a month that are written, oldest first."""
        newest = month == self.months[0]
        return closed_parts(month, self.count(month), is_newest=newest, entries=self._entries)

    def newest(self) -> Part | None:
        """Return the newest part that is written: what the feed itself goes on to."""
        return next((parts[-1] for month in self.months if (parts := self.parts(month))), None)

    def links(self) -> tuple[Part, ...]:
        """Return the newest part, then the first one of every month, newest month first: what a page links to."""
        newest = self.newest()
        if newest is None:
            return ()
        return (newest, *(Part(month=month) for month in self.months if month <= newest.month))

    def older(self, part: Part) -> Part | None:
        """Return what comes before a part."""
        if part.number > 1:
            return Part(month=part.month, number=part.number - 1)
        place = self.months.index(part.month) + 1
        return self.parts(self.months[place])[-1] if place < len(self.months) else None

    def newer(self, part: Part) -> Part | None:
        """Return what comes after a part; None when nothing but the feed itself does."""
        parts = self.parts(part.month)
        if part.number < len(parts):
            return parts[part.number]
        place = self.months.index(part.month) - 1
        following = self.parts(self.months[place]) if place >= 0 else ()
        return following[0] if following else None

    def near(self, touched: Mapping[str, datetime]) -> dict[str, int]:
        """Return the months to look at, each with the number of the first part that may have changed.

        ``touched`` maps months to the earliest item touched there. What is older keeps its place, but the part before
        may link to a new one, and so may the edges of the neighbouring months.
        """
        near: dict[str, int] = {}
        for month in touched:
            near.update(dict.fromkeys([newer for newer in self.months if newer > month][-1:], 1))
            # A new month closes the last part of the one before, to which the part before that has to link.
            for older in [older for older in self.months if older < month][:2]:
                near.setdefault(older, max(parts_in(self.count(older)) - 1, 1))
        for month, earliest in touched.items():
            older_items = self._store.count_between(self._slug, month_bounds(month, self._zone)[0], earliest)
            near[month] = min(near.get(month, _NO_PART), max(older_items // PART_SIZE, 1))
        return near
