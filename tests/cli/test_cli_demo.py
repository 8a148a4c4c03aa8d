"""``feedhub demo``: offline, in an empty folder, and true in what it says."""

import json
import tempfile
import xml.etree.ElementTree as ET
from http.client import HTTPConnection
from pathlib import Path

import pytest

from feedhub.cli.demo import serving
from support.cli_runs import run

MERGED = "“云汐央行下调七天期利率十个基点” came from 3 sources under 3 addresses and is published once."


def test_the_demo_shows_two_rounds_and_names_feeds_that_exist(tmp_path: Path) -> None:
    ran = run("demo", "--dir", tmp_path / "try")
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.split("Second round")
    assert "5 stored, 1 failed; 13 new, 0 changed, 3 duplicate, 0 rejected, 1 dropped" in first
    assert second.count("not modified    0") == 5
    assert "published: nothing changed" in second
    assert "north-gate fails on purpose" in second
    assert MERGED in second
    assert "in World as “Yunxi's central bank trims its seven-day rate”" in second
    assert "in 财经 as “云汐央行下调七天期利率十个基点”" in second
    named = [Path(line.strip()) for line in ran.out.splitlines() if line.endswith(".atom")]
    assert [path.stem for path in named] == ["all", "caijing", "world", "chips", "audio"]
    for path in named:
        assert path.is_absolute()
        assert ET.parse(path).getroot().find("{http://www.w3.org/2005/Atom}entry") is not None
    combined = json.loads((tmp_path / "try" / "output" / "feeds" / "all.json").read_text(encoding="utf-8"))
    assert len(combined["items"]) == 13
    assert sum("seven-day rate" in one["title"] or "七天期利率" in one["title"] for one in combined["items"]) == 1
    assert any("镕溪" in one["title"] for one in combined["items"])


def test_the_commands_that_the_demo_names_work_afterwards(tmp_path: Path) -> None:
    ran = run("demo", "--dir", tmp_path)
    lines = ran.out.splitlines()
    named = [line.split(" feedhub ", 1)[-1] for line in lines if " -c " in line]
    assert len(named) == 3
    for line in named:
        arguments = line.strip().removeprefix("feedhub ").split()
        assert run(*arguments).code == 0, line


def test_the_demo_gives_the_same_ids_every_time(tmp_path: Path) -> None:
    runs = [run("demo", "--json", "--dir", tmp_path / name) for name in ("one", "two")]
    assert [ran.code for ran in runs] == [0, 0]
    one, two = ([story["item_id"] for story in ran.json["merged"]] for ran in runs)
    assert one == two
    assert len(one) == 2
    assert all(source["not_modified"] or source["failed"] for source in runs[0].json["rounds"][1]["sources"])
    assert all(Path(feed).is_file() for feed in runs[0].json["feeds"])


def test_the_demo_publishes_as_careful_publishers_do() -> None:
    with serving({"a.rss": b"<rss/>"}) as host:
        connection = HTTPConnection(host, timeout=5)
        answers = []
        etag = ""
        for path in ("/a.rss", "/a.rss", "/b.rss"):
            connection.request("GET", path, headers={"If-None-Match": etag})
            answer = connection.getresponse()
            answers.append((answer.status, answer.read() if path == "/a.rss" else b""))
            answer.close()
            etag = answer.headers.get("ETag", "")
        connection.close()
    assert answers == [(200, b"<rss/>"), (304, b""), (404, b"")]


def test_the_demo_without_a_folder_makes_one_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ran = run("demo", "--json")
    assert Path(ran.json["folder"]).parent == tmp_path
    assert (Path(ran.json["folder"]) / "config" / "feedhub.yaml").is_file()


def test_the_demo_touches_no_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    ran = run("demo", "--dir", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"feedhub: {tmp_path} is not empty; the demo never overwrites\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert run("demo", "--dir", tmp_path / "mine").code == 2
