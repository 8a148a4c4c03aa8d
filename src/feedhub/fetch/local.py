"""Local files as sources (SPEC §3). Reading one may block without end, as on a network drive that is gone."""

import hashlib
import os
import queue
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from feedhub.errors import DeadlineError, FetchError, TooLargeError
from feedhub.model.document import Document, NotModified, Request, Validators

_MOST_ABANDONED: Final = 8
_CHECK_INTERVAL: Final = 0.25

Answer = Document | NotModified | Exception


class Reads:
    """Reads files in threads of their own, which nobody can end: those that block are abandoned, a few at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._abandoned: dict[Path, threading.Thread] = {}

    def read(self, path: Path, request: Request, is_closed: Callable[[], bool]) -> Answer:
        """Return the answer, or what reading failed with.

        Raises:
            DeadlineError: it took too long, or ``is_closed`` meanwhile.
            FetchError: this file, or too many others, were abandoned and are still waited for.
        """
        self._require_room(path)
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        thread = threading.Thread(target=_put_read, args=(path, request, answers), name="read file", daemon=True)
        thread.start()
        until = time.monotonic() + request.timeout
        while (left := until - time.monotonic()) > 0 and not is_closed():
            with suppress(queue.Empty):
                return answers.get(timeout=min(left, _CHECK_INTERVAL))
        with self._lock:
            self._abandoned[path] = thread
        raise DeadlineError(f"{path} could not be read within {request.timeout:g} s")

    def _require_room(self, path: Path) -> None:
        with self._lock:
            self._abandoned = {each: thread for each, thread in self._abandoned.items() if thread.is_alive()}
            if path in self._abandoned:
                raise FetchError(f"cannot read {path}: an earlier attempt still waits for it")
            if len(self._abandoned) >= _MOST_ABANDONED:
                raise FetchError(f"cannot read {path}: {_MOST_ABANDONED} other files are still waited for")


def _put_read(path: Path, request: Request, answers: "queue.SimpleQueue[Answer]") -> None:
    try:
        answers.put(_read(path, request))
    except Exception as exc:  # noqa: BLE001 - raised by who waits for it
        answers.put(exc)


class LocalFetcher:
    """Reads ``file://`` addresses. The validator is time and size, so an unchanged file is not read again."""

    def __init__(self, reads: Reads | None = None) -> None:
        """``reads`` are taken over from an earlier fetcher."""
        self._reads = reads or Reads()
        self._is_closed = False

    def fetch(self, request: Request) -> Document | NotModified:
        """Return the file.

        Raises:
            FetchError: missing, unreadable, not a regular file, empty, or changed while it was read.
            DeadlineError: reading it took longer than ``request.timeout``.
            TooLargeError: more bytes than ``request.max_size``.
        """
        path = _path_of(request.url)
        answer = self._reads.read(path, request, lambda: self._is_closed)
        match answer:
            case FileNotFoundError():
                raise FetchError(f"no such file: {path}") from answer
            case PermissionError():
                raise FetchError(f"no permission to read {path}") from answer
            case OSError() | ValueError():
                raise FetchError(f"cannot read {path}") from answer
            case Exception():
                raise answer
        return answer

    def close(self) -> None:
        """End waiting for files."""
        self._is_closed = True


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise FetchError("a file on another machine cannot be read: write file:/// and the path")
    return Path(url2pathname(parts.path))


def _read(path: Path, request: Request) -> Document | NotModified:
    # The status is asked before opening, because opening a device or a pipe can block or have effects.
    status = path.stat()
    validators = _validators(status, path)
    if validators == request.validators:
        return NotModified(url=request.url, validators=validators)
    with path.open("rb") as file:
        body = file.read(request.max_size + 1)
        # The file may have been replaced between the two calls, or grow while it is read.
        is_same = _validators(os.fstat(file.fileno()), path) == validators
    if len(body) > request.max_size:
        raise TooLargeError(f"{path} is larger than {request.max_size} bytes")
    if not is_same:
        raise FetchError(f"{path} changed while it was read")
    if not body:
        raise FetchError(f"{path} is empty")
    return Document(
        url=request.url,
        body=body,
        digest=hashlib.sha256(body).hexdigest(),
        validators=validators,
        fetched_at=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _validators(status: os.stat_result, path: Path) -> Validators:
    if not stat.S_ISREG(status.st_mode):
        raise FetchError(f"{path} is not a regular file")
    return Validators(etag=f"{status.st_mtime_ns}-{status.st_size}")
