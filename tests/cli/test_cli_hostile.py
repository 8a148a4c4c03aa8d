"""Names and titles that would write lines of their own, turn text round or be obeyed by a terminal (GUARANTEES 15)."""

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from support.cli_runs import run, write_project
from support.responders import Responder, static, status
from support.server import LoopbackServer, serve

# C0, DEL and C1 with escape sequences of their own, line ends of all kinds, direction controls, markup of all kinds.
EVIL = (
    "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b1m\x90q\x9c\x7f\x00\x08\x08line\r\nsecond\x0b\x0c\x85\u2028\u2029third"
    "\u202egnol\u2066\u2069\u200e\u061c<script>alert(1)</script>[red]{{x}}:smile:%s %(x)s {0} \ufeff\U000e0041\ud800"
)
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    items = [{"id": f"{at}{EVIL}", "url": f"https://e.example/{at}", "title": f"{at} {EVIL}"} for at in range(2)]
    facts = {"authors": [{"name": EVIL}], "tags": [EVIL], "content_html": f"<p>{EVIL}", "summary": EVIL}
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": EVIL, "items": [{**one, **facts} for one in items]}
    routes: dict[str, Responder] = {
        "/feed": static(json.dumps(feed).encode()),
        "/gone": status(404, EVIL.encode("utf-8", "replace")),
        "/broken": static(f"<rss><channel><{_word()}>".encode("utf-8", "replace")),
        "/page": static(
            f"<html><link rel=alternate type=application/rss+xml title='{escape(EVIL)}' href='/feed'>".encode(
                "utf-8", "replace"
            )
        ),
    }
    with serve(routes) as running:
        yield running


def _word() -> str:
    return EVIL.replace("<", "").replace(">", "")


@pytest.fixture
def config(tmp_path: Path, server: LoopbackServer) -> Path:
    """A source with an evil feed, with evil failures, and categories that the feed brings."""
    api = "fields: {title: title, link: url, id: id, author: authors, tags: tags}, category: {from: tags}"
    sources = "".join(f"  - {{name: {name}, url: '{server.url(f'/{name}')}'}}\n" for name in ("feed", "gone", "broken"))
    sources += f"  - {{name: api, kind: json, url: '{server.url('/feed?api')}', items: items, {api}}}\n"
    return write_project(tmp_path, sources)


def _is_harmless(text: str) -> bool:
    return not _OBEYED.search(text) and "\ufffd\x1b" not in text


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_what_feeds_say_is_neither_obeyed_nor_a_line_of_its_own_in_any_command(
    config: Path, server: LoopbackServer, as_json: bool
) -> None:
    form = ["--json"] if as_json else []
    commands = (
        ["poll", "--all"],
        ["status"],
        ["preview", "feed"],
        ["preview", "api"],
        ["explain", "https://e.example/1"],
        ["search", "script"],
        ["discover", server.url("/page")],
    )
    for command in commands:
        done = run(*command, "-c", config, *form, "-v")
        assert done.out, (command, done)
        assert _is_harmless(done.out), (command, done.out)
        assert _is_harmless(done.err), (command, done.err)
        if not as_json:
            words = ("second", "third", "gnol")
            assert not [line for line in done.out.splitlines() if line.startswith(words)], (command, done.out)


def test_an_evil_name_in_the_configuration_is_text_in_tables_opml_and_the_log(
    tmp_path: Path, server: LoopbackServer
) -> None:
    # Control characters are refused by the configuration itself.
    name = "".join(letter for letter in EVIL if unicodedata.category(letter) not in ("Cc", "Cs"))
    path = write_project(tmp_path, f"  - {{name: plain, url: '{server.url('/feed')}', category: evil}}\n")
    title = '"' + "".join(f"\\U{ord(letter):08x}" for letter in name) + '"'
    path.write_text(path.read_text().replace("\nsources:", f"\ncategories: {{evil: {{title: {title}}}}}\nsources:"))
    for command in (["poll"], ["status"], ["publish"], ["export"]):
        done = run(*command, "-c", path, "-v")
        assert done.code == 0, done
        assert _is_harmless(done.out), (command, done.out)
        assert _is_harmless(done.err), (command, done.err)
    titles = [
        outline.get("text")
        for made in (run("export", "-c", path).out.encode(), (tmp_path / "output" / "feeds.opml").read_bytes())
        for outline in etree.fromstring(made).iter("outline")
    ]
    assert all(title and _is_harmless(title) for title in titles), titles
