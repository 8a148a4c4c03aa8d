"""Whatever sources write, every format stays well-formed and gives it back."""

import json
import re
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree, html

from feedhub.model.item import Enclosure, Item, Person, StoredItem
from feedhub.model.output import (
    CategorySummary,
    CategoryView,
    FrontView,
    ItemView,
    OtherSource,
    OutputFeed,
    OutputSettings,
    OutputView,
    PageItem,
    Part,
    Site,
    SourceLine,
)
from feedhub.model.source import Health
from feedhub.publish.entry import excerpt_of, safe_line, safe_text
from feedhub.publish.formats import renderers
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.templating import PageTemplates
from support.examples import examples
from support.feed_checks import check_feed
from support.feedgen_entries import atom_by_feedgen, rss_by_feedgen
from support.output_views import NOON, stored

ATOM = "{http://www.w3.org/2005/Atom}"
ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"

_NASTY = (
    "]]>",
    "<![CDATA[x]]>",
    "&amp;lt;",
    "&#0;&#x1F;",
    "\"'<>&",
    "<!--",
    "\u202eRTL\u202c",
    "\r\n\t",
    "\x00\x0b\x1f\x7f\x85",
    "\ud800",
    "\udfff\ud800",
    "\ufffe\uffff",
    "{{ 7*7 }}",
    "${x}",
    " \u2028\u2029 ",
    'http://a.example/%zz?<>"{}|\\^`[]#ü#',
    "http://[::1",
    "http://ü.example:99999/",
    "https://пример.example/путь",
)

texts = st.lists(st.sampled_from(_NASTY) | st.text(st.characters(), max_size=12), max_size=4).map("".join)
maybe = st.none() | texts
urls = maybe | texts.map("https://a.example/".__add__)
people = st.builds(Person, name=texts, uri=urls, email=maybe | texts.map("a@b.".__add__))
files = st.builds(
    Enclosure,
    url=urls.map(lambda url: url or ""),
    media_type=maybe,
    length=st.none() | st.integers(),
    duration=st.none() | st.integers(),
    title=maybe,
)
items = st.builds(
    Item,
    title=texts,
    guid=maybe,
    link=urls,
    summary=maybe,
    content=maybe,
    authors=st.lists(people, max_size=2).map(tuple),
    tags=st.lists(texts, max_size=3).map(tuple),
    language=maybe,
    image=urls,
    comments=urls,
    enclosures=st.lists(files, max_size=2).map(tuple),
)


@st.composite
def views(draw: st.DrawFn) -> OutputView:
    shown = tuple(
        stored(
            number,
            item,
            source=draw(texts),
            source_title=draw(texts),
            source_link=draw(urls),
            source_url=draw(urls),
            categories=tuple(draw(st.lists(texts, max_size=2))),
        )
        for number, item in enumerate(draw(st.lists(items, min_size=1, max_size=2)))
    )
    return OutputView(
        site=Site(title=draw(texts), url="https://news.example.org", language=draw(texts), author=draw(texts)),
        feed=OutputFeed(slug="tech", title=draw(texts), description=draw(texts), entries=9),
        items=shown,
        updated_at=NOON,
        content=draw(st.sampled_from(["full", "summary", "none"])),
    )


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(views())
def test_any_text_in_any_field_gives_valid_feeds_that_read_back_equal(shown: OutputView) -> None:
    atom, rss, document = (renderer.render(shown) for renderer in renderers(("atom", "rss", "json")))
    for file in (atom, rss, document):
        assert check_feed(file.path, file.body) == []
    compare_atom(shown, etree.fromstring(atom.body))
    compare_rss(shown, etree.fromstring(rss.body))
    compare_json(shown, json.loads(document.body))


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(views())
def test_entries_are_to_the_indentation_what_feedgen_makes_of_them(shown: OutputView) -> None:
    plain = replace(shown, has_pages=False)  # feedgen names no style sheet
    atom, rss = (renderer.render(plain) for renderer in renderers(("atom", "rss")))
    assert _INDENTATION.sub(b"", atom.body) == _INDENTATION.sub(b"", atom_by_feedgen(plain))
    assert _INDENTATION.sub(b"", rss.body) == _INDENTATION.sub(b"", rss_by_feedgen(plain))


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(views(), texts, urls)
def test_any_text_in_any_field_gives_pages_without_anything_active(
    shown: OutputView, name: str, url: str | None
) -> None:
    site = HtmlSite(shown.site, OutputSettings(dir="/nowhere"))
    plain = replace(shown, items=tuple(replace(one, item=replace(one.item, content=None)) for one in shown.items))
    reports = (OtherSource(source=name, title=name, link=url),)
    front = FrontView(latest=plain, categories=(), months=())
    files = [
        site.list_page(plain, ()),
        site.front(front),
        site.sources([SourceLine(name=name, title=name, state=Health.OK, link=url)]),
    ]
    for one in plain.items:
        page = PageItem(item=one, slugs=("x",) * len(one.categories), also=reports)
        # The summary is markup that was sanitised; here it is not.
        bare = replace(one, item=replace(one.item, summary=None))
        files.append(site.item(ItemView(view=replace(plain, items=(bare,)), page=page)))
    for file in files:
        page_text = file.body.decode()
        assert not _CONTROL.search(page_text)
        tree = html.fromstring(page_text)
        assert tree.xpath("//style | //@style | //@*[starts-with(name(), 'on')]") == []
        blocks = tree.xpath("//script")
        assert [block.get("type") for block in blocks] == ["application/ld+json"] * len(blocks), "which is data"
        assert all(json.loads(block.text)["@type"] == "NewsArticle" for block in blocks)
        assert [link for link in tree.xpath("//@href | //@src") if ":" in link and not _HARMLESS.match(link)] == []


