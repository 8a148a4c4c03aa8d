"""SPEC §9, GUARANTEES 8: pages are hostile input; any bytes give items or a ParseError."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import DetailMap, FieldMap, RecordMap, Source
from feedhub.rules.selectors import condition_selector, element_selector, field_selector
from feedhub.sources.mapped.full_text import read_detail
from feedhub.sources.mapped.html_page import elements, holds, read_html_page, values
from support.examples import examples

URL = "https://evil.example/"
SOURCE = Source(
    name="s",
    url=URL,
    kind="html",
    records=RecordMap(
        items="li, div, p",
        where=":not(.ad)",
        fields=(
            ("title", FieldMap(paths=("a", "."))),
            ("link", FieldMap(paths=("a@href", "@href"))),
            ("content", FieldMap(paths=("div", "."))),
            ("tags", FieldMap(paths=("b",))),
            ("published", FieldMap(paths=("time", "i"))),
        ),
    ),
)
DETAILS = (DetailMap(css="p, div"), DetailMap(extract="article"), DetailMap(path="a"))
TAGS = (
    "< > </ div p li a href= <!-- --> <![CDATA[ ]]> <svg> <table> <td> <meta charset=utf-16> http://[ <?xml { &".split()
)

MARKUP = [*TAGS, "<base href=", '"', "'", "&#0;", "&#xD800;", "\x00", "\ufffe", "今天", "x " * 30]


def document(body: bytes) -> Document:
    return Document(url=URL, body=body, digest="")


def read_everything(body: bytes) -> None:
    """Read ``body`` in every way there is; only ParseError may come of it."""
    for read, source in (
        (read_html_page, SOURCE),
        *((read_detail, Source(name="s", url=URL, detail=detail)) for detail in DETAILS),
    ):
        try:
            assert read(document(body), source)  # type: ignore[operator]
        except ParseError as exc:
            assert str(exc)  # noqa: PT017 - a value is as good as an error with a reason


@given(st.binary(max_size=300))
@settings(max_examples=examples(30))
def test_any_bytes_give_items_or_a_parse_error(body: bytes) -> None:
    read_everything(body)


@given(st.lists(st.sampled_from(MARKUP), max_size=40).map("".join))
@settings(max_examples=examples(30))
def test_any_markup_gives_items_or_a_parse_error(text: str) -> None:
    read_everything(text.encode("utf-8", "surrogatepass"))
    read_everything(f"<html><body><li>{text}</li>".encode("utf-8", "surrogatepass"))


PAGE = etree.HTML("<div id=x class='a b' lang=zh><p>one</p><p title='t'>two <a href=/>three</a></p></div>")
SIMPLE = (
    "a p * .a #x [ ] = title ' \" :not( :is( :has( ) :nth-child( 2n+1 > + ~ , | @href ::html ::text :scope .".split()
)
CSS = [*SIMPLE, ":lang(zh)", ":contains(", ":first-of-type", "\\", "\\31 ", "\x00", " "]


@given(st.lists(st.sampled_from(CSS), max_size=12).map("".join) | st.text(max_size=30))
@settings(max_examples=examples(100))
def test_a_selector_that_was_accepted_can_be_used(text: str) -> None:
    for accept, use in (
        (field_selector, lambda: list(values(PAGE, text))),
        (element_selector, lambda: elements(PAGE, text)),
        (condition_selector, lambda: [holds(PAGE, text)]),
    ):
        try:
            accept(text)
        except ValueError as exc:
            assert str(exc).startswith("not a usable selector: ")  # noqa: PT017 - refusing is right too
        else:
            assert use() is not None


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000 + "deep",
        "<li>" + "<b><i>" * 100_000,
        "<ul><li>" * 50_000,
        "<p>" * 5_000,
        "<a " + "x=1 " * 100_000 + ">",
        "<li>" + "&amp;" * 200_000,
        "<table><tr><td>" * 20_000 + "x",
        "<!--" * 100_000,
    ],
    ids=["divs", "phrases", "lists", "paragraphs", "attributes", "references", "tables", "comments"],
)
def test_pages_made_to_be_slow_are_not(page: str) -> None:
    started = time.process_time()
    read_everything(page.encode())

    assert time.process_time() - started < 8


def test_a_list_without_end_is_read_in_part_and_says_so() -> None:
    source = Source(
        name="s",
        url=URL,
        kind="html",
        records=RecordMap(items="p", fields=(("id", FieldMap(paths=("@id",))),)),
        limit=2,
    )
    page = "".join(f"<p id={number}>" for number in range(10_003))
    feed = read_html_page(document(page.encode()), source)

    assert feed.notes == ("3 records beyond the first 10000 were not read",)
    assert (len(feed.items), len(feed.rejected)) == (2, 9_998)


def test_a_page_that_is_cut_off_at_its_depth_says_so() -> None:
    page = "<ul><li><a href=/1>first</a></li></ul>" + "<div>" * 300 + "<ul><li><a href=/2>lost</a></li></ul>"
    source = Source(
        name="s", url=URL, kind="html", records=RecordMap(items="li", fields=(("title", FieldMap(paths=("a",))),))
    )
    feed = read_html_page(document(page.encode()), source)

    assert [item.title for item in feed.items] == ["first"]
    assert feed.notes == ("the page is nested so deeply that its end was not read",)


def test_records_inside_of_records_are_read_to_a_depth_and_the_rest_is_told() -> None:
    nested = "".join(f"<p><i>2026-11-20</i><a href='/{number}'>{number}</a>" for number in range(3)) + "".join(
        f"<div><i>2026-11-20</i><a href='/d{number}'>d{number}</a>" for number in range(200)
    )
    feed = read_html_page(document(nested.encode()), SOURCE)

    assert len(feed.items) == 3 + 9
    assert feed.notes == ("191 records that lie inside of more than 8 others were not read",)


def test_records_inside_of_records_cost_no_more_than_their_page_some_times_over() -> None:
    page = "<div><i>2026-11-20</i><a href='/x'>x</a>" * 240 + "<b>words </b>" * 8_000
    started = time.process_time()
    read_html_page(document(page.encode()), SOURCE)

    assert time.process_time() - started < 12  # 17 s without the bound
