"""Items that pages easily lose or spoil, in real Chromium: sound and film, texts from right to left, wide tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from lxml import html

from support.browser import Shown, Window, shown
from support.site import SiteFolder

pytestmark = pytest.mark.browser

FEEDS = Path(__file__).parent / "feeds"
NAMES = ("podcast", "arabic", "hebrew", "wide")


def published(folder: Path, *, language: str) -> Path:
    """Return the output folder of a site in a language over the feeds beside this file."""
    site = SiteFolder(folder)
    folder.mkdir()
    site.write([f"{{name: {name}, url: {FEEDS / name}.xml, category: news}}" for name in NAMES])
    done = site.run("poll", "--all", "--set", f"site.language={language}", "--set", "web.search=true")
    assert done.code == 0, done.err
    return site.output


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Shown]:
    """An English and a Hebrew site, in the folders ``en`` and ``he``."""
    folder = tmp_path_factory.mktemp("sites")
    (folder / "site").mkdir()
    for language in ("en", "he"):
        published(folder / language, language=language).rename(folder / "site" / language)
    with shown(folder / "site", chromium) as site:
        yield site


def item(window: Window, title: str, language: str = "en") -> Any:
    """Open the page of an item by its title, to which the page of its category leads."""
    category = f"{language}/category/news.html"
    links = html.fromstring(window.page.request.get(f"{window.root}/{category}").text())
    return window.show(urljoin(category, links.xpath("//h3/a[contains(., $title)]/@href", title=title)[0]))


def becomes_true(element: Any, condition: str) -> bool:
    """Wait a while for a condition on an element; pages allow no ``eval``, so Playwright cannot."""
    for _ in range(100):
        if element.evaluate(condition):
            return True
        element.page.wait_for_timeout(50)
    return False


@pytest.mark.parametrize("width", [360, 1280])
def test_sound_is_seen_and_plays(site: Shown, width: int) -> None:
    with site.window(width) as window:
        page = item(window, "An episode about tides")
        player = page.locator("audio")
        box = player.bounding_box()
        assert box["height"] >= 40
        assert box["width"] >= 280
        assert "1:02:03" in page.locator("figcaption").inner_text()
        player.focus()
        player.press("Space")
        assert becomes_true(player, "player => player.currentTime > 0")
        assert window.violations == []


def test_film_has_a_player_and_a_film_elsewhere_a_picture_that_leads_there(site: Shown) -> None:
    with site.window(360) as window:
        page = item(window, "A film of the harbour")
        assert page.locator("video").bounding_box()["height"] >= 150
        assert page.locator("aside a", has_text="harbour.pdf").is_visible()
        page = item(window, "On a host of films")
        link = page.locator("a.watch")
        assert link.bounding_box()["height"] >= 150
        assert link.get_attribute("href") == "https://www.youtube.com/watch?v=abcdefghijk"
        assert page.locator(".text a").get_attribute("href") == "https://wire.lantern.example/more?a=1&b=2"


RIGHT = ("افتتاح خط", "گزارش تازه", "بندرگاہ", "המעבורת לאי", "iPhone 17 מגיע")


@pytest.mark.parametrize(("language", "width"), [("en", 360), ("he", 360), ("en", 1280)])
def test_items_from_right_to_left_begin_at_the_right(site: Shown, language: str, width: int) -> None:
    with site.window(width) as window:
        for title in RIGHT:
            page = item(window, title, language)
            for each in ("h1", ".text p", ".byline"):
                assert page.locator(each).first.evaluate("each => getComputedStyle(each).direction") == "rtl", each
            column = page.locator("article").bounding_box()
            source = page.locator(".byline .source").bounding_box()
            assert abs(source["x"] + source["width"] - column["x"] - column["width"]) < 12, title
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("language", ["en", "he"])
def test_items_from_left_to_right_begin_at_the_left(site: Shown, language: str) -> None:
    with site.window(360) as window:
        for title in ("An English note", "Tide tables in ten columns"):
            page = item(window, title, language)
            for each in ("h1", ".text p", ".byline"):
                assert page.locator(each).first.evaluate("each => getComputedStyle(each).direction") == "ltr", each


def test_a_byline_that_breaks_begins_no_line_with_a_separator(site: Shown) -> None:
    """What lies outside of the byline is clipped: the border of the first part of every line."""
    with site.window(360) as window:
        page = item(window, "Tide tables in ten columns")
        byline = page.locator("header .byline")
        edges = byline.evaluate(
            """byline => [...byline.children].map(part => Math.round(
                 part.getBoundingClientRect().left - byline.getBoundingClientRect().left))"""
        )
        assert edges[0] == edges[1] == -1, "the parts that begin a line"
        assert edges[2] > 0
        assert byline.evaluate("byline => getComputedStyle(byline).overflowX") == "clip"


def test_a_table_of_ten_columns_and_code_scroll_in_themselves(site: Shown) -> None:
    with site.window(360) as window:
        page = item(window, "Tide tables in ten columns")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for each in (".wide", ".text pre"):
            box = page.locator(each)
            assert box.evaluate("box => box.scrollWidth > box.clientWidth + 100"), each
            box.focus()
            box.press("ArrowRight")
            assert becomes_true(box, "box => box.scrollLeft > 0"), each
        cells = page.locator("td", has_text="Measurement")
        assert cells.first.bounding_box()["height"] < 50, "no word is broken"
        assert window.barriers() == []


def test_a_picture_that_the_text_shows_is_there_once(site: Shown) -> None:
    with site.window() as window:
        assert item(window, "Tide tables in ten columns").locator("article img").count() == 1


def test_every_text_is_in_the_fonts_of_its_own_language(site: Shown) -> None:
    fonts = "each => getComputedStyle(each).fontFamily"
    with site.window() as window:
        page = item(window, "Tide tables in ten columns")
        english = page.locator(".text p").first.evaluate(fonts)
        chinese = item(window, "港口潮汐表").locator(".text p").first.evaluate(fonts)
        assert "CJK" not in english
        assert "PingFang" not in english
        assert "Noto Sans CJK SC" in chinese


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_awkward_items(site: Shown, scheme: str) -> None:
    with site.window(360, scheme) as window:
        for title in ("An episode", "A film of", "On a host", RIGHT[0], RIGHT[3]):
            item(window, title)
            assert window.barriers() == [], title
        for path in ("en/category/news.html", "he/category/news.html", "he/index.html"):
            window.show(path)
            assert window.barriers() == [], path
