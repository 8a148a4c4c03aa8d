"""A category that was removed: its feeds say so for a month, with the entries that they had; then they go."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from feedhub.model.item import ParsedItem
from feedhub.model.output import Category, Retention
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.pipeline.maintenance import prune
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish
from feedhub.publish.addresses import SitePaths
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import renderers
from feedhub.publish.index import FeedIndex
from support.feed_checks import check_feed
from support.library import record
from support.world import World

A = Source(name="a", url="https://a.example/rss", categories=("economy",))
B = Source(name="b", url="https://b.example/rss", categories=("tech",))
UNFILED = replace(B, categories=())
FEEDS = {f"feeds/tech.{kind}" for kind in ("atom", "rss", "json")}
NOTE = ".feedhub/removed.json"


def chips(number: int) -> ParsedItem:
    return record(f"Chips {number}", guid=str(number), link=f"https://b.example/{number}")


@pytest.fixture
def world() -> World:
    world = World((A, B))
    world.answer("a", record("Rates", guid="1", link="https://a.example/1"))
    world.poll("a")
    for number in (1, 2, 3):
        world.pass_time(hours=1)
        world.answer("b", *(chips(each) for each in range(1, number + 1)))
        world.poll("b")
    return world


def published(
    world: World, folder: Path, *, everything: bool = False, settings: Settings | None = None
) -> PublishReport:
    settings = settings or world.settings
    context = PublishContext(
        renderers=renderers(settings.output.formats),
        index=FeedIndex(settings.site, settings.output.formats),
        writer=FolderWriter(str(folder)),
        page_paths=SitePaths(settings.site),
    )
    report = publish(world.store, settings, context, now=world.now, everything=everything)
    assert report.failed == ()
    return report


def sync(world: World, *sources: Source) -> None:
    world.sources = sources
    world.store.sync_categories(world.settings.categories, world.now)


def entries(folder: Path) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((folder / "feeds/tech.json").read_text())["items"]
    return items


def titles(folder: Path) -> list[str]:
    return [item["title"] for item in entries(folder)]


def ended(world: World, folder: Path) -> PublishReport:
    """Publish, remove the category ``tech``, and publish again an hour later."""
    published(world, folder)
    sync(world, A, UNFILED)
    world.pass_time(hours=1)
    return published(world, folder)


def test_the_feeds_of_a_removed_category_keep_their_entries_and_one_last_entry_says_that_it_ended(
    world: World, tmp_path: Path
) -> None:
    published(world, tmp_path)
    before = entries(tmp_path)
    report = ended(world, tmp_path)
    assert set(report.written) >= FEEDS
    last, *kept = entries(tmp_path)
    assert last["title"] == "“Tech” has ended"
    removed_at = (world.now - timedelta(hours=1)).isoformat()
    assert (last["date_published"], last.get("date_modified")) == (removed_at, None)
    assert "removed after 30 days" in last["content_html"]
    assert last["url"] == "https://site.example/"
    assert [item["id"] for item in kept] == [item["id"] for item in before]
    for path in FEEDS:
        body = (tmp_path / path).read_bytes()
        assert check_feed(path, body) == []
        assert b"Chips 3" in body
        assert "“Tech” has ended".encode() in body
    for path in ("feedhub.json", "feeds.opml", "feeds/all.json"):
        assert '"tech"' not in (tmp_path / path).read_text().lower()


def test_the_last_entry_has_the_id_and_date_of_the_removal_wherever_it_is_published(
    world: World, tmp_path: Path
) -> None:
    ended(world, tmp_path / "one")
    world.pass_time(days=3)
    assert published(world, tmp_path / "one").written == ()
    assert not FEEDS & set(published(world, tmp_path / "one", everything=True).written)
    published(world, tmp_path / "two")
    for path in FEEDS:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_after_thirty_days_the_files_go(world: World, tmp_path: Path) -> None:
    ended(world, tmp_path)
    world.pass_time(days=29, hours=22)
    assert published(world, tmp_path).removed == ()
    world.pass_time(hours=1)
    assert set(published(world, tmp_path).removed) == FEEDS
    assert json.loads((tmp_path / NOTE).read_text()) == {"tech": "gone"}
    again = published(world, tmp_path, everything=True)
    assert (again.written, again.removed) == ((), ())


def test_a_category_that_comes_back_goes_on_as_if_nothing_had_been(world: World, tmp_path: Path) -> None:
    for days in (5, 50):
        ended(world, tmp_path)
        world.pass_time(days=days)
        published(world, tmp_path)
        sync(world, A, B)
        world.answer("b", chips(1), chips(2), chips(3), chips(days))
        world.poll("b")
        published(world, tmp_path)
        assert not (tmp_path / NOTE).exists()
        assert "ended" not in " ".join(titles(tmp_path))
        assert f"Chips {days}" in titles(tmp_path)


def test_a_folder_that_is_made_later_tells_of_the_removal_too(world: World, tmp_path: Path) -> None:
    """The store does not know which folders follow it, and an output folder can be lost and made anew."""
    sync(world, A)
    published(world, tmp_path / "one")
    published(world, tmp_path / "two")
    for folder in (tmp_path / "one", tmp_path / "two"):
        assert titles(folder)[0] == "“Tech” has ended"
        assert json.loads((folder / NOTE).read_text()) == {"tech": "ended"}
    world.pass_time(days=30)
    published(world, tmp_path / "one")
    published(world, tmp_path / "three")
    for folder in (tmp_path / "one", tmp_path / "three"):
        assert not [path for path in folder.rglob("*") if "tech" in path.name]
        assert json.loads((folder / NOTE).read_text()) == {"tech": "gone"}


def test_what_retention_removes_leaves_the_last_entries(world: World, tmp_path: Path) -> None:
    ended(world, tmp_path)
    world.retention = Retention(days=1, items=None)
    world.answer("b", chips(3))
    world.poll("b")
    world.pass_time(days=5)
    world.poll("b")
    prune(world.store, world.settings, world.now)
    published(world, tmp_path, everything=True)
    assert titles(tmp_path) == ["“Tech” has ended", "Chips 3"]


def test_an_item_that_is_hidden_leaves_the_last_entries_at_once(world: World, tmp_path: Path) -> None:
    ended(world, tmp_path)
    (second,) = [item["id"] for item in entries(tmp_path) if item["title"] == "Chips 2"]
    assert world.store.hide(second, "asked for", world.now)
    assert set(published(world, tmp_path).written) >= FEEDS
    assert titles(tmp_path) == ["“Tech” has ended", "Chips 3", "Chips 1"]


def test_the_feed_shows_as_many_entries_as_it_did(world: World, tmp_path: Path) -> None:
    settings = world.settings
    few = [replace(one, entries=2 if one.slug == "tech" else None) for one in settings.categories]
    world.store.sync_categories(few, world.now)
    published(world, tmp_path, settings=replace(settings, categories=tuple(few)))
    assert titles(tmp_path) == ["Chips 3", "Chips 2"]
    ended(world, tmp_path)
    assert titles(tmp_path) == ["“Tech” has ended", "Chips 3", "Chips 2"]


def test_filing_a_source_elsewhere_leaves_the_last_entries(world: World, tmp_path: Path) -> None:
    published(world, tmp_path)
    sync(world, A, replace(B, categories=("silicon",)))
    world.pass_time(hours=1)
    world.answer("b", *(chips(each) for each in (1, 2, 3, 4)))
    world.poll("b")
    published(world, tmp_path)
    assert titles(tmp_path) == ["“Tech” has ended", "Chips 3", "Chips 2", "Chips 1"]
    assert "Chips 4" in (tmp_path / "feeds/silicon.atom").read_text()


def test_a_chinese_site_says_it_in_chinese(world: World, tmp_path: Path) -> None:
    settings = replace(world.settings, site=replace(world.settings.site, language="zh-CN"))
    published(world, tmp_path, settings=settings)
    sync(world, A)
    settings = replace(world.settings, site=settings.site)
    published(world, tmp_path, settings=settings)
    assert titles(tmp_path)[0] == "“Tech”已停止更新"


def test_a_renamed_category_says_for_thirty_days_where_it_is_now(world: World, tmp_path: Path) -> None:
    published(world, tmp_path)
    before = entries(tmp_path)
    world.sources = (A, replace(B, categories=("it",)))
    economy, it = world.settings.categories
    settings = replace(world.settings, categories=(economy, replace(it, title="Computers", formerly=("tech",))))
    world.store.sync_categories(settings.categories, world.now)
    world.refile("renamed")
    world.store.sync_categories(settings.categories, world.now)
    published(world, tmp_path, settings=settings)
    last, *kept = entries(tmp_path)
    assert [last["title"], last["url"]] == ["“Tech” has moved", "https://site.example/category/it.html"]
    assert "https://site.example/feeds/it.rss" in last["content_html"]
    assert [item["id"] for item in kept] == [item["id"] for item in before]
    moved = json.loads((tmp_path / "feeds/it.json").read_text())["items"]
    assert [item["id"] for item in moved] == [item["id"] for item in before]
    for path in FEEDS:
        assert check_feed(path, (tmp_path / path).read_bytes()) == []
    world.pass_time(days=29)
    assert published(world, tmp_path, settings=settings, everything=True).written == ()
    world.pass_time(days=1)
    assert set(published(world, tmp_path, settings=settings).removed) == FEEDS
    assert json.loads((tmp_path / NOTE).read_text()) == {"tech": "gone"}


def test_a_removal_that_turns_out_to_be_a_renaming_says_so_from_then_on(world: World, tmp_path: Path) -> None:
    ended(world, tmp_path)
    world.pass_time(days=1)
    (economy,) = world.settings.categories
    settings = replace(world.settings, categories=(replace(economy, formerly=("tech",)),), output_digest="another")
    assert set(published(world, tmp_path, settings=settings).written) >= FEEDS
    assert titles(tmp_path)[:2] == ["“Tech” has moved", "Chips 3"]


@pytest.mark.parametrize("note", [b"", b"[]", b"{", b'{"tech": "x"}', b'{"../x": "gone"}', b"[" * 10_000])
def test_a_damaged_note_costs_nothing(world: World, tmp_path: Path, note: bytes) -> None:
    ended(world, tmp_path)
    (tmp_path / NOTE).write_bytes(note)
    report = published(world, tmp_path)
    assert (report.written, report.removed) == ((), ())
    assert json.loads((tmp_path / NOTE).read_text()) == {"tech": "ended"}


def test_a_feed_that_could_not_be_ended_is_ended_by_the_next_publish(world: World, tmp_path: Path) -> None:
    published(world, tmp_path)
    in_the_way = tmp_path / "feeds/tech.rss"
    in_the_way.unlink()
    in_the_way.mkdir()
    sync(world, A)
    with pytest.raises(AssertionError, match="tech"):
        published(world, tmp_path)
    in_the_way.rmdir()
    assert published(world, tmp_path).written == ("feeds/tech.rss",)


def test_categories_of_one_title_after_another_are_told_apart(world: World, tmp_path: Path) -> None:
    """The configuration gives the title another slug."""
    published(world, tmp_path)
    world.sources = (A, replace(B, categories=("chips",)))
    world.store.sync_categories((Category(slug="chips", title="Tech"),), world.now)
    published(world, tmp_path)
    assert titles(tmp_path)[0] == "“Tech” has ended"
    assert json.loads((tmp_path / "feeds/chips.json").read_text())["items"] == []
