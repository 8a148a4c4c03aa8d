"""Published files over HTTP: what a reader, a browser, a cache and an attacker get."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.web import FEED, Site, served


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("site")) as running:
        output = running.output
        (output / "index.html").write_text("<h1>home</h1>")
        (output / "404.html").write_text("<h1>not here</h1>")
        (output / ".feedhub").mkdir()
        (output / ".feedhub" / "secret").write_text("hidden")
        (running.folder / "outside.txt").write_text("outside")
        (output / "link.txt").symlink_to(running.folder / "outside.txt")
        (output / "folder").symlink_to(running.folder)
        yield running


def test_a_feed_comes_with_type_validators_length_and_the_headers_of_guarantee_16(site: Site) -> None:
    long, short = site.twice("/feeds/all.atom")
    for answer in (long, short):
        assert (answer.status, answer.body) == (200, FEED)
        headers = answer.headers
        assert headers["content-type"] == "application/atom+xml; charset=utf-8"
        assert headers["content-length"] == str(len(FEED))
        assert headers["etag"].startswith('"')
        assert headers["last-modified"].endswith(" GMT")
        assert headers["date"].endswith(" GMT")
        assert "max-age=60" in headers["cache-control"]
        assert headers["content-security-policy"].startswith("default-src 'none';")
        assert "script-src" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Accept-Encoding": "gzip"},
        {"Accept-Encoding": "gzip;q=0"},
        {"Accept-Encoding": "br, *"},
        {"If-None-Match": '"other"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Wed, 25 Nov 2065 00:00:00 GMT"},
        {"If-Modified-Since": "nonsense"},
    ],
    ids=str,
)
def test_the_short_way_answers_as_the_long_one_does(site: Site, fields: dict[str, str]) -> None:
    long, short = site.twice("/feeds/all.atom", **fields)
    without = {"date", "connection"}
    assert (short.status, short.body) == (long.status, long.body)
    assert {k: v for k, v in short.headers.items() if k not in without} == {
        k: v for k, v in long.headers.items() if k not in without
    }


def test_gzip_has_a_validator_of_its_own_and_either_validator_gives_304(site: Site) -> None:
    plain = site.ask("/feeds/all.atom")
    pressed = site.ask("/feeds/all.atom", Accept_Encoding="br;q=1.0, gzip;q=0.8")
    assert pressed.headers["content-encoding"] == "gzip"
    assert pressed.headers["vary"] == plain.headers["vary"] == "accept, accept-encoding"
    assert gzip.decompress(pressed.body) == FEED
    assert len(pressed.body) < len(FEED) / 10
    assert pressed.headers["etag"] != plain.headers["etag"]
    for etag in (plain.headers["etag"], pressed.headers["etag"], f'"x", W/{plain.headers["etag"]}'):
        for answer in site.twice("/feeds/all.atom", If_None_Match=etag, Accept_Encoding="gzip"):
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] in etag
            assert "content-type" not in answer.headers
            assert answer.headers["cache-control"]


def test_a_browser_gets_a_feed_as_xml_which_it_shows_by_its_style_sheet(site: Site) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for shown in site.twice("/feeds/all.atom", Accept=accept, Accept_Encoding="gzip"):
        assert shown.headers["content-type"] == "application/xml; charset=utf-8"
        assert shown.headers["vary"] == "accept, accept-encoding"
        assert "content-encoding" not in shown.headers
        assert shown.body == site.ask("/feeds/all.atom").body
    validators = {site.ask("/feeds/all.atom", **fields).headers["etag"] for fields in ({}, {"Accept": accept})}
    assert len(validators) == 2
    for etag in validators:
        assert site.ask("/feeds/all.atom", Accept=accept, If_None_Match=etag).status == 304
    readers = ("application/rss+xml, application/atom+xml, text/html;q=0.7, */*", "*/*", "application/atom+xml")
    for reader in readers:
        answer = site.ask("/feeds/all.atom", Accept=reader)
        assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"


def test_the_date_of_change_gives_304_only_without_a_validator(site: Site) -> None:
    since = site.ask("/feeds/all.atom").headers["last-modified"]
    assert site.ask("/feeds/all.atom", If_Modified_Since=since).status == 304
    assert site.ask("/feeds/all.atom", If_Modified_Since=since, If_None_Match='"old"').status == 200
    assert site.ask("/feeds/all.atom", If_Modified_Since="Wed, 25 Nov 1998 00:00:00 GMT").status == 200


def test_a_changed_file_is_given_at_once_and_a_removed_one_is_gone(site: Site) -> None:
    path = site.output / "feeds" / "moving.rss"
    path.write_bytes(b"one")
    first = site.twice("/feeds/moving.rss")[1]
    fresh = path.with_name("fresh")
    fresh.write_bytes(b"two")
    os.utime(fresh, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    fresh.replace(path)
    second = site.twice("/feeds/moving.rss")[1]
    assert (first.body, second.body) == (b"one", b"two")
    assert first.headers["etag"] != second.headers["etag"]
    path.unlink()
    assert site.ask("/feeds/moving.rss").status == 404


@pytest.mark.parametrize(
    ("wanted", "status", "body", "content_range"),
    [
        ("bytes=0-4", 206, FEED[:5], f"bytes 0-4/{len(FEED)}"),
        ("bytes=5-", 206, FEED[5:], f"bytes 5-{len(FEED) - 1}/{len(FEED)}"),
        ("bytes=-7", 206, FEED[-7:], f"bytes {len(FEED) - 7}-{len(FEED) - 1}/{len(FEED)}"),
        ("bytes=10-99999999", 206, FEED[10:], f"bytes 10-{len(FEED) - 1}/{len(FEED)}"),
        ("bytes=99999999-", 416, b"", f"bytes */{len(FEED)}"),
        ("bytes=-0", 416, b"", f"bytes */{len(FEED)}"),
        ("bytes=9-3", 200, FEED, None),
        ("bytes=0-1,4-5", 200, FEED, None),
        ("bytes=-", 200, FEED, None),
        ("lines=0-1", 200, FEED, None),
    ],
)
def test_ranges(site: Site, wanted: str, status: int, body: bytes, content_range: str | None) -> None:
    answer = site.ask("/feeds/all.atom", Range=wanted, Accept_Encoding="gzip" if status != 200 else "identity")
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, content_range)
    assert answer.headers["content-length"] == str(len(body))


def test_a_range_of_another_version_gives_the_whole(site: Site) -> None:
    etag = site.ask("/feeds/all.atom").headers["etag"]
    assert site.ask("/feeds/all.atom", Range="bytes=0-4", If_Range=etag).status == 206
    assert site.ask("/feeds/all.atom", Range="bytes=0-4", If_Range=f"W/{etag}").status == 200
    assert site.ask("/feeds/all.atom", Range="bytes=0-4", If_Range='"old"').status == 200


def test_a_head_has_the_header_of_the_get_and_no_body(site: Site) -> None:
    get, head = site.ask("/feeds/all.atom"), site.ask("/feeds/all.atom", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["/feeds/all.atom", "/status", "/nowhere"])
def test_nothing_but_get_and_head(site: Site, method: str, path: str) -> None:
    answer = site.ask(path, method)
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/feeds/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/feeds/%2e%2e%2f%2e%2e%2foutside.txt",
        "/..%5coutside.txt",
        "/feeds//all.atom",
        "//feeds/all.atom",
        "/./feeds/all.atom",
        "/feeds%2fall.atom",
        "/feeds/all.atom%00",
        "/feeds/all.atom/",
        "/feeds",
        "/feeds/",
        "/.feedhub/secret",
        "/%2efeedhub/secret",
        "/link.txt",
        "/folder/outside.txt",
        "/folder/feedhub.yaml",
        "/C:/outside.txt",
        "/%ff",
        "/" + "a" * 300,
        "/nowhere.html",
    ],
)
def test_no_path_leaves_the_output_folder_or_shows_what_is_hidden(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert (answer.status, answer.body) == (404, b"<h1>not here</h1>")
    raw = site.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert raw.startswith(b"HTTP/1.1 404 ")
    assert b"outside" not in raw
    assert b"hidden" not in raw


def test_the_root_is_the_front_page(site: Site) -> None:
    for answer in site.twice("/"):
        assert (answer.status, answer.body, answer.headers["content-type"]) == (
            200,
            b"<h1>home</h1>",
            "text/html; charset=utf-8",
        )


def test_media_types(site: Site) -> None:
    expected = {
        "feeds/a.rss": "application/rss+xml; charset=utf-8",
        "feeds/a.json": "application/feed+json",
        "feedhub.json": "application/json",
        "feeds.opml": "text/x-opml; charset=utf-8",
        "style.css": "text/css; charset=utf-8",
        "a.png": "image/png",
        "_posts/2026-11-25-a.md": "text/markdown; charset=utf-8",
        "a.svg": "image/svg+xml",
        "日报.html": "text/html; charset=utf-8",
        "a.exe": "application/octet-stream",
        "no-ending": "application/octet-stream",
    }
    for path in expected:
        (site.output / path).parent.mkdir(exist_ok=True)
        (site.output / path).write_text("x")
    found = {path: site.ask("/" + path.replace("日报", "%E6%97%A5%E6%8A%A5")) for path in expected}
    assert {path: answer.headers["content-type"] for path, answer in found.items()} == expected
    assert all("content-encoding" not in answer.headers for answer in found.values())


def test_a_site_without_a_page_for_wrong_addresses_gets_ours_with_links_that_work_at_any_depth(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        answer = site.ask("/items/2026/nothing.html")
        assert answer.status == 404
        assert "There is no such page." in answer.text
        assert 'href="../../web.css"' in answer.text
        assert "News &amp; &lt;views&gt;" in answer.text
        assert site.ask("/web.css").headers["content-type"] == "text/css; charset=utf-8"


def test_what_belonged_to_a_removed_category_is_gone_and_everything_else_is_missing(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        note = site.output / ".feedhub" / "removed.json"
        note.parent.mkdir()
        note.write_text('{"tech": "gone", "chips": "ended"}')
        (site.output / "feeds" / "chips.atom").write_bytes(b"<feed/>")
        gone = ("/feeds/tech.atom", "/feeds/archive/tech/2026-10.rss", "/category/tech.html", "/category/chips.html")
        for path in (*gone, "/category/tech/2026-10-2.html"):
            answer = site.ask(path)
            assert (answer.status, answer.headers["content-type"]) == (410, "text/html; charset=utf-8"), path
            assert "This category is gone." in answer.text
            assert answer.headers["content-security-policy"].startswith("default-src 'none';")
        assert site.ask("/feeds/chips.atom").status == 200
        for path in (
            "/feeds/other.atom",
            "/items/2026/10/tech.html",
            "/tech.atom",
            "/feeds/tech",
            "/.feedhub/removed.json",
        ):
            assert site.ask(path).status == 404, path
        for damaged in (b"{", b"[]", b'{"tech": 1}'):
            note.write_bytes(damaged)
            assert site.ask("/feeds/tech.atom").status == 404


def test_a_feed_in_a_format_of_another_package_has_its_media_type(tmp_path: Path) -> None:
    from feedhub.web.files import FileCache

    (tmp_path / "feeds").mkdir()
    for name in ("feeds/news.csv", "feeds/news.atom", "other.csv"):
        (tmp_path / name).write_bytes(b"title\n" * 1_000)
    cache = FileCache(str(tmp_path), added_types=lambda: {"csv": "text/csv; charset=utf-8"})
    types = {}
    for name in ("feeds/news.csv", "feeds/news.atom", "other.csv"):
        file = cache.load(name)
        assert file
        types[name] = dict(file.plain.headers)[b"content-type"], file.gzipped is not None
    assert types == {
        "feeds/news.csv": (b"text/csv; charset=utf-8", True),
        "feeds/news.atom": (b"application/atom+xml; charset=utf-8", True),
        "other.csv": (b"application/octet-stream", False),
    }


def test_what_is_in_memory_stays_within_its_capacity(tmp_path: Path) -> None:
    from feedhub.web.files import FileCache

    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(os.urandom(10_000))
    (tmp_path / "large.png").write_bytes(os.urandom(60_000))
    cache = FileCache(str(tmp_path), capacity=100_000)
    for number in range(20):
        assert cache.load(f"{number}.png") is not None
    assert [number for number in range(20) if cache.get(f"{number}.png")] == list(range(13, 20))
    large = cache.load("large.png")
    assert large is not None
    assert len(large.plain.body) == 60_000
    assert cache.get("large.png") is None
    assert cache.load("pipe") is None
    os.mkfifo(tmp_path / "pipe")
    assert cache.load("pipe") is None
