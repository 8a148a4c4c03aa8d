"""SPEC §3.1: ``kind: json``; what is a failed poll, what is a rejected record, and what is nothing new."""

import gzip
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem
from feedhub.model.source import FieldMap, PageMap, RecordMap, Source
from feedhub.sources.mapped.json_api import trace_json_api
from feedhub.sources.mapped.record import LONGEST_MARKDOWN
from support.examples import examples
from support.reading import read_document

URL = "https://api.example/v1/list"
NOW = datetime(2026, 2, 5, 9, 0, tzinfo=UTC)


def at(*paths: str, **settings_of_field: Any) -> FieldMap:
    return FieldMap(paths=paths, **settings_of_field)


PLAIN = {"id": at("id"), "title": at("title"), "published": at("at", formats=("%Y-%m-%d",))}
GOOD = {"id": 1, "title": "One", "at": "2026-01-05"}


def source_of(fields: Mapping[str, FieldMap], *, cursor: str | None = None, **of_records: Any) -> Source:
    limit = of_records.pop("limit", None)
    return Source(
        name="s",
        url=URL,
        kind="json",
        timezone="Asia/Shanghai",
        limit=limit,
        records=RecordMap(fields=tuple(fields.items()), **of_records),
        pages=PageMap(cursor=cursor) if cursor else None,
    )


def document_of(body: object, **settings_of_document: Any) -> Document:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Document(url=URL, body=raw, digest="", **{"fetched_at": NOW, **settings_of_document})


def read(body: object, fields: Mapping[str, FieldMap] = PLAIN, **rest: Any) -> ParsedFeed:
    return read_document(document_of(body), source_of(fields, **rest))


def item_of(record: object, **fields: FieldMap) -> ParsedItem:
    (item,) = read([record], fields).items
    return item


def failure(body: object, fields: Mapping[str, FieldMap] = PLAIN, **rest: Any) -> str:
    with pytest.raises(ParseError) as told:
        read(body, fields, **rest)
    return str(told.value)


@pytest.mark.parametrize(
    ("body", "items", "words"),
    [
        ({"data": {"n": 1}}, "data.list", "there is no `list` in `data`, which is an object; it has: n"),
        ({"other": []}, "data.list", "there is no `data` in the document, which is an object; it has: other"),
        ({"data": None}, "data.list", "there is no `list` in `data`, which is null"),
        ({"data": [1]}, "data.list", "there is no `list` in `data`, which is a list"),
        ({"data": {}}, "data.list[0].x", "there is no `list` in `data`, which is an empty object"),
        ({"data": []}, "data[0].list", "there is no [0] in `data`, which is a list"),
        ({"data": [{}]}, "data[0].list", "there is no `list` in `data[0]`, which is an empty object"),
        ({"data": {"n": 1}}, "data.list[*].x", "there is no `list` in `data`, which is an object; it has: n"),
        ({"data": {"list": {"a": 1}}}, "data.list[*].x", "it gives null; `data.list` is an object; it has: a"),
        ({"n": 1}, "a || b", "it gives null; the document is an object; it has: n"),
        ({"n": "x"}, "n", "not a list but text"),
        ({"data": {"rows": []}}, "data", "not a list but an object; it has: rows; lists in it: data.rows"),
        ({"n": 1}, "length(n)", "length() needs array or object or string, and met number"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_missing_list_fails_and_names_the_part_of_the_path_that_failed(body: object, items: str, words: str) -> None:
    assert failure(body, items=items) == f"items: {items}: {words}"


@pytest.mark.parametrize(
    ("body", "items"),
    [
        ([], None),
        ({"list": []}, "list"),
        ({"list": None}, "list"),
        ({"data": {"list": None}}, "data.list[*].x"),
        ({"data": {}}, "data.list || `[]`"),
        (None, "@"),
    ],
    ids=str,
)
def test_an_empty_list_is_a_success(body: object, items: str | None) -> None:
    if body is None:
        assert "it gives null" in failure(body, items=items)
        return
    assert read(body, items=items).items == ()


def test_a_number_too_long_for_python_costs_only_itself() -> None:
    body = b'[{"id": 1, "title": "One", "at": "2024-01-05", "views": ' + b"9" * 10_000 + b"}]"

    assert [item.title for item in read(body).items] == ["One"]


def test_a_document_that_is_no_list_says_where_its_lists_are() -> None:
    assert failure({"ok": 1, "data": {"rows": [], "more": {"tags": []}}, "a b": []}) == (
        "the document is not a list but an object; it has: ok, data, a b; lists in it: data.rows, data.more.tags"
    )
    assert failure(b"null") == "the document is not a list but null"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the document is empty"),
        (b"<html></html>", "a web page instead of JSON"),
        (b'[{"id": 1,, }]', "broken JSON: .* at line 1, column 1[12]"),
        (b"cb([1] [2]);", "broken JSON: Extra data"),
        (b"[" * 100_000, "broken JSON: nested too deeply"),
    ],
    ids=["empty", "page", "comma", "two", "deep"],
)
def test_a_document_that_is_no_json_fails_the_poll(body: bytes, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        read(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"code": 7, "msg": " signature\n wrong "}, "the answer tells of an error: signature wrong (code != `0`)"),
        ({"code": 7, "message": "", "error": {"message": "no"}}, "the answer tells of an error: no (code != `0`)"),
        ({"list": []}, "the answer tells of an error (code != `0`)"),
        ([7], "the answer tells of an error (code != `0`)"),
    ],
    ids=["message", "nested", "none", "list"],
)  # fmt: skip
def test_an_error_told_inside_a_good_answer_fails_with_its_words(body: object, words: str) -> None:
    assert failure(body, error="code != `0`", items="list") == words


