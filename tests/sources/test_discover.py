"""Feeds that a page offers."""

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


def test_what_is_no_page_offers_nothing() -> None:
    assert discovered(b"") == ()
    assert discovered(b"\xff\xd8\xff\xe0 not a page") == ()


def test_a_page_full_of_links_is_read_to_a_bound() -> None:
    many = "".join(f'<a href="/{number}/feed">x</a>' for number in range(6_000))

    assert len(discovered(many.encode())) == 50
