"""The fast way to read plain, well-formed RSS 2.0 and Atom 1.0: lxml in the place of feedparser.

It gives what feedparser would, word for word, or nothing: what ``plain_tables.py`` does not list of the elements that
feedparser knows (or an attribute, a second title, XHTML with SVG in it) makes the document go to feedparser, which
stays the reference. A differential test holds the two together (docs/performance.md).
"""

from typing import Any

from feedparser.urls import make_safe_absolute_uri
from lxml import etree

from feedhub.sources.bounds import MOST_ATTRIBUTES_PLAIN, MOST_RECORDS_READ
from feedhub.sources.dialects import RawFeed, prepared
from feedhub.sources.plain_elements import ATOM, Fields, OddError, Page
from feedhub.sources.plain_namespaces import Namespaces, check_attributes
from feedhub.sources.plain_tables import ATOM_ENTRY, ATOM_FEED, PARENTS, RSS_ENTRY, RSS_FEED, Table

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
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
        is_flat = text.count("xmlns") == len(root.nsmap) + text.count(_WORDPRESS)
        return _Reader(root, base, Namespaces(root, is_flat=is_flat)).read()
    except (etree.XMLSyntaxError, ValueError, OddError):
        return None


class _Reader:
    """Walks through one document."""

    def __init__(self, root: Any, base: str, namespaces: Namespaces) -> None:
        self._root = root
        self._namespaces = namespaces
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
        element = table.get(node.tag)
        if element is None:
            self._namespaces.check_foreign(node)
            return
        if element.once:
            if element.once in met:
                raise OddError(f"a second {element.once}")
            met.add(element.once)
        attributes = _attributes(node, element.attributes)
        if not node.tag.startswith(_OWN):
            self._namespaces.check(node)
        element.handle(self._page, fields, node, attributes)
        if len(node) and element.handle not in PARENTS:
            if element.inside is None:
                raise OddError(node.tag)
            for part in node:
                self._take(fields, part, element.inside, met)


def _attributes(node: Any, allowed: frozenset[str] | None) -> dict[str, str]:
    if len(node.attrib) > MOST_ATTRIBUTES_PLAIN:
        raise OddError(node.tag)
    attributes = {key.lower(): value for key, value in node.items()}
    if allowed is None:
        check_attributes(node)
    elif not attributes.keys() <= allowed:
        raise OddError(node.tag)
    return attributes
