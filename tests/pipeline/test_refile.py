"""Outputs show what the present rules make of what was received, for stored items as for new ones."""

from dataclasses import replace
from datetime import timedelta

import pytest

from feedhub.errors import FetchError
from feedhub.model.item import Detail, Item, Markup, ParsedFeed, ParsedItem, Person
from feedhub.model.report import Outcome
from feedhub.model.source import CategoryMap, Condition, DetailMap, FieldMap, Replacement, Rule, Source
from feedhub.pipeline.maintenance import refile
from support.library import record
from support.world import START, World

A = Source(name="a", url="https://a.example/rss", categories=("news",))
B = Source(name="b", url="https://b.example/rss", categories=("news",))


def rule(title: str, **then: object) -> Rule:
    return Rule(name=f"about {title}", when=Condition(kind="title", values=(title,)), **then)  # type: ignore[arg-type]


NO_CHIPS = rule("Chips", drop=True)


def world_with_two_items() -> World:
    world = World((A,))
    world.answer("a", record("Chips", guid="1"), record("Bread", guid="2"))
    world.poll("a")
    return world


def test_a_new_rule_files_stored_items_too_and_once() -> None:
    world = world_with_two_items()
    world.rules = (rule("Chips", categories=("tech",)),)
    assert world.refile("new") == 1
    assert (world.titles("tech"), world.titles("news")) == (["Chips"], ["Chips", "Bread"])
    assert world.refile("new") == 0
    world.rules = ()
    world.refile("none")
    assert (world.titles("tech"), world.titles("news")) == ([], ["Chips", "Bread"])


def old(bound: str) -> Rule:
    return Rule(name="too old", when=Condition(kind="age", values=(bound,)), drop=True)


def test_the_age_of_an_item_is_that_at_its_first_sight_for_ever() -> None:
    """So a rule about it gives the same today and in a month, for new items, edited ones, and when it is new itself."""
    world = World((A, B), rules=(old(">864000.0"),))
    late = START - timedelta(days=9)
    items = [record("Chips", guid="1", published=late), record("Bread", guid="2", published=START - timedelta(days=11))]
    world.answer("a", *items)
    world.poll("a")
    assert world.titles("all") == ["Chips"]
    world.pass_time(days=9)
    world.answer("a", record("Chips, edited", guid="1", published=late), items[1])
    world.poll("a")
    assert world.titles("all") == ["Chips, edited"]
    world.rules = ()
    world.refile("none")
    assert world.titles("all") == ["Chips, edited", "Bread"]
    world.rules = (old(">864000.0"),)
    world.refile("old")
    assert world.titles("all") == ["Chips, edited"]
    world.rules = (old("<864000.0"),)
    world.refile("young")
    assert world.titles("all") == ["Bread"]


def test_an_item_is_as_old_as_it_was_when_each_source_gave_it() -> None:
    link = "https://shared.example/1"
    world = World((A, replace(B, categories=("other",))), rules=(old(">864000.0"),))
    world.answer("a", record("Chips", guid="1", link=link, published=START - timedelta(days=9)))
    world.poll("a")
    world.pass_time(days=9)
    world.answer("b", record("Chips", guid="x", link=link, published=START))
    world.poll("b")
    assert (world.titles("news"), world.titles("other"), world.titles("all")) == (["Chips"], [], ["Chips"])


def test_a_drop_rule_takes_stored_items_out_and_taking_it_out_brings_them_back() -> None:
    world = world_with_two_items()
    before = world.store.newest("all", 9)
    world.rules = (NO_CHIPS,)
    world.refile("drop")
    assert [world.titles(slug) for slug in ("news", "all")] == [["Bread"], ["Bread"]]
    world.rules = ()
    world.refile("none")
    assert world.store.newest("all", 9) == world.store.newest("news", 9) == before


def test_what_was_dropped_when_it_came_is_shown_when_the_rule_is_gone() -> None:
    world = World((A,), rules=(NO_CHIPS,))
    world.answer("a", record("Chips", guid="1"), record("Bread", guid="2"))
    assert (world.poll("a").new, world.titles("all")) == (1, ["Bread"])
    world.rules = ()
    world.refile("none")
    assert world.titles("all") == ["Chips", "Bread"]
    assert world.poll("a").outcome is Outcome.NOT_MODIFIED


