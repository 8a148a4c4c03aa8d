"""Publishing the digests of categories: written when a day has ended, and when something in such a day changed."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.model.item import StoredItem
from feedhub.model.output import Category, OutputView
from feedhub.model.settings import Settings
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.parts import ChangedItems
from feedhub.pipeline.state import FolderState, Publishing
from feedhub.pipeline.writing import ReportingWriter
from feedhub.ports.publishing import IndexRenderer, PagePaths
from feedhub.ports.store import OutputStore
from feedhub.rules.digests import (
    DIGEST_ENTRIES,
    DIGEST_ITEMS,
    day_end,
    day_start,
    digest_entry,
    digest_feed,
    digest_slug,
    last_end,
)

_FARTHEST_BACK: Final = timedelta(days=366)


def publish_digests(
    run: Publishing, context: PublishContext, *, now: datetime, slugs: Collection[str], changed: ChangedItems | None
) -> None:
    """Write the digests that are due, of the named categories or of all, and remove those that are not wanted.

    ``changed`` says when the items were published that changed, None that everything is compared.
    """
    settings, known = run.settings, run.state.digests
    wanted = {one.slug: one.digest_at for one in settings.categories if one.digest_at is not None}
    writer, zone = ReportingWriter(run.group), ZoneInfo(settings.site.timezone)
    chosen = {choice.slug for choice in run.choices if choice.is_published}
    for slug in sorted(known.keys() - wanted.keys()):
        writer.remove(context.index.paths(digest_slug(slug)))
    done = dict(known)
    for category in settings.categories:
        slug = category.slug
        if category.digest_at is None or (slugs and slug not in slugs):
            continue
        end = last_end(now, category.digest_at, zone)
        is_touched = slug in chosen and (changed is None or min(changed.months.values(), default=end) < end)
        if is_touched or known.get(slug) != end.isoformat():
            _write(run, context, writer, category, end)
            done[slug] = end.isoformat()

    def settled(before: FolderState) -> FolderState:
        """What could not be written or removed is due again."""
        good = {slug: end for slug, end in done.items() if digest_slug(slug) not in writer.failed}
        return replace(before, digests={slug: end for slug, end in good.items() if slug in wanted or writer.unremoved})

    run.step(writer, settled)


def _write(
    run: Publishing, context: PublishContext, writer: ReportingWriter, category: Category, end: datetime
) -> None:
    settings, store = run.settings, run.store
    entries = tuple(
        entry for entry, _ in digest_entries(store, settings, category, end, context.index, context.page_paths)
    )
    view = OutputView(
        site=settings.site,
        feed=digest_feed(category, settings.site),
        items=entries,
        updated_at=max((entry.updated_at for entry in entries), default=store.added_at(category.slug)),
        hub=settings.output.hub,
        has_pages=False,
    )
    unwritten = set(context.index.paths(view.feed.slug))
    for renderer in context.renderers:
        unwritten.discard(writer.write(view.feed.slug, partial(renderer.render, view)))
    if view.feed.slug not in writer.failed:
        writer.remove(sorted(unwritten))


def digest_entries(
    store: OutputStore, settings: Settings, category: Category, end: datetime, index: IndexRenderer, paths: PagePaths
) -> Iterator[tuple[StoredItem, tuple[StoredItem, ...]]]:
    """Yield the entries of a digest, the day that ended then first, and the items of each."""
    at, zone = category.digest_at or "", ZoneInfo(settings.site.timezone)
    path = paths.list_page(category.slug) if settings.output.pages else index.paths(category.slug)[0]
    link = f"{settings.site.url.rstrip('/')}/{path}"
    oldest, left = end - _FARTHEST_BACK, DIGEST_ENTRIES
    while left and (newest := store.published_before(category.slug, end)) is not None and newest > oldest:
        end = day_end(newest, at, zone)
        items, count = items_of_day(store, category.slug, end, at, zone)
        yield digest_entry(category, settings.site, end, zone, items, count, link), items
        end, left = day_start(end, at, zone), left - 1


def items_of_day(
    store: OutputStore, slug: str, end: datetime, at: str, zone: tzinfo
) -> tuple[tuple[StoredItem, ...], int]:
    """Return the newest items of the day that ended then, and how many there are."""
    start = day_start(end, at, zone)
    ids = [version.id for version in store.item_versions(slug, start, end, DIGEST_ITEMS)]
    return store.items_by_id(slug, ids), store.count_between(slug, start, end)
