"""SPEC §3.1 ``kind: html``: a page read by CSS selectors."""

from datetime import UTC, datetime
from typing import Any

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed
from feedhub.model.source import FieldMap, RecordMap, Source
from feedhub.sources.mapped.html_page import trace_html_page
from support.reading import read_document

URL = "https://news.example/list/page.html"
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LIST = """<html lang="zh-CN"><head><title> 新闻
列表</title></head><body>
<a href="/outside">外面的链接</a><time>2020-01-01</time>
<ul class="news">
 <li id="n1"><a href="a1.html">第一条 &amp; <b>新闻</b></a><time datetime="2026-11-20T08:00:00+08:00">三天前</time>
  <p class="lead">摘要<br>两行 <img src="/i/1.png"></p><span class="tag">财经</span><span class="tag">港口</span></li>
 <li id="n2" class="ad"><a href="//other.example/2">第二条</a><time>2026年11月21日 09:30</time></li>
 <li id="n3"><a href="/a3?x=1#top">第三条</a><time>3小时前</time></li>
</ul></body></html>"""


def paths(*selectors: str, **others: Any) -> FieldMap:
    return FieldMap(paths=selectors, **others)


def source(
    items: str | None = "ul.news li", *, where: str | None = None, error: str | None = None, **fields: FieldMap
) -> Source:
    fields = fields or {"title": paths("a"), "link": paths("a@href")}
    mapping = RecordMap(fields=tuple(fields.items()), items=items, where=where, error=error)
    return Source(name="s", url=URL, kind="html", timezone="Asia/Shanghai", records=mapping)


def document(page: str | bytes, **others: Any) -> Document:
    body = page.encode() if isinstance(page, str) else page
    return Document(url=URL, body=body, digest="", fetched_at=NOON, **others)


def read(page: str | bytes = LIST, *, asked: Source | None = None, **fields: Any) -> ParsedFeed:
    return read_document(document(page), asked or source(**fields))


def test_the_list_of_a_page_becomes_items_in_its_order() -> None:
    feed = read(
        id=paths("@id"), title=paths("a"), link=paths("a@href"), published=paths("time@datetime", "time"),
        summary=paths(".lead"), tags=paths(".tag"), image=paths("img@src"), author=paths(".tag"),
    )  # fmt: skip
    first = feed.items[0]

    assert (feed.title, feed.link, feed.language) == ("新闻 列表", URL, "zh-CN")
    assert [item.title for item in feed.items] == ["第一条 & 新闻", "第二条", "第三条"]
    assert [item.guid for item in feed.items] == ["n1", "n2", "n3"]
    assert [item.link for item in feed.items] == [
        "https://news.example/list/a1.html", "https://other.example/2", "https://news.example/a3?x=1#top",
    ]  # fmt: skip
    assert [item.published_at for item in feed.items] == [
        datetime(2026, 11, 20, 0, 0, tzinfo=UTC), datetime(2026, 11, 21, 1, 30, tzinfo=UTC),
        datetime(2026, 11, 23, 1, 0, tzinfo=UTC),
    ]  # fmt: skip
    assert first.summary is not None
    assert first.summary.value == '摘要<br>两行 <img src="/i/1.png">'
    assert (first.summary.kind, first.summary.base) == ("html", URL)
    assert first.tags == ("财经", "港口")
    assert [person.name for person in first.authors] == ["财经", "港口"]
    assert first.image == "https://news.example/i/1.png"


def test_a_field_without_an_element_takes_nothing_from_its_neighbours() -> None:
    item = read(title=paths("a"), summary=paths(".lead"), image=paths("img@src")).items[1]

    assert (item.summary, item.image) == (None, None)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (paths("h9", "a"), "第一条 & 新闻"),
        (paths(".lead"), "摘要 两行"),
        (paths("> .tag"), "财经"),
        (paths(".tag + .tag"), "港口"),
        (paths("@id"), "n1"),
        (paths("h9", template="{id} at {link}"), "n1 at a1.html"),
        (paths("a", strip="^第"), "一条 & 新闻"),
        (paths("a", match="第(.)条"), "一"),
        (paths("a", limit=2), "第一"),
        (paths("p.none, a b"), "新闻"),
        (paths(":scope + li a"), "第二条"),
    ],
    ids=lambda value: str(value.paths) if isinstance(value, FieldMap) else None,
)
def test_a_title_by_its_map(field: FieldMap, text: str) -> None:
    asked = source("#n1", title=field, id=paths("@id"), link=paths("a@href"))

    assert read(asked=asked).items[0].title == text


