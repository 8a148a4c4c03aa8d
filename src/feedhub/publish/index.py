"""The files that speak of all outputs: ``feedhub.json``, the manifest, and ``feeds.opml`` (SPEC §6)."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree

from feedhub.model.output import CategorySummary, FeedFormat, OutputFile, Part, Site
from feedhub.publish.addresses import MEDIA_TYPES, feed_path, feed_url, page_url
from feedhub.publish.safe import JsonObject, json_bytes, safe_line
from feedhub.rules.categorize import MAX_SLUG_LENGTH, RESERVED_SLUGS
from feedhub.rules.select import ALL, EPOCH

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


MANIFEST_PATH = "feedhub.json"

_SLUG = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_SLUG_LENGTH}}}")


def manifest(
    site: Site,
    categories: Sequence[CategorySummary],
    formats: Sequence[FeedFormat],
    all_items: int,
    all_changed_at: datetime,
) -> OutputFile:
    """Return the manifest: categories by slug, their counts, the addresses of their feeds, their last change.

    ``all_items`` and ``all_changed_at`` belong to the combined feed. A feed that never had an item has no last change.
    """
    together = CategorySummary(slug=ALL, title=site.title, items=all_items, changed_at=all_changed_at)
    document: JsonObject = {
        "version": 1,
        "title": safe_line(site.title),
        "url": site.url,
        "all": _feed(site, together, formats),
        "categories": [
            {"slug": category.slug, **_feed(site, category, formats)}
            for category in sorted(categories, key=lambda category: category.slug)
        ],
    }
    return OutputFile(path=MANIFEST_PATH, body=json_bytes(document))


def read_manifest(body: bytes) -> tuple[str, ...]:
    """Return the slugs that a manifest lists, each safe as a file name; nothing for anything else than a manifest.

    The file lies where others may write; what it names is going to be removed.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    categories = document.get("categories") if isinstance(document, dict) else None
    if not isinstance(categories, list):
        return ()
    slugs = (category.get("slug") for category in categories if isinstance(category, dict))
    safe = {slug for slug in slugs if isinstance(slug, str) and _SLUG.fullmatch(slug) and slug not in RESERVED_SLUGS}
    return tuple(sorted(safe))


def _feed(site: Site, category: CategorySummary, formats: Sequence[FeedFormat]) -> JsonObject:
    changed_at = category.changed_at.astimezone(UTC)
    return {
        "title": safe_line(category.title),
        "items": category.items,
        "changed": changed_at.isoformat() if changed_at > EPOCH else None,
        "page": page_url(site, category.slug),
        "feeds": {kind: feed_url(site, category.slug, kind) for kind in sorted(formats)},
    }


class FeedIndex:
    """Renders ``feeds.opml`` and ``feedhub.json`` of one site."""

    def __init__(self, site: Site, formats: Sequence[FeedFormat]) -> None:
        self._site = site
        self._formats = tuple(formats)

    def render(
        self, categories: Sequence[CategorySummary], *, items: int, changed_at: datetime
    ) -> tuple[OutputFile, ...]:
        """Return the OPML list and, last, the manifest. ``items`` and ``changed_at`` are of the combined feed."""
        return (
            feeds_opml(self._site, categories, self._formats),
            manifest(self._site, categories, self._formats, items, changed_at),
        )

    def listed(self, manifest: bytes) -> tuple[str, ...]:
        """Return the slugs that an earlier manifest names; () for one that cannot be read."""
        return read_manifest(manifest)

    def paths(self, slug: str, part: Part | None = None) -> tuple[str, ...]:
        """Return the paths of the feeds of ``slug`` in every format, also those that are not published now."""
        return tuple(feed_path(slug, kind, part) for kind in MEDIA_TYPES)
