"""Finds and reads the files of a configuration: the main one and what it includes."""

import glob
import os
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path as FilePath
from typing import Final

from feedhub.config.environment import expand
from feedhub.config.overrides import Override, apply_overrides
from feedhub.config.section import ConfigFile, key_text
from feedhub.config.yaml_tree import Path, Value, read_tree
from feedhub.model.problem import Problem

DEFAULT_CONFIG: Final = "config/feedhub.yaml"
_LARGEST: Final = 50_000_000
_WILD: Final = frozenset("*?[")


def find_config(path: str | None, environ: Mapping[str, str], cwd: str) -> str:
    """Return the absolute path of the configuration: ``path``, else ``$FEEDHUB_CONFIG``, else the default."""
    return os.path.normpath(FilePath(cwd, path or environ.get("FEEDHUB_CONFIG") or DEFAULT_CONFIG))


def root_of(config_path: str) -> str:
    """Return the folder that relative paths are relative to: the file's, or its parent when that is ``config``."""
    folder = FilePath(config_path).parent
    return str(folder.parent if folder.name == "config" else folder)


def read_files(
    main: str, overrides: Sequence[Override], environ: Mapping[str, str], cwd: str
) -> tuple[list[ConfigFile], list[Problem]]:
    """Return the main file and everything it includes, each file once, and what is wrong with them; never raises.

    ``overrides`` are those of the key ``include``, the only ones that matter here.
    """
    reader = _Reader(overrides, environ, cwd)
    reader.read(main)
    return reader.files, reader.problems


def include_folders(file: ConfigFile) -> set[str]:
    """Return the folders in which a file may appear that the patterns of ``include`` would match."""
    listed = file.value.get("include")
    patterns = listed if isinstance(listed, list) else [listed]
    beside = FilePath(file.path).parent
    folders: set[str] = set()
    for pattern in patterns:
        if isinstance(pattern, str) and _WILD & set(pattern):
            inner = pattern.rpartition("/")[0]
            matches = glob.glob(f"{inner}/", root_dir=beside, recursive=True) if inner else [""]  # noqa: PTH207
            folders |= {os.path.normpath(beside / match) for match in matches}
            fixed = beside / "/".join(takewhile(lambda part: not _WILD & set(part), inner.split("/")))
            # What is not there yet is waited for where it would appear.
            folders.add(os.path.normpath(next(place for place in (fixed, *fixed.parents) if place.is_dir())))
    return folders


class _Reader:
    def __init__(self, overrides: Sequence[Override], environ: Mapping[str, str], cwd: str) -> None:
        self._overrides = overrides
        self._environ = environ
        self._cwd = cwd
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
        shown = self._shown(path)
        try:
            text = _text_of(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            message = f"cannot be read: {reason}"
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
                chain = " → ".join(self._shown(each) for each in [*self._open[self._open.index(real) :], path])
                self.problems.append(file.problem(where, f"includes go round in a circle: {chain}"))
            elif real not in self._seen:
                self._seen.add(real)
                paths.append(path)
        return paths

    def _matches(self, file: ConfigFile, pattern: str, where: Path) -> list[str]:
        folder = FilePath(file.path).parent
        if not _WILD & set(pattern):
            path = os.path.normpath(folder / pattern)
            if not FilePath(path).is_file():
                self.problems.append(file.problem(where, "there is no such file"))
                return []
            return [path]
        # Path.glob refuses absolute patterns.
        matches = (folder / each for each in glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
        # A glob beside the file may well match the file itself: that is no circle.
        return [os.path.normpath(path) for path in matches if path.is_file() and not path.samefile(file.path)]

    def _shown(self, path: str) -> str:
        inside = os.path.relpath(path, self._cwd)
        return path if inside.startswith("..") else inside


def _text_of(path: str) -> str:
    if FilePath(path).stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 10**6} MB")
    raw = FilePath(path).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8") from error
