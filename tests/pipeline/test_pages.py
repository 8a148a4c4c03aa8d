"""Pages and archives: only what a poll touched is written, what is linked to exists, what is gone is gone."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from posixpath import dirname, normpath

import pytest

from feedhub.errors import PublishError
from feedhub.model.item import ParsedItem
from feedhub.model.output import OutputFile, Retention
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import Health, Source
from feedhub.pipeline.maintenance import prune
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish
from feedhub.ports.publishing import STATE
from feedhub.publish.addresses import SitePaths
from feedhub.publish.disk import sync_to_disk
from feedhub.publish.files import FileGroup, FolderWriter
from feedhub.publish.formats import renderers
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.index import FeedIndex
from feedhub.store.sql import open_store
from support.feed_checks import check_feed
from support.following import due_in, state_of
from support.library import record
from support.world import World

# 3 items of March, 130 of April, and of the 120 of May those that the first page does not show.
PAGES = ("03", "04", "04-2", "04-3", "04-4", "04-5", "05", "05-2", "05-3")
A = Source(name="a", url="https://a.example/rss", categories=("economy",))
B = Source(name="b", url="https://b.example/rss", categories=("tech",))
NOW = datetime(2024, 5, 20, 8, tzinfo=UTC)


def settled(world: World, **output: object) -> Settings:
    settings = world.settings
    return replace(settings, output=replace(settings.output, **output))  # type: ignore[arg-type]


def context_of(settings: Settings, folder: Path) -> PublishContext:
    site = HtmlSite(settings.site, settings.output)
    return PublishContext(
        renderers=renderers(settings.output.formats),
        index=FeedIndex(settings.site, settings.output.formats),
        writer=FolderWriter(str(folder)),
        pages=site if settings.output.pages else None,
        page_paths=SitePaths(settings.site),
    )


def published(world: World, folder: Path, *, everything: bool = False, **output: object) -> PublishReport:
    settings = settled(world, **output)
    context = context_of(settings, folder)
    return publish(world.store, settings, context, everything=everything, health={"a": Health.OK}, now=world.now)


def files(folder: Path) -> set[str]:
    """Return all files in a folder, but for what names a process or a change."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found - {".feedhub/lock", STATE}


def broken_links(folder: Path) -> list[str]:
    """Return the relative links of every page that lead nowhere."""
    present = files(folder) | {"feeds/health.atom"}  # which is published by itself
    found = []
    for name in sorted(present):
        if name.endswith(".html") and name != "404.html":
            links = re.findall(r'(?:href|src)="(?!https?:|#|data:|mailto:)([^"#]+)', (folder / name).read_text())
            targets = {link: normpath(f"{dirname(name)}/{link}").lstrip("/") for link in links}
            found += [f"{name}: {link}" for link, target in targets.items() if target not in present]
    return found


def month(world: World, number: int, count: int, *, source: str = "a") -> None:
    """Let a source bring ``count`` items of a month of 2024."""
    begin = datetime(2024, number, 10, tzinfo=UTC)
    records = (
        record(
            f"{number}/{n}",
            guid=f"{number}-{n}",
            link=f"https://a.example/{number}/{n}",
            published=begin + timedelta(minutes=n),
        )
        for n in range(count)
    )
    world.answer(source, *records)
    world.poll(source)


def filled(folder: Path) -> World:
    """Return a world with 3 items of March, 130 of April and 120 of May in a store in ``folder``."""
    world = World((A, B), now=NOW, store=open_store(f"sqlite:///{folder}/feedhub.db"))
    for number, count in ((3, 3), (4, 130), (5, 120)):
        month(world, number, count)
    return world


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and what is published from it, to be copied."""
    folder = tmp_path_factory.mktemp("seed")
    world = filled(folder)
    report = published(world, folder / "output")
    world.store.close()
    assert report.failed == ()
    return folder


@pytest.fixture
def world(seed: Path, tmp_path: Path) -> Iterator[World]:
    """The filled world, published into the test's folder."""
    shutil.copytree(seed / "output", tmp_path, dirs_exist_ok=True)
    store_folder = tmp_path.with_name(f"{tmp_path.name}-store")
    store_folder.mkdir()
    shutil.copy(seed / "feedhub.db", store_folder)
    world = World((A, B), now=NOW, store=open_store(f"sqlite:///{store_folder}/feedhub.db"))
    yield world
    world.store.close()


