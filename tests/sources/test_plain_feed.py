"""The fast way gives, field by field, what feedparser gives, or leaves the document to it."""

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.errors import ParseError
from feedhub.model.item import ParsedFeed
from feedhub.model.source import Source
from feedhub.sources.charset import decode
from feedhub.sources.dialects import RawFeed, read_dialect
from feedhub.sources.plain_feed import read_plain
from feedhub.sources.sniff import from_feed_on
from feedhub.sources.web_feed import feed_of
from support.site import shared_feeds

URL = "https://feeds.example/dir/feed.xml"
DATA = Path(__file__).parent / "data"
FILES = [path for path in sorted(DATA.iterdir()) if not path.name.endswith(".expected.json")] + shared_feeds()


def outcome(document: RawFeed, text: str) -> ParsedFeed | str:
    try:
        return feed_of(document, text, URL, Source(name="s", url=URL, timezone="Asia/Shanghai"))
    except ParseError as error:
        return str(error)


def assert_agreement(text: str) -> bool:
    """Return whether the document took the fast way."""
    fast = read_plain(text, URL)
    if fast is None:
        return False
    reference = read_dialect(text, URL)
    assert (fast.version, fast.fault, fast.cut_off) == (reference.version, reference.fault, reference.cut_off)
    assert outcome(fast, text) == outcome(reference, text)
    return True


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_feed_is_read_alike_both_ways(path: Path) -> None:
    assert_agreement(from_feed_on(decode(path.read_bytes()).text))


RSS = (
    '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:media="http://search.yahoo.com/mrss/" xmlns:slash="http://purl.org/rss/1.0/modules/slash/" '
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:shop="https://shop.example/ns">'
    "<channel><title>T</title><link>/home</link>{feed}{entries}</channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:shop="https://shop.example/ns"{lang}><title>T</title><id>urn:x</id>{feed}{entries}</feed>'
)


def test_plain_feeds_take_the_fast_way() -> None:
    item = "<item><title>One &amp; two</title><link>a/b?c=1&amp;d=2</link><guid>1</guid><description>Hi</description>"
    assert assert_agreement(RSS.format(feed="", entries=item + "<dc:creator>Ann</dc:creator></item>"))
    entry = (
        '<entry><title type="html">&lt;b>One&lt;/b></title><link href="/x"/><id>tag:x</id><content>y</content></entry>'
    )
    assert assert_agreement(ATOM.format(lang=' xml:lang="de_AT"', feed="", entries=entry))


@pytest.mark.parametrize(
    "odd",
    [
        "<title>One</title><title>Two</title>",
        '<title xml:base="https://other.example/">One</title>',
        "<title>One <b>bold</b></title>",
        "<dc:title>One</dc:title>",
        "<unheard>of</unheard>",
        '<title xmlns="https://other.example/">One</title>',
        "<enclosure length='5'/>",
        "<media:content url='https://x.example/a.jpg'>text</media:content>",
        "<media:title>Before the title of the item</media:title><title>One</title>",
        "<shop:price xml:base='https://other.example/'>5</shop:price>",
        "<shop:price><description>5</description></shop:price>",
        "<shop:price xmlns:shop='https://second.example/ns'>5</shop:price>",
        "<title:detail xmlns:title='https://other.example/'>One</title:detail>",
        "<media:title xmlns:media='https://other.example/'>One</media:title>",
        "<itunes:title kind='short'>One</itunes:title>",
    ],
)
def test_what_is_not_understood_is_left_to_feedparser(odd: str) -> None:
    assert read_plain(RSS.format(feed="", entries=f"<item>{odd}</item>"), URL) is None


