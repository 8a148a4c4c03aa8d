"""``add``, ``list``, ``pause``, ``resume`` and ``remove``: sources that change without an editor, and nothing else."""

import difflib
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from feedhub.config.editing import ConfigEditor
from feedhub.errors import UsageError
from support.cli_runs import rss, run, write_project
from support.responders import endless, redirect, static
from support.server import LoopbackServer, Responder, serve

FEED = rss(("One", "https://a.example/1"), ("Two", "https://a.example/2"), title="Morning Wire")
HANDWRITTEN = """\
# Feeds of the desk.
site: {title: Test, url: https://news.example.org}   # the site
poll: {per_host: {gap: 0s}, timeout: 5s, allow_private: [127.0.0.1]}

sources:
  # Agencies
  - name: wire          # the fast one
    url: >-
      https://wire.example/feed
    category: [news,
               world]
    # its archive is elsewhere

  # Blogs
  - {name: blog, url: 'https://blog.example/feed'}  # in one line

rules:
  - {name: no ads, when: {any: [{title: ad}, {source: wire}]}, then: {drop: true}}
"""


def page(body: str, head: str = "<title>A page</title>") -> Responder:
    return static(
        f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(), content_type="text/html"
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "feedhub.yaml"
    path.parent.mkdir()
    path.write_text(HANDWRITTEN, encoding="utf-8")
    return path


def changed_lines(path: Path, before: str = HANDWRITTEN) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), path.read_text("utf-8").splitlines(), lineterm="", n=0)
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


def source(path: Path, name: str) -> dict[str, object]:
    (found,) = [one for one in yaml.safe_load(path.read_text("utf-8"))["sources"] if one["name"] == name]
    return dict(found)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    routes = {
        "/feed.xml": static(FEED),
        "/": page("<p>Hello", "<title>Home</title><link rel=alternate type=application/rss+xml href=/feed.xml>"),
        "/comments": page(
            "",
            "<link rel=alternate type=application/rss+xml href=/c/feed title='Comments'>"
            "<link rel=alternate type=application/rss+xml href=/feed.xml title='All'>",
        ),
        "/c/feed": static(rss(("Re", "https://a.example/re"), title="Comments")),
    }
    with serve(routes) as running:
        yield running


@pytest.mark.parametrize("path", ["/feed.xml", "/", "/comments"])
def test_a_feed_is_added_by_its_own_address_or_that_of_a_page(config: Path, server: LoopbackServer, path: str) -> None:
    ran = run("add", server.url(path), "--category", "News", "--category", "wires", "-c", config)
    assert (ran.code, ran.err) == (0, "")
    url = server.url("/feed.xml")
    assert changed_lines(config) == ["+  - name: morning-wire", f"+    url: {url}", "+    category: [News, wires]"]
    assert "  One\n    https://a.example/1\n" in ran.out
    assert run("poll", "morning-wire", "-c", config).code == 0


def test_a_host_alone_is_enough(config: Path, server: LoopbackServer) -> None:
    host = server.url("/").removeprefix("http://").rstrip("/")
    assert run("add", host, "--name", "mine", "-c", config).code == 0
    assert source(config, "mine")["url"] == server.url("/feed.xml")


def test_what_is_configured_already_is_not_added_twice(config: Path, server: LoopbackServer) -> None:
    assert run("add", server.url("/"), "-c", config).code == 0
    before = config.read_bytes()
    again = run("add", server.url("/feed.xml"), "-c", config)
    assert (again.code, again.err) == (2, "feedhub: morning-wire has this address already\n")
    assert config.read_bytes() == before


def test_a_trial_writes_nothing(config: Path, server: LoopbackServer) -> None:
    ran = run("add", server.url("/"), "--dry-run", "-c", config)
    assert (ran.code, ran.out.splitlines()[1]) == (0, "  - name: morning-wire")
    assert changed_lines(config) == []


API = b"""{"code": 0, "data": {"list": [
 {"id": 7, "headline": "Rates unchanged", "html_url": "https://x.example/7", "url": "https://api.example/7",
  "created_at": 1767225600, "user": {"login": "ann"}, "body": "The bank left its rates as they were."},
 {"id": 8, "headline": "Tea is cheaper", "html_url": "https://x.example/8", "url": "https://api.example/8",
  "created_at": 1767225900, "user": {"login": "bob"}, "body": "A cup costs less than last year."}]}}"""


