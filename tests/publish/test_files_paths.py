"""Nothing is ever written, read or removed outside the output folder."""

from pathlib import Path

import pytest

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from support.at_once import AtOnce


def file(path: str) -> OutputFile:
    return OutputFile(path=path, body=b"new")


def names(folder: Path) -> list[str]:
    """Return all that is in a folder, but for what feedhub remembers of it, such as its lock."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(path.as_posix() for path in found if ".feedhub" not in path.parts)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "output"


UNSAFE_PATHS = [
    "/etc/passwd",
    "/x",
    "../x",
    "feeds/../../x",
    "feeds/./x",
    "feeds//x",
    "feeds/",
    "",
    ".",
    "..",
    "a\\b",
    "..\\x",
    "a\x00b",
    "a\nb",
    "C:/x",
    "C:x",
    "x:stream",
    "CON",
    "con.atom",
    "feeds/nul",
    "feeds/Aux.x/y",
    "COM1.rss",
    "lpt9",
    "trailing.",
    "trailing ",
    "what?",
    "a*b",
    "x" * 250,
    "中" * 80,
    "\ud800",
]


@pytest.mark.parametrize("path", UNSAFE_PATHS, ids=ascii)
def test_unsafe_path_is_refused_and_nothing_is_made(tmp_path: Path, path: str) -> None:
    writer = AtOnce(tmp_path / "output")
    for act in (lambda: writer.write(file(path)), lambda: writer.read(path), lambda: writer.remove(path)):
        with pytest.raises(PublishError, match="no path of an output file"):
            act()
    assert names(tmp_path) in ([], ["output"])


def test_unsafe_paths_are_refused_beside_good_ones_in_the_same_folder(out: Path) -> None:
    with AtOnce(out).group() as group:
        for path in ("x", "feeds/x", "feeds/y/x"):
            assert group.write(file(path))
        for path in UNSAFE_PATHS:
            for act in (lambda path=path: group.write(file(path)), lambda path=path: group.read(path)):
                with pytest.raises(PublishError, match="no path of an output file"):
                    act()
        assert group.commit() == {}
    assert names(out) == ["feeds", "feeds/x", "feeds/y", "feeds/y/x", "x"]


@pytest.mark.parametrize(
    "path", ["feeds/all.atom", "_posts/2026-11-23-x.md", "console.atom", "feeds/comic.rss", "a b", "科技.html"]
)
def test_ordinary_path_is_taken(out: Path, path: str) -> None:
    assert AtOnce(out).write(file(path))
    assert (out / path).read_bytes() == b"new"


def test_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, out: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_bytes(b"theirs")
    out.mkdir()
    (out / "feeds").symlink_to(tmp_path / "elsewhere")
    writer = AtOnce(out)
    for act in (
        lambda: writer.write(file("feeds/x")),
        lambda: writer.write(file("feeds/deeper/x")),
        lambda: writer.read("feeds/x"),
        lambda: writer.remove("feeds/x"),
    ):
        with pytest.raises(PublishError, match="leaves the output folder"):
            act()
    assert names(tmp_path / "elsewhere") == ["x"]
    assert (tmp_path / "elsewhere/x").read_bytes() == b"theirs"


def test_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path, out: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"new")
    out.mkdir()
    (out / "a.atom").symlink_to(tmp_path / "theirs")
    writer = AtOnce(out)
    assert writer.read("a.atom") is None
    assert writer.write(file("a.atom"))
    assert not (out / "a.atom").is_symlink()
    writer.write(OutputFile(path="a.atom", body=b"newer"))
    assert (tmp_path / "theirs").read_bytes() == b"new"


def test_folder_may_itself_be_a_link_and_links_may_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "real/2026").mkdir(parents=True)
    (tmp_path / "output").symlink_to(tmp_path / "real")
    (tmp_path / "real/latest").symlink_to("2026")
    assert AtOnce(tmp_path / "output").write(file("latest/x"))
    assert (tmp_path / "real/2026/x").read_bytes() == b"new"


def test_links_in_a_circle_are_an_error(out: Path) -> None:
    out.mkdir()
    (out / "a").symlink_to("b")
    (out / "b").symlink_to("a")
    with pytest.raises(PublishError, match="a/x: cannot be written"):
        AtOnce(out).write(file("a/x"))