class WholePages(PageTemplates):
    """Our templates, rendered as those of an owner are: in the sandbox, each page as a whole."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.is_ours = False


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(views(), texts, urls, st.booleans())
def test_pages_made_of_kept_parts_are_byte_for_byte_what_the_templates_give(
    shown: OutputView, name: str, url: str | None, is_part: bool
) -> None:
    of_parts, whole = (
        HtmlSite(shown.site, OutputSettings(dir="/x"), make=make) for make in (PageTemplates, WholePages)
    )
    parts = {"part": Part(month="2026-10", number=2), "older": Part(month="2026-09")} if is_part else {}
    summary = CategorySummary(slug="tech", title=name, items=len(shown.items))
    front = FrontView(
        latest=shown,
        categories=(CategoryView(summary=summary, items=shown.items[::-1]),),
        months=(Part(month="2026-10"),),
    )
    reports = (OtherSource(source=name, title=name, link=url),)
    for _ in range(2):  # as it is made, and as it is kept
        for one in (shown, replace(shown, items=()), replace(shown, **parts)):  # type: ignore[arg-type]
            assert of_parts.list_page(one, ()) == whole.list_page(one, ())
        for one in (front, replace(front, latest=replace(shown, items=()), categories=())):
            assert of_parts.front(one) == whole.front(one)
        for item in shown.items:
            page = PageItem(item=item, slugs=("x",) * len(item.categories), also=reports)
            view = ItemView(view=replace(shown, items=(item,)), page=page)
            assert of_parts.item(view) == whole.item(view)


_INDENTATION = re.compile(rb"(?m)^ +(?=<)")  # of elements: no text holds a bare <
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e]")
_HARMLESS = re.compile("https?:|mailto:|[a-z/.]*\\.(html|css|svg|atom|rss|json|opml)$")


def title_matches(title: str | None, item: StoredItem, has_text: bool) -> bool:
    expected = safe_line(item.item.title)
    return (title or "") == expected if expected or has_text else bool(title)


def compare_atom(shown: OutputView, feed: Any) -> None:
    for item, entry in zip(shown.items, feed.findall(f"{ATOM}entry"), strict=True):
        content, summary = entry.findtext(f"{ATOM}content") or "", entry.findtext(f"{ATOM}summary") or ""
        assert entry.findtext(f"{ATOM}id") == item.id
        if safe_line(item.item.title):
            assert entry.findtext(f"{ATOM}title") == safe_line(item.item.title)
        assert names_match(item, [name.text for name in entry.findall(f"{ATOM}author/{ATOM}name")])
        assert texts_match(shown, item, content, summary)
        assert {category.get("term") for category in entry.findall(f"{ATOM}category")} == labels(item)


def compare_rss(shown: OutputView, rss: Any) -> None:
    for item, element in zip(shown.items, rss.findall("channel/item"), strict=True):
        content, summary = element.findtext(ENCODED) or "", element.findtext("description") or ""
        assert element.findtext("guid") == item.id
        assert title_matches(element.findtext("title"), item, bool(content or summary))
        written = sorted([*map(author_name, element.findall("author")), *(c.text for c in element.findall(CREATOR))])
        assert written == sorted(safe_line(person.name) for person in item.item.authors if safe_line(person.name))
        if summary == excerpt_of(content):
            summary = ""  # it stands for the content in readers that know no other element
        assert texts_match(shown, item, content, summary)
        assert {category.text for category in element.findall("category")} == labels(item)


def compare_json(shown: OutputView, document: Any) -> None:
    for item, element in zip(shown.items, document["items"], strict=True):
        content = element.get("content_html", "")
        assert element["id"] == item.id
        assert title_matches(element.get("title"), item, bool(content))
        assert names_match(item, [author["name"] for author in element.get("authors", [])])
        assert set(element.get("tags", [])) == labels(item)
        if shown.content == "full":
            expected = (safe_text(text) for text in (item.item.content, item.item.summary))
            assert content == next((text for text in expected if text.strip()), "")


def author_name(element: Any) -> str:
    """Return the name of ``mail (name)``."""
    return str(element.text.partition(" (")[2].removesuffix(")"))


def names_match(item: StoredItem, names: list[str | None]) -> bool:
    return names == [safe_line(person.name) for person in item.item.authors if safe_line(person.name)]


def labels(item: StoredItem) -> set[str]:
    return {safe_line(label) for label in (*item.categories, *item.item.tags)} - {""}


def texts_match(shown: OutputView, item: StoredItem, content: str, summary: str) -> bool:
    """Whether what is shown is what was given, wherever the format had to put it."""
    if shown.content == "none":
        return content == summary == ""
    given_texts = [safe_text(text) for text in (item.item.content, item.item.summary)]
    expected = {text for text in given_texts if text.strip()}
    if shown.content == "summary":
        return summary == given_texts[1] or not given_texts[1].strip() or content == given_texts[1]
    return {content, summary} - {""} == expected