def test_every_link_of_every_page_leads_somewhere(world: World, tmp_path: Path) -> None:
    assert broken_links(tmp_path) == []
    pages = {name for name in files(tmp_path) if name.startswith("category/")}
    assert pages == {
        "category/all.html",
        "category/economy.html",
        "category/tech.html",
        *(f"category/{slug}/2024-{name}.html" for slug in ("all", "economy") for name in PAGES),
    }
    assert len([name for name in files(tmp_path) if name.startswith("items/")]) == 253


def test_the_page_of_a_category_links_to_every_month_of_its_archive(world: World, tmp_path: Path) -> None:
    listed = (tmp_path / "category/economy.html").read_text().partition('<section class="archive"')[2]
    assert re.findall(r"category/economy/([^\"]*)", listed) == ["2024-05.html", "2024-04.html", "2024-03.html"]


def test_a_source_of_which_nothing_is_known_is_said_to_be_new(world: World, tmp_path: Path) -> None:
    states = re.findall(r'class="state ([a-z]+)', (tmp_path / "sources.html").read_text())
    assert states == ["ok", "new"]


def test_a_second_publish_writes_nothing(world: World, tmp_path: Path) -> None:
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    report = published(world, tmp_path)
    assert (report.written, report.unchanged) == ((), 0), "the page of the sources does not count"
    again = published(world, tmp_path, everything=True)
    assert (again.written, again.removed) == ((), ())
    assert before == {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}


def test_one_new_item_rewrites_what_shows_it_and_no_old_page(world: World, tmp_path: Path) -> None:
    world.pass_time(hours=1)
    world.answer("a", record("News", guid="n", link="https://a.example/n", published=world.now))
    world.poll("a")
    written = set(published(world, tmp_path).written)
    (item,) = {name for name in written if name.startswith("items/2024/05/")}
    feeds = {f"feeds/{slug}.{kind}" for slug in ("all", "economy") for kind in ("atom", "rss", "json")}
    lists = {"category/all.html", "category/economy.html"}
    assert written == {item, "index.html", "categories.html", "sitemap.xml", "feedhub.json", *lists, *feeds}
    assert broken_links(tmp_path) == []


def test_the_page_of_the_sources_is_rewritten_by_the_first_new_item_of_a_day(world: World, tmp_path: Path) -> None:
    rewritten = []
    for number, hours in enumerate((1, 24, 1)):
        world.pass_time(hours=hours)
        name = f"n{number}"
        world.answer("a", record(name, guid=name, link=f"https://a.example/{name}", published=world.now))
        world.poll("a")
        rewritten.append("sources.html" in published(world, tmp_path).written)
    assert rewritten == [False, True, False]


def test_a_late_item_is_put_where_it_belongs(world: World, tmp_path: Path) -> None:
    late = datetime(2024, 4, 10, 1, 45, 30, tzinfo=UTC)
    world.answer("a", record("Late", guid="l", link="https://a.example/l", published=late))
    world.poll("a")
    written = published(world, tmp_path).written
    assert {name for name in written if name.startswith("category/economy/")} == {
        "category/economy/2024-04-4.html",
        "category/economy/2024-04-5.html",
    }
    assert published(world, tmp_path, everything=True).written == ()


@pytest.mark.parametrize(
    ("count", "minutes"),
    [
        pytest.param(100, (500,), id="a part begins, and the one before links to it"),
        pytest.param(205, (500,), id="in the last of three parts"),
        pytest.param(205, (203, 5), id="in the last part and the first"),
    ],
)
def test_late_items_leave_the_archive_as_if_they_had_come_in_time(
    tmp_path: Path, count: int, minutes: tuple[int, ...]
) -> None:
    world = World((A,), now=NOW)
    month(world, 3, count)
    month(world, 4, 1)
    facts = {"pages": False, "formats": ("atom",)}
    published(world, tmp_path, **facts)
    for minute in minutes:
        late = datetime(2024, 3, 10, tzinfo=UTC) + timedelta(minutes=minute, seconds=30)
        world.answer("a", record("Late", guid=f"l{minute}", link=f"https://a.example/l{minute}", published=late))
        world.poll("a")
    assert published(world, tmp_path, **facts).written
    assert published(world, tmp_path, everything=True, **facts).written == ()


