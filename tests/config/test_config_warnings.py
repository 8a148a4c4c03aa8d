"""What ``check`` warns of: configurations that can be used and probably do not say what was meant."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from feedhub.config.reference import starter_files
from feedhub.config.warnings import STARTER_URL
from feedhub.publish.formats import FORMATS
from feedhub.sources.kinds import KINDS
from support.cli_runs import run

Make = Callable[[str], Any]


def warned(project: Any) -> list[tuple[str, str]]:
    """The warnings of a configuration, as (key, message)."""
    return [(one.key, one.message) for one in project.load().warnings]


def filed(*names: str) -> str:
    """Sources that name these categories, one each."""
    entries = ", ".join(f"{{name: s{place}, url: {place}.xml, category: {name}}}" for place, name in enumerate(names))
    return f"sources: [{entries}]\n"


def beside(name: str, other: str) -> str:
    return f'"{name}" is a category beside "{other}"; if it is not misspelt, declare both under `categories:`'


@pytest.mark.parametrize(
    ("names", "misspelt", "meant"),
    [
        pytest.param(("tech", "tech", "teck"), "teck", "tech", id="another letter"),
        pytest.param(("tech", "tehc", "tech"), "tehc", "tech", id="letters changed places"),
        pytest.param(("science", "sience", "science"), "sience", "science", id="a letter less"),
        pytest.param(("blogg", "blog", "blog"), "blogg", "blog", id="a letter more"),
        pytest.param(("tech", "teck"), "teck", "tech", id="named as often: the later one"),
        pytest.param(("财经新闻", "财金新闻", "财经新闻"), "财金新闻", "caijingxinwen", id="by slug"),
    ],
)
def test_a_category_one_edit_away_from_another(sited: Make, names: tuple[str, ...], misspelt: str, meant: str) -> None:
    place = names.index(misspelt)
    assert warned(sited(filed(*names))) == [(f"sources[{place}].category", beside(misspelt, meant))]


def test_a_category_one_edit_away_from_a_declared_slug_or_title(sited: Make) -> None:
    declared = "categories: {it: {title: Technology}}\n"
    assert warned(sited(declared + filed("Technolgy"))) == [("sources[0].category", beside("Technolgy", "it"))]


def test_a_category_of_a_rule_may_be_misspelt_too(sited: Make) -> None:
    rule = "rules: [{name: r, when: {title: x}, then: {category: [tech, sportt]}}]\n"
    assert warned(sited(filed("tech", "sport") + rule)) == [("rules[0].then.category[1]", beside("sportt", "sport"))]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("categories: {tech: {}, teck: {}}\n" + filed("teck", "tech", "tech"), id="declared"),
        pytest.param(filed("us", "uk", "ai", "ar"), id="short names"),
        pytest.param(filed("news-2024", "news-2025", "vol1", "vol10"), id="numbers"),
        pytest.param(filed("tech", "text"), id="two edits"),
        pytest.param(filed("Tech", "tech", "TECH"), id="one category"),
    ],
)
def test_categories_that_are_meant(sited: Make, text: str) -> None:
    assert warned(sited(text)) == []


def test_conditions_on_sources_and_categories_that_do_not_exist(sited: Make) -> None:
    rules = """rules:
  - {name: a, when: {source: wier}, then: {drop: true}}
  - {name: b, when: {any: [{title: x}, {not: {source: ['wi*', 'blog-*']}}]}, then: {drop: true}}
  - {name: c, when: {category: Sports}, then: {drop: true}}
  - {name: k, when: {source: wire}, then: {keep_only: {any: [{source: wirr}, {title: x}]}}}
  - {name: d, when: {category: [科技, 'Ｔech'], source: '*'}, then: {drop: true}}
