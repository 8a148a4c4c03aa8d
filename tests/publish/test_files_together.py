"""Files that get their places together: readers, other processes, power cuts."""

import errno
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.publish.disk import is_quicker_together, sync_each, sync_to_disk, waiting_bytes
from support.at_once import AtOnce
from support.power_cut import Disk


def file(path: str, body: bytes = b"new") -> OutputFile:
    return OutputFile(path=path, body=body)


def names(folder: Path) -> list[str]:
    """Return all files in a folder, but for the lock."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return sorted(found - {".feedhub/lock"})


def test_readers_meet_nothing_before_the_commit_and_all_of_it_after(tmp_path: Path) -> None:
    AtOnce(tmp_path).write(file("index.html", b"old"))
    with AtOnce(tmp_path).group() as group:
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
    AtOnce(tmp_path).write(file("a", b"old"))
    with AtOnce(tmp_path).group() as group:
        group.write(file("a"))
        group.write(file("b"))
        group.remove("a")
        group.move("a", "c")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_group_looks_at_what_will_be(tmp_path: Path) -> None:
    for name in ("x/a", "x/b", "x/c"):
        AtOnce(tmp_path).write(file(name, name.encode()))
    with AtOnce(tmp_path).group() as group:
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
    with AtOnce(tmp_path).group() as group:
        for name in ("a", "b", ".feedhub/note", "c"):
            group.write(file(name))
        (tmp_path / "b").mkdir()
        assert group.commit() == {"b": "b: cannot be written: a folder is in the way"}
    assert names(tmp_path) == ["a", "c"]


@pytest.mark.parametrize("sync", [sync_to_disk, sync_each])
def test_many_files_in_many_folders_reach_the_disk(tmp_path: Path, sync: object) -> None:
    with AtOnce(tmp_path, sync=sync).group() as group:  # type: ignore[arg-type]
        for number in range(40):
            group.write(file(f"{number % 7}/{number}"))
        assert group.commit() == {}
    assert len(names(tmp_path)) == 40


def test_beside_somebody_who_copies_much_few_files_are_waited_for_alone() -> None:
    assert is_quicker_together(5, 1 << 20)
    assert not is_quicker_together(60, 1 << 30)
    assert is_quicker_together(6_000, 1 << 30)


def test_what_waits_for_the_disk_is_told_where_the_system_tells(tmp_path: Path) -> None:
    (tmp_path / "much").write_bytes(bytes(4 << 20))
    assert waiting_bytes() > 0 if Path("/proc/meminfo").exists() else waiting_bytes() == 0


@pytest.mark.parametrize("failing", [1, 2])
def test_what_the_disk_refuses_to_hold_has_failed_and_the_next_publish_writes_it(tmp_path: Path, failing: int) -> None:
    left = failing

    def sync(paths: Collection[str]) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.EIO, "input/output error")
        sync_to_disk(paths)

    AtOnce(tmp_path).write(file(".feedhub/state.json", b"old"))
    with AtOnce(tmp_path, sync=sync).group() as group:
        for path in ("a", "b"):
            group.write(file(path))
        assert group.commit() == {path: f"{path}: cannot be written: input/output error" for path in ("a", "b")}
    assert not list(tmp_path.rglob("*.tmp"))
    with AtOnce(tmp_path).group() as group:
        assert group.read(".feedhub/state.json") == b"old"
        assert [group.write(file(path)) for path in ("a", "b")] == [failing == 1] * 2
        assert group.commit() == {}
    assert names(tmp_path) == [".feedhub/state.json", "a", "b"]


@pytest.mark.parametrize("cut", [1, 2])
def test_after_a_power_cut_every_file_is_what_it_was_or_what_it_was_to_be(tmp_path: Path, cut: int) -> None:
    old, new = b"old" * 10_000, b"new" * 10_000
    before = Disk(0)
    with AtOnce(tmp_path, sync=before).group() as group:
        for number in range(20):
            group.write(file(f"{number % 3}/{number}", old))
        group.commit()
    disk = Disk(cut, before.held)
    with AtOnce(tmp_path, sync=disk).group() as group:
        for number in range(20):
            group.write(file(f"{number % 3}/{number}", new))
        with pytest.raises(KeyboardInterrupt):
            group.commit()
    disk.lose(tmp_path)
    expected = old if cut == 1 else new
    assert [(tmp_path / f"{number % 3}/{number}").read_bytes() == expected for number in range(20)] == [True] * 20
    with AtOnce(tmp_path).group() as group:
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
        AtOnce(tmp_path).write(file("a", b"ours"))
        assert other.wait() == 0
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"ours"


def test_a_killed_process_holds_nobody_up_and_its_files_go(tmp_path: Path) -> None:
    with _holder(tmp_path, 60) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert len(names(tmp_path)) == 1
        AtOnce(tmp_path).write(file("b"))
    assert names(tmp_path) == ["b"]


def test_a_process_that_never_ends_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with _holder(tmp_path, 60) as other:
        refused = pytest.raises(PublishError, match=rf"process {other.pid} on .* has been publishing into it since 20")
        with refused, AtOnce(tmp_path, longest_wait=0.05).group():
            pass
        other.kill()


KILLED = """
import os, signal, sys
from feedhub.model.output import OutputFile
from feedhub.publish.disk import sync_to_disk
from feedhub.publish.files import FolderWriter

