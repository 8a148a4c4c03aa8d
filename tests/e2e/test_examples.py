"""The ready-made sources of config/examples, each polled against the sample answer of its service on loopback."""

import importlib.util
import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from feedhub.model.document import Request
from feedhub.model.item import Item, StoredItem
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from support.cli_runs import run
from support.example_table import DAY, HN_PAGE, JSON, ROOT, SAMPLES, SCRIPT, TABLE, Example
from support.responders import Pairs, sequence, static
from support.server import LoopbackServer, Received, Responder, Wire, serve

EXAMPLES = ROOT / "config" / "examples"
SIGNER = EXAMPLES / "plugins" / "cls_sign"
CONFIGS = sorted(EXAMPLES.rglob("*.yaml"))
NAMES = [path.stem for path in sorted(EXAMPLES.glob("*.yaml"))]

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample answers are not beside the project")


BY_KEY = {example.key: example for example in TABLE}


def settings_for(server: LoopbackServer, folder: Path, example: Example, *more: str) -> Settings:
    overrides = (
        f"output.dir={folder}/output",
        f"store=sqlite:///{folder}/feedhub.db",
        f"poll.allow_private=[{server.host}]",
        "poll.per_host={concurrent: 4, gap: 0s}",
    )
    environ = dict.fromkeys(("EASTMONEY_CHOICE_APPID", "JIN10_APP_ID"), "key of the test")
    environ[example.variable] = f"http://{server.host}:{server.port}/{example.key}"
    return load_settings(str(EXAMPLES / f"{example.name}.yaml"), (*overrides, *more), environ=environ)


def poll(hub: Hub) -> PollReport:
    (report,) = hub.poll(everything=True).reports
    return report


def stored(hub: Hub) -> list[StoredItem]:
    return list(hub.store.newest("all", 100))


def served(example: Example) -> Responder:
    """Answer with the sample, and with an empty list when the further page is asked for."""
    link: Pairs = (("Link", example.link),) if example.link else ()
    first = static(example.sample, content_type=example.content_type, headers=link)
    rest = static(example.next_body, content_type=example.content_type)

    def respond(wire: Wire) -> None:
        (rest if is_next(wire.path, example) else first)(wire)

    return respond


def is_next(path: str, example: Example) -> bool:
    wanted = example.next_page
    return bool(wanted) and (path == f"/{example.key}{wanted}" or wanted in path.partition("?")[2].split("&"))


def in_one(settings: list[Settings]) -> Settings:
    """Return one configuration with the sources of several, named after their samples."""
    sources = [replace(each.sources[0], name=key) for key, each in zip(BY_KEY, settings, strict=True)]
    categories = {category.slug: category for each in settings for category in each.categories}
    return replace(settings[0], sources=tuple(sources), categories=tuple(categories.values()))


@dataclass(frozen=True)
class Polled:
    """Two polls of all examples, what is stored after them, and what was asked for."""

    first: dict[str, PollReport]
    again: dict[str, PollReport]
    items: list[StoredItem]
    log: list[Received]


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Polled:
    folder = tmp_path_factory.mktemp("examples")
    first: dict[str, PollReport] = {}
    clock = [DAY]
    # One server answers for all services, each under a prefix of its own.
    with serve() as server:
        for example in TABLE:
            for path in {example.path, example.next_page} - {""}:
                server.routes[f"/{example.key}{path}"] = served(example)
        settings = in_one([settings_for(server, folder, example) for example in TABLE])
        with Hub(settings, now=lambda: clock[0]) as hub:
            for day in sorted({example.now for example in TABLE}):
                clock[0] = day
                names = [example.key for example in TABLE if example.now == day]
                first |= {report.source: report for report in hub.poll(names).reports}
            again = {report.source: report for report in hub.poll(everything=True).reports}
            return Polled(first, again, stored(hub), server.log)


@needs_samples
@pytest.mark.parametrize("example", [pytest.param(example, id=key) for key, example in BY_KEY.items()])
def test_an_example_gives_the_items_of_its_service(polled: Polled, example: Example) -> None:
    report = polled.first[example.key]
    assert (report.outcome, report.reason) == (Outcome.STORED, "")
    assert (report.new, report.rejected) == (len(example.items), 1 if example.left_out else 0)
    # What `where` leaves out is no warning; the ledger has it.
    told = not example.left_out.startswith("left out by where")
    assert len(report.warnings) == (report.rejected if told else 0)
    assert all(example.left_out in warning for warning in report.warnings)
    items = [each for each in polled.items if each.source == example.key]
    found = [(each.item.title, str(each.published_at).removesuffix("+00:00"), each.item.link) for each in items]
    assert found == sorted(example.items, key=lambda item: item[1], reverse=True)
    assert all(each.item.guid for each in items)


