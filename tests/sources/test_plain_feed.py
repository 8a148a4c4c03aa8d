"""The fast way gives, field by field, what feedparser gives, or leaves the document to it."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedhub.errors import ParseError
from feedhub.model.item import ParsedFeed
from feedhub.model.source import Source
from feedhub.sources.charset import decode
from feedhub.sources.document import from_feed_on
from feedhub.sources.feed.dialects import read_dialect
from feedhub.sources.feed.plain_feed import read_plain
from feedhub.sources.feed.raw_feed import RawFeed
from feedhub.sources.feed.web_feed import feed_of
from support.examples import examples
from support.generated_feeds import (
    atom_entries,
    atom_feeds,
    atom_pages,
    podcast_entries,
    podcast_feeds,
    rss_entries,
    rss_feeds,
)
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
    page = (
        '<content type="xhtml" xml:lang="fr"><div xmlns="http://www.w3.org/1999/xhtml"><p>Un<br/></p></div></content>'
    )
    assert assert_agreement(ATOM.format(lang="", feed="", entries=f"<entry><id>tag:y</id>{page}</entry>"))


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


@settings(max_examples=examples(50))
@given(feed=rss_feeds, entries=st.lists(rss_entries, max_size=3).map("\n".join), first=st.booleans())
def test_generated_rss_is_read_alike(feed: str, entries: str, first: bool) -> None:
    before, after = (feed, entries) if first else (entries, feed)
    assert_agreement(RSS.format(feed=before, entries=after))


@settings(max_examples=examples(50))
@given(feed=podcast_feeds, entries=st.lists(podcast_entries, max_size=3).map("\n".join), first=st.booleans())
def test_a_generated_podcast_is_read_alike(feed: str, entries: str, first: bool) -> None:
    before, after = (feed, entries) if first else (entries, feed)
    assert_agreement(RSS.format(feed=before, entries=after))


@settings(max_examples=examples(80))
@given(
    feed=atom_feeds,
    entries=st.lists(atom_entries | atom_pages, max_size=3).map("\n".join),
    lang=st.sampled_from(["", " xml:lang='zh_CN'"]),
)
@example(feed="", entries='<entry><content xml:base="https:///x.example/a">0</content></entry>', lang="")
def test_generated_atom_is_read_alike(feed: str, entries: str, lang: str) -> None:
    assert_agreement(ATOM.format(lang=lang, feed=feed, entries=entries))