@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [
        (paths(".lead"), "html", '摘要<br>两行 <img src="/i/1.png">'),
        (paths(".lead", kind="text"), "text", "摘要\n两行"),
        (paths(".lead::text"), "html", "摘要\n两行"),
        (paths("a::html", kind="text"), "text", "第一条 &amp; <b>新闻</b>"),
        (paths("time@datetime"), "html", "2026-11-20T08:00:00+08:00"),
    ],
    ids=["markup", "text", "asked for text", "asked for markup", "attribute"],
)
def test_content_is_markup_unless_text_is_asked_for(field: FieldMap, kind: str, value: str) -> None:
    content = read(asked=source("#n1", title=paths("a"), content=field)).items[0].content

    assert content is not None
    assert (content.kind, content.value) == (kind, value)


def test_the_first_element_that_says_something_wins() -> None:
    page = "<ul class=news><li><a href=/1><img src=x></a><a href=/1>Words</a></li></ul>"

    assert read(page).items[0].title == "Words"


def test_scripts_are_no_text_and_no_markup() -> None:
    page = "<ul class=news><li><a href=/1>A<script>b()</script></a><p>c<style>d</style>e</p></li></ul>"
    item = read(page, title=paths("a"), content=paths("p")).items[0]

    assert item.title == "A"
    assert item.content is not None
    assert item.content.value == "ce"


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        (".ad", ["n2"]),
        (":not(.ad)", ["n1", "n3"]),
        ("img", ["n1"]),
        (":not(:has(img))", ["n2", "n3"]),
        ('a:contains("第三")', ["n3"]),
    ],
)
def test_records_for_which_where_does_not_hold_are_left_out_with_a_reason(where: str, kept: list[str]) -> None:
    feed = read(asked=source(where=where, id=paths("@id"), title=paths("a"), link=paths("a@href")))

    assert [item.guid for item in feed.items] == kept
    assert [item.position for item in feed.items] == [int(name[1:]) - 1 for name in kept]
    assert {record.reason for record in feed.rejected} == {f"left out by where: {where}"}
    assert {record.guid for record in feed.rejected} == {"n1", "n2", "n3"} - set(kept)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ({"title": paths("h2.head")}, 'fields.title: nothing at "h2.head"'),
        ({"title": paths("a"), "link": paths("h2 a@href")}, "fields.link: h2 a@href: nothing there"),
        (
            {"title": paths("a"), "link": paths("a@data-js")},
            'fields.link: a@data-js: "javascript:open()" is no http(s) address',
        ),
        (
            {"title": paths("a"), "published": paths("i", formats=("%Y-%m-%d",))},
            'fields.published: "i": "soon" does not match "%Y-%m-%d"',
        ),
        ({"title": paths("a"), "published": paths("time")}, 'fields.published: nothing at "time"'),
        ({"title": paths("a"), "id": paths("@id", ".id")}, 'fields.id: nothing at "@id", ".id"'),
    ],
    ids=["title", "link", "link that is none", "wrong date", "no date", "id"],
)
def test_a_record_without_what_is_mapped_is_rejected_and_the_others_kept(
    field: dict[str, FieldMap], reason: str
) -> None:
    whole = '<li id=x><h2 class=head><a href=/2 data-js="/x">b</a></h2><i>2026-11-22</i><time>2026-11-22</time></li>'
    page = f'<ul class=news><li><a data-js="javascript:open()">lone</a><i>soon</i></li>{whole}</ul>'
    feed = read(page, asked=source(**field))

    assert len(feed.items) == 1
    assert [record.reason for record in feed.rejected] == [reason]
    assert feed.rejected[0].title.startswith("lone")


