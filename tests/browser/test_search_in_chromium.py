"""A reader of a served site finds an item by clicking, in real Chromium, and the pages that are made when asked for."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.browser import Shown
from support.cli_runs import rss
from support.web import served

pytestmark = pytest.mark.browser

ITEMS = (
    ("芯片产线提前投产", "https://example.org/1"),
    ("渡轮恢复通航", "https://example.org/2"),
    ("Chips and semiconductors", "https://example.org/3"),
)
ASKED = ("index.html", "category/caijing.html", "404.html", "search", "search?q=%E8%8A%AF%E7%89%87", "status")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "in.xml").write_bytes(rss(*ITEMS, title="财经报"))
    sources = "[{name: paper, url: in.xml, category: 财经}]"
    with served(folder, sources=sources, more="web: {enabled: true}\n", site=", language: zh-CN") as running:
        running.hub.poll(everything=True)
        yield Shown(f"http://127.0.0.1:{running.port}", running.output, chromium)


def test_a_reader_types_a_word_on_the_front_page_and_clicks_to_the_item(site: Shown) -> None:
    with site.window() as window:
        page = window.show("")
        page.get_by_role("searchbox", name="搜索").fill("芯片")
        page.get_by_role("search").get_by_role("button", name="搜索").click()
        assert page.get_by_role("searchbox").input_value() == "芯片"
        assert [each.inner_text() for each in page.locator("article h2").all()] == ["芯片产线提前投产"]
        page.get_by_role("link", name="芯片产线提前投产").click()
        assert page.url.startswith(f"{site.root}/items/2026/01/")
        assert page.locator("h1").inner_text() == "芯片产线提前投产"
        assert (window.errors, window.violations) == ([], [])


def test_the_box_of_a_page_deep_in_the_site_searches_too(site: Shown) -> None:
    (path, *_) = sorted(file.relative_to(site.folder).as_posix() for file in site.folder.glob("items/*/*/*.html"))
    with site.window() as window:
        page = window.show(path)
        page.get_by_role("searchbox").fill("渡轮")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="渡轮恢复通航").click()
        assert page.locator("h1").inner_text() == "渡轮恢复通航"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_served_pages_are_usable_by_everybody_and_ask_nobody_else(site: Shown, width: int, scheme: str) -> None:
    with site.window(width, scheme) as window:
        for path in ASKED:
            page = window.show(path)
            assert (window.errors, window.violations, window.barriers()) == ([], [], []), path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert {url for url in window.asked if not url.startswith((site.root, "data:"))} == set()


def test_a_feed_says_what_it_is_and_shows_its_entries(site: Shown) -> None:
    with site.window() as window:
        for path in ("feeds/all.atom", "feeds/caijing.rss"):
            page = window.show(path)
            about = "getComputedStyle(document.querySelector('feed, channel'), '::before').content"
            assert page.evaluate(about).startswith('"这是订阅源。'), path
            shown = "[...document.querySelectorAll('entry > *, item > *')].filter(e => e.getClientRects().length)"
            assert "芯片产线提前投产" in page.evaluate(f"{shown}.map(e => e.textContent)"), path
            assert not [text for text in page.evaluate(f"{shown}.map(e => e.textContent)") if "<" in text], path


def test_search_and_status_look_as_the_pages_do_also_where_no_style_is_published(site: Shown) -> None:
    style = site.folder / "assets" / "style.css"
    text = style.read_text("utf-8")
    colours = []
    try:
        for removed in (False, True):
            if removed:
                style.unlink()
            with site.window() as window:
                page = window.show("search")
                colours.append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    finally:
        style.write_text(text, "utf-8")
    assert colours == ["rgb(251, 250, 247)"] * 2
