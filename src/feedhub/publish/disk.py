"""What the disk holds: files and names that reach it together, a plan of them that outlives a power cut, a lock."""

import contextlib
import errno
import hashlib
import json
import os
import socket
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from feedhub.errors import FolderInUseError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FEW, _SYNC_THREADS = 4, 8
_LITTLE: Final = 64 << 20
_AS_LONG_AS_ONE_FILE: Final = 256 << 10
_MODE: Final = 0o644
_LONGEST_HOLDER: Final = 1_000
_PAUSE: Final = 0.005
_MEMORY: Final = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class FileMark:
    """By what it is known whether a file is whole."""

    size: int
    digest: str

    def is_of(self, place: str) -> bool:
        """Tell whether this is the mark of what lies at a place; raises OSError."""
        if os.path.islink(place) or not os.path.isfile(place) or os.stat(place).st_size != self.size:
            return False
        return mark_of(read_file(place)) == self


def read_file(place: str) -> bytes:
    """Return what a file holds, without the cost of a buffer; raises OSError."""
    with FileIO(place) as stream:
        return stream.readall()


def mark_of(body: bytes) -> FileMark:
    """Return the mark of a file."""
    return FileMark(len(body), hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done at a place: ``source`` takes it, or nothing does. ``what`` says it to people.

    ``mark`` is that of a file which was written for it. A file that is moved goes to the path ``new``.
    """

    path: str
    what: str
    folder: str
    name: str
    source: str | None = None
    mark: FileMark | None = None
    new: str = ""

    def take(self) -> None:
        """Do it; raises OSError."""
        target = f"{self.folder}{os.sep}{self.name}"
        if self.source is not None:
            os.replace(self.source, target)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)

    def take_back(self) -> None:
        """Remove what was written for it."""
        if self.source is not None and self.mark is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.source)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """What is to be at a path: the file that lies beside it under a temporary name, or, without a mark, nothing."""

    path: str
    temporary: str = ""
    mark: FileMark | None = None


def plan_of(steps: Iterable[Step]) -> bytes:
    """Return what some steps come to, as JSON. Of files that are moved it says nothing: that is found out again."""
    planned: dict[str, list[str | int] | None] = {}
    for step in steps:
        if step.mark is not None and step.source is not None:
            planned[step.path] = [os.path.basename(step.source), step.mark.size, step.mark.digest]
        elif step.source is None:
            planned[step.path] = None
        else:
            planned.pop(step.path, None)
            planned.pop(step.new, None)
    return json.dumps(planned).encode()


def read_plan(body: bytes) -> list[PlannedFile]:
    """Return what ``plan_of`` wrote; nothing from a plan that did not reach the disk as a whole."""
    try:
        return [
            PlannedFile(path)
            if planned is None
            else PlannedFile(path, str(planned[0]), FileMark(int(planned[1]), str(planned[2])))
            for path, planned in json.loads(body).items()
        ]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return []


def sync_to_disk(paths: Collection[str]) -> None:
    """Have the disk hold some files, or the names in some folders: by file system where that is quicker."""
    if len(paths) > _FEW and is_quicker_together(len(paths), waiting_bytes()):
        devices = {os.lstat(path).st_dev: path for path in paths}
        if all(_sync_file_system(path) for path in devices.values()):
            return
    sync_each(paths)


def is_quicker_together(files: int, waiting: int) -> bool:
    """Tell whether to sync a file system, which waits for all that anybody wrote, ``waiting`` bytes, and not each file.

    By itself that takes a fifth of the processor's time. Beside somebody who copies gigabytes it took minutes.
    """
    return waiting <= max(_LITTLE, files * _AS_LONG_AS_ONE_FILE)


def waiting_bytes() -> int:
    """Return how much was written, by whomever, that the disk does not hold yet; 0 where nobody tells."""
    try:
        lines = (line.split() for line in _MEMORY.read_text("ascii").splitlines())
        return 1024 * sum(int(words[1]) for words in lines if words[0] in ("Dirty:", "Writeback:"))
    except (OSError, ValueError, IndexError):
        return 0


def sync_each(paths: Collection[str]) -> None:
    """Have the disk hold some files, or the names in some folders, one by one."""
    if len(paths) <= _FEW:
        for path in paths:
            _sync_one(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=_SYNC_THREADS) as threads:
        for _ in threads.map(_sync_one, paths):
            pass


def _sync_file_system(path: str) -> bool:
    """Sync the file system on which a file or folder lies; False where there is no such call."""
    from ctypes import CDLL, get_errno

    try:
        call = CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError, TypeError):
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if call(descriptor) == 0:
            return True
        if get_errno() in (errno.ENOSYS, errno.EPERM):
            return False
        raise OSError(get_errno(), os.strerror(get_errno()))
    finally:
        os.close(descriptor)


def _sync_one(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        if os.path.isdir(path):
            return  # a system that cannot open folders
        raise
    try:
        os.fsync(descriptor)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise  # some systems cannot sync a folder
    finally:
        os.close(descriptor)


class FolderLock:
    """A file that is locked by whoever writes into its folder, and names that process."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def take(self, place: Path, longest_wait: float) -> None:
        """Wait until nobody else has it. Where there can be none there is none: writing tells why.

        Raises:
            FolderInUseError: somebody else has had it for too long.
        """
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), _MODE)
        except OSError:
            return
        end = monotonic() + longest_wait
        while not _is_locked(descriptor):
            if monotonic() > end:
                holder = os.read(descriptor, _LONGEST_HOLDER)
                os.close(descriptor)
                raise FolderInUseError(f"{place.parent.parent}: {_in_words(holder)}")
            sleep(_PAUSE)
        self._descriptor = descriptor
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, _this_process())

    def release(self) -> None:
        """Give it back, if it was taken."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _is_locked(descriptor: int) -> bool:
    """Lock a file, until it is closed; False while another process has it locked. Some file systems have no locks."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LONGEST_HOLDER, os.SEEK_SET)  # what is locked there nobody else may read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        return False
    except OSError:
        pass
    return True


def _this_process() -> bytes:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode()


def _in_words(holder: bytes) -> str:
    """Return who is publishing, from what it says of itself."""
    try:
        told = json.loads(holder)
        return f"process {told['pid']} on {told['host']} has been publishing into it since {told['since']}"
    except (ValueError, TypeError, LookupError, RecursionError):
        return "another process is publishing into it"
