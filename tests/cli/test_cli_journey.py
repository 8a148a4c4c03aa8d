"""From an empty folder to feeds and back, with the commands a new user types."""

import re
import sqlite3
from pathlib import Path
from unittest.mock import ANY

import pytest
import yaml

from feedhub.runtime.plugins import load_settings
from support.cli_runs import rss, run, write_project
from support.responders import FEED, static
from support.server import serve

STATUS = {
    "name",
    "title",
    "url",
    "state",
    "reason",
    "current_url",
    "next_poll_in",
    "last_success",
    "last_error",
    "http_status",
    "items",
    "items_per_day",
    "failures",
    "warnings",
}


def test_a_new_project_is_written_once_and_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = run("init", "news")
    assert first.code == 0
    config = tmp_path / "news" / "config" / "feedhub.yaml"
    assert "wrote news/config/feedhub.yaml\n" in first.out
    assert first.out.splitlines()[-1].startswith("next: ")
    assert first.out.rstrip().endswith("check -c news/config/feedhub.yaml")
    assert (tmp_path / "news" / "config" / "feedhub.schema.json").is_file()
    assert (tmp_path / "news" / "output").is_dir()
    warning, ok = run("check", "-c", config).out.splitlines()
    assert warning.startswith("news/config/feedhub.yaml:10:8: warning: site.url: is the address of the starter; ")
    assert re.fullmatch(r"ok: \d+ sources, \d+ categories, \d+ rules", ok)
    config.write_text("mine", encoding="utf-8")
    second = run("init", "news")
    assert second.code == 0
    assert "left alone, it is there already: news/config/feedhub.yaml\n" in second.out
    assert config.read_text(encoding="utf-8") == "mine"


def test_a_project_in_the_present_folder_needs_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init").out.splitlines()[-1].endswith(" check")
    assert run("check").code == 0


def test_a_project_where_a_file_stands_is_misuse(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    ran = run("init", tmp_path)
    assert (ran.code, ran.err) == (2, f"feedhub: {tmp_path / 'config'} is a file where a folder is needed\n")


def test_a_project_that_cannot_be_written_is_misuse(tmp_path: Path) -> None:
    ran = run("init", tmp_path / ("x" * 300))
    assert ran.code == 2
    assert "cannot be written" in ran.err
    assert ran.err.count("\n") == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "paper.xml").write_bytes(
        rss(
            ("云汐央行下调利率", "http://paper.example/a/1?utm_source=rss"),
            ("广告：开户有礼", "http://paper.example/a/2"),
            ("Ferry reopens", "http://paper.example/a/3"),
            title="The Paper",
        )
    )
    (tmp_path / "in" / "wire.xml").write_bytes(rss(("利率下调", "https://paper.example/a/1"), title="The Wire"))
    return write_project(
        tmp_path,
        "  - {name: paper, url: in/paper.xml, category: finance}\n"
        "  - {name: wire, url: in/wire.xml, category: world}\n",
        "categories: {finance: {title: 财经}, world: {}}\n"
        "rules: [{name: no advertising, when: {title: '广告'}, then: {drop: true}}]",
    )


@pytest.fixture
def polled(project: Path) -> Path:
    ran = run("poll", "-c", project)
    assert ran.code == 0, ran.out + ran.err
    return project


def test_status_before_and_after_the_first_poll(project: Path) -> None:
    before = run("status", "--json", "-c", project)
    assert [source["state"] for source in before.json["sources"]] == ["new", "new"]
    assert run("poll", "-c", project).code == 0
    after = run("status", "--json", "-c", project)
    assert after.code == 0
    paper, wire = after.json["sources"]
    assert set(paper) == set(wire) == STATUS
    assert (paper["state"], paper["items"], paper["failures"], paper["last_error"]) == ("ok", 2, 0, None)
    assert 0 < paper["next_poll_in"] <= 900
    assert [(one["slug"], one["title"], one["items"]) for one in after.json["categories"]] == [
        ("finance", "财经", 2),
        ("world", "world", 1),
    ]
    table = run("status", "-c", project).out.splitlines()
    assert table[0].split("  ")[0] == "source"
    assert re.match(r"paper +ok +2 +0\.\d +\S+ .*in 1[45] min +The Paper$", table[1])
    assert "2 sources: 2 ok" in table