def test_an_error_condition_that_does_not_hold_or_cannot_be_asked() -> None:
    assert len(read({"code": 0, "list": [GOOD]}, error="code != `0`", items="list").items) == 1
    assert failure({"code": 0}, error="length(code) > `1`").startswith("error: length(code) > `1`: length() needs")


def test_a_bad_record_is_rejected_with_its_reason_and_the_others_are_kept() -> None:
    feed = read(
        [
            {**GOOD, "id": None, "link": "/1"},
            {**GOOD, "id": 2, "title": " "},
            {**GOOD, "id": 3, "at": "05.01.2026"},
            {"id": 4},
            None,
            "text",
            GOOD,
        ],
        {**PLAIN, "link": at("link")},
    )

    assert [(item.position, item.title, item.guid) for item in feed.items] == [(6, "One", "1")]
    assert [(record.position, record.reason) for record in feed.rejected] == [
        (0, "fields.id: nothing at id"),
        (1, "fields.title: nothing at title"),
        (2, 'fields.published: at: "05.01.2026" does not match "%Y-%m-%d"'),
        (3, "fields.title: nothing at title; fields.published: nothing at at"),
        (4, "the record is null"),
        (5, "fields.id: nothing at id; fields.title: nothing at title; fields.published: nothing at at"),
    ]
    first = feed.rejected[0]
    assert (first.title, first.link, first.guid) == ("One", "https://api.example/1", None)
    assert feed.rejected[3].guid == "4"


def test_when_every_record_is_bad_the_poll_fails_with_the_first_reason() -> None:
    assert failure([{"id": 1}, {"id": 2}]) == (
        "none of its 2 records can be used: fields.title: nothing at title; fields.published: nothing at at"
    )


def test_fields_that_are_not_mapped_are_not_required() -> None:
    item = item_of({"u": "https://a.example/1"}, link=at("u"))

    assert (item.link, item.title, item.guid, item.published_at) == ("https://a.example/1", "", None, None)
    assert failure([{"u": ""}], {"link": at("u")}).endswith("nothing in it: no title, text, link or id")


def test_two_records_with_one_id_are_both_given() -> None:
    assert [item.guid for item in read([GOOD, {**GOOD, "title": "Two"}]).items] == ["1", "1"]


def test_the_newest_records_within_the_limit_are_kept() -> None:
    records = [{**GOOD, "id": day, "at": f"2026-01-0{day}"} for day in (3, 1, 2)]
    feed = read(records, limit=2, where="id != `9`")

    assert [item.guid for item in feed.items] == ["3", "2"]
    assert [(record.position, record.reason) for record in feed.rejected] == [(1, "over the limit of 2")]


def test_where_leaves_out_records_with_a_recorded_reason_and_positions_stay_those_of_the_list() -> None:
    feed = read(
        [{**GOOD, "ad": True}, {**GOOD, "ad": False}, {**GOOD, "id": ""}, {**GOOD, "id": 4, "ad": False}],
        where="ad == `false` || !id",
    )

    assert [item.position for item in feed.items] == [1, 3]
    assert [(record.position, record.title, record.guid, record.reason) for record in feed.rejected] == [
        (0, "One", "1", "left out by where: ad == `false` || !id"),
        (2, "One", None, "fields.id: nothing at id"),
    ]