def test_replaced_text_and_tags_are_shown_and_undone_without_a_new_time() -> None:
    world = world_with_two_items()
    before = world.store.newest("all", 9)
    edit = Replacement(field="title", pattern="Chips", replacement="Crisps")
    world.rules = (rule("Chips", replace=(edit,), tags=("snack",)),)
    world.pass_time(days=1)
    world.refile("edit")
    shown = world.store.newest("all", 9)
    assert [(one.item.title, one.item.tags) for one in shown] == [("Crisps", ("snack",)), ("Bread", ())]
    assert [(one.id, one.published_at, one.updated_at) for one in shown] == [
        (one.id, one.published_at, one.updated_at) for one in before
    ]
    world.rules = ()
    world.refile("none")
    assert world.store.newest("all", 9) == before


def test_what_is_polled_while_items_are_refiled_is_filed_by_the_present_rules() -> None:
    world = world_with_two_items()
    world.rules = (NO_CHIPS,)
    world.answer("a", record("Chips", guid="1"), record("Chips again", guid="3"), record("Bread", guid="2", text="x"))
    world.poll("a")
    assert world.titles("all") == ["Chips", "Bread"]
    world.refile("drop")
    assert world.titles("all") == ["Bread"]


def test_an_item_goes_only_if_every_source_that_gave_it_is_dropped() -> None:
    world = World((A, B))
    link = "https://news.example/1"
    world.answer("a", record("Chips", guid="1", link=link))
    world.answer("b", record("Crisps", guid="1", link=link))
    for name in ("a", "b"):
        world.poll(name)
        world.pass_time(hours=1)
    owned = world.store.explain([link])[0]
    world.rules = (NO_CHIPS,)
    world.refile("drop")
    assert [world.titles(slug) for slug in ("news", "all")] == [["Crisps"], ["Crisps"]]
    explained = world.store.explain([link])[0]
    assert (explained.item_id, explained.owner, explained.shown_by) == (owned.item_id, "a", "b")
    world.rules = (NO_CHIPS, rule("Crisps", drop=True))
    world.refile("drop both")
    assert [world.titles(slug) for slug in ("news", "all")] == [[], []]
    world.rules = ()
    world.refile("none")
    assert [world.titles(slug) for slug in ("news", "all")] == [["Chips"], ["Chips"]]


def test_a_dropped_record_begins_no_category_until_its_rule_is_gone() -> None:
    asked = replace(A, category_map=CategoryMap(field="author", title="{author}"))
    world = World((asked,), rules=(NO_CHIPS,))
    by_fab = replace(record("Chips", guid="1"), authors=(Person(name="Fab"),))
    world.answer("a", by_fab)
    world.poll("a")
    assert [one.slug for one in world.store.categories()] == ["news"]
    world.rules = ()
    world.refile("none")
    assert (world.titles("fab"), world.titles("news")) == (["Chips"], ["Chips"])
    world.rules = (NO_CHIPS,)
    world.refile("drop")
    assert (world.titles("fab"), world.titles("news")) == ([], [])


def test_what_a_source_gives_after_it_was_filed_is_filed_already() -> None:
    world = World((A,))
    world.refile("same")
    world.answer("a", record("Chips", guid="1"))
    world.poll("a")
    assert world.refile("same") == 0


def test_a_source_that_moves_to_another_category_takes_its_items_along() -> None:
    world = world_with_two_items()
    world.sources = (replace(A, categories=("food",)),)
    world.refile("new")
    assert world.titles("food") == ["Chips", "Bread"]