def test_status_without_sources(tmp_path: Path) -> None:
    config = write_project(tmp_path, "")
    config.write_text(config.read_text(encoding="utf-8").replace("sources:\n", ""), encoding="utf-8")
    assert "\nno sources\n" in run("status", "-c", config).out


def test_status_without_a_store_says_so_first_and_names_what_it_read(tmp_path: Path) -> None:
    config = write_project(tmp_path, "  - {name: wire, url: in/feed.xml}\n")
    lines = run("status", "-c", config).out.splitlines()
    assert lines[0].startswith(f"no store yet at {tmp_path}/var/feedhub.db: ")
    assert re.match(r"wire +new +0 .*not polled yet$", lines[2])
    assert lines[-3:] == [
        f"configuration  {config}",
        f"store          sqlite:///{tmp_path}/var/feedhub.db",
        f"output         {tmp_path}/output",
    ]
    told = run("status", "--json", "-c", config).json
    assert [(one["name"], one["state"]) for one in told["sources"]] == [("wire", "new")]
    assert told["places"] == {
        "configuration": str(config),
        "store": f"sqlite:///{tmp_path}/var/feedhub.db",
        "output": f"{tmp_path}/output",
        "has_store": False,
    }


def test_the_title_of_a_source_is_read_wherever_people_read(polled: Path) -> None:
    """It changes what is published already; without it the source is called what it calls itself."""
    text = polled.read_text(encoding="utf-8")
    assert run("publish", "-c", polled).code == 0
    output = polled.parent.parent / "output"
    files = ("feeds/all.atom", "feeds/finance.json", "index.html", "sources.html")
    before = {name: (output / name).read_bytes() for name in files}
    assert all("The Paper" in body.decode() for name, body in before.items())
    polled.write_text(text.replace("{name: paper,", "{name: paper, title: 'روزنامہ',"), encoding="utf-8")
    assert run("poll", "-c", polled).code == 0
    for name in files:
        body = (output / name).read_text("utf-8")
        assert "روزنامہ" in body, name
        assert "The Paper" not in body, name
    (page,) = (path for path in output.glob("items/*/*/*.html") if "Ferry" in path.read_text("utf-8"))
    assert "روزنامہ" in page.read_text("utf-8")
    assert run("status", "-c", polled).out.splitlines()[1].endswith("  روزنامہ")
    assert [one["title"] for one in run("status", "--json", "-c", polled).json["sources"]] == ["روزنامہ", "The Wire"]
    assert "  روزنامہ  " in run("search", "ferry", "-c", polled).out
    polled.write_text(text, encoding="utf-8")
    assert run("poll", "-c", polled).code == 0
    assert {name: (output / name).read_bytes() for name in files} == before


def test_explain_tells_the_story_of_an_item(polled: Path) -> None:
    ran = run("explain", "https://paper.example/a/1", "-c", polled)
    assert ran.code == 0
    lines = [line.strip() for line in ran.out.splitlines()]
    assert lines[0] == "云汐央行下调利率"
    assert "filed under   finance (财经) as source paper is configured" in lines
    assert "world as source wire is configured" in lines
    assert str(polled.parent.parent / "output" / "feeds" / "world.atom") in lines
    assert any(line.startswith("recognised by url:paper.example/a/1") for line in lines)
    assert any("wire: duplicate" in line for line in lines)
    assert not any("signature:" in line for line in lines)
    (found,) = run("explain", "https://paper.example/a/1", "--json", "-c", polled).json
    assert [sighting["source"] for sighting in found["sightings"]] == ["paper", "wire"]
    assert {"category": "world", "rule": "source", "source": "wire"} in found["memberships"]
    by_id = run("explain", found["item_id"].removeprefix("urn:uuid:")[:8], "-c", polled)
    assert by_id.out == ran.out


