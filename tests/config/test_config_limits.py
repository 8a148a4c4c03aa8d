"""Whatever is saved as a configuration, reading it ends soon, and with settings or problems (guarantee 8)."""

import glob
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator

from feedhub.config.load import load
from feedhub.config.reading import LimitedReader
from feedhub.config.section import ConfigFile, Section, check_section
from feedhub.config.yaml_tree import read_tree
from feedhub.errors import ConfigError
from feedhub.model.kind import KindTable
from feedhub.runtime.plugins import output_formats
from support.examples import examples

Make = Callable[[str], Any]
NOT_REGULAR = "it is no regular file"


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("include: [pipe.yaml]", f"2:11: include[0]: cannot be read: {NOT_REGULAR}"),
        ("include: [/dev/zero]", f"2:11: include[0]: cannot be read: {NOT_REGULAR}"),
        (f"include: [{'x' * 300}]", "2:11: include[0]: cannot be read: File name too long"),
        (f"include: ['{'*/' * 600}x.yaml']", "2:11: include[0]: cannot be read: it is longer than 1,000 characters"),
        ('include: ["a\\0b*"]', "2:11: include[0]: must not contain control characters"),
        ("include: [feedhub.yaml/x.yaml]", "2:11: include[0]: cannot be read: Not a directory"),
        ("output: {jekyll: {template: pipe.yaml}}", f"output.jekyll.template: cannot be read: {NOT_REGULAR}"),
        ("output: {jekyll: {template: /dev/zero}}", f"output.jekyll.template: cannot be read: {NOT_REGULAR}"),
        ("output: {templates: theme}", f"output.templates: pipe.html cannot be read: {NOT_REGULAR}"),
        ("store: sqlite:///f.db?mode=memory&cache=shared", "2:8: store: must not have other parameters than timeout"),
        (
            "sources: [{name: a, url: x, kind: json, fields: {title: t, published: {path: p, format: '%y %y'}}}]",
            "sources[0].fields.published.format: is no date pattern: one part of the date stands in it twice",
        ),
    ],
)
def test_what_cannot_be_read_is_a_problem_at_its_place(sited: Make, text: str, problem: str) -> None:
    project = sited(text)
    (project.folder / "theme").mkdir()
    for pipe in ("pipe.yaml", "theme/pipe.html"):
        os.mkfifo(project.folder / pipe)
    with within(2):
        first = project.problems()[0]
    assert first.startswith("feedhub.yaml:2:")
    assert problem in first


