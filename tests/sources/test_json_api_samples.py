"""The sample answers of real services, read by mappings as a configuration would write them (SPEC §3.1)."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed
from feedhub.model.source import FieldMap, PageMap, RecordMap, Source
from support.reading import read_document

DATA = Path(__file__).parents[3] / "shared" / "data" / "finews"
CLOCK = "%Y-%m-%d %H:%M:%S"
NOW = datetime(2026, 2, 5, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the sample answers are not here")


def at(*paths: str, **settings: Any) -> FieldMap:
    return FieldMap(paths=paths, **settings)


def to(template: str) -> FieldMap:
    return FieldMap(template=template)


@dataclass(frozen=True, kw_only=True)
class Sample:
    file: str
    fields: Mapping[str, FieldMap]
    titles: Callable[[Any], list[str]]
    dates: list[str]
    items: str | None = None
    where: str | None = None
    error: str | None = None
    cursor: str | None = None
    url: str = "https://api.example/list"
    rejected: list[str] = field(default_factory=list)
    links: list[str | None] | None = None


def raw(file: str) -> Any:
    """The JSON of a sample, cut out by hand: from its first bracket to its last one but for the `catch` block."""
    text = (DATA / file).read_text("utf-8").partition("}catch")[0]
    start = min(at for at in (text.find("{", 5 if text.startswith("try") else 0), text.find("[")) if at >= 0)
    return json.loads(text[start : max(text.rfind("}"), text.rfind("]")) + 1])


def in_brackets(text: str) -> str:
    return text[1:].partition("】")[0] if text.startswith("【") else ""


def none(_: Any) -> list[str]:
    return []


def read(sample: Sample) -> ParsedFeed:
    source = Source(
        name=sample.file,
        url=sample.url,
        kind="json",
        timezone="Asia/Shanghai",
        records=RecordMap(
            fields=tuple(sample.fields.items()), items=sample.items, where=sample.where, error=sample.error
        ),
        pages=PageMap(cursor=sample.cursor, max=2) if sample.cursor else None,
    )
    body = (DATA / sample.file).read_bytes()
    return read_document(Document(url=sample.url, body=body, digest="", fetched_at=NOW), source)


SINA = {
    "id": at("id", "docurl"),
    "title": at("rich_text", match="^\\s*(?:【([^】]+)】|(.+))", limit=60),
    "summary": at("rich_text", kind="text"),
    "published": at("create_time", formats=(CLOCK,)),
    "tags": at("tag[*].name"),
    "link": at("docurl"),
}
SAMPLES = [
    Sample(
        file="json-apis/eastmoney-kuaixun.js",
        items="LivesList",
        error="rc != `1`",
        fields={
            "id": at("id"),
            "title": at("title"),
            "summary": at("digest", strip="^【[^】]*】"),
            "published": at("showtime", formats=(CLOCK,)),
            "link": at("url_w"),
        },
        titles=lambda raw: [one["title"] for one in raw["LivesList"]],
        dates=["2026-07-27 02:00:57", "2026-07-27 01:57:39"],
        links=[f"http://finance.eastmoney.com/a/{key}.html" for key in ("202607273821610750", "202607273821590287")],
    ),
    Sample(
        file="json-apis/eastmoney-search.jsonp",
        items="result.cmsArticleWebOld || `[]`",
        fields={
            "id": at("code"),
            "title": at("title"),
            "published": at("date", formats=(CLOCK,)),
            "author": at("mediaName"),
            "link": at("url"),
        },
        titles=lambda raw: [re.sub("</?em>", "", one["title"]) for one in raw["result"]["cmsArticleWebOld"]],
        dates=["2026-07-24 06:59:00"],
    ),
    Sample(
        file="json-apis/eastmoney-stock-list.jsonp",
        items="data.list",
        fields={
            "id": at("Art_Code"),
            "title": at("Art_Title"),
            "published": at("Art_SortStart", formats=("epoch_us",)),
            "link": at("Art_Url", "Art_OriginUrl"),
            "author": at("Art_MediaName"),
            "image": at("Art_Image"),
        },
        titles=lambda raw: [one["Art_Title"] for one in raw["data"]["list"]],
        dates=["2022-02-11 06:29:25.017262", "2022-02-09 06:12:30.036373"],
    ),
    Sample(
        file="json-apis/eastmoney-columns.json",
        items="data.list",
        fields={
            "id": at("code"),
            "title": at("title"),
            "published": at("showTime", formats=(CLOCK,)),
            "link": at("uniqueUrl", "url"),
            "author": at("mediaName"),
        },
        titles=lambda raw: [one["title"] for one in raw["data"]["list"][:2]],
        dates=["2026-08-19 02:30:00", "2026-08-19 02:31:00"],
        links=["http://finance.eastmoney.com/a/E1.html", "http://finance.eastmoney.com/a/E2.html"],
        rejected=['fields.published: showTime: "not-a-date" does not match "%Y-%m-%d %H:%M:%S"'],
    ),
    Sample(
        file="json-apis/eastmoney-fastnews.json",
        items="data.fastNewsList",
        cursor="data.sortEnd",
        fields={
            "id": at("code"),
            "title": at("title"),
            "summary": at("summary", strip="^【[^】]*】"),
            "published": at("showTime", formats=(CLOCK,)),
            "link": to("http://finance.eastmoney.com/a/{code}.html"),
        },
        titles=lambda raw: [one["title"] for one in raw["data"]["fastNewsList"]],
        dates=["2026-09-05 01:20:00", "2026-09-24 14:01:00"],
        links=[
            "http://finance.eastmoney.com/a/202609053456789.html",
            "http://finance.eastmoney.com/a/202609243883.html",
        ],
    ),
    Sample(
        file="json-apis/eastmoney-724-app.json",
        fields={"id": at("infoCode"), "title": at("title"), "published": at("updateTime", formats=("epoch_ms",))},
        titles=lambda raw: [one["title"] for one in raw],
        dates=["2022-05-30 14:00:29"],
    ),
    Sample(
        file="json-apis/eastmoney-announcements.json",
        items="data.list",
        error="success != `1`",
        fields={
            "id": at("art_code"),
            "title": at("title"),
            "published": at("display_time", formats=("%Y-%m-%d %H:%M:%S:%f",)),
            "tags": at("columns[*].column_name"),
            "link": to("https://data.eastmoney.com/notices/detail/{codes[0].stock_code}/{id}.html"),
        },
        titles=lambda raw: [one["title"] for one in raw["data"]["list"]],
        dates=["2026-07-26 23:53:06.817000", "2026-07-26 23:54:39.463000"],
        links=[
            f"https://data.eastmoney.com/notices/detail/{key}.html"
            for key in ("002569/AN202607271827362101", "300866/AN202607271827362108")
        ],
    ),
    Sample(
        file="json-apis/eastmoney-choice-list.json",
        items="data.records",
        fields={
            "id": at("infocode"),
            "title": at("simdigest", match="^(?:【([^】]+)】|(.{1,20}))"),
            "published": at("showtime", formats=("relative",)),
            "author": at("from"),
        },
        titles=lambda raw: [in_brackets(one["simdigest"]) or one["simdigest"][:20] for one in raw["data"]["records"]],
        dates=["2026-02-05 08:25:00", "2026-02-05 08:19:00"],
    ),
    Sample(
        file="json-apis/cls-telegraph.json",
        items="data.roll_data",
        error="errno != `0`",
        fields={
            "id": at("id"),
            "title": at("title", "content", match="^(?:【([^】]+)】|(.+))"),
            "published": at("ctime", formats=("epoch",)),
            "link": at("shareurl"),
            "tags": at("stock_list"),
        },
        titles=lambda raw: [one["title"] or in_brackets(one["content"]) for one in raw["data"]["roll_data"]],
        dates=["2026-08-08 01:35:53", "2026-08-08 01:35:54"],
    ),
    Sample(
        file="json-apis/sina-7x24.json",
        items="result.data.feed.list",
        error="result.status.code != `0`",
        fields=SINA,
        titles=lambda raw: [one["rich_text"].strip() for one in raw["result"]["data"]["feed"]["list"]],
        dates=["2020-12-14 11:08:25"],
    ),
    Sample(
        file="json-apis/sina-7x24.jsonp",
        items="result.data.feed.list",
        fields=SINA,
        titles=lambda raw: [in_brackets(one["rich_text"]) for one in raw["result"]["data"]["feed"]["list"]],
        dates=["2026-06-18 06:30:00"],
    ),
    Sample(
        file="json-apis/wallstreetcn-lives.json",
        items="data.items",
        error="code != `20000`",
        where="score >= `1`",
        cursor="data.next_cursor",
        fields={
            "id": at("id"),
            "title": at("title", "content_text"),
            "content": at("content"),
            "published": at("display_time", formats=("epoch",)),
            "link": at("uri"),
            "author": at("author.display_name"),
        },
        titles=lambda raw: [one["content_text"] for one in raw["data"]["items"]],
        dates=["2026-08-19 02:32:00"],
    ),
    Sample(
        file="json-apis/jin10-flash.json",
        items="data",
        where="extras.ad == `false` && type == `0`",
        fields={
            "id": at("id"),
            "title": at("data.title", "data.content", limit=60),
            "content": at("data.content"),
            "published": at("time", formats=(CLOCK,)),
            "link": to("https://flash.jin10.com/detail/{id}"),
        },
        titles=lambda raw: [re.sub("</?font>", "", raw["data"][0]["data"]["content"])],
        dates=["2026-08-07 06:17:19"],
        links=["https://flash.jin10.com/detail/20260807141719234800"],
        rejected=["left out by where: extras.ad == `false` && type == `0`"],
    ),
    Sample(
        file="json-apis/jin10-newest.js",
        where="type == `0`",
        fields={"id": at("id"), "title": at("data.title", "data.content"), "published": at("time", formats=(CLOCK,))},
        titles=lambda raw: [re.sub("</?b>", "", raw[0]["data"]["content"])],
        dates=["2026-08-18 11:02:33"],
        rejected=["left out by where: type == `0`"],
    ),
    Sample(
        file="json-apis/hn-topstories.json",
        fields={"id": at("@"), "title": to("{@}"), "link": to("https://news.ycombinator.com/item?id={@}")},
        titles=lambda raw: [str(one) for one in raw],
        dates=["None", "None", "None"],
        links=[f"https://news.ycombinator.com/item?id={key}" for key in (8863, 121003, 192327)],
    ),
    Sample(
        file="json-apis/hn-algolia.json",
        items="hits",
        fields={
            "id": at("objectID"),
            "title": at("title", "story_title"),
            "link": at("url", "story_url"),
            "content": at("story_text", "comment_text"),
            "published": at("created_at_i", formats=("epoch",)),
            "author": at("author"),
            "tags": at("_tags"),
        },
        titles=lambda raw: [one["title"] for one in raw["hits"]],
        dates=["2021-06-22 16:42:57", "2022-09-18 04:37:58", "2023-09-05 15:07:21"],
        links=["https://present.do/decks/60d20b8dffff3c06649f7a18", "http://www.dogbunnypuzzle.com/", None],
    ),
    Sample(
        file="json-apis/github-releases.json",
        where="!draft",
        fields={
            "id": at("id"),
            "title": at("name", "tag_name"),
            "link": at("html_url"),
            "content": at("body", kind="markdown"),
            "published": at("published_at", "created_at", formats=("iso",)),
            "author": at("author.login"),
            "enclosures": at("assets[*].{url: browser_download_url, type: content_type, length: size, title: name}"),
        },
        titles=lambda raw: [one["tag_name"] for one in raw],
        dates=["2013-02-27 19:35:32"],
        links=["https://github.com/octocat/Hello-World/releases/v1.0.0"],
    ),
    Sample(
        file="json-apis/reddit-new.json",
        url="https://www.reddit.com/r/x/new.json",
        items="data.children[*].data",
        where="!stickied",
        cursor="data.after",
        fields={
            "id": at("name"),
            "title": at("title"),
            "link": at("permalink", base="https://www.reddit.com/"),
            "content": at("selftext", kind="markdown"),
            "published": at("created_utc", formats=("epoch",)),
            "author": at("author"),
        },
        titles=lambda raw: [raw["data"]["children"][0]["data"]["title"]],
        dates=["2024-03-09 16:00:00"],
        links=["https://www.reddit.com/r/patientgamers/comments/t1/slug/"],
        rejected=["left out by where: !stickied"],
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.file.partition("/")[2] for sample in SAMPLES])
def test_a_sample_gives_its_items(sample: Sample) -> None:
    feed = read(sample)

    assert [item.title for item in feed.items] == sample.titles(raw(sample.file))
    assert [str(item.published_at).removesuffix("+00:00") for item in feed.items] == sample.dates
    assert [record.reason for record in feed.rejected] == sample.rejected
    assert feed.notes == ()
    if sample.links is not None:
        assert [item.link for item in feed.items] == sample.links
    if "id" in sample.fields:
        assert all(item.guid for item in feed.items)


def sample(file: str) -> ParsedFeed:
    return read(next(one for one in SAMPLES if one.file.endswith(file)))


def test_tags_come_from_arrays_authors_from_media_and_bodies_from_markdown() -> None:
    assert sample("sina-7x24.jsonp").items[0].tags == ("焦点", "A股")
    assert sample("sina-7x24.json").items[0].guid == "1930071"
    assert sample("announcements.json").items[0].tags == ("独立董事提名人声明",)
    assert [item.tags for item in sample("cls-telegraph.json").items] == [
        ("SH600000", "00700", "AAPL", "GB_NVDA"),
        (),
    ]
    assert [person.name for person in sample("search.jsonp").items[0].authors] == ["界面新闻"]
    assert sample("lives.json").items[0].authors == ()
    reddit = sample("reddit-new.json").items[0].content
    assert reddit is not None
    assert '<a href="https://example.com/x">a link</a>' in reddit.value


def test_a_leading_title_in_brackets_is_stripped_off_a_digest() -> None:
    first, second = (one["digest"] for one in raw("json-apis/eastmoney-kuaixun.js")["LivesList"])
    summaries = [item.summary.value for item in sample("kuaixun.js").items if item.summary]

    assert "】" in second
    assert summaries == [first, second.partition("】")[2]]


def test_release_files_are_enclosures() -> None:
    (file,) = sample("github-releases.json").items[0].enclosures
    assert file.url.endswith("/v1.0.0/example.zip")
    assert (file.media_type, file.length, file.title) == ("application/zip", 1024, "example.zip")


@pytest.mark.parametrize(
    ("file", "cursor"),
    [("reddit-new.json", "t3_t2"), ("fastnews.json", "1757035200000000"), ("lives.json", "1787106720")],
)
def test_the_cursor_of_the_next_page_is_read(file: str, cursor: str) -> None:
    assert sample(file).cursor == cursor


def test_an_error_told_inside_a_good_answer_fails_with_its_own_words() -> None:
    telegraph = next(one for one in SAMPLES if one.file.endswith("cls-telegraph.json"))
    wrong = Sample(
        file="json-apis/cls-error.json",
        items=telegraph.items,
        error=telegraph.error,
        fields=telegraph.fields,
        titles=none,
        dates=[],
    )
    with pytest.raises(ParseError) as told:
        read(wrong)

    assert str(told.value) == f"the answer tells of an error: {raw(wrong.file)['msg']} (errno != `0`)"


@pytest.mark.parametrize(
    ("file", "items", "fields", "count", "rejected"),
    [
        (
            "webapi-type102.json",
            "records",
            {"id": at("id"), "title": at("title"), "published": at("showtime", formats=(CLOCK,)), "link": at("url_w")},
            None,
            1,
        ),
        (
            "webapi-type45.json",
            "nodeList",
            {"id": at("infocode"), "title": at("title", "simtitle"), "published": at("showtime", formats=(CLOCK,))},
            2,
            0,
        ),
        (
            "newmarket-marketType38.json",
            "record",
            {"id": at("infoCode"), "title": at("title"), "published": at("datetime", formats=(CLOCK,))},
            1,
            0,
        ),
    ],
)
def test_the_lists_of_the_origin_are_read(
    file: str, items: str, fields: dict[str, FieldMap], count: int | None, rejected: int
) -> None:
    feed = read(Sample(file=f"api/{file}", items=items, fields=fields, titles=none, dates=[]))

    assert len(feed.rejected) == rejected
    assert count is None or len(feed.items) == count
    assert all(item.guid and item.title and item.published_at for item in feed.items)


def test_the_record_of_the_origin_without_title_and_date_is_rejected_with_both_reasons() -> None:
    fields = {"id": at("id"), "title": at("title"), "published": at("showtime", formats=(CLOCK,))}
    feed = read(Sample(file="api/webapi-type102.json", items="records", fields=fields, titles=none, dates=[]))

    (record,) = feed.rejected
    assert record.guid == "202205262391921712"
    assert record.reason == "fields.title: nothing at title; fields.published: nothing at showtime"
