from collections.abc import Callable
from typing import Any

import pytest

from feedhub.model.output import PostSettings

Make = Callable[[str], Any]


def test_without_the_key_there_are_no_posts(sited: Make) -> None:
    assert sited("output: {jekyll: }").load().posts is None


def test_an_empty_mapping_asks_for_posts_with_every_default(sited: Make) -> None:
    assert sited("output: {jekyll: {}}").load().posts == PostSettings()


def test_every_key_of_posts_arrives(sited: Make) -> None:
    project = sited(
        "output: {jekyll: {dir: blog/_posts/, template: t/post.md, filename: '{date}-{guid}.markdown',"
        " keep_days: 3, archive: old}}"
    )
    template = project.write("t/post.md", "{{ item.title }}\n")
    settings = project.load()
    assert settings.posts == PostSettings(
        dir="blog/_posts",
        template="{{ item.title }}\n",
        filename="{date}-{guid}.markdown",
        keep_days=3,
        archive="old",
    )
    assert settings.files == (str(project.folder / "feedhub.yaml"), str(template))


def test_one_run_may_keep_every_post(sited: Make) -> None:
    project = sited("output: {jekyll: {keep_days: 3}}")
    assert project.load().posts.keep_days == 3
    assert project.load("output.jekyll.keep_days=null").posts.keep_days is None


def test_no_day_may_be_kept(sited: Make) -> None:
    assert sited("output: {jekyll: {keep_days: 0}}").load().posts.keep_days == 0


@pytest.mark.parametrize(
    ("jekyll", "message"),
    [
        ("{template: nowhere.md}", "template: cannot be read: No such file or directory"),
        ("{template: .}", "template: cannot be read: it is no regular file"),
        ("{template: latin.md}", "template: cannot be read: line 1 is not UTF-8"),
        ("{template: large.md}", "template: cannot be read: it is larger than 1 MB"),
        ("{dir: ../x}", "dir: expected a folder inside of the output folder"),
        ("{dir: /x}", "dir: expected a folder inside of the output folder"),
        ("{archive: 'a\\b'}", "archive: expected a folder inside of the output folder"),
        ("{archive: _posts/}", "jekyll: dir and archive must be two folders"),
        ("{filename: 'a/{id}.md'}", "filename: expected the name of a file, without folder"),
        ("{filename: '.{id}'}", "filename: expected the name of a file"),
        ("{filename: '{id'}", "filename: a brace is not closed"),
        ("{filename: '{title}-{id}'}", "filename: expected a name made of {date}, {id}, {guid} and {slug}"),
        ("{filename: '{id!r}'}", "filename: expected a name made of"),
        ("{filename: '{date}-{slug}.md'}", "filename: must hold {id} or {guid}"),
        ("{keep_days: -1}", "keep_days: expected 0 or more"),
        ("{keepdays: 1}", 'keepdays: unknown key; did you mean "keep_days"?'),
        ("on", 'jekyll: expected a mapping, found "on"'),
    ],
)
def test_posts_that_cannot_be_written_are_a_problem_at_their_place(sited: Make, jekyll: str, message: str) -> None:
    project = sited(f"output:\n  jekyll: {jekyll}\n")
    (project.folder / "latin.md").write_bytes(b"caf\xe9")
    (project.folder / "large.md").write_bytes(b"x" * 1_000_001)
    (problem,) = project.problems()
    assert problem.startswith("feedhub.yaml:3:")
    assert message in problem


def test_a_missing_template_does_not_hide_other_problems(sited: Make) -> None:
    project = sited(
        "output: {jekyll: {template: nowhere.md}}\nsources: [{name: a, url: x, category: a}, {name: a, url: y}]\n"
    )
    assert [problem.partition(": ")[2].partition(":")[0] for problem in project.problems()] == [
        "output.jekyll.template",
        "sources[1].name",
    ]


@pytest.mark.parametrize("change", ["keep_days=4", "filename='{id}.md'", "archive=older", "dir=posts", "template=b.md"])
def test_the_digest_of_outputs_moves_with_posts(sited: Make, change: str) -> None:
    project = sited("output: {jekyll: {template: a.md, keep_days: 3}}")
    project.write("a.md", "a")
    project.write("b.md", "b")
    assert project.load().output_digest != project.load(f"output.jekyll.{change}").output_digest


def test_the_digest_of_outputs_moves_with_the_text_of_the_template(sited: Make) -> None:
    project = sited("output: {jekyll: {template: a.md}}")
    project.write("a.md", "a")
    before = project.load().output_digest
    project.write("a.md", "b")
    assert project.load().output_digest != before
