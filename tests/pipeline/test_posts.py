"""Posts on disk: only what changed, one file for each post, old ones moved once, nothing lost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedhub.model.identity import Verdict
from feedhub.model.output import Category, OutputSettings, PostSettings, Retention, Site
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import PollSettings
from feedhub.pipeline.posts import PostContext, publish_posts
from feedhub.pipeline.state import publishing
from feedhub.ports.store import Store
from feedhub.publish.files import FolderWriter
from feedhub.publish.jekyll import JekyllRenderer
from support.builders import HOUR, ingest, item_id, put
from support.following import state_of
from support.output_views import SITE
from support.stores import sqlite_store

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = Settings(
    root="/",
    files=(),
    site=SITE,
    store="",
    output=OutputSettings(dir="/"),
    poll=PollSettings(),
    retention=Retention(),
    categories=(),
    sources=(),
    rules=(),
)
IN_HAWAII = replace(SITE, timezone="Pacific/Honolulu")
"""Where it is still the day before when it is noon in Shanghai."""
BY_GUID = PostSettings(filename="{date}-{guid}.md", keep_days=3, template="{{ category.title }}: {{ title }}")


def uuid(number: int) -> str:
    return item_id(number).removeprefix("urn:uuid:")


@dataclass
class Place:
    """A store, an output folder, and settings that a test may change between two publishes."""

    folder: Path
    store: Store
    settings: PostSettings = BY_GUID
    site: Site = SITE
    slugs: dict[int, list[str]] = field(default_factory=dict)

    def put(self, number: int, *, slug: str = "tech", at: datetime = NOW, title: str = "", guid: str = "") -> None:
        """Store an item, or change one that is there; its categories add up, and its published time stays."""
        verdict = Verdict.CHANGED if number in self.slugs else Verdict.NEW
        slugs = self.slugs.setdefault(number, [])
        slugs.append(slug)
        wording = {"title": title or f"Story {number}", "guid": guid or str(number), "content": f"<p>{number}</p>"}
        put(self.store, ingest(number, verdict=verdict, slugs=slugs, published_at=at, wording=wording))

    @property
    def is_published(self) -> bool:
        return state_of(self.folder).posts == self.store.change_number()

    def publish(self, *, now: datetime = NOW, everything: bool = False) -> PublishReport:
        context = PostContext(settings=self.settings, renderer=JekyllRenderer(self.settings, self.site))
        settings = replace(SETTINGS, site=self.site)
        with publishing(self.store, settings, FolderWriter(self.folder)) as run:
            publish_posts(run, context, now=now, everything=everything)
        return run.report

    def files(self) -> dict[str, str]:
        """Return the posts; not the notes about their names."""
        return {
            name: path.read_text("utf-8")
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not (name := path.relative_to(self.folder).as_posix()).startswith(".")
        }

    def all_bytes(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.folder.rglob("*.*")
            if path.is_file()
        }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with sqlite_store() as store:
        store.sync_categories([Category(slug="tech", title="科技")], NOW)
        yield Place(tmp_path / "output", store)


def test_each_touched_item_is_a_post_in_the_category_that_holds_it(place: Place) -> None:
    place.put(1)
    place.put(2, slug="new-medium")
    report = place.publish()
    assert place.files() == {
        "_posts/2026-11-23-1.md": "科技: Story 1",
        "_posts/2026-11-23-2.md": "new-medium: Story 2",
    }
    assert report == PublishReport(written=("_posts/2026-11-23-1.md", "_posts/2026-11-23-2.md"))
    assert place.is_published


def test_a_second_publish_asks_for_nothing_and_writes_nothing(place: Place) -> None:
    place.put(1)
    place.publish()
    before = place.all_bytes()
    assert place.publish() == PublishReport()
    assert place.publish(everything=True) == PublishReport(unchanged=1)
    assert place.all_bytes() == before


def test_only_the_post_that_changed_is_written(place: Place) -> None:
    place.put(1)
    place.put(2)
    place.publish()
    place.put(1, title="Story 1, corrected")
    assert place.publish() == PublishReport(written=("_posts/2026-11-23-1.md",))
    assert place.files()["_posts/2026-11-23-1.md"] == "科技: Story 1, corrected"


def test_an_item_without_title_costs_that_post_only(place: Place) -> None:
    place.put(1, title="\u200e")
    place.put(2)
    report = place.publish()
    assert list(place.files()) == ["_posts/2026-11-23-2.md"]
    assert report.failed == ((f"tech: {item_id(1)}", "it has no title"),)
    assert place.publish() == PublishReport()


def test_a_post_that_cannot_be_written_stays_due_and_the_others_are_written(place: Place) -> None:
    place.put(1)
    place.put(2)
    obstacle = place.folder / "_posts" / "2026-11-23-1.md"
    (obstacle / "in the way").mkdir(parents=True)
    report = place.publish()
    assert report.written == ("_posts/2026-11-23-2.md",)
    assert [path for path, _ in report.failed] == ["_posts/2026-11-23-1.md"]
    (obstacle / "in the way").rmdir()
    obstacle.rmdir()
    assert place.publish() == PublishReport(written=("_posts/2026-11-23-1.md",), unchanged=1)


def test_names_that_cannot_be_remembered_leave_everything_due(place: Place) -> None:
    place.put(1)
    notes = place.folder / ".feedhub"
    place.folder.mkdir()
    notes.write_text("a file in the way", "utf-8")
    report = place.publish()
    assert report.failed[0][0] == "names of posts"
    assert state_of(place.folder).posts == 0
    notes.unlink()
    assert place.publish() == PublishReport(unchanged=1)
    assert place.is_published


def test_two_items_with_one_guid_on_one_day_are_two_posts_that_keep_their_names(place: Place) -> None:
    other = f"_posts/2026-11-23-7-{uuid(2)}.md"
    place.put(1, guid="7")
    place.put(2, guid="7")
    place.publish()
    expected = {"_posts/2026-11-23-7.md": "科技: Story 1", other: "科技: Story 2"}
    assert place.files() == expected
    place.put(2, guid="7", title="Changed")
    assert place.publish().written == (other,)
    place.put(1, guid="7")  # the store gives it behind the other now
    assert place.publish(everything=True) == PublishReport(unchanged=2)
    assert place.files() == expected | {other: "科技: Changed"}


def test_a_post_keeps_its_name_though_a_better_one_has_become_free(place: Place) -> None:
    place.put(1, guid="7")
    place.put(2, guid="7")
    place.publish()
    place.put(1, guid="8")
    place.publish()
    place.put(2, guid="7", title="Changed")
    assert place.publish() == PublishReport(written=(f"_posts/2026-11-23-7-{uuid(2)}.md",))


def test_one_item_in_two_categories_is_two_posts_where_its_name_does_not_tell_them_apart(place: Place) -> None:
    place.settings = replace(BY_GUID, filename="{date}-{id}.md")
    for slug in ("tech", "chips", "tech-2"):
        place.put(1, slug=slug)
        place.publish()
    stem = f"_posts/2026-11-23-{uuid(1)}"
    assert place.files() == {
        f"{stem}.md": "科技: Story 1",
        f"{stem}-chips.md": "chips: Story 1",
        f"{stem}-tech-2.md": "tech-2: Story 1",
    }


def test_a_name_that_every_rule_would_give_away_twice_is_numbered(place: Place) -> None:
    place.settings = replace(BY_GUID, filename="{date}-{guid}")
    place.put(1, guid="7")
    place.put(2, guid="7", slug="a")
    place.put(2, guid="7", slug="b")
    place.put(2, guid="7", slug="c")
    place.publish()
    stem = "_posts/2026-11-23-7"
    marked = f"{stem}-{uuid(2)}"
    assert set(place.files()) == {stem, marked, f"{marked}-2", f"{marked}-3"}
    assert place.publish(everything=True) == PublishReport(unchanged=4)


def test_an_item_with_a_new_guid_or_date_leaves_no_second_post_behind(place: Place) -> None:
    place.put(1, guid="first", at=NOW + 8 * HOUR)
    place.put(2, guid="second")
    place.publish()
    place.put(1, guid="third")
    place.put(2, guid="second")
    place.site = IN_HAWAII
    report = place.publish()
    assert place.files() == {
        "_posts/2026-11-22-second.md": "科技: Story 2",
        "_posts/2026-11-23-third.md": "科技: Story 1",
    }
    assert report.removed == ("_posts/2026-11-23-first.md", "_posts/2026-11-23-second.md")
    notes = {path.name: json.loads(path.read_bytes()) for path in (place.folder / ".feedhub" / "posts").iterdir()}
    assert notes == {
        "2026-11-22.json": {"2026-11-22-second.md": [item_id(2), "tech"]},
        "2026-11-23.json": {"2026-11-23-third.md": [item_id(1), "tech"]},
    }


def test_a_day_whose_last_post_went_to_another_day_is_forgotten(place: Place) -> None:
    place.put(1)
    place.publish()
    place.put(1)
    place.site = IN_HAWAII
    place.publish()
    assert [path.name for path in (place.folder / ".feedhub" / "posts").iterdir()] == ["2026-11-22.json"]


@pytest.mark.parametrize("notes", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": [1]}', b"\xff"])
def test_damaged_notes_are_made_again(place: Place, notes: bytes) -> None:
    place.put(1)
    place.publish()
    file = place.folder / ".feedhub" / "posts" / "2026-11-23.json"
    good = file.read_bytes()
    file.write_bytes(notes)
    assert place.publish(everything=True).failed == ()
    assert file.read_bytes() == good


def test_a_post_is_moved_to_the_archive_once_when_its_days_are_over(place: Place) -> None:
    place.put(1)
    place.publish()
    assert place.publish(now=NOW + 3 * DAY) == PublishReport()
    # Midnight in Shanghai, where the site is: four hours before noon of the store's UTC day.
    report = place.publish(now=datetime(2026, 11, 26, 16, 0, tzinfo=UTC))
    assert report == PublishReport(written=("old_post/2026-11-23-1.md",), removed=("_posts/2026-11-23-1.md",))
    assert place.files() == {"old_post/2026-11-23-1.md": "科技: Story 1"}
    assert place.publish(now=NOW + 9 * DAY) == PublishReport()


def test_an_archived_post_that_changes_is_rewritten_in_the_archive(place: Place) -> None:
    place.put(1)
    place.publish()
    place.publish(now=NOW + 5 * DAY)
    place.put(1, title="Changed")
    assert place.publish(now=NOW + 5 * DAY).written == ("old_post/2026-11-23-1.md",)
    place.settings = replace(BY_GUID, keep_days=30)
    place.put(1, title="Changed again")
    assert place.publish(now=NOW + 5 * DAY).written == ("old_post/2026-11-23-1.md",)
    assert place.files() == {"old_post/2026-11-23-1.md": "科技: Changed again"}


def test_an_item_that_is_old_when_it_comes_goes_to_the_archive_at_once(place: Place) -> None:
    place.put(1, at=NOW - 9 * DAY)
    assert place.publish() == PublishReport(written=("old_post/2026-11-14-1.md",))


def test_without_archiving_nothing_comes_back_by_itself_and_everything_comes_back_when_asked(place: Place) -> None:
    place.put(1)
    place.publish()
    place.publish(now=NOW + 5 * DAY)
    place.settings = replace(BY_GUID, keep_days=None)
    assert place.publish(now=NOW + 5 * DAY) == PublishReport()
    report = place.publish(now=NOW + 5 * DAY, everything=True)
    assert report.written == ("_posts/2026-11-23-1.md",)
    assert report.removed == ("old_post/2026-11-23-1.md",)
    assert place.files() == {"_posts/2026-11-23-1.md": "科技: Story 1"}


def test_files_that_are_no_posts_stay_where_they_are(place: Place) -> None:
    names = ["README.md", "2020-01-01.md", "2020-13-01-x.md", "2020-W01-1-x.md", "20200101-xx.md", "1-2020-01-01-1.md"]
    for name in names:
        (place.folder / "_posts").mkdir(parents=True, exist_ok=True)
        (place.folder / "_posts" / name).write_text("by hand", "utf-8")
    place.put(1)
    place.publish()
    assert set(place.files()) == {f"_posts/{name}" for name in names} | {"_posts/2026-11-23-1.md"}


def test_a_post_of_an_unknown_owner_with_a_like_name_on_another_day_stays(place: Place) -> None:
    (place.folder / "_posts").mkdir(parents=True)
    (place.folder / "_posts" / "2026-11-21-1.md").write_text("by hand", "utf-8")
    place.put(1)
    place.publish()
    assert place.files()["_posts/2026-11-21-1.md"] == "by hand"


def test_an_archive_that_cannot_be_written_is_told_and_tried_again(place: Place) -> None:
    place.put(1)
    place.publish()
    archive = place.folder / "old_post"
    archive.write_text("a file in the way", "utf-8")
    report = place.publish(now=NOW + 5 * DAY)
    assert [path for path, _ in report.failed] == ["_posts/2026-11-23-1.md"]
    archive.unlink()
    assert place.publish(now=NOW + 5 * DAY).written == ("old_post/2026-11-23-1.md",)


def test_a_folder_of_posts_that_cannot_be_listed_is_told(place: Place) -> None:
    place.put(1)
    place.folder.mkdir()
    (place.folder / "_posts").symlink_to(place.folder.parent)
    report = place.publish()
    assert [path for path, _ in report.failed] == ["_posts", "_posts/2026-11-23-1.md"]
    assert state_of(place.folder).posts == 0
