"""Published files as an ASGI application: read once, kept while they are unchanged, answered from prepared bytes."""

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
from feedhub.publish.files import checked_parts
from feedhub.web.prepared import ALLOWED, SECURITY, Fields, Headers, Prepared, chosen, joined, prepare

_ROOM: Final = 64_000_000
LARGEST: Final = 64_000_000
"""Bytes of the largest file that is served. A feed is thousands of times smaller; a web server serves the rest."""


class Shelf:
    """The files of the output folder: nothing outside of it, nothing hidden, no symbolic link. For many threads."""

    def __init__(self, folder: str, room: int = _ROOM, added_types: Callable[[], Mapping[str, str]] = dict) -> None:
        """``added_types`` gives the media types of feeds in formats of other packages, by ending."""
        self.folder = folder
        self._added_types = added_types
        self._room = room
        self._files: OrderedDict[str, Prepared] = OrderedDict()
        self._taken = 0
        self._lock = threading.Lock()

    def held(self, path: str) -> Prepared | None:
        """Return a file that is in memory and unchanged on the disk; None when ``taken`` has to read it."""
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

    def taken(self, path: str) -> Prepared | None:
        """Return a file, reading it if need be; None when there is none to be served under that path. Blocks."""
        if not is_servable(path):
            return None
        file = self.held(path)
        if file is not None:
            return file
        try:
            file = self._read(path)
        except OSError:
            file = None
        self._keep(path, file)
        return file

    def _read(self, path: str) -> Prepared | None:
        root = Path(os.path.realpath(self.folder))
        target = root.joinpath(*path.split("/"))
        # Folders may be links as long as they stay inside; the file itself is never one: we replace links.
        parent = Path(os.path.realpath(target.parent))
        if not parent.is_relative_to(root):
            return None
        # O_NONBLOCK: somebody's named pipe must not hold us.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(parent / target.name, flags)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                return None
            body = stream.read()
            # Ours are replaced whole. What others write into the folder may grow meanwhile: then it is read again.
            return prepare(path, body, _stamp(status), status.st_mtime, self._added_types())

    def _keep(self, path: str, file: Prepared | None) -> None:
        with self._lock:
            old = self._files.pop(path, None)
            self._taken -= old.size if old else 0
            if file is None or file.size > self._room // 2:
                return
            self._files[path] = file
            self._taken += file.size
            while self._taken > self._room:
                _, dropped = self._files.popitem(last=False)
                self._taken -= dropped.size


def is_servable(path: str) -> bool:
    """Tell whether a relative path with forward slashes may be a file of ours: it climbs nowhere and hides nothing."""
    try:
        return not any(part.startswith(".") for part in checked_parts(path))
    except PublishError:
        return False


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


_INDEX: Final = "index.html"
_MISSING: Final = "404.html"

_SIMPLE: Final = re.compile(rb"GET (/[A-Za-z0-9_./-]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[^\r\n\x00]*\r\n)+)\r\n")
_LONGEST_SIMPLE: Final = 8_192
# Whoever sends one of these goes the long way, through the whole of HTTP.
_UNUSUAL: Final = frozenset(
    b"range if-range if-match if-unmodified-since content-length transfer-encoding expect upgrade te trailer".split()
)
_HIDING: Final = re.compile(rb"%2f|%5c", re.IGNORECASE)
_PLAIN_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """A whole answer as bytes; ``lines`` lack the status line and the date."""

    status: int
    lines: bytes
    body: bytes


class Files:
    """Serves one output folder, whose path is asked for at every request: a reload may move it.

    ``reading`` runs what touches the disk for long; ``missing`` makes the page for a wrong address (given the way
    from there to the root, as ``../``), for a site that has published none.
    """

    def __init__(
        self,
        folder: Callable[[], str],
        reading: Executor,
        missing: Callable[[str], bytes],
        added_types: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._folder = folder
        self._added_types = added_types
        self._reading = reading
        self._missing = missing
        self._shelf = Shelf(folder(), added_types=added_types)

    @property
    def shelf(self) -> Shelf:
        """What is in memory of the present folder."""
        folder = self._folder()
        if folder != self._shelf.folder:
            self._shelf = Shelf(folder, added_types=self._added_types)
        return self._shelf

    def quick(self, request: bytes) -> Quick | None:
        """Answer a plain GET of a file that is in memory as the long way would; None for everything else."""
        if len(request) > _LONGEST_SIMPLE or not (match := _SIMPLE.fullmatch(request)):
            return None
        fields = _simple_fields(match[2])
        if fields is None:
            return None
        file = self.shelf.held(_file_path(match[1].decode("ascii")))
        if file is None:
            return None
        choice = chosen(file, fields)
        variant = choice.variant
        if choice.status == 304:
            return Quick(status=304, lines=variant.kept_lines, body=b"")
        return Quick(status=200, lines=variant.lines, body=variant.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET or HEAD (ASGI 3)."""
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, 405, [ALLOWED, _PLAIN_TEXT, *SECURITY], b"only GET and HEAD\n")
            return
        path = _decoded(scope["raw_path"])
        file = None if path is None else await self._file(_file_path(path))
        if file is None:
            await self._not_found(send, "../" * (scope["raw_path"].count(b"/") - 1))
            return
        choice = chosen(file, joined(scope["headers"]))
        await respond(send, choice.status, choice.headers, choice.body)

    async def _file(self, path: str) -> Prepared | None:
        shelf = self.shelf
        held = shelf.held(path)
        return held or await asyncio.get_running_loop().run_in_executor(self._reading, shelf.taken, path)

    async def _not_found(self, send: Send, root: str) -> None:
        page = await self._file(_MISSING)
        body = page.plain.body if page else self._missing(root)
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-cache"), *SECURITY]
        await respond(send, 404, headers, body)


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole answer; the length is added where it is missing. The server leaves the body of a HEAD out."""
    if status != 304 and not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _file_path(path: str) -> str:
    relative = path[1:]
    return relative + _INDEX if not relative or relative.endswith("/") else relative


def _decoded(raw: bytes) -> str | None:
    """Return a request's path; None for one that hides a separator, or is no text."""
    if not raw.startswith(b"/") or _HIDING.search(raw):
        return None
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _simple_fields(lines: bytes) -> Fields | None:
    """Return the header fields of a request; None when anything about them is out of the ordinary."""
    fields: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in fields:
            return None
        fields[name] = value.strip(b" \t")
    if b"host" not in fields or not _UNUSUAL.isdisjoint(fields):
        return None
    return fields if fields.get(b"connection", b"keep-alive").lower() == b"keep-alive" else None
