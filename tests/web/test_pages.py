"""Search, status, health, metrics and the API, as a browser, a reader, Prometheus and a script get them."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html

from feedhub.model.report import Outcome, PollReport, PublishReport
from feedhub.model.settings import ConfigFault, Problem
from feedhub.model.story import StoryGroup, StoryMember
from feedhub.runtime.stories import group_json
from support.cli_runs import rss, run
from support.feed_checks import check_atom
from support.responders import static, status
from support.server import serve
from support.web import Site, served

ITEMS = (
    ("芯片产线提前投产", "https://example.org/1"),
    ("Chips and <b>semiconductors</b> & more", "https://example.org/2"),
    ("行情", "https://example.org/3"),
    *((f"Filler {number}", f"https://example.org/f{number}") for number in range(1, 26)),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    routes = {"/feed": static(rss(*ITEMS)), "/broken": status(500)}
    with serve(routes) as upstream:
        sources = (
            f"[{{name: paper, url: '{upstream.url('/feed')}', category: 财经}}, "
            f"{{name: wire, url: '{upstream.url('/broken')}?token=s3cr3t-s3cr3t', category: 财经, "
            "headers: {Authorization: 'Bearer t0ps3cret-value'}}, {name: still, url: in.xml, paused: true}]"
        )
        more = "poll: {allow_private: [127.0.0.1], per_host: {gap: 0s}}\n"
        with served(folder, sources=sources, more=more) as running:
            running.hub.poll(everything=True)
            yield running


def page(site: Site, path: str) -> Any:
    answer = site.ask(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    return html.fromstring(answer.body)


def titles(found: Any) -> list[str]:
    return [each.text_content() for each in found.cssselect("article h2")]


def test_a_chinese_search_finds_the_item_and_marks_it(site: Site) -> None:
    found = page(site, "/search?q=%E8%8A%AF%E7%89%87")
    assert titles(found) == ["芯片产线提前投产"]
    assert [mark.text for mark in found.cssselect("h2 mark")] == ["芯片"]
    assert found.cssselect(".count")[0].text_content() == "1 result"
    feeds = [each.get("href") for each in found.cssselect("link[rel=alternate]")]
    assert "search.atom?q=%E8%8A%AF%E7%89%87" in feeds
    assert "feeds/all.atom" in feeds


def test_an_english_search_is_marked_by_whole_words_and_markup_of_titles_is_text(site: Site) -> None:
    found = page(site, "/search?q=CHIPS+more")
    assert titles(found) == ["Chips and semiconductors & more"]
    assert [mark.text for mark in found.cssselect("h2 mark")] == ["Chips", "more"]


def test_what_is_asked_for_is_text_wherever_it_is_shown(site: Site) -> None:
    answer = site.ask("/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status == 200
    assert "<script" not in answer.text
    assert html.fromstring(answer.body).cssselect("#q")[0].get("value") == '"><script>alert(1)</script>'
    feed = site.ask("/search.atom?q=%22%3E%3Cscript%3E%00%FF")
    assert check_atom(feed.body) == []


def test_results_come_in_pages_and_a_long_query_is_cut(site: Site) -> None:
    first, second = page(site, "/search?q=filler"), page(site, "/search?q=filler&page=2")
    assert (len(titles(first)), len(titles(second))) == (20, 5)
    assert not set(titles(first)) & set(titles(second))
    assert first.cssselect(".pager a")[0].get("href") == "search?q=filler&page=2"
    assert second.cssselect(".pager a")[0].get("href") == "search?q=filler"
    assert first.cssselect(".count")[0].text_content() == "25 results"
    long = page(site, "/search?q=" + "a" * 5_000)
    assert len(long.cssselect("#q")[0].get("value")) == 200
    assert "cut to 200" in long.cssselect("#hint")[0].text
    for odd in ("/search", "/search?q=", "/search?q=nothing-like-it", "/search?q=x&page=-1", "/search?q=x&page=99999"):
        assert titles(page(site, odd)) == []


def test_a_hit_leads_to_our_page_of_the_item_when_there_is_one_else_to_the_original(site: Site) -> None:
    (link,) = page(site, "/search?q=%E8%8A%AF%E7%89%87").cssselect("h2 a")
    ours = site.output / link.get("href")
    assert site.ask(f"/{link.get('href')}").body == ours.read_bytes()
    assert "芯片产线提前投产" in ours.read_text("utf-8")
    (original,) = page(site, "/search?q=%E8%8A%AF%E7%89%87").cssselect(".byline a")
    assert original.get("href") == "https://example.org/1"
    ours.unlink()
    (link,) = page(site, "/search?q=%E8%8A%AF%E7%89%87").cssselect("h2 a")
    assert link.get("href") == "https://example.org/1"
    site.hub.publish()


def test_a_search_is_a_valid_feed_with_the_ids_of_its_items_and_validators(site: Site) -> None:
    answer = site.ask("/search.atom?q=%E8%8A%AF%E7%89%87")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    assert check_atom(answer.body) == []
    (hit,) = site.hub.store.search("芯片", 1)
    assert f"<id>{hit.id}</id>" in answer.text
    links = {link.get("rel"): link.get("href") for link in etree.fromstring(answer.body).findall("{*}link")}
    assert links == {
        "self": "https://news.example.org/search.atom?q=%E8%8A%AF%E7%89%87",
        "alternate": "https://news.example.org/search?q=%E8%8A%AF%E7%89%87",
    }
    assert site.ask("/search.atom?q=%E8%8A%AF%E7%89%87").body == answer.body
    again = site.ask("/search.atom?q=%E8%8A%AF%E7%89%87", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert "s3cr3t" not in answer.text
    assert check_atom(site.ask("/search.atom?q=nothing-like-it").body) == []
    assert site.ask("/search.atom?q=%20").status == 400


def test_the_status_shows_trouble_first_with_reasons_days_and_no_secret(site: Site) -> None:
    found = page(site, "/status")
    rows = found.cssselect("table.board")[0].cssselect("tbody tr:not(.why)")
    assert [row.cssselect("th")[0].text_content() for row in rows] == ["wire", "A feed paper", "still"]
    assert "failed once" in found.cssselect("tr.why.failing")[0].text_content()
    assert [row.cssselect(".state")[0].text_content() for row in rows] == ["failing", "ok", "paused"]
    spark = rows[1].cssselect("svg")[0]
    assert len(spark.cssselect("rect")) == 1
    assert spark.get("aria-label").endswith(", 0, 28")
    text = site.ask("/status").text
    assert "s3cr3t" not in text
    assert "t0ps3cret" not in text
    assert "财经" in text
    assert "built-in" not in text
    assert [cell.text_content() for cell in rows[1].cssselect("td")[1:3]] == ["28", "2.0"]
    assert "in 15 min" in text or "in 14 min" in text


def test_a_chinese_site_speaks_chinese(tmp_path: Path) -> None:
    with served(tmp_path, site=", language: zh-CN") as site:
        found = page(site, "/search?q=%E8%8A%AF%E7%89%87")
        assert found.get("lang") == "zh-CN"
        assert found.cssselect(".count")[0].text_content() == "没有找到相关内容。"
        assert "一切正常" in page(site, "/status").text_content()


def header(site: Site, path: str) -> Any:
    (found,) = html.fromstring(site.ask(path).body).cssselect("header.site")
    return found


def test_search_and_status_have_the_header_of_the_published_pages(tmp_path: Path) -> None:
    with served(tmp_path, more="web: {enabled: true}\n") as site:
        site.hub.poll(everything=True)
        published = etree.tostring(header(site, "/sources.html")).replace(b' aria-current="page"', b"")
        assert etree.tostring(header(site, "/status")) == published.replace(b"#feed-health", b"#feed-all")
        shown = [link.get("href") for link in header(site, "/search").cssselect("a")]
        lists = ["index.html", "category/all.html", "categories.html", "sources.html"]
        assert shown == ["index.html", "subscribe.html#feed-all", *lists]


def test_where_no_pages_are_published_search_and_status_lead_to_none(tmp_path: Path) -> None:
    with served(tmp_path, more="output: {pages: false}\n") as site:
        site.hub.poll(everything=True)
        assert header(site, "/status").cssselect("a") == []
        style = html.fromstring(site.ask("/status").body).cssselect("link[rel=stylesheet]")
        for link in style:
            assert site.ask(f"/{link.get('href')}").headers["content-type"] == "text/css; charset=utf-8"


def test_search_and_status_have_the_look_of_the_owner_unless_it_fails_there(tmp_path: Path) -> None:
    theme = tmp_path / "theme"
    theme.mkdir()
    footer = "{% extends 'feedhub/base.html' %}{% block footer %}<p>By volunteers</p>{% endblock %}"
    for text, shown in ((footer, True), (footer.replace("By", "{{ nobody.knows }}"), False)):
        (theme / "base.html").write_text(text)
        with served(tmp_path, more="output: {templates: theme}\n") as site:
            for path in ("/search", "/status", "/nothing"):
                answer = site.ask(path)
                assert answer.status == (404 if path == "/nothing" else 200)
                assert ("By volunteers" in answer.text) == shown
                assert "<h1>" in answer.text


def test_the_api_says_what_the_command_says_and_is_described(site: Site) -> None:
    answer = site.ask("/api/status.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    told, printed = json.loads(answer.body), run("status", "--json", "-c", site.folder / "feedhub.yaml").json
    # Only the command's own user is told where things lie.
    assert printed.pop("places")["has_store"] is True
    # And a command that finds a fault prints it, and no status.
    assert told.pop("configuration_fault") is None
    for one in (*told["sources"], *printed["sources"]):
        one["next_poll_in"] = one["next_poll_in"] and round(one["next_poll_in"], -2)
    assert told == printed
    description = json.loads(site.ask("/api/openapi.json").body)
    assert description["openapi"] == "3.1.0"
    for path, operations in description["paths"].items():
        wanted = "?q=x" if operations["get"].get("parameters") else ""
        reply = site.ask(path + wanted)
        media = operations["get"]["responses"][str(reply.status)]["content"]
        (kind,) = media
        assert reply.headers["content-type"].startswith(kind)
        if kind == "application/json":
            assert misfits(json.loads(reply.body), media[kind]["schema"], description) == []


def test_a_story_is_told_as_it_is_described(site: Site) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    member = StoryMember(item_id="urn:uuid:1", title="Ferry", source="agency", published_at=at, link=None)
    told = {"stories": [group_json(StoryGroup(members=(member,)))]}
    description = json.loads(site.ask("/api/openapi.json").body)
    assert misfits(told, description["components"]["schemas"]["Stories"], description) == []


def misfits(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str = "") -> list[str]:
    """Check a value against the part of JSON Schema that the description uses."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any((value is None) if name == "null" else isinstance(value, kinds[name]) for name in names):
        return [f"{place}: {value!r} is no {names}"]
    found = []
    if isinstance(value, dict):
        found += [f"{place}: {key}" for key in value.keys() ^ schema["properties"].keys()]
        for key in value.keys() & schema["properties"].keys():
            found += misfits(value[key], schema["properties"][key], document, f"{place}.{key}")
    if isinstance(value, list):
        for each in value:
            found += misfits(each, schema["items"], document, f"{place}[]")
    return found


