"""The output folder: files appear in it whole or not at all, and nothing is written elsewhere (SPEC §6, §9)."""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, Self

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.ports.publishing import REMEMBERED, STATE
from feedhub.publish.disk import FolderLock, Step, mark_of, plan_of, read_file, read_plan, sync_to_disk

# Control characters, and what Windows forbids in names; ":" is also its drive letter and its hidden streams.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_MAX_NAME_BYTES = 200  # of the usual 255: the temporary name is longer
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_MODE = 0o644
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_LOCK: Final = f"{REMEMBERED}lock"
_PLAN: Final = f"{REMEMBERED}publishing.json"
"""What is being put in its place just now; it is there from before the first rename until the disk holds the last."""
_MOST_STAGED: Final = 20_000
"""Files that lie under temporary names at a time: so much more room on the disk may be needed."""
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

Sync = Callable[[Collection[str]], None]
"""Has the disk hold some files, or the names in some folders; raises OSError when it cannot."""


class FolderWriter:
    """Writes files into one folder, many together as a ``FileGroup``.

    The folder is made when a group is opened. Safe to use from many threads, and beside other processes that publish
    into the same folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        sync: Sync | None = None,
        longest_wait: float = 60.0,
    ) -> None:
        """``longest_wait`` is for how many seconds another process may be publishing into the folder."""
        self._folder = os.fspath(folder)
        self._sync = sync or sync_to_disk
        self._longest_wait = longest_wait
        self._swept: set[str] = set()

    def group(self) -> "FileGroup":
        """Return what writes files together; to be closed, as a ``with`` block does."""
        return FileGroup(self._folder, self._sync, self._longest_wait, self._swept)


class FileGroup:
    """Files that get their places together, in the order in which they were written, removed and moved.

    Until ``commit`` new files lie beside their places, under temporary names, and readers meet what was there before.
    Then the disk is made to hold them and a plan of them, they are renamed, and it is made to hold the names: whatever
    happens to the machine, a file is what it was or what it is to be, and what is noted after ``commit`` is true. What
    feedhub itself remembers (``.feedhub/``) stays as it is when anything before it could not be put in its place.
    ``read``, ``names`` and all else look at what will be.

    One group at a time is open in a folder, whatever process it is of. It first carries out the plan of one that was
    cut short. Where a file is found then that is neither whole nor to be had, what is remembered of the folder's state
    is removed, so that everything is compared.
    """

    def __init__(self, folder: str, sync: Sync, longest_wait: float, swept: set[str]) -> None:
        self._folder = folder
        self._sync = sync
        self._longest_wait = longest_wait
        self._swept = swept
        self._token = secrets.token_hex(4)
        self._lock = FolderLock()
        self._parents: dict[str, str] = {}
        self._ready: set[str] = set()
        self._steps: list[Step] = []
        self._touched: set[str] = set()
        self._failed: dict[str, str] = {}
        # Where that lies which will be in a folder under a name: under a temporary name, or nowhere.
        self._staged: defaultdict[str, dict[str, str | None]] = defaultdict(dict)

    def __enter__(self) -> Self:
        """Wait until no other process has a group of this folder open; killed ones have none.

        Raises:
            FolderInUseError: another one has, for too long.
            PublishError: what was cut short cannot be carried to its end.
        """
        try:
            self._lock.take(Path(_place(*self._target(_LOCK))), self._longest_wait)
            with _os_errors(REMEMBERED, "read"):
                self._finish_interrupted()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, file: OutputFile) -> bool:
        """Write ``file`` under a temporary name; return False and touch nothing if the bytes are already there.

        Raises:
            PublishError: no room, no permission, or a path that would leave the folder.
        """
        folder, name = self._target(file.path)
        with _os_errors(file.path, "written"):
            self._prepare(folder)
            present = self._present(folder, name)
            if present is not None and _holds(present, file.body):
                return False
            temporary = _place(folder, f".{name}.{self._token}{len(self._steps):08x}.tmp")
            _write_new(temporary, file.body)
        self._stage(Step(file.path, "written", folder, name, temporary, mark_of(file.body)), temporary)
        return True

    def remove(self, path: str) -> bool:
        """Remove a file that was published before; False if it was not there.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        folder, name = self._target(path)
        with _os_errors(path, "removed"):
            present = self._present(folder, name)
            if present is None or _status(present) is None:
                return False
        self._stage(Step(path, "removed", folder, name), None)
        return True

    def move(self, old: str, new: str) -> bool:
        """Rename a file in one step, in the place of what is at ``new``; False if ``old`` is not there.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        before, target = self._target(old), self._target(new)
        with _os_errors(old, f"moved to {new}"):
            present = self._present(*before)
            if present is None or _size(present) is None:
                return False
            _status(_place(*target))
            self._prepare(target[0])
        self._staged[before[0]][before[1]] = None
        self._touched.add(before[0])
        self._stage(Step(old, f"moved to {new}", *target, _place(*before), new=new), present)
        return True

    def read(self, path: str) -> bytes | None:
        """Return a published file, or None if it is not there or is no regular file.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        target = self._target(path)
        with _os_errors(path, "read"):
            present = self._present(*target)
            return read_file(present) if present is not None and _size(present) is not None else None

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder below, sorted, hidden ones left out; [] if there is none.

        Raises:
            PublishError: no permission, or a path that would leave the folder.
        """
        place, _ = self._target(f"{folder}/x")
        found: set[str] = set()
        with (
            _os_errors(folder, "listed"),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(place) as entries,
        ):
            found = {one.name for one in entries if one.is_file(follow_symlinks=False)}
        for name, present in self._staged[place].items():
            (found.discard if present is None else found.add)(name)
        return sorted(name for name in found if not name.startswith("."))

    def commit(self) -> dict[str, str]:
        """Put everything in its place; return by path why what could not be."""
        if self._steps:
            self._place_all()
        failed, self._failed = self._failed, {}
        return failed

    def close(self) -> None:
        """Take back what was not committed, and let others write."""
        for step in self._steps:
            step.take_back()
        self._steps, self._staged = [], defaultdict(dict)
        self._lock.release()

    def _present(self, folder: str, name: str) -> str | None:
        """Return where that lies which will be in a folder under a name: there, or elsewhere; None for nothing."""
        staged = self._staged[folder]
        return staged[name] if name in staged else _place(folder, name)

    def _stage(self, step: Step, present: str | None) -> None:
        self._steps.append(step)
        self._staged[step.folder][step.name] = present
        self._touched.add(step.folder)
        if len(self._steps) >= _MOST_STAGED:
            self._place_all()

    def _place_all(self) -> None:
        steps, folders = self._steps, self._touched
        self._steps, self._touched, self._staged = [], set(), defaultdict(dict)
        plan = Path(_place(*self._target(_PLAN)))
        new = [step.source for step in steps if step.source is not None and step.mark is not None]
        try:
            if len(steps) > 1:
                plan.parent.mkdir(parents=True, exist_ok=True)
                plan.write_bytes(plan_of(steps))
                new += [str(plan), str(plan.parent)]
            self._sync(new)
        except OSError as exc:
            self._fail_all(steps, exc)
            with contextlib.suppress(OSError):
                plan.unlink()
            return
        for step in steps:
            self._take(step)
        try:
            self._sync(folders)
            plan.unlink(missing_ok=True)
        except OSError as exc:
            self._fail_all(steps, exc)

    def _finish_interrupted(self) -> None:
        """Carry out the rest of a plan; raises OSError where that is not possible now."""
        place = Path(_place(*self._target(_PLAN)))
        try:
            planned = [(one, self._target(one.path)) for one in read_plan(place.read_bytes())]
        except (FileNotFoundError, NotADirectoryError):
            return
        except PublishError:
            planned = []  # not ours
        rest, bad, done = [], 0, 0
        for one, (folder, name) in planned:
            temporary = _place(folder, one.temporary) if _LEFTOVER.fullmatch(one.temporary) else ""
            if one.mark is None:
                rest.append(Step(one.path, "removed", folder, name))
            elif os.path.isfile(temporary):
                rest.append(Step(one.path, "written", folder, name, temporary, one.mark))
                bad += not one.mark.is_of(temporary)
            else:
                done += 1
                bad += not one.mark.is_of(_place(folder, name))
        if not bad or done:
            # If not, the disk was not made to hold what was prepared, so that nothing was given its place.
            for step in rest:
                if step.mark is None or (step.source is not None and step.mark.is_of(step.source)):
                    self._take(step)
            self._sync({step.folder for step in rest if os.path.isdir(step.folder)})
        if self._failed or (bad and done):
            self._failed.clear()
            Path(_place(*self._target(STATE))).unlink(missing_ok=True)
            self._sync([str(place.parent)])
        place.unlink()

    def _take(self, step: Step) -> None:
        if self._failed and step.path.startswith(REMEMBERED):
            step.take_back()
            return
        try:
            step.take()
        except OSError as exc:
            self._fail(step, exc)

    def _fail_all(self, steps: Collection[Step], exc: OSError) -> None:
        for step in steps:
            self._fail(step, exc)

    def _fail(self, step: Step, exc: OSError) -> None:
        step.take_back()
        self._failed[step.path] = f"{step.path}: cannot be {step.what}: {_reason(exc)}"

    def _target(self, path: str) -> tuple[str, str]:
        """Return in which folder ``path`` lies, and refuse what is not below ours, symbolic links followed."""
        folder, name = path[: path.rfind("/") + 1], path[path.rfind("/") + 1 :]
        known = self._parents.get(folder)
        if known is None or _objection(name):
            folders = checked_parts(path)[:-1]
            # Path.resolve() raises RuntimeError for links that lead round in a circle, before Python 3.13.
            root = os.path.realpath(self._folder)
            known = os.path.realpath(os.path.join(root, *folders))
            if not Path(known).is_relative_to(root):
                raise PublishError(f"{path}: leaves the output folder through a symbolic link")
            self._parents[folder] = known
        return known, name

    def _prepare(self, folder: str) -> None:
        """Make a folder into which something is written, and remove what killed processes left there."""
        if folder in self._ready:
            return
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            root = os.path.realpath(self._folder)
            self._touched.update(str(one) for one in Path(folder).parents if one.is_relative_to(root))
        if folder not in self._swept:
            # Once for each writer, because listing a large folder is slow.
            self._swept.add(folder)
            _sweep(folder)
        self._ready.add(folder)


def _place(folder: str, name: str) -> str:
    return f"{folder}{os.sep}{name}"


@contextlib.contextmanager
def _os_errors(path: str, what: str) -> Iterator[None]:
    """Turn errors of the system into PublishError, in words."""
    try:
        yield
    except OSError as exc:
        raise PublishError(f"{path}: cannot be {what}: {_reason(exc)}") from exc


def _reason(exc: OSError) -> str:
    return _REASONS.get(exc.errno or 0) or (exc.strerror or str(exc)).lower()


def _status(target: str) -> os.stat_result | None:
    """Return what is known of what lies at a place, None for nothing; raises OSError for a folder."""
    try:
        status = os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return status


def _size(target: str) -> int | None:
    """Return the size of a regular file. A symbolic link is none: it is replaced, never followed."""
    try:
        status = _status(target)
    except IsADirectoryError:
        return None
    return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None


def _holds(target: str, body: bytes) -> bool:
    status = _status(target)
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != len(body):
        return False
    return read_file(target) == body


def _write_new(temporary: str, body: bytes) -> None:
    descriptor = os.open(temporary, _NEW, _MODE)
    try:
        left = memoryview(body)
        while left:
            left = left[os.write(descriptor, left) :]
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)


def _sweep(folder: str) -> None:
    """Remove temporary files whose writers are dead. When that fails, the next run tries again."""
    with os.scandir(folder) as entries:
        leftovers = [entry.path for entry in entries if _LEFTOVER.fullmatch(entry.name)]
    for leftover in leftovers:
        with contextlib.suppress(OSError):
            os.unlink(leftover)


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
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        length = 0
    if not length or _UNSAFE.search(part):
        return "a character that is not allowed in file names"
    if part.endswith((".", " ")):
        return "a name that ends with a dot or a blank"
    if _RESERVED.fullmatch(part):
        return "a name that Windows reserves"
    if length > _MAX_NAME_BYTES:
        return "a name that is too long"
    return None
