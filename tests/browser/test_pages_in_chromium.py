"""The demo's site in real Chromium: it leads to the original, complains about nothing and asks nobody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.browser import ORIGIN, Shown, shown
from support.cli_runs import run

pytestmark = pytest.mark.browser
FIRST = ("index.html", "categories.html", "subscribe.html", "sources.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("demo")
    assert run("demo", "--dir", folder / "site").code == 0
    with shown(folder / "site" / "output", chromium) as site:
        yield site


def pages(site: Shown, *, items: int = 4) -> list[str]:
    """Return one page of every kind, and the items with the most markup."""
    longest = sorted(site.folder.glob("items/*/*/*.html"), key=lambda path: -path.stat().st_size)[:items]
    archives = sorted(site.folder.glob("category/*/*.html"))[:1]
    named = [site.folder / name for name in (*FIRST, "404.html", "category/caijing.html")]
    return [path.relative_to(site.folder).as_posix() for path in (*named, *archives, *longest)]


def test_a_visitor_gets_from_the_front_page_to_the_original(site: Shown) -> None:
    with site.window() as window:
        page = window.show("index.html")
        assert page.title() == "The Harbour Reader"
        page.get_by_role("navigation", name="Places").get_by_role("link", name="World", exact=True).click()
        assert page.locator("h1").inner_text() == "World"
        assert "Tuesday, 15 September 2026" in page.locator(".day h2").first.inner_text()
        page.get_by_role("link", name="Ferry to Saltmarsh Island reopens after two years").click()
        assert "items/2026/09/" in page.url
        assert "oysters" in page.locator(".text").inner_text()
        assert "Tideline" in page.locator(".also").inner_text()
        page.get_by_role("link", name=f"Read the original at {ORIGIN}").click()
        assert page.title() == "The original"
        assert urlsplit(page.url).hostname == ORIGIN
        assert window.errors == []


def test_feeds_are_found_from_every_page(site: Shown) -> None:
    with site.window() as window:
        for path in pages(site, items=1):
            page = window.show(path)
            links = page.locator('link[rel="alternate"]')
            assert links.count() >= 1, path
            if path == "404.html":
                continue  # its links begin at the host, wherever it is shown
            for link in links.all():
                answer = page.request.get(link.evaluate("link => link.href"))
                assert answer.ok, path
                assert link.get_attribute("type") in (
                    "application/atom+xml",
                    "application/rss+xml",
                    "application/feed+json",
                )


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_every_page_is_usable_by_everybody_complains_of_nothing_and_asks_nobody_else(
    site: Shown, width: int, scheme: str
) -> None:
    with site.window(width, scheme) as window:
        for path in pages(site):
            page = window.show(path)
            assert (window.errors, window.violations, window.barriers()) == ([], [], []), path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert {url for url in window.asked if not url.startswith((site.root, "data:"))} == set()


def test_the_dark_scheme_is_dark(site: Shown) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        with site.window(scheme=scheme) as window:
            page = window.show("index.html")
            colours[scheme] = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert colours == {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 23, 26)"}


def test_pages_opened_from_the_disk_have_their_style_and_their_links(site: Shown) -> None:
    with site.window() as window:
        page = window.page
        page.goto((site.folder / "index.html").as_uri())
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(251, 250, 247)"
        page.get_by_role("navigation", name="Places").get_by_role("link", name="World", exact=True).click()
        assert page.locator("h1").inner_text() == "World"


def test_what_a_trusted_source_smuggles_in_does_not_run(site: Shown, tmp_path: Path) -> None:
    page_file = next(iter(sorted(site.folder.glob("items/*/*/*.html"))))
    evil = '<div class="text"><script>document.title = "taken"</script><p id="p" style="color: red" onclick="x()">!</p>'
    smuggled = site.folder / "smuggled.html"
    text = page_file.read_text("utf-8").replace('<div class="text">', evil).replace("../../../", "")
    smuggled.write_text(text, "utf-8")
    try:
        with site.window() as window:
            page = window.show("smuggled.html")
            assert page.title() != "taken"
            assert page.locator("#p").evaluate("p => getComputedStyle(p).color") != "rgb(255, 0, 0)"
            assert {violation.partition(" ")[0] for violation in window.violations} == {
                "script-src-elem",
                "script-src-attr",
                "style-src-attr",
            }
    finally:
        smuggled.unlink()
