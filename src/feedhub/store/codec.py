"""How values become columns: wordings and states as JSON, keys as bounded text.

JSON is compact with sorted keys and holds only what differs from the defaults. Unknown members are ignored, so that an
older feedhub can read what a newer one of the same schema wrote.
"""

import hashlib
import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from feedhub.model.document import Validators
from feedhub.model.item import Enclosure, Item, Person
from feedhub.model.source import SourceState

LONGEST_KEY = 300
NO_WORDING = Item(title="")
"""What is kept of the wording of an item that retention removed."""

_PERSON = tuple(field.name for field in fields(Person))
_ENCLOSURE = tuple(field.name for field in fields(Enclosure))
_PLAIN = tuple(
    field.name for field in fields(Item) if field.name not in {"authors", "tags", "enclosures", "published_at"}
)
_STATE_IN_COLUMNS = {"name", "title", "link", "configured_url", "last_poll_at", "last_success_at", "next_poll_at"}
_STATE = tuple(
    field.name
    for field in fields(SourceState)
    if field.name not in _STATE_IN_COLUMNS and not field.name.endswith("_at")
    if field.name not in {"validators", "warnings", "failing_since"}
)
_STATE_INSTANTS = ("first_success_at", "last_new_at", "failing_since")


def stored_key(text: str) -> str:
    """Return ``text`` as it is stored and looked up: a long key by its SHA-256, its name still in front."""
    if len(text) <= LONGEST_KEY:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text.partition(':')[0][:60]}:sha256={digest}"


def encode_item(item: Item) -> str:
    """Return the wording of ``item`` as JSON."""
    data: dict[str, Any] = _present(item, _PLAIN)
    if item.authors:
        data["authors"] = [_present(author, _PERSON) for author in item.authors]
    if item.tags:
        data["tags"] = item.tags
    if item.published_at:
        data["published_at"] = item.published_at.isoformat()
    if item.enclosures:
        data["enclosures"] = [_present(enclosure, _ENCLOSURE) for enclosure in item.enclosures]
    return _dump(data)


def decode_item(text: str) -> Item:
    """Return the wording that ``encode_item`` wrote."""
    data: dict[str, Any] = json.loads(text)
    return Item(
        **_known(data, _PLAIN),
        authors=tuple(Person(**_known(author, _PERSON)) for author in data.get("authors", ())),
        tags=tuple(data.get("tags", ())),
        published_at=datetime.fromisoformat(data["published_at"]) if "published_at" in data else None,
        enclosures=tuple(Enclosure(**_known(enclosure, _ENCLOSURE)) for enclosure in data.get("enclosures", ())),
    )


def encode_state(state: SourceState) -> str:
    """Return what of ``state`` has no column of its own, as JSON."""
    data: dict[str, Any] = _present(state, _STATE)
    data |= {name: at.isoformat() for name in _STATE_INSTANTS if (at := getattr(state, name))}
    data["validators"] = _present(state.validators, ("etag", "last_modified"))
    data["warnings"] = state.warnings
    return _dump(data)


def decode_state(text: str, **columns: Any) -> SourceState:
    """Return the state that ``encode_state`` wrote, completed by its columns."""
    data: dict[str, Any] = json.loads(text)
    return SourceState(
        **_known(data, _STATE),
        **_instants(data),
        **columns,
        validators=Validators(**_known(data.get("validators", {}), ("etag", "last_modified"))),
        warnings=tuple(data.get("warnings", ())),
    )


def fact_digest(*parts: str | None) -> str:
    """Return one digest for one fact, so that a repeated fact is written once."""
    return hashlib.sha256(_dump(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _present(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: found for name in names if (found := getattr(value, name)) is not None}


def _instants(data: dict[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(data[name]) for name in _STATE_INSTANTS if name in data}


def _known(data: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def _dump(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