def test_an_api_becomes_a_source_with_guessed_paths(config: Path) -> None:
    with serve({"/api": static(API, content_type="application/json")}) as server:
        ran = run("add", server.url("/api"), "--name", "rates", "-c", config)
        assert ran.code == 0
        assert run("poll", "rates", "-c", config).code == 0
    assert source(config, "rates") == {
        "name": "rates",
        "url": server.url("/api"),
        "kind": "json",
        "items": "data.list",
        "fields": {
            "title": "headline", "link": "html_url", "published": "created_at", "id": "id", "content": "body",
            "author": "user.login",
        },
    }  # fmt: skip
    assert "guessed" in ran.out
    found = run("search", "tea", "-c", config).out
    assert "Tea is cheaper" in found


HEADLINES = (
    "Rates stay as they are", "Tea is cheaper than ever", "The bridge opens in May", "A river finds a new bed",
    "Night trains come back", "The library stays open",
)  # fmt: skip
MENU = "<nav>" + "".join(f"<a href='/menu/{n}'>A long entry of the menu {n}</a>" for n in range(9)) + "</nav>"
LISTS = {
    "list": "<ul class=news>{}</ul>", "articles": "<main>{}</main>", "table": "<table>{}</table>",
    "days": "<div>{}</div>", "cards": "<section id=latest>{}</section>",
}  # fmt: skip
RECORDS = {
    "list": "<li><a href='/n/{n}'>{title}</a> <span class=date>2026-01-0{n}</span></li>",
    "articles": "<article><a href='/n/{n}'><img src=x></a><h2><a href='/n/{n}'>{title}</a></h2>"
    "<time datetime='2026-01-0{n}T08:00:00Z'>then</time><p>" + "Some words about it, and more. " * 3 + "</p></article>",
    "table": "<tr><td class=d>2026-01-0{n}</td><td><a href='/n/{n}'>{title}</a></td></tr>",
    "days": "<h3>Day {n}</h3><ul><li><a class=t href='/n/{n}'>{title}</a></li></ul>",
    "cards": "<a class=card href='/n/{n}'>{title}</a>",
}


@pytest.mark.parametrize("form", list(LISTS))
def test_a_list_of_links_becomes_a_source_with_guessed_selectors(config: Path, form: str) -> None:
    records = "".join(RECORDS[form].format(n=n, title=title) for n, title in enumerate(HEADLINES, 1))
    with serve(
        {"/news": page(MENU + LISTS[form].format(records) + "<footer><a href=/x>About this site</a></footer>")}
    ) as server:
        ran = run("add", server.url("/news"), "--name", "news", "-c", config)
        assert ran.code == 0, ran.err
        shown = run("preview", "news", "--json", "--limit", "10", "-c", config).json["items"]
    assert [one["title"] for one in shown] == list(HEADLINES)
    assert [one["link"] for one in shown] == [server.url(f"/n/{n}") for n in range(1, 7)]
    if form in ("list", "articles", "table"):
        assert [one["published"][:10] for one in shown] == [f"2026-01-0{n}" for n in range(1, 7)]


def test_what_is_neither_is_told_and_nothing_is_written(config: Path) -> None:
    with serve({"/": page("<p>Nothing to see.")}) as server:
        ran = run("add", server.url("/"), "-c", config)
    assert ran.code == 1
    assert "is no feed and offers none" in ran.err
    assert changed_lines(config) == []


def test_hostile_titles_are_one_line_and_expand_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t-value")
    title = "<script>alert(1)</script>${SECRET}: {a: b}\n- name: x\x1b[31m # \" ' " + "long " * 100
    body = "".join(RECORDS["list"].format(n=n, title=one) for n, one in enumerate(HEADLINES, 1))
    head = f"<title>{title.replace('<', '&lt;')}</title>"
    with serve({"/": page(f"<ul class='${{SECRET}} news'>{body}</ul>", head)}) as server:
        ran = run("add", server.url("/?q=${SECRET}&p={page}"), "-c", config)
    assert ran.code == 0, ran.err
    (written,) = [one for one in yaml.safe_load(config.read_text("utf-8"))["sources"] if one.get("kind") == "html"]
    assert "$${SECRET}" in written["title"]
    assert len(written["title"]) <= 201
    assert "\n" not in written["title"]
    assert "s3cr3t" not in config.read_text("utf-8") + ran.out + ran.err
    assert "\x1b" not in ran.out
    assert len(changed_lines(config)) == 6
    assert run("check", "-c", config).code == 0


