"""Reading what a configuration names: regular files only, and limits for their number, their size and how far to look.

What was read is noted as facts, so that later it can be told whether a reader would find the same again.

A pattern such as ``/proc/self/**/*.yaml`` has no end, a pipe never gives one, and ``/dev/zero`` gives too much. Whoever
saves a configuration must not be able to stop the daemon that reads it.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, Final

DEFAULT_CONFIG: Final = "config/feedhub.yaml"
SQLITE: Final = "sqlite:///"
DEFAULT_STORE: Final = f"{SQLITE}var/feedhub.db"
_WILD: Final = frozenset("*?[")
_LONGEST_PATTERN: Final = 1_000
MOST_FILES: Final = 10_000
MOST_BYTES: Final = 20_000_000
MOST_LOOKED_AT: Final = 50_000
_MOST_NAMES: Final = 10_000

Facts = dict[str, list[Any]]
"""What a reader found, as JSON can write it."""


def find_config(path: str | None, environ: Mapping[str, str], cwd: str) -> str:
    """Return the absolute path of the configuration: ``path``, else ``$FEEDHUB_CONFIG``, else the default."""
    return os.path.normpath(Path(cwd, path or environ.get("FEEDHUB_CONFIG") or DEFAULT_CONFIG))


def root_of(config_path: str) -> str:
    """Return the folder that relative paths are relative to: the file's, or its parent when that is ``config``."""
    folder = Path(config_path).parent
    return str(folder.parent if folder.name == "config" else folder)


def absolute(path: str, root: str) -> str:
    """Return ``path`` absolute and tidy; a relative one is relative to ``root``."""
    inside_home = path.startswith("~/")
    return os.path.normpath(Path(root, Path(path).expanduser() if inside_home else path))


def shown_path(path: str, cwd: str) -> str:
    """Return how a file is called in messages: relative to ``cwd`` where it is below it."""
    inside = os.path.relpath(path, cwd)
    return path if inside.startswith("..") else inside


def is_pattern(text: str) -> bool:
    """Tell whether a path may stand for several."""
    return not _WILD.isdisjoint(text)


