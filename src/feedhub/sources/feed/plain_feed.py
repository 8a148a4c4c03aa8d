"""A fast reader for plain RSS 2.0 and Atom 1.0: which elements it reads, and a walk through the document.

Whatever is not in these tables makes it give up, and feedparser reads the document instead. A test holds that both give
the same.
"""

from typing import Final, NamedTuple

from feedparser.urls import make_safe_absolute_uri
from lxml import etree
from lxml.etree import _Element as XmlElement

from feedhub.sources.document import parsable_xml
from feedhub.sources.feed import plain_elements as read
from feedhub.sources.feed.plain_elements import (
    ATOM,
    BASE,
    LANG,
    FeedBuilder,
    Fields,
    Handler,
    Namespaces,
    NotPlainError,
    check_attributes,
)
from feedhub.sources.feed.raw_feed import MOST_ATTRIBUTES_PLAIN, MOST_RECORDS_READ, RawFeed

_DC = "{http://purl.org/dc/elements/1.1/}"
_SY = "{http://purl.org/rss/1.0/modules/syndication/}"
_MEDIA = "{http://search.yahoo.com/mrss/}"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
_SLASH = "{http://purl.org/rss/1.0/modules/slash/}"
_WFW = "{http://wellformedweb.org/CommentAPI/}"
_SITE, _POST = "{com-wordpress:feed-additions:1}site", "{com-wordpress:feed-additions:1}post-id"
_THREAD = "{http://purl.org/syndication/thread/1.0}"
_BURNER = "{http://rssnamespace.org/feedburner/ext/1.0}"

_ITUNES = (
    *("http://www.itunes.com/dtds/podcast-1.0.dtd", "http://www.itunes.com/DTDs/PodCast-1.0.dtd"),
    "http://www.itunes.com/DTDs/Podcast-1.0.dtd",
)


class ElementRule(NamedTuple):
    """How an element is read.

    ``once`` is a name if it may stand only once in its parent. ``attributes`` are those it may have; None for any.
    ``inside`` are the elements that it may hold, read as if they stood beside it.
    """

    handle: Handler
    once: str
    attributes: frozenset[str] | None
    inside: "Table | None"


Table = dict[str, ElementRule]
_OF_TEXT: Final = f"type {LANG} {BASE}"


def _many(
    *tags: str, handle: Handler = read.skip_element, attributes: str | None = "", inside: Table | None = None
) -> Table:
    allowed = None if attributes is None else frozenset(attributes.split())
    return {tag: ElementRule(handle, "", allowed, inside) for tag in tags}


def _once(tag: str, handle: Handler, attributes: str = "", name: str = "") -> Table:
    return {tag: ElementRule(handle, name or tag, frozenset(attributes.split()), None)}


def _itunes(*names: str, handle: Handler = read.skip_element, attributes: str = "", once: bool = False) -> Table:
    allowed = frozenset(attributes.split())
    return {
        f"{{{uri}}}{name}": ElementRule(handle, f"itunes:{name}" if once else "", allowed, None)
        for uri in _ITUNES
        for name in names
    }