"""
    sources = (
        "sources: [{name: wire, url: a.xml, category: [tech, 科技]}, {name: other, url: b.xml, category: sport}]\n"
    )
    assert warned(sited(sources + rules)) == [
        ("rules[0].when.source", 'no source has the name "wier"; did you mean "wire"?'),
        ("rules[1].when.any[1].not.source[1]", 'no source has the name "blog-*"'),
        ("rules[2].when.category", 'no category has the name "Sports"; did you mean "sport"?'),
        ("rules[3].then.keep_only.any[0].source", 'no source has the name "wirr"; did you mean "wire"?'),
    ]


def test_a_condition_on_a_category_that_records_may_bring_is_none(sited: Make) -> None:
    sources = "sources: [{name: wire, url: a.xml, category: {from: tags}}]\n"
    assert warned(sited(sources + "rules: [{name: a, when: {category: World}, then: {drop: true}}]\n")) == []


def seconds_for(project: Any, number: int) -> float:
    """CPU seconds to load sources with categories that are all alike, and rules that ask for none of them."""
    names = [f"category-{chr(97 + one // 26 % 26)}{chr(97 + one % 26)}{one // 676}" for one in range(number)]
    rules = "".join(
        f"  - {{name: r{one}, when: {{any: [{{source: n{one}}}, {{source: 'n{one}-*'}}, {{category: {name}z}}]}}, "
        f"then: {{tag: t, replace: {{field: link, pattern: a, with: b}}}}}}\n"
        for one, name in enumerate(names[: number // 10])
    )
    project.write("many.yaml", f"{filed(*names)}rules:\n{rules}")
    began = time.process_time()
    warnings = project.load().warnings
    taken = time.process_time() - began
    assert len(warnings) > number
    return taken


def test_the_time_of_looking_for_misspellings_grows_with_their_number_and_not_its_square(sited: Make) -> None:
    project = sited("include: [many.yaml]")
    few = min(seconds_for(project, 250) for _ in range(3))
    assert seconds_for(project, 2_500) < 15 * few


def test_one_address_under_two_sources(sited: Make) -> None:
    sources = """sources:
  - {name: a, url: 'https://a.example/feed?utm_source=x', category: tech}
  - {name: b, url: 'http://A.example/feed', category: news}
  - {name: c, url: 'https://a.example/feed', paused: true}
  - {name: d, url: 'https://b.example/'}
  - {name: e, url: 'https://b.example'}
  - {name: f, url: 'https://c.example/api', kind: json, items: one, fields: {title: t}}
  - {name: g, url: 'https://c.example/api', kind: json, items: two, fields: {title: t}}
"""
    told = "is the address of sources[{}] (feedhub.yaml:{}), too; one source can have both categories"
    assert warned(sited(sources)) == [("sources[1].url", told.format(0, 3)), ("sources[4].url", told.format(3, 6))]


def test_the_address_of_the_starter(project: Make) -> None:
    starter = starter_files(KINDS, FORMATS)["config/feedhub.yaml"]
    assert isinstance(starter, str)
    assert yaml.safe_load(starter)["site"]["url"] == STARTER_URL
    ((key, message),) = warned(project(starter.replace("include: [sources/*.yaml]", "")))
    assert (key, message.partition(";")[0]) == ("site.url", "is the address of the starter")


def test_an_article_wanted_without_the_extra(sited: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    project = sited("sources: [{name: a, url: a.xml, detail: {extract: article}}, {name: b, url: b.xml}]\n")
    assert warned(project) == []
    monkeypatch.setitem(sys.modules, "lxml_html_clean", None)
    assert warned(project) == [
        (
            "sources[0].detail.extract",
            "needs the extra fulltext, which is not installed here: docs/full-text.md tells how",
        )
    ]


def test_a_name_from_the_environment_stays_hidden(sited: Make) -> None:
    project = sited(filed("tech", "tech", "'${SECRET}'"))
    (warning,) = project.load(SECRET="techh").warnings
    assert warning.message.startswith('a value from the environment is a category beside "tech"')


def test_warnings_have_their_place_and_do_not_change_the_exit_code(sited: Make) -> None:
    path = str(sited(filed("tech", "tech", "teck")).folder / "feedhub.yaml")
    ran = run("check", "-c", path)
    line = f"{path}:2:124: warning: sources[2].category: {beside('teck', 'tech')}\n"
    assert (ran.code, ran.out, ran.err) == (0, f"{line}ok: 3 sources, 2 categories, 0 rules\n", "")
    strict = run("check", "--strict", "--json", "-c", path)
    assert strict.code == 2
    assert [(one["key"], one["is_warning"]) for one in strict.json] == [("sources[2].category", True)]
    assert run("check", "--strict", "-c", sited(filed("tech")).folder / "feedhub.yaml").code == 0


def test_notifications_of_what_does_not_exist_are_doubted(project: Make) -> None:
    text = 'notify: {desk: {to: "${DESK}", categories: [all, tech, tehc], rules: [chips, chisp]}}\n'
    rules = "rules: [{name: chips, when: {title: chip}, then: {tag: chips}}]\n"
    made = project("site: {title: T, url: https://example.org}\n" + filed("tech") + rules + text)
    assert [(one.key, one.message) for one in made.load(DESK="json://a.example").warnings] == [
        ("notify.desk.categories[2]", 'there is nothing of the name "tehc" among the categories'),
        ("notify.desk.rules[1]", 'there is nothing of the name "chisp" among the rules'),
    ]
