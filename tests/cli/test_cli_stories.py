"""``feedhub stories test``: which stored items tell the same news."""

from pathlib import Path

import pytest

from support.cli_runs import rss, run, write_project

TITLES = ("Ferry Northern Star aground off Kelsay", "Northern Star ferry aground off Kelsay, all saved", "Rates fall")


@pytest.fixture
def polled(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    lines = []
    for number, title in enumerate(TITLES):
        (tmp_path / "in" / f"p{number}.xml").write_bytes(rss((title, f"https://p{number}.example/1")))
        lines.append(f"  - {{name: p{number}, url: in/p{number}.xml, category: news}}\n")
    config = write_project(tmp_path, "".join(lines))
    assert run("poll", "-c", config).code == 0
    return config


def test_stories_are_told_with_reasons_and_nothing_is_changed(polled: Path) -> None:
    store = {path: path.read_bytes() for path in (polled.parent.parent / "output").rglob("*") if path.is_file()}
    ran = run("stories", "test", "--days", "3650", "-c", polled)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "placed 3 stored items of 3650 days; nothing was changed"
    assert lines[1].endswith("2 items in 1 story, 0 digests left out")
    assert sum("aground off Kelsay" in line for line in lines) == 2
    assert any(line.startswith("2 reports: “") for line in lines)
    assert any(line.startswith("  event: “") for line in lines)
    assert {path: path.read_bytes() for path in store} == store


def test_stories_are_told_as_json(polled: Path) -> None:
    found = run("stories", "test", "--days", "3650", "--care", "normal", "--json", "-c", polled).json
    assert (found["items"], found["stories"], found["grouped"]) == (3, 1, 2)
    (story,) = found["largest"]
    assert [member["how"] for member in story["members"]] == ["", "event"]
    assert " alike (" in story["members"][1]["reason"]
