"""Retention takes out only what nobody offers any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from feedhub.model.item import ParsedFeed
from feedhub.model.output import Retention
from feedhub.model.source import Source
from feedhub.pipeline.maintenance import prune, retitle
from support.library import record
from support.world import World

A = Source(name="a", url="https://a.example/rss", categories=("news",))


def world_with_two_items() -> World:
    world = World((A,))
    world.answer("a", record("Chips", guid="1"), record("Bread", guid="2"))
    world.poll("a")
    return world


def titled(world: World, title: str, *records: str) -> None:
    """Poll a document that calls itself ``title``."""
    items = tuple(replace(record(name, guid=name), position=place) for place, name in enumerate(records))
    world.answer("a", feed=ParsedFeed(title=title, items=items), body=title.encode())
    world.poll("a")


def test_a_title_of_the_configuration_is_shown_until_it_is_taken_out() -> None:
    world = World((A,))
    titled(world, "Its own", "Chips")

    def shown(title: str) -> tuple[str, str]:
        world.sources = (replace(A, title=title),)
        retitle(world.store, world.sources)
        return world.store.newest("all", 1)[0].source_title, world.state("a").title

    assert shown("Ours") == ("Ours", "Ours")
    assert shown("Ours too") == ("Ours too", "Ours too")
    titled(world, "Its new one", "Chips", "Bread")
    assert world.store.newest("all", 1)[0].source_title == "Ours too"
    assert shown("") == ("Its new one", "Its new one")


def test_a_title_given_before_the_first_poll_is_shown_from_then_on() -> None:
    world = World((replace(A, title="Ours"),))
    retitle(world.store, world.sources)
    titled(world, "Its own", "Chips")
    assert world.store.newest("all", 1)[0].source_title == "Ours"
    world.sources = (A,)
    retitle(world.store, world.sources)
    assert world.store.newest("all", 1)[0].source_title == "Its own"


def test_only_what_left_its_document_long_ago_is_removed_and_never_comes_back() -> None:
    world = world_with_two_items()
    world.retention = Retention(days=30)
    world.answer("a", record("Bread", guid="2"))
    world.pass_time(days=1)
    world.poll("a")
    world.pass_time(days=29)
    assert prune(world.store, world.settings, world.now).items == 0
    world.pass_time(days=2)
    world.answer("a", not_modified=True)
    world.poll("a")
    assert prune(world.store, world.settings, world.now).items == 1
    assert world.titles("all") == ["Bread"]
    world.answer("a", record("Chips", guid="1"), record("Bread", guid="2"))
    assert world.poll("a").new == 0
    assert world.titles("all") == ["Bread"]


def test_the_days_of_retention_begin_at_midnight_where_the_site_is() -> None:
    world = World((A,), retention=Retention(days=30))  # it is 16:00 in Shanghai
    world.answer("a", record("Monday", guid="1"))
    world.poll("a")
    world.answer("a", record("Tuesday", guid="2"))
    world.poll("a")
    world.pass_time(days=30, hours=7, minutes=59)
    assert prune(world.store, world.settings, world.now).items == 0
    world.pass_time(minutes=1)
    assert prune(world.store, world.settings, world.now).items == 2


def test_a_category_holds_as_many_items_as_configured() -> None:
    world = World((A,), retention=Retention(days=None, items=1))
    for name in ("Monday", "Tuesday", "Wednesday"):
        world.answer("a", record(name, guid=name, published=world.now))
        world.poll("a")
        world.pass_time(days=1)
    assert prune(world.store, world.settings, world.now).items == 2
    assert world.titles("news") == ["Wednesday"]


@pytest.mark.parametrize(("days", "new"), [(729, 0), (731, 1)])
def test_what_was_removed_is_recognised_for_two_years(days: int, new: int) -> None:
    world = world_with_two_items()
    world.retention = Retention(days=30)
    world.answer("a", record("Bread", guid="2"))
    world.pass_time(days=31)
    world.poll("a")
    world.pass_time(days=31)
    world.poll("a")
    assert prune(world.store, world.settings, world.now).items == 1
    world.pass_time(days=days)
    prune(world.store, world.settings, world.now)
    world.answer("a", record("Chips", guid="1"), record("Bread", guid="2"))
    assert world.poll("a").new == new


def test_what_a_dead_source_offered_last_ages_from_its_last_success() -> None:
    world = world_with_two_items()
    world.pass_time(days=100)
    world.retention = Retention(days=90)
    assert prune(world.store, world.settings, world.now).items == 2


def test_without_an_age_limit_nothing_is_too_old() -> None:
    world = world_with_two_items()
    world.now += timedelta(days=10_000)
    world.retention = Retention(days=None, items=None)
    assert prune(world.store, world.settings, world.now).items == 0


def test_an_address_reused_after_its_item_was_removed_is_a_new_item() -> None:
    world = World((A,), retention=Retention(days=30))
    world.answer("a", record("Monday", guid="1", link="https://a.example/latest"))
    world.poll("a")
    world.pass_time(days=40)
    world.answer("a", record("Other", guid="2", link="https://a.example/other"))
    world.poll("a")
    world.pass_time(days=40)
    world.answer("a", not_modified=True)
    world.poll("a")
    assert prune(world.store, world.settings, world.now).items == 1
    world.answer("a", record("Tuesday", guid="3", link="https://a.example/latest"))
    assert world.poll("a").new == 1
