from collections.abc import Callable
from pathlib import Path
from typing import Any

Make = Callable[[str], Any]


def names(settings: Any) -> list[str]:
    return [source.name for source in settings.sources]


def entry(name: str) -> str:
    return f"sources: [{{name: {name}, url: {name}.xml}}]\n"


def test_lists_are_appended_in_the_order_of_file_names(sited: Make) -> None:
    project = sited("include: [z/*.yaml, 'a*.yaml']\nsources: [{name: main, url: x}]")
    project.write("z/2.yaml", entry("z2") + "rules: [{name: two, when: {title: x}, then: {drop: true}}]")
    project.write("z/1.yaml", entry("z1") + "rules: [{name: one, when: {title: x}, then: {drop: true}}]")
    project.write("a.yaml", entry("a"))
    settings = project.load()
    assert names(settings) == ["main", "a", "z1", "z2"]
    assert [rule.name for rule in settings.rules] == ["one", "two"]
    assert [Path(file).name for file in settings.files] == ["feedhub.yaml", "a.yaml", "1.yaml", "2.yaml"]
    assert settings.sources[2].place == "z/1.yaml:1"


def test_mappings_are_joined(sited: Make) -> None:
    project = sited("include: [more.yaml]\ncategories: {a: {title: A}}\nidentity: {x: {from: id, pattern: x}}")
    project.write("more.yaml", entry("s") + "categories: {b: {title: B}}\nidentity: {y: {from: id, pattern: y}}")
    settings = project.load()
    assert [category.slug for category in settings.categories] == ["a", "b"]
    assert [pattern.name for pattern in settings.sources[0].identity] == ["x", "y"]


def test_includes_are_relative_to_the_file_that_includes(sited: Make) -> None:
    project = sited("include: sub/one.yaml")
    project.write("sub/one.yaml", "include: [two.yaml]\n" + entry("one"))
    project.write("sub/two.yaml", entry("two"))
    settings = project.load()
    assert names(settings) == ["one", "two"]
    assert settings.sources[0].url == f"file://{project.folder}/one.xml"


def test_a_file_found_twice_is_read_once(sited: Make) -> None:
    project = sited("include: ['*.yaml', a.yaml, sub/b.yaml]")
    project.write("a.yaml", entry("a"))
    project.write("sub/b.yaml", "include: [../a.yaml]\n" + entry("b"))
    assert names(project.load()) == ["a", "b"]


def test_a_glob_may_find_nothing_a_name_may_not(sited: Make) -> None:
    project = sited("include: [nothing/*.yaml, gone.yaml, '']")
    assert project.problems() == [
        "feedhub.yaml:2:27: include[1]: there is no such file",
        "feedhub.yaml:2:38: include[2]: must not be empty",
    ]


def test_a_circle_is_reported_with_its_files(sited: Make) -> None:
    project = sited("include: [a.yaml]")
    project.write("a.yaml", "include: [b.yaml]")
    project.write("b.yaml", "include: [a.yaml]")
    assert project.problems() == ["b.yaml:1:11: include[0]: includes go round in a circle: a.yaml → b.yaml → a.yaml"]


def test_a_name_given_in_two_files_names_both_places(sited: Make) -> None:
    project = sited(
        "include: [more.yaml]\nsources: [{name: a, url: x}]\ncategories: {c: {}}\nidentity: {k: {from: id, pattern: x}}"
    )
    project.write(
        "more.yaml", "sources: [{name: a, url: y}]\ncategories: {c: {}}\nidentity: {k: {from: id, pattern: y}}"
    )
    assert project.problems() == [
        "more.yaml:1:18: sources[0].name: has the same name as sources[0] (feedhub.yaml:3)",
        "more.yaml:2:14: categories.c: is also in categories.c (feedhub.yaml:4)",
        "more.yaml:3:12: identity.k: is also in identity.k (feedhub.yaml:5)",
    ]


def test_two_rules_cannot_share_a_name(sited: Make) -> None:
    rule = "{name: r, when: {title: x}, then: {drop: true}}"
    assert sited(f"rules: [{rule}, {rule}]").problems() == [
        "feedhub.yaml:2:65: rules[1].name: has the same name as rules[0] (feedhub.yaml:2)"
    ]


def test_a_broken_file_does_not_hide_the_problems_of_others(sited: Make) -> None:
    project = sited("include: ['*.yml']\nfoo: 1")
    project.write("a.yml", "sources: [")
    project.write("b.yml", "- x")
    project.write("c.yml", "")
    (project.folder / "d.yml").write_bytes(b"\xff")
    assert [problem.partition(": ")[0] for problem in project.problems()] == [
        "feedhub.yaml:3:1",
        "a.yml:2:1",
        "b.yml:1:1",
        "d.yml",
    ]


def test_an_include_through_a_folder_is_no_file(sited: Make) -> None:
    project = sited("include: [sub, 'su*']")
    project.write("sub/x.yaml", entry("x"))
    assert project.problems() == ["feedhub.yaml:2:11: include[0]: cannot be read: it is no regular file"]


def test_absolute_globs_work(sited: Make, tmp_path: Path) -> None:
    project = sited(f"include: ['{tmp_path}/deep/**/*.yaml']")
    project.write("deep/er/x.yaml", entry("x"))
    assert names(project.load()) == ["x"]
