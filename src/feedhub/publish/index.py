"""The two lists of all outputs: ``feedhub.json``, the manifest, and ``feeds.opml`` (SPEC §6)."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from feedhub.model.output import CategorySummary, ListedOutputs, OutputFile, Part, Site
from feedhub.publish.addresses import feed_path, feed_url, page_url
from feedhub.publish.entry import safe_line
from feedhub.publish.formats import FORMAT_NAME, FORMATS
from feedhub.rules.categorize import MAX_SLUG_LENGTH, RESERVED_SLUGS
from feedhub.rules.select import ALL, EPOCH

OPML_PATH: Final = "feeds.opml"
MANIFEST_PATH: Final = "feedhub.json"
_BUILT_IN: Final = tuple(one.name for one in FORMATS.formats)
_SLUG: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_SLUG_LENGTH}}}")


def feeds_opml(
    site: Site, categories: Sequence[CategorySummary], formats: Sequence[str], *, has_pages: bool = True
) -> OutputFile:
    """Return the list of the combined feed and each category's, in the order given.

    Each is listed once, in the best of the built-in ``formats``: a reader that imports the list subscribes to each once
    and knows none of the others. No date is written, so that the file changes only when the list does.
    """
    title = safe_line(site.title)
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = title
    if site.author:
        ElementTree.SubElement(head, "ownerName").text = safe_line(site.author)
    ElementTree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    body = ElementTree.SubElement(root, "body")
    kind = next((kind for kind in _BUILT_IN if kind in formats), None)
    if kind is not None:
        _add_outline(body, site, ALL, title, kind, has_pages=has_pages)
        for category in categories:
            _add_outline(body, site, category.slug, safe_line(category.title), kind, has_pages=has_pages)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return OutputFile(path=OPML_PATH, body=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode())


def _add_outline(body: ElementTree.Element, site: Site, slug: str, title: str, kind: str, *, has_pages: bool) -> None:
    name = title or slug
    facts = {"type": "rss", "text": name, "title": name, "xmlUrl": feed_url(site, slug, kind)}
    page = {"htmlUrl": page_url(site, slug)} if has_pages else {}
    ElementTree.SubElement(body, "outline", {**facts, **page})


def manifest(
    site: Site,
    categories: Sequence[CategorySummary],
    formats: Sequence[str],
    all_items: int,
    all_changed_at: datetime,
    *,
    has_pages: bool = True,
) -> OutputFile:
    """Return the manifest: categories by slug, their counts, the addresses of their feeds, their last change.

    ``all_items`` and ``all_changed_at`` belong to the combined feed. A feed that never had an item has no last change,
    and where no pages are published a feed has none.
    """
    together = CategorySummary(slug=ALL, title=site.title, items=all_items, changed_at=all_changed_at)
    document = {
        "version": 1,
        "title": safe_line(site.title),
        "url": site.url,
        "all": _feed(site, together, formats, has_pages=has_pages),
        "categories": [
            {"slug": category.slug, **_feed(site, category, formats, has_pages=has_pages)}
            for category in sorted(categories, key=lambda category: category.slug)
        ],
    }
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return OutputFile(path=MANIFEST_PATH, body=f"{text}\n".encode())


def read_manifest(body: bytes) -> ListedOutputs:
    """Return what a manifest lists, as far as it is safe in a file name; nothing for anything else than a manifest.

    The file lies where others may write, and what it names may be removed.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ListedOutputs()
    entries = document.get("categories") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return ListedOutputs()
    slugs: set[str] = set()
    formats: set[str] = set()
    for entry in (*entries, document.get("all")):
        if isinstance(entry, dict):
            slugs.update(_safe([entry.get("slug")], _SLUG))
            feeds = entry.get("feeds")
            formats.update(_safe(feeds if isinstance(feeds, dict) else (), FORMAT_NAME))
    return ListedOutputs(slugs=tuple(sorted(slugs - RESERVED_SLUGS)), formats=tuple(sorted(formats)))


def _safe(names: Iterable[object], pattern: re.Pattern[str]) -> Iterator[str]:
    return (name for name in names if isinstance(name, str) and pattern.fullmatch(name))


def _feed(site: Site, category: CategorySummary, formats: Sequence[str], *, has_pages: bool) -> dict[str, object]:
    changed_at = category.changed_at.astimezone(UTC)
    return {
        "title": safe_line(category.title),
        "items": category.items,
        "changed": changed_at.isoformat() if changed_at > EPOCH else None,
        "page": page_url(site, category.slug) if has_pages else None,
        "feeds": {kind: feed_url(site, category.slug, kind) for kind in sorted(formats)},
    }


class FeedIndex:
    """Renders ``feeds.opml`` and ``feedhub.json`` of one site."""

    def __init__(self, site: Site, formats: Sequence[str], *, has_pages: bool = True) -> None:
        self._site = site
        self._formats = tuple(formats)
        self._has_pages = has_pages

    def render(
        self, categories: Sequence[CategorySummary], *, items: int, changed_at: datetime
    ) -> tuple[OutputFile, ...]:
        """Return the OPML list and, last, the manifest. ``items`` and ``changed_at`` are of the combined feed."""
        return (
            feeds_opml(self._site, categories, self._formats, has_pages=self._has_pages),
            manifest(self._site, categories, self._formats, items, changed_at, has_pages=self._has_pages),
        )

    def listed(self, manifest: bytes) -> ListedOutputs:
        """Return what an earlier manifest names; nothing for one that cannot be read."""
        return read_manifest(manifest)

    def paths(self, slug: str, part: Part | None = None, *, earlier: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the paths of the feeds of ``slug`` in every format that is published now or may have been."""
        return tuple(feed_path(slug, kind, part) for kind in dict.fromkeys((*_BUILT_IN, *self._formats, *earlier)))