def test_a_late_item_before_all_others_is_linked_from_the_oldest_part(world: World, tmp_path: Path) -> None:
    late = datetime(2024, 2, 10, tzinfo=UTC)
    world.answer("a", record("Late", guid="l", link="https://a.example/l", published=late))
    world.poll("a")
    published(world, tmp_path)
    assert [len(ids) for ids in walk(tmp_path, "economy", "atom")] == [100, 100, 30, 100, 3, 1]
    assert published(world, tmp_path, everything=True).written == ()


def test_a_part_that_could_not_be_written_is_tried_again_though_nothing_new_came(world: World, tmp_path: Path) -> None:
    part = tmp_path / "category/economy/2024-04-5.html"
    part.unlink()
    part.mkdir()
    old = datetime(2024, 4, 10, 2, 0, tzinfo=UTC)
    world.answer("a", record("4/120 corrected", guid="4-120", link="https://a.example/4/120", published=old))
    world.poll("a")
    assert [output for output, _ in published(world, tmp_path).failed] == ["economy"]
    part.rmdir()
    assert published(world, tmp_path).failed == ()
    assert "4/120 corrected" in part.read_text()


def test_an_edit_rewrites_the_one_part_that_holds_it(world: World, tmp_path: Path) -> None:
    old = datetime(2024, 4, 10, 2, 0, tzinfo=UTC)
    world.answer("a", record("4/120 corrected", guid="4-120", link="https://a.example/4/120", published=old))
    world.poll("a")
    written = set(published(world, tmp_path).written)
    assert published(world, tmp_path, everything=True).written == ()
    assert {name for name in written if "archive" in name} == {
        f"feeds/archive/{slug}/2024-04-2.atom" for slug in ("all", "economy")
    }
    assert {name for name in written if name.startswith("category/")} == {
        f"category/{slug}/2024-04-5.html" for slug in ("all", "economy")
    }


def test_a_new_month_closes_the_one_before(world: World, tmp_path: Path) -> None:
    place = tmp_path / "category/economy"
    for name in ("06", "07"):
        world.now = datetime(2024, int(name), 2, tzinfo=UTC)
        world.answer("a", record(name, guid=name, link=f"https://a.example/{name}", published=world.now))
        world.poll("a")
        published(world, tmp_path)
        assert broken_links(tmp_path) == []
        assert published(world, tmp_path, everything=True).written == ()
    # Three items are no page: the first one goes on with them, and with the last part of May, which is full.
    assert "category/economy/2024-05-4.html" not in files(tmp_path)
    archive = tmp_path / "feeds/archive/economy"
    # What the feed shows whole is not in its archive: 22 items of the last part of May, of June and of July.
    assert sorted(path.stem for path in archive.iterdir()) == ["2024-03", "2024-04", "2024-04-2", "2024-05"]
    month(world, 7, 40)
    written = published(world, tmp_path).written
    assert [name for name in written if name.startswith("category/economy/")] == [
        "category/economy/2024-05-3.html",
        "category/economy/2024-05-4.html",
        "category/economy/2024-06.html",
    ]
    assert "2024-06.html" in (place / "2024-05-4.html").read_text()
    month(world, 8, 60)
    written = published(world, tmp_path).written
    # It shows 60 of August and 40 of the 41 of July.
    assert [name.removeprefix("feeds/archive/economy/2024-") for name in written if "archive/economy" in name] == [
        "05.atom",
        "05-2.atom",
        "06.atom",
        "07.atom",
    ]
    assert "2024-06.atom" in (archive / "2024-05-2.atom").read_text()
    assert published(world, tmp_path, everything=True).written == ()
    assert broken_links(tmp_path) == []


