"""``--set KEY=VALUE``: one key for one run (SPEC §2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from feedhub.config.section import OVERRIDES, ConfigFile, key_text
from feedhub.config.yaml_tree import Path, Value, read_tree
from feedhub.model.problem import Problem

_LISTS_ACROSS_FILES: Final = ("sources", "rules")
_PART: Final = re.compile(r"(?P<name>[^.\[\]]+)(?P<index>(?:\[\d{1,6}\])*)(?P<end>\.|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One ``--set``; ``key`` is as it was typed."""

    key: str
    value: Value


class _MisfitError(Exception):
    """The override does not fit what the configuration holds."""


def parse_overrides(texts: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    """Return the overrides, and what is wrong with those that cannot be read."""
    overrides: list[Override] = []
    problems: list[Problem] = []
    for text in texts:
        key, equals, value = text.partition("=")
        tree = read_tree(value)
        if not equals or not key.strip():
            problems.append(_problem(key.strip(), "expected KEY=VALUE"))
        elif tree.faults:
            problems.append(_problem(key.strip(), f"the value is {tree.faults[0].message}"))
        else:
            overrides.append(Override(key=key.strip(), value=tree.value))
    return overrides, problems


def apply_overrides(
    files: Sequence[ConfigFile], overrides: Sequence[Override]
) -> tuple[list[ConfigFile], list[Problem]]:
    """Return the files with the overrides in place; ``files`` begins with the main file."""
    changed = list(files)
    problems: list[Problem] = []
    for override in overrides:
        try:
            _apply(changed, override)
        except _MisfitError as error:
            problems.append(_problem(override.key, str(error)))
    return changed, problems


def _apply(files: list[ConfigFile], override: Override) -> None:
    head, _, rest = override.key.partition(".")
    list_name = head.partition("[")[0]
    if list_name in _LISTS_ACROSS_FILES and (rest or "[" in head):
        number, path = _entry(files, list_name, override.key)
    else:
        path = _parsed(override.key)
        number = _owner(files, path)
        if len(path) == 1:
            _forget_elsewhere(files, path, number)
    file = files[number]
    value = _with(file.value, path, override.value)
    assert isinstance(value, dict)  # noqa: S101 - a path begins with a key
    secret = frozenset(hidden for hidden in file.secret_paths if hidden[: len(path)] != path)
    files[number] = replace(file, value=value, overridden=(*file.overridden, path), secret_paths=secret)


def _owner(files: list[ConfigFile], path: Path) -> int:
    """Return which file holds the entry of a joined mapping such as ``categories``; else the main one."""
    for number, file in enumerate(files):
        joined = file.value.get(str(path[0]))
        if len(path) > 1 and isinstance(joined, dict) and path[1] in joined:
            return number
    return 0


def _forget_elsewhere(files: list[ConfigFile], path: Path, owner: int) -> None:
    for number, file in enumerate(files):
        if number != owner and path[0] in file.value and path[0] != "include":
            files[number] = replace(file, value={key: value for key, value in file.value.items() if key != path[0]})


def _entry(files: list[ConfigFile], name: str, key: str) -> tuple[int, Path]:
    """Find ``sources[2].url`` (counted over all files) or ``sources.NAME.url`` and return file and path there."""
    rest = key[len(name) :]
    entries = [
        (number, index, entry)
        for number, file in enumerate(files)
        for index, entry in enumerate(_listed(file.value.get(name)))
    ]
    if rest.startswith("["):
        path = _parsed(key)
        position = path[1]
        if not isinstance(position, int) or position >= len(entries):
            raise _MisfitError(f"there are only {len(entries)} {name}")
        number, index, _ = entries[position]
        return number, (name, index, *path[2:])
    fits = [
        (len(label), number, index)
        for number, index, entry in entries
        if isinstance(entry, dict) and isinstance(label := entry.get("name"), str) and _starts(rest[1:], label)
    ]
    if not fits:
        raise _MisfitError(f"no entry of {name} has that name")
    length, number, index = max(fits)
    tail = rest[1 + length + 1 :]
    return number, (name, index, *(_parsed(tail) if tail else ()))


def _listed(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _starts(text: str, label: str) -> bool:
    return text == label or text.startswith(f"{label}.")


def _parsed(key: str) -> Path:
    path: list[str | int] = []
    position = 0
    while position < len(key):
        match = _PART.match(key, position)
        if match is None or (match["end"] == "." and match.end() == len(key)):
            raise _MisfitError("expected a key such as output.dir or sources[2].url")
        path.append(match["name"])
        path.extend(int(index) for index in re.findall(r"\d+", match["index"]))
        position = match.end()
    return tuple(path)


def _with(value: Value, path: Path, new: Value, done: Path = ()) -> Value:
    """Return a copy of ``value`` with ``new`` at ``path``; mappings on the way are made where nothing is."""
    if not path:
        return new
    part, rest = path[0], path[1:]
    if isinstance(part, int):
        if not isinstance(value, list) or part >= len(value):
            raise _MisfitError(f"{key_text(done)} is not a list with that many entries")
        return [*value[:part], _with(value[part], rest, new, (*done, part)), *value[part + 1 :]]
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise _MisfitError(f"{key_text(done)} is not a mapping")
    return {**value, part: _with(value.get(part), rest, new, (*done, part))}


def _problem(key: str, message: str) -> Problem:
    return Problem(file=OVERRIDES, line=0, column=0, key=key, message=message)