@pytest.mark.parametrize(
    "text",
    [
        "<rss version='2.0'><channel><item></channel></rss>",
        "<rss version='0.91'><channel><title>T</title></channel></rss>",
        "<rss version='2.0'><channel><title>&nbsp;</title></channel></rss>",
        "<html><body/></html>",
    ],
)
def test_a_document_that_is_broken_old_or_no_feed_is_left_to_feedparser(text: str) -> None:
    assert read_plain(text, URL) is None


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            " ",
            "AT&T",
            "<b>bold</b> &amp; more",
            "Caf\u00c3\u00a9",
            "\x93quoted\x94",
            "银行",
            "a\nb",
            "&eacute;",
            "1 < 2",
        ]
    ),
).map(lambda text: "".join(char for char in text if char in "\t\n" or (char.isprintable() and char < "\ud800")))
addresses = st.sampled_from(
    [
        "",
        "a/b",
        "/x?y=1&z=2",
        "https://x.example/a;b",
        "HTTP://X.example",
        "https://x.example",
        "javascript:x",
        "?q",
        "https://x.example/a?b&amp;c;=1",
        "//x.example/é",
        "https:///x.example/a",
        " https://x.example/a b ",
        "mailto:a@b.c",
    ]
)
people = st.sampled_from(["Ann", "ann@x.example (Ann)", "Ann <ann@x.example>", "ann@x.example", "", "银行"])
dates = st.sampled_from(["Fri, 05 Jan 2024 08:00:00 GMT", "2024-01-05T08:00:00Z", "2024-01-05 08:00", "soon", ""])


