"""The output folder: files appear in it whole or not at all, and nothing is written elsewhere (SPEC §6, §9)."""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile

if sys.platform != "win32":
    import fcntl

# Control characters, and what Windows forbids in names; ":" is also its drive letter and its hidden streams.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_MAX_NAME_BYTES = 200  # of the usual 255: the temporary name is longer
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_MODE = 0o644
_REASONS = {
    errno.ENOSPC: "no room left on the disk",
    errno.EDQUOT: "no room left in the quota",
    errno.EFBIG: "the file would be larger than allowed",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EISDIR: "a folder is in the way",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "a symbolic link leads round in a circle",
}


class FolderWriter:
    """Writes files into one folder, which is made when the first file is written.

    Safe to use from many threads, and beside other processes that publish into the same folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._swept: set[Path] = set()

    def write(self, file: OutputFile) -> bool:
        """Write ``file`` through a temporary name; return False and touch nothing if the bytes are already there.

        Raises:
            PublishError: no room, no permission, or a path that would leave the folder.
        """
        target = self._target(file.path)
        with _os_errors(file.path, "written"):
            if not target.parent.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
            self._sweep(target.parent)
            if _holds(target, file.body):
                return False
            _replace(target, file.body)
            return True

    def remove(self, path: str) -> bool:
        """Remove a file that was published before; False if it was not there.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        target = self._target(path)
        with _os_errors(path, "removed"):
            try:
                target.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return False
            _sync_folder(target.parent)
            return True

    def read(self, path: str) -> bytes | None:
        """Return a published file, or None if it is not there or is no regular file.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        target = self._target(path)
        with _os_errors(path, "read"):
            return target.read_bytes() if _size(target) is not None else None

    def move(self, old: str, new: str) -> bool:
        """Rename a file in one step, in the place of what is at ``new``; False if ``old`` is not there.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        source, target = self._target(old), self._target(new)
        with _os_errors(old, f"moved to {new}"):
            if _size(source) is None:
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            _sync_folder(target.parent)
            _sync_folder(source.parent)
            return True

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder below, sorted, hidden ones left out; [] if there is none.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        place = self._target(f"{folder}/x").parent
        with _os_errors(folder, "listed"):
            try:
                with os.scandir(place) as entries:
                    found = [one.name for one in entries if one.is_file(follow_symlinks=False)]
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(name for name in found if not name.startswith("."))

    def _target(self, path: str) -> Path:
        """Return where ``path`` lies, and refuse what is not below the folder, symbolic links followed."""
        parts = checked_parts(path)
        # Path.resolve() raises RuntimeError for links that lead round in a circle, before Python 3.13.
        root = Path(os.path.realpath(self._folder))
        parent = Path(os.path.realpath(root.joinpath(*parts[:-1])))
        if not parent.is_relative_to(root):
            raise PublishError(f"{path}: leaves the output folder through a symbolic link")
        return parent / parts[-1]

    def _sweep(self, folder: Path) -> None:
        """Remove what killed runs left in ``folder``, once for each writer, because listing a large folder is slow."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        with os.scandir(folder) as entries:
            leftovers = [Path(entry.path) for entry in entries if _LEFTOVER.fullmatch(entry.name)]
        for leftover in leftovers:
            _remove_if_abandoned(leftover)


@contextlib.contextmanager
def _os_errors(path: str, what: str) -> Iterator[None]:
    """Turn errors of the system into PublishError, in words."""
    try:
        yield
    except OSError as exc:
        reason = _REASONS.get(exc.errno or 0) or (exc.strerror or str(exc)).lower()
        raise PublishError(f"{path}: cannot be {what}: {reason}") from exc


def _size(target: Path) -> int | None:
    """Return the size of a regular file. A symbolic link is none: it is replaced, never followed."""
    try:
        status = target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _holds(target: Path, body: bytes) -> bool:
    return _size(target) == len(body) and target.read_bytes() == body


def _replace(target: Path, body: bytes) -> None:
    """Put ``body`` in the place of ``target`` in one step, safe against a crash of the machine."""
    temporary, descriptor = _temporary(target)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
            if sys.platform != "win32":
                # The file is renamed while it is still locked, so that no other process takes it for abandoned.
                temporary.replace(target)
        if sys.platform == "win32":
            temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _temporary(target: Path) -> tuple[Path, int]:
    """Make and lock a new file beside ``target``. The lock lasts as long as the process that writes."""
    while True:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), _MODE)
        if sys.platform == "win32":
            return temporary, descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            # A file system without locks, where no process removes what others left either.
            return temporary, descriptor
        if temporary.exists():
            return temporary, descriptor
        # Another process removed the file before it was locked.
        os.close(descriptor)


def _remove_if_abandoned(leftover: Path) -> None:
    """Remove a temporary file whose writer is dead. When that fails, the next run tries again."""
    if sys.platform == "win32":
        # Windows refuses to remove what a living process holds open.
        with contextlib.suppress(OSError):
            leftover.unlink()
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(leftover, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()
        finally:
            os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Write a rename or removal to the disk, on systems that can open and sync a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checked_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path with forward slashes.

    Raises:
        PublishError: the path is absolute, climbs, or has a name that some system refuses or reads otherwise.
    """
    parts = tuple(path.split("/"))
    for part in parts:
        reason = _objection(part)
        if reason:
            raise PublishError(f"{path!r}: no path of an output file: {reason}")
    return parts


def _objection(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "an empty name, '.' or '..'"
    if _UNSAFE.search(part) or not _encodable(part):
        return "a character that is not allowed in file names"
    if part.endswith((".", " ")):
        return "a name that ends with a dot or a blank"
    if _RESERVED.fullmatch(part):
        return "a name that Windows reserves"
    if len(part.encode()) > _MAX_NAME_BYTES:
        return "a name that is too long"
    return None


def _encodable(part: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in part)
