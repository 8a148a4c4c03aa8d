"""Noticing that a file of the configuration was saved."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from watchfiles import Change, watch

log = logging.getLogger(__name__)

_YAML: Final = frozenset({".yaml", ".yml"})
_DEBOUNCE_MILLISECONDS: Final = 400
_CHECK_MILLISECONDS: Final = 2_000

Snapshot = dict[str, object]


class ConfigWatch:
    """Calls ``on_saved`` from a thread of its own when one of ``files``, or a YAML file in ``folders``, was written.

    Folders are watched and not files, because editors replace a file by a new one, and an ``include`` pattern may match
    a new file. Every two seconds the files are also compared: the system does not report what is written behind a
    link, by another machine, or through a volume of a container.
    """

    def __init__(self, on_saved: Callable[[], None]) -> None:
        self._on_saved = on_saved
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, files: Iterable[str], folders: Iterable[str] = ()) -> None:
        """Watch these from now on, instead of the files and folders before."""
        self.close()
        self._stop = threading.Event()
        known = frozenset(files)
        places = {Path(file).parent for file in known} | {Path(folder) for folder in folders}
        present = frozenset(str(place) for place in places if place.is_dir())
        arguments = (known, present, _snapshot(known, present), self._stop)
        self._thread = threading.Thread(target=self._run, args=arguments, name="config-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, files: frozenset[str], folders: frozenset[str], snapshot: Snapshot, stop: threading.Event) -> None:
        def is_ours(_: Change, path: str) -> bool:
            return path in files or _is_yaml(Path(path))

        try:
            changes = watch(
                *sorted(folders),
                watch_filter=is_ours,
                stop_event=stop,
                debounce=_DEBOUNCE_MILLISECONDS,
                rust_timeout=_CHECK_MILLISECONDS,
                yield_on_timeout=True,
                recursive=False,
                raise_interrupt=False,
            )
            for reported in changes:
                before, snapshot = snapshot, _snapshot(files, folders)
                if reported or before != snapshot:
                    self._on_saved()
        except OSError as error:
            log.warning("files are not watched, but looked at every few seconds", extra={"reason": str(error)})
            while not stop.wait(_CHECK_MILLISECONDS / 1_000):
                before, snapshot = snapshot, _snapshot(files, folders)
                if before != snapshot:
                    self._on_saved()


def _snapshot(files: Iterable[str], folders: Iterable[str]) -> Snapshot:
    """Return what changes when something is saved: the stamp of each file, and the names in each folder."""
    snapshot: Snapshot = {file: _stamp(Path(file)) for file in files}
    for folder in folders:
        try:
            inside = frozenset(one.name for one in Path(folder).iterdir() if _is_yaml(one) or one.is_dir())
        except OSError:
            inside = frozenset()
        snapshot[f"{folder}/"] = inside
    return snapshot


def _stamp(file: Path) -> object:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_yaml(path: Path) -> bool:
    return path.suffix in _YAML and not path.name.startswith(".")