def test_parts_that_the_feed_comes_to_show_whole_leave_its_archive(world: World, tmp_path: Path) -> None:
    place = tmp_path / "feeds/archive/economy"
    published(world, tmp_path, entries=5, everything=True)
    assert {"2024-05.atom", "2024-05-2.atom"} <= {path.name for path in place.iterdir()}
    world.answer("a", record("late", guid="late", link="https://a.example/late", published=world.now))
    world.poll("a")
    published(world, tmp_path, entries=200)
    assert sorted(path.stem for path in place.iterdir()) == ["2024-03", "2024-04"]
    assert "next-archive" not in (place / "2024-04.atom").read_text()
    assert published(world, tmp_path, entries=200, everything=True).written == ()


def walk(folder: Path, slug: str, kind: str) -> list[list[str]]:
    """Return the ids of a feed and of each document of its archive, following the links back."""
    path, found = f"feeds/{slug}.{kind}", []
    while path:
        body = (folder / path).read_bytes()
        assert check_feed(path, body) == []
        if path.endswith("json"):
            document = json.loads(body)
            found.append([item["id"] for item in document["items"]])
            older = document.get("next_url")
        else:
            text = body.decode()
            is_atom = path.endswith("atom")
            pattern = "<id>(urn:uuid:[^<]*)" if is_atom else '<guid isPermaLink="false">([^<]*)'
            found.append(re.findall(pattern, text)[1 if is_atom else 0 :])
            older = next(iter(re.findall(r'rel="prev-archive" href="([^"]*)"', text)), None)
        path = older.removeprefix("https://site.example/") if older else ""
    return found


@pytest.mark.parametrize(
    ("kind", "archived"), [("atom", ()), ("rss", ()), ("rss", ("atom", "rss")), ("atom", ("rss",)), ("json", ("json",))]
)
def test_a_feed_and_its_archive_hold_every_item(
    world: World, tmp_path: Path, kind: str, archived: tuple[str, ...]
) -> None:
    if archived:
        published(world, tmp_path, everything=True, archive_formats=archived)
    documents = walk(tmp_path, "economy", kind)
    assert [len(ids) for ids in documents] == [100, 100, 30, 100, 3]
    stored = [item.id for item in world.store.newest("economy", 1000)]
    assert list(dict.fromkeys(one for ids in documents for one in ids)) == stored


def test_what_the_archive_is_written_in_is_said_where_it_is_another_format(world: World, tmp_path: Path) -> None:
    link = 'rel="prev-archive" href="https://site.example/feeds/archive/economy/2024-05.atom"'
    assert f'{link} type="application/atom+xml"/>' in (tmp_path / "feeds/economy.rss").read_text()
    assert f"{link}/>" in (tmp_path / "feeds/economy.atom").read_text()
    assert "next_url" not in json.loads((tmp_path / "feeds/economy.json").read_text())
    kinds = {Path(name).suffix for name in files(tmp_path) if name.startswith("feeds/archive/")}
    assert kinds == {".atom"}


@pytest.mark.parametrize(
    ("place", "ending", "rel", "parts"),
    [
        ("feeds/archive/economy", "atom", "next-archive", ("03", "04", "04-2", "05")),
        ("category/economy", "html", "next", PAGES),
    ],
    ids=["feeds", "pages"],
)
def test_older_parts_are_read_forward_one_by_one(
    world: World, tmp_path: Path, place: str, ending: str, rel: str, parts: tuple[str, ...]
) -> None:
    read = [f"2024-03.{ending}"]
    while newer := re.findall(f'rel="{rel}" href="[^"]*/(2024[^"]*)', (tmp_path / place / read[-1]).read_text()):
        read += newer
    assert read == [f"2024-{part}.{ending}" for part in parts]


def test_documents_of_an_archive_lead_forward_and_to_the_feed(world: World, tmp_path: Path) -> None:
    middle = (tmp_path / "feeds/archive/economy/2024-04-2.atom").read_text()
    tags = re.findall("<link ([^>]*)/>", middle.partition("<entry>")[0])
    links = {fact["rel"]: fact["href"] for fact in (dict(re.findall('([a-z]+)="([^"]*)"', tag)) for tag in tags)}
    root = "https://site.example/feeds"
    assert links["current"] == f"{root}/economy.atom"
    assert links["prev-archive"] == f"{root}/archive/economy/2024-04.atom"
    assert links["next-archive"] == f"{root}/archive/economy/2024-05.atom"
    assert links["self"] == f"{root}/archive/economy/2024-04-2.atom"
    assert "<fh:archive/>" in middle
    assert "fh:archive" not in (tmp_path / "feeds/economy.atom").read_text()


