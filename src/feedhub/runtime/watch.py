"""Telling when a file of the configuration was saved."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from watchfiles import Change, watch

log = logging.getLogger(__name__)

_YAML: Final = frozenset({".yaml", ".yml"})
_DEBOUNCE: Final = 400


class ConfigWatch:
    """Calls ``on_saved`` from a thread of its own when one of ``files``, or a YAML file beside one, was written.

    Folders are watched and not files: editors put a new file in the place of the old one, and an ``include`` pattern
    may begin to match a file that is new.
    """

    def __init__(self, on_saved: Callable[[], None]) -> None:
        self._on_saved = on_saved
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, files: Iterable[str]) -> None:
        """Watch these from now on, instead of those before."""
        self.close()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(frozenset(files), self._stop), name="config-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, files: frozenset[str], stop: threading.Event) -> None:
        folders = sorted({str(Path(file).parent) for file in files if Path(file).parent.is_dir()})

        def is_ours(_: Change, path: str) -> bool:
            return path in files or (Path(path).suffix in _YAML and not Path(path).name.startswith("."))

        try:
            changes = watch(
                *folders,
                watch_filter=is_ours,
                stop_event=stop,
                debounce=_DEBOUNCE,
                recursive=False,
                raise_interrupt=False,
            )
            for _ in changes:
                self._on_saved()
        except OSError as error:
            log.warning("saved configuration files are not noticed (send SIGHUP instead): %s", error)