calls = 0

def sync(paths):
    global calls
    calls += 1
    sync_to_disk(paths)
    if calls == 1:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[3]))
    else:
        os.kill(os.getpid(), signal.SIGKILL)

with FolderWriter(sys.argv[1], sync=sync).group() as group:
    for number in range(1_000):
        group.write(OutputFile(path=f"{number % 3}/{number}", body=sys.argv[2].encode()))
    group.remove("removed")
    group.move("moved", "0/moved")
    group.commit()
"""


def test_a_publish_that_is_killed_between_two_renames_is_carried_to_its_end_by_the_next(tmp_path: Path) -> None:
    torn = 0
    for turn, seconds in enumerate((0.002, 0.004, 0.006, 0.008)):
        body = f"turn {turn}"
        AtOnce(tmp_path).write(file("removed"))
        AtOnce(tmp_path).write(file("moved"))
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), body, str(seconds)], check=False)
        assert killed.returncode == -signal.SIGKILL
        found = {path.read_text() for path in tmp_path.glob("[012]/[0-9]*")}
        torn += len(found) > 1
        with AtOnce(tmp_path).group():
            assert {path.read_text() for path in tmp_path.glob("[012]/[0-9]*")} == {body}
            assert not (tmp_path / "removed").exists()
        assert not list(tmp_path.rglob("*.tmp"))
        assert names(tmp_path / ".feedhub") == ["lock"]
    assert torn > 0


def _cut_short(folder: Path, cut: int, body: bytes) -> None:
    """Write two files, and stop when they are prepared (1) or in their places (2)."""
    with AtOnce(folder, sync=Disk(cut)).group() as group:
        for path in ("a", "b"):
            group.write(file(path, body))
        with pytest.raises(KeyboardInterrupt):
            group.commit()


@pytest.mark.parametrize("damage", [b"", b"new!", b"neW", None])
def test_a_file_that_was_given_its_place_and_is_not_whole_has_everything_compared(
    tmp_path: Path, damage: bytes | None
) -> None:
    for path in ("a", "b", ".feedhub/state.json"):
        AtOnce(tmp_path).write(file(path, b"old"))
    _cut_short(tmp_path, 2, b"new")
    with AtOnce(tmp_path).group() as group:
        assert group.read(".feedhub/state.json") == b"old", "all is whole"
    _cut_short(tmp_path, 2, b"newer")
    if damage is None:
        (tmp_path / "b").unlink()
    else:
        (tmp_path / "b").write_bytes(damage)
    with AtOnce(tmp_path).group() as group:
        assert group.read(".feedhub/state.json") is None
        assert names(tmp_path / ".feedhub") == ["lock"]


def test_what_the_disk_did_not_hold_was_given_no_place_and_costs_nothing(tmp_path: Path) -> None:
    for path in ("a", "b", ".feedhub/state.json"):
        AtOnce(tmp_path).write(file(path, b"old"))
    _cut_short(tmp_path, 1, b"newer")
    for temporary in tmp_path.glob(".a.*.tmp"):
        temporary.write_bytes(b"new")
    with AtOnce(tmp_path).group() as group:
        assert [group.read(path) for path in ("a", "b", ".feedhub/state.json")] == [b"old"] * 3


@pytest.mark.parametrize("plan", [b"", b"{", b"[]", b"[" * 9_999, b'{"a": 3}', b'{"a": ["x"]}', b'{"a": [1, 2, 3]}'])
def test_a_plan_that_is_torn_plans_nothing(tmp_path: Path, plan: bytes) -> None:
    AtOnce(tmp_path).write(file("a"))
    (tmp_path / ".feedhub/publishing.json").write_bytes(plan)
    with AtOnce(tmp_path).group() as group:
        assert group.read("a") in (b"new", None)
    assert names(tmp_path / ".feedhub") == ["lock"]


def test_a_plan_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    AtOnce(tmp_path / "output").write(file("a"))
    (tmp_path / "output/.feedhub/publishing.json").write_bytes(b'{"../kept": null, "a": null}')
    with AtOnce(tmp_path / "output").group():
        assert (tmp_path / "kept").read_text() == "kept"
