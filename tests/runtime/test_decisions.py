"""What ``-v`` says: why an item is new, which rule filed it, and why the next poll is when it is."""

import re
from pathlib import Path

import pytest

from support.cli_runs import rss, run, write_project
from support.responders import static, status, too_many
from support.server import Responder, serve

RULES = """
rules:
  - name: no ads
    when: {title: '^AD'}
    then: {drop: true}
  - name: chips
    when: {title: Chips}
    then: {category: [tech]}
  - name: crisps
    when: {title: Chips}
    then: {replace: {field: title, pattern: Chips, with: Crisps}}
"""
PAPER = "  - {name: paper, url: in/paper.xml, category: news}\n"
WIRE = "  - {name: wire, url: in/wire.xml, category: news, schedule: '0 8 * * *'}\n"


def decisions(config: Path, *more: str) -> list[str]:
    """The lines of ``poll -v`` that say why; times are left out."""
    said = run("poll", "-v", "--all", "-c", config, *more).err.splitlines()
    ours = [line.partition(": ")[2] for line in said if line.startswith("DEBUG feedhub.runtime.decisions: ")]
    return [re.sub(r" at \S+ \S+ UTC", "", line) for line in ours]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    write(tmp_path, "paper", ("Chips are cheap", "https://a.example/1"), ("AD", "https://a.example/2"))
    write(tmp_path, "wire", ("Chips are cheap", "https://a.example/1"), ("Third", "https://a.example/3"))
    return tmp_path


def write(folder: Path, name: str, *items: tuple[str, str]) -> None:
    (folder / "in" / f"{name}.xml").write_bytes(rss(*items))


def test_every_item_says_why_it_is_new_or_known_and_which_rules_filed_it(folder: Path) -> None:
    config = write_project(folder, PAPER + WIRE, RULES)
    keys = "url:a.example/{0} or guid:{1}:https://a.example/{0}"
    filed = 'in news by its source; in tech by rule "chips"; rule "crisps" held'
    assert decisions(config, "--no-publish") == [
        f"paper: “Chips are cheap” is new: no item is known by {keys.format(1, 'paper')}; {filed}",
        f'paper: “AD” is new: no item is known by {keys.format(2, "paper")}; dropped by rule "no ads"',
        "paper: next poll: its interval",
        f"wire: “Chips are cheap” is duplicate: known by url:a.example/1, an item of paper; {filed}",
        f"wire: “Third” is new: no item is known by {keys.format(3, 'wire')}; in news by its source",
        "wire: next poll: its schedule",
    ]
    write(folder, "paper", ("Chips are dear", "https://a.example/1"), ("Third", "https://a.example/3"))
    write(folder, "wire", ("Chips are cheap", "https://a.example/1"), ("Other", "https://a.example/4"))
    again = decisions(config, "--no-publish")
    assert again[0].startswith(
        "paper: “Chips are dear” is changed: known by guid, key url:a.example/1, its text is another; in"
    )
    assert again[1] == ("paper: “Third” is duplicate: known by url:a.example/3, an item of wire; in news by its source")
    assert again[3] == "wire: “Chips are cheap” is seen: known by guid, key url:a.example/1, nothing is different"
    (folder / "in" / "paper.xml").touch()
    assert decisions(config, "--no-publish")[0] in {
        "paper: not read, since it says what it said before",
        "paper: not read, since the server says that it did not change",
    }


def test_a_key_that_is_not_believed_is_named(folder: Path) -> None:
    config = write_project(folder, PAPER)
    decisions(config, "--no-publish")
    body = rss(("Something else", "https://a.example/99"))
    (folder / "in" / "paper.xml").write_bytes(body.replace(b"<guid>https://a.example/99", b"<guid>https://a.example/1"))
    assert decisions(config, "--no-publish")[0] == (
        "paper: “Something else” is new: no item is known by url:a.example/99 or guid:paper:https://a.example/1; "
        "guid:paper:https://a.example/1 not believed; in news by its source"
    )


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (static(headers=(("Cache-Control", "max-age=7200"),)), "next poll: max-age of the answer"),
        (static(headers=(("Cache-Control", "max-age=999999"),)), "next poll: max-age of the answer, held to poll.max"),
        (too_many("7200"), "next poll: Retry-After of the answer"),
        (status(404), "next poll: the wait after failures"),
        (status(410), "not polled again: the server says that it is gone"),
    ],
    ids=["max-age", "clamped", "Retry-After", "failure", "gone"],
)
def test_the_next_poll_says_why_it_is_then(folder: Path, respond: Responder, reason: str) -> None:
    with serve({"/feed": respond}) as server:
        config = write_project(folder, f"  - {{name: paper, url: '{server.url('/feed')}', category: news}}\n")
        assert decisions(config, "--no-publish")[-1] == f"paper: {reason}"


def test_every_output_says_why_it_was_published_and_what_became_of_its_files(folder: Path) -> None:
    more = "output: {formats: [atom], pages: false}"
    config = write_project(folder, PAPER + WIRE.replace("news", "other"), more)
    first = decisions(config)
    assert [line for line in first if "published" in line] == [
        f"{slug}: published, since nothing is known of what is in the folder" for slug in ("all", "news", "other")
    ]
    assert {f"feeds/{slug}.atom: written" for slug in ("all", "news", "other")} <= set(first)
    write(folder, "paper", ("New", "https://a.example/9"))
    second = decisions(config)
    assert [line for line in second if "published" in line] == [
        "all: published, since it changed",
        "news: published, since it changed",
        "other: not published, since nothing in it changed",
    ]
    assert "feeds/news.atom: written" in second
    assert "feeds/other.atom: written" not in second
    (folder / "output" / "feeds" / "news.atom").unlink()
    (folder / "output" / "feeds" / "news.atom").mkdir()
    broken = run("publish", "-v", "-c", config).err
    assert "all: published, since everything was asked for" in broken
    assert "news: not written: " in broken
    assert re.search(r"files not written, since they hold these bytes already: \d+", broken)


def test_nothing_is_said_unless_somebody_asks(folder: Path) -> None:
    assert "decisions" not in run("poll", "--all", "-c", write_project(folder, PAPER, RULES)).err
