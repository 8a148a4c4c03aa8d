"""The files of a configuration and the templates it names: found and read, with the environment filled in."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Final

from feedhub.config.reading import LimitedReader, absolute, is_pattern, reason_of, shown_path
from feedhub.config.schema import JekyllSection
from feedhub.config.section import OVERRIDES, ConfigFile, key_text
from feedhub.config.yaml_tree import Path, Quoted, Value, read_tree
from feedhub.model.output import PostSettings
from feedhub.model.settings import Problem

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
    """Return ``value`` with the references in all its texts filled in, once: what was filled in may hold no more."""
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


_DEEPEST_INCLUDE: Final = 20


def read_files(
    main: str, overrides: Sequence[Override], environ: Mapping[str, str], cwd: str, reader: LimitedReader
) -> tuple[list[ConfigFile], list[Problem]]:
    """Return the main file and everything it includes, each file once, and what is wrong with them.

    ``overrides`` are those of the key ``include``: no other decides which files are read.
    """
    files = _FileReader(overrides, environ, cwd, reader)
    files.read(main)
    return files.files, files.problems


class _FileReader:
    def __init__(
        self, overrides: Sequence[Override], environ: Mapping[str, str], cwd: str, reader: LimitedReader
    ) -> None:
        self._overrides = overrides
        self._environ = environ
        self._cwd = cwd
        self._reader = reader
        self._open: list[str] = []
        self._seen: set[str] = set()
        self.files: list[ConfigFile] = []
        self.problems: list[Problem] = []

    def read(self, path: str) -> None:
        """Read one file, then those it includes, in the order of their names."""
        self._seen.add(os.path.realpath(path))
        file = self._parsed(path)
        if file is None:
            return
        if not self.files:
            (file,), problems = apply_overrides([file], self._overrides)
            self.problems += problems
        self.files.append(file)
        self._open.append(os.path.realpath(path))
        for included in self._included(file):
            self.read(included)
        self._open.pop()

    def _parsed(self, path: str) -> ConfigFile | None:
        shown = shown_path(path, self._cwd)
        try:
            text = self._reader.text(path)
        except (OSError, ValueError) as error:
            message = f"cannot be read: {reason_of(error)}"
            if isinstance(error, FileNotFoundError):
                message = "there is no such file; `feedhub init` writes one"
            self.problems.append(Problem(file=shown, line=0, column=0, key="", message=message))
            return None
        tree = read_tree(text)
        for fault in tree.faults:
            key = key_text(fault.path)
            place = fault.place
            self.problems.append(
                Problem(file=shown, line=place.line, column=place.column, key=key, message=fault.message)
            )
        if tree.value is None and tree.faults:
            return None
        value = {} if tree.value is None else tree.value
        if not isinstance(value, dict):
            self.problems.append(
                Problem(file=shown, line=1, column=1, key="", message='expected keys such as "sources:" at the top')
            )
            return None
        return ConfigFile(path=path, shown=shown, value=value, place=tree.place)

    def _included(self, file: ConfigFile) -> list[str]:
        """Return the files that ``file`` includes and that were not read yet, sorted."""
        patterns = expand(file.value.get("include"), self._environ).value
        listed: list[tuple[Value, Path]] = [(patterns, ("include",))]
        if isinstance(patterns, list):
            listed = [(pattern, ("include", index)) for index, pattern in enumerate(patterns)]
        found: dict[str, Path] = {}
        for pattern, where in listed:
            if isinstance(pattern, str) and pattern:
                found |= dict.fromkeys(self._matches(file, pattern, where), where)
        paths = []
        for path, where in sorted(found.items()):
            real = os.path.realpath(path)
            if real in self._open:
                chain = [*self._open[self._open.index(real) :], path]
                shown = " → ".join(shown_path(each, self._cwd) for each in chain)
                self.problems.append(file.problem(where, f"includes go round in a circle: {shown}"))
            elif len(self._open) == _DEEPEST_INCLUDE:
                self.problems.append(file.problem(where, f"files include files more than {_DEEPEST_INCLUDE} deep"))
                break
            elif real not in self._seen:
                self._seen.add(real)
                paths.append(path)
        return paths

    def _matches(self, file: ConfigFile, pattern: str, where: Path) -> list[str]:
        folder = FilePath(file.path).parent
        try:
            if is_pattern(pattern):
                own = os.path.realpath(file.path)
                # A pattern may match the file that includes: that is no circle.
                return [path for path in self._reader.matches(str(folder), pattern) if os.path.realpath(path) != own]
            path = os.path.normpath(folder / pattern)
            self._reader.require(path)
        except FileNotFoundError:
            self.problems.append(file.problem(where, "there is no such file"))
        except (OSError, ValueError) as error:
            self.problems.append(file.problem(where, f"cannot be read: {reason_of(error)}"))
        else:
            return [path]
        return []


_LARGEST_TEMPLATE: Final = 1_000_000


def template_path(section: JekyllSection | None, root: str) -> str | None:
    """Return the absolute path of the template, if one is named."""
    return absolute(section.template, root) if section and section.template else None


def read_posts(
    section: JekyllSection | None, file: ConfigFile, root: str, reader: LimitedReader
) -> tuple[PostSettings | None, list[Problem]]:
    """Return the settings of posts, None where none are written, and what is wrong with their template."""
    if section is None:
        return None, []
    path, text = template_path(section, root), None
    problems = []
    if path is not None:
        try:
            text = reader.text(path, most=_LARGEST_TEMPLATE)
        except (OSError, ValueError) as error:
            place = ("output", "jekyll", "template")
            problems.append(file.problem(place, f"cannot be read: {reason_of(error)}"))
    posts = PostSettings(
        dir=section.dir.rstrip("/"),
        template=text,
        filename=section.filename,
        keep_days=section.keep_days,
        archive=section.archive.rstrip("/"),
    )
    return posts, problems


_TEMPLATE_ENDINGS: Final = (".html", ".css", ".svg")
_MOST_TEMPLATES: Final = 100

Templates = tuple[tuple[str, str], ...]


def theme_paths(folder: str | None, root: str, templates: Templates) -> list[str]:
    """Return the absolute paths of the templates that were read from ``folder``."""
    return [str(FilePath(absolute(folder, root)) / name) for name, _ in templates] if folder else []


def read_theme(
    folder: str | None, file: ConfigFile, root: str, reader: LimitedReader
) -> tuple[Templates, list[Problem]]:
    """Return (name, text) of the templates directly in the folder, by name, and what is wrong with them."""
    if not folder:
        return (), []
    place, inside = ("output", "templates"), absolute(folder, root)
    try:
        names = reader.names(inside, _TEMPLATE_ENDINGS)
    except (OSError, ValueError) as error:
        return (), [file.problem(place, f"cannot be read: {reason_of(error)}")]
    if len(names) > _MOST_TEMPLATES:
        return (), [file.problem(place, f"holds more than {_MOST_TEMPLATES} templates")]
    found: dict[str, str] = {}
    problems = []
    for name in names:
        try:
            found[name] = reader.text(str(FilePath(inside) / name), most=_LARGEST_TEMPLATE)
        except (OSError, ValueError) as error:
            problems.append(file.problem(place, f"{name} cannot be read: {reason_of(error)}"))
    return tuple(found.items()), problems
