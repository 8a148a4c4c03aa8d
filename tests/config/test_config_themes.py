"""``output.pages``, ``output.templates``, ``websub.hub`` and ``web.search``."""

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[[str], Any]


def test_pages_are_written_by_default_without_a_theme_or_a_hub(sited: Make) -> None:
    output = sited("").load().output
    assert (output.pages, output.templates, output.hub) == (True, (), None)
    assert sited("output: {pages: false}").load().output.pages is False


def test_a_theme_is_the_templates_of_a_folder_and_nothing_else_of_it(sited: Make) -> None:
    project = sited("output: {templates: theme}")
    project.write("theme/item.html", "\ufeff一")
    project.write("theme/style.css", "body {}")
    for name in ("notes.txt", ".hidden.html", "sub/base.html"):
        project.write(f"theme/{name}", "x")
    settings = project.load()
    assert settings.output.templates == (("item.html", "一"), ("style.css", "body {}"))
    names = [path.rpartition("/")[2] for path in settings.files]
    assert names == ["feedhub.yaml", "item.html", "style.css"]


def test_a_theme_that_cannot_be_read_is_a_problem_at_its_place(sited: Make) -> None:
    project = sited("output:\n  templates: theme\n")
    (problem,) = project.problems()
    assert problem == "feedhub.yaml:3:14: output.templates: cannot be read: No such file or directory"
    (project.folder / "theme").mkdir()
    (project.folder / "theme" / "a.html").write_bytes(b"caf\xe9")
    (project.folder / "theme" / "b.css").write_bytes(b"x" * 1_000_001)
    first, second = project.problems()
    assert first.endswith("a.html cannot be read: line 1 is not UTF-8")
    assert second.endswith("b.css cannot be read: it is larger than 1 MB")
    for number in range(101):
        project.write(f"theme/{number}.html", "")
    (problem,) = project.problems()
    assert problem.endswith("holds more than 100 templates")


@pytest.mark.parametrize(
    "change", ["output.pages=false", "output.templates=b", "websub.hub=https://hub.example/", "web.enabled=true"]
)
def test_the_digest_of_outputs_moves_with_what_pages_depend_on(sited: Make, change: str) -> None:
    project = sited("output: {templates: a}")
    project.write("a/item.html", "a")
    project.write("b/item.html", "b")
    before = project.load().output_digest
    assert project.load(change).output_digest != before
    project.write("a/item.html", "c")
    assert project.load().output_digest != before


@pytest.mark.parametrize(
    ("web", "has_box"),
    [
        ("", False),
        ("web: {enabled: true}", True),
        ("web: {search: true}", True),
        ("web: {enabled: true, search: false}", False),
    ],
)
def test_pages_have_a_search_box_when_the_web_server_is_on_unless_told_otherwise(
    sited: Make, web: str, has_box: bool
) -> None:
    assert sited(web).load().output.search is has_box


def test_a_hub_is_an_http_address(sited: Make) -> None:
    assert sited("websub: {hub: 'https://hub.example/x'}").load().output.hub == "https://hub.example/x"
    for wrong in ("hub.example", "ftp://hub.example/", "'javascript:alert(1)'"):
        (problem,) = sited(f"websub: {{hub: {wrong}}}").problems()
        assert problem.startswith(
            "feedhub.yaml:2:15: websub.hub: expected an address that begins with http:// or https://"
        )
