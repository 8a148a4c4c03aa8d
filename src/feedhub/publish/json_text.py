"""How our JSON files look: readable, in UTF-8, keys in the order of writing."""

import json
from collections.abc import Mapping
from typing import TypeAlias

JsonObject: TypeAlias = "dict[str, object]"


def json_bytes(document: JsonObject) -> bytes:
    """Return ``document`` as a text file."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def without_none(fields: Mapping[str, object]) -> JsonObject:
    """Return the fields that have a value: JSON Feed leaves out what is not known."""
    return {name: value for name, value in fields.items() if value is not None}