def test_a_pipe_for_a_configuration_is_not_waited_for(sited: Make) -> None:
    project = sited("")
    (project.folder / "feedhub.yaml").unlink()
    os.mkfifo(project.folder / "feedhub.yaml")
    assert project.problems() == [f"feedhub.yaml: cannot be read: {NOT_REGULAR}"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody who may not read everything: root may."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("pattern", ["closed/in/x.yaml", "closed/in/*.yaml", "closed/*.yaml", "closed/x.yaml"])
def test_a_folder_without_permission_is_a_problem(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "closed" / "in").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    # Only the last folder is closed, not the way to it.
    reader, here = LimitedReader(), os.open(tmp_path, os.O_RDONLY)
    before = Path.cwd()
    try:
        os.fchdir(here)
        tmp_path.chmod(0o755)
        with as_nobody(), pytest.raises(OSError, match="Permission denied"):
            reader.matches(".", pattern) if "*" in pattern else reader.require(pattern)
    finally:
        os.chdir(before)
        os.close(here)
        (tmp_path / "closed").chmod(0o755)


def test_a_pattern_without_an_end_is_a_problem(sited: Make) -> None:
    project = sited("include: ['/proc/self/**/*.yaml']")
    with within(4):
        (only,) = project.problems()
    assert only.startswith("feedhub.yaml:2:11: include[0]: cannot be read: ")


def test_folders_that_link_to_themselves_are_looked_through_once(sited: Make) -> None:
    project = sited("include: ['a/**/*.yaml']")
    project.write("a/b/one.yaml", "sources: [{name: one, url: x}]")
    for number in range(20):
        (project.folder / "a" / f"again{number}").symlink_to(project.folder / "a")
    with within(2):
        assert [source.name for source in project.load().sources] == ["one"]


def test_includes_of_includes_have_a_limit(sited: Make) -> None:
    project = sited("include: [0.yaml]")
    for number in range(2_000):
        project.write(f"{number}.yaml", f"include: [{number + 1}.yaml]")
    assert project.problems() == ["18.yaml:1:11: include[0]: files include files more than 20 deep"]


def test_files_bytes_and_looks_are_limited_for_all_files_together(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.yaml").write_text("x" * 10)
    reader = LimitedReader(files=3, bytes=25, looks=7)
    assert reader.text(str(tmp_path / "0.yaml")) == "x" * 10
    reader.text(str(tmp_path / "1.yaml"))
    with pytest.raises(ValueError, match=r"with it, the files are larger than 20 MB"):
        reader.text(str(tmp_path / "2.yaml"))
    with pytest.raises(ValueError, match=r"one file too many: more than 10,000"):
        reader.text(str(tmp_path / "3.yaml"))
    assert len(reader.matches(str(tmp_path), "*.yaml")) == 4
    with pytest.raises(ValueError, match="more than 50,000 files and folders"):
        reader.matches(str(tmp_path), "*.yaml")


def test_long_texts_cannot_be_repeated_without_bound(sited: Make) -> None:
    aliases = ", ".join(["*x"] * 1_000)
    project = sited(
        f"sources: [{{name: a, url: http://x.org, method: POST, body: {{a: &x '{'y' * 100_000}', b: [{aliases}]}}}}]"
    )
    (only,) = project.problems()
    assert "the aliases repeat far more than the file holds" in only


def test_what_no_check_foresaw_is_a_problem_at_its_place() -> None:
    def break_off(_: str) -> str:
        raise TypeError("as no check should")

    class Inner(Section):
        one: Annotated[str, AfterValidator(break_off)]
        other: Literal["a"] = "a"

    class Outer(Section):
        inner: list[Inner]

    tree = read_tree("inner:\n  - one: x\n    other: b\n")
    file = ConfigFile(path="/f.yaml", shown="f.yaml", value=cast(Any, tree.value), place=tree.place)
    _, problems = check_section(file, Outer)
    assert list(map(str, problems)) == [
        "f.yaml:2:10: inner[0].one: cannot be used: TypeError: as no check should",
        'f.yaml:3:12: inner[0].other: expected a (there is no other choice so far), found "b"',
    ]


def test_what_breaks_elsewhere_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("site: {title: T, url: https://example.org}\n")

    def break_off(_: frozenset[str]) -> KindTable:
        raise TypeError("with a secret")

    with pytest.raises(ConfigError) as caught:
        load("f.yaml", (), {}, str(tmp_path), kinds=break_off, formats=output_formats)
    assert str(caught.value) == "f.yaml: cannot be used: TypeError"
    assert caught.value.files == (str(tmp_path / "f.yaml"),)


def test_a_problem_says_what_to_watch_for_its_mending(sited: Make) -> None:
    project = sited("include: [gone.yaml, 'more/*.yaml', 'not/yet/*.yaml']\noutput: {jekyll: {template: post.md}}")
    project.write("more/one.yaml", "sources: [{name: a}]")
    with pytest.raises(ConfigError) as caught:
        project.load()
    inside = {str(Path(path).relative_to(project.folder)) for path in caught.value.files}
    assert inside == {"feedhub.yaml", "gone.yaml", "more/one.yaml", "post.md"}
    assert set(caught.value.folders) == {str(project.folder / "more"), str(project.folder)}


NAMES = st.sampled_from(["a", "b", ".c", "d.yaml", "e.yaml", ".f.yaml", "[g]"])
STEPS = st.sampled_from(["a", "*", "**", "*.yaml", ".*", "?", "[ab]", ".", "d.yaml", "[[]g]"])


@settings(max_examples=examples(40))
@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=12), st.lists(STEPS, max_size=4))
def test_patterns_find_what_glob_finds(paths: set[tuple[str, ...]], steps: list[str]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for path in sorted(paths):
            place = root.joinpath(*path)
            if not any(root.joinpath(*path[:length]).is_file() for length in range(1, len(path) + 1)):
                if place.suffix and not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text("")
                else:
                    place.mkdir(parents=True, exist_ok=True)
        pattern = "/".join([*steps, "*.yaml"])
        expected = {os.path.normpath(root / found) for found in glob.glob(pattern, root_dir=root, recursive=True)}  # noqa: PTH207
        found = LimitedReader().matches(str(root), pattern)
        assert found == sorted(path for path in expected if Path(path).is_file())


def test_patterns_may_lead_upwards(sited: Make) -> None:
    project = sited("include: ['deep/*/../*.yaml', 'nowhere/../*.yaml']")
    project.write("deep/er/x.yaml", "")
    project.write("deep/one.yaml", "sources: [{name: one, url: x}]")
    project.write("not.yaml", "sources: [{name: not, url: x}]")
    assert [source.name for source in project.load().sources] == ["one"]