def test_explain_tells_why_a_record_is_not_shown(polled: Path) -> None:
    ran = run("explain", "http://paper.example/a/2", "-c", polled)
    assert ran.code == 0
    assert "dropped by rule “no advertising”" in ran.out
    assert "no output: rules drop it" in ran.out


def test_explain_tells_when_a_source_stopped_offering(polled: Path) -> None:
    folder = polled.parent.parent
    (folder / "in" / "wire.xml").write_bytes(rss(("Else", "https://wire.example/9"), title="The Wire"))
    assert run("poll", "wire", "-c", polled).code == 0
    ran = run("explain", "https://paper.example/a/1", "-c", polled)
    assert "no longer offered since 20" in ran.out
    assert "no output now" not in ran.out
    crowded = run("explain", "https://paper.example/a/1", "-c", polled, "--set", "output.entries=1")
    assert "no output now: newer items fill them" in crowded.out


def test_a_reference_may_mean_several_items(tmp_path: Path) -> None:
    for name in ("a", "b"):
        feed = f"<rss version='2.0'><channel><item><title>{name}</title><guid>7</guid></item></channel></rss>"
        (tmp_path / f"{name}.xml").write_text(feed, encoding="utf-8")
    config = write_project(tmp_path, "  - {name: a, url: a.xml}\n  - {name: b, url: b.xml}\n")
    assert run("poll", "-c", config).code == 0
    ran = run("explain", "7", "-c", config)
    assert [line for line in ran.out.splitlines() if not line.startswith(" ")] == ["a", "", "b"]


def test_explain_of_the_unknown_is_exit_1_with_a_hint(polled: Path) -> None:
    ran = run("explain", "https://nobody.example/", "-c", polled)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing is known of https://nobody.example/" in ran.err
    assert run("explain", "https://nobody.example/", "--json", "-c", polled).json == []


def test_search_finds_chinese_words(polled: Path) -> None:
    ran = run("search", "央行", "-c", polled)
    assert ran.code == 0
    assert ran.out.startswith("云汐央行下调利率\n")
    assert ran.out.endswith("1 item found\n")
    assert [hit["title"] for hit in run("search", "ferry", "reopens", "--json", "-c", polled).json] == ["Ferry reopens"]
    assert run("search", "nothing", "-c", polled).out == "0 items found\n"


def test_preview_stores_nothing(project: Path) -> None:
    ran = run("preview", "paper", "--limit", "1", "-c", project)
    assert ran.code == 0
    assert ran.out.startswith("The Paper\n")
    assert "  keys       url:paper.example/a/1" in ran.out
    assert "  published  2026-01-01 08:00" in ran.out
    assert "  text       About 云汐央行下调利率." in ran.out
    assert "1 item shown, 0 rejected; nothing was stored" in ran.out
    assert [source["state"] for source in run("status", "--json", "-c", project).json["sources"]] == ["new", "new"]


def test_preview_says_what_rules_would_do(project: Path) -> None:
    config = project.read_text("utf-8")
    project.write_text(
        config.replace(
            "rules: [",
            "rules: [{name: ferries, when: {title: Ferry}, then: {category: sea, tag: boats, replace: "
            "{field: title, pattern: Ferry, with: Ship}}}, ",
        ),
        "utf-8",
    )
    out = run("preview", "paper", "-c", project).out
    assert "  rules      dropped by “no advertising”" in out
    assert re.search(
        r"^  rules      in \w+ by its source; in sea by “ferries”; tagged boats; title “Ship reopens”$", out, re.M
    )
    items = {item["title"]: item["rules"] for item in run("preview", "paper", "--json", "-c", project).json["items"]}
    assert items["Ferry reopens"] == {
        "applied": ["ferries"],
        "dropped_by": None,
        "categories": [{"category": ANY, "rule": "source"}, {"category": "sea", "rule": "ferries"}],
        "edits": ["tagged boats", "title “Ship reopens”"],
    }


