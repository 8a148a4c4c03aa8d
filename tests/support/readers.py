"""Programs that people read feeds with: newsboat and sfeed."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def by_newsboat(feed: str, home: Path) -> list[tuple[str, str, str]]:
    """Return (guid, title, link) of what newsboat keeps of the feed at an address, in its order."""
    home.mkdir(exist_ok=True)
    urls, config, cache = home / "urls", home / "config", home / "cache.db"
    urls.write_text(f"{feed}\n")
    config.write_text("show-read-feeds yes\n")
    command = [program("newsboat"), "-C", str(config), "-u", str(urls), "-c", str(cache), "-x", "reload"]
    environment = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    with closing(sqlite3.connect(cache)) as database:
        return database.execute("SELECT guid, title, url FROM rss_item ORDER BY pubDate DESC, guid").fetchall()


def unread_by_newsboat(home: Path, *, read_all: bool = False) -> int:
    """Return how many items newsboat, which ran here, has unread; with ``read_all`` somebody reads them then."""
    with closing(sqlite3.connect(home / "cache.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM rss_item WHERE unread").fetchone()
        if read_all:
            database.execute("UPDATE rss_item SET unread = 0")
            database.commit()
    return int(count)


def by_sfeed(feed: bytes) -> list[tuple[str, str, str]]:
    """Return (guid, title, link) of the lines that sfeed makes of ``feed``."""
    lines = subprocess.run([program("sfeed")], input=feed, capture_output=True, check=True, timeout=30).stdout
    fields = [line.split("\t") for line in lines.decode().splitlines()]
    return [(field[5], field[1], field[2]) for field in fields]