def reason_of(error: OSError | ValueError) -> str:
    """Return why something cannot be read, in words."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)


@dataclass(slots=True, kw_only=True)
class LimitedReader:
    """Reads the files of one configuration; what is left of its limits is shared by all of them.

    ``tried`` are the files that were to be read, with the digests of those that were, ``folders`` those that were
    looked through for files: whoever waits for a change has to watch them. ``edited`` are texts that files are about
    to get, in the place of those that they have.
    """

    files: int = MOST_FILES
    bytes: int = MOST_BYTES
    looks: int = MOST_LOOKED_AT
    tried: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    edited: dict[str, str] = field(default_factory=dict)
    _matched: dict[tuple[str, str], list[str]] = field(default_factory=dict, init=False)
    _named: dict[tuple[str, tuple[str, ...]], list[str]] = field(default_factory=dict, init=False)

    @property
    def facts(self) -> Facts:
        """What was found: files by their real paths and digests, what patterns stood for, and names in folders."""
        return {
            "files": [[path, os.path.realpath(path), digest] for path, digest in self.tried.items()],
            "folders": sorted(self.folders),
            "patterns": [
                [*key, [[path, os.path.realpath(path)] for path in found]] for key, found in self._matched.items()
            ],
            "names": [[folder, list(endings), found] for (folder, endings), found in self._named.items()],
        }

    def read_again(self, facts: Facts) -> None:
        """Read what another reader read that found these facts; raises as reading does."""
        for path, _, digest in facts["files"]:
            self.text(path) if digest else self.require(path)
        for folder, pattern, _ in facts["patterns"]:
            self.matches(folder, pattern)
        for folder, endings, _ in facts["names"]:
            self.names(folder, tuple(endings))

    def text(self, path: str, *, most: int = MOST_BYTES) -> str:
        """Return the text of a file of at most ``most`` bytes.

        Raises:
            OSError: it cannot be read.
            ValueError: says why it is not read.
        """
        self.tried[path] = ""
        if not self.files:
            raise ValueError(f"it is one file too many: more than {MOST_FILES:,} are not read")
        self.files -= 1
        edited = self.edited.get(path)
        raw = _content(path, min(most, self.bytes) + 1) if edited is None else edited.encode()
        if len(raw) > most:
            raise ValueError(f"it is larger than {most / 10**6:g} MB")
        if len(raw) > self.bytes:
            raise ValueError(f"with it, the files are larger than {MOST_BYTES / 10**6:g} MB")
        self.bytes -= len(raw)
        self.tried[path] = hashlib.sha256(raw).hexdigest()
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ValueError(f"line {line} is not UTF-8") from error

    def require(self, path: str) -> None:
        """Accept a regular file; raises as ``text`` does."""
        self.tried.setdefault(path, "")
        _require_file(os.stat(path))  # noqa: PTH116

    def names(self, folder: str, endings: tuple[str, ...]) -> list[str]:
        """Return the names in a folder that end so and do not begin with a dot, sorted.

        Raises:
            OSError, ValueError: it cannot be read.
        """
        found = (each.name for each in islice(Path(folder).iterdir(), _MOST_NAMES))
        names = sorted(name for name in found if name.endswith(endings) and not name.startswith("."))
        self._named[folder, endings] = names
        return names

    def matches(self, folder: str, pattern: str) -> list[str]:
        """Return the files that a pattern stands for, relative to ``folder``, sorted, each once.

        Names that begin with a dot are left out unless the pattern has the dot; ``**`` stands for folders at any depth.

        Raises:
            OSError: the folder in which to look cannot be read.
            ValueError: there is more to look at than the limit allows.
        """
        if len(pattern) > _LONGEST_PATTERN:
            raise ValueError(f"it is longer than {_LONGEST_PATTERN:,} characters")
        self._matched[folder, pattern] = found = self._matching(folder, pattern)
        return found

    def _matching(self, folder: str, pattern: str) -> list[str]:
        steps = [step for step in pattern.split("/") if step not in ("", ".")]
        fixed = next(number for number, step in enumerate(steps) if is_pattern(step))
        start = os.path.join("/" if pattern.startswith("/") else folder, *steps[:fixed])  # noqa: PTH118
        try:
            os.scandir(start).close()
        except (FileNotFoundError, NotADirectoryError):
            # It is noticed in the folder in which it would appear.
            self.folders.add(_nearest_folder(os.path.normpath(start)))
            return []
        return sorted({os.path.normpath(path) for path in self._walk(start, tuple(steps[fixed:]), set())})

    def _walk(self, place: str, steps: tuple[str, ...], been: set[tuple[int, int, int]]) -> Iterator[str]:
        step, rest = steps[0], steps[1:]
        if step == "..":
            yield from self._walk(f"{place}/..", rest, been)
            return
        try:
            status = os.stat(place)  # noqa: PTH116
        except OSError:
            return
        # A folder may be reached on many ways, and by links even from within itself.
        here = (status.st_dev, status.st_ino, len(steps))
        if here in been:
            return
        been.add(here)
        if step == "**" and rest:
            yield from self._walk(place, rest, been)
        for name, kind in self._names(place):
            path = f"{place.rstrip('/')}/{name}"
            if kind == stat.S_IFDIR and step == "**" and not name.startswith("."):
                yield from self._walk(path, steps, been)
            elif kind == stat.S_IFDIR and rest and _fits(name, step):
                yield from self._walk(path, rest, been)
            elif kind == stat.S_IFREG and not rest and _fits(name, step):
                yield path

    def _names(self, place: str) -> list[tuple[str, int]]:
        """Return the names in a folder, and what each is; nothing for a folder that may not be looked into."""
        found: list[tuple[str, int]] = []
        try:
            with os.scandir(place) as entries:
                self.folders.add(os.path.normpath(place))
                for entry in entries:
                    if not self.looks:
                        raise ValueError(f"more than {MOST_LOOKED_AT:,} files and folders would be looked at")
                    self.looks -= 1
                    found.append((entry.name, _kind(entry)))
        except OSError:
            return []
        return found


def _fits(name: str, step: str) -> bool:
    if not is_pattern(step):
        return name == step
    return fnmatchcase(name, step) and name.startswith(".") <= step.startswith(".")


def _kind(entry: os.DirEntry[str]) -> int:
    try:
        return stat.S_IFDIR if entry.is_dir() else stat.S_IFREG if entry.is_file() else 0
    except OSError:  # a link that leads nowhere, or round in a circle
        return 0


def _nearest_folder(path: str) -> str:
    while not os.path.isdir(path) and path != os.path.dirname(path):  # noqa: PTH112, PTH120
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def _content(path: str, most: int) -> bytes:
    """Return the first ``most`` bytes of a regular file, without ever waiting for another program."""
    # Asked before opening, because opening a device can have effects; and after, because it may be another by then.
    _require_file(os.stat(path))  # noqa: PTH116
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        _require_file(os.fstat(descriptor))
        content: bytes | None = file.read(most)
    if content is None:
        raise ValueError("it gives nothing to read")
    return content


def _require_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
