"""Worker processes: what may take too long or too much memory, as reading what strangers wrote, is killed for it."""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from feedhub.errors import ParseError, WorkerError
from feedhub.model.document import Document
from feedhub.model.item import Detail, ParsedFeed
from feedhub.model.kind import SourceKind
from feedhub.model.report import RecordTrace
from feedhub.model.source import Source
from feedhub.runtime.plugins import source_kind

if TYPE_CHECKING:
    from feedhub.sources.feed.discover import DiscoveredFeed
    from feedhub.sources.mapped.drafts import Draft

_PRELOADED: Final = ["feedhub.sources.read", "feedhub.sources.feed.web_feed"]  # what most documents need
_MOST_WORKERS: Final = 4
_ATTEMPTS: Final = 3
_MEMORY: Final = 1 << 30
_FIRST_THRESHOLD: Final = 20_000

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Broken:
    """An exception as a value, because some cannot be sent between processes."""

    words: str


class WorkerPool:
    """Runs functions in worker processes, which start with the first call. Safe for many threads.

    A call that takes longer than ``timeout`` seconds, or whose worker dies, is an error; its worker is replaced and the
    others go on. ``memory`` bounds the address space of a worker in bytes, where the system can. ``modules`` are
    imported before the first call, so that its time is not theirs. A call that ends because something is wrong with the
    pool, and not with what it did, is made again, in all ``attempts`` times.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout: float,
        memory: int = _MEMORY,
        modules: tuple[str, ...] = (),
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._attempts = attempts
        self._workers = workers or min(os.cpu_count() or 1, _MOST_WORKERS)
        self._timeout = timeout
        self._memory = memory
        self._modules = modules
        self._pool: ProcessPool | None = None
        self._pending: set[ProcessFuture[Any]] = set()
        self._closed = False
        self._lock = threading.Lock()

    def run(self, function: Callable[..., Answer], *given: object) -> Answer:
        """Return what a function of a module returns. What is given and returned is sent between processes.

        Raises:
            WorkerError: it took too long or too much memory, broke, or the pool was closed; says which.
        """
        for _ in range(self._attempts):
            pool = self._running()
            try:
                answer = self._answer(pool, function, given)
            except FutureTimeoutError as exc:
                raise WorkerError(f"it took longer than {self._timeout:g} s") from exc
            except ProcessExpired as exc:
                raise WorkerError("its process died; it may need too much memory") from exc
            except (CancelledError, BrokenProcessPool, RuntimeError):
                self._discard(pool)  # a fault of the pool and not of what it did: try again with a new one
            else:
                if isinstance(answer, _Broken):
                    raise WorkerError(answer.words)
                return answer
        raise WorkerError("no process could be started for it")

    def close(self) -> None:
        """Stop the workers at once; what they do ends in errors."""
        with self._lock:
            self._closed = True
            pool = self._pool
        if pool is not None:
            self._discard(pool)

    def _answer(
        self, pool: ProcessPool, function: Callable[..., Answer], given: tuple[object, ...]
    ) -> Answer | _Broken:
        future: ProcessFuture[Answer | _Broken] = pool.schedule(
            _guarded, args=(function, *given), timeout=self._timeout
        )
        with self._lock:
            is_running = self._pool is pool
            if is_running:
                self._pending.add(future)
        if not is_running:
            future.cancel()  # type: ignore[no-untyped-call]
        try:
            return future.result()
        finally:
            with self._lock:
                self._pending.discard(future)

    def _running(self) -> ProcessPool:
        with self._lock:
            if self._closed:
                raise WorkerError("it was stopped")
            if self._pool is None:
                self._pool = ProcessPool(
                    max_workers=self._workers,
                    context=_context(),
                    initializer=_prepare,
                    initargs=(self._memory, self._modules),
                )
            return self._pool

    def _discard(self, pool: ProcessPool) -> None:
        """Stop a pool for good, after cancelling what waits in it.

        pebble stops by itself when a worker dies while idle, and never answers the tasks that wait.
        """
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
            pending, self._pending = self._pending, set()
        for future in pending:
            future.cancel()  # type: ignore[no-untyped-call]
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _context() -> BaseContext:
    """Return how workers start: never by fork, which copies locks that other threads hold."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _prepare(memory: int, modules: tuple[str, ...]) -> None:
    """Set a worker up: Ctrl-C is left to the parent, and memory is bounded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        importlib.import_module(module)
    # What was imported stays, and answers hold no cycles: Python need not look through them all for each document.
    gc.freeze()
    gc.set_threshold(_FIRST_THRESHOLD, *gc.get_threshold()[1:])
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _guarded(function: Callable[..., Answer], *given: object) -> Answer | _Broken:
    try:
        return function(*given)
    except MemoryError:
        return _Broken("it needs too much memory")
    except Exception as exc:  # noqa: BLE001 - what is hostile to us may break anything; it costs this call only
        return _Broken(f"{type(exc).__name__}: {str(exc)[:200]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A ParseError as a value, because exceptions with keyword arguments cannot be sent between processes."""

    message: str
    offers: tuple[str, ...]