def test_a_list_whose_records_are_all_left_out_is_a_success() -> None:
    feed = read([{**GOOD, "ad": True}], where="!ad")

    assert feed.items == ()
    assert len(feed.rejected) == 1


def test_a_where_that_fails_on_a_record_rejects_that_record() -> None:
    feed = read([{**GOOD, "tags": ["x"]}, {**GOOD, "tags": 5}], where="length(tags) > `0`")

    assert len(feed.items) == 1
    assert feed.rejected[0].reason == (
        "where: length(tags) > `0`: length() needs array or object or string, and met number"
    )


def test_records_that_are_bare_values_are_themselves() -> None:
    feed = read(
        [8863, 0, "x y"],
        {"id": at("@"), "link": FieldMap(template="https://news.example/item?id={@}")},
    )

    assert [(item.guid, item.link) for item in feed.items] == [
        ("8863", "https://news.example/item?id=8863"),
        ("0", "https://news.example/item?id=0"),
        ("x y", "https://news.example/item?id=x%20y"),
    ]


@pytest.mark.parametrize(
    ("title", "kind", "expected"),
    [
        ("<em>Big</em> news &amp; more\n", "html", "Big news & more"),
        ("a < b & c", "html", "a < b & c"),
        ("List<String> &amp; co", "text", "List<String> &amp; co"),
        ('quotes " : \\ {{ x }} {% y %}\nnext', "html", 'quotes " : \\ {{ x }} {% y %} next'),
        ("x" * 2_000, "html", "x" * 999 + "…"),
    ],
    ids=["marks", "signs", "text", "quotes", "long"],
)
def test_a_title_is_one_line_of_plain_text(title: str, kind: Any, expected: str) -> None:
    assert item_of({"t": title}, title=at("t", kind=kind)).title == expected


def test_a_title_of_markup_alone_is_rejected() -> None:
    assert failure([{"t": "<img src=x>"}], {"title": at("t")}).endswith(
        'fields.title: t: "<img src=x>" has no visible text'
    )


def test_files_are_relative_to_the_link_of_the_record_or_their_own_base() -> None:
    record = {"t": "x", "l": "https://a.example/p/1/", "i": "i.png", "e": ["a.mp3"], "c": "/c"}

    item = item_of(record, title=at("t"), link=at("l"), image=at("i"), enclosures=at("e"), comments=at("c"))
    other = item_of(record, title=at("t"), link=at("l"), image=at("i", base="https://b.example/"))

    assert (item.image, item.comments) == ("https://a.example/p/1/i.png", "https://a.example/c")
    assert [enclosure.url for enclosure in item.enclosures] == ["https://a.example/p/1/a.mp3"]
    assert other.image == "https://b.example/i.png"


@pytest.mark.parametrize(
    ("link", "base", "expected"),
    [
        ("/r/1", "https://www.example/", "https://www.example/r/1"),
        ("r/1", None, "https://api.example/v1/r/1"),
        ("https://a.example/?a=1&amp;b=2", None, "https://a.example/?a=1&b=2"),
        ("javascript:alert(1)", None, None),
        ("ftp://a.example/", None, None),
        (["", "https://a.example/"], None, "https://a.example/"),
        ({"href": "x"}, None, None),
    ],
    ids=str,
)
def test_links_are_joined_and_http_only(link: object, base: str | None, expected: str | None) -> None:
    assert item_of({"t": "x", "l": link}, title=at("t"), link=at("l", base=base)).link == expected


def test_summary_and_content_are_markup_of_their_kind() -> None:
    record = {
        "t": "x",
        "l": "https://a.example/1",
        "h": "<p>x</p> ",
        "p": "1 < 2\n",
        "m": "# T\n\n<b>*x*</b> ~~y~~\n\n|a|\n|-|\n|1|",
    }
    html = item_of(record, title=at("t"), link=at("l"), content=at("h"), summary=at("p", kind="text"))
    assert html.content is not None
    assert html.summary is not None
    assert (html.content.value, html.content.kind, html.content.base) == ("<p>x</p>", "html", "https://a.example/1")
    assert (html.summary.value, html.summary.kind) == ("1 < 2", "text")

    markdown = item_of(record, title=at("t"), content=at("m", kind="markdown", base="https://b.example/")).content
    assert markdown is not None
    assert markdown.value.startswith("<h1>T</h1>\n<p>&lt;b&gt;<em>x</em>&lt;/b&gt; <s>y</s></p>\n<table>")
    assert (markdown.kind, markdown.base) == ("html", "https://b.example/")


