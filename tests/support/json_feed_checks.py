"""Whether a document is a JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import json
import re
from collections.abc import Iterator
from typing import Any

from support.check_values import LANGUAGE, MEDIA_TYPE, address, repeated

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")

_JSON_FEED: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "home_page_url": str,
    "feed_url": str,
    "next_url": str,
    "hubs": list,
    "description": str,
    "language": str,
    "authors": list,
    "items": list,
}
_JSON_ITEM: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "url": str,
    "title": str,
    "content_html": str,
    "content_text": str,
    "summary": str,
    "image": str,
    "date_published": str,
    "date_modified": str,
    "language": str,
    "authors": list,
    "tags": list,
    "attachments": list,
    "_feedhub": dict,
}
_JSON_ATTACHMENT: dict[str, type | tuple[type, ...]] = {
    "url": str,
    "mime_type": str,
    "title": str,
    "size_in_bytes": int,
    "duration_in_seconds": (int, float),
}
_JSON_AUTHOR: dict[str, type | tuple[type, ...]] = {"name": str, "url": str, "avatar": str}


def check_json_feed(body: bytes) -> list[str]:
    """Check a JSON Feed 1.1 document."""
    try:
        document = json.loads(body.decode("utf-8"))
    except ValueError as error:
        return [f"not JSON in UTF-8: {error}"]
    if not isinstance(document, dict):
        return ["the document is no object"]
    complaints = [] if document.get("version") == "https://jsonfeed.org/version/1.1" else ["wrong version"]
    complaints += _json_types(document, "feed", _JSON_FEED)
    complaints += [f"feed: no {name}" for name in ("title", "items", "feed_url") if name not in document]
    items = document.get("items", [])
    complaints += repeated("item id", (item.get("id") for item in items))
    for position, item in enumerate(items):
        complaints += _json_item(item, f"items[{position}]")
    return complaints


def _json_item(item: dict[str, Any], place: str) -> Iterator[str]:
    yield from _json_types(item, place, _JSON_ITEM)
    if not item.get("id"):
        yield f"{place}: no id"
    if "content_html" not in item and "content_text" not in item:
        yield f"{place}: neither content_html nor content_text"
    for name in ("date_published", "date_modified"):
        if name in item and not _RFC3339.fullmatch(item[name]):
            yield f"{place}: {name} {item[name]!r} is no RFC 3339 date"
    yield from (f"{place}: tag {tag!r}" for tag in item.get("tags", []) if not isinstance(tag, str) or not tag)
    for attachment in item.get("attachments", []):
        yield from _json_types(attachment, f"{place}: attachment", _JSON_ATTACHMENT)
        if not attachment.get("url") or not MEDIA_TYPE.fullmatch(attachment.get("mime_type", "")):
            yield f"{place}: attachment without url or mime_type"


def _json_types(values: dict[str, Any], place: str, known: dict[str, type | tuple[type, ...]]) -> Iterator[str]:
    for name, value in values.items():
        if name == "version":
            continue
        if name not in known:
            yield f"{place}: unknown key {name}"
        elif not isinstance(value, known[name]) or isinstance(value, bool):
            yield f"{place}: {name} is a {type(value).__name__}"
        elif name == "url" or name.endswith("_url") or name == "image":
            yield from address(value, f"{place}: {name}", schemes=("http", "https"))
        elif name == "language" and not LANGUAGE.fullmatch(value):
            yield f"{place}: language {value!r}"
    for author in values.get("authors", []):
        yield from _json_types(author, f"{place}: author", _JSON_AUTHOR)
        if not author:
            yield f"{place}: author without anything"
