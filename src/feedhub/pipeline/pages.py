"""Pages for people: one for each item, the front page, the sources. Only what changed is written."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.item import StoredItem
from feedhub.model.output import CategorySummary, CategoryView, FrontView, ItemView, PageItem, Part, SourceLine
from feedhub.model.settings import Settings
from feedhub.model.source import Health, SourceState
from feedhub.pipeline.outputs import newest_shown
from feedhub.pipeline.writing import PAGES, ReportingWriter
from feedhub.ports.publishing import OWN_MARK, OutputGroup, PagePaths, PageRenderer
from feedhub.ports.store import Store
from feedhub.rules.health import shown_title
from feedhub.rules.select import ALL, output_feed, output_view
from feedhub.rules.urls import public_url

ITEMS: Final = "pages of items"
_LATEST: Final = 12
_IN_SITEMAP: Final = 100
_OF_CATEGORY: Final = 5


def is_ours(writer: OutputGroup, path: str) -> bool:
    """Tell whether feedhub wrote the file at a path where an owner may have one, or there is none."""
    body = writer.read(path)
    return body is None or OWN_MARK.encode() in body


class SitePages:
    """Writes the pages of one publish. Pages of removed items stay until nothing links to them any more."""

    def __init__(
        self, store: Store, settings: Settings, renderer: PageRenderer, paths: PagePaths, writer: ReportingWriter
    ) -> None:
        self._store = store
        self._settings = settings
        self._renderer = renderer
        self._paths = paths
        self._writer = writer
        self._gone: list[str] = []
        self._addresses = {source.name: source.url for source in settings.sources}
        self._feed = output_feed(ALL, settings.site, (), settings.output)

    def publish_items(self, pages: Iterable[PageItem], formats: Collection[str]) -> None:
        """Write the pages of items, which feeds in some ``formats`` show, too.

        Those of removed ones are removed by ``remove_gone_items``.
        """
        for render in self._renderer.items(self._item_views(pages), formats):
            self._writer.write(ITEMS, render)

    def _item_views(self, pages: Iterable[PageItem]) -> Iterator[ItemView]:
        for page in pages:
            if page.removed:
                self._gone.append(self._paths.item(page.item))
            else:
                yield self._item_view(page)

    def remove_gone_items(self) -> None:
        """Remove the pages of removed items."""
        self._writer.remove(self._gone)

    def publish_front(
        self, months: Sequence[Part], summaries: Sequence[CategorySummary], shown: Sequence[StoredItem] | None
    ) -> None:
        """Write the front page, and the files that depend on nothing but the configuration.

        ``shown`` are the items in the feed of everything, where it was just written.
        """
        store, settings = self._store, self._settings
        try:
            self._writer.write_all(file for file in self._renderer.fixed() if self._is_free(file.path))
        except PublishError as error:
            self._writer.failed.setdefault(PAGES, str(error))
        feed = self._feed
        zone = ZoneInfo(settings.site.timezone)
        has_all = shown is not None and feed.per_source is None and feed.entries >= _IN_SITEMAP
        newest_of_all = shown if shown is not None and has_all else store.newest(ALL, _IN_SITEMAP)
        items = newest_of_all[:_LATEST] if feed.per_source is None else newest_shown(store, feed, _LATEST, zone)
        latest = output_view(feed, settings.site, settings.output, items, store.added_at(ALL))
        sitemap = self._renderer.sitemap(newest_of_all[:_IN_SITEMAP], [summary.slug for summary in summaries])
        if self._is_free(sitemap.path):
            self._writer.write_all([sitemap])
        asked = [one.slug for one in summaries if not self._renderer.remembers(one)]
        feeds = [output_feed(slug, settings.site, settings.categories, settings.output) for slug in asked]
        newest = {
            **store.newest_by_category([one.slug for one in feeds if one.per_source is None], _OF_CATEGORY),
            **{one.slug: newest_shown(store, one, _OF_CATEGORY, zone) for one in feeds if one.per_source},
        }
        categories = tuple(
            CategoryView(summary=one, items=tuple(newest[one.slug]) if one.slug in newest else None)
            for one in summaries
        )
        view = FrontView(latest=latest, categories=categories, months=tuple(months))
        self._writer.write(PAGES, partial(self._renderer.subscribe, summaries))
        self._writer.write(PAGES, partial(self._renderer.categories, view))
        self._writer.write(PAGES, partial(self._renderer.front, view))

    def _is_free(self, path: str) -> bool:
        """Tell whether a file may be written here: there is none that the owner of the site put there."""
        return path not in self._paths.shared() or is_ours(self._writer.writer, path)

    def publish_sources(self, health: Mapping[str, Health], states: Mapping[str, SourceState] | None) -> None:
        """Write the page of the sources. Nothing in it moves with the clock or with a poll that brought nothing."""
        known = {state.name: state for state in self._store.states()} if states is None else states
        lines = tuple(self._source_lines(health, known))
        self._writer.write_if_changed(PAGES, partial(self._renderer.sources, lines))

    def _item_view(self, page: PageItem) -> ItemView:
        settings = self._settings
        view = output_view(
            self._feed,
            settings.site,
            settings.output,
            [page.item],
            addresses=self._addresses,
            secrets=settings.secrets,
        )
        return ItemView(view=view, page=page)

    def _source_lines(self, health: Mapping[str, Health], states: Mapping[str, SourceState]) -> Iterator[SourceLine]:
        settings = self._settings
        titles = {category.slug: category.title for category in settings.categories}
        newest = self._store.last_new_at()
        for source in settings.sources:
            state = states.get(source.name, SourceState(name=source.name))
            yield SourceLine(
                name=source.name,
                title=shown_title(source, state),
                state=health.get(source.name, Health.NEW),
                link=state.link,
                url=public_url(source.url, settings.secrets),
                newest_at=newest.get(source.name),
                failing_since=state.failing_since if state.failures else None,
                slugs=tuple((slug, titles.get(slug, slug)) for slug in source.categories),
            )
