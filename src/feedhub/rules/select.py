"""What an output shows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from feedhub.model.item import StoredItem
from feedhub.model.output import Category, OutputFeed, OutputSettings, OutputView, Part, Site
from feedhub.rules.urls import public_url

ALL: Final = "all"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def output_feed(slug: str, site: Site, categories: Sequence[Category], settings: OutputSettings) -> OutputFeed:
    """Return the output that owns ``feeds/<slug>.*``: the combined one for ``all``, else a category's."""
    if slug == ALL:
        return OutputFeed(slug=ALL, title=site.title, description=site.description, entries=settings.entries)
    category = next((one for one in categories if one.slug == slug), Category(slug=slug, title=slug))
    return OutputFeed(
        slug=slug,
        title=category.title,
        description=category.description,
        entries=category.entries or settings.entries,
    )


def output_view(
    feed: OutputFeed,
    site: Site,
    settings: OutputSettings,
    items: Sequence[StoredItem],
    changed_at: datetime,
    addresses: Mapping[str, str] = MappingProxyType({}),
    secrets: Collection[str] = (),
    *,
    part: Part | None = None,
    older: Part | None = None,
    newer: Part | None = None,
) -> OutputView:
    """Choose the newest entries for an output; ``items`` come newest first.

    All of them are shown in a ``part`` of its archive, whose change is that of its newest item.

    An address of a source is shown only while ``addresses`` (by name) holds it, and as far as it holds no credential
    (guarantee 4): of one that was changed or removed it is no longer known what in it was secret.
    """
    chosen = items if part else items[: feed.entries]
    urls = {(item.source, item.source_url) for item in chosen}
    public = {(source, url): public_url(url, secrets) if addresses.get(source) == url else None for source, url in urls}
    shown = tuple(_with_url(item, public[item.source, item.source_url]) for item in chosen)
    return OutputView(
        site=site,
        feed=feed,
        items=shown,
        updated_at=max([EPOCH if part else changed_at, *(item.updated_at for item in shown)]),
        content=settings.content,
        formats=settings.formats,
        part=part,
        older=older,
        newer=newer,
        hub=settings.hub,
        has_pages=settings.pages,
    )


def _with_url(item: StoredItem, url: str | None) -> StoredItem:
    return item if item.source_url == url else replace(item, source_url=url)


def settled_published(published_at: datetime | None, now: datetime) -> datetime:
    """Return the published time an item keeps for ever: its own unless missing or in the future (SPEC §3.2)."""
    return now if published_at is None or published_at > now else published_at
