"""A list of several pages in real Chromium: a visitor turns them, and meets every item once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.browser import shown
from support.site import SiteFolder

pytestmark = pytest.mark.browser


def test_a_visitor_gets_to_older_pages_and_back(tmp_path: Path, chromium: Any) -> None:
    begin = datetime(2026, 8, 1, tzinfo=UTC)
    items = [
        {"id": str(n), "url": f"https://x.example/{n}", "title": f"Item {n}", "date_published": at.isoformat()}
        for n in range(75)
        for at in [begin + timedelta(hours=10 * n)]
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Long", "items": items}
    (tmp_path / "long.json").write_text(json.dumps(feed))
    folder = SiteFolder(tmp_path)
    folder.write([f"{{name: long, url: {tmp_path}/long.json}}"])
    assert folder.run("poll", "--all").code == 0
    with shown(folder.output, chromium) as site, site.window() as window:
        page = window.show("index.html")
        page.get_by_role("navigation").get_by_role("link", name="Everything").click()
        assert page.locator("h1").inner_text() == "Everything"
        titles = page.locator(".card h3").all_inner_texts()
        while page.get_by_role("link", name="Earlier items").count():
            page.get_by_role("link", name="Earlier items").click()
            titles += page.locator(".card h3").all_inner_texts()
        assert titles == [f"Item {n}" for n in reversed(range(75))]
        assert "August 2026" in page.locator("h1").inner_text()
        while page.get_by_role("link", name="Newer items").count():
            page.get_by_role("link", name="Newer items").click()
        assert page.url.endswith("category/all.html")
