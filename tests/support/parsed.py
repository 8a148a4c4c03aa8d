"""Writes a parsed feed down as plain values, without what is empty, for comparison with expected files."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from feedhub.model.item import ParsedFeed


def as_plain(value: Any) -> Any:
    """Return dataclasses as dicts without what is empty or false, instants as ISO text."""
    if is_dataclass(value):
        pairs = ((field.name, as_plain(getattr(value, field.name))) for field in fields(value))
        return {name: plain for name, plain in pairs if plain not in (None, "", [], {}) and plain is not False}
    if isinstance(value, tuple):
        return [as_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


def feed_as_plain(feed: ParsedFeed) -> dict[str, Any]:
    """Return a feed as plain values; digests are left out, other tests look at them."""
    plain: dict[str, Any] = as_plain(feed)
    for item in plain.get("items", ()):
        del item["text_digest"]
    return plain
