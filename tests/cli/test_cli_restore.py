"""``restore``: a backup takes the place of the store, and nothing is lost when that cannot be."""

from pathlib import Path

import pytest

from feedhub.store.sql import open_store
from support.cli_runs import rss, run, write_project


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A store with two items, of which a backup has the first."""
    (tmp_path / "a.xml").write_bytes(rss(("One", "https://a.example/1")))
    config = write_project(tmp_path, "  - {name: a, url: a.xml, category: news}\n")
    run("poll", "-c", config)
    run("backup", tmp_path / "copy.db", "-c", config)
    (tmp_path / "a.xml").write_bytes(rss(("One", "https://a.example/1"), ("Two", "https://a.example/2")))
    assert run("poll", "--all", "-c", config).code == 0
    return config


def shown(config: Path) -> list[str]:
    feed = (config.parent.parent / "output" / "feeds" / "news.atom").read_text("utf-8")
    return [name for name in ("One", "Two") if f">{name}</title>" in feed]


def test_the_store_and_all_outputs_are_those_of_the_backup(config: Path, tmp_path: Path) -> None:
    assert shown(config) == ["One", "Two"]
    ran = run("restore", tmp_path / "copy.db", "-c", config)
    assert (ran.code, ran.err) == (0, "")
    assert shown(config) == ["One"]
    assert (tmp_path / "copy.db").exists()
    kept = tmp_path / "var" / "feedhub.db.before-restore"
    assert str(kept) in ran.out
    assert run("restore", kept, "-c", config).code == 0
    assert shown(config) == ["One", "Two"]
    assert run("poll", "--all", "--json", "-c", config).json["sources"][0]["new"] == 0


def test_a_backup_makes_a_store_on_another_machine(config: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    other = write_project(there, "  - {name: a, url: ../a.xml, category: news}\n")
    ran = run("restore", tmp_path / "copy.db", "-c", other)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"restored: 1 items are shown, from {tmp_path / 'copy.db'}")
    assert shown(other) == ["One"]


def test_nothing_is_restored_beside_a_daemon(config: Path, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'var' / 'feedhub.db'}")
    with store.task_lock("run", wait=0):
        ran = run("restore", tmp_path / "copy.db", "-c", config)
    store.close()
    assert ran.code == 3
    assert "is in use" in ran.err
    assert run("search", "Two", "-c", config).out.startswith("Two\n")


@pytest.mark.parametrize("content", [b"", b"no database", b"damaged"])
def test_what_is_no_sound_backup_is_refused(config: Path, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.db"
    whole = (tmp_path / "copy.db").read_bytes()
    bad.write_bytes(whole[:40_960] + b"\xff" * 100_000 + whole[140_960:] if content == b"damaged" else content)
    ran = run("restore", bad, "-c", config)
    assert ran.code in (2, 3)
    assert str(bad) in ran.err
    assert run("search", "Two", "-c", config).out.startswith("Two\n")
    assert sorted(path.name for path in (tmp_path / "var").iterdir() if "rest" in path.name) == []
