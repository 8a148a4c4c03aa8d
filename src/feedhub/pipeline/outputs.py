"""One output: what it shows first, its feeds and their archive, the pages of its list."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from posixpath import dirname
from typing import Final, Protocol

from feedhub.model.item import StoredItem
from feedhub.model.output import ItemVersion, OutputFeed, OutputView, Part
from feedhub.pipeline.parts import ChangedItems, PartFiles, StoredMonths, StoredParts
from feedhub.pipeline.state import Publishing
from feedhub.pipeline.writing import PAGES, ReportingWriter
from feedhub.ports.publishing import FeedRenderer, IndexRenderer, OutputFolder, PagePaths, PageRenderer
from feedhub.ports.store import Store
from feedhub.rules.select import PAGE_SIZE, PART_SIZE, open_in_feed, open_in_list, whole_days, within_limit

_ARCHIVE_NOTES: Final = ".feedhub/archive"
_PAGE_NOTES: Final = ".feedhub/pages"
_ANY_PART: Final = Part(month="0001-01")
_EVER: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_MOST_KEPT: Final = 8_000_000
_MOST_READ: Final = 5_000
"""Of an output in which a few sources publish far more than the limit, no more items are looked at."""


class NewestItems(Protocol):
    """Gives the newest items of outputs, as the store does."""

    def newest(self, slug: str, limit: int, /) -> Sequence[StoredItem]: ...


def newest_shown(store: NewestItems, feed: OutputFeed, count: int, zone: tzinfo) -> Sequence[StoredItem]:
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


class PostPublisher(Protocol):
    """Publishes Jekyll posts."""

    def __call__(self, run: Publishing, /, *, now: datetime, everything: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishContext:
    """What publishing needs besides the store: one renderer per format, the index, the folder, and the pages.

    ``pages`` None means that no pages are written; ``page_paths`` says where those lie that were written before.
    ``health_feed`` and ``publish_posts`` are for what belongs to no output. ``version`` is that of feedhub.
    """

    renderers: Sequence[FeedRenderer]
    index: IndexRenderer
    writer: OutputFolder
    page_paths: PagePaths
    pages: PageRenderer | None = None
    health_feed: FeedRenderer | None = None
    publish_posts: PostPublisher | None = None
    version: str = ""


class KeptItems:
    """Items as outputs show them, as long as there are not too many, so that a publish reads each wording once."""

    def __init__(self, store: Store, most: int = _MOST_KEPT) -> None:
        """``most`` is how many characters of text are kept."""
        self._store = store
        self._most = most
        self._items: dict[tuple[str, str], StoredItem] = {}
        self._characters = 0

    def shown(self, slug: str, versions: Sequence[ItemVersion]) -> list[StoredItem]:
        """Return items of an output, of which these are its versions, in its order."""
        missing = [one.id for one in versions if (one.id, one.source) not in self._items]
        read = {item.id: item for item in self._store.items_by_id(slug, missing)} if missing else {}
        found = [item for one in versions if (item := self._items.get((one.id, one.source)) or read.get(one.id))]
        for item in read.values():
            self.keep(item)
        return found

    def newest(self, slug: str, limit: int, /) -> Sequence[StoredItem]:
        """Return the newest items of an output, where most of them are kept."""
        return self.shown(slug, self._store.item_versions(slug, *_EVER, limit))

    def keep(self, item: StoredItem) -> None:
        """Remember an item that was read."""
        key = item.id, item.source
        if self._characters < self._most and key not in self._items:
            self._items[key] = item
            self._characters += len(item.item.content or "") + len(item.item.summary or "")


class ViewMaker(Protocol):
    """Makes the view of some items, as the feed itself or as one part of its archive between two others."""

    def __call__(
        self,
        items: Sequence[StoredItem],
        /,
        *,
        part: Part | None = None,
        older: Part | None = None,
        newer: Part | None = None,
    ) -> OutputView: ...


class OutputFiles:
    """Writes and removes the files of one output; ``earlier_formats`` are those that the last manifest named.

    The archive of the feeds and the list for people are divided by themselves: subscribers fetch parts of 100 items,
    readers turn pages of 30. The first page of the list shows what no other page does.
    """

    def __init__(
        self,
        *,
        feed: OutputFeed,
        store: Store,
        zone: tzinfo,
        view: ViewMaker,
        context: PublishContext,
        writer: ReportingWriter,
        kept: KeptItems,
        earlier_formats: Sequence[str] = (),
    ) -> None:
        self._slug = slug = feed.slug
        self._feed = feed
        self._zone = zone
        self._store = store
        self._view = view
        self._context = context
        self._writer = writer
        self._kept = kept
        self._earlier_formats = earlier_formats
        months = StoredMonths(store, slug, zone)
        self.shown: Sequence[StoredItem] | None = None
        """What the feeds show, once they were written."""
        self._archive = StoredParts(months, PART_SIZE, partial(open_in_feed, feed=feed))
        self._list = StoredParts(months, PAGE_SIZE, open_in_list)

    def publish(self, changed: ChangedItems | None) -> datetime | None:
        """Write what is older, then the feeds and the first page, which link to it; see ``PartFiles.publish``.

        Return when what the feeds show changed, None where they show nothing.
        """
        pages = self._context.pages
        if changed is None:
            # Where the version before kept what notes say now.
            self._writer.write_note(self._slug, f"{_ARCHIVE_NOTES}/{self._slug}.json", None)
        self._archive_files.publish(changed)
        if pages is not None:
            self._page_files.publish(changed)
        on_page = self._list.open_count() if pages is not None else 0
        # When everything is published, all items were just read.
        store: NewestItems = self._kept if changed is None else self._store
        items = newest_shown(store, self._feed, self._feed.entries, self._zone)
        self.shown = items
        view = self._view(items, older=self._archive.newest)
        changed_at = view.updated_at if view.items else None
        unwritten = set(self._feed_paths())
        for renderer in self._context.renderers:
            unwritten.discard(self._writer.write(self._slug, partial(renderer.render, view)))
        if pages is not None:
            if len(items) < on_page or self._feed.per_source:
                items = store.newest(self._slug, on_page)
            view = self._view(items[:on_page], older=self._list.newest)
            self._writer.write(self._slug, partial(pages.list_page, view, self._list.linked()), part=PAGES)
        if self._slug not in self._writer.failed:
            self._writer.remove(sorted(unwritten))
        return changed_at

    def linked_pages(self) -> tuple[Part, ...]:
        """Return the older pages of the list that other pages link to."""
        return self._list.linked()

    def end(self, view: OutputView) -> None:
        """Write the feeds that say that the output has ended, and remove what they do not lead to any more."""
        for renderer in self._context.renderers:
            self._writer.write(self._slug, partial(renderer.render, view))
        self._archive_files.remove_all()
        if self._context.pages is not None:
            self.remove_pages()

    def remove(self) -> None:
        """Remove all files of the output."""
        self._archive_files.remove_all()
        self._writer.remove(self._feed_paths())
        if self._context.pages is not None:
            self.remove_pages()

    def remove_pages(self) -> None:
        """Remove the pages of the list, and leave the feeds."""
        self._page_files.remove_all()
        self._writer.remove([self._context.page_paths.list_page(self._slug)])

    @property
    def _archive_files(self) -> PartFiles:
        return PartFiles(
            output=self._slug,
            parts=self._archive,
            writer=self._writer,
            folder=dirname(self._feed_paths(_ANY_PART)[0]),
            notes=f"{_ARCHIVE_NOTES}/{self._slug}",
            write=self._write_archive,
            remove=lambda part: self._writer.remove(self._feed_paths(part)),
        )

    @property
    def _page_files(self) -> PartFiles:
        paths = self._context.page_paths
        return PartFiles(
            output=self._slug,
            parts=self._list,
            writer=self._writer,
            folder=dirname(paths.list_page(self._slug, _ANY_PART)),
            notes=f"{_PAGE_NOTES}/{self._slug}",
            write=self._write_page,
            remove=lambda part: self._writer.remove([paths.list_page(self._slug, part)]),
        )

    def archives_in(self, formats: Collection[str]) -> list[str]:
        """Return the paths of the documents of the archive that are there in some formats."""
        folder = dirname(self._feed_paths(_ANY_PART)[0])
        names = self._writer.writer.names(folder)
        return [f"{folder}/{name}" for name in names if name.rpartition(".")[2] in formats]

    def _write_archive(self, part: Part, own: Sequence[ItemVersion], *, is_same: bool) -> bool:
        """Write a document of the archive. Those of other formats stay while nothing in them changed."""
        view = self._view_of(part, own, self._archive)
        renderers = self._context.renderers
        used = [each for each in renderers if each.name in view.archive_formats]
        written = [self._writer.write(self._slug, partial(each.render, view)) for each in used]
        if all(written):
            kept = {each.name for each in renderers if is_same}
            others = (path for path in self._feed_paths(part) if path.rpartition(".")[2] not in kept)
            self._writer.remove(sorted(set(others).difference(written)))
        return all(written)

    def _write_page(self, part: Part, own: Sequence[ItemVersion], *, is_same: bool) -> bool:
        pages = self._context.pages
        assert pages is not None  # noqa: S101 - tells the type checker
        view = self._view_of(part, own, self._list)
        return bool(self._writer.write(self._slug, partial(pages.list_page, view, ()), part=PAGES))

    def _view_of(self, part: Part, own: Sequence[ItemVersion], parts: StoredParts) -> OutputView:
        items = self._kept.shown(self._slug, own)
        return self._view(items, part=part, older=parts.older(part), newer=parts.newer(part))

    def _feed_paths(self, part: Part | None = None) -> tuple[str, ...]:
        return self._context.index.paths(self._slug, part, earlier=self._earlier_formats)
