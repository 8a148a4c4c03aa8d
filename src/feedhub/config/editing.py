"""Changes of sources in the files of a configuration: made in memory, tried, and then written all together."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from feedhub.config.files import read_files
from feedhub.config.load import is_secret_parameter
from feedhub.config.reading import LimitedReader, find_config, reason_of
from feedhub.config.section import ConfigFile
from feedhub.config.yaml_edit import CannotEditError, with_value, without_value
from feedhub.config.yaml_tree import Path, Value
from feedhub.errors import UsageError
from feedhub.model.settings import Settings

if os.name == "posix":
    import fcntl

_SOURCES: Final = "sources"


@dataclass(slots=True)
class _Text:
    """A file as it was read, and its text with the changes so far."""

    shown: str
    before: bytes
    after: str

    @property
    def content(self) -> bytes:
        return (b"\xef\xbb\xbf" if self.before.startswith(b"\xef\xbb\xbf") else b"") + self.after.encode()


def without_credentials(url: str, name: str) -> tuple[str, dict[str, str]]:
    """Return an address as YAML may hold it, with references for what must not stand there; and their values.

    References are named after the source. What in the address looks like one is none then.
    """
    prefix = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    prefix = prefix if prefix[:1].isalpha() else f"SOURCE_{prefix}"
    values: dict[str, str] = {}

    def reference(what: str, value: str) -> str:
        variable = f"{prefix}_{re.sub(r'[^A-Z0-9]+', '_', what.upper()).strip('_') or 'KEY'}"
        values[variable] = value
        return "${" + variable + "}"

    def parameter(match: re.Match[str]) -> str:
        start, key, value = match.groups()
        is_secret = bool(value) and is_secret_parameter(unquote(key))
        return start + key + "=" + (reference(key, value) if is_secret else value)

    # A brace would be the begin of a placeholder such as {page}.
    parts = urlsplit(url.replace("{", "%7B").replace("}", "%7D"))
    user, at, host = parts.netloc.rpartition("@")
    netloc = (reference("login", user) + at if user else "") + host
    query = re.sub(r"(^|&)([^=&]*)=([^&]*)", parameter, parts.query) if parts.query else ""
    return f"{parts.scheme}://{netloc}{parts.path}" + (f"?{query}" if parts.query else ""), values


class ConfigEditor:
    """The files of one configuration with changes that are not written yet; ``path`` is what ``-c`` says."""

    def __init__(self, path: str | None, environ: Mapping[str, str] = os.environ) -> None:
        here = str(FilePath.cwd())
        self.main = find_config(path, environ, here)
        reader = LimitedReader()
        self._files, _ = read_files(self.main, (), environ, here, reader)
        self._digests = reader.tried
        self._texts: dict[str, _Text] = {}

    def has_source(self, name: str) -> bool:
        """Tell whether an entry with that name is written in one of the files."""
        return any(entry.get("name") == name for _, _, entry in self._entries())

    def add_source(self, entry: Mapping[str, object]) -> str:
        """Add a source after the last one of the main file, or else of the file that has the last one; return which.

        Raises:
            UsageError: the file cannot be edited in place, or not be read.
        """
        holding = [file for file in self._files if file.value.get(_SOURCES)]
        file = next((one for one in (*self._files[:1], *holding[::-1]) if one in holding), self._files[0])
        entries = file.value.get(_SOURCES)
        number = len(entries) if isinstance(entries, list) else 0
        self._edit(file, lambda text: with_value(text, (_SOURCES, number), dict(entry)))
        return file.shown

    def remove_source(self, name: str) -> str:
        """Take a source out; return the file that had it. Raises as ``add_source``, and where no file names it."""
        file, index, _ = self._entry(name)
        self._edit(file, lambda text: without_value(text, (_SOURCES, index)))
        return file.shown

    def pause_source(self, name: str, *, is_paused: bool) -> str:
        """Let a source be polled, or not; return the file that has it. Raises as ``remove_source``."""
        file, index, entry = self._entry(name)
        place: Path = (_SOURCES, index, "paused")
        if is_paused:
            self._edit(file, lambda text: with_value(text, place, True))
        elif "paused" in entry:
            self._edit(file, lambda text: _without_or(text, place, False))
        return file.shown

    def rename_source(self, old: str, new: str) -> tuple[str, ...]:
        """Give a source another name, which remembers the old one, also where rules name it; return the files changed.

        Raises as ``remove_source``.
        """
        file, index, entry = self._entry(old)
        place: Path = (_SOURCES, index)
        self._edit(file, lambda text: with_value(text, (*place, "name"), new))
        formerly = entry.get("formerly")
        if isinstance(formerly, list):
            self._edit(file, lambda text: with_value(text, (*place, "formerly", len(formerly)), old))
        else:
            names: object = [formerly, old] if isinstance(formerly, str) else old
            self._edit(file, lambda text: with_value(text, (*place, "formerly"), names))
        for each in self._files:
            for path in _conditions_on(each.value.get("rules"), old, ("rules",)):
                self._edit(each, lambda text, path=path: with_value(text, path, new))  # type: ignore[misc]
        return tuple(text.shown for text in self._texts.values())

    def checked(self, load: Callable[[LimitedReader], Settings]) -> Settings:
        """Return what the configuration says with the changes.

        Raises:
            ConfigError: it cannot be used with them.
        """
        reader = LimitedReader()
        reader.edited.update({path: text.after for path, text in self._texts.items()})
        return load(reader)

    def write(self) -> None:
        """Put the changed files in the place of those on the disk.

        Raises:
            UsageError: one was changed meanwhile, or cannot be written; then, but for what cannot be foreseen, none is.
        """
        places = {os.path.realpath(path): text for path, text in self._texts.items()}
        waiting: dict[str, str] = {}
        try:
            for place, text in places.items():
                with _naming(text.shown):
                    waiting[_written_beside(place, text.content)] = place
            with _alone(FilePath(self.main).parent):
                for place, text in places.items():
                    with _naming(text.shown):
                        if FilePath(place).read_bytes() != text.before:
                            raise _changed(text.shown)
                for beside, place in waiting.items():
                    with _naming(places[place].shown):
                        os.replace(beside, place)  # noqa: PTH105
        finally:
            for beside in waiting:
                with suppress(FileNotFoundError):
                    os.unlink(beside)  # noqa: PTH108

    def _entries(self) -> Iterator[tuple[ConfigFile, int, dict[str, Value]]]:
        for file in self._files:
            entries = file.value.get(_SOURCES)
            for index, entry in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(entry, dict):
                    yield file, index, entry

    def _entry(self, name: str) -> tuple[ConfigFile, int, dict[str, Value]]:
        for found in self._entries():
            if found[2].get("name") == name:
                return found
        raise UsageError(f'no file of the configuration has an entry "name: {name}" that could be edited')

    def _edit(self, file: ConfigFile, change: Callable[[str], str]) -> None:
        text = self._texts.get(file.path)
        if text is None:
            with _naming(file.shown, "read"):
                before = FilePath(file.path).read_bytes()
                if hashlib.sha256(before).hexdigest() != self._digests[file.path]:
                    raise _changed(file.shown)
                text = self._texts[file.path] = _Text(file.shown, before, before.decode("utf-8-sig"))
        try:
            text.after = change(text.after)
        except CannotEditError as error:
            place = f"{file.shown}:{file.line((_SOURCES,))}" if _SOURCES in file.value else file.shown
            raise UsageError(f"{place}: this cannot be {error}; please edit the file by hand") from error


def _changed(shown: str) -> UsageError:
    return UsageError(f"{shown} was changed meanwhile; nothing was written, try again")


def _conditions_on(value: Value, name: str, path: Path) -> Iterator[Path]:
    """Yield the places of conditions that ask for exactly this source."""
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from _conditions_on(part, name, (*path, index))
    elif isinstance(value, dict):
        for key, part in value.items():
            if key == "source":
                if part == name:
                    yield (*path, key)
                elif isinstance(part, list):
                    yield from ((*path, key, index) for index, one in enumerate(part) if one == name)
            else:
                yield from _conditions_on(part, name, (*path, key))


def _without_or(text: str, path: Path, value: object) -> str:
    """Take a key out, or give it another value where it shares its line with what stays."""
    try:
        return without_value(text, path)
    except CannotEditError:
        return with_value(text, path, value)


def _written_beside(place: str, content: bytes) -> str:
    """Write a file beside the one that it is to replace, with its mode, and return where."""
    descriptor, beside = tempfile.mkstemp(prefix=".feedhub-", suffix=".yaml.tmp", dir=FilePath(place).parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if not os.access(place, os.W_OK):
        os.unlink(beside)  # noqa: PTH108
        raise PermissionError(13, os.strerror(13))
    FilePath(beside).chmod(os.stat(place).st_mode & 0o7777)  # noqa: PTH116
    return beside


@contextmanager
def _naming(shown: str, done: str = "written") -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        hint = "; is it on a read-only file system?" if getattr(error, "errno", 0) == 30 else ""
        raise UsageError(f"{shown} cannot be {done}: {reason_of(error)}{hint}") from error


@contextmanager
def _alone(folder: FilePath) -> Iterator[None]:
    """Hold other commands that edit the same configuration back, for the block."""
    if os.name != "posix":
        yield
        return
    descriptor: Any = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
