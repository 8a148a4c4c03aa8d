"""What an output shows first: its newest items, as far as its limit lets each source have room."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from feedhub.model.item import StoredItem
from feedhub.model.output import OutputFeed
from feedhub.ports.store import Store
from feedhub.rules.select import whole_days, within_limit

_MOST_READ: Final = 5_000
"""Of an output in which a few sources publish far more than the limit, no more items are looked at."""


def newest_shown(store: Store, feed: OutputFeed, count: int, zone: tzinfo) -> Sequence[StoredItem]:
    """Return the newest ``count`` items that an output shows, newest first; fewer where the limit leaves no more."""
    if feed.per_source is None:
        return store.newest(feed.slug, count)
    asked = min(2 * count, _MOST_READ)
    while True:
        found = store.newest(feed.slug, asked)
        is_all = len(found) < asked
        shown = within_limit(found if is_all else whole_days(found, zone) or found, feed.per_source, zone)
        if is_all or len(shown) >= count or asked == _MOST_READ:
            return shown[:count]
        asked = min(4 * asked, _MOST_READ)
