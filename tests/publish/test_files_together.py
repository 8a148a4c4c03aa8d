"""Files that get their places together: readers, other processes, power cuts."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.publish.files import FolderWriter, sync_each, sync_to_disk
from support.power_cut import Disk


def file(path: str, body: bytes = b"new") -> OutputFile:
    return OutputFile(path=path, body=body)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_readers_meet_nothing_before_the_commit_and_all_of_it_after(tmp_path: Path) -> None:
    FolderWriter(tmp_path).write(file("index.html", b"old"))
    with FolderWriter(tmp_path).group() as group:
        assert group.write(file("items/1.html"))
        assert group.write(file("index.html"))
        assert not group.write(file("index.html")), "the bytes are already on their way"
        assert (tmp_path / "index.html").read_bytes() == b"old"
        assert not (tmp_path / "items/1.html").exists()
        assert group.commit() == {}
        assert names(tmp_path) == ["index.html", "items/1.html"]
        assert (tmp_path / "index.html").read_bytes() == b"new"
    assert names(tmp_path) == ["index.html", "items/1.html"]


def test_what_is_not_committed_is_taken_back(tmp_path: Path) -> None:
    FolderWriter(tmp_path).write(file("a", b"old"))
    with FolderWriter(tmp_path).group() as group:
        group.write(file("a"))
        group.write(file("b"))
        group.remove("a")
        group.move("a", "c")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_group_looks_at_what_will_be(tmp_path: Path) -> None:
    for name in ("x/a", "x/b", "x/c"):
        FolderWriter(tmp_path).write(file(name, name.encode()))
    with FolderWriter(tmp_path).group() as group:
        assert group.remove("x/a")
        assert not group.remove("x/a")
        assert group.move("x/b", "y/b")
        assert not group.move("x/b", "y/b")
        assert group.write(file("x/d"))
        assert group.move("x/d", "x/e")
        assert (group.names("x"), group.names("y")) == (["c", "e"], ["b"])
        assert [group.read(name) for name in ("x/a", "x/b", "y/b", "x/d", "x/e")] == [None, None, b"x/b", None, b"new"]
        assert group.write(file("x/a", b"x/a")), "it is to be removed, and then written"
        assert group.commit() == {}
    assert names(tmp_path) == ["x/a", "x/c", "x/e", "y/b"]
    assert (tmp_path / "x/e").read_bytes() == b"new"


def test_one_file_that_finds_no_place_costs_itself_and_what_is_remembered_of_the_rest(tmp_path: Path) -> None:
    with FolderWriter(tmp_path).group() as group:
        for name in ("a", "b", ".feedhub/note", "c"):
            group.write(file(name))
        (tmp_path / "b").mkdir()
        assert group.commit() == {"b": "b: cannot be written: a folder is in the way"}
    assert names(tmp_path) == ["a", "c"]


@pytest.mark.parametrize("sync", [sync_to_disk, sync_each])
def test_many_files_in_many_folders_reach_the_disk(tmp_path: Path, sync: object) -> None:
    with FolderWriter(tmp_path, sync=sync).group() as group:  # type: ignore[arg-type]
        for number in range(40):
            group.write(file(f"{number % 7}/{number}"))
        assert group.commit() == {}
    assert len(names(tmp_path)) == 40


@pytest.mark.parametrize("cut", [1, 2])
def test_after_a_power_cut_every_file_is_what_it_was_or_what_it_was_to_be(tmp_path: Path, cut: int) -> None:
    old, new = b"old" * 10_000, b"new" * 10_000
    before = Disk(0)
    with FolderWriter(tmp_path, sync=before).group() as group:
        for number in range(20):
            group.write(file(f"{number % 3}/{number}", old))
        group.commit()
    disk = Disk(cut, before.held)
    with FolderWriter(tmp_path, sync=disk).group() as group:
        for number in range(20):
            group.write(file(f"{number % 3}/{number}", new))
        with pytest.raises(KeyboardInterrupt):
            group.commit()
    disk.lose(tmp_path)
    expected = old if cut == 1 else new
    assert [(tmp_path / f"{number % 3}/{number}").read_bytes() == expected for number in range(20)] == [True] * 20
    with FolderWriter(tmp_path).group() as group:
        for number in range(20):
            group.write(file(f"{number % 3}/{number}", new))
        group.commit()
    assert len(names(tmp_path)) == 20, "what the cut left is removed"


HOLDER = """
import sys, time
from feedhub.model.output import OutputFile
from feedhub.publish.files import FolderWriter
with FolderWriter(sys.argv[1]).group() as group:
    group.write(OutputFile(path="a", body=b"theirs"))
    print(flush=True)
    time.sleep(float(sys.argv[2]))
    group.commit()
"""


def _holder(folder: Path, seconds: float) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), str(seconds)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_processes_that_publish_into_one_folder_take_turns(tmp_path: Path) -> None:
    with _holder(tmp_path, 0.3) as other:
        FolderWriter(tmp_path).write(file("a", b"ours"))
        assert other.wait() == 0
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"ours"


def test_a_killed_process_holds_nobody_up_and_its_files_go(tmp_path: Path) -> None:
    with _holder(tmp_path, 60) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert len(names(tmp_path)) == 1
        FolderWriter(tmp_path).write(file("b"))
    assert names(tmp_path) == ["b"]


def test_a_process_that_never_ends_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with _holder(tmp_path, 60) as other:
        with FolderWriter(tmp_path, longest_wait=0.05).group() as group:
            for _ in range(3):
                with pytest.raises(PublishError, match="another process"):
                    group.write(file("a"))
        other.kill()
