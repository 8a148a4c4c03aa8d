"""Pages of many items come from worker processes, with the bytes that this process would have given them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from feedhub.errors import PublishError, WorkerError
from feedhub.model.output import Category, ItemView, OutputSettings, OutputView, PageItem
from feedhub.publish.addresses import category_scheme
from feedhub.publish.atom_rss import atom_text, render_atom, rss_items
from feedhub.publish.entry import Entry, EntryCache
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.json_feed import json_items
from feedhub.publish.many_pages import ManyPages, Render, Workers
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.worker_pool import WorkerPool
from support.output_views import SITE, rich_view

OUTPUT = OutputSettings(dir="/nowhere")
CATEGORIES = (Category(slug="tech", title="科技"),)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with closing(WorkerPool(workers=1, timeout=20)) as workers:
        yield workers


def views() -> list[ItemView]:
    whole = rich_view()
    return [
        ItemView(
            view=replace(whole, items=(item,)),
            page=PageItem(item=item, slugs=("tech", "markets")[: len(item.categories)], also=(), removed=False),
        )
        for item in whole.items
    ]


def many(workers: Workers, cache: EntryCache, **numbers: int) -> ManyPages:
    site = HtmlSite(SITE, OUTPUT, CATEGORIES, cache=cache)
    return ManyPages(
        site.item, cache, lambda: workers, SITE, OUTPUT, CATEGORIES, **{"few": 2, "together": 2, **numbers}
    )


def bodies(renders: Iterable[Render]) -> list[bytes]:
    return sorted(render().body for render in renders)


def here(function: Callable[..., Any], /, *given: object) -> Any:
    return function(*given)


def test_pages_of_workers_are_those_of_this_process(pool: WorkerPool) -> None:
    site = HtmlSite(SITE, OUTPUT, CATEGORIES)
    renders = many(pool.run, EntryCache()).renders(iter(views()), ["atom"])
    assert bodies(renders) == sorted(site.item(view).body for view in views())


def test_entries_and_cards_that_workers_wrote_are_not_written_again(pool: WorkerPool) -> None:
    cache, view = EntryCache(), rich_view()
    list(many(pool.run, cache, together=99).renders(iter(views()), ["atom", "rss", "json"]))

    def write(entry: Entry) -> bytes:
        raise AssertionError(entry.id)

    fresh = EntryCache()
    assert cache.written(view, "atom", write) == [
        atom_text(fresh.entry(view, item), category_scheme(view)) for item in view.items
    ]
    assert cache.written(view, "rss", write) == rss_items(view, EntryCache())
    assert cache.written(view, "json", write) == json_items(view, EntryCache())
    assert cache.written(view, "card", write)


def test_formats_that_are_not_asked_for_are_not_made() -> None:
    cache, written = EntryCache(), []
    list(many(here, cache, together=99).renders(iter(views()), ["atom"]))
    cache.written(rich_view(), "rss", lambda entry: written.append(entry.id) or b"")
    assert len(written) == len(rich_view().items)


def test_few_items_are_sent_to_no_worker() -> None:
    asked = []
    renders = list(many(lambda *given: asked.append(given), EntryCache(), few=99).renders(iter(views()), ["atom"]))
    assert len(renders) == len(views())
    assert not asked


def test_what_a_worker_could_not_make_this_process_makes() -> None:
    def dead(function: Callable[..., Any], /, *given: object) -> Any:
        raise WorkerError("its process died")

    site = HtmlSite(SITE, OUTPUT, CATEGORIES)
    renders = many(dead, EntryCache()).renders(iter(views()), ["atom"])
    assert bodies(renders) == sorted(site.item(view).body for view in views())


def test_a_page_that_cannot_be_rendered_costs_itself_alone() -> None:
    def broken_first(function: Callable[..., Any], /, *given: object) -> Any:
        made = function(*given)
        return [replace(made[0], page="template item.html: broken"), *made[1:]]

    first, *others = many(broken_first, EntryCache(), together=99).renders(iter(views()), ["atom"])
    with pytest.raises(PublishError, match="broken"):
        first()
    assert bodies(others) == sorted(HtmlSite(SITE, OUTPUT, CATEGORIES).item(view).body for view in views()[1:])


def test_an_entry_that_breaks_its_format_is_told_of_by_the_document_and_not_by_the_page() -> None:
    def nameless(view: OutputView) -> OutputView:
        return replace(view, items=tuple(replace(item, id="") for item in view.items))

    bad = [replace(view, view=nameless(view.view)) for view in views()]
    cache = EntryCache()
    assert all(render().body for render in many(here, cache).renders(iter(bad), ["atom"]))
    with pytest.raises(ValueError, match="id"):
        render_atom(nameless(rich_view()), cache)


def test_a_first_publish_of_many_items_asks_workers(tmp_path: Path) -> None:
    at = format_datetime(datetime(2026, 11, 20, tzinfo=UTC))
    records = "".join(
        f"<item><title>Story {n}</title><link>https://x.example/{n}</link><pubDate>{at}</pubDate></item>"
        for n in range(1_000)
    )
    (tmp_path / "x.rss").write_text(f'<rss version="2.0"><channel><title>X</title>{records}</channel></rss>')
    (tmp_path / "feedhub.yaml").write_text(
        "site: {title: T, url: 'https://t.example'}\nsources:\n  - {name: x, url: x.rss, category: c}\n"
    )
    settings = load_settings(str(tmp_path / "feedhub.yaml"), environ={})
    with Hub(settings) as hub:
        hub.poll(and_publish=False)
    with Hub(settings) as hub:
        report = hub.publish_due()
        assert "parser" in vars(hub)
    assert not report.failed
    assert sum(path.startswith("items/") for path in report.written) == 1_000