def test_rules_hold_for_items_of_a_source_that_is_configured_no_more() -> None:
    world = World((A, B))
    world.answer("a", record("Chips", guid="1"), record("Bread", guid="2"))
    world.poll("a")
    world.refile("first")
    world.sources = (B,)
    assert (world.refile("first"), world.titles("news")) == (0, ["Chips", "Bread"])
    world.rules = (NO_CHIPS,)
    world.refile("drop")
    assert (world.titles("news"), world.titles("all")) == (["Bread"], ["Bread"])
    world.rules = ()
    world.refile("none")
    assert (world.titles("news"), world.titles("all")) == (["Chips", "Bread"], ["Chips", "Bread"])


@pytest.mark.parametrize(
    "change",
    [
        {"categories": ("news", "tech")},
        {"content": "trust"},
        {"category_map": CategoryMap(field="tags", title="{tags}")},
        {"category_map": CategoryMap(field="author", title="{author}", slug="pinyin-chars")},
    ],
)
def test_items_are_filed_anew_when_their_source_is_configured_otherwise(change: dict[str, object]) -> None:
    asked = replace(A, category_map=CategoryMap(field="author", title="{author}"))
    world = World((asked, B))
    for name in ("a", "b"):
        world.answer(name, record("Chips", guid="1"))
        world.poll(name)
    world.refile("same")
    world.sources = (replace(asked, **change), B)  # type: ignore[arg-type]
    assert (world.refile("same"), world.refile("same")) == (1, 0)


def test_another_source_more_lets_no_item_of_others_be_filed_again() -> None:
    world = world_with_two_items()
    world.refile("same")
    world.sources = (A, replace(B, categories=("other",)))
    assert world.refile("same") == 0


def test_many_items_are_refiled_some_in_a_transaction() -> None:
    world = World((A,))
    world.answer("a", *(record(f"Chips {number}", guid=str(number)) for number in range(250)))
    world.poll("a")
    world.rules = (NO_CHIPS,)
    assert (world.refile("drop"), world.titles("all")) == (3, [])


def test_a_refile_that_is_broken_off_goes_on_where_it_was() -> None:
    world = World((A,))
    world.answer("a", *(record(f"Chips {number}", guid=str(number)) for number in range(250)))
    world.poll("a")
    world.rules = (NO_CHIPS,)
    settings = replace(world.settings, rules_digest="drop")
    next(refile(world.store, settings, world.cleaner, world.now))
    assert len(world.store.newest("all", 999)) == 150
    assert (world.refile("drop"), world.titles("all")) == (2, [])


def test_two_that_refile_at_once_share_the_work() -> None:
    world = World((A,))
    world.answer("a", *(record(f"Chips {number}", guid=str(number)) for number in range(250)))
    world.poll("a")
    world.rules = (NO_CHIPS,)
    settings = replace(world.settings, rules_digest="drop")
    one, other = (refile(world.store, settings, world.cleaner, world.now) for _ in range(2))
    for each in (one, other, one):
        next(each)
    assert world.titles("all") == []
    assert (len(list(other)), len(list(one))) == (1, 0)
    assert world.store.newest("all", 9) == ()


# --- links that rules put right


WRAPPED = "https://alerts.example/url?q=1&url=https://a.example/1"
UNWRAP = Rule(
    name="unwrap",
    when=Condition(kind="link", values=("^https://alerts",)),
    replace=(Replacement(field="link", pattern=r"^.*[?&]url=([^&]+).*$", replacement=r"\1"),),
)


@pytest.mark.parametrize("is_cleaned_early", [True, False])
def test_a_link_that_was_put_right_is_shown_as_received_without_the_rule_and_the_item_stays_one(
    is_cleaned_early: bool,
) -> None:
    world = World((A, B), rules=(UNWRAP,))
    wrapped = record("Chips", guid="1", link=WRAPPED)
    early = Item(title="Chips", guid="1", link=WRAPPED)
    cleaned = {0: early} if is_cleaned_early else {}
    world.answer("a", feed=ParsedFeed(title="A", items=(wrapped,), cleaned=cleaned))
    world.poll("a")
    world.answer("b", record("Crisps", guid="2", link="https://a.example/1"))
    assert world.poll("b").duplicate == 1
    (shown,) = world.store.newest("all", 9)
    assert shown.item.link == "https://a.example/1"
    world.rules = ()
    world.refile("none")
    (unwrapped,) = world.store.newest("all", 9)
    assert (unwrapped.id, unwrapped.item.link) == (shown.id, WRAPPED)
    world.rules = (UNWRAP,)
    world.refile("again")
    assert world.store.newest("all", 9) == (shown,)