def test_preview_shows_everything_an_item_has(project: Path) -> None:
    feed = (
        "<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>Talk</title>"
        "<item><title>Twelve</title><link>/12</link><dc:creator>A. Nobody</dc:creator><category>tides</category>"
        f"<description>{'word ' * 60}</description>"
        "<enclosure url='https://talk.example/12.mp3' length='1234567' type='audio/mpeg'/></item>"
        "<item></item></channel></rss>"
    )
    odd = static(feed.encode(), content_type="text/xml; charset=klingon")
    with serve({"/talk": odd}) as server:
        ran = run("preview", server.url("/talk"), "-c", project)
        as_json = run("preview", server.url("/talk"), "--json", "-c", project)
    assert f"  link       {server.url('/12')}" in ran.out
    assert "  authors    A. Nobody" in ran.out
    assert "  tags       tides" in ran.out
    assert "  enclosures https://talk.example/12.mp3 (audio/mpeg, 1,234,567 bytes)" in ran.out
    assert "no date: first sight counts" in ran.out
    assert re.search(r"^  text       (word ){39}word…?", ran.out, re.MULTILINE)
    (item,) = as_json.json["items"]
    assert len(item["text"]) == 201
    assert item["keys"][0].startswith("url:")
    assert as_json.json["title"] == "Talk"
    assert len(as_json.json["rejected"]) == 1
    assert "rejected: record 2: " in ran.out
    assert "1 item shown, 1 rejected" in ran.out
    assert "klingon" in as_json.json["notes"][0]
    assert f"note: {as_json.json['notes'][0]}" in ran.out


def test_discover_gives_yaml_to_paste(project: Path) -> None:
    page = (
        b"<html><head><link rel=alternate type='application/rss+xml' title='Paper' href='/rss'>"
        b"<link rel=alternate type='application/atom+xml' title='Other' href='/atom'></head></html>"
    )
    with serve({"/": static(page, content_type="text/html"), "/empty": static(b"<html></html>")}) as server:
        ran = run("discover", server.url("/"), "-c", project)
        as_json = run("discover", server.url("/"), "--json", "-c", project)
        nothing = run("discover", server.url("/empty"), "-c", project)
        expected = [server.url("/rss"), server.url("/atom")]
    assert ran.code == 0
    assert yaml.safe_load(ran.out) == [
        {"name": "paper-2", "url": expected[0]},
        {"name": "other", "url": expected[1]},
    ]
    assert [feed["url"] for feed in as_json.json] == expected
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.endswith("offers no feed\n")


def test_discover_asks_where_feeds_usually_are(project: Path) -> None:
    page = static(b"<html><p>No link to anything.</p></html>", content_type="text/html")
    routes = {"/blog/page": page, "/blog/?feed=rss2": static(FEED), "/atom.xml": static(FEED), "/feed": page}
    with serve(routes) as server:
        ran = run("discover", server.url("/blog/page").removeprefix("http://"), "--json", "-c", project)
        asked = [each.path for each in server.log if each.path != "/blog/page"]
        expected = server.url("/atom.xml")
    assert [(feed["url"], feed["title"]) for feed in ran.json] == [(expected, "Loopback")]
    assert len(asked) <= 12


OPML = b"""<opml version="2.0"><body><outline text="Tech">
<outline type="rss" text="One" xmlUrl="https://one.example/feed"/>
<outline type="rss" text="Again" xmlUrl="http://one.example/feed"/>
<outline type="rss" text="Odd" xmlUrl="exec:ls"/></outline></body></opml>"""


