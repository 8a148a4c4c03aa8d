"""What becomes of a removed category: its feeds end with an entry that says so, and later they go (SPEC §6)."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from html import escape
from types import MappingProxyType
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import OutputFeed, OutputSettings, RemovedCategory, Site

REMOVED_FOR: Final = timedelta(days=30)
"""How long the feeds of a removed category stay."""


class Removal(Enum):
    """How far the removal of a category has come in an output folder."""

    ENDED = "ended"
    """Its feeds keep their entries and say that they end."""
    GONE = "gone"
    """Its files are removed."""


REMOVALS_PATH: Final = ".feedhub/removed.json"
"""Where an output folder remembers how far each removal has come in it."""


def written_removals(states: Mapping[str, Removal]) -> bytes:
    """Return the note of an output folder: by slug, how far each removal has come."""
    return json.dumps({slug: state.value for slug, state in sorted(states.items())}, indent=0).encode()


def read_removals(note: bytes | None) -> dict[str, Removal]:
    """Return what ``written_removals`` wrote; nothing from a note that is missing or damaged."""
    try:
        lines = json.loads(note or b"{}")
        return {str(slug): Removal(state) for slug, state in lines.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


_TITLES: Final[Mapping[str, str]] = MappingProxyType({"en": "“{}” has ended", "zh": "“{}”已停止更新"})
_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "{} has no such category any more. Nothing new will come in this feed; it is removed after 30 days.",
        "zh": "{}不再有这个分类。此订阅源不会再有新内容，30 天后将被删除。",
    }
)


def removal_at(category: RemovedCategory, now: datetime) -> Removal:
    """Return how far a removal has to have come now."""
    published_at = category.published_at or now
    return Removal.GONE if now - published_at >= REMOVED_FOR else Removal.ENDED


def removed_feed(category: RemovedCategory, settings: OutputSettings) -> OutputFeed:
    """Return the feed of a removed category, as it was."""
    return OutputFeed(
        slug=category.slug,
        title=category.title,
        description=category.description,
        entries=category.entries or settings.entries,
    )


def with_last_entry(category: RemovedCategory, site: Site, entries: Sequence[StoredItem]) -> tuple[StoredItem, ...]:
    """Return the entries that a removed category shows, and before them the one that says that it ended.

    That one has the same id in every output folder, and the date at which the removal was first published.
    """
    if category.published_at is None:
        return tuple(entries)
    words = "zh" if site.language.lower().partition("-")[0] == "zh" else "en"
    last = StoredItem(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"{site.url.rstrip('/')}/feeds/{category.slug}#removed").urn,
        item=Item(
            title=_TITLES[words].format(category.title or category.slug),
            content=f"<p>{escape(_TEXTS[words].format(site.title), quote=False)}</p>",
            link=f"{site.url.rstrip('/')}/",
        ),
        source=site.title,
        source_title=site.title,
        published_at=category.published_at,
        updated_at=category.published_at,
    )
    return (last, *entries)
