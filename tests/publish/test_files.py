import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from support.at_once import AtOnce


def file(path: str, body: bytes = b"new") -> OutputFile:
    return OutputFile(path=path, body=body)


def names(folder: Path) -> list[str]:
    """Return all that is in a folder, but for what feedhub remembers of it, such as its lock."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(path.as_posix() for path in found if ".feedhub" not in path.parts)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB, which only an administrator can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def no_permission(folder: Path) -> Iterator[None]:
    """Let nothing be written to ``folder``; the administrator, whom modes do not bind, becomes somebody else."""
    user = os.geteuid()
    folder.chmod(0o755 if user == 0 else 0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)
        folder.chmod(0o755)


def test_file_is_written_whole_and_its_folders_are_made(out: Path) -> None:
    writer = AtOnce(out)
    assert writer.write(file("items/2026/11/x.html", b"body"))
    assert (out / "items/2026/11/x.html").read_bytes() == b"body"
    assert writer.read("items/2026/11/x.html") == b"body"
    assert names(out) == ["items", "items/2026", "items/2026/11", "items/2026/11/x.html"]


def test_same_bytes_touch_nothing(out: Path) -> None:
    AtOnce(out).write(file("a.atom"))
    os.utime(out / "a.atom", ns=(1, 1))
    before = (out / "a.atom").stat()
    assert not AtOnce(out).write(file("a.atom"))
    after = (out / "a.atom").stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_ctime_ns) == (1, before.st_ino, before.st_ctime_ns)


def test_other_bytes_of_the_same_size_replace_the_file(out: Path) -> None:
    writer = AtOnce(out)
    writer.write(file("a.atom", b"one"))
    before = (out / "a.atom").stat().st_ino
    assert writer.write(file("a.atom", b"two"))
    assert (out / "a.atom").read_bytes() == b"two"
    assert (out / "a.atom").stat().st_ino != before


def test_reader_that_has_the_old_file_open_keeps_it_whole(out: Path) -> None:
    writer = AtOnce(out)
    writer.write(file("a.atom", b"old" * 10))
    with (out / "a.atom").open("rb") as reading:
        writer.write(file("a.atom", b"new"))
        assert reading.read() == b"old" * 10


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o644)])
def test_mode_is_readable_for_all_unless_the_umask_says_otherwise(out: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        AtOnce(out).write(file("a.atom"))
    finally:
        os.umask(before)
    assert (out / "a.atom").stat().st_mode & 0o777 == mode


def test_remove_says_whether_there_was_a_file(out: Path) -> None:
    writer = AtOnce(out)
    writer.write(file("feeds/a.atom"))
    assert writer.remove("feeds/a.atom")
    assert not writer.remove("feeds/a.atom")
    assert not writer.remove("feeds/a.atom/b")
    assert not writer.remove("nowhere/a.atom")
    assert writer.read("feeds/a.atom") is None
    assert writer.read("nowhere/a.atom") is None


def test_folder_in_the_place_of_a_file_is_an_error_and_stays(out: Path) -> None:
    (out / "a.atom/inner").mkdir(parents=True)
    writer = AtOnce(out)
    with pytest.raises(PublishError, match=r"^a\.atom: cannot be written: a folder is in the way$"):
        writer.write(file("a.atom"))
    with pytest.raises(PublishError, match=r"^a\.atom: cannot be removed: "):
        writer.remove("a.atom")
    assert writer.read("a.atom") is None
    assert names(out) == ["a.atom", "a.atom/inner"]


@pytest.mark.parametrize("path", ["plain/x", "plain/deeper/x"])
def test_file_in_the_place_of_a_folder_is_an_error(out: Path, path: str) -> None:
    out.mkdir()
    (out / "plain").write_bytes(b"here first")
    with pytest.raises(PublishError, match=f"^{path}: cannot be written: a part of the path is a file, not a folder$"):
        AtOnce(out).write(file(path))
    assert (out / "plain").read_bytes() == b"here first"


def test_folder_without_permission_is_an_error_and_keeps_the_old_file() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        writer = AtOnce(out)
        writer.write(file("a.atom", b"old"))
        with no_permission(out):
            with pytest.raises(PublishError, match=r"^a\.atom: cannot be written: no permission$"):
                writer.write(file("a.atom"))
            with pytest.raises(PublishError, match=r"^a\.atom: cannot be removed: no permission$"):
                writer.remove("a.atom")
            assert not writer.write(file("a.atom", b"old"))
        assert names(out) == ["a.atom"]
        assert writer.read("a.atom") == b"old"


def test_full_disk_is_an_error_and_keeps_the_old_file_until_there_is_room(small_disk: Path) -> None:
    writer = AtOnce(small_disk)
    writer.write(file("a.atom", b"old"))
    writer.write(file("other", b"x" * 40_000))
    with pytest.raises(PublishError, match=r"^a\.atom: cannot be written: no room left on the disk$"):
        writer.write(file("a.atom", b"y" * 40_000))
    assert writer.read("a.atom") == b"old"
    assert names(small_disk) == ["a.atom", "other"]
    writer.remove("other")
    assert writer.write(file("a.atom", b"y" * 40_000))


def test_read_only_disk_is_an_error_and_keeps_the_old_file(small_disk: Path) -> None:
    writer = AtOnce(small_disk)
    writer.write(file("a.atom", b"old"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(PublishError, match=r"^a\.atom: cannot be written: the file system is read-only$"):
        writer.write(file("a.atom"))
    with pytest.raises(PublishError, match=r"^a\.atom: cannot be removed: the file system is read-only$"):
        writer.remove("a.atom")
    assert not writer.write(file("a.atom", b"old"))


def test_write_that_breaks_off_keeps_the_old_file_and_leaves_nothing(out: Path) -> None:
    script = """
import resource, sys
from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.publish.files import FolderWriter
with FolderWriter(sys.argv[1]).group() as group:
    group.write(OutputFile(path="a.atom", body=b"old"))
    group.commit()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with FolderWriter(sys.argv[1]).group() as group:
        group.write(OutputFile(path="a.atom", body=b"x" * 100_000))
except PublishError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(out)], capture_output=True, text=True, check=True)
    assert ended.stdout == "a.atom: cannot be written: the file would be larger than allowed\n"
    assert (out / "a.atom").read_bytes() == b"old"
    assert names(out) == ["a.atom"]


def test_leftovers_of_dead_writers_go(out: Path) -> None:
    out.mkdir()
    dead, foreign = out / f".a.atom.{'0' * 16}.tmp", out / ".a.atom.tmp"
    for path in (dead, foreign):
        path.write_bytes(b"half")
    AtOnce(out).write(file("b.atom"))
    assert names(out) == sorted([foreign.name, "b.atom"])


def test_many_writers_of_one_name_never_fail_nor_leave_anything(out: Path) -> None:
    failures: list[Exception] = []

    def publish(number: int) -> None:
        try:
            for turn in range(10):
                AtOnce(out).write(file("a.atom", b"%d %d" % (number, turn)))
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(out) == ["a.atom"]
