"""Real feed readers subscribe over HTTP to what a poll published, and agree with it."""

from pathlib import Path

import pytest

from support.readers import by_newsboat, by_sfeed, program
from support.responders import static
from support.server import serve
from support.site import SiteFolder

ITEMS = "".join(
    f"<item><title>{title}</title><link>https://a.example/{number}?utm_source=rss</link>"
    f"<pubDate>Wed, 0{number} May 2024 08:00:00 GMT</pubDate>"
    f"<description>&lt;p&gt;{title}&lt;/p&gt;</description></item>"
    for number, title in enumerate(
        ["央行下调利率", "Ferry &amp;amp; harbour", "Café “Zürich” öffnet", "多个 空格"], start=1
    )
)
FEED = f"<rss version='2.0'><channel><title>A</title><link>https://a.example/</link>{ITEMS}</channel></rss>".encode()


@pytest.mark.parametrize("kind", ["atom", "rss"])
def test_newsboat_and_sfeed_list_what_was_published(tmp_path: Path, kind: str) -> None:
    program("newsboat")
    program("sfeed")
    with serve({"/rss": static(FEED)}) as server:
        site = SiteFolder(tmp_path)
        site.write(
            [f"{{name: a, url: '{server.url('/rss')}', category: news}}"], private=f"'{server.host}:{server.port}'"
        )
        assert site.run("poll").code == 0
        body = (site.output / "feeds" / f"news.{kind}").read_bytes()
        server.routes["/feed"] = static(body, content_type=f"application/{kind}+xml")
        in_newsboat = by_newsboat(server.url("/feed"), tmp_path / "home")
    expected = [(item["id"], item["title"]) for item in site.feed("news")]
    assert len(expected) == 4
    assert [(guid, title) for guid, title, _ in in_newsboat] == expected
    assert [(guid, title) for guid, title, _ in by_sfeed(body)] == expected
