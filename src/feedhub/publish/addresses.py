"""Paths and public addresses of what is published."""

import uuid
from datetime import tzinfo
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from feedhub.model.item import StoredItem
from feedhub.model.output import OutputView, Part, Site
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.select import ALL, HEALTH_SLUG, month_of

STYLE_PATH: Final = "assets/style.css"
FEED_STYLE_PATH: Final = "assets/feed.css"
ICON_PATH: Final = "assets/icon.svg"
FRONT_PATH: Final = "index.html"
SOURCES_PATH: Final = "sources.html"
CATEGORIES_PATH: Final = "categories.html"
SUBSCRIBE_PATH: Final = "subscribe.html"
MISSING_PATH: Final = "404.html"
ROBOTS_PATH: Final = "robots.txt"
SITEMAP_PATH: Final = "sitemap.xml"
SEARCH_PAGE: Final = "search"
SEARCH_FEED: Final = "search.atom"
"""Searches are answered by the web server; no file is there."""

_OF_OUTPUT: Final = lazy_pattern(r"(?:feeds/|feeds/archive/|category/)([a-z0-9_-]+)(?:/[^/]+)?\.[a-z0-9]+")
_NO_DIGIT: Final = lazy_pattern("[^0-9a-f]")
_PLAIN_PATH: Final = lazy_pattern(r"[A-Za-z0-9_.~/-]*")
_ITEM_PAGE: Final = lazy_pattern(r"(?:[^?#]*/)?items/[0-9]{4}/[0-9]{2}/([0-9a-f]{8}|[0-9a-f]{32})\.html(?:[?#].*)?")


def feed_path(slug: str, kind: str, part: Part | None = None) -> str:
    """Return the path of a feed in the output folder, or that of a part of its archive."""
    return f"feeds/{slug}.{kind}" if part is None else f"{archive_folder(slug)}/{part.name}.{kind}"


def archive_folder(slug: str) -> str:
    """Return the folder of a feed's archive."""
    return f"feeds/archive/{slug}"


def page_path(slug: str) -> str:
    """Return the path of the page that shows a feed in a browser."""
    return {ALL: FRONT_PATH, HEALTH_SLUG: SOURCES_PATH}.get(slug, list_path(slug))


def list_path(slug: str, part: Part | None = None) -> str:
    """Return the path of the first page of an output's list, or of one of its older pages."""
    return f"category/{slug}.html" if part is None else f"category/{slug}/{part.name}.html"


def item_path(item: StoredItem, zone: tzinfo) -> str:
    """Return the path of an item's page: the month in which it was published, and the first digits of its id."""
    year, _, month = month_of(item.published_at, zone).partition("-")
    digits = _NO_DIGIT.sub("", item.id.removeprefix("urn:uuid:").lower())
    return f"items/{year}/{month}/{digits if item.is_twin else digits[:8]}.html"


def id_digits(address: str) -> str | None:
    """Return the digits of an item's id from the path or address of its page; None for anything else."""
    found = _ITEM_PAGE.fullmatch(address)
    return found[1] if found else None


def slug_of(path: str) -> str | None:
    """Return the slug of the output to which a feed, a part of its archive or a page of its list belongs."""
    found = _OF_OUTPUT.fullmatch(path)
    return found[1] if found else None


class SitePaths:
    """Says where the pages of a site are in the output folder."""

    def __init__(self, site: Site) -> None:
        self._zone = ZoneInfo(site.timezone)

    def item(self, item: StoredItem) -> str:
        """Return the path of an item's page."""
        return item_path(item, self._zone)

    def list_page(self, slug: str, part: Part | None = None) -> str:
        """Return the path of the first page of an output's list, or of one of its older pages."""
        return list_path(slug, part)

    def shared(self) -> tuple[str, ...]:
        """Return the paths of files that the owner of the site may have, too."""
        return (ROBOTS_PATH, SITEMAP_PATH)

    def single(self) -> tuple[str, ...]:
        """Return the paths of the pages and files that there are once."""
        return (
            FRONT_PATH,
            CATEGORIES_PATH,
            SUBSCRIBE_PATH,
            SOURCES_PATH,
            MISSING_PATH,
            STYLE_PATH,
            FEED_STYLE_PATH,
            ICON_PATH,
        )


def public(site: Site, path: str) -> str:
    """Return the public address of a file in the output folder."""
    return f"{site.url.rstrip('/')}/{public_path(path)}"


def public_path(path: str) -> str:
    """Return a path in the output folder as addresses have it."""
    return path if _PLAIN_PATH.fullmatch(path) else quote(path)


def feed_url(site: Site, slug: str, kind: str, part: Part | None = None) -> str:
    """Return the public address of a feed, or of a part of its archive."""
    return public(site, feed_path(slug, kind, part))


def page_url(site: Site, slug: str) -> str:
    """Return the public address of the page that shows a feed in a browser."""
    return f"{site.url.rstrip('/')}/" if slug == ALL else public(site, page_path(slug))


def home_url(view: OutputView) -> str:
    """Return the address of the page that shows a feed; that of the site where it has none."""
    return page_url(view.site, view.feed.slug if view.has_pages and not view.is_removed else ALL)


def category_scheme(view: OutputView) -> str:
    """Return the scheme that tells our categories from the tags of publishers (RFC 4287 §4.2.2.2)."""
    base = view.site.url.rstrip("/")
    return f"{base}/category/" if view.has_pages else f"{base}/"


def feed_id(site: Site, slug: str) -> str:
    """Return the permanent id of a feed: one for all formats, the same after a rebuild (RFC 4287 §4.2.6)."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{site.url.rstrip('/')}/feeds/{slug}").urn