@needs_samples
@pytest.mark.parametrize("key", BY_KEY)
def test_the_same_answer_once_more_is_not_read_again(polled: Polled, key: str) -> None:
    assert polled.again[key].outcome is Outcome.NOT_MODIFIED


@needs_samples
@pytest.mark.parametrize("example", [pytest.param(example, id=key) for key, example in BY_KEY.items()])
def test_an_example_asks_for_its_pages_with_the_headers_of_its_service(polled: Polled, example: Example) -> None:
    asked = [received for received in polled.log if received.path.startswith(f"/{example.key}/")]
    assert [is_next(received.path, example) for received in asked] == (
        [False, True, False] if example.next_page else [False, False]
    )
    for name, value in example.headers.items():
        assert all((received.header(name) or "").startswith(value) for received in asked)


@needs_samples
def test_tags_authors_texts_and_files_are_filled_in(polled: Polled) -> None:
    def items(key: str) -> list[Item]:
        return [each.item for each in polled.items if each.source == key]

    assert items("sina-7x24.jsonp")[0].tags == ("焦点", "A股")
    assert [item.tags for item in items("eastmoney-announcements")] == [("其他",), ("独立董事提名人声明",)]
    assert [item.tags for item in items("cls-telegraph")] == [(), ("SH600000", "00700", "AAPL", "GB_NVDA")]
    assert items("cls-telegraph")[0].content == "重大事项。"
    assert [item.authors[0].name for item in items("eastmoney-choice-list")] == ["东方财富研究中心", "界面新闻"]
    assert items("eastmoney-kuaixun.js")[1].summary == "指数走强，创业板指拉升涨逾2%，沪指涨0.49%。"
    assert [file.length for file in items("github-releases")[0].enclosures] == [1024]
    assert '<a href="https://example.com/x"' in (items("reddit-new")[0].content or "")


@needs_samples
def test_a_search_that_finds_nothing_is_no_error(tmp_path: Path) -> None:
    example = BY_KEY["eastmoney-search.jsonp"]
    nothing = static(b'jQuery351_1({"code":0,"msg":"OK","result":{}})', content_type=SCRIPT)
    with serve({"*": nothing}) as server, Hub(settings_for(server, tmp_path, example)) as hub:
        assert (poll(hub).outcome, stored(hub)) == (Outcome.STORED, [])
        (query,) = [received.path.partition("param=")[2] for received in server.log]
    param = json.loads(unquote(query))
    assert (param["keyword"], param["type"]) == ("宁德时代", ["cmsArticleWebOld"])


@needs_samples
def test_an_error_of_the_service_fails_with_its_own_words(tmp_path: Path) -> None:
    answer = static((SAMPLES / "cls-error.json").read_bytes(), content_type=JSON)
    with serve({"*": answer}) as server, Hub(settings_for(server, tmp_path, BY_KEY["cls-telegraph"])) as hub:
        report = poll(hub)
    assert report.outcome is Outcome.FAILED
    assert "签名错误" in report.reason


