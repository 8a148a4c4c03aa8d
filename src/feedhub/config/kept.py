"""The settled configuration kept beside the store, so that a command need not read, check and settle it anew.

What is kept is used only if loading would give just that: the files and all else that it was made of are as they were.
It holds no values from the environment, only where they belong. To know that, a configuration is loaded twice, the
second time with a word of our own in place of each value: what then is not the same text around those words is not
kept. Whatever is wrong with it, it is as if there were none.
"""

import base64
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import feedhub
from feedhub.config.reading import DEFAULT_STORE, SQLITE, LimitedReader, absolute, find_config, root_of
from feedhub.errors import ConfigError
from feedhub.model.identity import KeyPattern
from feedhub.model.output import Category, OutputSettings, PostSettings, Retention, Site
from feedhub.model.settings import AfterPublish, NotifyTarget, Problem, Settings, WebSettings
from feedhub.model.source import (
    CategoryMap,
    Condition,
    DedupeSettings,
    DetailMap,
    FieldMap,
    HostGroup,
    PageMap,
    PollSettings,
    RecordMap,
    Replacement,
    Rule,
    Source,
)

Load = Callable[[str, Mapping[str, str], LimitedReader], Settings]
"""Loads the configuration in this file with this environment, through a new reader; raises ConfigError."""

_FORM: Final = 1
"""Changes when what is written changes its form; all other changes of the code are noticed by its files."""
_ENDING: Final = ".settings.json"
_LARGEST: Final = 50_000_000
_NOUNS: Final = {
    noun.__name__: noun
    for noun in (
        Settings, Problem, AfterPublish, NotifyTarget, WebSettings, Site, OutputSettings, Retention, Category,
        PostSettings, PollSettings, HostGroup, Source, DedupeSettings, KeyPattern, RecordMap, FieldMap, DetailMap,
        PageMap, CategoryMap, Rule, Condition, Replacement,
    )
}  # fmt: skip
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BASIC: Final = "Basic "
_STORE: Final = re.compile(r"^store:[ \t]*(['\"]?)(sqlite:///[^\s'\"#$?]+)[^\s'\"#$]*\1\s*(?:#.*)?$", re.MULTILINE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def kept_or_loaded(
    path: str | None,
    overrides: Sequence[str],
    environ: Mapping[str, str],
    cwd: str | None,
    *,
    load: Load,
    may_keep: Callable[[], bool] = lambda: True,
    makes_folder: bool = False,
) -> Settings:
    """Return the settings that are kept, or else those that ``load`` gives, and keep these if they ``may_keep`` then.

    ``makes_folder``: the folder of the store is made where it is missing. The others say what is loaded, as in
    ``config/load.py``.

    Raises:
        ConfigError: as ``load`` does.
    """
    here = cwd or str(Path.cwd())
    main = find_config(path, environ, here)
    kept = _Kept(main=main, overrides=tuple(overrides), cwd=here, environ=environ)
    if (found := kept.read()) is not None:
        return found
    return kept.loaded(load, may_keep, makes_folder=makes_folder)


class _CannotKeepError(Exception):
    """What was loaded has no form in which it may be kept, or what was kept cannot be used."""


class _Asked(Mapping[str, str]):
    """An environment that remembers which variables it was asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


class _Words:
    """What stands in for the values of variables, each a word that occurs nowhere else."""

    def __init__(self, environ: Mapping[str, str], names: set[str]) -> None:
        word = f"kept{os.urandom(12).hex()}n"
        self.environ = {name: environ[name] for name in names if name in environ}
        self._names: dict[str, str] = {}
        for number, name in enumerate(sorted(self.environ)):
            value = self.environ[name]
            if value:
                scheme = _SCHEME.match(value)
                self.environ[name] = f"{scheme[0]}{word}{number}.example" if scheme else f"{word}{number}n"
                self._names[self.environ[name]] = name
        self._pattern = re.compile("|".join(map(re.escape, self._names)) or r"(?!)")

    def placed(self, text: str) -> Any:
        """Return a text as it is kept, with the names of variables where their words are, also within base64."""
        if len(parts := self._parts(text)) > 1:
            return {"text": parts}
        with suppress(ValueError):
            plain = base64.b64decode(text.removeprefix(_BASIC), validate=True).decode()
            if len(parts := self._parts(plain)) > 1:
                return {"basic" if text.startswith(_BASIC) else "token": parts}
        return text

    def _parts(self, text: str) -> list[str | list[str]]:
        parts: list[str | list[str]] = []
        end = 0
        for match in self._pattern.finditer(text):
            parts += [text[end : match.start()], [self._names[match.group()]]]
            end = match.end()
        return [*parts, text[end:]]


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What is kept of the configuration ``main``; ``place`` is where."""

    main: str
    overrides: tuple[str, ...]
    cwd: str
    environ: Mapping[str, str]

    @cached_property
    def _store(self) -> str:
        """Where the store should be, found without reading YAML. Where it turns out to be elsewhere, nothing is kept.

        Raises:
            OSError, ValueError: the file cannot be read.
        """
        given = [f"store: {each.partition('=')[2]}" for each in self.overrides if each.startswith("store=")]
        match = _STORE.search(given[-1] if given else LimitedReader().text(self.main))
        return absolute((match[2] if match else DEFAULT_STORE).removeprefix(SQLITE), root_of(self.main))

    def read(self) -> Settings | None:
        """Return what is kept, if loading would give just that."""
        try:
            head, body = _content(self._store + _ENDING).split(b"\n", 1)
            kept = json.loads(head)
            made_of, is_whole = kept["made of"], kept["settings"] == hashlib.sha256(body).hexdigest()
            return self._decoded(json.loads(body)) if is_whole and made_of == self._made_of(made_of) else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, _CannotKeepError):
            return None

    def loaded(self, load: Load, may_keep: Callable[[], bool], *, makes_folder: bool) -> Settings:
        """Return what ``load`` gives, and keep it."""
        asked, reader = _Asked(self.environ), LimitedReader()
        loaded = load(self.main, asked, reader)
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError, ConfigError, _CannotKeepError):
            if self._has_place(loaded, makes_folder=makes_folder) and may_keep():
                self._keep(loaded, asked.names, reader.facts, load)
        return loaded

    def _has_place(self, loaded: Settings, *, makes_folder: bool) -> bool:
        """Whether the store is where it should be, and what is kept beside it is not published."""
        folder, is_there = Path(self._store).parent, loaded.store.partition("?")[0] == SQLITE + self._store
        if is_there and makes_folder:
            folder.mkdir(parents=True, exist_ok=True)
        return is_there and folder.is_dir() and not folder.is_relative_to(loaded.output.dir)

    def _keep(self, loaded: Settings, names: set[str], facts: dict[str, list[Any]], load: Load) -> None:
        words, again = _Words(self.environ, names), LimitedReader()
        told = loaded
        if words.environ:
            told = load(self.main, words.environ, again)
            if again.facts != facts:
                return
            with_words = {self._decoded(words.placed(each)): each for each in told.secrets}
            told = replace(told, secrets=tuple(with_words[each] for each in loaded.secrets))
        body = json.dumps(_encoded(loaded, told, words), separators=(",", ":")).encode()
        if self._decoded(json.loads(body)) != loaded:
            return
        made_of = self._made_of({"facts": facts, "variables": [sorted(names), os.urandom(16).hex()]}, facts)
        head = json.dumps({"made of": made_of, "settings": hashlib.sha256(body).hexdigest()})
        _write(self._store + _ENDING, head.encode() + b"\n" + body)

    def _made_of(self, known: dict[str, Any], facts: dict[str, list[Any]] | None = None) -> dict[str, Any]:
        """Return all that settings follow from as it is now, of the files and variables that are ``known``."""
        if facts is None:
            reader = LimitedReader()
            reader.read_again(known["facts"])
            facts = reader.facts
        names, key = known["variables"][:2]
        values = json.dumps([self.environ.get(name) for name in names]).encode()
        return {
            "form": _FORM,
            "main": self.main,
            "set": list(self.overrides),
            "folder": self.cwd,
            "home": str(Path("~").expanduser()),
            "program": _program(),
            "facts": facts,
            "variables": [names, key, hashlib.blake2b(values, key=bytes.fromhex(key)).hexdigest()],
        }

    def _decoded(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(self._decoded, value))
        if not isinstance(value, dict):
            return value
        ((name, given),) = value.items()
        if name == "text":
            return "".join(part if isinstance(part, str) else self.environ[part[0]] for part in given)
        if name in ("basic", "token"):
            token = base64.b64encode(self._decoded({"text": given}).encode()).decode()
            return token if name == "token" else _BASIC + token
        return _NOUNS[name](**{key: self._decoded(part) for key, part in given.items()})