class ParsePool:
    """Implements ``Parser`` over worker processes that start with the first document.

    A document that takes longer than ``timeout`` seconds, or whose worker dies, is a ParseError; see ``WorkerPool``.
    ``kinds`` gives what a kind declares, or raises ParseError.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout: float = 20.0,
        kinds: Callable[[str], SourceKind] = source_kind,
    ) -> None:
        self._pool = WorkerPool(workers=workers, timeout=timeout)
        self._kind_of = kinds

    def parse(self, document: Document, source: Source) -> ParsedFeed:
        """Return the items of ``document``; see ``feedhub.ports.world.Parser``."""
        return self._read(_prepared, document, source, self._kind_of(source.kind).reader)

    def detail(self, document: Document, source: Source) -> Detail:
        """Return what a second answer says; see ``feedhub.ports.world.Parser``."""
        return self._read(_detail, document, source)

    def trace(self, document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
        """Return what each path gave; see ``feedhub.runtime.inspection.PreviewParser``."""
        tracer = self._kind_of(source.kind).tracer
        return self._read(_trace, document, source, limit, tracer) if tracer else ()

    def offers(self, document: Document) -> "tuple[DiscoveredFeed, ...]":
        """Return the feeds that a page offers; see ``feedhub.runtime.inspection.PreviewParser``."""
        return self._read(_offers, document)

    def draft(self, document: Document, source: Source) -> "Draft | None":
        """Return how a document that is no feed might be read: for ``feedhub add``.

        Raises:
            ParseError: it takes too long or too much memory.
        """
        return self._read(_draft, document, source)

    def run(self, function: Callable[..., Answer], /, *given: object) -> Answer:
        """Have a worker do something else that takes long; see ``WorkerPool.run``."""
        return self._pool.run(function, *given)

    def close(self) -> None:
        """Stop the workers at once; documents that are being read fail with ParseError."""
        self._pool.close()

    def _read(self, read: Callable[..., Answer], *given: object) -> Answer:
        try:
            answer = self._pool.run(_refusing, read, *given)
        except WorkerError as error:
            raise ParseError(f"cannot be read: {error}") from error
        if isinstance(answer, _Refusal):
            raise ParseError(answer.message, offers=answer.offers)
        return cast(Answer, answer)


# The readers are imported in the workers: this process needs none of them, and mostly nothing is read.


def _prepared(document: Document, source: Source, reader: str) -> ParsedFeed:
    from feedhub.sources.read import read_and_clean

    return read_and_clean(document, source, reader)


def _detail(document: Document, source: Source) -> Detail:
    from feedhub.sources.mapped.full_text import read_detail

    return read_detail(document, source)


def _trace(document: Document, source: Source, limit: int, tracer: str) -> tuple[RecordTrace, ...]:
    from feedhub.sources.read import trace_document

    return trace_document(document, source, limit, tracer)


def _offers(document: Document) -> "tuple[DiscoveredFeed, ...]":
    from feedhub.sources.feed.discover import discover_feeds

    return discover_feeds(document)


def _draft(document: Document, source: Source) -> "Draft | None":
    from feedhub.sources.mapped.drafts import draft

    return draft(document, source)


def _refusing(read: Callable[..., Answer], *given: object) -> Answer | _Refusal:
    try:
        return read(*given)
    except ParseError as exc:
        return _Refusal(message=str(exc), offers=exc.offers)