def test_a_feed_of_few_entries_still_has_all_in_its_archive(world: World, tmp_path: Path) -> None:
    published(world, tmp_path, everything=True, entries=5, archive_formats=("json",))
    documents = walk(tmp_path, "economy", "json")
    assert [len(ids) for ids in documents] == [5, 20, 100, 30, 100, 3]


def test_a_hub_is_named_in_every_feed_and_in_no_archive(world: World, tmp_path: Path) -> None:
    published(world, tmp_path, everything=True, hub="https://hub.example/")
    for kind in ("atom", "rss", "json"):
        assert "https://hub.example/" in (tmp_path / f"feeds/economy.{kind}").read_text()
        assert check_feed(f"economy.{kind}", (tmp_path / f"feeds/economy.{kind}").read_bytes()) == []
    assert "hub.example" not in (tmp_path / "feeds/archive/economy/2024-03.atom").read_text()


def test_a_further_report_is_told_on_the_page_of_the_item(world: World, tmp_path: Path) -> None:
    world.answer("b", record("3/0", guid="x", link="https://a.example/3/0?utm_source=b"))
    world.poll("b")
    written = published(world, tmp_path).written
    (page,) = [name for name in written if name.startswith("items/")]
    text = (tmp_path / page).read_text()
    assert "Also reported by" in text
    assert "Feed of b" in text


def test_pages_of_removed_items_go_and_nothing_links_to_them(world: World, tmp_path: Path) -> None:
    world.retention = Retention(days=None, items=100)
    world.answer("a", record("Only", guid="o", link="https://a.example/o", published=world.now))
    world.poll("a")
    prune(world.store, world.settings, world.now)
    report = published(world, tmp_path)
    assert len([name for name in report.removed if name.startswith("items/")]) == 154
    assert len([name for name in files(tmp_path) if name.startswith("items/")]) == 100
    assert not [name for name in files(tmp_path) if "2024-04" in name or "2024-03" in name]
    notes = {
        name for name in files(tmp_path) if name.startswith((".feedhub/archive/economy", ".feedhub/pages/economy"))
    }
    assert notes == {".feedhub/pages/economy/2024-05.json"}
    assert published(world, tmp_path, everything=True).written == ()
    assert broken_links(tmp_path) == []


def test_a_removed_category_takes_its_pages_and_its_archive_along(world: World, tmp_path: Path) -> None:
    world.sources = (replace(A, categories=("papers",)), B)
    world.store.sync_categories(world.settings.categories, world.now)
    published(world, tmp_path)
    feeds = {f"feeds/economy.{kind}" for kind in ("atom", "rss", "json")}
    assert {name for name in files(tmp_path) if "economy" in name} == feeds
    for kind in ("atom", "rss"):
        assert "prev-archive" not in (tmp_path / f"feeds/economy.{kind}").read_text()
    assert broken_links(tmp_path) == []
    world.pass_time(days=30)
    published(world, tmp_path)
    assert not [name for name in files(tmp_path) if "economy" in name]


def test_a_format_that_is_no_longer_wanted_leaves_the_archive_too(world: World, tmp_path: Path) -> None:
    published(world, tmp_path, everything=True, formats=("atom",))
    kinds = {Path(name).suffix for name in files(tmp_path) if name.startswith("feeds/")}
    assert kinds == {".atom"}


DAMAGED = ("", "[]", "{", '{"2024-04x": "0"}', '{"2024-04-1": "0"}', '{"2024-04-02": "0"}', '{"2024-05": "0"}')


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_a_damaged_note_costs_no_file(world: World, tmp_path: Path, number: int) -> None:
    """Both notes are damaged at once, each in another way."""
    places = [tmp_path / f".feedhub/{folder}/economy/2024-04.json" for folder in ("archive", "pages")]
    good = [place.read_text() for place in places]
    for shift, place in enumerate(places):
        place.write_text(DAMAGED[(number + shift) % len(DAMAGED)])
    report = published(world, tmp_path, everything=True)
    assert (report.written, report.removed, report.failed) == ((), (), ())
    assert [place.read_text() for place in places] == good