def _encoded(value: Any, told: Any, words: _Words) -> Any:
    """Return a value as JSON can write it, but for what came from the environment; ``told`` is it with words instead.

    Raises:
        _CannotKeepError: the two differ in more than the words.
    """
    if is_dataclass(value) and type(value) is type(told):
        given = {
            each.name: _encoded(own, getattr(told, each.name), words)
            for each in fields(value)
            if (own := getattr(value, each.name)) != each.default or getattr(told, each.name) != own
        }
        return {type(value).__name__: given}
    if isinstance(value, tuple) and isinstance(told, tuple) and len(value) == len(told):
        return [_encoded(one, other, words) for one, other in zip(value, told, strict=True)]
    if type(value) is type(told) and value == told:
        return value
    if isinstance(value, str) and isinstance(told, str):
        if _DIGEST.fullmatch(value) and _DIGEST.fullmatch(told):
            return value
        if (placed := words.placed(told)) != told:
            return placed
    raise _CannotKeepError


def _program() -> str:
    """Return a digest of the code that loads: of feedhub's own files, and of what is installed beside it."""
    own = Path(feedhub.__file__).parent
    found = [sys.version]
    for folder, inner, names in os.walk(own):
        inner[:] = sorted(set(inner) - {"__pycache__"})
        found += (_stamp(f"{folder}/{name}") for name in sorted(names))
    found += (_stamp(each) for each in (*sys.path, "/usr/share/zoneinfo") if each.endswith(("-packages", "zoneinfo")))
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _content(place: str) -> bytes:
    """Return a file that nobody but this user could have written or may read, and no link.

    Raises:
        OSError, _CannotKeepError: it is none.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_ours = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o600
        if not (is_ours and stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST):
            raise _CannotKeepError
        return file.read(_LARGEST)


def _write(place: str, content: bytes) -> None:
    """Put a file that only this user may read in the place of what is there, a link too, in one step."""
    beside = f"{place}.{os.getpid()}-{os.urandom(4).hex()}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(beside).replace(place)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise
