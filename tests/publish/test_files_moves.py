"""Moving and listing files of the output folder."""

from pathlib import Path

import pytest

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from support.at_once import AtOnce


def test_a_moved_file_is_whole_at_its_new_place_only(tmp_path: Path) -> None:
    writer = AtOnce(tmp_path)
    writer.write(OutputFile(path="posts/a.md", body=b"new"))
    writer.write(OutputFile(path="old/a.md", body=b"earlier"))
    before = (tmp_path / "posts/a.md").stat()
    assert writer.move("posts/a.md", "old/a.md")
    assert writer.move("old/a.md", "older/still/a.md")
    after = (tmp_path / "older/still/a.md").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path for path in tmp_path.rglob("*.*") if path.is_file()] == [tmp_path / "older/still/a.md"]


def test_what_is_not_there_or_no_file_is_not_moved(tmp_path: Path) -> None:
    writer = AtOnce(tmp_path)
    (tmp_path / "posts" / "folder").mkdir(parents=True)
    (tmp_path / "posts" / "link").symlink_to("/etc/passwd")
    for name in ("nothing", "folder", "link"):
        assert not writer.move(f"posts/{name}", f"old/{name}")
    assert not (tmp_path / "old").exists()


def test_nothing_moves_out_of_the_folder_or_over_a_folder(tmp_path: Path) -> None:
    writer = AtOnce(tmp_path / "output")
    writer.write(OutputFile(path="a.md", body=b"new"))
    (tmp_path / "output" / "b.md").mkdir()
    (tmp_path / "output" / "out").symlink_to(tmp_path)
    for target in ("../a.md", "/tmp/a.md", "b.md", "out/a.md"):
        with pytest.raises(PublishError):
            writer.move("a.md", target)
    assert writer.read("a.md") == b"new"


def test_the_names_of_a_folder_are_those_of_its_visible_files(tmp_path: Path) -> None:
    writer = AtOnce(tmp_path)
    for name in ("b.md", "a.md", ".hidden", "below/c.md"):
        writer.write(OutputFile(path=f"posts/{name}", body=b"x"))
    (tmp_path / "posts" / "link").symlink_to("a.md")
    assert writer.names("posts") == ["a.md", "b.md"]
    assert writer.names("nowhere") == []
    assert writer.names("posts/a.md") == []


def test_the_names_outside_of_the_folder_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "out").symlink_to(tmp_path)
    for folder in ("..", "../output", "/etc", "out"):
        with pytest.raises(PublishError):
            AtOnce(tmp_path / "output").names(folder)
