"""The origin site, rebuilt from its API answers with nothing but YAML and a template."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedhub.model.report import PollRun
from feedhub.model.settings import Settings
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from support.feed_checks import check_feed
from support.finews import CONFIG, FINEWS, finews_servers, manifest, needs_finews
from support.readers import by_newsboat, program
from support.responders import static, status
from support.server import LoopbackServer

pytestmark = needs_finews


def settings_for(server: LoopbackServer, folder: Path, *more: str) -> Settings:
    names = ("FINEWS_LISTS", "FINEWS_MARKET", "FINEWS_TEXT")
    overrides = (
        f"output.dir={folder}/output",
        f"store=sqlite:///{folder}/feedhub.db",
        "output.jekyll.keep_days=null",
        f"poll.allow_private=[{server.host}]",
        "poll.per_host={concurrent: 4, gap: 0s}",
    )
    environ = dict.fromkeys(names, f"http://{server.host}:{server.port}")
    return load_settings(str(CONFIG), (*overrides, *more), environ=environ)


@dataclass(frozen=True)
class Rebuilt:
    """The site after two polls."""

    folder: Path
    runs: tuple[PollRun, PollRun]
    asked: tuple[int, int]
    settings: Settings

    @property
    def output(self) -> Path:
        return self.folder / "output"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rebuilt]:
    folder = tmp_path_factory.mktemp("finews")
    with finews_servers() as server:
        settings = settings_for(server, folder)
        runs, asked = [], []
        for _ in range(2):
            with Hub(settings) as hub:
                runs.append(hub.poll(everything=True))
            asked.append(sum("GetNewsText" in request.path for request in server.log))
        yield Rebuilt(folder, (runs[0], runs[1]), (asked[0], asked[1]), settings)


def test_every_post_of_the_last_rules_stands_byte_for_byte(rebuilt: Rebuilt) -> None:
    wanted = [FINEWS / entry["file"] for entry in manifest() if entry["variant"] in {"EM7", "NW"}]
    written = {path.name: path.read_bytes() for path in (rebuilt.output / "_posts").iterdir()}
    usable = [path for path in wanted if not path.name.startswith("-")]
    assert {path.name for path in usable} == written.keys()
    assert [path.name for path in usable if written[path.name] != path.read_bytes()] == []
    assert len(usable) == 10
    assert "2021-12-27-NW202112272227369128.md" in written


def test_the_record_without_title_and_date_is_in_the_ledger_with_its_reason(rebuilt: Rebuilt) -> None:
    rolling = rebuilt.runs[0].reports[0]
    assert (rolling.source, rolling.rejected) == ("rolling", 1)
    with Hub(rebuilt.settings) as hub:
        entries = [entry for found in hub.explain("202205262391921712") for entry in found.ledger]
    assert [entry.reason for entry in entries if entry.kind == "rejected"]


def test_one_article_of_two_lists_is_one_item_in_the_wording_of_each_medium(rebuilt: Rebuilt) -> None:
    def titles_and_texts(slug: str) -> dict[str, str]:
        feed = json.loads((rebuilt.output / "feeds" / f"{slug}.json").read_text("utf-8"))
        return {item["id"]: item["content_html"] for item in feed["items"] if "国家信息化规划》：" in item["title"]}

    everywhere, rolling, medium = (titles_and_texts(slug) for slug in ("all", "emnews", "jiemianxinwen"))
    assert len(everywhere) == 1
    assert everywhere.keys() == rolling.keys() == medium.keys()
    assert rolling != medium
    assert "界面新闻" in next(iter(medium.values()))


def test_a_second_poll_asks_for_no_text_and_writes_nothing(rebuilt: Rebuilt) -> None:
    assert rebuilt.asked == (10, 10)
    again = rebuilt.runs[1].published
    assert again is not None
    assert (again.written, again.removed, again.failed) == ((), (), ())


def test_the_feeds_of_a_medium_are_valid_and_carry_its_name(rebuilt: Rebuilt) -> None:
    feeds = rebuilt.output / "feeds"
    assert json.loads((feeds / "jiemianxinwen.json").read_text("utf-8"))["title"] == "界面新闻"
    complaints = {path.name: check_feed(path.name, path.read_bytes()) for path in feeds.rglob("*.*")}
    assert {name: found for name, found in complaints.items() if found} == {}


def test_newsboat_reads_the_feed_of_a_medium(rebuilt: Rebuilt, tmp_path: Path) -> None:
    program("newsboat")
    feed = rebuilt.output / "feeds" / "jiemianxinwen.atom"
    assert [title for _, title, _ in by_newsboat(feed.as_uri(), tmp_path / "home")] == [
        "《“十四五”国家信息化规划》：适度超前部署下一代智能设施体系"
    ]


def test_old_posts_lie_in_the_archive(tmp_path: Path) -> None:
    with finews_servers() as server, Hub(settings_for(server, tmp_path, "output.jekyll.keep_days=3")) as hub:
        hub.poll(everything=True)
    assert list((tmp_path / "output" / "_posts").glob("*")) == []
    assert len(list((tmp_path / "output" / "old_post").iterdir())) == 10


def test_a_text_that_fails_waits_and_is_published_whole_later(tmp_path: Path) -> None:
    with finews_servers() as server:
        path = "/NewsData/GetNewsText.do?id=NW202112272227369128"
        good, server.routes[path] = server.routes[path], status(503)
        settings = settings_for(server, tmp_path)
        with Hub(settings) as hub:
            reports = {report.source: report for report in hub.poll(everything=True).reports}
            assert (reports["rolling"].new, reports["choice"].new) == (3, 1)
            assert reports["choice"].warnings[0].startswith("1 item waits for the full text: 503")
            server.routes[path] = good
            reports = {report.source: report for report in hub.poll(everything=True).reports}
            assert (reports["rolling"].new, reports["choice"].duplicate) == (1, 1)
        for name in ("2021-12-27-202112272227369128.md", "2021-12-27-NW202112272227369128.md"):
            assert (tmp_path / "output" / "_posts" / name).read_bytes() == (FINEWS / "posts" / name).read_bytes()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"other": []}', "records"),
        (b'{"records": {"a": 1}}', "records"),
        (b"<html></html>", ""),
        (b"var x = [", ""),
    ],
    ids=["list missing", "no list", "a page", "cut off"],
)
def test_a_list_of_the_wrong_shape_fails_and_says_where(tmp_path: Path, body: bytes, reason: str) -> None:
    with finews_servers() as server, Hub(settings_for(server, tmp_path)) as hub:
        server.routes["/web/webapi?type=102&count=100&newsid=1"] = static(body)
        report = hub.poll(["rolling"]).reports[0]
    assert report.reason
    assert reason in report.reason


def test_an_empty_list_is_a_success(tmp_path: Path) -> None:
    with finews_servers() as server, Hub(settings_for(server, tmp_path)) as hub:
        server.routes["/web/webapi?type=102&count=100&newsid=1"] = static(b'{"records": []}')
        report = hub.poll(["rolling"]).reports[0]
    assert (report.outcome.value, report.new) == ("stored", 0)
