"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), written by ourselves: feedgen has none."""

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Final, TypeAlias

from feedhub.model.item import Enclosure, Person
from feedhub.model.output import OutputView
from feedhub.publish.addresses import feed_url, home_url
from feedhub.publish.entry import OCTETS, Entry, EntryCache, language_tag, plain_text, safe_line

VERSION: Final = "https://jsonfeed.org/version/1.1"

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
    return _with_items((json_text(document) + "\n").encode(), cache.written(view, "json", _item_text))


def _with_items(document: bytes, items: list[bytes]) -> bytes:
    """Put items that are written already into a document that ends with an empty list of them."""
    if not items:
        return document
    end = b"]\n}\n"
    return b"".join((document.removesuffix(end), b"\n    ", b",\n    ".join(items), b"\n  ", end))


def _item_text(entry: Entry) -> bytes:
    return json_text(_item(entry), depth=2).encode()


def _item(entry: Entry) -> JsonObject:
    return _without_none(
        {
            "id": entry.id,
            "url": entry.link,
            "title": entry.title or None,
            **_texts(entry),
            "image": entry.image,
            "date_published": entry.published_at.isoformat(),
            "date_modified": entry.updated_at.isoformat(),
            "authors": [_author(person) for person in entry.authors] or None,
            "tags": [*entry.categories, *entry.tags] or None,
            "language": entry.language,
            "attachments": [_attachment(enclosure) for enclosure in entry.enclosures] or None,
            "_feedhub": _ours(entry),
        }
    )


def _texts(entry: Entry) -> JsonObject:
    """Return the two texts. One of the contents is demanded, and many readers show nothing but that."""
    summary = plain_text(entry.summary) if entry.summary else ""
    shown = entry.content or entry.summary
    content: JsonObject = {"content_html": entry.directed(shown)} if shown else {"content_text": ""}
    return {**content, "summary": summary or None}


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
    return _without_none({"source": named, "comments": entry.comments})


def json_text(value: object, *, depth: int = 0) -> str:
    """Return what ``json.dumps(…, ensure_ascii=False, indent=2)`` would; that takes three times as long.

    ``depth`` counts the lists and objects around ``value``.
    """
    return _json_text(value, "\n" + "  " * depth)


def _json_text(value: object, line: str) -> str:
    """Return JSON; ``line`` is a line break with the indentation of what is around ``value``."""
    if isinstance(value, str):
        return encode_basestring(value)
    inner = line + "  "
    if isinstance(value, dict) and value:
        members = [f"{encode_basestring(name)}: {_json_text(member, inner)}" for name, member in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}"
    if isinstance(value, list) and value:
        return f"[{inner}{f',{inner}'.join([_json_text(member, inner) for member in value])}{line}]"
    return json.dumps(value, ensure_ascii=False)


def _without_none(fields: Mapping[str, object]) -> JsonObject:
    """Return the fields that have a value: JSON Feed leaves out what is not known."""
    return {name: value for name, value in fields.items() if value is not None}
