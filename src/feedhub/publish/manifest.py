"""``feedhub.json``: what is published, for programs, and for ourselves to find what is published no more."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from feedhub.model.output import CategorySummary, FeedFormat, OutputFile, Site
from feedhub.publish.addresses import feed_url, page_url
from feedhub.publish.json_text import JsonObject, json_bytes
from feedhub.publish.safe import safe_line
from feedhub.rules.select import ALL, EPOCH
from feedhub.rules.slugs import MAX_LENGTH, RESERVED

MANIFEST_PATH = "feedhub.json"

_SLUG = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_LENGTH}}}")


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
    safe = {slug for slug in slugs if isinstance(slug, str) and _SLUG.fullmatch(slug) and slug not in RESERVED}
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
