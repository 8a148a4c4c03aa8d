"""Publishing: from stored items to files, only for outputs that changed."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.model.output import Category, CategorySummary, ListedOutputs, PageItem, PublishReason, RemovedCategory
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import Health, SourceState
from feedhub.pipeline.digests import publish_digests
from feedhub.pipeline.outputs import KeptItems, OutputFiles, PublishContext
from feedhub.pipeline.pages import SitePages, is_ours
from feedhub.pipeline.parts import ChangedItems
from feedhub.pipeline.state import MANIFEST, FolderState, Publishing, publishing
from feedhub.pipeline.writing import PAGES, ReportingWriter
from feedhub.ports.publishing import FeedRenderer
from feedhub.ports.store import Store
from feedhub.rules.health import HEALTH_ENTRIES, health_view
from feedhub.rules.select import (
    ALL,
    REMOVALS_PATH,
    Removal,
    chosen_outputs,
    month_of,
    output_feed,
    output_view,
    read_removals,
    removal_at,
    removed_feed,
    with_last_entry,
    written_removals,
)

_HEALTH_FEED: Final = "feeds/health.atom"
_LEAVING_NOTE: Final = ".feedhub/leaving.json"


def publish(
    store: Store,
    settings: Settings,
    context: PublishContext,
    *,
    now: datetime,
    slugs: Collection[str] = (),
    everything: bool = False,
    health: Mapping[str, Health] = MappingProxyType({}),
    states: Mapping[str, SourceState] | None = None,
) -> PublishReport:
    """Write the outputs that changed, or those named, or all; end those of removed categories, and then remove them.

    Jekyll posts and the health feed belong to no output that could be named. An output that cannot be written is
    reported, keeps its last good file and stays due. What is linked to is written before what links to it, and removed
    after. ``health`` and ``states`` are those of each source, by name, for the page of the sources; None are asked for.

    Raises:
        FolderInUseError: another process publishes into the folder.
    """
    with publishing(store, settings, context.writer) as run:
        changed = _publish_outputs(
            run, context, now=now, slugs=slugs, everything=everything, health=health, states=states
        )
        publish_digests(run, context, now=now, slugs=slugs, changed=changed)
        if not slugs and context.health_feed is not None:
            publish_health(run, context.health_feed, everything=everything)
        if not slugs and context.publish_posts is not None:
            context.publish_posts(run, now=now, everything=everything)
    return run.report


def _publish_outputs(
    run: Publishing,
    context: PublishContext,
    *,
    now: datetime,
    slugs: Collection[str],
    everything: bool,
    health: Mapping[str, Health],
    states: Mapping[str, SourceState] | None,
) -> ChangedItems | None:
    writer, state = ReportingWriter(run.group), run.state
    manifest = run.group.read(MANIFEST)
    listed = context.index.listed(manifest) if manifest else ListedOutputs()
    site = _begun(run.store, run.settings, context, writer, listed)
    writer.remove(state.unremoved)
    departed = [slug for slug in listed.slugs if slug not in site.present]
    renewal = _renewal(run, context, everything=everything, is_first=manifest is None)
    run.choices = chosen_outputs(site.present, due=_due_outputs(run), named=slugs, renewal=renewal)
    wanted = [choice.slug for choice in run.choices if choice.is_published]
    changed_items = site.publish_items(-1 if renewal else state.number)
    changed, of_all = {}, None
    for slug in wanted:
        output = site.output(slug)
        changed[slug] = output.publish(changed_items)
        of_all = output if slug == ALL else of_all
    if wanted or departed:
        good = {slug: at for slug, at in changed.items() if slug not in writer.failed}
        site.publish_index({**listed.changed, **good}, of_all)
    if site.pages is not None:
        site.pages.publish_sources(health, states)
    site.publish_leaving_archives(is_renewed=changed_items is None and not slugs)
    # Only after the manifest has stopped naming them: who reads the manifest never meets a missing file.
    site.publish_removals(departed, now, anew=renewal is not None or bool(site.removed_items))
    if site.pages is not None:
        site.pages.remove_gone_items()
    elif state.design and not slugs and not writer.is_incomplete:
        site.remove_pages()

    def settled(before: FolderState) -> FolderState:
        """Only what the disk holds counts as published."""
        after = replace(before, unremoved=tuple(sorted(set(writer.unremoved))))
        good = {slug: run.number for slug in wanted if slug not in writer.failed}
        if slugs or writer.is_incomplete:
            return replace(after, outputs={**before.outputs, **good})
        bad = {slug: before.published(slug) for slug in wanted if slug not in good}
        return replace(after, number=run.number, outputs=bad, design=_design(context))

    run.step(writer, settled)
    return changed_items


def _due_outputs(run: Publishing) -> list[str]:
    """Return the outputs that changed since they were published into the folder."""
    state = run.state
    oldest = min([state.number, *state.outputs.values()])
    return [slug for slug, at in run.store.changed_outputs(oldest).items() if at > state.published(slug)]


def _renewal(run: Publishing, context: PublishContext, *, everything: bool, is_first: bool) -> PublishReason | None:
    """Return why all outputs and pages are rendered; None when only those are that changed."""
    if everything:
        return PublishReason.EVERYTHING
    if run.renewal is None and is_first:
        return PublishReason.FIRST
    return run.renewal or (PublishReason.DESIGN if run.state.design != _design(context) else None)


def _design(context: PublishContext) -> str:
    """Return of which design the pages are, "" when none are written."""
    return context.pages.design if context.pages else ""


def _begun(
    store: Store, settings: Settings, context: PublishContext, writer: ReportingWriter, listed: ListedOutputs
) -> "_Run":
    summaries = store.categories()
    return _Run(
        store=store,
        settings=settings,
        context=context,
        writer=writer,
        earlier_formats=listed.formats,
        summaries=summaries,
        present=[ALL, *(category.slug for category in summaries)],
        # Categories that only records named are in the store and not in the configuration.
        categories=[*settings.categories, *(Category(slug=one.slug, title=one.title) for one in summaries)],
        pages=SitePages(store, settings, context.pages, context.page_paths, writer) if context.pages else None,
        kept=KeptItems(store),
    )


def publish_health(run: Publishing, renderer: FeedRenderer, *, everything: bool = False) -> None:
    """Write the health feed if something happened since it was written, or there is none yet."""
    store, settings, writer = run.store, run.settings, ReportingWriter(run.group)
    number = store.health_number()
    run.step(writer, lambda state: state if writer.failed else replace(state, health=number))
    if number == run.state.health and not everything and run.group.read(_HEALTH_FEED) is not None:
        return
    titles = {source.name: source.title for source in settings.sources}
    view = health_view(
        settings.site,
        store.health_events(HEALTH_ENTRIES),
        added_at=store.added_at(ALL),
        has_pages=settings.output.pages,
        titles=titles,
        hub=settings.output.hub,
    )
    writer.write(_HEALTH_FEED, partial(renderer.render, view))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One publish. ``present`` are the slugs of all outputs; ``pages`` None means that no pages are written.

    ``removed_items`` are the ids of items that were removed or hidden since the last publish.
    """

    store: Store
    settings: Settings
    context: PublishContext
    writer: ReportingWriter
    earlier_formats: Sequence[str]
    summaries: Sequence[CategorySummary]
    present: Sequence[str]
    categories: Sequence[Category]
    pages: SitePages | None
    kept: KeptItems
    removed_items: list[str] = field(default_factory=list)

    def publish_items(self, since: int) -> ChangedItems | None:
        """Write the pages of the items that changed after a change number, of all for a negative one.

        Return when they were published, which is where archives may have changed. None says that all archives are to be
        looked at.
        """
        if self.pages is None and since < 0:
            return None
        changed = ChangedItems()
        pages = self._noted(self.store.page_items(since), changed)
        if self.pages is not None:
            self.pages.publish_items(pages, self._formats_of_items(since))
        for _ in pages:
            pass
        return None if since < 0 else changed

    def _formats_of_items(self, since: int) -> Sequence[str]:
        """Return the formats in which most of the items are shown that changed after a change number."""
        output = self.settings.output
        are_most_old = since < 0 and self.store.item_count() > output.entries * len(self.present)
        return output.archived_in if are_most_old else output.formats

    def _noted(self, pages: Iterable[PageItem], changed: ChangedItems) -> Iterator[PageItem]:
        zone = ZoneInfo(self.settings.site.timezone)
        for page in pages:
            published_at = page.item.published_at
            changed.add((ALL, *page.slugs), month_of(published_at, zone), published_at)
            if page.removed:
                self.removed_items.append(page.item.id)
            else:
                self.kept.keep(page.item)
            yield page

    def output(self, slug: str) -> OutputFiles:
        """Return what writes and removes the files of an output."""
        settings = self.settings
        feed = output_feed(slug, settings.site, self.categories, settings.output)
        return OutputFiles(
            feed=feed,
            store=self.store,
            zone=ZoneInfo(settings.site.timezone),
            view=partial(
                output_view,
                feed,
                settings.site,
                settings.output,
                added_at=self.store.added_at(slug),
                addresses={source.name: source.url for source in settings.sources},
                secrets=settings.secrets,
            ),
            context=self.context,
            writer=self.writer,
            kept=self.kept,
            earlier_formats=self.earlier_formats,
        )

    def publish_removals(self, departed: Sequence[str], now: datetime, *, anew: bool) -> None:
        """End the feeds of categories that were removed, and remove those whose time is over.

        Of ``departed`` ones, which the last manifest named, the store may know nothing: their files go at once. How far
        each removal has come in this folder is remembered there; the web server reads it, too. ``anew`` writes feeds
        that have ended once more: an item that is taken down leaves them as well.
        """
        removed = self.store.removed_categories()
        for slug in set(departed).difference(one.slug for one in removed):
            self.output(slug).remove()
        known = read_removals(self.writer.writer.read(REMOVALS_PATH))
        states: dict[str, Removal] = {}
        for one in removed:
            wanted = removal_at(one, now)
            if known.get(one.slug) is not wanted or (anew and wanted is Removal.ENDED):
                self._publish_removal(one, wanted)
            if one.slug not in self.writer.failed:
                states[one.slug] = wanted
        if states != known:
            self.writer.write_note(PAGES, REMOVALS_PATH, written_removals(states) if states else None)

    def publish_leaving_archives(self, *, is_renewed: bool) -> None:
        """Remove documents of archives in formats that are archived no more, once feedhub is of another version.

        Until then those stay in which nothing changed, for whoever was reading on from one to the next.
        """
        output, version = self.settings.output, self.context.version
        since, leaving = _leaving_formats(self.writer.writer.read(_LEAVING_NOTE))
        if leaving and since != version:
            for slug in self.present:
                self.writer.remove(self.output(slug).archives_in(leaving.difference(output.archived_in)))
            self.writer.write_note(PAGES, _LEAVING_NOTE, None)
        others = set(output.formats).difference(output.archived_in) if is_renewed else set()
        found = {path.rpartition(".")[2] for path in self.output(ALL).archives_in(others)} if others else set()
        if found - leaving:
            note = json.dumps({"version": version, "formats": sorted(found | leaving)})
            self.writer.write_note(PAGES, _LEAVING_NOTE, note.encode())

    def _publish_removal(self, category: RemovedCategory, wanted: Removal) -> None:
        settings = self.settings
        if wanted is Removal.GONE:
            self.output(category.slug).remove()
            return
        feed = removed_feed(category, settings.output)
        entries = self.store.last_entries(category.slug, feed.entries)
        view = output_view(
            feed,
            settings.site,
            settings.output,
            with_last_entry(category, settings.site, entries, *self._successor(category.slug)),
            addresses={source.name: source.url for source in settings.sources},
            secrets=settings.secrets,
        )
        self.output(category.slug).end(replace(view, is_removed=True))

    def _successor(self, slug: str) -> tuple[Category | None, list[str]]:
        """Return the category that one is now, if it is another, with the addresses where it is read and subscribed."""
        found = next((one for one in self.settings.categories if slug in one.formerly), None)
        if found is None:
            return None, []
        page = [self.context.page_paths.list_page(found.slug)] if self.settings.output.pages else []
        paths = [*page, *self.context.index.paths(found.slug)]
        return found, [f"{self.settings.site.url.rstrip('/')}/{path}" for path in paths]

    def publish_index(self, changed: Mapping[str, datetime | None], of_all: OutputFiles | None) -> None:
        """Write what speaks of all outputs; ``changed`` says when those changed that were published, None for never.

        ``of_all`` is what wrote the output of everything, if it was published.
        """
        store = self.store
        present = [CategorySummary(slug=ALL, title=self.settings.site.title, items=store.item_count())]
        present += self.summaries
        together, *categories = (
            replace(one, changed_at=changed[one.slug] if one.slug in changed else self._changed_at(one.slug))
            for one in present
        )
        files = self.context.index.render(together, categories)
        self.writer.write_all(files)
        if self.pages is not None:
            of_all = of_all or self.output(ALL)
            self.pages.publish_front(of_all.linked_pages(), self.summaries, of_all.shown)

    def _changed_at(self, slug: str) -> datetime | None:
        """Return when an output changed that no manifest speaks of, because it could not be published."""
        settings = self.settings
        feed = output_feed(slug, settings.site, self.categories, settings.output)
        return self.store.changed_at(slug, feed.entries)

    def remove_pages(self) -> None:
        """Remove all pages, because they are not wanted any more."""
        paths = self.context.page_paths
        for slug in self.present:
            self.output(slug).remove_pages()
        self.writer.remove(paths.single())
        self.writer.remove(path for path in paths.shared() if is_ours(self.writer.writer, path))
        self.writer.remove(paths.item(page.item) for page in self.store.page_items(-1))


def _leaving_formats(note: bytes | None) -> tuple[str, set[str]]:
    """Return since which version which formats are archived no more; nothing from a note that was damaged."""
    try:
        known = json.loads(note or b"{}")
        return str(known["version"]), set(map(str, known["formats"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", set()
