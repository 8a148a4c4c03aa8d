"""Where the list of a JSON answer is; and in words where it is not (SPEC §3.1)."""

import re
from collections.abc import Iterator, Sequence

from feedhub.errors import ParseError
from feedhub.rules.json_paths import compile_path, in_words, is_true
from feedhub.rules.text import plain

_MESSAGE_KEYS = (
    "msg", "message", "errmsg", "err_msg", "error_msg", "errorMessage", "error_description", "error", "errors",
    "reason", "detail", "info", "me", "title", "status",
)  # fmt: skip
_LONGEST_MESSAGE = 200
_DEEPEST_HINT = 4
_MOST_HINTS = 4
_MOST_LOOKED_AT = 200
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w{0,60}", re.ASCII)


def records_at(data: object, path: str | None) -> list[object]:
    """Return the list that ``path`` names, or the document itself; a null where the list should be is an empty list.

    Raises:
        ParseError: names the part of the path that exists and the one that does not, or what is there instead.
    """
    if path is None:
        if isinstance(data, list):
            return data
        raise ParseError(f"the document is not a list but {in_words(data)}{_hint(data)}")
    try:
        found = compile_path(path).value(data)
    except ValueError as exc:
        raise ParseError(f"items: {path}: {exc}") from exc
    if isinstance(found, list):
        return found
    if found is not None:
        raise ParseError(f"items: {path}: not a list but {in_words(found)}{_hint(found, path)}")
    missing = _missing(data, *compile_path(path).steps())
    if missing:
        raise ParseError(f"items: {path}: {missing}")
    return []


def check_no_error(data: object, condition: str | None) -> None:
    """Accept an answer for which ``condition`` does not hold.

    Raises:
        ParseError: it holds, with what the answer says about it; or it cannot be evaluated.
    """
    if condition is None:
        return
    try:
        failed = is_true(compile_path(condition).value(data))
    except ValueError as exc:
        raise ParseError(f"error: {condition}: {exc}") from exc
    if failed:
        message = _message(data)
        raise ParseError(f"the answer tells of an error{f': {message}' if message else ''} ({condition})")


def _missing(data: object, steps: Sequence[str | int], is_whole: bool) -> str:
    """Say why a path gave null, or nothing where it ends in a null that is really there."""
    value, place = data, "the document"
    for number, step in enumerate(steps):
        try:
            value = _child(value, step)
        except LookupError:
            key = f"[{step}]" if isinstance(step, int) else f"`{step}`"
            return f"there is no {key} in {place}, which is {in_words(value)}"
        place = f"`{_dotted(steps[: number + 1])}`"
    if value is None and steps:
        return ""
    return "it gives null" if is_whole else f"it gives null; {place} is {in_words(value)}"


def _child(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        of_object: object = value[step]
        return of_object
    if isinstance(value, list) and isinstance(step, int):
        of_list: object = value[step]
        return of_list
    raise LookupError


def _dotted(steps: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _message(data: object) -> str:
    """Return what the answer itself says about its error, as one bounded line."""
    for holder in (data, *(data.values() if isinstance(data, dict) else ())):
        if not isinstance(holder, dict):
            continue
        for key in _MESSAGE_KEYS:
            value = holder.get(key)
            if isinstance(value, str) and plain(value):
                return plain(value)[:_LONGEST_MESSAGE]
    return ""


def _hint(value: object, path: str = "") -> str:
    """Name lists inside of ``value``, for those who write the mapping."""
    found = list(_lists(value, path))[:_MOST_HINTS]
    return f"; lists in it: {', '.join(found)}" if found else ""


def _lists(value: object, path: str) -> Iterator[str]:
    level = [(path, value)]
    for _ in range(_DEEPEST_HINT):
        below = [
            (f"{place}.{key}".removeprefix("."), part)
            for place, holder in level
            if isinstance(holder, dict)
            for key, part in holder.items()
            if _PLAIN_KEY.fullmatch(key)
        ][:_MOST_LOOKED_AT]
        yield from (place for place, part in below if isinstance(part, list))
        level = below
