"""What a site says to the programs that visit it: structured data of articles, a sitemap, robots.txt, its icon."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup

from feedhub.model.output import Site
from feedhub.ports.publishing import OWN_MARK
from feedhub.publish.addresses import SEARCH_PAGE, SITEMAP_PATH, public
from feedhub.publish.entry import Entry, language_tag, safe_line

_LONGEST_HEADLINE: Final = 110
_ESCAPED: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
_ARTICLES: Final = frozenset({"a", "an", "the", "der", "die", "das", "le", "la", "les", "el", "los", "las"})


def article_data(entry: Entry, title: str, page: str, picture: str | None, site: Site) -> Markup:
    """Return what an item is as JSON-LD (schema.org), for a data block of its page.

    The article is its publisher's; our page only shows it.
    """
    source = entry.source
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": title[:_LONGEST_HEADLINE],
        "url": entry.link or page,
        "mainEntityOfPage": page,
        "datePublished": entry.published_at.isoformat(),
        "dateModified": entry.updated_at.isoformat(),
        "inLanguage": entry.language or language_tag(site.language),
        "image": picture,
        "author": [{"@type": "Person", "name": person.name} for person in entry.authors] or None,
        "publisher": {"@type": "Organization", "name": source.title or source.name, "url": source.link},
    }
    text = json.dumps(_without_none(data), ensure_ascii=False, separators=(",", ":"))
    # No text of a publisher ends the block: JSON reads these escapes as the characters.
    return Markup(text.translate(_ESCAPED))  # noqa: S704


def _without_none(data: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in data.items()
        if value is not None
    }


def sitemap(site: Site, pages: Iterable[tuple[str, datetime | None]]) -> bytes:
    """Return the sitemap (sitemaps.org) of pages, each its path and when it last changed, where that is known."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<!-- {OWN_MARK} -->",
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
    ]
    for path, at in pages:
        changed = f"<lastmod>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z</lastmod>" if at else ""
        lines.append(f"<url><loc>{escape(public(site, path))}</loc>{changed}</url>")
    return "\n".join((*lines, "</urlset>", "")).encode()


def robots(site: Site) -> bytes:
    """Return ``robots.txt``: everything may be read but what is made on request; where the sitemap is."""
    path = urlsplit(site.url).path.rstrip("/")
    lines = (
        f"# {OWN_MARK}",
        "User-agent: *",
        *(f"Disallow: {path}/{name}" for name in (SEARCH_PAGE, "status")),
        "",
        f"Sitemap: {public(site, SITEMAP_PATH)}",
        "",
    )
    return "\n".join(lines).encode()


def initials(title: str) -> str:
    """Return one or two letters that stand for a site: ``HR`` for The Harbour Reader, the first sign of 金融消息."""
    words = [word for word in safe_line(title).split() if word[0].isalnum()]
    telling = [word for word in words if word.lower() not in _ARTICLES] or words
    first = "".join(word[0].upper()[0] for word in telling[:2])
    return first if first.isascii() else first[:1]
