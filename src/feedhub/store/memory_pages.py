"""What pages and archives ask of a store in memory."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

from feedhub.model.item import StoredItem
from feedhub.model.output import Mark, PageItem, Report
from feedhub.model.source import SourceState
from feedhub.store.codec import NO_WORDING
from feedhub.store.memory_data import Data


class MemoryPages:
    """See ``feedhub.ports.store.OutputStore``."""

    _data: Data
    _lock: threading.RLock

    def page_items(self, since: int) -> tuple[PageItem, ...]:
        """See the port."""
        with self._lock:
            touched = {item for (item, _), seen in self._data.sightings.items() if seen.touched > since or since < 0}
            return tuple(self._page_item(item) for item in self._data.items if item in touched)

    def _page_item(self, item_id: str) -> PageItem:
        data = self._data
        item, holding = data.items[item_id], data.holding(item_id)
        others = [
            (seen, name)
            for (of, name), seen in data.sightings.items()
            if of == item_id and name != item.owner and seen.wording != NO_WORDING
        ]
        order = list(data.sources)
        others.sort(key=lambda other: (other[0].first_seen_at, order.index(other[1])))
        return PageItem(
            item=data.shown(item, item.owner),
            slugs=tuple(slug for slug, _ in data.ordered_outputs() if slug in holding),
            also=tuple(
                Report(
                    source=name,
                    title=data.states.get(name, SourceState(name=name)).title,
                    link=seen.wording.link,
                )
                for seen, name in others
            ),
            removed=item.removed_at is not None,
        )

    def pages_published(self) -> int:
        """See the port."""
        return self._data.paged

    def mark_pages_published(self, number: int) -> None:
        """See the port."""
        self._data.paged = number

    def marks(self, slug: str, since: datetime, until: datetime, limit: int | None = None) -> tuple[Mark, ...]:
        """See the port."""
        with self._lock:
            found = tuple(
                Mark(
                    id=item.id,
                    published_at=item.published_at,
                    touched=self._data.sightings[item.id, source].touched,
                )
                for item, source in self._data.newest(slug)
                if since <= item.published_at < until
            )
        return found[:limit]

    def count_between(self, slug: str, since: datetime, until: datetime) -> int:
        """See the port."""
        return len(self.marks(slug, since, until))

    def published_before(self, slug: str, moment: datetime) -> datetime | None:
        """See the port."""
        with self._lock:
            times = (item.published_at for item, _ in self._data.newest(slug))
            return max((at for at in times if at < moment), default=None)

    def shown(self, slug: str, ids: Sequence[str]) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._lock:
            return tuple(
                self._data.shown(item, source) for item, source in self._data.newest(slug) if item.id in set(ids)
            )

    def newest_of_sources(self) -> Mapping[str, datetime]:
        """See the port."""
        newest: dict[str, datetime] = {}
        with self._lock:
            for (_, name), seen in self._data.sightings.items():
                newest[name] = max(newest.get(name, seen.first_seen_at), seen.first_seen_at)
        return newest