def element(name: str, content: st.SearchStrategy[str], **attributes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def written(value: str, cdata: bool, given: dict[str, str]) -> str:
        inside = f"<![CDATA[{value}]]>" if cdata and "]]>" not in value else escape(value)
        told = "".join(f" {key}={quoteattr(text)}" for key, text in given.items())
        return f"<{name}{told}>{inside}</{name}>"

    options = st.fixed_dictionaries({}, optional=attributes)
    return st.builds(written, content, st.booleans(), options)


nothing = st.just("")


def several(*elements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Any of the elements in any order, seldom one of them twice."""
    some = [st.one_of(nothing, one) for one in elements]
    twice = st.one_of(*(nothing for _ in range(3 * len(elements))), *elements)
    return st.tuples(*some, twice).flatmap(lambda parts: st.permutations([part for part in parts if part])).map("".join)


types = st.sampled_from(["text", "html", "HTML", "text/html", "text/plain", "xhtml", "image/png"])
atom_author = st.builds(
    "<author>{}{}{}</author>".format,
    *(element(name, values) | nothing for name, values in (("name", people), ("uri", addresses), ("email", people))),
)
categories = element("category", texts, domain=texts)
rss_links = element("atom:link", nothing, href=addresses, rel=st.sampled_from(["self", "Alternate", "enclosure"]))
namespaces = st.sampled_from(["", " xmlns:media='http://search.yahoo.com/mrss/'", " xmlns:new='https://new.example/'"])
beside_media = several(
    element("media:title", texts, type=st.sampled_from(["plain", "html"])),
    element("media:description", texts, type=st.sampled_from(["text", "html"])),
    element("media:thumbnail", nothing, url=addresses),
    element("media:credit", people, role=texts),
    element("media:category", texts, label=texts),
    element("media:keywords", texts),
    st.just("<media:community><media:starRating count='5' average='4.2'/></media:community>"),
)
media_contents = st.builds(
    "<media:content url={}{}>{}</media:content>".format, addresses.map(quoteattr), namespaces, beside_media
)
media_groups = st.builds("<media:group>{}{}</media:group>".format, media_contents, beside_media)
foreign = st.one_of(
    element("shop:price", texts, currency=texts),
    element("shop:title", texts),
    st.builds("<shop:offer{}><shop:link href='/x'>{}</shop:link></shop:offer>".format, namespaces, texts.map(escape)),
    st.just("<new:link xmlns:new='https://new.example/' rel='self' href='/y'>z</new:link>"),
)
itunes = (
    element("itunes:author", people),
    element("itunes:title", texts),
    element("itunes:summary", texts),
    element("itunes:subtitle", texts),
    element("itunes:keywords", st.sampled_from(["", "a,b", " a , ,银行", "a"])),
    element("itunes:explicit", st.sampled_from(["yes", "clean", ""])),
    element("itunes:image", nothing, href=addresses),
)
podcast_feeds = several(
    *itunes,
    st.builds(
        "<itunes:owner>{}{}</itunes:owner>".format,
        *(element(f"itunes:{name}", people) | nothing for name in ("name", "email")),
    ),
    st.just("<itunes:category text='News'><itunes:category text='Daily'/></itunes:category>"),
    st.just("<itunes:new-feed-url>https://x.example/new</itunes:new-feed-url>"),
    foreign,
)
podcast_entries = several(
    element("title", texts),
    element("guid", texts),
    element("description", texts),
    element("itunes:duration", st.sampled_from(["61", "1:01", ""])),
    element("itunes:episode", st.just("7")),
    element("enclosure", nothing, url=addresses, type=st.just("audio/mpeg")),
    *itunes,
    media_groups,
    media_contents,
    foreign,
).map("<item>{}</item>".format)
rss_entries = several(
    element("title", texts),
    element("link", addresses),
    element("guid", texts, isPermaLink=st.sampled_from(["true", "false"])),
    element("pubDate", dates),
    element("dc:date", dates),
    element("description", texts),
    element("content:encoded", texts),
    element("author", people),
    element("dc:creator", people),
    categories,
    element("comments", addresses),
    rss_links,
    element(
        "enclosure", nothing, url=addresses, type=st.sampled_from(["audio/mpeg", "IMAGE/PNG"]), length=st.just("5")
    ),
    element("media:content", nothing, url=addresses, medium=st.just("image")),
    element("slash:comments", texts),
    element("media:thumbnail", nothing, url=addresses),
    element("source", texts, url=addresses),
).map("<item>{}</item>".format)
rss_feeds = several(
    element("language", texts),
    element("ttl", texts),
    categories,
    rss_links,
    element("description", texts),
    st.just("<image><url>https://x.example/i.png</url><title>Logo</title><link>/</link></image>"),
    element("managingEditor", people),
)
atom_links = element(
    "link", nothing, href=addresses, rel=st.sampled_from(["self", "alternate", "replies", "enclosure"]), type=types
)
atom_entries = several(
    element("title", texts, type=types),
    element("id", texts),
    element("published", dates),
    element("updated", dates),
    element("summary", texts, type=types),
    element("content", texts, type=types),
    atom_author,
    atom_links,
    element("category", texts, term=texts, label=texts, scheme=texts),
    media_groups,
    foreign,
).map("<entry>{}</entry>".format)
atom_feeds = several(atom_author, atom_links, element("subtitle", texts, type=types), element("updated", dates))


@settings(max_examples=150, deadline=None)
@given(feed=rss_feeds, entries=st.lists(rss_entries, max_size=3).map("\n".join), first=st.booleans())
def test_generated_rss_is_read_alike(feed: str, entries: str, first: bool) -> None:
    before, after = (feed, entries) if first else (entries, feed)
    assert_agreement(RSS.format(feed=before, entries=after))


@settings(max_examples=150, deadline=None)
@given(feed=podcast_feeds, entries=st.lists(podcast_entries, max_size=3).map("\n".join), first=st.booleans())
def test_a_generated_podcast_is_read_alike(feed: str, entries: str, first: bool) -> None:
    before, after = (feed, entries) if first else (entries, feed)
    assert_agreement(RSS.format(feed=before, entries=after))


@settings(max_examples=150, deadline=None)
@given(
    feed=atom_feeds,
    entries=st.lists(atom_entries, max_size=3).map("\n".join),
    lang=st.sampled_from(["", " xml:lang='zh_CN'"]),
)
def test_generated_atom_is_read_alike(feed: str, entries: str, lang: str) -> None:
    assert_agreement(ATOM.format(lang=lang, feed=feed, entries=entries))
