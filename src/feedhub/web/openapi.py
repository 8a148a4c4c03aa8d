"""What ``/api/openapi.json`` says of the addresses that programs use (OpenAPI 3.1)."""

from importlib.metadata import version
from typing import Any, Final

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_INSTANT: Final = {"type": ["string", "null"], "format": "date-time"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _answer(words: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {kind: {"schema": schema}}}


_SOURCE: Final = _object(
    {
        "name": _TEXT,
        "url": {**_TEXT, "description": "Address in the configuration."},
        "state": {**_TEXT, "description": "ok, failing, stale, gone, paused, broken, or new."},
        "reason": {**_TEXT, "description": "Why it is not ok, in words."},
        "current_url": {"type": ["string", "null"], "description": "Address that is asked."},
        "next_poll_in": {"type": ["number", "null"], "description": "Seconds; negative when overdue."},
        "last_success": _INSTANT,
        "last_error": {"type": ["string", "null"]},
        "http_status": {"type": ["integer", "null"]},
        "items": _COUNT,
        "items_per_day": {"type": "number", "minimum": 0},
        "failures": {**_COUNT, "description": "Failed polls since the last success."},
        "warnings": _list(_TEXT),
    }
)
_CATEGORY: Final = _object({"slug": _TEXT, "title": _TEXT, "items": _COUNT, "changed_at": _INSTANT})
_QUERY: Final = {
    "name": "q",
    "in": "query",
    "required": True,
    "description": "Words that must all occur; Chinese needs no spaces.",
    "schema": {"type": "string", "maxLength": 200},
}


def openapi() -> dict[str, Any]:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "feedhub", "version": version("feedhub"), "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": ".."}],
        "paths": _paths(),
        "components": {
            "schemas": {
                "Health": _object({"ok": {"type": "boolean"}, "reasons": _list(_TEXT)}),
                "Status": _object({"sources": _list(_SOURCE), "categories": _list(_CATEGORY)}),
            }
        },
    }


def _paths() -> dict[str, Any]:
    health = {"$ref": "#/components/schemas/Health"}
    status = {"$ref": "#/components/schemas/Status"}
    return {
        "/api/status.json": {
            "get": {
                "operationId": "status",
                "summary": "Every source and category, as `feedhub status --json` prints them.",
                "responses": {
                    "200": _answer("The status.", "application/json", status),
                    "503": _answer("The store cannot be read.", "application/json", health),
                },
            }
        },
        "/healthz": {
            "get": {
                "operationId": "health",
                "summary": "Whether feedhub as a whole works; starts no poll.",
                "responses": {
                    "200": _answer("It does.", "application/json", health),
                    "503": _answer("It does not; the reasons say why.", "application/json", health),
                },
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Numbers for Prometheus.",
                "responses": {"200": _answer("The numbers.", "text/plain", _TEXT)},
            }
        },
        "/search.atom": {
            "get": {
                "operationId": "search",
                "summary": "The newest items that hold every word of a query, as an Atom feed.",
                "parameters": [_QUERY],
                "responses": {
                    "200": _answer("The feed.", "application/atom+xml", _TEXT),
                    "304": {"description": "It has not changed."},
                    "400": _answer("No query.", "text/plain", _TEXT),
                },
            }
        },
    }
