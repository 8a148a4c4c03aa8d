"""Published files in memory: read once, kept while they are unchanged, the least used given up first."""

import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from feedhub.errors import PublishError
from feedhub.publish.paths import checked_parts
from feedhub.web.prepared import Prepared, prepare

_ROOM: Final = 64_000_000
LARGEST: Final = 64_000_000
"""Bytes of the largest file that is served. A feed is thousands of times smaller; a web server serves the rest."""


class Shelf:
    """The files of the output folder: nothing outside of it, nothing hidden, no symbolic link. For many threads."""

    def __init__(self, folder: str, room: int = _ROOM) -> None:
        self.folder = folder
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
            return prepare(path, body, _stamp(status), status.st_mtime)

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
