"""Publishing: only what changed, nothing torn away, one bad output costs itself."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from feedhub.errors import HttpStatusError
from feedhub.model.item import Person
from feedhub.model.output import OutputFormat, OutputView
from feedhub.model.report import PublishReport
from feedhub.model.source import CategoryMap, Source
from feedhub.pipeline.outputs import KeptItems, PublishContext
from feedhub.pipeline.publish import publish, publish_health
from feedhub.pipeline.state import publishing
from feedhub.publish.addresses import SitePaths
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import FormatRenderer, renderers
from feedhub.publish.index import FeedIndex
from support.following import due_in
from support.library import record
from support.power_cut import Disk
from support.world import World

A = Source(name="a", url="https://a.example/rss", categories=("economy",))
B = Source(name="b", url="https://b.example/rss", categories=("tech",))


@pytest.fixture
def world() -> World:
    world = World((A, B))
    world.answer("a", record("Rates", guid="1", link="https://a.example/1"))
    world.answer("b", record("Chips", guid="1", link="https://b.example/1"))
    world.poll("a")
    world.poll("b")
    return world


def context(world: World, folder: Path, formats: tuple[str, ...] = ("atom", "rss", "json")) -> PublishContext:
    return PublishContext(
        renderers=renderers(formats),  # type: ignore[arg-type]
        index=FeedIndex(world.settings.site, formats),  # type: ignore[arg-type]
        writer=FolderWriter(str(folder)),
        page_paths=SitePaths(world.settings.site),
    )


def files(folder: Path) -> set[str]:
    """Return what is published in a folder, and not what feedhub remembers there."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path.as_posix() for path in found if ".feedhub" not in path.parts}


def test_the_first_publish_writes_every_output(world: World, tmp_path: Path) -> None:
    report = publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    feeds = {f"feeds/{slug}.{form}" for slug in ("all", "economy", "tech") for form in ("atom", "rss", "json")}
    assert files(tmp_path) == feeds | {"feeds.opml", "feedhub.json"}
    assert set(report.written) == files(tmp_path)
    assert due_in(tmp_path, world.store) == {}


def test_a_second_publish_writes_nothing_and_touches_no_file(world: World, tmp_path: Path) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert publish(world.store, world.settings, context(world, tmp_path), now=world.now).written == ()
    report = publish(world.store, world.settings, context(world, tmp_path), everything=True, now=world.now)
    assert (report.written, report.unchanged) == ((), len(before))
    assert before == {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}


def test_what_is_stored_meanwhile_is_left_to_the_next_publish(world: World, tmp_path: Path) -> None:
    polled: list[str] = []

    def in_another_thread() -> None:
        world.poll("b")
        polled.append("b")

    def render(view: OutputView) -> bytes:
        if not polled:  # between the outputs, of which the first is written
            world.answer("b", record("More chips", guid="2", link="https://b.example/2"))
            thread = Thread(target=in_another_thread)
            thread.start()
            thread.join()
        return json.dumps([item.item.title for item in view.items]).encode()

    def shown(slug: str) -> list[str]:
        return list(json.loads((tmp_path / f"feeds/{slug}.titles").read_text()))

    titles = FormatRenderer(OutputFormat(name="titles", title="Titles", media_type="text/plain", render=render))
    during = replace(context(world, tmp_path, formats=()), renderers=(titles,))
    publish(world.store, world.settings, during, now=world.now)
    assert (polled, shown("all"), shown("tech")) == (["b"], ["Chips", "Rates"], ["Chips"])
    assert json.loads((tmp_path / "feedhub.json").read_text())["all"]["items"] == 2
    assert set(due_in(tmp_path, world.store)) == {"all", "tech"}
    publish(world.store, world.settings, during, now=world.now)
    assert (sorted(shown("all")), sorted(shown("tech"))) == (["Chips", "More chips", "Rates"], ["Chips", "More chips"])


@pytest.mark.parametrize(("most", "kept"), [(1_000_000, 2), (1, 1), (0, 0)])
def test_items_are_read_once_while_there_is_room_for_them(world: World, most: int, kept: int) -> None:
    world.answer("a", record("Rates", guid="1", link="https://a.example/1", text="<p>Up</p>"))
    world.answer("b", record("Chips", guid="1", link="https://b.example/1", text="<p>Down</p>"))
    world.pass_time(hours=1)
    world.poll("a")
    world.poll("b")
    shown = list(world.store.newest("all", 9))
    versions = world.store.item_versions("all", world.now - timedelta(days=9), world.now)
    items = KeptItems(world.store, most)
    for _ in range(2):
        assert items.shown("all", versions) == items.newest("all", 9) == shown
    for item in shown:
        world.store.hide(item.id, "gone", world.now)
    assert items.shown("all", versions) == shown[:kept]