def test_outputs_that_are_named_alone_leave_the_rest_to_the_next_publish(world: World, tmp_path: Path) -> None:
    world.answer("a", record("News", guid="n", link="https://a.example/n", published=world.now))
    world.poll("a")
    settings = settled(world)
    number = state_of(tmp_path).number
    publish(
        world.store, settings, context_of(settings, tmp_path), slugs=["tech"], health={"a": Health.OK}, now=world.now
    )
    assert state_of(tmp_path).number == number
    assert "feeds/economy.atom" in published(world, tmp_path).written
    assert state_of(tmp_path).number == world.store.change_number() > number


def test_an_address_of_a_source_that_holds_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    source = Source(name="a", url="https://a.example/s3cret/rss", categories=("news",))
    world = World((source,))
    world.answer("a", record("One", guid="1", link="https://a.example/1"))
    world.poll("a")
    settings = replace(settled(world), secrets=("s3cret",))
    publish(world.store, settings, context_of(settings, tmp_path), health={"a": Health.OK}, now=world.now)
    shown = [name for name in files(tmp_path) if b"s3cret" in (tmp_path / name).read_bytes()]
    assert (shown, "Feed of a" in (tmp_path / "sources.html").read_text()) == ([], True)


def test_pages_that_are_switched_off_go_and_feeds_stay(world: World, tmp_path: Path) -> None:
    feeds = {name for name in files(tmp_path) if name.startswith("feeds")}
    (tmp_path / "mine.html").write_text("mine")
    published(world, tmp_path, pages=False)
    left = {name for name in files(tmp_path) if not name.startswith(".feedhub")}
    assert left == feeds | {"feedhub.json", "mine.html"}
    (tmp_path / "index.html").write_text("mine too")
    published(world, tmp_path, pages=False)
    assert (tmp_path / "index.html").read_text() == "mine too"


@pytest.mark.parametrize("name", ["robots.txt", "sitemap.xml"])
def test_a_file_of_the_owner_is_left_alone_where_we_would_have_one(world: World, tmp_path: Path, name: str) -> None:
    assert b"Written by feedhub" in (tmp_path / name).read_bytes()
    (tmp_path / name).write_text("mine")
    published(world, tmp_path, everything=True)
    published(world, tmp_path, pages=False)
    assert (tmp_path / name).read_text() == "mine"
    (tmp_path / name).unlink()
    published(world, tmp_path)
    published(world, tmp_path, pages=False)
    assert not (tmp_path / name).exists()


def test_another_look_rewrites_every_page_and_a_lost_note_none(world: World, tmp_path: Path) -> None:
    pages = {name for name in files(tmp_path) if name.endswith(".html")}
    changed = (("base.html", "<!DOCTYPE html><title>{{ page.title }}</title>{% block content %}{% endblock %}"),)
    assert set(published(world, tmp_path, templates=changed).written) == pages
    (tmp_path / STATE).unlink()
    assert published(world, tmp_path, templates=changed).written == ()


def test_a_template_that_fails_costs_its_page_and_is_not_tried_for_ever(world: World, tmp_path: Path) -> None:
    failing = (("sources.html", "{{ nobody.knows }}"),)
    report = published(world, tmp_path, templates=failing)
    assert report.failed == (("pages", "template sources.html line 1: 'nobody' is undefined"),)
    assert state_of(tmp_path).number == world.store.change_number()
    assert len(published(world, tmp_path, templates=failing).written) == 0


@pytest.mark.parametrize("name", ["base.html", "category.html", "item.html", "404.html"])
def test_a_theme_that_cannot_be_read_costs_pages_and_no_feed(world: World, tmp_path: Path, name: str) -> None:
    before = (tmp_path / "index.html").read_bytes()
    world.answer("a", record("News", guid="n", link="https://a.example/n", published=world.now))
    world.poll("a")
    report = published(world, tmp_path, templates=((name, "{% if %}"),))
    assert report.failed
    assert all(f"template {name} line 1: " in reason for _, reason in report.failed)
    assert {output for output, _ in report.failed} <= {"pages", "pages of items"}
    assert "News" in (tmp_path / "feeds/economy.atom").read_text()
    assert due_in(tmp_path, world.store) == {}
    assert (name == "base.html") == ((tmp_path / "index.html").read_bytes() == before)


