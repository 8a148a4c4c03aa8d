"""The same news in several feeds, from polls to files."""

import json
from pathlib import Path

import pytest
from lxml import etree

from support.cli_runs import run, write_project
from support.readers import by_newsboat, unread_by_newsboat

FERRY = (
    "The ferry Northern Star ran aground off the island of Kelsay early on Monday with 214 passengers aboard. All of "
    "them were taken off by lifeboats within three hours, the coastguard said. The ship struck a sandbank in thick fog."
)
RESCUE = (
    "Wrapped in blankets, passengers of the Northern Star spoke of calm aboard as lifeboats came out of the fog off "
    "Kelsay. The ferry lies on a sandbank; Kelsay Lines hopes to float it at high tide."
)
MUSEUM = "A museum of four hundred clocks opened in the old customs house of Velden. Its founder winds each of them."
AGROUND = "Ferry Northern Star runs aground off Kelsay, all rescued"
SAVED = "Passengers saved from stranded ship in fog"
TOLD = "Kelsay ferry aground: how 214 passengers of Northern Star were rescued"
ITEMS = {"agency": (AGROUND, FERRY, 6), "post": (SAVED, FERRY, 8), "herald": (TOLD, RESCUE, 9)}
ATOM = "{http://www.w3.org/2005/Atom}"


class Project:
    """A small site on local files."""

    def __init__(self, folder: Path, more: str, *names: str) -> None:
        self.folder = folder
        (folder / "in").mkdir(parents=True)
        sources = "".join(f"  - {{name: {name}, url: in/{name}.xml, category: news}}\n" for name in names)
        self.config = write_project(folder, sources, more)
        for name in names:
            self.write(name)

    def write(self, name: str, *items: tuple[str, str, int]) -> None:
        """Let a source offer these items: title, text, hour."""
        entries = "".join(
            f"<item><title>{title}</title><link>https://{name}.example/{number}</link><guid>{number}</guid>"
            f"<pubDate>Mon, 02 Mar 2026 {hour:02}:00:00 GMT</pubDate><description>{text}</description></item>"
            for number, (title, text, hour) in enumerate(items)
        )
        feed = f"<rss version='2.0'><channel><title>The {name}</title>{entries}</channel></rss>"
        (self.folder / "in" / f"{name}.xml").write_text(feed, "utf-8")

    def poll(self) -> None:
        ran = run("poll", "--all", "-c", self.config)
        assert ran.code == 0, ran.err

    def entries(self, name: str = "all") -> "list[etree._Element]":
        return list(etree.parse(self.folder / "output" / "feeds" / f"{name}.atom").iter(f"{ATOM}entry"))

    def titles(self, name: str = "all") -> list[str | None]:
        return [entry.findtext(f"{ATOM}title") for entry in self.entries(name)]

    def files(self) -> dict[str, bytes]:
        """Return all that readers see of the news; the health feed has the time of the first poll."""
        root = self.folder / "output"
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and ".feedhub" not in path.parts and path.name != "health.atom"
        }


def related(entry: "etree._Element") -> list[tuple[str | None, str | None]]:
    return [(link.get("href"), link.get("title")) for link in entry.iter(f"{ATOM}link") if link.get("rel") == "related"]


def test_a_text_is_one_entry_that_names_who_else_has_it_and_stays_where_it_was(tmp_path: Path) -> None:
    project = Project(tmp_path, "stories: {}", *ITEMS)
    project.write("agency", ITEMS["agency"])
    project.write("herald", ITEMS["herald"], ("Museum of clocks opens", MUSEUM, 10))
    project.poll()
    before = project.files()
    assert project.titles() == ["Museum of clocks opens", TOLD, AGROUND]
    project.write("post", ITEMS["post"])
    project.poll()
    assert project.titles() == project.titles("news") == ["Museum of clocks opens", TOLD, AGROUND]
    *others, first = project.entries()
    assert related(first) == [("https://post.example/0", f"The post: {SAVED}")]
    assert [related(other) for other in others] == [[], []]
    after = project.files()
    (item,) = json.loads(after["feeds/all.json"])["items"][-1:]
    (earlier,) = json.loads(before["feeds/all.json"])["items"][-1:]
    (report,) = item["_feedhub"].pop("also_reported_by")
    assert item == earlier, "nothing else of the entry changed"
    assert (report["title"], report["url"], report["source"]) == (SAVED, "https://post.example/0", "The post")
    rss = etree.fromstring(after["feeds/news.rss"]).findall(".//item")[-1].findtext("description") or ""
    assert rss.startswith(FERRY)
    assert f'<p>Also reported by</p><ul><li><a href="https://post.example/0">{SAVED}</a> (The post)</li></ul>' in rss
    pages = [body.decode() for path, body in after.items() if path.startswith("items/")]
    assert sorted(AGROUND in page and SAVED in page for page in pages) == [False, False, True, True]
    assert after["index.html"].count(b"2 sources report this") > 0
    assert after["category/news.html"].count(b"2 sources report this") == 1
    assert json.loads(run("publish", "--json", "-c", project.config).out)["written"] == [], "all is as if made anew"


