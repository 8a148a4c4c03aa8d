from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[[str], Any]

TEXT = """
include: [more.yaml]
output: {dir: out}
categories: {a: {title: A}}
sources:
  - {name: hn, url: hn.xml, category: [x, y]}
  - {name: hn.ny, url: ny.xml}
"""
MORE = """
sources:
  - {name: far, url: far.xml}
categories: {b: {title: B}}
rules:
  - {name: no ads, when: {title: x}, then: {drop: true}}
"""


@pytest.fixture
def both(sited: Make) -> Any:
    project = sited(TEXT)
    project.write("more.yaml", MORE)
    return project


def test_keys_are_dotted_and_values_are_yaml(both: Any) -> None:
    settings = both.load(
        "output.entries=7", "poll.allow_private=[127.0.0.1:8099]", "site.title=a=b", "retention.days=null"
    )
    assert settings.output.entries == 7
    assert settings.poll.allow_private == ("127.0.0.1:8099",)
    assert settings.site.title == "a=b"
    assert settings.retention.days is None


def test_sources_are_found_by_number_over_all_files_or_by_name(both: Any) -> None:
    settings = both.load(
        "sources[2].every=1m", "sources.hn.every=2m", "sources.hn.ny.every=3m", "sources[0].category[1]=z"
    )
    assert [source.every for source in settings.sources] == [120, 180, 60]
    assert settings.sources[0].categories == ("x", "z")


def test_rules_are_found_by_name_too(both: Any) -> None:
    assert both.load("rules.no ads.then.stop=true").rules[0].stop


def test_an_entry_may_be_replaced_whole(both: Any) -> None:
    assert both.load("sources.far={name: near, url: n.xml}").sources[2].name == "near"


def test_a_joined_mapping_is_changed_where_it_stands(both: Any) -> None:
    settings = both.load("categories.b.title=New", "categories.c.title=C")
    assert [(each.slug, each.title) for each in settings.categories[:3]] == [("a", "A"), ("c", "C"), ("b", "New")]


def test_a_whole_list_replaces_those_of_all_files(both: Any) -> None:
    assert [source.name for source in both.load("sources=[{name: only, url: x}]").sources] == ["only"]
    assert both.load("rules=").rules == ()


def test_the_include_can_be_changed(both: Any) -> None:
    assert len(both.load("include=[]").sources) == 2
    both.write("other.yaml", "sources: [{name: o, url: o.xml}]")
    assert both.load("include[0]=other.yaml").sources[2].name == "o"


def test_a_value_is_filled_in_from_the_environment(both: Any) -> None:
    assert both.load("site.title=${T}", T="Env").site.title == "Env"


def test_what_is_overridden_need_not_be_set(sited: Make) -> None:
    assert sited("poll: {every: '${UNSET}'}").load("poll.every=5m").poll.every == 300


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("output.dir", "--set: output.dir: expected KEY=VALUE"),
        ("=x", "--set: expected KEY=VALUE"),
        (
            "output.dir=[1",
            '--set: output.dir: the value is not valid YAML: expected "," or "]"',
        ),
        ("output..dir=x", "--set: output..dir: expected a key such as output.dir or sources[2].url"),
        ("output.=x", "--set: output.: expected a key such as"),
        ("sources[9].url=x", "--set: sources[9].url: there are only 3 sources"),
        ("sources[x].url=x", "--set: sources[x].url: expected a key such as"),
        ("sources.nobody.url=x", "--set: sources.nobody.url: no entry of sources has that name"),
        ("output.dir.x=1", "--set: output.dir.x: output.dir is not a mapping"),
        ("sources.hn.category[5]=1", "--set: sources.hn.category[5]: sources[0].category is not a list with that many"),
        ("output.entries=many", '--set: output.entries: expected a whole number, found "many"'),
        (
            "output.jekyl.keep_days=null",
            '--set: output.jekyl: unknown key; did you mean "jekyll"?',
        ),
        ("ouput.dir=x", '--set: ouput: unknown key; did you mean "output"?'),
        ("sources.far.every=often", "--set: sources[0].every: expected a duration"),
        ("web=on", '--set: web: expected a mapping, found "on"'),
    ],
)
def test_an_override_that_does_not_fit_is_a_problem_of_the_command_line(both: Any, override: str, problem: str) -> None:
    (found,) = both.problems(override)
    assert found.startswith(problem)


def test_a_problem_beside_an_override_keeps_its_place(sited: Make) -> None:
    assert sited("output: {entries: x}").problems("output.dir=y") == [
        'feedhub.yaml:2:19: output.entries: expected a whole number, found "x"'
    ]