def test_a_folder_in_the_way_of_a_page_is_told_and_tried_again(world: World, tmp_path: Path) -> None:
    (tmp_path / "sources.html").unlink()
    (tmp_path / "sources.html").mkdir()
    before = state_of(tmp_path).number
    world.answer("a", record("News", guid="n", link="https://a.example/n", published=world.now))
    world.poll("a")
    assert [output for output, _ in published(world, tmp_path).failed] == ["pages"]
    assert state_of(tmp_path).number == before
    (tmp_path / "sources.html").rmdir()
    assert published(world, tmp_path).failed == ()
    assert state_of(tmp_path).number == world.store.change_number() > before


def test_a_state_alone_rewrites_the_page_of_the_sources_only(world: World, tmp_path: Path) -> None:
    settings = world.settings
    site = HtmlSite(settings.site, settings.output)
    context = PublishContext(
        renderers=(),
        index=FeedIndex(settings.site, ()),
        writer=FolderWriter(str(tmp_path)),
        page_paths=SitePaths(settings.site),
        pages=site,
    )
    assert publish(world.store, settings, context, health={"a": Health.OK}, now=world.now).written == ()
    assert publish(world.store, settings, context, health={"a": Health.FAILING}, now=world.now).written == (
        "sources.html",
    )


def test_a_rebuilt_store_gives_the_same_pages(seed: Path, tmp_path: Path) -> None:
    other = filled(tmp_path)
    published(other, tmp_path / "output")
    other.store.close()
    for name in sorted(files(seed / "output")):
        if not name.startswith((".feedhub/archive", ".feedhub/pages")):
            assert (tmp_path / "output" / name).read_bytes() == (seed / "output" / name).read_bytes(), name


def test_a_part_that_cannot_be_written_keeps_its_last_good_file(world: World, tmp_path: Path) -> None:
    class FullDisk(FileGroup):
        def write(self, file: OutputFile) -> bool:
            if file.path.endswith("2024-04-2.atom"):
                raise PublishError(f"{file.path}: cannot be written: no room left on the disk")
            return super().write(file)

    class FullFolder(FolderWriter):
        def group(self) -> FileGroup:
            return FullDisk(tmp_path, sync_to_disk, 1.0, set())

    kept = tmp_path / "feeds/archive/economy/2024-04-2.atom"
    before = kept.read_bytes()
    corrected = datetime(2024, 4, 10, 2, 0, tzinfo=UTC)
    link = "https://a.example/4/120"
    world.answer("a", record("4/120 corrected", guid="4-120", link=link, published=corrected))
    world.poll("a")
    settings = settled(world)
    context = replace(context_of(settings, tmp_path), writer=FullFolder(tmp_path))
    report = publish(world.store, settings, context, health={"a": Health.OK}, now=world.now)
    assert {name for name, _ in report.failed} == {"all", "economy"}
    assert kept.read_bytes() == before


def test_a_source_has_no_more_room_than_the_limit_and_nothing_is_lost(tmp_path: Path) -> None:
    """The first items of a day stay in the feed, whatever comes later; the others are in its archive and its list."""
    world = World((A, B))

    def said(prefix: str, hours: range) -> list[ParsedItem]:
        times = [NOW - timedelta(days=day) + timedelta(hours=hour) for day in range(3) for hour in hours]
        return [
            record(
                f"{prefix} {at:%d %H}", guid=f"{at:%d %H}", published=at, link=f"https://{prefix}.example/{at:%d-%H}"
            )
            for at in times
        ]

    world.now = NOW + timedelta(hours=9)
    world.answer("a", *said("a", range(4)))
    world.answer("b", *said("b", range(1)))
    world.poll("a")
    world.poll("b")

    def shown() -> list[str]:
        published(world, tmp_path, entries=9, per_source=2, archive_formats=("json",))
        return [item["title"] for item in json.loads((tmp_path / "feeds/all.json").read_text("utf-8"))["items"]]

    expected = ["a 20 09", "a 20 08", "b 20 08", "a 19 09", "a 19 08", "b 19 08", "a 18 09", "a 18 08", "b 18 08"]
    assert sorted(shown()) == sorted(expected)
    world.answer("a", *said("a", range(8)))
    world.poll("a")
    assert sorted(shown()) == sorted(expected)
    everywhere = "".join(path.read_text("utf-8") for path in (tmp_path / "feeds/archive").rglob("*.json"))
    everywhere += (tmp_path / "feeds/all.json").read_text("utf-8")
    items = [item.item.title for item in world.store.newest("all", 99)]
    assert len(items) == 27
    assert [title for title in items if f'"{title}"' not in everywhere] == []
    assert "a 20 11" not in (tmp_path / "index.html").read_text("utf-8")
    assert "a 20 11" in (tmp_path / "category/all.html").read_text("utf-8")


