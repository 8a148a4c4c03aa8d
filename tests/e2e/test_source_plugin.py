"""A source kind of another package: installed, it has its keys checked, is in the schema, and is polled."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.plugins import feedhub, install_example

SITE = "site: {title: T, url: https://news.example.org}\n"
TEXT = "sources: [{name: notes, kind: text, url: notes.txt, category: notes, encoding: gb18030, comment: '#'}]\n"

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_example("text_lines", tmp_path_factory.mktemp("text_lines"))


@pytest.fixture
def run(tmp_path: Path, packages: Path) -> Run:
    def run(*arguments: str, config: str = TEXT) -> tuple[int, str, str]:
        (tmp_path / "feedhub.yaml").write_text(SITE + config)
        ran = feedhub(*arguments, packages=packages, cwd=tmp_path)
        return ran.returncode, ran.stdout, ran.stderr

    return run


def test_every_line_of_a_text_file_becomes_an_item_once(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("# mine\n\nBuy milk\n  芯片很贵\nBuy milk\n", "gb18030")
    poll = "poll", "-c", "feedhub.yaml", "--all", "--json"
    code, out, err = run(*poll)
    assert code == 0, err
    assert json.loads(out)["sources"][0]["new"] == 2
    feed = json.loads((tmp_path / "output" / "feeds" / "notes.json").read_text("utf-8"))
    assert {item["title"] for item in feed["items"]} == {"Buy milk", "芯片很贵"}
    notes.write_text("Call home\nBuy milk\n芯片很贵\n", "gb18030")
    assert json.loads(run(*poll)[1])["sources"][0]["new"] == 1


def test_the_schema_shows_the_installed_kind_and_its_keys(run: Run) -> None:
    code, out, err = run("schema")
    assert (code, err) == (0, "")
    source = json.loads(out)["$defs"]["SourceSection"]["properties"]
    assert source["kind"]["enum"] == ["feed", "json", "html", "text"]
    assert source["kind"]["description"].endswith("; `text` is a text file with one item on each line.")
    assert source["comment"]["description"] == "Lines that begin with this are left out."


PROBLEMS = {
    "{name: a, kind: text, url: n.txt, coment: x}": 'unknown key; did you mean "comment"?',
    "{name: b, kind: text, url: n.txt, comment: ''}": "comment: must not be empty",
    "{name: c, kind: text, url: n.txt, items: x}": (
        "items: belongs to kind: json or html; this source is of kind: text"
    ),
    "{name: d, kind: texts, url: n.txt}": 'kind: expected feed, json, html or text, found "texts"',
}


def test_the_keys_of_an_installed_kind_are_checked_like_all_others(run: Run) -> None:
    code, out, _ = run("check", "-c", "feedhub.yaml", config=f"sources: [{', '.join(PROBLEMS)}]\n")
    assert code == 2
    for line, problem in zip(out.splitlines(), PROBLEMS.values(), strict=True):
        assert line.endswith(problem)


def test_a_kind_whose_plugin_is_broken_is_told_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    about = broken / "broken-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[feedhub.sources]\ntext = no_such_module:KIND\nother = json:loads\n")
    (tmp_path / "feedhub.yaml").write_text(SITE + "sources: [{name: a, kind: text, url: n.txt}]\n")
    checked = feedhub("check", "-c", "feedhub.yaml", packages=broken, cwd=tmp_path)
    assert checked.returncode == 2
    assert "kind: text is no kind that can be used: its plugin no_such_module:KIND cannot be loaded" in checked.stdout
    schema = feedhub("schema", packages=broken, cwd=tmp_path)
    assert json.loads(schema.stdout)["$defs"]["SourceSection"]["properties"]["kind"]["enum"] == ["feed", "json", "html"]
    assert [line.partition(", whose")[0] for line in schema.stderr.splitlines()] == [
        "left out: kind other",
        "left out: kind text",
    ]