def test_what_an_output_shows_in_the_wording_of_another_source_is_read_for_it(world: World) -> None:
    world.answer("a", record("Rates", guid="1", link="https://a.example/1", text="<p>Up</p>"))
    world.answer("b", record("Rates rise", guid="2", link="https://a.example/1", text="<p>Up again</p>"))
    for name in ("a", "b"):
        world.pass_time(hours=1)
        world.poll(name)
    items, titles = KeptItems(world.store), {}
    for slug in ("all", *(category.slug for category in world.store.categories())):
        titles[slug] = [item.item.title for item in items.newest(slug, 9)]
        assert items.newest(slug, 9) == list(world.store.newest(slug, 9))
    assert (sorted(titles["all"]), sorted(titles["tech"])) == (["Chips", "Rates"], ["Chips", "Rates rise"])


def test_only_the_outputs_of_a_poll_are_written_again(world: World, tmp_path: Path) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    world.pass_time(hours=1)
    world.answer("b", record("More chips", guid="2", link="https://b.example/2"))
    world.poll("b")
    written = publish(world.store, world.settings, context(world, tmp_path), now=world.now).written
    assert not [name for name in written if "economy" in name]
    assert "feeds/tech.atom" in written
    assert "feeds/all.json" in written


def test_named_outputs_alone_are_published(world: World, tmp_path: Path) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    (tmp_path / "feeds/tech.atom").write_text("damaged")
    (tmp_path / "feeds/economy.atom").write_text("damaged")
    report = publish(world.store, world.settings, context(world, tmp_path), slugs=["tech"], now=world.now)
    assert report.written == ("feeds/tech.atom",)


def test_a_lost_output_folder_is_filled_again(world: World, tmp_path: Path) -> None:
    publish(world.store, world.settings, context(world, tmp_path / "one"), now=world.now)
    report = publish(world.store, world.settings, context(world, tmp_path / "two"), now=world.now)
    assert files(tmp_path / "one") == files(tmp_path / "two") == set(report.written)


def test_an_empty_category_keeps_its_files(world: World, tmp_path: Path) -> None:
    world.sources = (Source(name="a", url=A.url, categories=("economy", "empty")),)
    world.store.sync_categories(world.settings.categories, world.now)
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    assert json.loads((tmp_path / "feeds/empty.json").read_text())["items"] == []


def test_a_format_no_longer_wanted_leaves_the_folder(world: World, tmp_path: Path) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    report = publish(world.store, world.settings, context(world, tmp_path, ("atom",)), everything=True, now=world.now)
    assert "feeds/all.rss" in report.removed
    assert not list(tmp_path.rglob("*.rss"))


def test_an_output_that_cannot_be_written_is_reported_and_stays_due(world: World, tmp_path: Path) -> None:
    (tmp_path / "feeds" / "tech.rss").mkdir(parents=True)
    report = publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    assert [name for name, _ in report.failed] == ["tech"]
    assert set(due_in(tmp_path, world.store)) == {"tech"}
    assert (tmp_path / "feeds/economy.rss").is_file()
    assert (tmp_path / "feeds/tech.atom").is_file()


@pytest.mark.parametrize("cut", [1, 2])
def test_what_the_power_failed_in_does_not_count_as_published_and_is_repaired(
    world: World, tmp_path: Path, cut: int
) -> None:
    shown, undisturbed = tmp_path / "shown", tmp_path / "undisturbed"
    before = Disk(0)
    publish(
        world.store,
        world.settings,
        replace(context(world, shown), writer=FolderWriter(shown, sync=before)),
        now=world.now,
    )
    due = due_in(shown, world.store)
    world.pass_time(hours=1)
    world.answer("b", record("More chips", guid="2", link="https://b.example/2"))
    world.poll("b")
    disk = Disk(cut, before.held)
    writer = FolderWriter(shown, sync=disk)
    with pytest.raises(KeyboardInterrupt):
        publish(world.store, world.settings, replace(context(world, shown), writer=writer), now=world.now)
    disk.lose(shown)
    assert set(due_in(shown, world.store)) > set(due)
    for feed in shown.glob("feeds/*.json"):
        json.loads(feed.read_text())
    publish(world.store, world.settings, context(world, shown), now=world.now)
    publish(world.store, world.settings, context(world, undisturbed), now=world.now)
    assert files(shown) == files(undisturbed)
    assert [name for name in files(shown) if (shown / name).read_bytes() != (undisturbed / name).read_bytes()] == []


