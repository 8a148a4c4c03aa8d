"""Programs that people read feeds with, given what is rendered."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from feedhub.model.output import FeedFormat, OutputView
from feedhub.publish.files import FolderWriter
from feedhub.publish.renderers import renderers
from feedhub.publish.safe import safe_url
from support.output_views import rich_view, wordy_view

XML_FORMATS: tuple[FeedFormat, ...] = ("atom", "rss")


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def published(folder: Path, view: OutputView, kind: FeedFormat) -> Path:
    (renderer,) = renderers((kind,))
    file = renderer.render(view)
    FolderWriter(folder).write(file)
    return folder / file.path


def readable_view() -> OutputView:
    """Return the items of the rich view that have a title: without one, readers invent their own."""
    given = rich_view()
    titled = tuple(item for item in given.items if item.item.title)
    return OutputView(site=given.site, feed=given.feed, items=titled, updated_at=given.updated_at)


def by_newsboat(feed: Path, home: Path) -> list[tuple[str, str, str]]:
    """Return (guid, title, link) of what newsboat keeps of ``feed``, in its order."""
    home.mkdir()
    urls, config, cache = home / "urls", home / "config", home / "cache.db"
    urls.write_text(f"{feed.as_uri()}\n")
    config.write_text("show-read-feeds yes\n")
    command = [program("newsboat"), "-C", str(config), "-u", str(urls), "-c", str(cache), "-x", "reload"]
    environment = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    with closing(sqlite3.connect(cache)) as database:
        return database.execute("SELECT guid, title, url FROM rss_item ORDER BY pubDate DESC, guid").fetchall()


def by_sfeed(feed: Path) -> list[tuple[str, str, str]]:
    """Return (guid, title, link) of the lines that sfeed makes of ``feed``."""
    lines = subprocess.run(
        [program("sfeed")], input=feed.read_bytes(), capture_output=True, check=True, timeout=30
    ).stdout
    fields = [line.split("\t") for line in lines.decode().splitlines()]
    return [(field[5], field[1], field[2]) for field in fields]


def links_differ(view: OutputView, seen: list[tuple[str, str, str]]) -> list[str]:
    """Return the ids of the items that have a link and are not shown with it."""
    links = {guid: link for guid, _, link in seen}
    return [item.id for item in view.items if item.item.link and links[item.id] != safe_url(item.item.link)]


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", [readable_view(), wordy_view(100, words=3)], ids=["rich", "hundred"])
def test_newsboat_lists_the_same_items(tmp_path: Path, view: OutputView, kind: FeedFormat) -> None:
    program("newsboat")
    seen = by_newsboat(published(tmp_path / "output", view, kind), tmp_path / "home")
    assert [(guid, title) for guid, title, _ in seen] == [(item.id, item.item.title) for item in view.items]
    assert links_differ(view, seen) == []


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", [readable_view(), wordy_view(100, words=3)], ids=["rich", "hundred"])
def test_sfeed_lists_the_same_items(tmp_path: Path, view: OutputView, kind: FeedFormat) -> None:
    program("sfeed")
    seen = by_sfeed(published(tmp_path / "output", view, kind))
    assert [(guid, title) for guid, title, _ in seen] == [(item.id, item.item.title) for item in view.items]
    # For an entry without a link sfeed takes that of its source.
    assert links_differ(view, seen) == []
