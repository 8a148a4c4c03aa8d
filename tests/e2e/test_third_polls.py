"""Captured feeds polled twice, then with one thing changed in all records: nothing is new, and nothing is lost."""

import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from feedhub.rules.dates import parse_date
from feedhub.sources.charset import decode
from support.site import needs_shared_feeds, shared_feeds

pytestmark = [needs_shared_feeds, pytest.mark.nightly]

_ENTRY = re.compile(r"<(item|entry)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_GUID = re.compile(r"(<(?:guid|id)\b[^>]*>)(.*?)(</(?:guid|id)>)", re.DOTALL | re.IGNORECASE)
_ABOUT = re.compile(r'(\srdf:about=")([^"]*)(")')
_DATE = re.compile(
    r"(<(?:pubDate|published|updated|dc:date|issued|modified|created|dcterms:\w+)\b[^>]*>)(.*?)(</)", re.DOTALL
)
_ADDRESS = re.compile(r"""(https?://[^\s"'<>?]+)\?([^\s"'<>#]+)""")


def in_entries(text: str, change: Callable[[str], str]) -> str:
    """Change the entries of a feed, and nothing else."""
    return _ENTRY.sub(lambda match: change(match[0]), text)


def with_random_guids(text: str, dice: random.Random) -> str:
    def fresh(match: re.Match[str]) -> str:
        return f"{match[1]}urn:random:{dice.random()}{match[3]}"

    return in_entries(text, lambda entry: _ABOUT.sub(fresh, _GUID.sub(fresh, entry)))


def with_moved_dates(text: str, dice: random.Random) -> str:
    def moved(match: re.Match[str]) -> str:
        at = parse_date(match[2].strip(), zone=ZoneInfo("UTC"))
        later = at + timedelta(seconds=dice.randrange(60, 86_400)) if at else None
        return f"{match[1]}{later.isoformat()}{match[3]}" if later and later < datetime.now(UTC) else match[0]

    return in_entries(text, lambda entry: _DATE.sub(moved, entry))


def with_reversed_parameters(text: str, dice: random.Random) -> str:
    def turned(match: re.Match[str]) -> str:
        between = "&amp;" if "&amp;" in match[2] else "&"
        return f"{match[1]}?{between.join(reversed(match[2].split(between)))}"

    return in_entries(text, lambda entry: _ADDRESS.sub(turned, entry))


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "guids": with_random_guids,
    "dates": with_moved_dates,
    "parameters": with_reversed_parameters,
}


def write_site(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    sources = []
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8", errors="replace")
        sources.append(f"  - {{name: '{name}', url: '{name}', encoding: utf-8, category: news}}\n")
    head = "site: {title: Feeds, url: 'https://site.example'}\nstore: sqlite:///store.db\nsources:\n"
    (folder / "feedhub.yaml").write_text(head + "".join(sources), "utf-8")


def poll(folder: Path) -> dict[str, dict[str, int]]:
    command = [sys.executable, "-m", "feedhub", "poll", "--all", "--json", "--no-publish", "-c", "feedhub.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return {source["name"]: source for source in json.loads(done.stdout)["sources"]}


def offered(folder: Path) -> int:
    """Return how many items the sources offer, as the store has it."""
    connection = sqlite3.connect(folder / "store.db")
    (count,) = connection.execute("SELECT count(*) FROM sightings WHERE left_at IS NULL").fetchone()
    connection.close()
    return int(count)


def test_one_thing_changed_in_all_records_makes_nothing_new_and_loses_nothing(tmp_path: Path) -> None:
    texts = {f"{path.parent.name}-{path.name}": decode(path.read_bytes()).text for path in shared_feeds()}
    base = tmp_path / "base"
    write_site(base, texts)
    assert sum(source["new"] for source in poll(base).values()) > 600
    assert sum(source["new"] for source in poll(base).values()) == 0
    for name, change in CHANGES.items():
        folder = tmp_path / name
        shutil.copytree(base, folder)
        dice = random.Random(name)
        changed = {source: change(text, dice) for source, text in texts.items()}
        assert sum(changed[source] != text for source, text in texts.items()) > 10, name
        write_site(folder, changed)
        new = {source: report["new"] for source, report in poll(folder).items() if report["new"]}
        assert new == {}, f"{name} changed"
        assert offered(folder) == offered(base), f"{name} changed"