def test_import_writes_beside_the_configuration_and_never_overwrites(project: Path, tmp_path: Path) -> None:
    opml = tmp_path / "My feeds.opml"
    opml.write_bytes(OPML)
    first = run("import", opml, "-c", project)
    written = project.parent / "sources" / "my-feeds.yaml"
    assert first.code == 0
    assert f"wrote {written}: 1 source in 1 category\n" in first.out
    assert "skipped: Odd exec:ls: " in first.out
    assert "repeated: Again http://one.example/feed: " in first.out
    assert '"include: [sources/*.yaml]"' in first.out.splitlines()[-1]
    second = run("import", opml, "-c", project)
    assert (project.parent / "sources" / "my-feeds-2.yaml").read_bytes() == written.read_bytes()
    assert second.code == 0
    (project.parent / "sources" / "my-feeds-2.yaml").unlink()
    project.write_text("include: [sources/*.yaml]\n" + project.read_text(encoding="utf-8"), encoding="utf-8")
    assert run("check", "-c", project).out.startswith("ok: 3 sources, 3 categories")
    third = run("import", opml, "-c", project)
    assert third.out.startswith("nothing new to import\n")
    assert "configured already as one\n" in third.out
    opml.write_bytes(OPML.replace(b"one.example", b"two.example"))
    assert run("import", opml, "-c", project).out.splitlines()[-1].endswith(" poll")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param(b"<html/>", "no OPML", id="something else"),
    ],
)
def test_an_opml_file_that_cannot_be_used_is_misuse(
    project: Path, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "x.opml").write_bytes(content)
    ran = run("import", tmp_path / "x.opml", "-c", project)
    assert (ran.code, ran.out) == (2, "")
    assert reason in ran.err


def test_folders_join_the_categories_that_are_there_and_titles_are_kept(tmp_path: Path) -> None:
    config = write_project(tmp_path, "  []\n", "include: [sources/*.yaml]\ncategories: {tech: {title: Technology}}")
    outlines = "".join(
        f'<outline text="{folder}"><outline text="{title}" xmlUrl="https://{number}.example/feed"/></outline>'
        for number, (folder, title) in enumerate((("Tech", "بی بی سی اردو"), ("technology", "Новости"), ("اردو", "☂")))
    )
    (tmp_path / "feeds.opml").write_text(f'<opml version="2.0"><body>{outlines}</body></opml>', encoding="utf-8")
    ran = run("import", tmp_path / "feeds.opml", "-c", config)
    assert (ran.code, "skipped" in ran.out) == (0, False), ran
    settings = load_settings(str(config))
    assert [(one.name, one.title, one.categories) for one in settings.sources] == [
        ("by-by-sy-rdw", "بی بی سی اردو", ("tech",)),
        ("novosti", "Новости", ("tech",)),
        ("2-example", "☂", ("rdw",)),
    ]
    assert [(one.slug, one.title) for one in settings.categories] == [("tech", "Technology"), ("rdw", "اردو")]


def test_export_names_titles_and_the_pages_of_sources(tmp_path: Path) -> None:
    feed = rss(("One", "https://a.example/1"), title="Own title").replace(
        b"<title>Own", b"<link>https://a.example/?token=abc</link><title>Own"
    )
    with serve({"/a": static(feed), "/b": static(feed)}) as server:
        config = write_project(
            tmp_path,
            f"  - {{name: a, url: '{server.url('/a')}'}}\n  - {{name: b, url: '{server.url('/b')}', title: Ours}}\n"
            f"  - {{name: c, url: '{server.url('/c')}', paused: true}}\n",
        )
        assert 'title="a"' in run("export", "-c", config).out
        assert not (tmp_path / "var").exists()
        assert run("poll", "-c", config).code == 0
        out = run("export", "-c", config).out
    assert f'text="Own title" title="Own title" xmlUrl="{server.url("/a")}" htmlUrl="https://a.example/"/>' in out
    assert f'text="Ours" title="Ours" xmlUrl="{server.url("/b")}" htmlUrl="https://a.example/"/>' in out
    assert f'text="c" title="c" xmlUrl="{server.url("/c")}"/>' in out


