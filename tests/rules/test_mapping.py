"""SPEC §3.1: mapped fields, their chains, templates and what is done to values."""

from typing import Any

import pytest

from feedhub.model.report import FieldTrace
from feedhub.model.source import FieldMap
from feedhub.rules.mapping import (
    FieldValue,
    apply_field,
    apply_fields,
    check_template,
    filled,
    is_present,
    shown,
    template_values,
    text_of,
    traced_field,
)


def at(*paths: str, **settings: Any) -> FieldMap:
    return FieldMap(paths=paths, **settings)


def value(name: str, field: FieldMap, record: object) -> FieldValue | None:
    return apply_field(name, field, record, {}).value


def reason(name: str, field: FieldMap, record: object) -> str:
    result = apply_field(name, field, record, {})
    assert result.value is None
    return result.reason


@pytest.mark.parametrize("absent", [{}, {"a": None}, {"a": ""}, {"a": " \u3000"}, {"a": []}, {"a": {}}], ids=repr)
def test_the_first_path_that_says_something_wins(absent: dict[str, object]) -> None:
    result = apply_field("title", at("a", "b"), {**absent, "b": "kept"}, {})

    assert (result.value, result.path) == ("kept", "b")


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (False, "false")])
def test_zero_and_false_are_present(number: object, text: str) -> None:
    assert is_present(number)
    assert value("id", at("a", "b"), {"a": number, "b": "not this"}) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("x\x00y\ud800", "xy"),
        (1930071, "1930071"),
        (1710000000.0, "1710000000"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (True, "true"),
        (["a", 1, None, {"b": 1}, ["c"]], "a, 1"),
        ([None], None),
        ({"a": 1}, None),
        (None, None),
    ],
    ids=repr,
)
def test_values_become_text_as_people_write_it(given: object, text: str | None) -> None:
    assert text_of(given) == text


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        ({"strip": "^【[^】]*】"}, "【标题】正文", "正文"),
        ({"strip": "^【[^】]*】"}, "【标题】", None),
        ({"match": "id=(\\d+)"}, "x?id=17&y", "17"),
        ({"match": "\\d+"}, "x17", "17"),
        ({"match": "^(?:【([^】]+)】|(.{1,3}))"}, "【标题】正文", "标题"),
        ({"match": "^(?:【([^】]+)】|(.{1,3}))"}, "没有括号的正文", "没有括"),
        ({"limit": 3}, "  一二三四", "一二三"),
        ({"match": "a(.*)", "strip": "-", "limit": 2}, "xa-1-2-3", "12"),
        ({}, " text as it came\r\n", " text as it came\r\n"),
    ],
)
def test_match_strip_and_limit_are_done_in_this_order(
    settings: dict[str, Any], text: str, expected: str | None
) -> None:
    assert value("summary", at("a", **settings), {"a": text}) == expected


def test_a_value_that_does_not_match_gives_the_turn_to_the_next_path() -> None:
    field = at("a", "b", match="^(\\d{3})$")

    assert value("id", field, {"a": "none", "b": "123"}) == "123"
    assert reason("id", field, {"a": "none", "b": ""}) == (
        "fields.id: a: \"none\" does not match '^(\\\\d{3})$'; nothing at b"
    )


def test_a_pattern_whose_only_group_took_no_part_does_not_match() -> None:
    assert "does not match" in reason("id", at("a", match="x(y)?"), {"a": "x"})


def test_why_there_is_no_value_is_told_for_every_path() -> None:
    field = at("length(n)", "a", "o", "b")

    assert reason("title", field, {"n": 1, "o": {"rendered": "x"}}) == (
        "fields.title: length(n): length() needs array or object or string, and met number; "
        "o: not text but an object; it has: rendered; nothing at a, b"
    )
    assert reason("title", FieldMap(), {}) == "fields.title: no path is given"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("tags", ["a", {"name": "b"}, 3, None, "", {"id": 1}], ("a", "b", "3")),
        ("tags", "a, b，c、d;  e", ("a", " b", "c", "d", "  e")),
        ("tags", {"name": "one"}, ("one",)),
        ("author", "Lee, Ann", ("Lee, Ann",)),
        ("author", [{"name": "Ann"}, {"name": "Bo"}], ("Ann", "Bo")),
        ("enclosures", "https://a.example/1.mp3", ("https://a.example/1.mp3",)),
        ("enclosures", [{"url": "u"}, "v"], ({"url": "u"}, "v")),
        ("link", [None, "https://a.example/", "https://b.example/"], "https://a.example/"),
    ],
    ids=repr,
)
def test_lists_become_what_the_field_wants(name: str, given: object, expected: FieldValue) -> None:
    assert value(name, at("a"), {"a": given}) == expected


def test_objects_without_a_name_are_told() -> None:
    assert reason("tags", at("a"), {"a": [{"title": "x"}]}) == (
        "fields.tags: a: no text and no `name` in an object; it has: title"
    )
    assert reason("tags", at("a"), {"a": [None, " "]}) == "fields.tags: nothing at a"
    assert "not text but null" in reason("link", at("a"), {"a": [None]})


