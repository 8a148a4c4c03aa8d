"""``feeds.opml``: every output feed, for readers that subscribe to a list (OPML 2.0)."""

from collections.abc import Sequence
from xml.etree import ElementTree

from feedhub.model.output import CategorySummary, FeedFormat, OutputFile, Site
from feedhub.publish.addresses import feed_url, page_url
from feedhub.publish.safe import safe_line
from feedhub.rules.select import ALL

OPML_PATH = "feeds.opml"

_PREFERRED: tuple[FeedFormat, ...] = ("atom", "rss", "json")


def feeds_opml(site: Site, categories: Sequence[CategorySummary], formats: Sequence[FeedFormat]) -> OutputFile:
    """Return the list of the combined feed and each category's, in the order given.

    Each is listed once, in the best of ``formats``: who imports the list subscribes to each once. No date is
    written, so that the file changes only when the list does.
    """
    title = safe_line(site.title)
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = title
    if site.author:
        ElementTree.SubElement(head, "ownerName").text = safe_line(site.author)
    ElementTree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    body = ElementTree.SubElement(root, "body")
    kind = next((kind for kind in _PREFERRED if kind in formats), None)
    if kind is not None:
        _add_outline(body, site, ALL, title, kind)
        for category in categories:
            _add_outline(body, site, category.slug, safe_line(category.title), kind)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return OutputFile(path=OPML_PATH, body=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode())


def _add_outline(body: ElementTree.Element, site: Site, slug: str, title: str, kind: FeedFormat) -> None:
    name = title or slug
    facts = {"type": "rss", "text": name, "title": name}
    ElementTree.SubElement(body, "outline", facts, xmlUrl=feed_url(site, slug, kind), htmlUrl=page_url(site, slug))
