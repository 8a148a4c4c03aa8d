"""SPEC §9, GUARANTEES 13 and 40: every text enters through one function."""

import time
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.rules.text import (
    clean_text,
    label_text,
    or_nearest,
    plain,
    text_digest,
    visible_text,
    with_words_shown,
    without_cdata_marks,
    xml_legal,
)

LABELS = [
    ('<em class="hl">Chip</em> prices &amp; more', "Chip prices & more"),
    ("Use <dialog> element", "Use <dialog> element"),
    ("List<String> vs Map<K, V>", "List<String> vs Map<K, V>"),
    ("if a<b and c>d", "if a<b and c>d"),
    ("#include <vector>", "#include <vector>"),
    ("Foo <foo@m.example>", "Foo <foo@m.example>"),
    ("&lt;b&gt; is bold", "<b> is bold"),
    ("x&y&region=1&copy=2", "x&y&region=1&copy=2"),
    ("caf&eacute; &#x2019;s &#XE9;", "café ’s é"),
    ("&unknown; &amp; &apos;", "&unknown; & '"),
    ("<p>One</p><p>Two</p>", "\nOne\n\nTwo\n"),
    ("<![CDATA[Ann & Bob]]>", "Ann & Bob"),
    ("<script>x</script>A<!-- y -->B", "AB"),
    ("How <script> works", "How <script> works"),
    ('<a title="a>b" href=x>link</a>', "link"),
    ("<b", "<b"),
]


@pytest.mark.parametrize(("text", "expected"), LABELS, ids=[text for text, _ in LABELS])
def test_markup_goes_from_a_label_and_words_in_angle_brackets_stay(text: str, expected: str) -> None:
    assert label_text(text) == expected


@pytest.mark.parametrize("piece", ["<a ", "<a '", '<a "', "<script>", "<!--", "<![CDATA[", "<b/", "&#", "<p x=\"'"])
def test_a_label_takes_linear_time(piece: str) -> None:
    assert len(label_text(piece * 200_000)) <= 10_000


@pytest.mark.parametrize(
    "unwanted",
    [
        "\x00",
        "\x08",
        "\x0b",
        "\x1f",
        "\x7f",
        "\x85",
        "\x9f",
        "\ud800",
        "\ufdd0",
        "\ufffe",
        "\uffff",
        "\U0001ffff",
    ],
    ids=ascii,
)
def test_characters_that_break_documents_are_removed(unwanted: str) -> None:
    assert clean_text(f"a{unwanted}b") == "ab"


def test_layout_and_ordinary_characters_stay() -> None:
    text = "tab\t line\n return\r 中文 ½ 👩\u200d🚀 \u00a0"

    assert clean_text(text) == text
    assert xml_legal(text) == text


@given(st.text(alphabet=st.characters()))
def test_what_is_legal_can_be_read_by_an_xml_parser(text: str) -> None:
    escaped = xml_legal(text).replace("&", "&amp;").replace("<", "&lt;")

    assert ET.fromstring(f"<a>{escaped}</a>").tag == "a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two\n words\t", "two words"),
        ("a\u3000b", "a b"),
        ("up\u202edown\u202c", "updown"),
        ("\u2066x\u2069", "x"),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_name_is_one_line_that_rearranges_nothing(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("plain", "plain"),
        ("a &amp; b &lt;c&gt; &eacute;", "a & b <c> é"),
        ("<p>one</p><p>two</p>", "\none\n\ntwo\n"),
        ("x<br/>y<BR>z", "x\ny\nz"),
        ("in<b>si</b>de", "inside"),
        ("a < b > c", "a < b > c"),
        ("1<2", "1<2"),
        ("end <", "end <"),
        ('<img alt="a > b" src=x>t', "t"),
        ("<a title='</a>'>t</a>", "t"),
        ("<p it's>t", "\nt"),
        ("a<script>alert('<b>')</script>b", "ab"),
        ("a<STYLE>p{}</style >b", "ab"),
        ("a<script>never closed <p>x", "a"),
        ("a<svg/>b", "ab"),
        ("a<svg><title>t</title></svg>b", "ab"),
        ("a</script>b", "ab"),
        ("a<!-- <p> x -->b", "ab"),
        ("a<!-- open", "a"),
        ("a<!doctype html>b", "ab"),
        ("a<?php x ?>b", "ab"),
        ("a<?never", "a"),
        ("a</>b", "ab"),
        ("a</ never", "a"),
        ("a<b never closed", "a"),
        ("<noscript>shown</noscript>", "shown"),
        ("<b>x &amp; y</b> &lt;", "x & y <"),
        ("&am<b>p;</b>", "&amp;"),
        ("a<script>x()</script><iframe src=x></iframe>b", "ab"),
    ],
)
def test_what_a_reader_sees_of_markup(markup: str, expected: str) -> None:
    assert visible_text(markup) == expected


