"""``${NAME}`` and ``${NAME:-default}`` in values; ``$${`` is a plain ``${`` (SPEC §3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from feedhub.config.yaml_tree import Path, Quoted, Value

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?P<body>[^}]*)\}?")
_BODY: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """A value with its references filled in.

    ``taken`` holds what came from the environment, by place; ``faults`` pairs a place with what is wrong there.
    """

    value: Value
    taken: dict[Path, tuple[str, ...]]
    faults: tuple[tuple[Path, str], ...]


def expand(value: Value, environ: Mapping[str, str]) -> Expansion:
    """Return ``value`` with every reference in every text filled in, once: what comes in is not read again."""
    return _Expander(environ).run(value)


def escaped(text: str) -> str:
    """Return ``text`` so that it reads as itself when references are filled in."""
    return text.replace("${", "$${")


class _Expander:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._taken: dict[Path, tuple[str, ...]] = {}
        self._faults: list[tuple[Path, str]] = []

    def run(self, value: Value) -> Expansion:
        expanded = self._value(value, ())
        return Expansion(value=expanded, taken=self._taken, faults=tuple(self._faults))

    def _value(self, value: Value, path: Path) -> Value:
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, list):
            return [self._value(part, (*path, index)) for index, part in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._value(part, (*path, key)) for key, part in value.items()}
        return value

    def _text(self, text: str, path: Path) -> str:
        taken: list[str] = []

        def filled(match: re.Match[str]) -> str:
            if match["body"] is None:
                return "${"
            reference = _BODY.fullmatch(match["body"]) if match.group().endswith("}") else None
            if reference is None:
                self._faults.append(
                    (path, 'is no reference such as ${NAME} or ${NAME:-default}; "$${" is a plain "${"')
                )
                return ""
            given = self._environ.get(reference["name"])
            if reference["default"] is not None and not given:
                return reference["default"]
            if given is None:
                self._faults.append((path, f"the environment variable {reference['name']} is not set"))
                return ""
            taken.append(given)
            return given

        expanded = _REFERENCE.sub(filled, text)
        if taken:
            self._taken[path] = tuple(taken)
        return Quoted(expanded) if isinstance(text, Quoted) else expanded