def test_the_log_tells_what_was_left_out_and_why(polled: Path) -> None:
    ran = run("log", "-c", polled)
    assert ran.code == 0
    lines = [re.sub(r"^\S+ \S+ +", "", line) for line in ran.out.splitlines()[1:]]
    assert lines == [
        "wire    merged   the same item as one of paper, by url: “利率下调”: https://paper.example/a/1",
        'paper   dropped  rule "no advertising": “广告：开户有礼”: http://paper.example/a/2',
    ]
    assert "opened" not in run("log", "--kind", "hidden", "-c", polled).out
    asked = ("--rule", "no advertising", "--source", "paper", "--since", "1h", "--text", "广告", "--kind", "dropped")
    told = run("log", *asked, "--json", "-c", polled).json
    assert (told["page"], told["more"], len(told["entries"])) == (1, False, 1)
    assert {"kind": "dropped", "noted_as": "dropped", "title": "广告：开户有礼"}.items() <= told["entries"][0].items()
    first = run("log", "--limit", "1", "-c", polled).out
    assert first.endswith("older ones: --page 2\n")
    assert "广告" in run("log", "--limit", "1", "--page", "2", "-c", polled).out
    assert run("log", "--since", "2099-01-01", "-c", polled).out == "nothing of that is noted\n"
    wrong = run("log", "--since", "soon", "-c", polled)
    assert (wrong.code, "--since: expected a duration such as 30d, or a day" in wrong.err) == (2, True)


def test_export_round_trips_through_import(tmp_path: Path) -> None:
    config = write_project(tmp_path / "a", "  - {name: one, url: 'https://one.example/feed', category: tech}\n")
    target = tmp_path / "out.opml"
    printed = run("export", "-c", config)
    written = run("export", "-o", target, "-c", config)
    assert (written.code, written.out) == (0, "")
    assert target.read_text(encoding="utf-8") == printed.out
    other = write_project(tmp_path / "b", "  - {name: two, url: 'https://two.example/feed', category: tech}\n")
    assert run("import", target, "-c", other).code == 0
    entries = yaml.safe_load((other.parent / "sources" / "out.yaml").read_text(encoding="utf-8"))["sources"]
    assert [(entry["name"], entry["url"]) for entry in entries] == [("one", "https://one.example/feed")]
    refused = run("export", "-o", tmp_path / "no" / "x.opml", "-c", config)
    assert (refused.code, refused.err.count("\n")) == (2, 1)


def test_prune_says_what_it_took(polled: Path) -> None:
    assert run("prune", "-c", polled).out.startswith("0 items removed")
    folder = polled.parent.parent
    (folder / "in" / "paper.xml").write_bytes(rss(("New", "http://paper.example/a/9"), month=2, title="The Paper"))
    assert run("poll", "paper", "-c", polled).code == 0
    ran = run("prune", "-c", polled, "--set", "retention.items=1", "--json")
    assert ran.code == 0
    assert set(ran.json) == {"items", "keys", "ledger"}
    assert ran.json["items"] == 1
    (folder / "in" / "paper.xml").write_bytes(rss(("Newer", "http://paper.example/a/10"), month=3, title="The Paper"))
    assert run("poll", "paper", "-c", polled).code == 0
    words = run("prune", "-c", polled, "--set", "retention.items=1")
    assert words.out.startswith("1 item removed, ")
    assert words.out.splitlines()[-1].endswith(" publish")


def test_backup_is_a_usable_store_and_never_overwrites(
    polled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("backup", "copy.db", "-c", polled)
    assert ran.code == 0
    assert ran.out.startswith(f"wrote {tmp_path / 'copy.db'} (")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
    copy.close()
    found = run("search", "央行", "-c", polled, "--set", f"store=sqlite:///{tmp_path / 'copy.db'}")
    assert found.out.endswith("1 item found\n")
    assert (
        run("backup", "copy.db", "-c", polled).err == "feedhub: copy.db is there already; a backup never overwrites\n"
    )
    assert run("backup", "no/copy.db", "-c", polled).code == 2
