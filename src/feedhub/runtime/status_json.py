"""The status of sources and categories as a program reads it: ``status --json`` and ``/api/status.json``."""

from collections.abc import Callable
from typing import Any

from feedhub.model.report import HubStatus, SourceStatus


def status_json(status: HubStatus) -> dict[str, Any]:
    """Return the status as JSON values. Secrets are still in it: see ``hidden``."""
    return {
        "sources": [_source_json(source) for source in status.sources],
        "categories": [
            {
                "slug": category.slug,
                "title": category.title,
                "items": category.items,
                "changed_at": category.changed_at.isoformat() if category.items else None,
            }
            for category in status.categories
        ],
    }


def hidden(value: Any, masked: Callable[[str], str]) -> Any:
    """Return JSON values with every text masked.

    Masked before it is encoded: a secret may hold characters that JSON writes in another way.
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: hidden(part, masked) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(part, masked) for part in value]
    return value


def _source_json(source: SourceStatus) -> dict[str, Any]:
    return {
        "name": source.name,
        "url": source.url,
        "state": source.state,
        "reason": source.reason,
        "current_url": source.current_url,
        "next_poll_in": None if source.next_poll_in is None else round(source.next_poll_in, 3),
        "last_success": source.last_success.isoformat() if source.last_success else None,
        "last_error": source.last_error,
        "http_status": source.http_status,
        "items": source.items,
        "items_per_day": round(source.items_per_day, 3),
        "failures": source.failures,
        "warnings": list(source.warnings),
    }