def test_a_daemon_makes_the_same_pages_of_what_it_remembers_as_one_that_begins(tmp_path: Path) -> None:
    world = World((A, B), now=NOW)
    settings = settled(world)
    daemon = context_of(settings, tmp_path / "daemon")
    for number, (source, title) in enumerate([("a", "One"), ("b", "Two"), ("a", "One corrected"), ("b", "Three")]):
        world.pass_time(hours=1)
        guid = "1" if title.startswith("One") else str(number)
        world.answer(source, record(title, guid=guid, link=f"https://{source}.example/{guid}", published=NOW))
        world.poll(source)
        publish(world.store, settings, daemon, now=world.now)
        fresh = tmp_path / str(number)
        publish(world.store, settings, context_of(settings, fresh), now=world.now)
        assert files(tmp_path / "daemon") == files(fresh)
        differing = [
            name for name in files(fresh) if (tmp_path / "daemon" / name).read_bytes() != (fresh / name).read_bytes()
        ]
        assert differing == [], title


def test_of_a_month_only_the_parts_are_looked_at_that_hold_a_change(world: World, tmp_path: Path) -> None:
    note = tmp_path / ".feedhub/pages/economy/2024-04.json"
    known = json.loads(note.read_text())
    wrong = {name: f"{'0' * 16} {line.partition(' ')[2]}" for name, line in known.items()}
    note.write_text(json.dumps(wrong))
    old = datetime(2024, 4, 10, 0, 35, tzinfo=UTC)
    world.answer("a", record("4/35 corrected", guid="4-35", link="https://a.example/4/35", published=old))
    world.poll("a")
    written = published(world, tmp_path).written
    assert [name for name in written if name.startswith("category/economy/")] == ["category/economy/2024-04-2.html"]
    changed = json.loads(note.read_text())
    assert {name: line == wrong[name] for name, line in changed.items()} == {
        name: name != "2024-04-2" for name in known
    }


def test_parts_after_any_changes_are_those_of_a_folder_that_begins(tmp_path: Path) -> None:
    chance = random.Random(20_261_129)
    world = World((A, B), now=NOW)
    month(world, 3, 70)
    month(world, 4, 65)
    for step in range(6):
        for _ in range(chance.choice((1, 3))):
            guid = f"{chance.choice((3, 4))}-{chance.randrange(70)}"
            at = datetime(2024, int(guid[0]), 10, tzinfo=UTC) + timedelta(minutes=int(guid[2:]))
            late = chance.random() < 0.5
            name, link = f"{guid} of step {step}", f"https://a.example/{guid[0]}/{guid[2:]}"
            facts = {"guid": f"{guid}-{step}", "link": f"{link}-{step}"} if late else {"guid": guid, "link": link}
            world.answer("a", record(name, published=at, **facts))
            world.poll("a")
        if step % 2:
            world.store.hide(chance.choice(world.store.newest("all", 500)).id, "", world.now)
        if step == 3:
            world.retention = Retention(days=None, items=100)
            prune(world.store, world.settings, world.now)
        published(world, tmp_path / "folder")
        published(world, tmp_path / str(step), everything=True)
        differing = [
            name
            for name in files(tmp_path / "folder") ^ files(tmp_path / str(step)) | files(tmp_path / str(step))
            if ".feedhub" not in name
            and (tmp_path / "folder" / name).read_bytes() != (tmp_path / str(step) / name).read_bytes()
        ]
        assert differing == []
