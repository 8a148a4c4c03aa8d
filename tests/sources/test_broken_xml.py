"""Broken XML, repaired."""

import pytest
from lxml import etree

from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.sources.feed.broken_xml import balanced, with_references_written_out, with_sections_ended
from feedhub.sources.feed.web_feed import read_feed

REPAIRS = [
    ("<a><b>x</c></a>", "<a><b>x</b></a>"),
    ("<a><b>x</a>", "<a><b>x</b></a>"),
    ("<a><b>1 < 2</b></a>", "<a><b>1 &lt; 2</b></a>"),
    ("<a/></b>", "<a/>"),
    ("<a><item>1<item>2</item></a>", "<a><item>1</item><item>2</item></a>"),
    ("<a><item><t>1<item>2</item></a>", "<a><item><t>1</t></item><item>2</item></a>"),
    ("<a><item><x:r><item>2</item></x:r></item></a>", "<a><item><x:r><item>2</item></x:r></item></a>"),
    ("<a><![CDATA[<b>]]><!-- <c> --><?p <d> ?></a>", "<a><![CDATA[<b>]]><!-- <c> --><?p <d> ?></a>"),
    ('<a><b c="1>2"/></a>', '<a><b c="1>2"/></a>'),
    ("<a><b>x</i></b></a>", "<a><b>x</b></a>"),
    ("<a><title>x<link>y</link></a>", "<a><title>x</title><link>y</link></a>"),
    ("<a><title>x<b>y</b></title></a>", "<a><title>x<b>y</b></title></a>"),
    ("<a><b>", None),
    ("<a>" * 300, None),
]


@pytest.mark.parametrize(("text", "expected"), REPAIRS, ids=[text[:40] for text, _ in REPAIRS])
def test_elements_are_closed_within_those_around_them(text: str, expected: str | None) -> None:
    assert balanced(text) == expected
    if expected is not None and ":" not in expected:
        etree.fromstring(expected)


@pytest.mark.parametrize(
    "piece", ["<!--", "<![CDATA[", "<?", "<a ", '<a "', "<a b='", "</a>", "<a></b>", "< ", "<item>"]
)
def test_a_repair_takes_linear_time(piece: str) -> None:
    balanced(piece * 200_000)


