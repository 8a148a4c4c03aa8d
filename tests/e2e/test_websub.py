"""``feedhub run`` tells a hub, over the wire, of the feeds that a new item changed, and every format names the hub."""

import json
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from lxml import etree

from support.cli_runs import rss
from support.daemons import running, until, write_config
from support.responders import sequence, static, status
from support.server import LoopbackServer, serve

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")

FEEDS = {
    f"https://news.example.org/feeds/{slug}.{kind}" for slug in ("all", "news") for kind in ("atom", "rss", "json")
}
OLD = ("Old", "https://example.org/old")
NEW = ("New", "https://example.org/new")


def _told(server: LoopbackServer) -> list[str]:
    return [parse_qs(each.body.decode())["hub.url"][0] for each in server.requests("/hub")]


def _is_quiet(server: LoopbackServer) -> bool:
    before = len(_told(server))
    time.sleep(0.5)
    return len(_told(server)) == before


def _hub_of(feed: Path) -> list[str]:
    """The hubs that a published feed names."""
    if feed.suffix == ".json":
        return [each["url"] for each in json.loads(feed.read_text("utf-8"))["hubs"]]
    names = {"a": "http://www.w3.org/2005/Atom"}
    return [str(link) for link in etree.parse(str(feed)).xpath("//a:link[@rel='hub']/@href", namespaces=names)]


def test_the_hub_is_told_again_until_it_has_heard_of_every_changed_feed(tmp_path: Path) -> None:
    routes = {"/hub": sequence(status(503), status(202)), "/feed": static(rss(OLD))}
    with serve(routes) as server:
        hub = server.url("/hub")
        config = write_config(
            tmp_path,
            [f"name: paper, url: '{server.url('/feed')}', category: news"],
            more=f"websub: {{hub: '{hub}'}}",
        )
        news = tmp_path / "output" / "feeds" / "news.json"
        with running(config) as daemon:
            until(lambda: set(_told(server)[1:]) >= FEEDS, what="the first publish is told")
            refused = _told(server)[0]
            until(lambda: refused in _told(server)[1:], what="the feed that was refused is told again")
            until(lambda: OLD[1] in news.read_text("utf-8"), what="the old item is published")
            until(lambda: _is_quiet(server), what="all that was published so far is told")
            before = len(_told(server))
            told = {tmp_path / "output" / url.removeprefix("https://news.example.org/") for url in _told(server)}
            assert {path.name: _hub_of(path) for path in told} == {path.name: [hub] for path in told}

            server.routes["/feed"] = static(rss(OLD, NEW))
            until(lambda: set(_told(server)[before:]) >= FEEDS, what="the new item is told")
            assert NEW[1] in news.read_text("utf-8")
            assert daemon.stop() == 0
    post = server.requests("/hub")[0]
    assert (post.method, post.header("content-type")) == ("POST", "application/x-www-form-urlencoded")
    assert parse_qs(post.body.decode())["hub.mode"] == ["publish"]