# --- second requests


LISTED = replace(A, detail=DetailMap(url="https://a.example/text?id={id}", path="t"), settings_digest="1")


def text(world: World, guid: str, said: str, error: FetchError | None = None) -> None:
    detail = Detail(content=Markup(value=said, base=""))
    world.fetcher.answers[f"https://a.example/text?id={guid}"] = replace(
        world.fetcher.answers["https://a.example/rss"], records=(), detail=detail, error=error, body=said.encode()
    )


def asked(world: World) -> list[str]:
    return [request.url for request in world.fetcher.requests if "text?" in request.url]


def contents(world: World) -> list[str | None]:
    return [stored.item.content for stored in world.store.newest("all", 9)]


def dropped_list(listed: Source, *records: ParsedItem) -> World:
    world = World((listed,), rules=(NO_CHIPS,))
    world.answer("a", *records)
    for one in records:
        text(world, one.guid or "", f"all of {one.title}")
    world.poll("a")
    return world


def read_again(world: World) -> None:
    """Let the next poll read the document although it is the same, as another digest of settings does."""
    world.sources = (replace(world.sources[0], settings_digest=world.sources[0].settings_digest + "1"),)


def test_the_second_request_is_made_once_an_item_is_shown() -> None:
    world = dropped_list(LISTED, record("Chips", guid="1", text="in short"), record("Bread", guid="2"))
    assert asked(world) == ["https://a.example/text?id=2"]
    world.rules = ()
    world.refile("none")
    assert contents(world) == ["in short", "all of Bread"]
    world.pass_time(hours=1)
    read_again(world)
    report = world.poll("a")
    assert (report.new, report.changed, contents(world)) == (0, 0, ["all of Chips", "all of Bread"])
    assert {stored.updated_at for stored in world.store.newest("all", 9)} == {START}
    read_again(world)
    world.poll("a")
    assert asked(world) == [f"https://a.example/text?id={number}" for number in (2, 1)]


def test_the_second_request_of_what_was_dropped_is_made_again_when_it_failed() -> None:
    world = dropped_list(LISTED, record("Chips", guid="1", text="in short"))
    world.rules = ()
    world.refile("none")
    text(world, "1", "", FetchError("no answer"))
    read_again(world)
    assert world.poll("a").warnings == ("1 item waits for the full text: no answer",)
    assert (contents(world), world.state("a").body_digest) == (["in short"], None)
    assert world.store.explain(["guid:a:1"])[0].sightings[0].offered
    text(world, "1", "all of it")
    assert (world.poll("a").warnings, contents(world)) == ((), ["all of it"])


def test_a_dropped_record_that_its_list_edits_is_still_without_its_second_request() -> None:
    world = dropped_list(LISTED, record("Chips", guid="1", text="in short"))
    world.answer("a", record("Chips and more", guid="1", text="in other words"))
    world.poll("a")
    world.rules = ()
    world.refile("none")
    assert (world.titles("all"), contents(world)) == (["Chips and more"], ["in other words"])
    text(world, "1", "all of it")
    read_again(world)
    world.poll("a")
    assert contents(world) == ["all of it"]


def test_fields_of_the_second_request_come_without_a_new_time_too() -> None:
    listed = replace(LISTED, detail=DetailMap(url="https://a.example/text?id={id}", fields=(("title", FieldMap()),)))
    world = dropped_list(listed, record("Chips", guid="1"))
    whole = Detail(item=replace(record("The whole of Chips", guid="1"), position=0))
    world.fetcher.answers["https://a.example/text?id=1"].detail = whole
    world.rules = ()
    world.refile("none")
    world.pass_time(hours=1)
    read_again(world)
    assert world.poll("a").changed == 0
    assert [(one.item.title, one.updated_at) for one in world.store.newest("all", 9)] == [("The whole of Chips", START)]
