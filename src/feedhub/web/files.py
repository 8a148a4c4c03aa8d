"""Published files as an ASGI application: read once, cached while they are unchanged, sent as prepared bytes."""

import asyncio
import os
import re
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from feedhub.errors import PublishError
from feedhub.publish.addresses import slug_of
from feedhub.publish.files import checked_parts
from feedhub.rules.select import REMOVALS_PATH, read_removals
from feedhub.web.representation import (
    ALLOWED,
    SECURITY,
    Fields,
    Headers,
    ServedFile,
    answer_for,
    fields_by_name,
    prepare_file,
)

_CAPACITY: Final = 64_000_000
LARGEST: Final = 64_000_000
"""Bytes of the largest file that is served. A feed is thousands of times smaller."""


class FileCache:
    """Files of the output folder in memory: none outside of it, none hidden, no symbolic link. For many threads."""

    def __init__(
        self, folder: str, capacity: int = _CAPACITY, added_types: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        """``capacity`` is in bytes; ``added_types`` returns media types of feeds in formats of plugins, by ending."""
        self.folder = folder
        self._added_types = added_types
        self._capacity = capacity
        self._files: OrderedDict[str, ServedFile] = OrderedDict()
        self._used = 0
        self._lock = threading.Lock()

    def get(self, path: str) -> ServedFile | None:
        """Return a file that is in memory and unchanged on the disk; None when ``load`` has to read it."""
        file = self._files.get(path)
        if file is None:
            return None
        try:
            status = os.lstat(f"{self.folder}/{path}")
        except OSError:
            return None
        if _stamp(status) != file.stamp:
            return None
        with self._lock:
            if path in self._files:
                self._files.move_to_end(path)
        return file

    def load(self, path: str) -> ServedFile | None:
        """Return a file, read from the disk if need be; None when no file may be served under that path. Blocks."""
        if not is_servable(path):
            return None
        file = self.get(path)
        if file is not None:
            return file
        try:
            file = self._read(path)
        except OSError:
            file = None
        self._put(path, file)
        return file

    def _read(self, path: str) -> ServedFile | None:
        root = Path(os.path.realpath(self.folder))
        target = root.joinpath(*path.split("/"))
        # Folders may be links that stay inside. The file itself is never one, because publishing replaces links.
        parent = Path(os.path.realpath(target.parent))
        if not parent.is_relative_to(root):
            return None
        # O_NONBLOCK, because a named pipe would block.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(parent / target.name, flags)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                return None
            body = stream.read()
            # Publishing replaces whole files. A file of others may grow meanwhile, and is read again next time.
            return prepare_file(path, body, _stamp(status), status.st_mtime, self._added_types())

    def _put(self, path: str, file: ServedFile | None) -> None:
        with self._lock:
            old = self._files.pop(path, None)
            self._used -= old.size if old else 0
            if file is None or file.size > self._capacity // 2:
                return
            self._files[path] = file
            self._used += file.size
            while self._used > self._capacity:
                _, dropped = self._files.popitem(last=False)
                self._used -= dropped.size


def is_servable(path: str) -> bool:
    """Tell whether a relative path with forward slashes may be served: without ``..`` and without hidden names."""
    try:
        return not any(part.startswith(".") for part in checked_parts(path))
    except PublishError:
        return False


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


_INDEX: Final = "index.html"
_MISSING: Final = "404.html"

_SIMPLE_REQUEST: Final = re.compile(rb"GET (/[A-Za-z0-9_./-]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[^\r\n\x00]*\r\n)+)\r\n")
_LONGEST_SIMPLE: Final = 8_192
# A request with one of these header fields is answered by the full implementation of HTTP.
_UNUSUAL_FIELDS: Final = frozenset(
    b"range if-range if-match if-unmodified-since content-length transfer-encoding expect upgrade te trailer".split()
)
_ENCODED_SEPARATOR: Final = re.compile(rb"%2f|%5c", re.IGNORECASE)
_PLAIN_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class FastAnswer:
    """A whole answer as bytes; ``header_bytes`` lack the status line and the date."""

    status: int
    header_bytes: bytes
    body: bytes


class PublishedFiles:
    """Serves one output folder, whose path is asked for at every request, because a reload may change it.

    ``reading`` runs what reads from the disk. ``message`` makes the page for an unknown address where none is
    published; it gets ``missing`` or ``gone``, and the path from there to the root, as
    ``../``.
    """

    def __init__(
        self,
        folder: Callable[[], str],
        reading: Executor,
        message: Callable[[str, str], bytes],
        added_types: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._folder = folder
        self._added_types = added_types
        self._reading = reading
        self._message = message
        self._cache = FileCache(folder(), added_types=added_types)

    @property
    def cache(self) -> FileCache:
        """The files in memory of the present folder."""
        folder = self._folder()
        if folder != self._cache.folder:
            self._cache = FileCache(folder, added_types=self._added_types)
        return self._cache

    def fast_answer(self, request: bytes) -> FastAnswer | None:
        """Answer a plain GET of a cached file as ``__call__`` would; None for every other request."""
        if len(request) > _LONGEST_SIMPLE or not (match := _SIMPLE_REQUEST.fullmatch(request)):
            return None
        fields = _simple_fields(match[2])
        if fields is None:
            return None
        file = self.cache.get(_file_path(match[1].decode("ascii")))
        if file is None:
            return None
        answer = answer_for(file, fields)
        representation = answer.representation
        if answer.status == 304:
            return FastAnswer(status=304, header_bytes=representation.not_modified_bytes, body=b"")
        return FastAnswer(status=200, header_bytes=representation.header_bytes, body=representation.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET or HEAD (ASGI 3)."""
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, 405, [ALLOWED, _PLAIN_TEXT, *SECURITY], b"only GET and HEAD\n")
            return
        path = _decoded(scope["raw_path"])
        file = None if path is None else await self._file(_file_path(path))
        if file is None:
            await self._not_found(send, path, "../" * (scope["raw_path"].count(b"/") - 1))
            return
        answer = answer_for(file, fields_by_name(scope["headers"]))
        await respond(send, answer.status, answer.headers, answer.body)

    async def _file(self, path: str) -> ServedFile | None:
        cache = self.cache
        return cache.get(path) or await asyncio.get_running_loop().run_in_executor(self._reading, cache.load, path)

    async def _not_found(self, send: Send, path: str | None, root: str) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-cache"), *SECURITY]
        slug = slug_of((path or "")[1:])
        loop = asyncio.get_running_loop()
        is_gone = slug is not None and await loop.run_in_executor(self._reading, _is_removed, self._folder(), slug)
        if is_gone:
            await respond(send, 410, headers, self._message("gone", root))
            return
        page = await self._file(_MISSING)
        await respond(send, 404, headers, page.plain.body if page else self._message("missing", root))


def _is_removed(folder: str, slug: str) -> bool:
    """Tell whether a category was removed, so that what belongs to it and is not there is gone for good. Blocks."""
    try:
        note = Path(folder, REMOVALS_PATH).read_bytes()
    except OSError:
        return False
    return slug in read_removals(note)


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole answer, with its length. The server leaves the body of a HEAD out."""
    if status != 304 and not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _file_path(path: str) -> str:
    relative = path[1:]
    return relative + _INDEX if not relative or relative.endswith("/") else relative


def _decoded(raw: bytes) -> str | None:
    """Return the path of a request; None for one with an encoded separator, or that is no UTF-8."""
    if not raw.startswith(b"/") or _ENCODED_SEPARATOR.search(raw):
        return None
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _simple_fields(lines: bytes) -> Fields | None:
    """Return the header fields of a simple request; None for any other."""
    fields: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in fields:
            return None
        fields[name] = value.strip(b" \t")
    if b"host" not in fields or not _UNUSUAL_FIELDS.isdisjoint(fields):
        return None
    return fields if fields.get(b"connection", b"keep-alive").lower() == b"keep-alive" else None
