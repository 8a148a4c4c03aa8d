"""Reading a saved configuration for the daemon: in a process of its own under limits, while polls go on."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedhub.errors import ConfigError, WorkerError
from feedhub.model.settings import Problem, Settings
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.worker_pool import WorkerPool

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
