"""The digest of a category: a feed with one entry a day, from stored items to files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedhub.model.item import ParsedItem
from feedhub.model.report import PublishReport
from feedhub.model.source import Source
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish
from feedhub.publish.addresses import SitePaths
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import renderers
from feedhub.publish.index import FeedIndex
from support.builders import HOUR
from support.feed_checks import check_feed
from support.following import state_of
from support.library import record
from support.world import World

A = Source(name="a", url="https://a.example/rss", categories=("tech",))
B = Source(name="b", url="https://b.example/rss", categories=("tech", "economy"))
DIGEST = {f"feeds/tech-digest.{kind}" for kind in ("atom", "rss", "json")}


class Digests:
    """A world whose category ``tech`` has a digest; days end at 15:00 in Shanghai, which is 07:00 UTC."""

    def __init__(self, folder: Path) -> None:
        self.world = World((A, B))
        self.folder = folder
        self.digest_at: str | None = "15:00"
        self.offered: dict[str, list[ParsedItem]] = {"a": [], "b": []}

    def poll(self, source: str, *titles: str, hours_ago: float = 0) -> None:
        at = self.world.now - hours_ago * HOUR
        for title in titles:
            link = f"https://{source}.example/{title}"
            self.offered[source].append(record(title, guid=title, link=link, published=at))
        self.world.answer(source, *self.offered[source])
        self.world.poll(source)

    def publish(self, folder: Path | None = None, **more: Any) -> PublishReport:
        settings = self.world.settings
        categories = tuple(
            replace(one, digest_at=self.digest_at if one.slug == "tech" else None) for one in settings.categories
        )
        settings = replace(settings, categories=categories)
        context = PublishContext(
            renderers=renderers(settings.output.formats),
            index=FeedIndex(settings.site, settings.output.formats),
            writer=FolderWriter(str(folder or self.folder)),
            page_paths=SitePaths(settings.site),
        )
        return publish(self.world.store, settings, context, now=self.world.now, **more)

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "feeds/tech-digest.json").read_text())["items"]
        return found


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "one")


def test_a_day_is_told_once_it_has_ended_and_not_written_again(digests: Digests, tmp_path: Path) -> None:
    world = digests.world  # it is eight o'clock
    digests.poll("a", "One")
    digests.poll("b", "Two")
    digests.publish()
    assert digests.entries() == [], "the day goes on"
    world.pass_time(hours=22)
    digests.poll("a", "Three")
    assert not DIGEST & set(digests.publish().written)
    world.pass_time(hours=1)
    assert set(digests.publish().written) == DIGEST, "nothing came, and the day has ended"
    (day,) = digests.entries()
    assert day["title"] == f"Tech {world.now:%Y-%m-%d}"
    assert day["date_published"] == world.now.isoformat()
    assert [day["content_html"].index(title) for title in ("3 items", "One", "Three", "Two")] == sorted(
        day["content_html"].index(title) for title in ("3 items", "One", "Three", "Two")
    )
    for path in DIGEST:
        assert check_feed(path, (digests.folder / path).read_bytes()) == []
    digests.poll("a", "Four")
    assert not DIGEST & set(digests.publish().written)
    assert not DIGEST & set(digests.publish(everything=True).written)
    digests.publish(tmp_path / "two")
    for path in DIGEST:
        assert (digests.folder / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_a_replay_at_another_time_gives_the_same_bytes(digests: Digests, tmp_path: Path) -> None:
    for title in ("One", "Two", "Three"):
        digests.poll("a", title)
        digests.world.pass_time(hours=24)
    digests.publish()
    again = Digests(tmp_path / "two")
    again.world.pass_time(days=3, hours=2)
    again.offered = digests.offered
    again.poll("a")
    again.publish()
    assert len(again.entries()) == 3
    for path in DIGEST:
        assert (digests.folder / path).read_bytes() == (again.folder / path).read_bytes()


def test_an_item_that_comes_late_changes_the_entry_of_its_day_alone(digests: Digests) -> None:
    digests.poll("a", "One")
    digests.world.pass_time(days=1)
    digests.poll("a", "Two")
    digests.world.pass_time(days=1)
    digests.publish()
    second, first = digests.entries()
    digests.poll("b", "Late", hours_ago=40)
    assert set(digests.publish().written) >= DIGEST
    now_second, now_first = digests.entries()
    assert now_second == second
    assert "Late" in now_first["content_html"]
    assert (now_first["id"], now_first["date_published"]) == (first["id"], first["date_published"])


def test_days_without_items_have_no_entry_and_a_fortnight_is_shown(digests: Digests) -> None:
    for number in range(20):
        digests.poll("a", f"Story {number}")
        digests.world.pass_time(days=3 if number == 10 else 1)
    digests.publish()
    entries = digests.entries()
    assert len(entries) == 14
    assert "Story 19" in entries[0]["content_html"]
    assert "Story 6" in entries[-1]["content_html"]


def test_one_that_is_not_wanted_any_more_goes(digests: Digests) -> None:
    digests.poll("a", "One")
    digests.world.pass_time(days=1)
    digests.publish()
    digests.digest_at = None
    assert set(digests.publish().removed) == DIGEST
    assert state_of(digests.folder).digests == {}


def test_one_that_could_not_be_written_is_written_by_the_next_publish(digests: Digests) -> None:
    digests.poll("a", "One")
    digests.world.pass_time(days=1)
    in_the_way = digests.folder / "feeds/tech-digest.rss"
    in_the_way.mkdir(parents=True)
    assert [name for name, _ in digests.publish().failed] == ["tech-digest"]
    in_the_way.rmdir()
    assert digests.publish().written == ("feeds/tech-digest.rss",)


def test_a_publish_of_one_category_publishes_its_digest(digests: Digests) -> None:
    digests.poll("b", "One")
    digests.publish()
    digests.world.pass_time(days=1)
    assert not DIGEST & set(digests.publish(slugs=["economy"]).written)
    assert set(digests.publish(slugs=["tech"]).written) == DIGEST
