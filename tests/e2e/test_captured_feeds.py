"""Feeds as they are in the wild, from YAML to files: twice, after a rebuild, and with kill -9 in between."""

import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.feed_checks import check_feed
from support.responders import static
from support.server import LoopbackServer, serve
from support.site import SiteFolder, needs_shared_feeds, shared_feeds

pytestmark = needs_shared_feeds

# XML that is no feed, and a web page: these three cannot give anything.
BROKEN = {"miniflux-iso88591.xml", "miniflux-iso88591_utf8_mismatch.xml", "node-feedparser-notafeed.html"}
# The small ones of a folder without pages at a push, and two kills; all of them and twenty at night.
SIZES = [pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.nightly)]


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    routes = {f"/{path.parent.name}/{path.name}": static(path.read_bytes()) for path in shared_feeds()}
    with serve(routes) as running:
        yield running


def make_site(folder: Path, server: LoopbackServer, *, whole: bool) -> SiteFolder:
    folder.mkdir(parents=True, exist_ok=True)
    site = SiteFolder(folder)
    sources = [
        f"{{name: {path.parent.name}-{path.name}, url: '{server.url(f'/{path.parent.name}/{path.name}')}', "
        f"category: {path.parent.name}}}"
        for path in shared_feeds()
        if whole or (path.parent.name == "node-feedparser" and path.stat().st_size < 5_000)
    ]
    more = f"output: {{entries: 1000, pages: {str(whole).lower()}}}\n"
    site.write(sources, private=f"'{server.host}:{server.port}'", more=more)
    return site


def settled(site: SiteFolder) -> dict[str, object]:
    """Everything published, with the instants of the run itself (undated items, changes) put out of the way."""
    now = time.strftime("%Y-%m-%dT")
    found: dict[str, object] = {}
    for name, (body, _) in site.files().items():
        if name.endswith(".json") and name.startswith("feeds/"):
            text = re.sub(rf'"{now}[^"]*"', '"today"', body.decode())
            found[name] = json.loads(text)
    return found


@pytest.mark.nightly
def test_good_feeds_are_taken_and_broken_ones_say_why(tmp_path: Path, server: LoopbackServer) -> None:
    site = make_site(tmp_path, server, whole=True)
    first = site.run("poll", "--all", "--json")
    rows = {row["name"]: row for row in first.json["sources"]}
    failed = {name for name, row in rows.items() if row["outcome"] == "failed"}
    assert first.code == 1, first.err
    assert failed == BROKEN
    assert all("feed" in rows[name]["reason"] for name in failed)
    assert sum(row["new"] for row in rows.values()) > 600
    complaints = {name: check_feed(name, body) for name, (body, _) in site.files().items() if name.startswith("feeds/")}
    assert {name: found for name, found in complaints.items() if found} == {}

    before = site.files()
    second = site.run("poll", "--all", "--json")
    outcomes = {row["name"]: row["outcome"] for row in second.json["sources"]}
    assert {name for name, outcome in outcomes.items() if outcome != "not_modified"} == BROKEN
    assert second.json["published"]["written"] == []
    assert site.files() == before


@pytest.mark.parametrize("whole", SIZES)
def test_a_rebuilt_store_gives_the_same_items_with_the_same_ids(
    tmp_path: Path, server: LoopbackServer, whole: bool
) -> None:
    site = make_site(tmp_path, server, whole=whole)
    site.run("poll", "--all")
    before = settled(site)
    shutil.rmtree(tmp_path / "var")
    site.run("poll", "--all")
    assert settled(site) == before
    assert before["feeds/all.json"]


@pytest.mark.parametrize("whole", SIZES)
def test_kill_9_at_any_moment_and_one_quiet_run_give_what_a_quiet_run_gives(
    tmp_path: Path, server: LoopbackServer, whole: bool
) -> None:
    quiet = make_site(tmp_path / "quiet", server, whole=whole)
    started = time.monotonic()
    quiet.run("poll", "--all")
    seconds = time.monotonic() - started
    killed = make_site(tmp_path / "killed", server, whole=whole)
    moments = random.Random(20)
    for _ in range(20 if whole else 2):
        process = killed.start("poll", "--all")
        time.sleep(moments.uniform(0.2, seconds))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for name, (body, _) in killed.files().items() if killed.output.exists() else ():
            # What was being written keeps its hidden name; no reader asks for it.
            is_feed = name.startswith("feeds/") and not name.endswith(".tmp")
            assert not is_feed or check_feed(name, body) == []
    killed.run("poll", "--all")
    assert [name for name in killed.files() if name.endswith(".tmp")] == []
    assert settled(killed) == settled(quiet)