def test_the_feed_of_a_category_that_records_named_bears_their_name(tmp_path: Path) -> None:
    asked = CategoryMap(field="author", title="{author}")
    world = World((Source(name="a", url="https://a.example/rss", category_map=asked),))
    world.answer("a", replace(record("One", guid="1"), authors=(Person(name="界面新闻"),)))
    world.poll("a")
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    assert json.loads((tmp_path / "feeds/jiemianxinwen.json").read_text())["title"] == "界面新闻"


# --- the feed about the sources


def health_published(world: World, folder: Path, *, everything: bool = False, title: str = "Site") -> PublishReport:
    settings = replace(world.settings, site=replace(world.settings.site, title=title))
    with publishing(world.store, settings, FolderWriter(str(folder))) as run:
        publish_health(run, renderers(("atom",))[0], everything=everything)
    return run.report


def test_the_health_feed_is_written_once_for_what_happened(world: World, tmp_path: Path) -> None:
    assert health_published(world, tmp_path) == PublishReport(written=("feeds/health.atom",))
    assert health_published(world, tmp_path) == PublishReport()
    world.answer("a", error=HttpStatusError("410 Gone", status=410))
    world.poll("a")
    assert health_published(world, tmp_path).written == ("feeds/health.atom",)
    assert "a is gone for good" in (tmp_path / "feeds/health.atom").read_text()
    assert health_published(world, tmp_path) == PublishReport()


def test_a_health_feed_that_was_lost_or_looks_different_is_written_again(world: World, tmp_path: Path) -> None:
    health_published(world, tmp_path)
    (tmp_path / "feeds/health.atom").unlink()
    assert health_published(world, tmp_path).written == ("feeds/health.atom",)
    assert health_published(world, tmp_path, title="Other") == PublishReport()
    assert health_published(world, tmp_path, title="Other", everything=True).written == ("feeds/health.atom",)
    assert health_published(world, tmp_path, title="Other", everything=True) == PublishReport(unchanged=1)


def test_a_health_feed_that_cannot_be_written_is_told_and_tried_again(world: World, tmp_path: Path) -> None:
    (tmp_path / "feeds/health.atom").mkdir(parents=True)
    assert [name for name, _ in health_published(world, tmp_path).failed] == ["feeds/health.atom"]
    (tmp_path / "feeds/health.atom").rmdir()
    assert health_published(world, tmp_path).written == ("feeds/health.atom",)


def test_what_cannot_be_removed_is_reported_and_removed_by_the_next_publish_that_can(
    world: World, tmp_path: Path
) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    world.sources = (A,)
    world.store.sync_categories(world.settings.categories, world.now)
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    in_the_way = tmp_path / "feeds/tech.rss"
    in_the_way.unlink()
    (in_the_way / "x").mkdir(parents=True)
    world.pass_time(days=31)
    report = publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    assert [path for path, _ in report.failed] == ["feeds/tech.rss"]
    assert {"feeds/tech.atom", "feeds/tech.json"} <= set(report.removed)
    (in_the_way / "x").rmdir()
    in_the_way.rmdir()
    in_the_way.write_text("left over")
    assert publish(world.store, world.settings, context(world, tmp_path), now=world.now).removed == ("feeds/tech.rss",)
    last = publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    assert (last.written, last.removed, last.failed) == ((), (), ())


@pytest.mark.parametrize("name", ["../../x", "a/../bb", "CON:abc", "2024-99", "2024-03-0"])
def test_a_damaged_note_on_an_archive_costs_nothing(world: World, tmp_path: Path, name: str) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    note = tmp_path / ".feedhub/archive/economy/2024-05.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({name: "d"}))
    report = publish(world.store, world.settings, context(world, tmp_path), everything=True, now=world.now)
    assert (report.failed, report.removed) == ((), ())


@pytest.mark.parametrize("note", ["{", '["../x"]', '["/etc/x"]', '["a:b"]', '[1, ""]', '"x"', "[" * 10_000])
def test_a_damaged_note_on_what_is_to_be_removed_costs_nothing(world: World, tmp_path: Path, note: str) -> None:
    publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    (tmp_path / ".feedhub").mkdir(exist_ok=True)
    (tmp_path / ".feedhub/unremoved.json").write_text(note)
    report = publish(world.store, world.settings, context(world, tmp_path), now=world.now)
    assert (report.failed, report.removed) == ((), ())
