"""The configuration under a daemon: noticing that it was saved, and reading it in a process of its own under limits."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedhub.errors import ConfigError, WorkerError
from feedhub.model.settings import Problem, Settings
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.worker_pool import WorkerPool

log = logging.getLogger(__name__)

_TIMEOUT: Final = 60.0
_MEMORY: Final = 2 << 30
MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A ConfigError as a value, of which the first ``MOST_PROBLEMS`` problems are kept; ``count`` is that of all."""

    problems: tuple[Problem, ...]
    count: int
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class ConfigLoader:
    """Loads the configuration named by ``path`` and ``overrides`` (see ``config/load.py``) in a worker process.

    One that takes longer than ``timeout`` seconds or more than ``memory`` bytes, or kills its worker, is unusable.
    """

    def __init__(
        self, path: str | None, overrides: Sequence[str] = (), *, timeout: float = _TIMEOUT, memory: int = _MEMORY
    ) -> None:
        self._given = (path, tuple(overrides), dict(os.environ), str(Path.cwd()))
        self._timeout = timeout
        self._memory = memory
        self._pool: WorkerPool | None = None

    def load(self) -> Settings | Unusable:
        """Return the settings, or why there are none; raises nothing."""
        self._pool = pool = WorkerPool(
            workers=1, timeout=self._timeout, memory=self._memory, modules=("feedhub.config.load",)
        )
        try:
            return pool.run(load_or_say_why, *self._given)
        except WorkerError as error:
            # Which file it was is not known; the first is the one to begin with.
            return unusable(self._given[0] or "the configuration", str(error))
        finally:
            pool.close()

    def close(self) -> None:
        """End what is being loaded."""
        if self._pool is not None:
            self._pool.close()


def unusable(file: str, reason: str) -> Unusable:
    """Return what to say of a configuration that cannot be used for a reason without a place in it."""
    problem = Problem(file=file, line=0, column=0, key="", message=f"cannot be used: {reason}")
    return Unusable(problems=(problem,), count=1)


def load_or_say_why(
    path: str | None, overrides: Sequence[str], environ: Mapping[str, str], cwd: str
) -> Settings | Unusable:
    """Load a configuration; what is wrong with it is a value. This is what the worker runs."""
    try:
        return load_settings(path, overrides, environ, cwd)
    except ConfigError as error:
        return Unusable(
            problems=error.problems[:MOST_PROBLEMS],
            count=len(error.problems),
            files=error.files,
            folders=error.folders,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration was read because of ``reason``; ``began`` is when (seconds of the epoch)."""

    reason: str
    began: float
    outcome: Settings | Unusable


class BackgroundLoad:
    """Loads in a thread and puts the outcome; what is asked for meanwhile is loaded once more, and only that is put."""

    def __init__(self, load: Callable[[], Settings | Unusable], put: Callable[[Loaded], None]) -> None:
        self._load = load
        self._put = put
        self._lock = threading.Lock()
        self._wanted: str | None = None
        self._is_running = False

    def start(self, reason: str) -> None:
        """Load, soon."""
        with self._lock:
            self._wanted = reason
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="load configuration", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                reason, self._wanted = self._wanted or "", None
            began, outcome = time.time(), self._loaded()
            with self._lock:
                if self._wanted is None:
                    self._is_running = False
                    self._put(Loaded(reason=reason, began=began, outcome=outcome))
                    return

    def _loaded(self) -> Settings | Unusable:
        try:
            return self._load()
        except Exception as error:  # noqa: BLE001 - as when no process can be started: the next save tries again
            return unusable("the configuration", f"{type(error).__name__}: {error}")


_YAML: Final = frozenset({".yaml", ".yml"})
_DEBOUNCE_MILLISECONDS: Final = 400
_CHECK_MILLISECONDS: Final = 2_000
_PATIENCE: Final = 5.0
_Snapshot = dict[str, object]


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
    link, by another machine, through a volume of a container, or just before the watching of these begins. Only that
    thread looks at the disk, which may block.
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
        seen: _Snapshot = {}
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
        from watchfiles import watch

        try:
            changes = watch(
                *sorted(folder for folder in watched.folders if Path(folder).is_dir()),
                watch_filter=None,
                stop_event=self._is_other,
                debounce=_DEBOUNCE_MILLISECONDS,
                rust_timeout=_CHECK_MILLISECONDS,
                yield_on_timeout=True,
                recursive=False,
                raise_interrupt=False,
            )
            looked = time.monotonic()
            for reported in changes:
                is_of_ours = any(path in watched.files or _is_yaml(Path(path)) for _, path in reported)
                # Where something else is written all the time, such as a log, there is always something to report.
                if is_of_ours or not reported or time.monotonic() - looked >= _CHECK_MILLISECONDS / 1_000:
                    looked = time.monotonic()
                    yield is_of_ours
        except (OSError, RuntimeError) as error:
            log.warning("files are not watched, but looked at every few seconds", extra={"reason": str(error)})
        while not self._is_other.wait(_CHECK_MILLISECONDS / 1_000):
            yield False


def _snapshot(watched: _Watched) -> _Snapshot:
    """Return what changes when something is saved: the stamp of each file, and the names in each folder."""
    snapshot: _Snapshot = {file: _stamp(Path(file)) for file in watched.files}
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