def test_match_and_strip_work_on_each_of_several_values() -> None:
    assert value("tags", at("a", strip="^#"), {"a": ["#x", "#", "y"]}) == ("x", "y")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("https://h.example/{id}.html", "https://h.example/a%20b%3Fc/d.html"),
        ("https://h.example/?q={id}&x=1", "https://h.example/?q=a%20b%3Fc/d&x=1"),
        ("https://h.example{permalink}", "https://h.example/r/x?sort=new&y=%E4%B8%AD"),
        ("{permalink}#top", "/r/x?sort=new&y=%E4%B8%AD#top"),
        ("/n/{slug}", "/n/%E4%B8%AD-100%25"),
        ("https://h.example/?a={pair}", "https://h.example/?a=1%262%3D3%2B4%235"),
        ("https://h.example/{pair}", "https://h.example/1&2=3+4%235"),
        ("https://h.example/#{pair}", "https://h.example/#1%262%3D3%2B4%235"),
        ("https://h.example/{codes[0].code}/{n}", "https://h.example/002569/7"),
        ("https://h.example/{missing}", None),
        ("https://h.example/{blank}", None),
        ("https://h.example/{object}", None),
        ("https://h.example/", "https://h.example/"),
    ],
)
def test_a_link_template_is_filled_in_safely(template: str, expected: str | None) -> None:
    record = {
        "id": "not this: the mapped field comes first",
        "permalink": "/r/x?sort=new&y=中",
        "slug": "%E4%B8%AD-100%",
        "pair": "1&2=3+4#5",
        "codes": [{"code": "002569"}],
        "n": 7,
        "blank": " ",
        "object": {"a": 1},
    }

    assert filled(template, {"id": "a b?c/d"}, record, as_url=True) == expected


def test_a_text_template_takes_values_as_they_are() -> None:
    assert filled("{author}新闻 & {@.n}", {"author": "界面 <b>"}, {"n": 1}) == "界面 <b>新闻 & 1"
    assert filled("item {@}", {}, 8863) == "item 8863"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("https://h.example/{id", "a brace that is not closed or not opened"),
        ("https://h.example/id}", "a brace that is not closed or not opened"),
        ("https://h.example/{}", r"{}: not a JMESPath: it is empty"),
        ("https://h.example/{a-b}", r"{a-b}: not a JMESPath: Unknown token '-' at character 2"),
    ],
)
def test_a_wrong_template_is_told(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_template(template)


def test_a_good_template_is_accepted() -> None:
    check_template("https://h.example/{id}/{codes[0].code}?x={@}")


def test_templates_use_mapped_fields_wherever_they_stand() -> None:
    fields = (
        ("link", FieldMap(template="https://h.example/{id}")),
        ("comments", FieldMap(template="{link}#comments")),
        ("summary", FieldMap(template="{author}: {tags}")),
        ("id", at("code")),
        ("author", at("by")),
        ("tags", at("t")),
    )
    results = apply_fields(fields, {"code": 17, "by": ["Ann", "Bo"], "t": "x,y"})

    assert template_values(results) == {
        "link": "https://h.example/17",
        "comments": "https://h.example/17#comments",
        "summary": "Ann, Bo: x, y",
        "id": "17",
        "author": "Ann, Bo",
        "tags": "x, y",
    }


def test_paths_come_before_the_template_of_a_field() -> None:
    field = FieldMap(paths=("url",), template="https://h.example/{id}")

    assert value("link", field, {"url": "https://a.example/1", "id": 1}) == "https://a.example/1"
    assert value("link", field, {"url": "", "id": 1}) == "https://h.example/1"
    assert reason("link", field, {}) == "fields.link: nothing at url, https://h.example/{id}"


def test_a_template_that_fails_is_told() -> None:
    field = FieldMap(template="https://h.example/{length(n)}")

    assert reason("link", field, {"n": 1}).startswith("fields.link: https://h.example/{length(n)}: length() needs")


def test_a_trace_tells_of_every_path_even_behind_the_one_that_won() -> None:
    field = FieldMap(paths=("length(n)", "a", "b", "c"), template="{missing}")

    assert traced_field("title", field, {"n": 1, "b": "x" * 100, "c": 7}, {}) == (
        FieldTrace(
            field="title",
            path="length(n)",
            state="failed",
            value="length() needs array or object or string, and met number",
        ),
        FieldTrace(field="title", path="a", state="empty"),
        FieldTrace(field="title", path="b", state="gave", value=f'"{"x" * 80}…"'),
        FieldTrace(field="title", path="c", state="gave", value='"7"'),
        FieldTrace(field="title", path="{missing}", state="empty"),
    )


def test_a_trace_of_files_names_the_objects() -> None:
    (trace,) = traced_field("enclosures", at("a"), {"a": [{"url": "u", "type": "t"}, "v"]}, {})

    assert trace.value == '"an object; it has: url, type, v"'


def test_values_are_quoted_in_one_line() -> None:
    assert shown("a\n b\x00") == '"a b"'
    assert shown(["x"]) == "\"['x']\""
