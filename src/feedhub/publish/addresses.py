"""Where each output lies, in the output folder and in public (SPEC §6)."""

import uuid
from urllib.parse import quote

from feedhub.model.output import FeedFormat, Site
from feedhub.rules.health_feed import HEALTH
from feedhub.rules.select import ALL

MEDIA_TYPES: dict[FeedFormat, str] = {
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "json": "application/feed+json",
}


def feed_path(slug: str, kind: FeedFormat) -> str:
    """Return the path of a feed in the output folder."""
    return f"feeds/{slug}.{kind}"


def feed_url(site: Site, slug: str, kind: FeedFormat) -> str:
    """Return the public address of a feed."""
    return f"{site.url.rstrip('/')}/{quote(feed_path(slug, kind))}"


def page_url(site: Site, slug: str) -> str:
    """Return the public address of the page that shows a feed in a browser."""
    path = {ALL: "", HEALTH: "sources.html"}.get(slug, f"category/{quote(slug)}.html")
    return f"{site.url.rstrip('/')}/{path}"


def category_scheme(site: Site) -> str:
    """Return the scheme that tells our categories from the tags of publishers (RFC 4287 §4.2.2.2)."""
    return f"{site.url.rstrip('/')}/category/"


def feed_id(site: Site, slug: str) -> str:
    """Return the permanent id of a feed: one for all formats, the same after a rebuild (RFC 4287 §4.2.6)."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{site.url.rstrip('/')}/feeds/{slug}").urn