PARENTS: Final = frozenset(
    {read.author_element, read.image_element, read.title_element, read.summary_element, read.content_element}
)
"""Handlers that look at the children of their elements themselves."""
_LINK = _many(
    f"{ATOM}link",
    handle=read.link_element,
    attributes=f"href rel type title hreflang length {_THREAD}count {_THREAD}updated",
)
_BESIDE_MEDIA = {
    **_many(f"{_MEDIA}thumbnail", handle=read.media_element("media_thumbnail"), attributes="url width height time"),
    **_many(f"{_MEDIA}player", handle=read.player_element, attributes="url width height"),
    **_many(f"{_MEDIA}title", handle=read.further_title_element, attributes="type"),
    **_once(f"{_MEDIA}description", read.guessed_element("media_description"), "type"),
    **_many(f"{_MEDIA}category", handle=read.media_category_element, attributes="scheme label"),
    **_many(f"{_MEDIA}keywords", handle=read.keywords_element(None)),
    **_many(*(_MEDIA + name for name in ("copyright", "credit", "rating", "text")), attributes=None),
    **_many(
        f"{_MEDIA}community",
        inside=_many(f"{_MEDIA}starRating", f"{_MEDIA}statistics", attributes=None),
    ),
}
_OF_MEDIA = {
    **_many(
        f"{_MEDIA}content",
        handle=read.media_element("media_content"),
        attributes="url type medium width height filesize duration bitrate expression isdefault",
        inside=_BESIDE_MEDIA,
    ),
    **_BESIDE_MEDIA,
}
_OF_MEDIA |= _many(f"{_MEDIA}group", inside=_OF_MEDIA)
_PODCAST_ENTRY = {
    **_itunes("author", handle=read.creator_element),
    **_itunes("title", handle=read.text_element("itunes_title"), once=True),
    **_itunes("summary", handle=read.guessed_element("itunes_summary"), once=True),
    **_itunes("duration", handle=read.text_element("itunes_duration"), once=True),
    **_itunes("image", handle=read.picture_element, attributes="href url", once=True),
    **_itunes("keywords", handle=read.keywords_element("http://www.itunes.com/")),
    **_itunes("subtitle", "explicit", "block", "episode", "season", "episodeType", "order", "isClosedCaptioned"),
}
_PODCAST_FEED = {
    **_itunes("author", handle=read.creator_element),
    **_itunes("title", handle=read.text_element("itunes_title"), once=True),
    **_itunes("image", attributes="href url"),
    **_itunes("summary", "subtitle", "explicit", "block", "keywords", "type", "complete", "new-feed-url"),
    **{
        f"{{{uri}}}owner": ElementRule(
            read.skip_element,
            "itunes:owner",
            frozenset(),
            _many(f"{{{uri}}}name", f"{{{uri}}}email", handle=read.owner_element),
        )
        for uri in _ITUNES
    },
    **{
        tag: ElementRule(read.skip_element, "", frozenset({"text"}), _itunes("category", attributes="text"))
        for tag in _itunes("category")
    },
}
_OF_MODULES = _many(
    f"{_SLASH}comments", f"{_SLASH}section", f"{_WFW}commentRss", f"{_WFW}comment", f"{_THREAD}total", _POST
)
_OF_FEED = {
    **_many(
        *(_BURNER + name for name in ("info", "emailServiceId", "feedburnerHostname", "feedFlare", "browserFriendly")),
        attributes=None,
    ),
    **_many(*(_MEDIA + name for name in ("copyright", "credit", "rating", "thumbnail", "keywords")), attributes=None),
    **_many(f"{_MEDIA}category", attributes=None),
}
RSS_FEED: Final[Table] = {
    **_once("title", read.title_element),
    **_once("link", read.page_element),
    **_once("description", read.skip_element),
    **_once("language", read.text_element("language")),
    **_once("ttl", read.text_element("ttl")),
    **_once("image", read.image_element),
    **_once(f"{_SY}updatePeriod", read.text_element("sy_updateperiod")),
    **_once(f"{_SY}updateFrequency", read.text_element("sy_updatefrequency")),
    **_many("pubDate", "lastBuildDate", "copyright", "generator", "docs", "managingEditor", "webMaster", _SITE),
    **_many(f"{_SY}updateBase"),
    **_many("category", attributes="domain"),
    **_many("cloud", attributes="domain port path registerprocedure protocol"),
    **_LINK,
    **_OF_FEED,
    **_PODCAST_FEED,
}
RSS_ENTRY: Final[Table] = {
    **_once("title", read.title_element),
    **_once("link", read.page_element),
    **_once("description", read.summary_element),
    **_once("guid", read.guid_element, "ispermalink"),
    **_once("pubDate", read.text_element("published")),
    **_once(f"{_DC}date", read.text_element("updated")),
    **_once("comments", read.comments_element),
    **_once(f"{_BURNER}origLink", read.text_element("feedburner_origlink")),
    **_once("source", read.skip_element, "url"),
    **_many(f"{_CONTENT}encoded", handle=read.content_element),
    **_many("author", f"{_DC}creator", handle=read.creator_element),
    **_many("category", f"{_DC}subject", handle=read.category_element, attributes="domain"),
    **_many("enclosure", handle=read.enclosure_element, attributes="url length type"),
    **_LINK,
    **_OF_MEDIA,
    **_OF_MODULES,
    **_PODCAST_ENTRY,
}
ATOM_FEED: Final[Table] = {
    **_once(f"{ATOM}id", read.guid_element),
    **_once(f"{ATOM}title", read.title_element, _OF_TEXT),
    **_many(f"{ATOM}author", handle=read.author_element),
    **_many(*(ATOM + name for name in ("updated", "published", "icon", "logo"))),
    **_many(f"{ATOM}subtitle", f"{ATOM}rights", attributes="type"),
    **_many(f"{ATOM}generator", attributes="uri version"),
    **_many(f"{ATOM}category", attributes="term scheme label"),
    **_LINK,
    **_OF_FEED,
}
ATOM_ENTRY: Final[Table] = {
    **_once(f"{ATOM}title", read.title_element, _OF_TEXT),
    **_once(f"{ATOM}id", read.guid_element),
    **_once(f"{ATOM}published", read.text_element("published")),
    **_once(f"{ATOM}updated", read.text_element("updated")),
    **_once(f"{ATOM}summary", read.summary_element, _OF_TEXT),
    **_once(f"{ATOM}content", read.content_element, _OF_TEXT),
    **_once(f"{_BURNER}origLink", read.text_element("feedburner_origlink")),
    **_many(f"{ATOM}author", handle=read.author_element),
    **_many(f"{ATOM}category", handle=read.category_element, attributes="term scheme label"),
    **_many(f"{ATOM}rights", attributes="type"),
    **_OF_MODULES,
    **_LINK,
    **_OF_MEDIA,
}


