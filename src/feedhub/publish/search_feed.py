"""A search as a feed (Atom): what all our feeds share is written by their renderer, the addresses are the search's."""

import uuid
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from lxml import etree

from feedhub.model.item import StoredItem
from feedhub.model.output import OutputFeed, OutputSettings, Site
from feedhub.publish.addresses import SEARCH_FEED, SEARCH_PAGE
from feedhub.publish.atom_rss import AtomRenderer
from feedhub.rules.select import EPOCH, output_view

_ATOM: Final = "{http://www.w3.org/2005/Atom}"


def search_feed(
    query: str,
    site: Site,
    settings: OutputSettings,
    items: Sequence[StoredItem],
    addresses: dict[str, str],
    secrets: Sequence[str],
) -> bytes:
    """Return the Atom feed of a search. Its id is that of the query, its entries have the ids of the items.

    ``items`` come newest first; ``addresses`` and ``secrets`` decide which addresses of sources are shown.

    Raises:
        PublishError: see ``AtomRenderer``.
    """
    feed = OutputFeed(slug=SEARCH_PAGE, title=f"{query} · {site.title}", description="", entries=len(items))
    view = output_view(feed, site, settings, items, EPOCH, addresses, secrets)
    root = etree.fromstring(AtomRenderer().render(view).body)
    base = site.url.rstrip("/")
    root.find(f"{_ATOM}id").text = uuid.uuid5(uuid.NAMESPACE_URL, f"{base}/{SEARCH_FEED}?q={query}").urn
    asked = quote(query, safe="")
    addresses_of = {"self": f"{base}/{SEARCH_FEED}?q={asked}", "alternate": f"{base}/{SEARCH_PAGE}?q={asked}"}
    for link in root.findall(f"{_ATOM}link"):
        if link.get("rel") in addresses_of:
            link.set("href", addresses_of[link.get("rel")])
        else:
            # A search has no archive, and no hub is told of it.
            root.remove(link)
    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
    return body
