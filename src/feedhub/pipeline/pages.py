"""Pages for people: one for each item, the front page, the sources. Only what a poll touched is written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.output import CategoryView, FrontView, ItemView, OutputFile, PageItem, Part, SourceLine
from feedhub.model.settings import Settings
from feedhub.model.source import SourceState
from feedhub.pipeline.tally import Tally
from feedhub.ports.publishing import OutputWriter, PageFormat
from feedhub.ports.store import Store
from feedhub.rules.select import ALL, month_of, output_feed, output_view
from feedhub.rules.urls import public_url

LOOK: Final = ".feedhub/look"
ITEMS: Final = "pages of items"
SITE: Final = "pages"
_LATEST: Final = 12
_OF_CATEGORY: Final = 5


def has_look(pages: PageFormat | None, writer: OutputWriter) -> bool:
    """Tell whether the pages in the folder are those of today's templates; without pages, that there are none."""
    kept = writer.read(LOOK)
    return kept == (pages.look.encode() if pages else None)


def keep_look(pages: PageFormat | None, tally: Tally) -> None:
    """Remember that all pages are of today."""
    try:
        if pages is None:
            tally.writer.remove(LOOK)
        else:
            tally.keep(OutputFile(path=LOOK, body=pages.look.encode()))
    except PublishError as error:
        tally.broken.setdefault(SITE, str(error))


class ItemPages:
    """Writes the pages of the items touched since a change number, and tells in which months they are."""

    def __init__(self, store: Store, settings: Settings, pages: PageFormat | None, tally: Tally) -> None:
        self._store = store
        self._settings = settings
        self._pages = pages
        self._tally = tally
        self._zone = ZoneInfo(settings.site.timezone)
        self._gone: list[str] = []
        self._addresses = {source.name: source.url for source in settings.sources}

    def write(self, since: int) -> dict[str, datetime] | None:
        """Return the months touched, each with the published time of its earliest item; None for "look at all".

        Removed items keep their page for now.
        """
        if self._pages is None and since < 0:
            return None
        months: dict[str, datetime] = {}
        for page in self._store.page_items(since):
            published_at = page.item.published_at
            month = month_of(published_at, self._zone)
            months[month] = min(months.get(month, published_at), published_at)
            if self._pages is None:
                continue
            if page.removed:
                self._gone.append(self._pages.item_path(page.item))
            else:
                self._tally.write(ITEMS, partial(self._pages.item, self._view(page)))
        return None if since < 0 else months

    def _view(self, page: PageItem) -> ItemView:
        settings = self._settings
        feed = output_feed(ALL, settings.site, (), settings.output)
        view = output_view(
            replace(feed, entries=1),
            settings.site,
            settings.output,
            [page.item],
            page.item.updated_at,
            addresses=self._addresses,
            secrets=settings.secrets,
        )
        return ItemView(view=view, page=page)

    def remove_gone(self) -> None:
        """Remove the pages of removed items: nothing links to them any more."""
        self._tally.remove(self._gone)


def remove_all_pages(store: Store, pages: PageFormat, tally: Tally) -> None:
    """Remove what was published before pages were switched off. The pages of archives are not among it."""
    tally.remove(pages.single_paths())
    tally.remove(pages.output_path(one.slug) for one in store.categories())
    tally.remove(pages.item_path(page.item) for page in store.page_items(-1))


def write_site_pages(
    store: Store, settings: Settings, pages: PageFormat, tally: Tally, archive: Sequence[Part]
) -> None:
    """Write the front page, and the files that depend on nothing but the configuration."""
    try:
        tally.write_made(pages.fixed())
    except PublishError as error:
        tally.broken.setdefault(SITE, str(error))
    feed = output_feed(ALL, settings.site, (), settings.output)
    items = store.newest(ALL, _LATEST)
    latest = output_view(feed, settings.site, settings.output, items, store.changed_at(ALL))
    summaries = store.categories()
    newest = store.newest_of([summary.slug for summary in summaries], _OF_CATEGORY)
    categories = tuple(CategoryView(summary=summary, items=newest[summary.slug]) for summary in summaries)
    tally.write(SITE, partial(pages.front, FrontView(latest=latest, categories=categories, archive=tuple(archive))))


def write_sources(store: Store, settings: Settings, pages: PageFormat, tally: Tally, health: Mapping[str, str]) -> None:
    """Write the page of the sources. Nothing in it moves with the clock or with a poll that brought nothing."""
    lines = tuple(_source_lines(store, settings, health))
    tally.renew(SITE, partial(pages.sources, lines))


def _source_lines(store: Store, settings: Settings, health: Mapping[str, str]) -> Iterator[SourceLine]:
    titles = {category.slug: category.title for category in settings.categories}
    states = {state.name: state for state in store.states()}
    newest = store.newest_of_sources()
    for source in settings.sources:
        state = states.get(source.name, SourceState(name=source.name))
        yield SourceLine(
            name=source.name,
            title=state.title,
            state=health.get(source.name, "new"),
            link=state.link,
            url=public_url(source.url, settings.secrets),
            newest_at=newest.get(source.name),
            failing_since=state.failing_since if state.failures else None,
            slugs=tuple((slug, titles.get(slug, slug)) for slug in source.categories),
        )
