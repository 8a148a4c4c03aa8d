"""A published site after many random polls, walked as a visitor and a robot would: nothing is lost, doubled or dead."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from posixpath import dirname, normpath
from random import Random

import pytest

from feedhub.model.item import ParsedItem
from feedhub.model.output import Retention
from feedhub.model.source import Health, Source
from feedhub.pipeline.maintenance import prune
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish
from feedhub.publish.addresses import SitePaths
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import renderers
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.index import FeedIndex
from support.library import record
from support.world import World

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
SOURCES = (
    Source(name="a", url="https://a.example/rss", categories=("economy",)),
    Source(name="b", url="https://b.example/rss", categories=("tech", "economy")),
    Source(name="c", url="https://c.example/rss"),
    Source(name="d", url="https://d.example/rss", categories=("rare",)),
)
REFILED = (SOURCES[0], replace(SOURCES[1], categories=("tech", "culture")), *SOURCES[2:])


@dataclass(slots=True)
class Publishers:
    """What the sources offer: mostly new items of today, some of long ago, some without a date, some edited."""

    world: World
    folder: Path
    random: Random
    offered: dict[str, list[ParsedItem]] = field(default_factory=dict)
    made: int = 0

    def poll(self, count: int) -> None:
        """Let one source bring about ``count`` new items, change and withdraw others, and publish."""
        world, random = self.world, self.random
        world.pass_time(hours=random.randrange(1, 70))
        name = random.choices("abcd", weights=(5, 3, 3, 1))[0]
        known = self.offered.setdefault(name, [])
        for _ in range(count if name != "d" else 1):
            known.append(self._new(name))
        for place in random.sample(range(len(known)), min(2, len(known))):
            known[place] = replace(known[place], title=f"{known[place].title} again", text_digest=str(random.random()))
        del known[: max(0, len(known) - random.randrange(20, 90))]
        world.answer(name, *known)
        world.poll(name)
        self.publish(self.folder)

    def _new(self, name: str) -> ParsedItem:
        self.made += 1
        now, random = self.world.now, self.random
        kind = random.random()
        ago = timedelta(days=random.randrange(400)) if kind < 0.1 else timedelta(minutes=random.randrange(4_000))
        at = None if kind > 0.95 else now - ago
        number = self.made
        return record(
            f"Item {number}", guid=f"{name}{number}", link=f"https://{name}.example/{number}", text="text", published=at
        )

    def publish(self, folder: Path, *, everything: bool = False) -> None:
        settings = self.world.settings
        context = PublishContext(
            renderers=renderers(settings.output.formats),
            index=FeedIndex(settings.site, settings.output.formats),
            writer=FolderWriter(str(folder)),
            page_paths=SitePaths(settings.site),
            pages=HtmlSite(settings.site, settings.output),
        )
        states = {source.name: Health.OK for source in self.world.sources}
        report = publish(self.world.store, settings, context, everything=everything, health=states, now=self.world.now)
        assert report.failed == ()


def links(folder: Path, path: str) -> list[str]:
    """Return where the relative links of a page lead, as paths of the site."""
    found = re.findall(r'(?:href|src)="(?!https?:|#|data:|mailto:)([^"#]+)', (folder / path).read_text("utf-8"))
    return [normpath(f"{dirname(path)}/{link}").lstrip("/") for link in found]


def walked(folder: Path) -> dict[str, list[str]]:
    """Return all pages that are reached from the front page, each with where its links lead."""
    found: dict[str, list[str]] = {}
    ahead = ["index.html"]
    while ahead:
        path = ahead.pop()
        if path not in found and path.endswith(".html"):
            found[path] = links(folder, path)
            ahead += found[path]
    return found


def listed(folder: Path, slug: str) -> Iterator[str]:
    """Yield the items of a list from its first page on, going on to earlier pages."""
    path = f"category/{slug}.html"
    while path:
        text = (folder / path).read_text("utf-8")
        yield from (item.removesuffix(".html") for item in re.findall(r'<h3[^>]*><a href="[./]*(items/[^"]+)"', text))
        older = re.search(r'rel="prev" href="([^"]+)"', text)
        path = normpath(f"{dirname(path)}/{older[1]}") if older else ""


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".feedhub" not in path.parts
    }


def check_site(publishers: Publishers) -> None:
    """Compare what the published site leads to with what the store holds."""
    folder, store = publishers.folder, publishers.world.store
    paths = SitePaths(publishers.world.settings.site)
    present = files(folder)
    pages = walked(folder)
    dead = {(path, link) for path, found in pages.items() for link in found if link not in present}
    assert {link for _, link in dead} <= {"feeds/health.atom"}, dead  # which is published by itself
    unreached = {path for path in present if path.endswith(".html")} - pages.keys()
    assert unreached <= {"404.html"}
    for slug in ("all", *(category.slug for category in store.categories())):
        wanted = [paths.item(item).removesuffix(".html") for item in store.newest(slug, 100_000)]
        assert list(listed(folder, slug)) == wanted, slug
    everything = {path for path in present if path.startswith("items/")}
    assert {f"{path}.html" for path in listed(folder, "all")} == everything


@pytest.mark.parametrize(
    ("polls", "each", "kept", "seed"),
    [
        pytest.param(12, 12, 40, 1, id="a hundred"),
        pytest.param(50, 55, None, 2, marks=pytest.mark.nightly, id="thousands"),
        pytest.param(50, 55, 300, 3, marks=pytest.mark.nightly, id="thousands, of which hundreds are kept"),
    ],
)
def test_every_item_is_reached_and_no_list_shows_one_twice(
    tmp_path: Path, polls: int, each: int, kept: int | None, seed: int
) -> None:
    world = World(SOURCES, now=START, retention=Retention(days=None, items=kept))
    publishers = Publishers(world, tmp_path / "site", Random(seed))
    for number in range(polls):
        if number == polls // 2:
            # A category more, and a source that is filed elsewhere.
            world.sources = REFILED
            world.refile("other")
            prune(world.store, world.settings, world.now)
        publishers.poll(publishers.random.randrange(each // 2, each + each // 2))
        if number % 10 == 9:
            check_site(publishers)
    assert kept or world.store.item_count() >= min(polls * each, 2_000)
    check_site(publishers)
    publishers.publish(tmp_path / "anew")
    assert files(tmp_path / "anew") == files(tmp_path / "site"), (
        "what was published step by step is what is published at once"
    )
    shutil.rmtree(tmp_path / "site" / ".feedhub")
    publishers.publish(tmp_path / "site", everything=True)
    assert files(tmp_path / "anew") == files(tmp_path / "site"), "what was remembered can be lost"
