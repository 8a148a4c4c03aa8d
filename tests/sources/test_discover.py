"""Feeds that a page offers."""

import pytest

from feedhub.model.document import Document
from feedhub.sources.feed.discover import DiscoveredFeed, discover_feeds

PAGE = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><head><base href="/b/">
<link rel="alternate" type="application/rss+xml; charset=utf-8" title=" The  news " href="feed.xml">
<link rel="ALTERNATE" type="application/atom+xml" href="//other.example/atom">
<link rel="alternate" type="application/feed+json" href="https://p.example/f.json">
<link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/2">
<link rel="alternate" type="application/json" href="/feed.json">
<link rel="alternate" hreflang="de" href="/de/">
<link rel="alternate stylesheet" type="text/xml" href="/x.xsl">
<link rel="feed" href="/plain">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
<link rel="alternate" type="application/rss+xml" href="feed.xml">
<link rel="alternate" type="application/rss+xml">
</head><body>
<a href="/rss">RSS</a><a href="/news/feed/?cat=1" title="By title">x</a><a href="/feedback">no</a>
<a href="/a.rss#top">a</a><a href="data:text/html,rss.xml">b</a><a>c</a><a href="/b/feed.xml">again</a>
</body></html>"""


def discovered(body: bytes, charset: str | None = None) -> tuple[DiscoveredFeed, ...]:
    return discover_feeds(Document(url="https://p.example/dir/page", body=body, digest="", charset=charset))


def test_links_come_first_then_anchors_each_once_and_absolute() -> None:
    assert [(feed.url, feed.title, feed.media_type) for feed in discovered(PAGE.encode())] == [
        ("https://p.example/b/feed.xml", "The news", "application/rss+xml"),
        ("https://other.example/atom", "", "application/atom+xml"),
        ("https://p.example/f.json", "", "application/feed+json"),
        ("https://p.example/feed.json", "", "application/json"),
        ("https://p.example/plain", "", None),
        ("https://p.example/rss", "RSS", None),
        ("https://p.example/news/feed/?cat=1", "By title", None),
        ("https://p.example/a.rss#top", "a", None),
    ]


def test_titles_are_read_in_the_charset_of_the_page() -> None:
    page = '<meta charset="gbk"><link rel=alternate type="application/rss+xml" title="新闻频道" href="/f">'

    assert discovered(page.encode("gb18030"))[0].title == "新闻频道"


TYPED = [
    ('<link type="application/rss+xml" href="/f">', True),
    ('<link rel="" type="application/rss+xml" href="/f">', True),
    ('<link rel="alternative" type="Text/RSS" href="/f">', True),
    ('<link rel="service.feed" type="application/x.atom+xml" href="/f">', True),
    ('<link rel="alternate" type="application/rss xml" href="/f">', True),
    ('<link rel="alternate" type="rss" href="/f">', True),
    ('<link rel="alternate" type="application/json+feed" href="/f">', True),
    ('<a type="application/atom+xml" href="/f">x</a>', True),
    ('<a href="feed:/f">x</a>', False),
    ('<area type="application/rss+xml" href="/f">', True),
    ('<link rel="alternate" type="application/atomxml" href="/f">', True),
    ('<link rel="alternate" type="application/json" title="JSON Feed" href="/f">', True),
    ('<link rel="alternate" title="RSS" href="/f">', True),
    ('<link type="text/xml" title="Atom feed" href="/f">', True),
    ('<link type="text/xml" href="/f">', False),
    ('<link title="RSS" href="/f">', False),
    ('<link rel="meta" type="application/rdf+xml" href="/f">', False),
    ('<link rel="service.post" type="application/atom+xml" href="/f">', False),
    ('<link rel="alternate" type="application/atom+xml;type=entry" href="/f">', False),
    ('<link rel="alternate stylesheet" type="application/rss+xml" href="/f">', False),
    ('<link rel="service" type="application/atomsvc+xml" href="/f">', False),
    ('<link rel="alternate" type="application/rss+xml" href="">', False),
]


@pytest.mark.parametrize(("markup", "is_offered"), TYPED)
def test_the_type_of_a_link_says_that_it_is_a_feed(markup: str, is_offered: bool) -> None:
    expected = ["https://p.example/f"] if is_offered else []
    assert [feed.url for feed in discovered(markup.encode())] == expected


ANCHORS = [
    ('<a href="/x">RSS</a>', True),
    ('<a href="/x">RSS-Feed abonnieren</a>', True),
    ('<a href="/x"><img alt="XML" src="a.gif"></a>', True),
    ('<a href="/x"><img src="/img/feed-icon-14x14.png"></a>', True),
    ('<a href="/x"><i class="fa fa-rss"></i></a>', True),
    ('<area href="/x" alt="RSS">', True),
    ('<a class="rss-item" href="/x">An article</a>', False),
    ('<a href="/x"><img src="/rss/photo.png"></a>', False),
    ('<a href="/x">RSS订阅</a>', True),
    ('<a href="/x">Atom</a>', True),
    ('<a href="/x">Subscribe to the feed</a>', True),
    ('<a href="/x" title="Atom feed"><img src="/i.png"></a>', True),
    ('<a href="/x" aria-label="RSS"><svg></svg></a>', True),
    ('<a href="/x"><img alt="Feed" src="/i.png"></a>', True),
    ('<a href="/?feed=rss2">x</a>', True),
    ('<a href="/news?a=1&amp;format=atom">x</a>', True),
    ('<a href="/posts/default?alt=rss#top">x</a>', True),
    ('<a href="/x">Feedback</a>', False),
    ('<a href="/x">The atom is split again</a>', False),
    ('<a href="/x">How we feed the hungry</a>', False),
    ('<a href="/x">Address of Prss Ltd and its crss files</a>', False),
    ('<a href="/?feed=cattle">x</a>', False),
    ('<a href="mailto:a@b.example">RSS</a>', False),
]


@pytest.mark.parametrize(("markup", "is_offered"), ANCHORS)
def test_links_that_say_feed_are_offered(markup: str, is_offered: bool) -> None:
    assert len(discovered(markup.encode())) == is_offered


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("feed://blog.example/rss", "http://blog.example/rss"),
        ("FEED:https://blog.example/rss", "https://blog.example/rss"),
        ("feed://https://blog.example/rss", "https://blog.example/rss"),
    ],
)
def test_the_scheme_feed_stands_for_a_web_address(href: str, url: str) -> None:
    assert [feed.url for feed in discovered(f'<a href="{href}">x</a>'.encode())] == [url]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (
            '</f>; rel="alternate"; type="application/rss+xml"; title="News, all"',
            [("https://p.example/f", "News, all")],
        ),
        ("</hub>; rel=hub, <f>; type=application/atom+xml; rel=alternate", [("https://p.example/dir/f", "")]),
        ('<https://x.example/f>;rel="feed"', [("https://x.example/f", "")]),
        ('</f>; rel="self"; type="application/rss+xml"', []),
        ('</a.css>; rel="preload"; as=style', []),
        ('<javascript:alert(1)>; rel="alternate"; type="application/rss+xml"', []),
        ("<" * 5_000 + ";" * 5_000, []),
        ("<a>" + '; a="' * 3_000, []),
    ],
)
def test_the_header_of_the_answer_names_feeds(field: str, expected: list[tuple[str, str]]) -> None:
    document = Document(url="https://p.example/dir/page", body=b"<p>x", digest="", headers=(("link", field),))
    assert [(feed.url, feed.title) for feed in discover_feeds(document)] == expected


def test_what_is_no_page_offers_nothing() -> None:
    assert discovered(b"") == ()
    assert discovered(b"\xff\xd8\xff\xe0 not a page") == ()


def test_a_page_full_of_links_is_read_to_a_bound() -> None:
    many = "".join(f'<a href="/{number}/feed">x</a>' for number in range(6_000))

    assert len(discovered(many.encode())) == 50
