"""Finds the feeds that a web page offers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import lxml.html
from lxml.etree import LxmlError

from feedhub.model.document import Document
from feedhub.rules.text import plain
from feedhub.rules.urls import without_feed_scheme
from feedhub.sources.charset import decode
from feedhub.sources.markup import has_too_many_attributes, http_url

# The registered types (RFC 4287, RFC 3870, JSON Feed 1.1), and what is written for them.
_FEED_TYPE = re.compile(
    r"(?:(?:application|text)/)?(?:x[-.])?"
    r"(?:(?:rss|atom|rdf)\d?(?:[+. -]?xml)?|xml\+(?:rss|atom|rdf)|feed\+json|json\+feed|(?:rss|atom)\+json)"
)
_XML_TYPES = frozenset({"application/xml", "text/xml"})
_FEED_RELATIONS = frozenset("alternate alternative feed service.feed rss atom".split())
_OTHER_RELATIONS = frozenset("stylesheet".split())
_FEED_LIKE = re.compile(
    r"(?:^|/)(?:feeds?|rss2?|atom|rdf)(?:/|$|\.(?:xml|json|php|aspx?)$)|\.(?:rss|atom|rdf)$"
    r"|(?:feed|rss2?|atom|index)\.(?:xml|json)$",
    re.IGNORECASE,
)
_FEED_IN_QUERY = re.compile(
    r"(?:^|&)(?:feed|format|type|output|alt)=(?:rss|atom|rdf|feed)[0-9.]*(?:&|$)", re.IGNORECASE
)
# The words of a link: "RSS" says it all, while "feed" and "atom" have other meanings in other company.
_RSS_IN_WORDS = re.compile(r"(?<![a-z])rss(?:\s?feeds?)?(?![a-z])", re.IGNORECASE)
_FEED_WORDS = frozenset(
    "atom feed feeds rdf xml news newsfeed subscribe to the our this via by site blog web full comments entries posts "
    "articles podcast 0.3 1.0 2.0 follow all latest".split()
)
_FEED_HOST = re.compile(r"https?://(?:feeds?|rss)\d?\.", re.IGNORECASE)
_NAMES_OF_FEEDS = frozenset("atom feed feeds newsfeed rdf".split())
_LONGEST_WORDS = 40
_LONGEST_ADDRESS = 2_000
_FEED_ICON = re.compile(r"(?<![a-z])(?:rss|feed-?icon)(?![a-z])[^/]*$", re.IGNORECASE)
# RFC 8288: one link of the field, its address and its parameters, which may be quoted.
_HEADER_LINK = re.compile(
    r"""<([^<>]{1,2000})>((?:\s*;\s*[\w!#$&+.^`|~*-]{1,40}(?:\s*=\s*(?:"[^"]{0,500}"|[^\s",;]{0,500}))?){0,20})"""
)
_PARAMETER = re.compile(r""";\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:"([^"]*)"|([^\s",;]*))""")
_MOST_LINKS = 5_000
_MOST_FEEDS = 50
_LONGEST_HEADER = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredFeed:
    """A feed that a page links to. ``media_type`` is what the page says of it, if anything."""

    url: str
    title: str = ""
    media_type: str | None = None


def discover_feeds(document: Document) -> tuple[DiscoveredFeed, ...]:
    """Return the feeds that a page names in ``<link>`` and its header, then links that look like feeds.

    Only absolute http(s) addresses, each once, in the order of the page. A document that is no page names none.
    """
    text = decode(document.body, http_charset=document.charset).text
    found = (*_from_header(document), *feeds_in_page(text, document.url))
    return tuple({feed.url: feed for feed in reversed(found)}.values())[::-1][:_MOST_FEEDS]


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


def _from_header(document: Document) -> Iterator[DiscoveredFeed]:
    """Yield the feeds in the ``Link`` fields of the answer (RFC 8288)."""
    for name, field in document.headers:
        for target, written in _HEADER_LINK.findall(field[:_LONGEST_HEADER]) if name.lower() == "link" else ():
            given = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(written)}
            found = _named_feed(target, document.url, given.get("type"), given.get("rel"), given.get("title"))
            if found:
                yield found


def _from_links(page: lxml.html.HtmlElement, base: str) -> Iterator[DiscoveredFeed]:
    for element in page.iter("link"):
        href, media_type, relation = element.get("href"), element.get("type"), element.get("rel")
        found = _named_feed(href, base, media_type, relation, element.get("title"))
        if found:
            yield found


def _named_feed(
    href: str | None, base: str, media_type: str | None, relation: str | None, title: str | None
) -> DiscoveredFeed | None:
    """Return the feed that a link of a head or a header names by its type or its relation; None for any other link."""
    address = _feed_url(href, base)
    relations = set((relation or "").lower().split())
    if address is None or relations & _OTHER_RELATIONS or (relations and not relations & _FEED_RELATIONS):
        return None
    bare_type = _bare_type(media_type)
    is_like_feed = _is_like_feed(address) or _is_feed_in_words(plain(title or ""))
    if not (
        _FEED_TYPE.fullmatch(bare_type)
        or (bare_type in _XML_TYPES and (relations or is_like_feed))
        or (bare_type in ("", "application/json") and relations and is_like_feed)
        or "feed" in relations
    ):
        return None
    return DiscoveredFeed(url=address, title=plain(title or ""), media_type=bare_type or None)


def _from_anchors(page: lxml.html.HtmlElement, base: str) -> Iterator[DiscoveredFeed]:
    """Yield the feeds that links in the text name: by their type, their address, or what they say."""
    by_words: list[DiscoveredFeed] = []
    for element in islice(page.iter("a", "area"), _MOST_LINKS):
        address = _feed_url(element.get("href"), base)
        if address is None:
            continue
        words = plain(element.get("title") or element.text_content())
        bare_type = _bare_type(element.get("type"))
        if _FEED_TYPE.fullmatch(bare_type):
            yield DiscoveredFeed(url=address, title=words[:200], media_type=bare_type)
        elif _is_like_feed(address) or (element.get("href") or "").lower().startswith("feed:"):
            yield DiscoveredFeed(url=address, title=words[:200])
        elif _says_feed(element):
            by_words.append(DiscoveredFeed(url=address, title=words[:200]))
    yield from by_words


def _says_feed(element: lxml.html.HtmlElement) -> bool:
    """Tell whether a link says that it leads to a feed: in its text, its title, or the words for its picture.

    An icon without words says so in the names of its classes or of its file.
    """
    pictures = list(element.iter("img"))
    text = element.text_content()
    said = (
        text,
        *(element.get(name) for name in ("title", "aria-label", "alt")),
        *(part.get("alt") for part in pictures),
    )
    names = (*(part.get("class") or "" for part in element.iter()), *(part.get("src") or "" for part in pictures))
    if not text.strip() and any(_FEED_ICON.search(name[:_LONGEST_ADDRESS]) for name in names):
        return True
    return any(_is_feed_in_words(plain(words)) for words in said if words and len(words) <= 10 * _LONGEST_WORDS)


def _is_feed_in_words(words: str) -> bool:
    if len(words) > _LONGEST_WORDS:
        return False
    if _RSS_IN_WORDS.search(words) or words.lower() == "xml":
        return True
    single = words.lower().replace("-", " ").split()
    return bool(_NAMES_OF_FEEDS.intersection(single)) and (len(single) <= 2 or _FEED_WORDS.issuperset(single))


def _feed_url(href: str | None, base: str) -> str | None:
    return http_url(without_feed_scheme(href or ""), base)


def _bare_type(media_type: str | None) -> str:
    """Return a media type without its parameters; an entry of Atom (RFC 5023 §12) is no feed."""
    written = (media_type or "").lower()
    bare, _, parameters = written.partition(";")
    return "" if "type=entry" in parameters.replace('"', "").replace(" ", "") else bare.strip()


def _is_like_feed(address: str) -> bool:
    query = address.partition("#")[0].partition("?")[2]
    return bool(_FEED_LIKE.search(_path(address)) or _FEED_IN_QUERY.search(query) or _FEED_HOST.match(address))


def _path(address: str) -> str:
    return address.partition("?")[0].partition("#")[0].split("/", 3)[-1]
