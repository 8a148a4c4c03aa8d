"""What is done to a value between the path that found it and the field it becomes (SPEC §3.1): text and labels."""

import math
import re
from collections.abc import Sequence
from typing import Final

from feedhub.model.mapping import FieldMap
from feedhub.rules.json_paths import in_words
from feedhub.rules.patterns import Pattern, compile_pattern
from feedhub.rules.text import clean_text

LIST_FIELDS: Final = frozenset({"author", "tags", "enclosures"})
"""Fields that hold several values; all others hold one text."""
ADDRESS_FIELDS: Final = frozenset({"link", "image", "comments", "enclosures"})
"""Fields whose texts are addresses."""

FieldValue = str | tuple[object, ...]

_COMMAS: Final = re.compile(r"[,，、;；]")


def is_present(value: object) -> bool:
    """Tell whether a value says anything: not null, blank text, an empty list or object. 0 and false do."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value != [] and value != {}


def text_of(value: object) -> str | None:
    """Return a JSON value as text: numbers as people write them, lists joined; None for objects and null."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        parts = [text_of(part) for part in value if not isinstance(part, list)]
        return ", ".join(part for part in parts if part) or None
    return None


def shaped(name: str, field: FieldMap, value: object) -> FieldValue | None:
    """Return ``value`` as the field ``name`` wants it, after ``match``, ``strip`` and ``limit``; None for nothing.

    Tags and authors are a tuple of texts: from a list, from objects with a ``name``, tags also from a text with
    commas. Enclosures keep objects as they are. Of several addresses, the first is the link.

    Raises:
        ValueError: the value is of another form, or ``match`` does not match it.
    """
    if name in LIST_FIELDS:
        return _several(name, field, value)
    if name in ADDRESS_FIELDS and isinstance(value, list):
        value = next(filter(is_present, value), None)
    text = text_of(value)
    if text is None:
        raise ValueError(f"not text but {in_words(value)}")
    return trimmed(text, field) or None


def trimmed(text: str, field: FieldMap) -> str:
    """Return ``text`` after ``match`` (its first group that took part), ``strip`` and ``limit`` of a field.

    Raises:
        ValueError: ``match`` does not match.
    """
    if field.match is not None:
        found = _first_group(compile_pattern(field.match), text)
        if found is None:
            raise ValueError(f"{shown(text)} does not match {field.match!r}")
        text = found
    if field.strip is not None:
        text = compile_pattern(field.strip).sub("", text)
    if field.limit is not None:
        text = text.strip()[: field.limit]
    return text if text.strip() else ""


def shown(value: object, longest: int = 80) -> str:
    """Return a value as it is quoted in a message, shortened."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(clean_text(text[: longest * 4]).split())
    return f'"{text}"' if len(text) <= longest else f'"{text[:longest]}…"'


def _several(name: str, field: FieldMap, value: object) -> tuple[object, ...] | None:
    parts: Sequence[object] = value if isinstance(value, list) else [value]
    if name == "tags" and isinstance(value, str):
        parts = _COMMAS.split(value)
    found: list[object] = []
    nameless: object = None
    for part in parts:
        if isinstance(part, dict) and name == "enclosures":
            found.append(part)
            continue
        label = text_of(part.get("name") if isinstance(part, dict) else part)
        if label is None and is_present(part):
            nameless = part
        kept = trimmed(label, field) if label and label.strip() else ""
        if kept:
            found.append(kept)
    if not found and nameless is not None:
        raise ValueError(f"no text and no `name` in {in_words(nameless)}")
    return tuple(found) or None


def _first_group(pattern: Pattern, text: str) -> str | None:
    match = pattern.search(text)
    if match is None:
        return None
    groups = (match.group(number) for number in range(1, pattern.groups + 1))
    return next((group for group in groups if group is not None), None) if pattern.groups else match.group(0)