def test_references_are_written_out_but_in_cdata() -> None:
    text = "&#XE9;&#xe9;&eacute;&amp;&nope;& <![CDATA[&eacute;]]> &lt; &#233 &eacute &nope ?a&copy=b"
    expected = "&#xE9;&#xe9;é&amp;&amp;nope;&amp; <![CDATA[&eacute;]]> &lt; &#233; é &amp;nope ?a&amp;copy=b"

    assert with_references_written_out(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a><![CDATA[x</a></item><b><![CDATA[y]]></b>", "<a><![CDATA[x]]></a></item><b><![CDATA[y]]></b>"),
        ("<a>- <![CDATA[x</item><b><![CDATA[y]]></b>", "<a>- <![CDATA[x]]></item><b><![CDATA[y]]></b>"),
        ("<a><![CDATA[x]]</a><b/>", "<a><![CDATA[x]]></a><b/>"),
        ("<a><![CDATA[x <![CDATA[y]]> z</a>", "<a><![CDATA[x <![CDATA[y]]> z</a>"),
        ("<a><![CDATA[x]]>", "<a><![CDATA[x]]>"),
    ],
)
def test_a_section_ends_with_its_element(text: str, expected: str) -> None:
    assert with_sections_ended(text) == expected


def titles(text: str) -> list[str]:
    feed = read_feed(Document(url="https://f.example/feed", body=text.encode(), digest=""), Source(name="s", url=""))
    return [item.title for item in feed.items]


ITEM = "<item><title>Good</title><link>https://f.example/1</link></item>"
BROKEN = [
    "<item><title>Bad</titel><link>https://f.example/0</link></item>",
    "<item><title>Bad<link>https://f.example/0</link></item>",
    "<item><title>Bad</title><link>https://f.example/0</link>",
    "<item><title>Bad</title><description>a < b</description></item>",
    "<item><title>Bad</title><description>&nope; <b>x</description></item>",
    "<item><title>Bad</title></b></item>",
    "<item><title>Bad</title><description><b>a</i></b></description></item>",
    "<item><title>Bad</title><description><![CDATA[a</description></item>",
    "<item><title><![CDATA[Bad</title><description><![CDATA[a]]></description></item>",
    '<item><x:m xmlns:x="urn:x"><title>Inner</title></x:m><title>Bad</title></item>',
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_item_costs_no_other(broken: str) -> None:
    whole = f"<rss version='2.0'><channel><title>T</title>{ITEM}{broken}{ITEM.replace('1<', '2<')}</channel></rss>"
    found = titles(whole)
    assert found[:1] + found[-1:] == ["Good", "Good"]
    assert len(found) == 3
    assert found[1].startswith("Bad")


NAMESPACES = [
    '<rss version="2.0" xmlns="urn:x" xmlns:r="urn:x"><channel>{}</channel></rss>',
    '<r:rss version="2.0" xmlns="urn:x" xmlns:r="urn:x"><channel>{}</channel></r:rss>',
    '<Channel xmlns="http://purl.org/net/rss1.1#" xmlns:rss="http://purl.org/net/rss1.1#"><items>{}</items></Channel>',
    (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:rss="http://purl.org/rss/1.0/"><channel/>{}</rdf:RDF>'
    ),
]


@pytest.mark.parametrize("form", NAMESPACES)
def test_names_are_what_they_are_bound_to(form: str) -> None:
    assert titles(form.format(ITEM)) == ["Good"]


SPACED = [
    '<rss version="2.0" xmlns:m="urn of three words"><channel>{}<m:x/></channel></rss>',
    '<rss version="2.0" xmlns:m="urn of three words"><channel>{}<x m:y="1"/></channel></rss>',
    '<rss version="2.0" xmlns:m="urn\u2003of"><channel>{}<m:x/></channel></rss>',
    '<rss version="2.0" xmlns=" urn:x "><channel>{}</channel></rss>',
]


@pytest.mark.parametrize("form", SPACED)
def test_a_name_space_with_white_space_costs_nothing(form: str) -> None:
    assert titles(form.format(ITEM)) == ["Good"]


MISPLACED = [
    (
        "<feed xmlns='http://www.w3.org/2005/Atom'>{}<entry><summary></summary><rss></rss>"
        "<description>x</description><item>x</item><summary></summary><description>x</description><rss></rss>"
    ),
    "<rss version='2.0'><channel>{}<item xml:base='' href=''></channel></rss>",
    "<rss version='2.0'><channel href=''>x{}</updated></channel></rss>",
    "<rss version='2.0'><channel>{}</channel></rss>" + "<dc:creator mode='x' href='' src=''></name>",
]


@pytest.mark.parametrize("form", MISPLACED)
def test_an_element_where_another_is_expected_costs_nothing_else(form: str) -> None:
    record = ITEM.replace("item", "entry") if "Atom" in form else ITEM
    assert titles(form.format(record))[0] == "Good"


RSS = "<rss version='2.0'><channel>{}</channel></rss>"
NESTED = [
    RSS.format("<item><title>Good</title><x:r xmlns:x='urn:x'>{}</x:r></item>"),
    RSS.format("<item><title>Good</title><x:r xmlns:x='urn:x'><x:s>{}{}</x:s></x:r></item>"),
    (
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>Good</title>"
        "<x:r xmlns:x='urn:x'><feed>{}</feed></x:r></entry></feed>"
    ),
]


@pytest.mark.parametrize("form", NESTED)
def test_records_within_an_extension_belong_to_it(form: str) -> None:
    inner = ITEM.replace("Good", "Inner").replace("item", "entry" if "Atom" in form else "item")
    assert titles(form.format(inner, inner)) == ["Good"]


EMPTY = [
    '<CHANNEL HREF="https://f.example/"><TITLE>Empty</TITLE></CHANNEL>',
    "<rss version='2.0'><channel><title>Caf&eacute;</title></channel></rss>",
    "<rss version='2.0'><channel><title>A & B</title></channel></rss>",
    "<rss version='2.0'><channel><title>A</titel></channel></rss>",
]


@pytest.mark.parametrize("text", EMPTY)
def test_a_feed_without_items_is_an_empty_feed(text: str) -> None:
    assert titles(text) == []