def test_a_page_leads_to_no_private_address(config: Path) -> None:
    with serve({"/secret": static(FEED)}, host="127.0.0.2") as hidden, serve() as server:
        private = hidden.url("/secret")
        server.routes["/"] = page("", f"<link rel=alternate type=application/rss+xml href='{private}'>")
        server.routes["/moved"] = redirect(private)
        for path in ("/", "/moved"):
            assert run("add", server.url(path), "-c", config).code == 1
        assert hidden.log == []
    assert changed_lines(config) == []


def test_no_more_than_twelve_requests_are_made(config: Path) -> None:
    links = "".join(f"<link rel=alternate type=application/rss+xml href=/loop/{n}>" for n in range(30))
    with serve({"/": page("", links)}) as server:
        server.routes |= {f"/loop/{n}": redirect(f"/loop/{n + 100}") for n in range(30)}
        server.routes |= {f"/loop/{n + 100}": redirect(f"/loop/{n + 200}") for n in range(30)}
        assert run("add", server.url("/"), "-c", config).code == 1
        assert 3 < len(server.log) <= 12


def test_an_endless_page_ends(config: Path) -> None:
    with serve({"/": endless()}) as server:
        ran = run("add", server.url("/"), "--set", "poll.timeout=2s", "--set", "poll.max_size=100KB", "-c", config)
    assert ran.code == 1
    assert changed_lines(config) == []


