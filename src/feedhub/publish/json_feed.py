"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), written by ourselves: feedgen has none."""

import json
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from feedhub.model.item import Enclosure, Person
from feedhub.model.output import OutputView
from feedhub.publish.addresses import feed_url, home_url
from feedhub.publish.entry import OCTETS, Entry, EntryCache, language_tag, plain_text, safe_line
from feedhub.rules.text import visible_text

VERSION: Final = "https://jsonfeed.org/version/1.1"
_END: Final = "[]}"
_MARGIN: Final = 100
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

JsonObject: TypeAlias = "dict[str, object]"


def render_json_feed(view: OutputView, cache: EntryCache) -> bytes:
    """Return the JSON Feed document of ``view``."""
    site, feed = view.site, view.feed
    title = safe_line(feed.title) or feed.slug
    has_archive = "json" in view.archive_formats
    document = _without_none(
        {
            "version": VERSION,
            "title": title,
            "home_page_url": home_url(view),
            "feed_url": feed_url(site, feed.slug, "json", view.part),
            "next_url": feed_url(site, feed.slug, "json", view.older) if view.older and has_archive else None,
            "description": safe_line(feed.description) or None,
            "language": language_tag(site.language),
            "authors": [{"name": safe_line(site.author) or safe_line(site.title) or title}],
            "hubs": [{"type": "WebSub", "url": view.hub}] if view.hub and view.part is None else None,
            "items": [],
        }
    )
    return listing(document, json_items(view, cache))


def json_items(view: OutputView, cache: EntryCache) -> list[bytes]:
    """Return the items of a JSON Feed document."""
    return cache.written(view, "json", _item_text)


def listing(document: JsonObject, items: Iterable[bytes]) -> bytes:
    """Return a document of JSON that ends with an empty list, with ``items`` in that, each on a line."""
    head = json_text(document).removesuffix(_END).encode()
    lines = b",\n".join(items)
    return b"".join((head, b"[\n", lines, b"\n]}\n")) if lines else head + b"[]}\n"


def json_text(value: object) -> str:
    """Return JSON without a blank that says nothing."""
    return _ENCODER.encode(value)


def _item_text(entry: Entry) -> bytes:
    return json_text(_item(entry)).encode()


def _item(entry: Entry) -> JsonObject:
    return _without_none(
        {
            "id": entry.id,
            "url": entry.link,
            "title": entry.title or None,
            **_texts(entry),
            "image": entry.image,
            "date_published": entry.published_at.isoformat(),
            "date_modified": entry.updated_at.isoformat() if entry.updated_at != entry.published_at else None,
            "authors": [_author(person) for person in entry.authors] or None,
            "tags": [*entry.categories, *entry.tags] or None,
            "language": entry.language,
            "attachments": [_attachment(enclosure) for enclosure in entry.enclosures] or None,
            "_feedhub": _ours(entry),
        }
    )


def _texts(entry: Entry) -> JsonObject:
    """Return the content, and the summary where it says something else: an item that has but one text gives it once.

    One of the contents is demanded, and many readers show nothing but that.
    """
    shown = entry.content or entry.summary
    content: JsonObject = {"content_html": entry.directed(shown)} if shown else {"content_text": ""}
    summary = plain_text(entry.summary) if entry.summary and entry.content else ""
    is_other = summary and entry.content and not _says(entry.content, summary)
    return {**content, "summary": summary if is_other else None}


def _says(content: str, summary: str) -> bool:
    """Tell whether a content says as text what a summary does. Mostly its beginning is longer already."""
    text = visible_text(content)
    begin = safe_line(text[: 2 * len(summary) + _MARGIN])
    return len(begin) <= len(summary) and safe_line(text) == summary


def _author(person: Person) -> JsonObject:
    return _without_none({"name": person.name, "url": person.uri})


def _attachment(enclosure: Enclosure) -> JsonObject:
    return _without_none(
        {
            "url": enclosure.url,
            "mime_type": enclosure.media_type or OCTETS,
            "title": enclosure.title,
            "size_in_bytes": enclosure.length,
            "duration_in_seconds": enclosure.duration,
        }
    )


def _ours(entry: Entry) -> JsonObject:
    source = entry.source
    named = _without_none({"name": source.name, "title": source.title, "link": source.link, "url": source.url})
    reports = [
        _without_none(
            {"title": one.title, "url": one.link, "source": one.source, "date_published": one.published_at.isoformat()}
        )
        for one in entry.reports
    ]
    return _without_none({"source": named, "comments": entry.comments, "also_reported_by": reports or None})


def _without_none(fields: Mapping[str, object]) -> JsonObject:
    """Return the fields that have a value: JSON Feed leaves out what is not known."""
    return {name: value for name, value in fields.items() if value is not None}
