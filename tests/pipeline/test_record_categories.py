"""The records of one source begin a bounded number of categories, each of which is files and links."""

from dataclasses import replace

from feedhub.model.item import ParsedItem, Person
from feedhub.model.source import CategoryMap, Source
from feedhub.pipeline.filing import MOST_RECORD_CATEGORIES
from support.library import day, record
from support.world import World

ASKED = CategoryMap(field="author", title="{author}")


def by(author: str, guid: str) -> ParsedItem:
    return replace(record(f"T{guid}", guid=guid, published=day(1)), authors=(Person(name=author),))


def feed(name: str) -> Source:
    return Source(name=name, url=f"https://{name}.example/feed", settings_digest="1", category_map=ASKED)


def test_a_source_that_names_hundreds_of_media_begins_no_more_categories_than_it_may() -> None:
    world = World((feed("a"), feed("b")))
    world.answer("a", *(by(f"Medium {number}", str(number)) for number in range(700)))
    report = world.poll("a")
    assert report.new == 700
    assert len(world.store.categories()) == MOST_RECORD_CATEGORIES
    told = f"{700 - MOST_RECORD_CATEGORIES} categories not begun, the first “Medium {MOST_RECORD_CATEGORIES}”: "
    assert report.warnings == (f"{told}the records of a source may bring {MOST_RECORD_CATEGORIES} in all",)


def test_the_bound_holds_over_polls_and_for_each_source_by_itself() -> None:
    world = World((feed("a"), feed("b")))
    world.answer("a", *(by(f"Medium {number}", str(number)) for number in range(MOST_RECORD_CATEGORIES)))
    assert world.poll("a").warnings == ()
    world.answer("a", by("One more", "x"), by("Medium 7", "y"))
    report = world.poll("a")
    assert (report.new, len(report.warnings)) == (2, 1)
    assert "1 category not begun, the first “One more”" in report.warnings[0]
    assert len(world.store.newest("medium-7", 9)) == 2

    world.answer("b", by("Only here", "z"))
    assert world.poll("b").warnings == ()
    assert len(world.store.categories()) == MOST_RECORD_CATEGORIES + 1
