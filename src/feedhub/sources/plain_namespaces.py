"""Namespaces of a document on the fast way: none may mean something else to feedparser, which goes by prefixes too.

What feedparser has never heard of it files under prefix and name, which nobody asks for: such elements are skipped.
"""

from collections.abc import Mapping
from typing import Any, Final

from feedparser import api as feedparser_api

from feedhub.sources.bounds import MOST_PREFIXES_TOLD
from feedhub.sources.plain_elements import OddError

_Strict = feedparser_api.StrictFeedParser
_OLD_RSS = ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/")
_KNOWN: Final = {uri.lower(): prefix for uri, prefix in _Strict.namespaces.items()}
_HANDLED: Final = frozenset(
    name.split("_")[2] for name in dir(_Strict) if name.startswith(("_start_", "_end_")) and name.count("_") > 2
)
# With one of these before it, the name of an element could become one that somebody asks for.
_TAKEN: Final = _HANDLED.union(_KNOWN.values(), ("title", "summary", "content"))
_ATTRIBUTES_OF_ALL: Final = ("base", "lang")


class Namespaces:
    """What the prefixes of one document stand for. Not ``is_flat``: some may be declared further in."""

    def __init__(self, root: Any, *, is_flat: bool) -> None:
        self._outer: Final[Mapping[str | None, str]] = root.nsmap
        self._is_flat = is_flat
        self._bound: dict[str, str] = {}
        self._told = 0
        for prefix, uri in self._outer.items():
            self._bind(prefix, uri)

    def check(self, node: Any) -> None:
        """Look at what an element declares."""
        if self._is_flat:
            return
        inner = node.nsmap
        self._told += len(inner)
        if self._told > MOST_PREFIXES_TOLD:
            raise OddError("too many prefixes")
        if inner == self._outer:
            return
        for prefix, uri in inner.items():
            if prefix is None and uri != self._outer.get(None):
                raise OddError("a default namespace is declared inside")
            self._bind(prefix, uri)

    def check_foreign(self, node: Any) -> None:
        """Take an element with all that is in it for one that feedparser does not know, or call it odd."""
        for part in node.iter():
            self.check(part)
            uri = etree_namespace(part)
            prefix = (part.prefix or "").lower()
            is_plain = prefix.isascii() and prefix.isalnum() and prefix not in _TAKEN
            if not uri or not is_plain or uri.lower() in _KNOWN:
                raise OddError(part.tag)
            check_attributes(part)

    def _bind(self, prefix: str | None, uri: str) -> None:
        standard, known_as = _KNOWN.get(uri.lower()), (prefix or "").lower()
        if uri in _OLD_RSS or "userland" in uri.lower() or (prefix and prefix != standard and prefix in _HANDLED):
            raise OddError(uri)
        if known_as and self._bound.setdefault(known_as, uri) != uri:
            raise OddError(f"{prefix} stands for two namespaces")


def check_attributes(node: Any) -> None:
    """Let an element have any attributes but those that say something of every element."""
    if any(name.startswith("{") or name.lower() in _ATTRIBUTES_OF_ALL for name in node.keys()):  # noqa: SIM118 - lxml's
        raise OddError(node.tag)


def etree_namespace(node: Any) -> str:
    """Return the namespace of an element, "" for none."""
    tag = str(node.tag)
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""
