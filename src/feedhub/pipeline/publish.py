"""Publishing: from stored items to files, only for outputs that changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.output import Category
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.pipeline.archive import ArchivePress, Shelf, publish_archive, remove_archive, remove_pages
from feedhub.pipeline.pages import (
    SITE,
    ItemPages,
    has_look,
    keep_look,
    remove_all_pages,
    write_site_pages,
    write_sources,
)
from feedhub.pipeline.tally import Tally
from feedhub.ports.publishing import IndexRenderer, OutputWriter, PageFormat, Renderer
from feedhub.ports.store import Store
from feedhub.rules.health import ENTRIES, health_view
from feedhub.rules.select import ALL, output_feed, output_view


def publish_health(
    store: Store, settings: Settings, renderer: Renderer, writer: OutputWriter, *, everything: bool = False
) -> PublishReport:
    """Write the health feed if something happened since it was written, or there is none yet."""
    number = store.health_number()
    path = "feeds/health.atom"
    try:
        if number == store.health_published() and not everything and writer.read(path) is not None:
            return PublishReport()
        view = health_view(settings.site, store.health_events(ENTRIES), hub=settings.output.hub)
        file = renderer.render(view)
        is_written = writer.write(file)
    except PublishError as error:
        return PublishReport(failed=((path, str(error)),))
    store.mark_health_published(number)
    return PublishReport(written=(file.path,) if is_written else (), unchanged=int(not is_written))


MANIFEST: Final = "feedhub.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What publishing needs beside the store: one renderer per format, the index, the folder, and the pages.

    Pages are written when ``pages`` is given. Without it, ``layout`` says where those lie that were written before.
    """

    renderers: Sequence[Renderer]
    index: IndexRenderer
    writer: OutputWriter
    pages: PageFormat | None = None
    layout: PageFormat | None = None


def publish(
    store: Store,
    settings: Settings,
    press: Press,
    *,
    slugs: Collection[str] = (),
    everything: bool = False,
    health: Mapping[str, str] = MappingProxyType({}),
) -> PublishReport:
    """Write the outputs that changed, or those named, or all; remove those of removed categories.

    An output that cannot be written is reported, keeps its last good file and stays due. What is linked to is written
    before what links to it, and removed after. ``health`` is the state of each source, by name, for its page.
    """
    tally = Tally(press.writer)
    manifest = press.writer.read(MANIFEST)
    number, published = store.change_number(), store.pages_published()
    summaries = store.categories()
    present = [ALL, *(category.slug for category in summaries)]
    # Those that records brought are in the store only.
    categories = [*settings.categories, *(Category(slug=one.slug, title=one.title) for one in summaries)]
    listed = press.index.listed(manifest) if manifest else ()
    departed = [slug for slug in listed if slug not in present]
    due = store.due_outputs()
    renewed = everything or manifest is None or not has_look(press.pages, press.writer)
    chosen = slugs or (present if renewed else due)
    wanted = [slug for slug in present if slug in chosen]
    item_pages = ItemPages(store, settings, press.pages, tally)
    touched = item_pages.write(-1 if renewed else published)
    run = _Run(store=store, settings=settings, press=press, tally=tally, categories=categories, touched=touched)
    for slug in wanted:
        run.publish_output(slug)
    if wanted or departed:
        run.publish_index()
    if press.pages is not None:
        write_sources(store, settings, press.pages, tally, health)
    # Only after the manifest has stopped naming them: who reads the manifest never meets a missing file.
    for slug in departed:
        run.remove_output(slug)
    item_pages.remove_gone()
    store.mark_published({slug: due[slug] for slug in wanted if slug in due and slug not in tally.broken})
    if not slugs and not tally.is_incomplete:
        run.finish(present, number if number != published else None)
    return tally.report()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One publish. ``touched`` are the months whose archives may have changed, each from when on; None for all."""

    store: Store
    settings: Settings
    press: Press
    tally: Tally
    categories: Sequence[Category]
    touched: Mapping[str, datetime] | None

    def publish_output(self, slug: str) -> None:
        """Write the archive of an output, then its feeds and its page."""
        press, tally, archive = self.press, self.tally, self.archive(slug)
        publish_archive(archive, self.touched)
        view = archive.view(self.store.newest(slug, archive.entries), older=archive.shelf.newest())
        paths = set(press.index.paths(slug))
        for renderer in press.renderers:
            paths.discard(tally.write(slug, partial(renderer.render, view)))
        if press.pages is not None and slug != ALL:
            tally.write(slug, partial(press.pages.output, view, archive.shelf.links()), part=SITE)
        if slug not in tally.broken:
            tally.remove(sorted(paths))

    def archive(self, slug: str) -> ArchivePress:
        settings = self.settings
        feed = output_feed(slug, settings.site, self.categories, settings.output)
        return ArchivePress(
            slug=slug,
            entries=feed.entries,
            store=self.store,
            shelf=Shelf(self.store, slug, ZoneInfo(settings.site.timezone), feed.entries),
            renderers=self.press.renderers,
            index=self.press.index,
            pages=self.press.pages,
            tally=self.tally,
            view=partial(
                output_view,
                feed,
                settings.site,
                settings.output,
                changed_at=self.store.changed_at(slug),
                addresses={source.name: source.url for source in settings.sources},
                secrets=settings.secrets,
            ),
        )

    def publish_index(self) -> None:
        """Write what speaks of all outputs."""
        store, press = self.store, self.press
        files = press.index.render(store.categories(), items=store.item_count(), changed_at=store.changed_at(ALL))
        self.tally.write_made(files)
        if press.pages is not None:
            write_site_pages(store, self.settings, press.pages, self.tally, self.archive(ALL).shelf.links())

    def remove_output(self, slug: str) -> None:
        """Remove all files of a category that is no more."""
        remove_archive(self.archive(slug))
        self.tally.remove(self.press.index.paths(slug))
        if self.press.pages is not None:
            self.tally.remove([self.press.pages.output_path(slug)])

    def finish(self, present: Sequence[str], number: int | None) -> None:
        """Remember how far everything was published, after removing pages that are no longer wanted."""
        layout = self.press.layout
        if self.press.pages is None and layout is not None and not has_look(None, self.press.writer):
            for slug in present:
                remove_pages(slug, layout, self.tally)
            remove_all_pages(self.store, layout, self.tally)
        if number is not None:
            self.store.mark_pages_published(number)
        keep_look(self.press.pages, self.tally)