_TIDY = st.sampled_from(
    (
        *("<b>", "</b>", '<a href="/x?a=1&amp;b=2">', "<p class='x>y'>", "<BR/>", "</LI>", "<svg/>", "<x:y z>"),
        *("&amp;", "&nbsp", "p;", "text", "é", "\n"),
        *("<script>a()</script>", '<iframe src="x"></iframe>', "<STYLE>b{}</style>"),
    )
)


@given(st.lists(_TIDY).map("".join))
def test_tidy_markup_shows_the_same_when_something_untidy_follows(markup: str) -> None:
    assert visible_text(f"{markup}<") == f"{visible_text(markup)}<"


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", '<a b="', "<a b='", "<!--", "<script>", "</", "<!", "<a>", "&", "&#", "<a =", "<p><", "<svg>"],
)
def test_visible_text_takes_linear_time(piece: str) -> None:
    markup = piece * (1_000_000 // len(piece))
    started = time.process_time()

    visible_text(markup)

    assert time.process_time() - started < 15  # quadratic would be hours


@given(st.text())
def test_visible_text_reads_anything(text: str) -> None:
    assert isinstance(visible_text(text), str)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Title", "Some text"), ("Title", "Some   \n text")),
        (("Title", "Some text"), (" Ti tle", "Sometext")),
        (("Ｔｉｔｌｅ", "ﬁne"), ("Title", "fine")),
        (("Ti\u00adtle", "a\u200bb"), ("Title", "ab")),
    ],
    ids=["line breaks", "spaces", "full width and ligatures", "invisible characters"],
)
def test_layout_does_not_change_the_digest(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert text_digest(*one) == text_digest(*other)


def test_other_markup_of_the_same_text_has_the_same_digest() -> None:
    one = visible_text("<p>Hello <b>world</b></p>")
    other = visible_text('<div class="x">Hello&#32;world</div><!-- c -->')

    assert text_digest("T", one) == text_digest("T", other)


def test_other_words_have_another_digest() -> None:
    digests = {
        text_digest("a", "b"),
        text_digest("ab"),
        text_digest("", "ab"),
        text_digest("a", "c"),
        text_digest("a", "B"),
    }

    assert len(digests) == 5


def test_a_digest_survives_a_lone_surrogate() -> None:
    assert len(text_digest("\ud800")) == 64


def test_direction_controls_and_marks_of_cdata_that_arrived_as_text_are_no_text() -> None:
    assert plain("a\u202eb\u2066 c") == "ab c"
    assert without_cdata_marks("<![CDATA[One]]>") == "One"
    assert visible_text("<p><![CDATA[One]]></p>").strip() == "One"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("DNA of <scp>E</scp>", "DNA of E"),
        ("<em>Rates</em> fall", "Rates fall"),
        ("List<String>", "List<String>"),
        ("a<b", "a<b"),
        ("Tom &amp; Ann", "Tom & Ann"),
    ],
)
def test_a_label_is_shown_as_a_reader_is_to_see_it(written: str, shown: str) -> None:
    assert label_text(written) == shown


def test_a_label_without_brackets_and_references_is_itself() -> None:
    assert label_text("Plain words") == "Plain words"


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("no brackets", "no brackets"),
        ("include <stdio.h> first", "include &lt;stdio.h> first"),
        ("a List<String> of it", "a List&lt;String> of it"),
        ("<p>One</p>", "<p>One</p>"),
        ("<scp>DNA</scp>", "<scp>DNA</scp>"),
        ('<widget kind="x">', '<widget kind="x">'),
        ("<o:p>", "<o:p>"),
        ("<T><T x=1>", "&lt;T><T x=1>"),
        ("when a<b", "when a&lt;b"),
        ("cut in a tag<br", "cut in a tag<br"),
    ],
)
def test_words_in_brackets_that_are_no_element_are_text(markup: str, shown: str) -> None:
    assert with_words_shown(markup) == shown


def test_a_name_that_is_written_nearly_so_is_asked_for() -> None:
    assert or_nearest("gardian", ["reuters", "guardian"]) == '; did you mean "guardian"?'
    assert or_nearest("xinhua", ["reuters", "guardian"]) == ""
