"""The fast way to read plain, well-formed RSS 2.0 and Atom 1.0: lxml in the place of feedparser.

It gives what feedparser would, word for word, or nothing: whatever ``plain_tables.py`` does not list (another
element, an attribute, ``xml:base``, XHTML, a second title) makes the document go to feedparser, which stays the
reference. A differential test holds the two together (docs/performance.md).
"""

from typing import Any, Final

from feedparser import api as feedparser_api
from feedparser.urls import make_safe_absolute_uri
from lxml import etree

from feedhub.sources.bounds import MOST_RECORDS_READ
from feedhub.sources.dialects import RawFeed, prepared
from feedhub.sources.plain_elements import ATOM, Fields, OddError, Page
from feedhub.sources.plain_tables import ATOM_ENTRY, ATOM_FEED, PARENTS, RSS_ENTRY, RSS_FEED, Table

_Strict = feedparser_api.StrictFeedParser
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_OLD_RSS = ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/")
_KNOWN: Final = {uri.lower(): prefix for uri, prefix in _Strict.namespaces.items()}
_HANDLED: Final = frozenset(
    name.split("_")[2] for name in dir(_Strict) if name.startswith(("_start_", "_end_")) and name.count("_") > 2
)
_OWN = "{com-wordpress:"
_WORDPRESS = 'xmlns="com-wordpress:feed-additions:1"'


def read_plain(text: str, base: str) -> RawFeed | None:
    """Return what feedparser would read in ``text``, or None for a document that it must read itself."""
    text = prepared(text)
    if make_safe_absolute_uri(base, base) != base:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
        if root.tag not in ("rss", f"{ATOM}feed"):
            return None
        _check_namespaces(root)
        is_flat = text.count("xmlns") == len(root.nsmap) + text.count(_WORDPRESS)
        return _Reader(root, base, is_flat=is_flat).read()
    except (etree.XMLSyntaxError, ValueError, OddError):
        return None


def _check_namespaces(root: Any) -> None:
    """No prefix may mean something else than feedparser thinks."""
    for prefix, uri in root.nsmap.items():
        standard = _KNOWN.get(uri.lower())
        if uri in _OLD_RSS or "userland" in uri or (prefix and prefix != standard and prefix in _HANDLED):
            raise OddError(uri)


class _Reader:
    """Walks through one document. Not ``is_flat``: namespaces may be declared further in, which is looked after."""

    def __init__(self, root: Any, base: str, *, is_flat: bool) -> None:
        self._root = root
        self._namespaces = None if is_flat else root.nsmap
        self._page = Page(base=base, is_atom=root.tag != "rss")

    def read(self) -> RawFeed:
        page, root = self._page, self._root
        if page.is_atom:
            self._check_atom()
            self._walk(root, f"{ATOM}entry", ATOM_FEED, ATOM_ENTRY)
            return RawFeed(feed=page.feed, entries=page.entries, version="atom10")
        if root.keys() != ["version"] or not root.get("version").startswith("2.") or len(root) != 1:
            raise OddError("rss")
        channel = root[0]
        if channel.tag != "channel" or channel.keys():
            raise OddError("channel")
        self._walk(channel, "item", RSS_FEED, RSS_ENTRY)
        return RawFeed(feed=page.feed, entries=page.entries, version="rss20")

    def _check_atom(self) -> None:
        if self._root.keys() not in ([], [_LANG]):
            raise OddError("feed")
        language = self._root.get(_LANG)
        if language:
            self._page.feed["language"] = self._page.language = language.replace("_", "-")

    def _walk(self, channel: Any, entry_tag: str, feed_table: Table, entry_table: Table) -> None:
        met: set[str] = set()
        for node in channel:
            if node.tag != entry_tag:
                self._take(self._page.feed, node, feed_table, met)
                continue
            if node.keys() or len(self._page.entries) >= MOST_RECORDS_READ:
                raise OddError("entry")
            entry: Fields = {}
            self._page.entries.append(entry)
            met_inside: set[str] = set()
            for part in node:
                self._take(entry, part, entry_table, met_inside)

    def _take(self, fields: Fields, node: Any, table: Table, met: set[str]) -> None:
        found = table.get(node.tag)
        if found is None:
            raise OddError(node.tag)
        handle, name, allowed = found
        if name:
            if name in met:
                raise OddError(f"a second {name}")
            met.add(name)
        attributes = {key.lower(): value for key, value in node.items()}
        if not attributes.keys() <= allowed or (len(node) and handle not in PARENTS):
            raise OddError(node.tag)
        if self._namespaces is not None and node.nsmap != self._namespaces and not node.tag.startswith(_OWN):
            raise OddError("a namespace is declared inside")
        handle(self._page, fields, node, attributes)
