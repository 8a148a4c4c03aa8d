"""What happened to sources, as items of a feed that their owner subscribes to (SPEC §6, ``feeds/health.atom``)."""

import uuid
from collections.abc import Sequence
from html import escape
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import OutputFeed, OutputView, Site
from feedhub.model.report import HealthEvent
from feedhub.rules.select import EPOCH

HEALTH: Final = "health"
ENTRIES: Final = 100

_HEADLINES: Final = {
    "failing": "{} fails",
    "recovered": "{} works again",
    "stale": "{} has fallen silent",
    "revived": "{} brings items again",
    "gone": "{} is gone for good",
    "moved": "{} has moved",
}


def health_view(site: Site, events: Sequence[HealthEvent], *, hub: str | None = None) -> OutputView:
    """Return the feed of these events, which come newest first. Same events, same view."""
    items = tuple(_item(site, event) for event in events)
    return OutputView(
        site=site,
        feed=OutputFeed(
            slug=HEALTH,
            title=f"{site.title}: health of the sources",
            description="Sources that failed, recovered, fell silent, moved or are gone.",
            entries=ENTRIES,
        ),
        items=items,
        updated_at=max((item.updated_at for item in items), default=EPOCH),
        formats=("atom",),
        hub=hub,
    )


def _item(site: Site, event: HealthEvent) -> StoredItem:
    name = f"{site.url}/feeds/health#{event.source}/{event.kind}/{event.at.isoformat()}"
    headline = _HEADLINES.get(event.kind, "{}: " + event.kind).format(event.source)
    return StoredItem(
        id=uuid.uuid5(uuid.NAMESPACE_URL, name).urn,
        item=Item(title=headline, content=f"<p>{escape(event.text, quote=False)}</p>", link=f"{site.url}/sources.html"),
        source=event.source,
        source_title=event.source,
        published_at=event.at,
        updated_at=event.at,
    )
