import json
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.errors import PublishError
from feedhub.model.item import Item
from feedhub.model.output import CategorySummary, ListedOutputs, OutputFormat, OutputView, Site
from feedhub.publish.formats import renderers
from feedhub.publish.index import FeedIndex, feeds_opml, manifest, read_manifest
from support.output_views import NOON, SITE, stored, view

FORMATS: tuple[str, ...] = ("atom", "rss", "json")


def category(slug: str, title: str = "T", items: int = 1) -> CategorySummary:
    return CategorySummary(slug=slug, title=title, items=items, changed_at=NOON)


TOGETHER = category("all")


def outlines(body: bytes) -> list[dict[str, str]]:
    return [outline.attrib for outline in ElementTree.fromstring(body).iter("outline")]


def test_opml_lists_each_feed_once_in_the_order_given() -> None:
    file = feeds_opml(SITE, [category("tech"), category("art")], FORMATS)
    assert file.path == "feeds.opml"
    assert [outline["xmlUrl"] for outline in outlines(file.body)] == [
        "https://news.example.org/feeds/all.atom",
        "https://news.example.org/feeds/tech.atom",
        "https://news.example.org/feeds/art.atom",
    ]


@pytest.mark.parametrize(
    ("formats", "ending"), [(("json", "rss"), "rss"), (("json",), "json"), (("rss", "atom"), "atom")]
)
def test_opml_names_the_best_format_there_is(formats: tuple[str, ...], ending: str) -> None:
    urls = [outline["xmlUrl"] for outline in outlines(feeds_opml(SITE, [category("tech")], formats).body)]
    assert urls == [f"https://news.example.org/feeds/{slug}.{ending}" for slug in ("all", "tech")]


def test_opml_without_formats_is_empty_but_valid() -> None:
    assert outlines(feeds_opml(SITE, [category("tech")], ()).body) == []


@given(st.text(st.characters()))
def test_any_title_gives_a_well_formed_opml(title: str) -> None:
    site = Site(title=title, url="https://news.example.org", author=title)
    (combined, tech) = outlines(feeds_opml(site, [category("tech", title)], FORMATS).body)
    assert tech["text"]
    assert combined["title"]


def test_manifest_is_sorted_and_says_what_is_published() -> None:
    one = manifest(SITE, TOGETHER, [category("tech"), category("art", items=0)], ("rss", "atom"))
    other = manifest(SITE, TOGETHER, [category("art", items=0), category("tech")], ("atom", "rss"))
    assert one == other
    document = json.loads(one.body)
    assert [listed["slug"] for listed in document["categories"]] == ["art", "tech"]
    assert document["categories"][0]["feeds"] == {
        "atom": "https://news.example.org/feeds/art.atom",
        "rss": "https://news.example.org/feeds/art.rss",
    }
    assert (document["all"]["items"], document["all"]["changed"]) == (1, "2026-11-23T04:00:00+00:00")


def test_feed_without_any_item_has_no_last_change() -> None:
    assert json.loads(manifest(SITE, replace(TOGETHER, changed_at=None), [], FORMATS).body)["all"]["changed"] is None


def test_manifest_reads_back() -> None:
    file = manifest(
        SITE, TOGETHER, [category("tech"), category("all-news"), replace(category("a_b-1"), changed_at=None)], FORMATS
    )
    assert file.path == "feedhub.json"
    assert read_manifest(file.body) == ListedOutputs(
        slugs=("a_b-1", "all-news", "tech"),
        formats=("atom", "json", "rss"),
        changed={"all": NOON, "tech": NOON, "all-news": NOON, "a_b-1": None},
    )


@pytest.mark.parametrize("said", ["soon", 7, None, {}])
def test_manifest_with_another_time_of_change_tells_of_none(said: object) -> None:
    body = json.dumps({"all": {"changed": said}, "categories": []}).encode()
    assert read_manifest(body).changed == {"all": None}


@pytest.mark.parametrize(
    "slug", ["../x", "a/b", "", ".", "..", "C:x", "con", "all", "health", "A", "é", "a" * 100, 7, None, ["a"], "x\n"]
)
def test_manifest_names_nothing_that_is_no_slug(slug: object) -> None:
    body = json.dumps({"categories": [{"slug": slug}, {"slug": "tech"}, "tech", {}]}).encode()
    assert read_manifest(body).slugs == ("tech",)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "A", "1", "é", "a" * 17, "x\n", "a.b"])
def test_manifest_names_no_format_that_is_no_ending(name: str) -> None:
    feeds = {"feeds": {name: "u", "csv": "u"}}
    body = json.dumps({"all": feeds, "categories": [feeds, {"feeds": [name]}]}).encode()
    assert read_manifest(body).formats == ("csv",)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\xfd", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no categories"),
        pytest.param(b'{"categories": {"slug": "x"}}', id="categories no list"),
        pytest.param(b'{"categories": [', id="cut off"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_anything_else_than_a_manifest_names_nothing(body: bytes) -> None:
    assert read_manifest(body) == ListedOutputs()


@given(st.binary())
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    assert read_manifest(body) == ListedOutputs()


def test_index_ends_with_the_manifest_and_knows_every_path_of_a_feed() -> None:
    index = FeedIndex(SITE, ("rss",))
    files = index.render(TOGETHER, [category("tech")])
    assert [file.path for file in files] == ["feeds.opml", "feedhub.json"]
    assert index.listed(files[-1].body) == ListedOutputs(
        slugs=("tech",), formats=("rss",), changed={"all": NOON, "tech": NOON}
    )
    assert index.paths("tech") == ("feeds/tech.atom", "feeds/tech.rss", "feeds/tech.json")
    assert index.paths("tech", earlier=("csv", "rss"))[3:] == ("feeds/tech.csv",)


@pytest.mark.parametrize(
    ("render", "reason"),
    [
        (lambda view: view.no_such_thing, "the format odd failed: AttributeError: "),
        (lambda view: [][len(view.items)], "the format odd failed: IndexError: list index out of range"),
        (lambda view: int(view.feed.slug), "cannot be written as Odd: "),
        (lambda view: view.feed.slug, "the format odd gave str instead of bytes"),
    ],
    ids=["no such attribute", "no such entry", "a value", "text"],
)
def test_a_format_of_another_package_that_fails_costs_its_file_and_says_why(
    render: Callable[[OutputView], bytes], reason: str
) -> None:
    odd = OutputFormat(name="odd", title="Odd", media_type="text/odd", render=render)
    (renderer,) = renderers(("odd",), added=(odd,))
    with pytest.raises(PublishError, match=f"^feeds/tech.odd: {reason}"):
        renderer.render(view())


def test_renderers_come_in_the_order_of_the_formats_each_once() -> None:
    paths = [renderer.render(view()).path for renderer in renderers(("json", "atom", "json"))]
    assert paths == ["feeds/tech.json", "feeds/tech.atom"]


@pytest.mark.parametrize("kind", ["atom", "rss"])
def test_item_without_anything_is_an_error_that_names_the_output(kind: str) -> None:
    (renderer,) = renderers((kind,))
    with pytest.raises(PublishError, match=rf"^feeds/tech\.{kind}: cannot be written as "):
        renderer.render(view(stored(1, Item(title=""), id="")))