@pytest.mark.parametrize("kind", ["atom", "rss"])
def test_an_entry_that_names_another_report_now_is_not_unread_again_in_newsboat(tmp_path: Path, kind: str) -> None:
    project, home = Project(tmp_path, "stories: {}", *ITEMS), tmp_path / "home"
    feed = f"file://{tmp_path}/output/feeds/all.{kind}"
    project.write("agency", ITEMS["agency"])
    project.poll()
    before = by_newsboat(feed, home)
    assert unread_by_newsboat(home, read_all=True) == 1
    project.write("post", ITEMS["post"])
    project.poll()
    assert SAVED.encode() in project.files()[f"feeds/all.{kind}"]
    assert by_newsboat(feed, home) == before
    assert unread_by_newsboat(home) == 0


def test_a_replay_from_an_empty_store_gives_the_same_files(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        project = Project(tmp_path / name, "stories: {same_event: mark}", *ITEMS)
        for source, item in ITEMS.items():
            project.write(source, item)
            project.poll()
        files.append(project.files())
    assert files[0] == files[1]
    assert files[0]["feeds/all.atom"].count(b'rel="related"') == 4


def test_polls_that_were_cut_before_publishing_end_as_if_they_were_not(tmp_path: Path) -> None:
    quiet, cut = (Project(tmp_path / name, "stories: {same_event: mark}", *ITEMS) for name in ("quiet", "cut"))
    for project in (quiet, cut):
        for source, item in ITEMS.items():
            project.write(source, item)
    quiet.poll()
    assert run("poll", "--all", "--no-publish", "-c", cut.config).code == 0
    assert cut.files() == {}
    cut.poll()
    assert cut.files() == quiet.files()


def test_what_is_hidden_is_named_nowhere(tmp_path: Path) -> None:
    project = Project(tmp_path, "stories: {}", *ITEMS)
    project.write("agency", ITEMS["agency"])
    project.write("post", ITEMS["post"])
    project.poll()
    assert any(SAVED.encode() in body for body in project.files().values())
    assert run("hide", "https://post.example/0", "-c", project.config).code == 0
    assert not any(SAVED.encode() in body for body in project.files().values())
    assert run("hide", "https://agency.example/0", "-c", project.config).code == 0
    assert run("unhide", "https://post.example/0", "-c", project.config).code == 0
    assert project.titles() == [SAVED]
    assert related(project.entries()[0]) == []


@pytest.mark.parametrize(
    "more",
    [
        "",
        "stories: {never: {sources: ['p*']}}",
        "stories: {never: {titles: [Stranded Ship]}}",
        "stories: {reprints: off}",
        "stories: {}\nrules: [{name: apart, when: {source: post}, then: {story: false}}]",
    ],
)
def test_an_item_is_shown_by_itself_where_the_configuration_says_so(tmp_path: Path, more: str) -> None:
    project = Project(tmp_path, more, *ITEMS)
    project.write("agency", ITEMS["agency"])
    project.write("post", ITEMS["post"])
    project.poll()
    assert project.titles() == [SAVED, AGROUND]
    assert not any(b"related" in body for path, body in project.files().items() if path.startswith("feeds/"))


def test_taking_the_key_out_lists_everything_again(tmp_path: Path) -> None:
    project = Project(tmp_path, "stories: {}", *ITEMS)
    for source, item in ITEMS.items():
        project.write(source, item)
    project.poll()
    assert project.titles() == [TOLD, AGROUND]
    write_project(tmp_path, project.config.read_text("utf-8").partition("sources:\n")[2])
    project.poll()
    plain = Project(tmp_path / "plain", "", *ITEMS)
    for source, item in ITEMS.items():
        plain.write(source, item)
    plain.poll()
    assert project.files() == plain.files()


def test_stories_are_listed_explained_parted_and_joined(tmp_path: Path) -> None:
    project = Project(tmp_path, "stories: {}", *ITEMS)
    for source, item in ITEMS.items():
        project.write(source, item)
    project.poll()
    config = project.config
    assert run("stories", "-c", config).out.splitlines()[2].startswith("3 reports: ")
    listed = run("stories", "list", "--days", "3650", "-c", config).out.splitlines()
    assert listed[0] == "1 story of several reports"
    assert listed[2].startswith(f"3 reports: “{AGROUND}”")
    told = run("explain", "https://post.example/0", "-c", config).out
    assert "no output: they show another report" in told
    assert "reprint: 37 of 37 runs (1.00)" in told
    (facts,) = run("explain", "https://post.example/0", "--json", "-c", config).json
    assert [member["how"] for member in facts["story"]["members"]] == ["", "reprint", "event"]
    assert [fold["output"] for fold in facts["story"]["folded"]] == ["all", "news"]
    assert run("stories", "part", "https://post.example/0", "-c", config).out.startswith("parted: urn:uuid:")
    assert project.titles() == [TOLD, SAVED, AGROUND]
    (parted,) = run("explain", "https://post.example/0", "--json", "-c", config).json
    assert parted["story"]["parted"] is True
    joined = run("stories", "join", "https://post.example/0", "https://herald.example/0", "--json", "-c", config).json
    assert (joined["state"], len(joined["items"])) == ("joined", 2)
    assert project.titles() == [TOLD, SAVED, AGROUND]
    assert len(run("stories", "list", "--days", "3650", "--json", "-c", config).json[0]["members"]) == 3
    assert json.loads(run("publish", "--json", "-c", config).out)["written"] == []


def test_without_the_key_the_commands_say_what_lets_stories_be_told(tmp_path: Path) -> None:
    project = Project(tmp_path, "", *ITEMS)
    project.poll()
    ran = run("stories", "list", "-c", project.config)
    assert (ran.code, "stories: {}" in ran.err) == (2, True)
