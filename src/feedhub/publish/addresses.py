"""Which relative paths may name an output file, on any system it may be copied to."""

import re
import uuid
from datetime import tzinfo
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.item import StoredItem
from feedhub.model.output import FeedFormat, Part, Site
from feedhub.rules.health import HEALTH
from feedhub.rules.select import ALL, month_of

# Control characters, and what Windows forbids in names; ":" is also its drive letter and its hidden streams.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_MAX_NAME_BYTES = 200  # of the usual 255: the temporary name is longer


def checked_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path with forward slashes.

    Raises:
        PublishError: the path is absolute, climbs, or has a name that some system refuses or reads otherwise.
    """
    parts = tuple(path.split("/"))
    for part in parts:
        reason = _objection(part)
        if reason:
            raise PublishError(f"{path!r}: no path of an output file: {reason}")
    return parts


def _objection(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "an empty name, '.' or '..'"
    if _UNSAFE.search(part) or not _encodable(part):
        return "a character that is not allowed in file names"
    if part.endswith((".", " ")):
        return "a name that ends with a dot or a blank"
    if _RESERVED.fullmatch(part):
        return "a name that Windows reserves"
    if len(part.encode()) > _MAX_NAME_BYTES:
        return "a name that is too long"
    return None


def _encodable(part: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in part)


MEDIA_TYPES: dict[FeedFormat, str] = {
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "json": "application/feed+json",
}


STYLE_PATH: Final = "assets/style.css"
ICON_PATH: Final = "assets/icon.svg"
SOURCES_PATH: Final = "sources.html"
MISSING_PATH: Final = "404.html"
SEARCH_PAGE: Final = "search"
SEARCH_FEED: Final = "search.atom"
"""Searches are answered by the web server; no file lies there."""


def feed_path(slug: str, kind: FeedFormat, part: Part | None = None) -> str:
    """Return the path of a feed in the output folder, or that of a part of its archive."""
    return f"feeds/{slug}.{kind}" if part is None else f"{archive_folder(slug)}/{part.name}.{kind}"


def archive_folder(slug: str) -> str:
    """Return the folder of a feed's archive."""
    return f"feeds/archive/{slug}"


def page_path(slug: str, part: Part | None = None) -> str:
    """Return the path of the page that shows a feed in a browser, or that of a part of its archive."""
    if part is not None:
        return f"{page_folder(slug)}/{part.name}.html"
    return {ALL: "index.html", HEALTH: SOURCES_PATH}.get(slug, f"category/{slug}.html")


def page_folder(slug: str) -> str:
    """Return the folder of a category's older pages."""
    return f"category/{slug}"


def item_path(item: StoredItem, zone: tzinfo) -> str:
    """Return the path of an item's page: the month in which it was published, and the first digits of its id."""
    year, _, month = month_of(item.published_at, zone).partition("-")
    digits = re.sub("[^0-9a-f]", "", item.id.removeprefix("urn:uuid:").lower())
    return f"items/{year}/{month}/{digits if item.is_twin else digits[:8]}.html"


class SitePaths:
    """Says where the pages of a site lie."""

    def __init__(self, site: Site) -> None:
        self._zone = ZoneInfo(site.timezone)

    def item(self, item: StoredItem) -> str:
        """Return the path of an item's page."""
        return item_path(item, self._zone)

    def output(self, slug: str, part: Part | None = None) -> str:
        """Return the path of an output's page, or of one of its older pages."""
        return page_path(slug, part)

    def single(self) -> tuple[str, ...]:
        """Return the paths of the pages and files that there are once."""
        return (page_path(ALL), SOURCES_PATH, MISSING_PATH, STYLE_PATH, ICON_PATH)


def public(site: Site, path: str) -> str:
    """Return the public address of a file in the output folder."""
    return f"{site.url.rstrip('/')}/{quote(path)}"


def feed_url(site: Site, slug: str, kind: FeedFormat, part: Part | None = None) -> str:
    """Return the public address of a feed, or of a part of its archive."""
    return public(site, feed_path(slug, kind, part))


def page_url(site: Site, slug: str, part: Part | None = None) -> str:
    """Return the public address of the page that shows a feed, or a part of its archive, in a browser."""
    if slug == ALL and part is None:
        return f"{site.url.rstrip('/')}/"
    return public(site, page_path(slug, part))


def category_scheme(site: Site) -> str:
    """Return the scheme that tells our categories from the tags of publishers (RFC 4287 §4.2.2.2)."""
    return f"{site.url.rstrip('/')}/category/"


def feed_id(site: Site, slug: str) -> str:
    """Return the permanent id of a feed: one for all formats, the same after a rebuild (RFC 4287 §4.2.6)."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{site.url.rstrip('/')}/feeds/{slug}").urn
