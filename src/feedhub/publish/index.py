"""What a site says to programs: lists of all outputs, a sitemap, robots.txt, structured data of articles, its icon.

The lists are ``feedhub.json``, the manifest, and ``feeds.opml`` (SPEC §6).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup

from feedhub.model.output import CategorySummary, ListedOutputs, OutputFile, Part, Site
from feedhub.ports.publishing import OWN_MARK
from feedhub.publish.addresses import SEARCH_PAGE, SITEMAP_PATH, feed_path, feed_url, page_url, public, public_path
from feedhub.publish.entry import Entry, safe_line
from feedhub.publish.formats import FORMAT_NAME, FORMATS
from feedhub.publish.json_feed import json_text, listing
from feedhub.rules.categorize import MAX_SLUG_LENGTH, RESERVED_SLUGS
from feedhub.rules.select import ALL

OPML_PATH: Final = "feeds.opml"
MANIFEST_PATH: Final = "feedhub.json"
_BUILT_IN: Final = tuple(one.name for one in FORMATS.formats)
_SLUG: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_SLUG_LENGTH}}}")
_LONGEST_HEADLINE: Final = 110
_ESCAPED: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
_ARTICLES: Final = frozenset({"a", "an", "the", "der", "die", "das", "le", "la", "les", "el", "los", "las"})


def feeds_opml(
    site: Site, categories: Sequence[CategorySummary], formats: Sequence[str], *, has_pages: bool = True
) -> OutputFile:
    """Return the list of the combined feed and each category's, in the order given.

    Each is listed once, in the best of the built-in ``formats``: a reader that imports the list subscribes to each once
    and knows none of the others. No date is written, so that the file changes only when the list does.
    """
    kind = next((kind for kind in _BUILT_IN if kind in formats), None)
    named = tuple((one.slug, safe_line(one.title)) for one in categories)
    return OutputFile(path=OPML_PATH, body=_opml(site, named, kind, has_pages))


@lru_cache(maxsize=2)  # most publishes change no category
def _opml(site: Site, named: tuple[tuple[str, str], ...], kind: str | None, has_pages: bool) -> bytes:
    from xml.etree import ElementTree

    title = safe_line(site.title)
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = title
    if site.author:
        ElementTree.SubElement(head, "ownerName").text = safe_line(site.author)
    ElementTree.SubElement(head, "docs").text = "http://opml.org/spec2.opml"
    body = ElementTree.SubElement(root, "body")
    if kind is not None:
        for slug, name in ((ALL, title), *named):
            ElementTree.SubElement(body, "outline", _outline(site, slug, name, kind, has_pages=has_pages))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _outline(site: Site, slug: str, title: str, kind: str, *, has_pages: bool) -> dict[str, str]:
    name = title or slug
    facts = {"type": "rss", "text": name, "title": name, "xmlUrl": feed_url(site, slug, kind)}
    return {**facts, "htmlUrl": page_url(site, slug)} if has_pages else facts


def manifest(
    site: Site,
    together: CategorySummary,
    categories: Sequence[CategorySummary],
    formats: Sequence[str],
    *,
    has_pages: bool = True,
) -> OutputFile:
    """Return the manifest: categories by slug, their counts, the addresses of their feeds, their last change.

    ``together`` is what the combined feed shows. An empty feed has no last change, and where no pages are published a
    feed has none.
    """
    document = {
        "version": 1,
        "title": safe_line(site.title),
        "url": site.url,
        "all": _feed(site, together, formats, has_pages=has_pages),
        "categories": [],
    }
    lines = (
        _manifest_line(site, category, tuple(formats), has_pages)
        for category in sorted(categories, key=lambda category: category.slug)
    )
    return OutputFile(path=MANIFEST_PATH, body=listing(document, lines))


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
    changed: dict[str, datetime | None] = {}
    formats: set[str] = set()
    together = document.get("all")
    for entry in (*entries, {**together, "slug": ALL} if isinstance(together, dict) else None):
        if isinstance(entry, dict):
            changed.update((slug, _instant(entry.get("changed"))) for slug in _safe([entry.get("slug")], _SLUG))
            feeds = entry.get("feeds")
            formats.update(_safe(feeds if isinstance(feeds, dict) else (), FORMAT_NAME))
    slugs = sorted(changed.keys() - RESERVED_SLUGS)
    return ListedOutputs(slugs=tuple(slugs), formats=tuple(sorted(formats)), changed=changed)


def _instant(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _safe(names: Iterable[object], pattern: re.Pattern[str]) -> Iterator[str]:
    return (name for name in names if isinstance(name, str) and pattern.fullmatch(name))


@lru_cache(maxsize=1024)  # of all categories few change from one publish to the next
def _manifest_line(site: Site, category: CategorySummary, formats: tuple[str, ...], has_pages: bool) -> bytes:
    return json_text({"slug": category.slug, **_feed(site, category, formats, has_pages=has_pages)}).encode()


def _feed(site: Site, category: CategorySummary, formats: Sequence[str], *, has_pages: bool) -> dict[str, object]:
    return {
        "title": safe_line(category.title),
        "items": category.items,
        "changed": category.changed_at.astimezone(UTC).isoformat() if category.changed_at else None,
        "page": page_url(site, category.slug) if has_pages else None,
        "feeds": {kind: feed_url(site, category.slug, kind) for kind in sorted(formats)},
    }


class FeedIndex:
    """Renders ``feeds.opml`` and ``feedhub.json`` of one site."""

    def __init__(self, site: Site, formats: Sequence[str], *, has_pages: bool = True) -> None:
        self._site = site
        self._formats = tuple(formats)
        self._has_pages = has_pages

    def render(self, together: CategorySummary, categories: Sequence[CategorySummary]) -> tuple[OutputFile, ...]:
        """Return the OPML list and, last, the manifest. ``together`` is what the combined feed shows."""
        return (
            feeds_opml(self._site, categories, self._formats, has_pages=self._has_pages),
            manifest(self._site, together, categories, self._formats, has_pages=self._has_pages),
        )

    def listed(self, manifest: bytes) -> ListedOutputs:
        """Return what an earlier manifest names; nothing for one that cannot be read."""
        return read_manifest(manifest)

    def paths(self, slug: str, part: Part | None = None, *, earlier: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the paths of the feeds of ``slug`` in every format that is published now or may have been."""
        return tuple(feed_path(slug, kind, part) for kind in dict.fromkeys((*_BUILT_IN, *self._formats, *earlier)))


def article_data(entry: Entry, title: str, page: str, picture: str | None) -> Markup:
    """Return what an item is as JSON-LD (schema.org), for a data block of its page.

    The article is its publisher's; our page only shows it. Its language is that of the page unless it says another one.
    """
    source = entry.source
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": title[:_LONGEST_HEADLINE],
        "url": entry.link or page,
        "datePublished": entry.published_at.isoformat(),
        "dateModified": entry.updated_at.isoformat() if entry.updated_at != entry.published_at else None,
        "inLanguage": entry.language,
        "image": picture,
        "author": [{"@type": "Person", "name": person.name} for person in entry.authors] or None,
        "publisher": {"@type": "Organization", "name": source.title or source.name, "url": source.link},
    }
    text = json_text(_without_none(data))
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
    base = escape(public(site, ""))
    for path, at in pages:
        changed = f"<lastmod>{at.astimezone(UTC).isoformat('T', 'seconds')[:19]}Z</lastmod>" if at else ""
        lines.append(f"<url><loc>{base}{escape(public_path(path))}</loc>{changed}</url>")
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
