"""What an output folder remembers: whom it follows, how far, and what a publish that was cut short left in it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from feedhub.errors import PublishError
from feedhub.model.output import PublishReason
from feedhub.model.report import PublishReport
from feedhub.model.source import Health, Source
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish
from feedhub.publish.addresses import SitePaths
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import renderers
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.index import FeedIndex
from feedhub.store.sql import open_store
from support.following import due_in, state_of
from support.library import record
from support.power_cut import Disk
from support.world import World

A = Source(name="a", url="https://a.example/rss", categories=("economy",))
B = Source(name="b", url="https://b.example/rss", categories=("tech",))


def world_in(folder: Path) -> World:
    folder.mkdir(parents=True, exist_ok=True)
    return World((A, B), store=open_store(f"sqlite:///{folder}/feedhub.db"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = world_in(tmp_path)
    poll(world, "a", 1)
    poll(world, "b", 1)
    return world


def poll(world: World, name: str, last: int, text: str = "") -> None:
    """Let a source bring its stories up to one, an hour later."""
    world.pass_time(hours=1)
    numbers = range(1, last + 1)
    stories = (record(f"{name} {n} {text}", guid=f"{n}", link=f"https://{name}.example/{n}") for n in numbers)
    world.answer(name, *stories)
    world.poll(name)


def published(
    world: World, folder: Path, writer: FolderWriter | None = None, slugs: tuple[str, ...] = ()
) -> PublishReport:
    settings = world.settings
    context = PublishContext(
        renderers=renderers(settings.output.formats),
        index=FeedIndex(settings.site, settings.output.formats, has_pages=True),
        writer=writer or FolderWriter(folder),
        page_paths=SitePaths(settings.site),
        pages=HtmlSite(settings.site, settings.output),
    )
    health = {"a": Health.OK, "b": Health.OK}
    return publish(world.store, settings, context, health=health, now=world.now, slugs=slugs)


def files(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {name.as_posix(): path.read_bytes() for name, path in found.items() if ".feedhub" not in name.parts}


def reasons(report: PublishReport) -> set[PublishReason]:
    return {choice.reason for choice in report.choices}


def test_two_folders_follow_one_store_each_at_its_pace(world: World, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    published(world, one)
    poll(world, "b", 2)
    published(world, two)
    assert "b 2" not in (one / "feeds/tech.json").read_text()
    poll(world, "a", 2)
    report = published(world, two)
    assert not [name for name in report.written if "tech" in name]
    published(world, one)
    assert files(one) == files(two)
    assert published(world, one).written == published(world, two).written == ()
    poll(world, "a", 3)
    world.store.hide(world.store.newest("tech", 1)[0].id, "", world.now)
    published(world, one)
    assert set(due_in(two, world.store)) == {"all", "economy", "tech"}
    published(world, two)
    assert files(one) == files(two)


def test_outputs_that_were_named_are_ahead_of_the_others(world: World, tmp_path: Path) -> None:
    published(world, tmp_path / "one")
    before = state_of(tmp_path / "one").number
    poll(world, "a", 2)
    poll(world, "b", 2)
    published(world, tmp_path / "one", slugs=("tech",))
    state = state_of(tmp_path / "one")
    assert (state.number, state.outputs) == (before, {"tech": world.store.change_number()})
    report = published(world, tmp_path / "one")
    assert {choice.slug for choice in report.choices if choice.is_published} == {"all", "economy"}
    assert state_of(tmp_path / "one").outputs == {}
    published(world, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def copied(world: World, folder: Path) -> World:
    """Return the same world on a copy of its store, made as by hand."""
    folder.mkdir()
    world.store.backup(str(folder / "feedhub.db"))
    other = world_in(folder)
    other.now = world.now
    return other


def test_a_folder_of_a_store_that_was_restored_is_compared_although_it_has_counted_on(
    world: World, tmp_path: Path
) -> None:
    restored = copied(world, tmp_path / "backup")
    poll(world, "a", 3, "told by the lost store")
    folder = tmp_path / "output"
    published(world, folder)
    number = world.store.change_number()
    for last in range(2, 6):
        poll(restored, "b", last)
    assert restored.store.change_number() > number
    report = published(restored, folder)
    assert reasons(report) == {PublishReason.STORE}
    assert b"told by the lost store" not in b"".join(path.read_bytes() for path in folder.glob("feeds/*.*"))
    assert reasons(published(restored, folder)) == {PublishReason.UNCHANGED}


def test_a_folder_of_another_store_is_compared(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "output"
    published(world, folder)
    other = world_in(tmp_path / "other")
    poll(other, "a", 1)
    poll(other, "b", 4)
    assert reasons(published(other, folder)) == {PublishReason.STORE}
    published(other, tmp_path / "undisturbed")
    assert {name: files(folder)[name] for name in files(tmp_path / "undisturbed")} == files(tmp_path / "undisturbed")


def test_another_configuration_of_outputs_has_all_compared_until_all_is_written(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "output"
    published(world, folder)
    obstacle = folder / "feeds/tech.rss"
    obstacle.unlink()
    obstacle.mkdir()
    world.sources = (*world.sources, Source(name="c", url="https://c.example/rss", categories=("c",)))
    world.store.sync_categories(world.settings.categories, world.now)
    assert reasons(published(world, folder)) == {PublishReason.SETTINGS}
    obstacle.rmdir()
    assert "feeds/tech.rss" in published(world, folder).written
    assert reasons(published(world, folder)) == {PublishReason.UNCHANGED}
    published(world, tmp_path / "undisturbed")
    assert files(folder) == files(tmp_path / "undisturbed")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncated, emptied, Path.unlink])
@pytest.mark.parametrize("name", ["feeds/tech.atom", "category/tech.html", "items", "feedhub.json"])
def test_a_file_that_the_disk_lost_in_a_power_cut_is_written_again(
    world: World, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "output"
    published(world, folder)
    poll(world, "b", 2)
    with pytest.raises(KeyboardInterrupt):
        published(world, folder, FolderWriter(folder, sync=Disk(2)))
    newest = max(folder.glob("items/**/*.html"), key=lambda path: path.stat().st_mtime_ns)
    damage(newest if name == "items" else folder / name)
    published(world, folder)
    published(world, tmp_path / "undisturbed")
    assert files(folder) == files(tmp_path / "undisturbed")
    assert reasons(published(world, folder)) == {PublishReason.UNCHANGED}


def test_a_folder_that_another_process_publishes_into_is_waited_for_and_then_told_of(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "output"
    with FolderWriter(folder).group(), pytest.raises(PublishError, match="has been publishing into it since"):
        published(world, folder, FolderWriter(folder, longest_wait=0.02))
    assert published(world, folder).failed == ()


def test_a_folder_whose_notes_are_lost_is_compared_and_no_byte_changes(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "output"
    published(world, folder)
    shutil.rmtree(folder / ".feedhub")
    report = published(world, folder)
    assert (report.written, report.removed, reasons(report)) == ((), (), {PublishReason.FIRST})