_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_OWN = "{com-wordpress:"
_WORDPRESS = 'xmlns="com-wordpress:feed-additions:1"'


def read_plain(text: str, base: str) -> RawFeed | None:
    """Return what feedparser would read in ``text``, or None for a document that it must read itself."""
    text = parsable_xml(text)
    if make_safe_absolute_uri(base, base) != base:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
        if root.tag not in ("rss", f"{ATOM}feed"):
            return None
        is_flat = text.count("xmlns") == len(root.nsmap) + text.count(_WORDPRESS)
        return _PlainReader(root, base, Namespaces(root, is_flat=is_flat)).read()
    except (etree.XMLSyntaxError, ValueError, NotPlainError):
        return None


class _PlainReader:
    """Walks through one document."""

    def __init__(self, root: XmlElement, base: str, namespaces: Namespaces) -> None:
        self._root = root
        self._namespaces = namespaces
        self._builder = FeedBuilder(base=base, is_atom=root.tag != "rss")

    def read(self) -> RawFeed:
        builder, root = self._builder, self._root
        if builder.is_atom:
            self._check_atom()
            self._walk(root, f"{ATOM}entry", ATOM_FEED, ATOM_ENTRY)
            return RawFeed(feed=builder.feed, entries=builder.entries, version="atom10")
        if root.keys() != ["version"] or not root.get("version").startswith("2.") or len(root) != 1:
            raise NotPlainError("rss")
        channel = root[0]
        if channel.tag != "channel" or channel.keys():
            raise NotPlainError("channel")
        self._walk(channel, "item", RSS_FEED, RSS_ENTRY)
        return RawFeed(feed=builder.feed, entries=builder.entries, version="rss20")

    def _check_atom(self) -> None:
        if self._root.keys() not in ([], [_LANG]):
            raise NotPlainError("feed")
        language = self._root.get(_LANG)
        if language:
            self._builder.feed["language"] = self._builder.language = language.replace("_", "-")

    def _walk(self, channel: XmlElement, entry_tag: str, feed_table: Table, entry_table: Table) -> None:
        met: set[str] = set()
        for node in channel:
            if node.tag != entry_tag:
                self._take(self._builder.feed, node, feed_table, met)
                continue
            if node.keys() or len(self._builder.entries) >= MOST_RECORDS_READ:
                raise NotPlainError("entry")
            entry: Fields = {}
            self._builder.entries.append(entry)
            met_inside: set[str] = set()
            for part in node:
                self._take(entry, part, entry_table, met_inside)

    def _take(self, fields: Fields, node: XmlElement, table: Table, met: set[str]) -> None:
        element = table.get(node.tag)
        if element is None:
            self._namespaces.check_foreign(node)
            return
        if element.once:
            if element.once in met:
                raise NotPlainError(f"a second {element.once}")
            met.add(element.once)
        attributes = _attributes(node, element.attributes)
        if not node.tag.startswith(_OWN):
            self._namespaces.check(node)
        element.handle(self._builder, fields, node, attributes)
        if len(node) and element.handle not in PARENTS:
            if element.inside is None:
                raise NotPlainError(node.tag)
            for part in node:
                self._take(fields, part, element.inside, met)


def _attributes(node: XmlElement, allowed: frozenset[str] | None) -> dict[str, str]:
    if len(node.attrib) > MOST_ATTRIBUTES_PLAIN:
        raise NotPlainError(node.tag)
    attributes = {key.lower(): value for key, value in node.items()}
    if allowed is None:
        check_attributes(node)
    elif not attributes.keys() <= allowed:
        raise NotPlainError(node.tag)
    return attributes
