"""Worker processes: what may take too long or too much memory, as reading what strangers wrote, is killed for it."""

import gc
import importlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

from feedhub.errors import ParseError, WorkerError
from feedhub.model.document import Document
from feedhub.model.item import Detail, ParsedFeed
from feedhub.model.kind import SourceKind
from feedhub.model.report import RecordTrace
from feedhub.model.source import Source
from feedhub.runtime.plugins import source_kind

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext

    from feedhub.sources.feed.discover import DiscoveredFeed
    from feedhub.sources.mapped.drafts import Draft

_PRELOADED: Final = ["feedhub.sources.read", "feedhub.sources.feed.web_feed", "feedhub.sources.mapped.full_text"]
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
    """Runs functions in worker processes, each of which starts when it is needed. Safe for many threads.

    A call that takes longer than ``timeout`` seconds, or whose worker dies, is an error; its worker is replaced and the
    others go on. ``memory`` bounds the address space of a worker in bytes, where the system can. ``modules`` are
    imported before the first call, so that its time is not theirs.
    """

    def __init__(
        self, *, workers: int | None = None, timeout: float, memory: int = _MEMORY, modules: tuple[str, ...] = ()
    ) -> None:
        self._timeout = timeout
        self._memory = memory
        self._modules = modules
        self._workers: set[_Worker] = set()
        # One place for each worker, None where it is not started. What came last goes first: few of them start.
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers or min(os.cpu_count() or 1, _MOST_WORKERS)):
            self._places.put(None)
        self._closed = False
        self._lock = threading.Lock()

    def run(self, function: Callable[..., Answer], *given: object) -> Answer:
        """Return what a function of a module returns. What is given and returned is sent between processes.

        Raises:
            WorkerError: it took too long or too much memory, broke, or the pool was closed; says which.
        """
        task = pickle.dumps((function, given), pickle.HIGHEST_PROTOCOL)
        for _ in range(_ATTEMPTS):
            try:
                with self._lent() as worker:
                    answer: Answer | _Broken = pickle.loads(worker.ask(task, self._timeout))  # noqa: S301 - our own
            except _DeadWorkerError:
                continue
            except TimeoutError as exc:
                raise WorkerError(f"it took longer than {self._timeout:g} s") from exc
            except (EOFError, OSError) as exc:
                words = "it was stopped" if self._closed else "its process died; it may need too much memory"
                raise WorkerError(words) from exc
            if isinstance(answer, _Broken):
                raise WorkerError(answer.words)
            return answer
        raise WorkerError("no process could be started for it")

    def close(self) -> None:
        """Stop the workers at once; what they do ends in errors."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        # Those at work are ended by the threads that asked them.
        places = 0
        with suppress(queue.Empty):
            while True:
                idle = self._places.get_nowait()
                places += 1
                if idle is not None:
                    self._end(idle)
        for _ in range(places):
            self._places.put(None)

    @contextmanager
    def _lent(self) -> Iterator["_Worker"]:
        """Lend a worker to one thread; one with which anything goes wrong is ended."""
        worker = self._places.get()
        kept = None
        try:
            worker = worker or self._started()
            yield worker
            kept = worker
        finally:
            if worker is not None and kept is None:
                self._end(worker)
            self._places.put(kept)

    def _started(self) -> "_Worker":
        with self._lock:
            if self._closed:
                raise WorkerError("it was stopped")
            try:
                worker = _Worker(self._memory, self._modules)
            except (EOFError, OSError, RuntimeError) as exc:
                raise _DeadWorkerError from exc
            self._workers.add(worker)
            return worker

    def _end(self, worker: "_Worker") -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end()


class _DeadWorkerError(Exception):
    """A worker did not start, or died before it was given its task: another may get it."""


class _Worker:
    """A process that does one task after the other, and our end of the pipe to it."""

    def __init__(self, memory: int, modules: tuple[str, ...]) -> None:
        context = _context()
        self._pipe, theirs = context.Pipe()
        with closing(theirs):
            self._process = context.Process(target=_serve, args=(theirs, memory, modules), daemon=True)
            self._process.start()
        self._is_ready = False

    def ask(self, task: bytes, timeout: float) -> bytes:
        """Return what it answers to a task.

        Raises:
            TimeoutError: it does not within so many seconds.
            EOFError: it dies of it, or is killed; OSError is the same.
        """
        try:
            if not self._is_ready:
                self._pipe.recv_bytes()
                self._is_ready = True
            self._pipe.send_bytes(task)
        except (EOFError, OSError) as exc:
            raise _DeadWorkerError from exc
        if not self._pipe.poll(timeout):
            raise TimeoutError
        answer: bytes = self._pipe.recv_bytes()
        return answer

    def kill(self) -> None:
        """Kill it, from any thread: the one that waits for it learns that it died."""
        self._process.kill()

    def end(self) -> None:
        """Kill it, and free what it took here."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


def _context() -> "SpawnContext | ForkServerContext":
    """Return how workers start: never by fork, which copies locks that other threads hold."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _serve(pipe: "Connection[bytes, bytes]", memory: int, modules: tuple[str, ...]) -> None:
    """Be a worker, until the other end of the pipe is closed. First of all, tell that it is ready."""
    _prepare(memory, modules)
    with suppress(EOFError, OSError, MemoryError):
        pipe.send_bytes(b"")
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


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


def _answer(task: bytes) -> bytes:
    try:
        function, given = pickle.loads(task)  # noqa: S301 - our own
        return pickle.dumps(function(*given), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        broken = _Broken("it needs too much memory")
    except Exception as exc:  # noqa: BLE001 - what is hostile to us may break anything; it costs this call only
        broken = _Broken(f"{type(exc).__name__}: {str(exc)[:200]}")
    return pickle.dumps(broken)


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