def test_metrics_are_read_by_prometheus_and_name_no_source(site: Site) -> None:
    site.metrics.count_poll(PollReport(source="paper", outcome=Outcome.STORED, new=3, bytes=100, seconds=0.3))
    site.metrics.count_poll(PollReport(source="wire", outcome=Outcome.FAILED, seconds=99.0))
    site.metrics.count_publish(PublishReport(written=("a", "b")))
    answer = site.ask("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    for line in (
        'feedhub_sources{state="failing"} 1.0',
        'feedhub_sources{state="ok"} 1.0',
        "feedhub_items 28.0",
        'feedhub_polls_total{outcome="stored"} 1.0',
        'feedhub_polls_total{outcome="failed"} 1.0',
        'feedhub_records_total{kind="new"} 3.0',
        'feedhub_poll_duration_seconds_bucket{le="0.5"} 1.0',
        'feedhub_poll_duration_seconds_bucket{le="+Inf"} 2.0',
        "feedhub_files_written_total 2.0",
    ):
        assert line in lines, answer.text
    assert "paper" not in answer.text
    assert all(re.fullmatch(r'#.*|[a-z_]+(\{[a-z]+="[^"]*"\})? [-+.0-9e]+', line) for line in lines)


def test_health_is_200_until_outputs_cannot_be_written(site: Site) -> None:
    assert json.loads(site.ask("/healthz").body) == {"ok": True, "reasons": [], "warnings": []}
    site.metrics.count_publish(PublishReport(failed=(("tech", "no room"),)))
    answer = site.ask("/healthz")
    told = {"ok": False, "reasons": ["1 output cannot be written"], "warnings": []}
    assert (answer.status, json.loads(answer.body)) == (503, told)
    site.metrics.count_publish(PublishReport())
    assert site.ask("/healthz").status == 200


