"""Finds the feeds that a web page offers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import lxml.html
from lxml.etree import LxmlError

from feedhub.model.document import Document
from feedhub.rules.text import plain
from feedhub.sources.document import decode
from feedhub.sources.markup import has_too_many_attributes, http_url

_FEED_TYPES = frozenset(
    "application/rss+xml application/atom+xml application/feed+json "
    "application/rdf+xml application/xml text/xml".split()
)
_FEED_LIKE = re.compile(
    r"(?:^|/)(?:feeds?|rss|atom|rdf)(?:/|$|\.(?:xml|json|php|aspx?)$)|\.(?:rss|atom|rdf)$|(?:feed|rss|atom|index)\.(?:xml|json)$",
    re.IGNORECASE,
)
_MOST_LINKS = 5_000
_MOST_FEEDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredFeed:
    """A feed that a page links to. ``media_type`` is what the page says of it, if anything."""

    url: str
    title: str = ""
    media_type: str | None = None


def discover_feeds(document: Document) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page names in ``<link rel=alternate>``, then links that look like feeds.

    Only absolute http(s) addresses, each once, in the order of the page. A document that is no page names none.
    """
    text = decode(document.body, http_charset=document.charset).text
    return feeds_in_page(text, document.url)


def feeds_in_page(text: str, url: str) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page at ``url`` names; see ``discover_feeds``."""
    if has_too_many_attributes(text):
        return ()
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        page = lxml.html.document_fromstring(text.encode(), parser=parser)
    except (LxmlError, ValueError):
        return ()
    base = url
    for element in page.iter("base"):
        base = http_url(element.get("href"), url) or base
        break
    found: dict[str, DiscoveredFeed] = {}
    for feed in (*_from_links(page, base), *_from_anchors(page, base)):
        found.setdefault(feed.url, feed)
    return tuple(found.values())[:_MOST_FEEDS]


def _from_links(page: lxml.html.HtmlElement, base: str) -> Iterator[DiscoveredFeed]:
    for element in page.iter("link"):
        media_type = (element.get("type") or "").partition(";")[0].strip().lower()
        relations = (element.get("rel") or "").lower().split()
        address = http_url(element.get("href"), base)
        title = plain(element.get("title") or "")
        if address is None or not {"alternate", "feed"} & set(relations) or "stylesheet" in relations:
            continue
        is_json_feed = media_type == "application/json" and bool(_FEED_LIKE.search(_path(address)))
        if media_type in _FEED_TYPES or is_json_feed or "feed" in relations:
            yield DiscoveredFeed(url=address, title=title, media_type=media_type or None)


def _from_anchors(page: lxml.html.HtmlElement, base: str) -> Iterator[DiscoveredFeed]:
    for count, element in enumerate(page.iter("a")):
        if count >= _MOST_LINKS:
            return
        address = http_url(element.get("href"), base)
        if address is not None and _FEED_LIKE.search(_path(address)):
            title = element.get("title") or element.text_content()
            yield DiscoveredFeed(url=address, title=plain(title)[:200])


def _path(address: str) -> str:
    return address.partition("?")[0].partition("#")[0].split("/", 3)[-1]
