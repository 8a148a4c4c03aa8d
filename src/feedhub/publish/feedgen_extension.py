"""What feedgen cannot say of a feed by itself, as one extension of it. Entries are written by ``entry_xml.py``."""

from collections.abc import Mapping
from typing import Any

from feedgen.util import xml_elem

NAME = "feedhub"
"""The attribute of feedgen's feeds under which the extension is found."""

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
MEDIA = "http://search.yahoo.com/mrss/"
_HISTORY = "http://purl.org/syndication/history/1.0"


class AtomFeed:
    """The feed's side for Atom; ``links`` are by relation, ``is_archive`` says that no new entry will come."""

    links: Mapping[str, str]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"media": MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_atom(self, feed: Any) -> None:
        """Say that texts are texts (RFC 4287 §3.1.1), and where the archive goes on."""
        _type_texts(feed, "title", "subtitle")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", feed)
        for rel, href in self.links.items():
            xml_elem("link", feed, rel=rel, href=href)


class RssFeed:
    """The feed's side for RSS, as that for Atom."""

    links: Mapping[str, str]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"dc": DC, "itunes": ITUNES, "media": MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_rss(self, feed: Any) -> None:
        """Say where the archive goes on."""
        channel = feed.find("channel")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", channel)
        for rel, href in self.links.items():
            xml_elem(f"{{{ATOM}}}link", channel, rel=rel, href=href)


def _type_texts(element: Any, *names: str) -> None:
    for name in names:
        for text in element.findall(name):
            text.set("type", "text")