def test_a_fault_in_the_saved_configuration_is_a_warning_and_no_reason_to_restart(tmp_path: Path) -> None:
    problem = Problem(file="feedhub.yaml", line=7, column=1, key="sources", message="expected a list")
    fault = ConfigFault(problems=(problem,), count=1, since=datetime(2026, 11, 28, tzinfo=UTC))
    with served(tmp_path, fault=lambda: fault) as site:
        answer = site.ask("/healthz")
    told = "since 2026-11-28T00:00:00Z, the one before it goes on: feedhub.yaml:7"
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "ok": True,
        "reasons": [],
        "warnings": [f"the saved configuration cannot be used {told}"],
    }


def test_health_tells_of_a_standstill_and_a_store_that_cannot_be_read_while_files_are_served(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_bytes(rss(("One", "https://example.org/1")))
    with served(tmp_path, sources="[{name: paper, url: in.xml}]") as site:
        assert site.ask("/healthz").status == 200
        site.hub.poll()
        assert site.ask("/healthz").status == 200
        now = site.hub.now()
        site.hub.now = lambda: now + timedelta(hours=2)
        answer = site.ask("/healthz")
        assert answer.status == 503
        (reason,) = json.loads(answer.body)["reasons"]
        assert reason == "no poll for 120 min; the next was due 105 min ago"
        assert reason in site.ask("/status").text
        store = tmp_path / "var" / "feedhub.db"
        for name in ("feedhub.db-wal", "feedhub.db-shm"):
            (store.parent / name).unlink(missing_ok=True)
        site.hub.store.close()
        store.write_bytes(b"not a database" * 1_000)
        answer = site.ask("/healthz")
        assert (answer.status, json.loads(answer.body)["reasons"]) == (503, ["the store cannot be read"])
        assert site.ask("/api/status.json").status == 503
        for path in ("/status", "/search?q=one"):
            failed = site.ask(path)
            assert failed.status == 503
            assert "feedhub.db" not in failed.text
        assert site.ask("/feeds/all.atom").status == 200


def test_a_status_is_not_made_anew_for_everybody(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_bytes(rss(("One", "https://example.org/1")))
    with served(tmp_path, sources="[{name: paper, url: in.xml}]", max_age=60.0) as site:
        before = site.ask("/api/status.json").body
        site.hub.poll()
        assert site.ask("/api/status.json").body == before


LOGGED = """rules: [{name: no ads, when: {title: Ad}, then: {drop: true}}]
identity: {code: {from: link, pattern: 'c=([a-z0-9-]+)'}}
"""


def test_the_log_is_a_page_beside_the_status(tmp_path: Path) -> None:
    items = [("Ad <b>one</b>", "https://a.example/ad"), ("Rates fall", "https://a.example/1?c=s3cr3t-s3cr3t")]
    (tmp_path / "a.xml").write_bytes(rss(*items))
    (tmp_path / "b.xml").write_bytes(rss(("Rates <i>fall</i> & rise", "https://a.example/1?c=s3cr3t-s3cr3t")))
    sources = (
        "[{name: a, url: a.xml, title: The Paper}, {name: b, url: b.xml},"
        " {name: c, url: 'https://c.example/f?token=s3cr3t-s3cr3t', paused: true}]"
    )
    with served(tmp_path, sources=sources, more=LOGGED) as site:
        site.hub.poll(("a",))
        site.hub.poll(("b",))
        assert page(site, "/status").cssselect('a[href="log"]')
        entries = [" ".join(one.text_content().split()) for one in page(site, "/log").cssselect("article")]
        assert [re.sub(r" \d{4}-.*| \d+ \w+ \d{4}.*", "", one) for one in entries] == [
            "Merged the same item as one of a, by code Rates fall & rise b",
            'Dropped rule "no ads" The Paper',
        ]
        only = page(site, "/log?kind=dropped&source=a")
        assert [one.text_content() for one in only.cssselect(".kind")] == ["Dropped"]
        assert [one.get("value") for one in only.cssselect("option[selected]")] == ["dropped"]
        assert only.cssselect("#source")[0].get("value") == "a"
        for odd in (
            "?kind=hidden",
            "?kind=%00&page=x",
            "?page=99999",
            "?q=" + "x" * 5_000,
            "?source=%ff&kind=dropped'",
        ):
            assert site.ask("/log" + odd).status == 200
        assert page(site, "/log?q=nothing").cssselect(".empty")
        assert "s3cr3t" not in site.ask("/log").text


def test_the_log_has_pages(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(rss(*((f"Ad {number}", f"https://a.example/{number}") for number in range(28))))
    (tmp_path / "b.xml").write_bytes(rss(*((f"Ad {number}", f"https://b.example/{number}") for number in range(28))))
    with served(tmp_path, sources="[{name: a, url: a.xml}, {name: b, url: b.xml}]", more=LOGGED) as site:
        site.hub.poll(everything=True)
        first = page(site, "/log?kind=dropped")
        (older,) = first.cssselect(".pager a")
        assert (older.get("rel"), older.get("href")) == ("next", "log?kind=dropped&page=2")
        second = page(site, "/" + older.get("href"))
        assert (len(first.cssselect("article")), len(second.cssselect("article"))) == (50, 6)
        assert [one.get("href") for one in second.cssselect(".pager a")] == ["log?kind=dropped"]
