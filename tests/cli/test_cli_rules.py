"""``feedhub rules test``: what rules would do, before they are in force."""

from pathlib import Path

import pytest

from support.cli_runs import rss, run, write_project

SOURCES = "  - {name: paper, url: in/paper.xml, category: news}\n"
RULES = "rules: [{name: no sponsors, when: {title: Sponsored}, then: {drop: true}}]"
NEW = """rules:
  - {name: no ferries, when: {title: Ferry}, then: {drop: true}}
  - {name: ships, when: {title: Ferry}, then: {category: ships}}
  - {name: rates, when: {title: Rates}, then: {category: money}}
  - {name: nothing, when: {title: xyz}, then: {category: money}}
"""


@pytest.fixture
def polled(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    items = [(title, f"https://paper.example/{title[:5]}") for title in ("Rates fall", "Sponsored", "Ferry reopens")]
    (tmp_path / "in" / "paper.xml").write_bytes(rss(*items))
    config = write_project(tmp_path, SOURCES, RULES)
    assert run("poll", "-c", config).code == 0
    (tmp_path / "new.yaml").write_text(NEW)
    return config


def test_rules_of_another_file_are_tried_and_nothing_is_changed(polled: Path) -> None:
    new = str(polled.parent.parent / "new.yaml")
    before = {path: path.read_bytes() for path in (polled.parent.parent / "output").rglob("*") if path.is_file()}
    ran = run("rules", "test", new, "-c", polled)
    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[:2] == [
        "tried on 3 stored items; nothing was changed",
        "of what is published now 1 would leave all outputs, 1 would come back, 1 would be shown otherwise",
    ]
    assert {"no ferries 1 1 0 0 1", "ships 0 0 0 0 0", "rates 1 0 1 0 1", "nothing 0 0 0 0 0"} <= set(lines)
    assert "new dropped: “Ferry reopens” 2026-01-03 08:00 paper" in lines
    assert lines[-3:] == [
        "comes back: 1 report that the rule “no sponsors” drops now",
        "never reached: “ships” would hold, but rules before it end there: “no ferries” (1)",
        "matches nothing: “nothing”",
    ]
    assert run("publish", "-c", polled).code == 0
    assert {path: path.read_bytes() for path in before} == before


def test_the_rules_on_disk_are_tried_before_they_are_in_force(polled: Path) -> None:
    polled.write_text(polled.read_text().replace("Sponsored}", "Rates}"))
    found = run("rules", "test", "-c", polled, "--json").json
    assert (found["items"], found["leave"], found["back"], found["returning"]) == (3, 1, 1, {"no sponsors": 1})
    assert run("publish", "-c", polled).code == 0
    found = run("rules", "test", "-c", polled, "--json").json
    assert (found["leave"], found["back"], found["otherwise"], found["rules"][0]["new"]) == (0, 0, 0, 0)


def test_one_rule_is_shown_alone(polled: Path) -> None:
    new = str(polled.parent.parent / "new.yaml")
    found = run("rules", "test", new, "--rule", "rates", "-c", polled, "--json").json
    assert [rule["name"] for rule in found["rules"]] == ["rates"]
    (example,) = found["rules"][0]["examples"]
    assert (example["title"], example["does"], example["is_new"]) == ("Rates fall", "in money", True)
    refused = run("rules", "test", "--rule", "rate", "-c", polled)
    assert (refused.code, refused.err) == (2, 'feedhub: no rule "rate"; there are: no sponsors\n')


def test_only_items_met_of_late_are_tried(polled: Path) -> None:
    assert run("rules", "test", "--since", "1d", "-c", polled, "--json").json["items"] == 3
    assert run("rules", "test", "--since", "0s", "-c", polled, "--json").json["items"] == 0
    refused = run("rules", "test", "--since", "soon", "-c", polled)
    assert (refused.code, "--since soon: expected a duration such as" in refused.err) == (2, True)


def test_a_file_with_a_problem_is_told_with_its_place(polled: Path) -> None:
    new = polled.parent.parent / "new.yaml"
    new.write_text("rules: [{name: x, when: {titel: a}, then: {drop: true}}]\n")
    ran = run("rules", "test", str(new), "-c", polled)
    assert (ran.code, "new.yaml:1:26: rules[0].when.titel" in ran.err) == (2, True)
    missing = run("rules", "test", str(new.with_name("none.yaml")), "-c", polled)
    assert (missing.code, "there is no such file" in missing.err) == (2, True)


def test_a_whole_configuration_as_the_file_gives_its_rules_alone(polled: Path) -> None:
    other = polled.parent.parent / "other.yaml"
    other.write_text("site: {title: Other, url: https://other.example}\nsources: []\n" + NEW)
    found = run("rules", "test", str(other), "-c", polled, "--json").json
    assert (found["items"], found["leave"]) == (3, 1)
