"""Everything that goes wrong with sources, all at once: a clear row each, and the good ones are published."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.responders import FEED, delayed, endless, redirect, short, static, status
from support.server import LoopbackServer, serve, unused_port
from support.site import Result, SiteFolder


def rss(items: str) -> bytes:
    return (
        f"<rss version='2.0'><channel><title>A</title><link>https://a.example/</link>{items}</channel></rss>".encode()
    )


def many(count: int) -> bytes:
    return rss(
        "".join(f"<item><title>Number {n}</title><link>https://many.example/{n}</link></item>" for n in range(count))
    )


ODD = rss(
    "<item><link>https://odd.example/no-title</link><description>text only</description></item>"
    "<item><title>No link</title><guid isPermaLink='false'>no-link</guid></item>"
    "<item><title>No date</title><link>https://odd.example/no-date</link></item>"
    "<item><title>Wrong date</title><link>https://odd.example/wrong-date</link><pubDate>the day after</pubDate></item>"
    "<item><title>Far future</title><link>https://odd.example/future</link>"
    "<pubDate>Fri, 01 Jan 2077 00:00:00 GMT</pubDate></item>"
    "<item></item>"
)
CHINESE = (
    "<rss version='2.0'><channel><title>新闻</title><item><title>央行</title><guid>1</guid></item></channel></rss>"
)
PAGE = b"<!doctype html><html><head><link rel=alternate type='application/rss+xml' href='/real.xml'></head></html>"
FAILURES = {
    "unreachable": "connection refused",
    "unknown-host": "name not found",
    "slow": "no complete answer within 1 s",
    "missing": "404 Not Found",
    "page": "/real.xml",
    "broken": "broken XML",
    "empty": "empty",
    "cut": "",
    "endless": "",
    "private": "poll.allow_private",
    "bad-category": "sources[12].category",
    "reserved": "sources[13].category",
}


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SiteFolder, Result, LoopbackServer]]:
    routes = {
        "/good": static(FEED),
        "/slow": delayed(30, static(FEED)),
        "/missing": status(404),
        "/page": static(PAGE, content_type="application/rss+xml"),
        "/broken": static(b"<rss version='2.0'><channel><<<"),
        "/empty": static(b""),
        "/cut": short(FEED),
        "/endless": endless(),
        "/private": redirect("http://192.168.0.1/feed"),
        "/charset": static(CHINESE.encode("gb18030"), content_type="text/xml; charset=iso-8859-1"),
        "/odd": static(ODD),
        "/many": static(many(200)),
    }
    with serve(routes) as server:
        site = SiteFolder(tmp_path_factory.mktemp("bad"))
        names = (
            "good",
            "slow",
            "missing",
            "page",
            "broken",
            "empty",
            "cut",
            "endless",
            "private",
            "charset",
            "odd",
            "many",
        )
        sources = [
            f"{{name: {name}, url: '{server.url('/' + name)}', category: {'gbk' if name == 'charset' else 'news'}}}"
            for name in names
        ]
        sources += [
            f"{{name: bad-category, url: '{server.url('/good')}', category: ../../etc/x}}",
            f"{{name: reserved, url: '{server.url('/good')}', category: CON}}",
            f"{{name: unreachable, url: 'http://127.0.0.1:{unused_port()}/', category: news}}",
            "{name: unknown-host, url: 'http://nosuch.invalid/', category: news}",
        ]
        site.write(sources, private="'127.0.0.1'")
        yield site, site.run("poll", "--all", "--json", "--set", "poll.timeout=1s"), server


def rows(result: Result) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in result.json["sources"]}


def test_only_the_bad_sources_fail_and_the_run_says_so(polled: tuple[SiteFolder, Result, LoopbackServer]) -> None:
    _, result, _ = polled
    assert result.code == 1
    assert {name for name, row in rows(result).items() if row["outcome"] == "failed"} == set(FAILURES)


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_has_a_reason_in_words(polled: tuple[SiteFolder, Result, LoopbackServer], name: str) -> None:
    reason = str(rows(polled[1])[name]["reason"])
    assert FAILURES[name] in reason
    assert reason
    assert "Traceback" not in reason
    assert "Error(" not in reason


def test_odd_records_are_kept_and_the_empty_one_is_counted(polled: tuple[SiteFolder, Result, LoopbackServer]) -> None:
    row = rows(polled[1])["odd"]
    assert (row["new"], row["rejected"]) == (5, 1)


def test_more_records_than_an_output_shows_are_taken(polled: tuple[SiteFolder, Result, LoopbackServer]) -> None:
    assert rows(polled[1])["many"]["new"] == 200


@pytest.mark.nightly
def test_ten_thousand_records_are_taken(tmp_path: Path) -> None:
    with serve({"/many": static(many(10_000))}) as server:
        site = SiteFolder(tmp_path)
        site.write([f"{{name: many, url: '{server.url('/many')}', category: news}}"], private="'127.0.0.1'")
        assert rows(site.run("poll", "--json", "--set", "output.pages=false"))["many"]["new"] == 10_000


def test_a_wrong_charset_in_the_header_does_not_garble_the_text(
    polled: tuple[SiteFolder, Result, LoopbackServer],
) -> None:
    site = polled[0]
    assert [item["title"] for item in site.feed("gbk")] == ["央行"]
    assert not (site.path.parent / "etc").exists()


def test_a_source_that_turns_bad_leaves_the_last_good_output_untouched(tmp_path: Path) -> None:
    with serve({"/feed": static(FEED)}) as server:
        site = SiteFolder(tmp_path)
        site.write([f"{{name: a, url: '{server.url('/feed')}', category: news}}"], private="'127.0.0.1'")
        assert site.run("poll").code == 0
        before = good_files(site)
        for answer in (static(PAGE), short(FEED)):
            server.routes["/feed"] = answer
            assert site.run("poll", "--all").code == 1
            assert good_files(site) == before


def good_files(site: SiteFolder) -> dict[str, tuple[bytes, int]]:
    """Return all outputs but the page that tells the state of the sources."""
    return {name: file for name, file in site.files().items() if name != "sources.html"}


def test_a_slow_source_does_not_hold_up_the_run_beyond_its_time(tmp_path: Path) -> None:
    with serve({"/slow": delayed(30, static(FEED)), "/good": static(FEED)}) as server:
        site = SiteFolder(tmp_path)
        urls = {"slow": server.url("/slow"), "good": server.url("/good")}
        site.write(
            [f"{{name: {name}, url: '{url}', category: {name}}}" for name, url in urls.items()], private="'127.0.0.1'"
        )
        started = time.monotonic()
        assert site.run("poll", "--set", "poll.timeout=1s").code == 1
        assert time.monotonic() - started < 20
        assert len(site.feed("good")) == 1