def test_a_page_of_which_no_record_can_be_used_says_why() -> None:
    with pytest.raises(ParseError, match=r'none of its 3 records can be used: fields.title: nothing at "h9"'):
        read(title=paths("h9"))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (source("ul.gone li"), 'items: "ul.gone li" matches nothing in the page'),
        (source(None), "items: a page needs a selector for its list"),
        (Source(name="s", url=URL, kind="html"), "items: a page needs a selector for its list"),
        (source("li["), "items: li[: not a usable selector: Expected ident"),
        (source(where="li::text"), "where: li::text: not a usable selector"),
        (source(title=paths("a", "b::c")), "fields.title: b::c: not a usable selector"),
        (source(error="li.ad"), 'the page tells of an error: "第二条2026年11月21日 09:30" (li.ad)'),
    ],
    ids=["list", "no list", "no map", "items", "where", "field", "error"],
)
def test_what_is_wrong_with_a_page_or_its_map_is_told(asked: Source, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(asked=asked)

    assert str(caught.value).startswith(reason)


def test_an_error_without_words_is_an_error() -> None:
    with pytest.raises(ParseError, match=r"the page tells of an error \(img\)"):
        read(asked=source(error="img"))


@pytest.mark.parametrize(
    ("base", "link"),
    [
        ('<base href="https://cdn.example/x/">', "https://cdn.example/x/1"),
        ('<base href="/y/">', "https://news.example/y/1"),
        ('<base href="javascript:x">', "https://news.example/list/1"),
        ("<base target=_blank>", "https://news.example/list/1"),
        ("", "https://news.example/list/1"),
    ],
)
def test_addresses_are_relative_to_the_base_of_the_page(base: str, link: str) -> None:
    page = f"<html><head>{base}</head><body><ul class=news><li><a href=1>a</a></li></ul>"

    assert read(page).items[0].link == link


@pytest.mark.parametrize(
    ("base", "link"), [("https://b.example/", "https://b.example/1"), ("/sub/", "https://news.example/sub/1")]
)
def test_a_field_may_have_a_base_of_its_own(base: str, link: str) -> None:
    page = "<ul class=news><li><a href=1>a</a></li></ul>"

    assert read(page, title=paths("a"), link=paths("a@href", base=base)).items[0].link == link


@pytest.mark.parametrize("charset", ["gbk", "gb2312", "utf-8", "big5"])
def test_the_charset_that_the_page_declares_is_honoured(charset: str) -> None:
    page = (
        f'<html><head><meta charset="{charset}"></head><body><ul class="news"><li><a href="/1">港口新聞</a></li></ul>'
    )
    body = page.encode({"gb2312": "gb18030"}.get(charset, charset))

    assert read(body).items[0].title == "港口新聞"


def test_enclosures_are_addresses() -> None:
    files = '<audio src="/1.mp3"></audio><audio src="/2.mp3"></audio><audio src="x:y"></audio>'
    page = f"<ul class=news><li><a>a</a>{files}</li></ul>"
    item = read(page, title=paths("a"), enclosures=paths("audio@src")).items[0]

    assert [file.url for file in item.enclosures] == ["https://news.example/1.mp3", "https://news.example/2.mp3"]


def test_a_limit_keeps_the_newest() -> None:
    asked = source(id=paths("@id"), title=paths("a"), published=paths("time@datetime", "time"))
    limited = Source(name="s", url=URL, kind="html", timezone="Asia/Shanghai", records=asked.records, limit=1)

    assert [item.guid for item in read(asked=limited).items] == ["n3"]


def test_preview_tells_what_every_selector_gave() -> None:
    asked = source(
        where=":not(#n1)",
        title=paths("h2", "a"),
        summary=paths(".lead", "time"),
        published=paths("a"),
        tags=paths("time"),
    )
    (trace,) = trace_html_page(document(LIST), asked, 1)
    told = [(one.field, one.path, one.state, one.value) for one in trace.fields]

    assert trace.position == 1
    assert told == [
        ("title", "h2", "empty", ""),
        ("title", "a", "gave", '"第二条"'),
        ("summary", ".lead", "empty", ""),
        ("summary", "time", "gave", '"2026年11月21日 09:30"'),
        ("published", "a", "failed", '"第二条" is no date that can be read'),
        ("tags", "time", "gave", '"2026年11月21日 09:30"'),
    ]