def test_markdown_too_long_to_be_read_safely_stays_as_it_is_written() -> None:
    started = time.process_time()
    long = item_of({"t": "x", "m": "[" * (LONGEST_MARKDOWN + 1)}, title=at("t"), content=at("m", kind="markdown"))

    assert long.content is not None
    assert (long.content.kind, len(long.content.value)) == ("text", LONGEST_MARKDOWN + 1)
    assert time.process_time() - started < 2


def test_authors_tags_language_image_and_comments() -> None:
    record = {
        "t": "x",
        "a": [{"name": "<b>Ann</b> &amp; Co"}, {"name": "Bo"}, {"name": "Bo"}],
        "k": "chips, 芯片",
        "g": "zh_CN",
        "i": "/a.png",
        "c": "https://a.example/1#c",
    }
    item = item_of(
        record, title=at("t"), author=at("a"), tags=at("k"), language=at("g"), image=at("i"), comments=at("c")
    )

    assert [person.name for person in item.authors] == ["Ann & Co", "Bo"]
    assert item.tags == ("chips", "芯片")
    assert item.language == "zh-CN"
    assert item.image == "https://api.example/a.png"
    assert item.comments == "https://a.example/1#c"


def test_enclosures_are_addresses_or_objects() -> None:
    files = [
        "https://a.example/1.mp3",
        {"url": "/2.mp3", "type": "audio/mpeg", "length": "1024", "duration": "1:02", "title": "Two"},
        {"url": "javascript:x"},
        {"type": "audio/mpeg"},
        {"url": {"deep": 1}},
    ]
    first, second = item_of({"t": "x", "f": files}, title=at("t"), enclosures=at("f")).enclosures

    assert first.url == "https://a.example/1.mp3"
    assert (second.url, second.media_type, second.length, second.duration, second.title) == (
        "https://api.example/2.mp3",
        "audio/mpeg",
        1024,
        62,
        "Two",
    )


RELATIVE = {"id": at("id"), "published": at("at", formats=("relative",))}


@pytest.mark.parametrize(
    ("of_document", "expected"),
    [
        ({"fetched_at": NOW}, "2026-02-05 08:25:00+00:00"),
        ({"headers": (("x", "y"), ("date", "Fri, 06 Feb 2026 09:00:00 GMT"))}, "2026-02-06 08:25:00+00:00"),
        ({"headers": (("DATE", "Fri, 06 Feb 2026 09:00:00 -0000"),)}, "2026-02-06 08:25:00+00:00"),
    ],
    ids=["fetched", "header", "no zone"],
)  # fmt: skip
def test_a_relative_date_counts_from_when_the_document_was_fetched(of_document: dict[str, Any], expected: str) -> None:
    feed = read_document(
        document_of([{"id": 1, "at": "今天 16:25"}], **{"fetched_at": None, **of_document}), source_of(RELATIVE)
    )

    assert str(feed.items[0].published_at) == expected


