"""Noticing that a file of the configuration was saved."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchfiles import watch

log = logging.getLogger(__name__)

_YAML: Final = frozenset({".yaml", ".yml"})
_DEBOUNCE_MILLISECONDS: Final = 400
_CHECK_MILLISECONDS: Final = 2_000

_PATIENCE: Final = 5.0

Snapshot = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Watched:
    """What is watched; ``since`` is when the files were read (seconds of the epoch)."""

    files: frozenset[str]
    folders: frozenset[str]
    since: float


class ConfigWatch:
    """Calls ``on_saved`` from a thread of its own when one of ``files``, or a YAML file in ``folders``, was written.

    Folders are watched and not files, because editors replace a file by a new one, and an ``include`` pattern may match
    a new file. Every two seconds the files are also compared: the system does not report what is written behind a
    link, by another machine, or through a volume of a container. Only that thread looks at the disk, which may block.
    """

    def __init__(self, on_saved: Callable[[], None]) -> None:
        self._on_saved = on_saved
        self._watched = _Watched(frozenset(), frozenset(), 0.0)
        self._is_other = threading.Event()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def follow(self, files: Iterable[str], folders: Iterable[str] = (), *, since: float | None = None) -> None:
        """Watch these from now on, instead of the files and folders before.

        What was watched before is compared with what it was then; other files count as saved if they are newer than
        ``since``, when they were read (seconds of the epoch).
        """
        known = frozenset(files)
        places = frozenset(str(Path(file).parent) for file in known).union(folders)
        self._watched = _Watched(known, places, time.time() if since is None else since)
        self._is_other.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="config-watch", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._is_closed = True
        self._is_other.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        seen: Snapshot = {}
        while not self._is_closed:
            self._is_other.clear()
            watched = self._watched
            before, seen = seen, _snapshot(watched)
            if any(seen[key] != before[key] if key in before else _is_newer(seen[key], watched.since) for key in seen):
                self._on_saved()
            for is_reported in self._reports(watched):
                before, seen = seen, _snapshot(watched)
                if is_reported or before != seen:
                    self._on_saved()

    def _reports(self, watched: _Watched) -> Iterator[bool]:
        """Yield True for what the system reports, and False every few seconds, until something else is watched."""
        try:
            changes = watch(
                *sorted(folder for folder in watched.folders if Path(folder).is_dir()),
                watch_filter=lambda _, path: path in watched.files or _is_yaml(Path(path)),
                stop_event=self._is_other,
                debounce=_DEBOUNCE_MILLISECONDS,
                rust_timeout=_CHECK_MILLISECONDS,
                yield_on_timeout=True,
                recursive=False,
                raise_interrupt=False,
            )
            for reported in changes:
                yield bool(reported)
        except (OSError, RuntimeError) as error:
            log.warning("files are not watched, but looked at every few seconds", extra={"reason": str(error)})
        while not self._is_other.wait(_CHECK_MILLISECONDS / 1_000):
            yield False


def _snapshot(watched: _Watched) -> Snapshot:
    """Return what changes when something is saved: the stamp of each file, and the names in each folder."""
    snapshot: Snapshot = {file: _stamp(Path(file)) for file in watched.files}
    for folder in watched.folders:
        try:
            with os.scandir(folder) as entries:
                inside = frozenset(one.name for one in entries if _is_yaml(Path(one.name)) or one.is_dir())
        except OSError:
            inside = frozenset()
        snapshot[f"{folder}/"] = inside
    return snapshot


def _is_newer(stamp: object, since: float) -> bool:
    return isinstance(stamp, tuple) and stamp[0] >= since * 10**9


def _stamp(file: Path) -> object:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_yaml(path: Path) -> bool:
    return path.suffix in _YAML and not path.name.startswith(".")
