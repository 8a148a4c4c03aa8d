"""SPEC §3.1 ``detail``: what the answer to a second request holds."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import Detail, Markup
from feedhub.model.source import DetailMap, FieldMap, Source
from feedhub.sources.mapped.full_text import read_detail

URL = "https://news.example/text/1.html"
PAGE = """<html><head><title>t</title><base href="/deep/"></head><body>
<article id="a"><h1>One</h1><p class="x">First<script>evil()</script> &amp; <a href="l.html">link</a></p></article>
<div class="more"><p>Second</p><style>p {}</style></div><div class="none"> <br> </div>
<div class="pic"><img src="1.png"></div>
</body></html>"""


def read(body: str | bytes, **asked: Any) -> Detail:
    raw = body.encode() if isinstance(body, str) else body
    source = Source(name="s", url="https://news.example/", timezone="Asia/Shanghai", detail=DetailMap(**asked))
    return read_detail(Document(url=URL, body=raw, digest=""), source)


def content(body: object, **asked: Any) -> Markup:
    found = read(body if isinstance(body, str | bytes) else json.dumps(body), **asked).content
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("css", "markup"),
    [
        ("article p", '<p class="x">First &amp; <a href="l.html">link</a></p>'),
        (
            "article > p, .more",
            '<p class="x">First &amp; <a href="l.html">link</a></p>\n<div class="more"><p>Second</p></div>',
        ),
        (".more, .more p", '<div class="more"><p>Second</p></div>'),
        (".pic", '<div class="pic"><img src="1.png"></div>'),
    ],
    ids=["one", "two in the order of the page", "one inside another is not repeated", "only a picture"],
)
def test_the_selected_elements_are_the_content(css: str, markup: str) -> None:
    found = content(PAGE, css=css)

    assert found.value == markup
    assert (found.kind, found.base) == ("html", "https://news.example/deep/")


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ({"content": "<p>a</p>\r\n <b>"}, "content", "<p>a</p>\r\n <b>"),
        ({"data": {"text": "  kept as it came \n"}}, "data.text", "  kept as it came \n"),
        ("cb({'a': 1});".replace("'", '"'), "a", "1"),
        ('var t={"a":"x\\u0000y"};', "a", "xy"),
        ({"parts": ["a", "b"]}, "join('', parts)", "ab"),
    ],
    ids=["markup", "blanks", "JSONP and a number", "assignment and a control character", "an expression"],
)
def test_a_path_gives_the_content_of_a_json_answer(body: object, path: str, text: str) -> None:
    found = content(body, path=path)

    # Addresses in it are relative to the link of the item.
    assert (found.value, found.kind, found.base) == (text, "html", "")


def test_replacements_are_literal_and_in_order() -> None:
    pairs = (("　　", ""), ("a.", "b"), ("b", "c"))

    assert content({"t": "　　a.ab　　"}, path="t", replace=pairs).value == "cac"


@pytest.mark.parametrize(
    ("body", "asked", "reason"),
    [
        (PAGE, {"css": "main"}, 'css "main" matches nothing'),
        (PAGE, {"css": ".none"}, 'css ".none" is empty'),
        (PAGE, {"css": ".more", "replace": (("Second", ""),)}, 'css ".more" is empty'),
        (PAGE, {"css": "main["}, "not a usable selector: Expected ident"),
        (PAGE, {"path": "content"}, "a web page instead of JSON"),
        ('{"a": 1}', {"css": "p"}, "JSON instead of a web page"),
        ("", {"css": "p"}, "the document is empty"),
        ("", {"extract": "article"}, "the document is empty"),
        ("<p>", {"extract": "article"}, "no article was found in the page"),
        ("<html><frameset><frame src=a></frameset></html>", {"extract": "article"}, "no article was found"),
        ('{"a": 1}', {"path": "b"}, "nothing at b in an object; it has: a"),
        ('{"a": " "}', {"path": "a"}, "a is empty"),
        ('{"a": "<p> &nbsp;</p>"}', {"path": "a"}, "a is empty"),
        ('{"a": {"b": 1}}', {"path": "a"}, "a is not text but an object; it has: b"),
        ('{"a": 1', {"path": "a"}, "broken JSON"),
        ('{"a": 1}', {"path": "a["}, "not a JMESPath"),
        ("<div>" * 300 + "<p>text", {"css": "p"}, "the page is nested so deeply that its end was not read"),
        (b"\x1f\x8bgarbage that is no deflate stream", {"css": "p"}, "a gzip file that is damaged"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(body: str | bytes, asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(body, **asked)

    assert str(caught.value).startswith(f"detail: {reason}")


def test_a_source_without_a_detail_is_told() -> None:
    with pytest.raises(ParseError, match="detail: none is asked for"):
        read_detail(Document(url=URL, body=b"{}", digest=""), Source(name="s", url=URL))


FIELDS = (
    ("title", FieldMap(paths=("title", "h1"))),
    ("published", FieldMap(paths=("time", "time@datetime"))),
    ("link", FieldMap(paths=("url", "a@href"))),
)


def test_fields_of_a_json_answer_come_along() -> None:
    body = {"title": "T &amp; t", "time": 1_700_000_000, "url": "/x", "text": "<p>a</p>"}
    found = read(json.dumps(body), path="text", fields=FIELDS)

    assert found.item is not None
    assert (found.item.title, found.item.link) == ("T & t", "https://news.example/x")
    assert found.item.published_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert found.content is not None


def test_with_fields_the_content_may_be_missing() -> None:
    found = read('{"title": "a link", "time": 1700000000}', path="text", fields=FIELDS)

    assert found.content is None
    assert found.item is not None


def test_a_field_that_is_mapped_and_missing_is_told() -> None:
    with pytest.raises(ParseError, match=r"detail: fields\.title: nothing at title, h1"):
        read('{"time": 1700000000}', fields=FIELDS)


def test_fields_of_a_page_are_selectors() -> None:
    page = PAGE.replace("<title>t</title>", "").replace("<h1>One", "<time>2026年11月1日 08:00</time><h1>One")
    found = read(page, css="article p", fields=FIELDS)

    assert found.item is not None
    assert (found.item.title, found.item.link) == ("One", "https://news.example/deep/l.html")
    assert found.item.published_at == datetime(2026, 11, 1, 0, 0, tzinfo=UTC)


def test_a_page_without_a_mapped_field_is_told() -> None:
    with pytest.raises(ParseError, match=r'detail: fields\.title: nothing at "h7"'):
        read(PAGE, css="p", fields=(("title", FieldMap(paths=("h7",))),))


def test_a_text_beyond_a_million_characters_is_cut() -> None:
    assert len(content({"t": "x" * 1_000_005}, path="t").value) == 1_000_000