@pytest.mark.parametrize("headers", [(), (("Date", "yesterday"),)], ids=["none", "broken"])
def test_a_relative_date_without_a_clock_is_rejected(headers: tuple[tuple[str, str], ...]) -> None:
    document = document_of([{"id": 1, "at": "今天 16:25"}], fetched_at=None, headers=headers)

    with pytest.raises(
        ParseError, match='published: at: "今天 16:25" cannot be read: it is not known when the document'
    ):
        read_document(document, source_of(RELATIVE))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"list": [], "next": "t3_x"}, "t3_x"),
        ({"list": [], "next": 1787106720}, "1787106720"),
        ({"list": [], "next": None}, None),
        ({"list": [], "next": ""}, None),
        ({"list": [], "next": False}, None),
        ({"list": [], "next": ["x"]}, None),
        ({"list": []}, None),
        ({"list": [], "next": "x" * 3_000}, None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_cursor_is_text_or_nothing(body: object, expected: str | None) -> None:
    assert read(body, items="list", cursor="next").cursor == expected


def test_a_cursor_that_cannot_be_read_is_a_note_and_costs_no_item() -> None:
    feed = read({"list": [GOOD], "n": 1}, items="list", cursor="length(n)")

    assert (len(feed.items), feed.cursor) == (1, None)
    assert feed.notes == ("pages.cursor: length(n): length() needs array or object or string, and met number",)


def test_chinese_charsets_compressed_files_and_jsonp_are_read() -> None:
    body = json.dumps([{**GOOD, "title": "界面新闻：市场"}], ensure_ascii=False)
    declared = document_of(f"cb({body});".encode("gb18030"), charset="gb2312")
    plain = read_document(declared, source_of(PLAIN))
    packed = read(gzip.compress(body.encode()))

    assert plain.items[0].title == packed.items[0].title == "界面新闻：市场"


def test_lone_surrogates_and_control_characters_do_not_pass() -> None:
    feed = read(b'[{"id": "a\\ud800", "title": "x\\u0000y", "at": "2026-01-05"}]')

    assert (feed.items[0].guid, feed.items[0].title) == ("a", "xy")


def test_keys_given_twice_and_numbers_that_are_none_are_survived() -> None:
    feed = read(b'[{"id": 1, "id": 2, "title": NaN, "at": "2026-01-05"}]')

    assert (feed.items[0].guid, feed.items[0].title) == ("2", "nan")


def test_a_source_without_fields_is_told() -> None:
    with pytest.raises(ParseError, match="no `fields` say how its records become items"):
        read_document(document_of([]), Source(name="s", url=URL, kind="json"))


def test_a_trace_shows_what_each_path_gave_on_the_records_that_are_kept() -> None:
    fields = {
        **PLAIN,
        "title": at("title", "simtitle"),
        "link": FieldMap(template="javascript:{id}"),
    }
    source = source_of(fields, items="list", where="length(tags) > `0`")
    body = {
        "list": [
            {**GOOD, "tags": []},
            {**GOOD, "tags": ["x"], "at": "soon"},
            {**GOOD, "tags": 5},
            {**GOOD, "tags": [1]},
        ]
    }
    first, second = trace_json_api(document_of(body), source, 2)

    assert [(trace.field, trace.path, trace.state, trace.value) for trace in first.fields] == [
        ("id", "id", "gave", '"1"'),
        ("title", "title", "gave", '"One"'),
        ("title", "simtitle", "empty", ""),
        ("published", "at", "failed", '"soon" does not match "%Y-%m-%d"'),
        ("link", "javascript:{id}", "failed", '"javascript:1" is no http(s) address'),
    ]
    assert (first.position, second.position) == (1, 2)
    assert [(trace.field, trace.path, trace.state) for trace in second.fields[:2]] == [
        ("where", "length(tags) > `0`", "failed"),
        ("id", "id", "gave"),
    ]


def test_a_trace_fails_as_the_poll_would_before_any_record() -> None:
    with pytest.raises(ParseError, match="items: list: there is no `list`"):
        trace_json_api(document_of({}), source_of(PLAIN, items="list"), 1)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["2026-01-05", "https://a.example/1", "<b>x</b>", "3分钟前", "1e400", "\ud800", "//["]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "url", "name", "data", "list"]), inner, max_size=4)
    ),
    max_leaves=12,
)
PATHS = st.sampled_from(["@", "a", "b", "a.b", "a[*].name", "abs(@)", "to_string(@)"])
FIELD_NAMES = "id title link summary content published author tags language image comments enclosures".split()
MAPS = st.builds(
    FieldMap,
    paths=st.lists(PATHS, max_size=2).map(tuple),
    template=st.none() | st.sampled_from(["https://h.example/{a}", "{@}", "{id}-{title}"]),
    match=st.none() | st.just("(\\w+)"),
    strip=st.none() | st.just("^x"),
    limit=st.none() | st.integers(1, 5),
    formats=st.sampled_from([(), ("iso",), ("epoch", "epoch_us"), ("relative",), ("%Y-%m-%d",)]),
    base=st.none() | st.just("https://b.example/"),
    kind=st.sampled_from(["html", "text", "markdown"]),
)  # fmt: skip


@given(
    VALUES,
    st.dictionaries(st.sampled_from(FIELD_NAMES), MAPS, max_size=6),
    st.sampled_from([None, "@", "data", "data.list", "list[*].a", "a || `[]`"]),
    st.sampled_from([None, "a", "length(@) > `1`"]),
)
@settings(max_examples=examples(80))
def test_any_json_under_any_mapping_gives_a_feed_or_a_parse_error(
    value: object, fields: dict[str, FieldMap], items: str | None, where: str | None
) -> None:
    source = source_of(fields, items=items, where=where, error="data.code", cursor="a")
    for body in (value, [value], {"data": {"list": [value]}, "list": [value]}):
        document = document_of(json.dumps(body).encode("utf-8", "surrogatepass"))
        try:
            feed = read_document(document, source)
            traces = trace_json_api(document, source, 3)
        except ParseError as exc:
            assert str(exc)  # noqa: PT017 - a value is as good as an error with a reason
            continue
        assert len(traces) <= 3
        for item in feed.items:
            assert repr(item).encode()
            assert item.title.encode() is not None