@needs_samples
def test_top_stories_get_their_fields_from_a_second_request_and_one_that_is_null_waits(tmp_path: Path) -> None:
    example = Example(name="hn-topstories", variable="HN_URL", path="/v0/topstories.json", items=[])
    late = {"id": 192327, "title": "Late", "time": 1210981217, "type": "story"}
    routes = {
        f"/{example.key}{example.path}": static(example.sample, content_type=JSON),
        f"/{example.key}/v0/item/192327.json": sequence(
            static(b"null", content_type=JSON), static(json.dumps(late).encode(), content_type=JSON)
        ),
    }
    for key in ("8863", "121003"):
        routes[f"/{example.key}/v0/item/{key}.json"] = static(
            (SAMPLES / f"hn-item-{key}.json").read_bytes(), content_type=JSON
        )
    with serve(routes) as server, Hub(settings_for(server, tmp_path, example)) as hub:
        first, second, third = poll(hub), poll(hub), poll(hub)
        items = [(each.item, str(each.published_at)) for each in stored(hub)]
        asked = [len(server.requests(f"/{example.key}/v0/item/{key}.json")) for key in (8863, 121003, 192327)]

    assert (first.new, second.new, third.outcome) == (2, 1, Outcome.NOT_MODIFIED)
    assert first.warnings[0].startswith("1 item waits")
    assert second.warnings == ()
    assert asked == [1, 1, 2]
    assert [(item.title, published, item.link) for item, published in items] == [
        ("Late", "2008-05-16 23:40:17+00:00", f"{HN_PAGE}192327"),
        ("Ask HN: The Arc Effect", "2008-02-22 02:33:40+00:00", f"{HN_PAGE}121003"),
        (
            "My YC app: Dropbox - Throw away your USB drive",
            "2007-04-04 19:16:40+00:00",
            "http://www.getdropbox.com/u/2/screencast.html",
        ),
    ]
    assert [(item.guid, [person.name for person in item.authors]) for item, _ in items] == [
        ("192327", []),
        ("121003", ["tel"]),
        ("8863", ["dhouston"]),
    ]
    assert (items[1][0].content or "").startswith("<i>or</i> HN: the Next Iteration")


def signer() -> Any:
    spec = importlib.util.spec_from_file_location("cls_sign_of_the_examples", SIGNER / "cls_sign.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_signer_sorts_the_query_and_signs_it_once() -> None:
    query = "app=CailianpressWeb&category=&last_time=1&os=web&refresh_type=1&rn=20&sv=8.7.9"
    shuffled = "&".join(reversed(query.split("&")))
    source = Source(name="cls", url="https://www.cls.cn/")
    sign = signer().sign
    signed = sign(Request(url=f"https://www.cls.cn/v1/roll/get_roll_list?{shuffled}"), source)
    # printf %s QUERY | sha1sum, its 40 digits | md5sum
    wanted = f"https://www.cls.cn/v1/roll/get_roll_list?{query}&sign=6c41d39b347c18d66cc3e4916efbfd4b"
    assert signed.url == wanted
    assert sign(signed, source).url == wanted


@needs_samples
def test_an_installed_signer_signs_every_request_of_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = tomllib.loads((SIGNER / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    packages = tmp_path / "packages"
    about = packages / "feedhub_cls_sign-1.0.0.dist-info"
    about.mkdir(parents=True)
    (packages / "cls_sign.py").write_bytes((SIGNER / "cls_sign.py").read_bytes())
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: feedhub-cls-sign\nVersion: 1.0.0\n")
    (about / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
            for group, entries in points.items()
        )
    )
    monkeypatch.syspath_prepend(str(packages))
    example = BY_KEY["cls-telegraph"]
    good = static(example.sample, content_type=JSON)
    bad = static((SAMPLES / "cls-error.json").read_bytes(), content_type=JSON)

    def checked(wire: Wire) -> None:
        unsigned = Request(url=wire.path.partition("&sign=")[0])
        (good if signer().sign(unsigned, Source(name="cls", url="")).url == wire.path else bad)(wire)

    with serve({"*": checked}) as server:
        with Hub(settings_for(server, tmp_path, example)) as hub:
            assert "签名错误" in poll(hub).reason
        with Hub(settings_for(server, tmp_path, example, "sources.cls-telegraph.sign=cls")) as hub:
            assert poll(hub).new == 2


@pytest.mark.parametrize("path", CONFIGS, ids=[path.relative_to(EXAMPLES).as_posix() for path in CONFIGS])
def test_an_example_passes_the_check(path: Path) -> None:
    checked = run("check", "-c", path)
    assert (checked.code, checked.err) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_one_source_of_its_name_whose_records_can_be_recognised(name: str) -> None:
    (source,) = load_settings(str(EXAMPLES / f"{name}.yaml"), environ={}).sources
    assert (source.name, source.kind, source.content) == (name, "json", "sanitize")
    assert source.url.startswith("https://")
    assert source.broken is None
    assert source.records is not None
    assert source.records.field("id") is not None


def test_every_example_has_a_row_here() -> None:
    assert {example.name for example in TABLE} | {"hn-topstories"} == set(NAMES)
