"""``poll`` and ``publish``: a row per source, what failed and why, and what is left to do."""

import re
from pathlib import Path

import pytest

from support.cli_runs import Ran, rss, run, write_project
from support.responders import static
from support.server import serve, unused_port

ROW = {
    "name",
    "outcome",
    "new",
    "changed",
    "duplicate",
    "rejected",
    "dropped",
    "dropped_by",
    "not_modified",
    "failed",
    "reason",
    "status",
    "bytes",
    "seconds",
    "warnings",
}


def rows(ran: Ran) -> list[str]:
    """The lines of the table, without title and sums."""
    lines = ran.out.splitlines()
    end = next(index for index, line in enumerate(lines) if re.match(r"\d+ sources?: ", line))
    return lines[1:end]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.xml").write_bytes(rss(("One", "https://a.example/1"), ("Two", "https://a.example/2")))
    return tmp_path


GOOD = "  - {name: good, url: in/good.xml, category: news}\n"


def test_a_dead_source_costs_its_row_and_exit_1(folder: Path) -> None:
    dead = f"  - {{name: dead, url: 'http://127.0.0.1:{unused_port()}/feed', category: news}}\n"
    ran = run("poll", "-c", write_project(folder, dead + GOOD))
    assert ran.code == 1
    assert [line.split()[:3] for line in rows(ran)] == [["dead", "failed", "0"], ["good", "stored", "2"]]
    assert "refused" in rows(ran)[0]
    assert "2 sources: 1 stored, 1 failed; 2 new, 0 changed, 0 duplicate, 0 rejected" in ran.out
    assert b"https://a.example/1" in (folder / "output" / "feeds" / "news.atom").read_bytes()


def test_what_rules_drop_is_counted_by_rule_and_is_no_rejection(folder: Path) -> None:
    rules = (
        "rules:\n"
        "  - {name: no ones, when: {title: One}, then: {drop: true}}\n"
        "  - {name: no twos, when: {title: Two}, then: {drop: true}}\n"
    )
    config = write_project(folder, GOOD, rules)
    ran = run("poll", "-c", config)
    assert "; 0 new, 0 changed, 0 duplicate, 0 rejected, 2 dropped" in ran.out
    assert rows(ran)[0].split("  ")[-1] == "dropped by rule “no ones”: 1; dropped by rule “no twos”: 1"
    (folder / "var" / "feedhub.db").unlink()
    (row,) = run("poll", "--json", "-c", config).json["sources"]
    assert (row["rejected"], row["dropped"], row["dropped_by"]) == (0, 2, {"no ones": 1, "no twos": 1})


def test_a_category_that_would_leave_the_folder_costs_one_row(folder: Path) -> None:
    bad = "  - {name: bad, url: in/good.xml, category: ../../etc/x}\n"
    config = write_project(folder, bad + GOOD)
    ran = run("poll", "-c", config)
    assert ran.code == 1
    assert [line.split()[:2] for line in rows(ran)] == [["bad", "failed"], ["good", "stored"]]
    assert "../../etc/x" in rows(ran)[0]
    assert sorted(path.name for path in (folder / "output" / "feeds").glob("*.atom")) == [
        "all.atom",
        "health.atom",
        "news.atom",
    ]
    checked = run("check", "--json", "-c", config)
    assert checked.code == 2
    assert checked.json[0]["key"].startswith("sources[0].category")
    assert checked.json[0]["line"] == 5


def test_the_json_of_a_run_has_the_agreed_keys(folder: Path) -> None:
    with serve({"/gone": static(b"<html><body>no feed</body></html>", content_type="text/html")}) as server:
        config = write_project(folder, GOOD + f"  - {{name: page, url: '{server.url('/gone')}'}}\n")
        ran = run("poll", "--json", "-c", config)
    assert ran.code == 1
    assert set(ran.json) == {"sources", "published", "not_due", "next_due_at"}
    good, page = ran.json["sources"]
    assert set(good) == set(page) == ROW
    assert (good["outcome"], good["new"], good["failed"], good["not_modified"]) == ("stored", 2, False, False)
    assert (page["outcome"], page["failed"], page["status"]) == ("failed", True, 200)
    assert "page" in page["reason"]
    assert page["bytes"] > 0
    assert set(ran.json["published"]) == {"written", "unchanged", "removed", "failed"}
    assert "feeds/news.atom" in ran.json["published"]["written"]
    assert ran.json["next_due_at"].endswith("+00:00")
    assert "[1/2] good: stored, 2 new\n" in ran.err


def test_what_is_not_due_is_left_alone(folder: Path) -> None:
    config = write_project(folder, GOOD)
    assert run("poll", "-c", config).code == 0
    idle = run("poll", "-c", config)
    assert idle.code == 0
    assert idle.out.startswith("no source was due\npublished: nothing changed\n1 source not due; the next is due in ")
    again = run("poll", "--all", "-c", config)
    assert [line.split() for line in rows(again)] == [["good", "not", "modified", "0", "0", "0", "0"]]
    assert run("poll", "good", "--json", "-c", config).json["sources"][0]["not_modified"] is True


def test_a_quiet_poll_prints_only_when_something_went_wrong(folder: Path) -> None:
    ran = run("poll", "--quiet", "-c", write_project(folder, GOOD))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    ran = run("-q", "poll", "--all", "-c", write_project(folder, GOOD + "  - {name: bad, url: none.xml}\n"))
    assert ran.code == 1
    assert [line.split()[0] for line in rows(ran)] == ["good", "bad"]


def test_a_name_that_no_source_has_is_misuse(folder: Path) -> None:
    ran = run("poll", "goood", "-c", write_project(folder, GOOD))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == 'feedhub: no source "goood"; did you mean "good"?\n'


def test_publishing_can_wait(folder: Path) -> None:
    config = write_project(folder, GOOD)
    stored = run("poll", "--no-publish", "--json", "-c", config)
    assert (stored.code, stored.json["published"]) == (0, None)
    assert not (folder / "output" / "feeds").exists()
    assert "published" not in run("poll", "--no-publish", "-c", config).out
    assert run("publish", "news", "-c", config).out.startswith("published: ")
    assert (folder / "output" / "feeds" / "news.rss").is_file()
    assert not (folder / "output" / "feeds" / "all.rss").exists()
    everything = run("publish", "--json", "-c", config)
    assert "feeds/all.rss" in everything.json["written"]
    unknown = run("publish", "sports", "-c", config)
    assert (unknown.code, unknown.err) == (2, 'feedhub: no category "sports"; there are: all, news\n')


def test_an_output_that_cannot_be_written_is_exit_1_and_said(folder: Path) -> None:
    config = write_project(folder, GOOD)
    assert run("poll", "--no-publish", "-c", config).code == 0
    blocked = folder / "output" / "feeds" / "news.atom"
    blocked.mkdir(parents=True)
    (blocked / "file").touch()
    ran = run("publish", "-c", config)
    assert ran.code == 1
    assert "output news failed, the last good one stays: " in ran.out
    assert (folder / "output" / "feeds" / "all.atom").is_file()
    as_json = run("publish", "--json", "-c", config)
    assert (as_json.code, as_json.json["failed"][0]["output"]) == (1, "news")
    assert run("poll", "--all", "-c", config).code == 1


def test_a_removed_category_is_told(folder: Path) -> None:
    assert run("poll", "-c", write_project(folder, GOOD)).code == 0
    ran = run("poll", "--all", "-c", write_project(folder, GOOD.replace("news", "papers")))
    assert ran.code == 0
    assert "1 removed" in ran.out