def test_no_credential_of_the_address_is_written(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({"/f": static(FEED)}) as server:
        address = server.url("/f?token=abcdefgh12345678&page=1").replace("://", "://ann:pa55word@")
        refused = run("add", address, "--name", "mine", "-c", config)
        assert refused.code == 2
        assert "MINE_LOGIN and MINE_TOKEN" in refused.err
        monkeypatch.setenv("MINE_LOGIN", "ann:pa55word")
        monkeypatch.setenv("MINE_TOKEN", "abcdefgh12345678")
        ran = run("add", address, "--name", "mine", "-c", config)
        assert ran.code == 0, ran.err
    written = str(source(config, "mine")["url"])
    assert written == server.url("/f?token=${MINE_TOKEN}&page=1").replace("://", "://${MINE_LOGIN}@")
    for said in (refused.err, ran.out, config.read_text("utf-8")):
        assert not re.search("pa55word|abcdefgh", said)


def test_pausing_and_resuming_leave_the_file_as_it_was(config: Path) -> None:
    for name in ("wire", "blog"):
        assert run("pause", name, "-c", config).code == 0
        assert source(config, name)["paused"] is True
        assert run("pause", name, "-c", config).code == 2
        assert [one["name"] for one in run("list", "--json", "-c", config).json if one["paused"]] == [name]
        assert run("resume", name, "-c", config).code == 0
    assert changed_lines(config) == []


def test_removing_takes_the_entry_and_what_is_said_of_it(config: Path) -> None:
    config.write_text(HANDWRITTEN.replace(", {source: wire}", ""), encoding="utf-8")
    before = config.read_text("utf-8")
    assert run("remove", "wire", "-c", config).code == 0
    assert [line[1:].strip() for line in changed_lines(config, before)] == [
        "- name: wire          # the fast one", "url: >-", "https://wire.example/feed", "category: [news,", "world]",
        "# its archive is elsewhere",
    ]  # fmt: skip
    assert run("remove", "blog", "-c", config).code == 0
    assert "sources:\n  # Agencies\n\n  # Blogs\n\nrules:" in config.read_text("utf-8")
    assert run("remove", "blog", "-c", config).code == 2


def test_removing_with_purge_takes_the_items_too(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(FEED)
    config = write_project(tmp_path, "  - {name: a, url: a.xml, category: news}\n  - {name: b, url: none.xml}\n")
    run("poll", "a", "-c", config)
    assert b"https://a.example/1" in (tmp_path / "output" / "feeds" / "all.atom").read_bytes()
    ran = run("remove", "a", "--purge", "-c", config)
    assert ran.code == 0
    assert "forgotten: what it said of 2 items\n" in ran.out
    assert b"https://a.example/1" not in (tmp_path / "output" / "feeds" / "all.atom").read_bytes()


def test_a_source_is_edited_in_the_file_that_has_it(tmp_path: Path) -> None:
    more = tmp_path / "config" / "sources" / "more.yaml"
    config = write_project(tmp_path, "  - {name: a, url: a.xml}\n", "include: [sources/*.yaml]")
    more.parent.mkdir()
    more.write_bytes(b"\xef\xbb\xbfsources:\r\n- name: b  # b\r\n  url: b.xml\r\n")
    more.chmod(0o640)
    before = config.read_bytes()
    assert run("pause", "b", "-c", config).code == 0
    assert more.read_bytes() == b"\xef\xbb\xbfsources:\r\n- name: b  # b\r\n  paused: true\r\n  url: b.xml\r\n"
    assert stat.S_IMODE(more.stat().st_mode) == 0o640
    assert config.read_bytes() == before
    assert [path.name for path in more.parent.iterdir()] == ["more.yaml"]


def test_a_link_to_a_file_stays_a_link(config: Path) -> None:
    link = config.with_name("link.yaml")
    link.symlink_to(config.name)
    assert run("pause", "blog", "-c", link).code == 0
    assert link.is_symlink()
    assert changed_lines(config) == [
        "-  - {name: blog, url: 'https://blog.example/feed'}  # in one line",
        "+  - {name: blog, url: 'https://blog.example/feed', paused: true}  # in one line",
    ]


def test_what_cannot_be_changed_alone_is_left_alone(config: Path) -> None:
    before = HANDWRITTEN.replace("- {name: blog", "- &b {name: blog").replace(
        "\nrules", "  - {<<: *b, name: other, url: other.xml}\n\nrules"
    )
    config.write_text(before, encoding="utf-8")
    ran = run("pause", "blog", "-c", config)
    assert (ran.code, ran.err) == (
        2,
        f"feedhub: {config}:7: this cannot be changed without changing more; please edit the file by hand\n",
    )
    assert config.read_text("utf-8") == before


def test_a_file_that_was_saved_meanwhile_is_not_overwritten(config: Path) -> None:
    editor = ConfigEditor(str(config))
    editor.pause_source("blog", is_paused=True)
    config.write_text(HANDWRITTEN + "# saved by somebody else\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"feedhub\.yaml was changed meanwhile; nothing was written"):
        editor.write()
    assert changed_lines(config) == ["+# saved by somebody else"]
    assert [path.name for path in config.parent.iterdir()] == [config.name]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_a_file_that_cannot_be_written_is_named(config: Path) -> None:
    editor = ConfigEditor(str(config))
    editor.pause_source("blog", is_paused=True)
    config.unlink()
    config.symlink_to("/proc/version")  # of which not even root may write a copy beside it
    with pytest.raises(UsageError, match=r"feedhub\.yaml cannot be written: "):
        editor.write()


def test_a_renamed_source_keeps_its_items_and_the_rules_that_name_it(tmp_path: Path) -> None:
    feed = FEED.replace(b"<link>https://a.example/1</link>", b"").replace(b"https://a.example/1", b"just-a-guid")
    (tmp_path / "a.xml").write_bytes(feed)
    rules = "rules:\n  - {name: up, when: {source: [a, b]}, then: {tag: [x]}}  # both\n"
    config = write_project(tmp_path, "  - name: a  # first\n    url: a.xml\n    category: news\n", rules)
    before = config.read_text("utf-8")
    run("poll", "-c", config)
    ids = sorted(run("search", word, "--json", "-c", config).json[0]["id"] for word in ("One", "Two"))
    assert run("rename", "a", "morning", "-c", config).code == 0
    assert changed_lines(config, before) == [
        "-  - {name: up, when: {source: [a, b]}, then: {tag: [x]}}  # both",
        "+  - {name: up, when: {source: [morning, b]}, then: {tag: [x]}}  # both",
        "-  - name: a  # first", "+  - name: morning  # first", "+    formerly: a",
    ]  # fmt: skip
    (tmp_path / "a.xml").write_bytes(feed.replace(b"Two", b"Two, corrected"))
    (row,) = run("poll", "--all", "--json", "-c", config).json["sources"]
    assert (row["name"], row["new"], row["changed"]) == ("morning", 0, 1)
    assert sorted(run("search", word, "--json", "-c", config).json[0]["id"] for word in ("One", "Two")) == ids
    assert [one["name"] for one in run("status", "--json", "-c", config).json["sources"]] == ["morning"]
    assert run("rename", "morning", "noon", "-c", config).code == 0
    assert source(config, "noon")["formerly"] == ["a", "morning"]
    assert run("poll", "--all", "--json", "-c", config).json["sources"][0]["new"] == 0
