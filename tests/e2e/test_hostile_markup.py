"""Markup that parsers read in two ways, and names that hide a page's own, from feeds to the published page and feed.

What comes out is parsed by lxml, by Python's own parser and, in ``browser/test_hostile_pages.py``, by Chromium. None
of them may find anything that is not on the list (docs/markup.md).
"""

import json
import re
from html import escape
from pathlib import Path

import lxml.html
import pytest
from lxml.html import HtmlElement

from support.cli_runs import run, write_project
from support.hostile_markup import MARKUP
from support.responders import static
from support.sanitised import faults_in, tree_faults
from support.server import serve

PAGE_TEXT = ".//div[@class='text']"
# What is around the text of every page, by element.
FRAME = {
    "html": {"lang"},
    "meta": {"charset", "name", "content", "property", "http-equiv"},
    "link": {"rel", "href", "type", "title", "sizes", "property"},
    "a": {"href", "rel", "type", "aria-current"},
    "time": {"datetime", "lang"},
}
FRAME_OTHERS = {"class", "lang", "dir", "aria-label", "aria-labelledby", "id"}
FRAME_IDS = re.compile(r"content|(?:latest|categories|archive)-title|feed-[a-z0-9-]+")
# What scrolls in a text: pages add it.
WIDE = {"class": "wide", "role": "region", "tabindex": "0", "aria-label": "Table"}
# Of this site, of the web, or one of nothing.
ADDRESS = re.compile(r"(?:https?://|[\w./#-]*$)", re.ASCII)
FRAME_TAGS = set(
    "html head meta title link body header nav main article footer aside section h1 h2 h3 p a span time div ul li "
    "dl dt dd br code bdi".split()
)


def _rss() -> bytes:
    items = "".join(
        f"<item><guid>r{at}</guid><link>https://e.example/r/{at}</link><title>{_xml(markup)}</title>"
        f"<category>{_xml(markup[:150])}</category><author>{_xml(markup)}</author>"
        f"<description>{_xml(markup)}</description></item>"
        for at, markup in enumerate(MARKUP.values())
    )
    title = _xml("<svg onload=window.pwned=1>")
    return f"<rss version='2.0'><channel><title>{title}</title>{items}</channel></rss>".encode()


def _json_feed() -> bytes:
    items = [
        {
            "id": f"j{at}",
            "url": f"https://e.example/j/{at}",
            "title": markup,
            "content_html": f"<p>before{markup}after</p>",
            "authors": [{"name": markup}],
            "tags": [markup],
        }
        for at, markup in enumerate(MARKUP.values())
    ]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "<b>", "items": items}).encode()


def _xml(text: str) -> str:
    return escape("".join(letter for letter in text if letter.isprintable() or letter in "\t\n"))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    with serve({"/rss": static(_rss()), "/json": static(_json_feed())}) as server:
        sources = "".join(
            f"  - {{name: {kind}, url: '{server.url(f'/{kind}')}', category: News}}\n" for kind in ("rss", "json")
        )
        config = write_project(folder, sources, "output: {entries: 2000}")
        done = run("poll", "-c", config, "--json")
    assert [row["new"] for row in done.json["sources"]] == [len(MARKUP)] * 2, done
    return folder / "output"


def test_what_a_reader_gets_as_html_holds_only_what_the_list_allows(output: Path) -> None:
    items = json.loads((output / "feeds" / "news.json").read_bytes())["items"]
    assert len(items) == 2 * len(MARKUP)
    for item in items:
        markup = item.get("content_html", "")
        tree = lxml.html.fragment_fromstring(markup, create_parent="div")
        again = lxml.html.fragment_fromstring(_inner(tree), create_parent="div")
        assert (faults_in(markup), tree_faults(tree), tree_faults(again)) == ([], [], []), (item["id"], markup)


def test_a_page_holds_its_own_elements_and_in_its_text_what_the_list_allows(output: Path) -> None:
    pages = [*output.glob("items/*/*/*.html"), *output.glob("*.html"), *output.glob("category/*.html")]
    assert len(pages) > 2 * len(MARKUP)
    for path in pages:
        page = lxml.html.fromstring(path.read_bytes().decode())
        for text in page.findall(PAGE_TEXT):
            for element in text.iter("div", "pre"):
                for name in WIDE if dict(element.attrib) == WIDE else {"tabindex"} & set(element.attrib):
                    del element.attrib[name]
            assert tree_faults(text) == [], path
            for child in list(text):
                text.remove(child)
        for block in page.xpath("//head/script[@type='application/ld+json']"):
            assert json.loads(block.text)["@type"] == "NewsArticle"
            block.getparent().remove(block)
        assert _frame_faults(page) == set(), path


def test_titles_names_and_labels_are_text_wherever_they_stand(output: Path) -> None:
    for path in output.glob("items/*/*/*.html"):
        page = lxml.html.fromstring(path.read_bytes().decode())
        for place in (".//h1", ".//*[@class='authors']/bdi", ".//title"):
            assert [len(found) for found in page.findall(place)] in ([], [0]), path


def _inner(tree: HtmlElement) -> str:
    written: str = lxml.html.tostring(tree, encoding="unicode")
    return written.removeprefix("<div>").removesuffix("</div>")


def _frame_faults(page: HtmlElement) -> set[str]:
    faults: set[str] = set()
    for element in page.iter():
        if not isinstance(element.tag, str) or element.tag not in FRAME_TAGS:
            faults.add(f"{element.tag}")
            continue
        known = FRAME.get(element.tag, set()) | FRAME_OTHERS
        faults |= {f"{element.tag} {name}" for name in element.attrib if name not in known}
        faults |= set() if FRAME_IDS.fullmatch(element.get("id", "content")) else {f"id {element.get('id')}"}
        address = element.get("href") or element.get("src") or ""
        faults |= set() if ADDRESS.match(address) else {address}
    return faults
