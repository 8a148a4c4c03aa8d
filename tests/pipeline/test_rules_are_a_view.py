"""For random items and random rules: outputs after any changes are those of a fresh store that saw the last rules only.

Left out are what depends on the past by its nature: rules about links, which act on identity too (docs/identity.md),
names of posts that two items want, categories that records begin, and retention by number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.model.item import ParsedItem, Person
from feedhub.model.output import OutputSettings, PostSettings, Retention
from feedhub.model.settings import Settings
from feedhub.model.source import Condition, Health, Replacement, Rule, Source
from feedhub.pipeline.maintenance import prune
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.posts import PostContext, publish_posts
from feedhub.pipeline.publish import publish
from feedhub.publish.addresses import SitePaths
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import renderers
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.index import FeedIndex
from feedhub.publish.jekyll import JekyllRenderer
from support.examples import examples
from support.library import record
from support.stores import RAM_DISK
from support.world import START, World

SLUGS: Final = ("news", "tech", "food")
SOURCES: Final = (
    Source(name="a", url="https://a.example/rss", categories=("news",)),
    Source(name="b", url="https://b.example/rss", categories=("news", "tech")),
    Source(name="c", url="https://c.example/rss"),
    # All categories are there from the beginning, since an empty feed is dated by when that was.
    Source(name="idle", url="https://idle.example/rss", categories=SLUGS),
)
WORDS: Final = ("chips", "bread", "rates", "ferry")

words = st.sampled_from(WORDS)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)


@st.composite
def records(draw: Any) -> ParsedItem:
    """An article under one of a few addresses, which several sources may give; its words come from a few."""
    number = draw(st.integers(0, 5))
    made = record(
        draw(texts),
        link=f"https://news.example/{number}",
        guid=f"g{number}",
        text=draw(texts),
        published=START - timedelta(days=30 * number, minutes=number),
    )
    author = draw(st.none() | words)
    people = (Person(name=author),) if author else ()
    return replace(made, tags=tuple(draw(st.lists(words, max_size=2, unique=True))), authors=people)


polls = st.tuples(
    st.sampled_from([source.name for source in SOURCES[:3]]),
    st.lists(records(), max_size=5, unique_by=lambda one: one.guid),
)
conditions = st.one_of(
    st.builds(
        lambda kind, word: Condition(kind=kind, values=(word,)),
        st.sampled_from(["title", "content", "tags", "author"]),
        words,
    ),
    st.builds(lambda name: Condition(kind="source", values=(name,)), st.sampled_from("abc")),
    st.builds(lambda slug: Condition(kind="category", values=(slug,)), st.sampled_from(SLUGS)),
    st.builds(lambda word: Condition(kind="not", parts=(Condition(kind="title", values=(word,)),)), words),
)
replacements = st.builds(
    lambda field, old, new: Replacement(field=field, pattern=old, replacement=new),
    st.sampled_from(["title", "content", "author"]),
    words,
    words | st.just(""),
)
rules = st.builds(
    lambda when, drop, slugs, tags, edits, stop: Rule(
        name="", when=when, drop=drop, categories=tuple(slugs), tags=tuple(tags), replace=tuple(edits), stop=stop
    ),
    conditions,
    st.booleans(),
    st.lists(st.sampled_from(SLUGS), max_size=2, unique=True),
    st.lists(words, max_size=1),
    st.lists(replacements, max_size=1),
    st.booleans(),
)
rule_files = st.lists(rules, max_size=4).map(
    lambda made: tuple(replace(rule, name=f"rule {number}") for number, rule in enumerate(made))
)


@dataclass(frozen=True, slots=True)
class Hide:
    """Hide an article by the guid that one source gave it, or show it again."""

    source: str
    guid: str
    is_hidden: bool


hides = st.builds(Hide, st.sampled_from("abc"), st.integers(0, 5).map("g{}".format), st.booleans())
steps = st.lists(st.one_of(polls, rule_files, hides, st.sampled_from(["publish", "prune"])), max_size=9)


def settings_of(world: World) -> Settings:
    output = OutputSettings(dir="/nowhere", entries=2)
    return replace(world.settings, output=output, retention=Retention(days=60, items=None))


def publish_all(world: World, folder: Path) -> None:
    """Publish what changed: feeds, pages, archives, posts."""
    settings = settings_of(world)
    posts = PostSettings(filename="{date}-{id}-{slug}.md")
    of_posts = PostContext(settings=posts, renderer=JekyllRenderer(posts, settings.site))
    context = PublishContext(
        renderers=renderers(settings.output.formats),
        index=FeedIndex(settings.site, settings.output.formats),
        writer=FolderWriter(str(folder)),
        page_paths=SitePaths(settings.site),
        pages=HtmlSite(settings.site, settings.output),
        publish_posts=lambda run, **asked: publish_posts(run, of_posts, **asked),
    )
    health = {one.name: Health.OK for one in SOURCES}
    assert publish(world.store, settings, context, health=health, now=world.now).failed == ()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".feedhub" not in path.parts
    }


def found(world: World) -> dict[str, list[Any]]:
    return {word: sorted(world.store.search(word, 99), key=lambda hit: hit.id) for word in WORDS}


class Story:
    """A store and an output folder that live through some steps, an hour each."""

    def __init__(self, folder: Path, first: tuple[Rule, ...]) -> None:
        self.world = World(SOURCES, rules=first)
        self.folder = folder
        self.digests = 0

    def take(self, step: Any) -> None:
        world = self.world
        world.pass_time(hours=1)
        match step:
            case Hide():
                self.hide(step)
            case (str() as name, list() as told):
                world.answer(name, *told)
                world.poll(name)
            case tuple():
                world.rules = step
                self.digests += 1
                world.refile(f"rules {self.digests}")
            case "publish":
                publish_all(world, self.folder)
            case "prune":
                prune(world.store, settings_of(world), world.now)

    def hide(self, step: Hide) -> None:
        store, now = self.world.store, self.world.now
        for one in store.explain([f"guid:{step.source}:{step.guid}"]):
            if one.item_id and (step.is_hidden != bool(one.hidden_at)):
                _ = store.hide(one.item_id, "", now) if step.is_hidden else store.unhide(one.item_id, now)

    def ends(self) -> tuple[dict[str, bytes], dict[str, list[Any]]]:
        publish_all(self.world, self.folder)
        return files(self.folder), found(self.world)


@settings(max_examples=examples(6), deadline=None)
@given(rule_files, steps, rule_files)
def test_outputs_are_those_of_a_fresh_store_that_saw_the_last_rules_only(
    first: tuple[Rule, ...], taken: Sequence[Any], last: tuple[Rule, ...]
) -> None:
    with TemporaryDirectory(dir=RAM_DISK) as place:
        changing = Story(Path(place) / "changing", first)
        fresh = Story(Path(place) / "fresh", last)
        for step in taken:
            changing.take(step)
            if isinstance(step, tuple) and not (step and isinstance(step[0], str)):
                fresh.world.pass_time(hours=1)
            else:
                fresh.take("nothing" if step == "publish" else step)
        changing.take(last)
        fresh.world.pass_time(hours=1)
        (here, hits_here), (there, hits_there) = changing.ends(), fresh.ends()
        assert here == there
        assert hits_here == hits_there
