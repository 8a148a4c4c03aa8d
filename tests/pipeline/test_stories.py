"""Stories of stored items: what outputs list once, what never goes from them, and what is known of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from feedhub.model.identity import Verdict
from feedhub.model.story import StoryChoice, StorySettings
from feedhub.ports.store import Store
from feedhub.rules.stories.features import story_features
from support.builders import NOW, categories, ingest, item_id, put
from support.stores import STORES
from support.stories import AGROUND, FERRY, GROUPED, HOUR, MUSEUM, ONCE, RESCUE, SAVED, TOLD, Place


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with STORES[request.param]() as made:
        made.sync_categories(categories("tech", "cn"), NOW)
        yield made


def test_nothing_lists_an_item_before_its_story_is_known(store: Store) -> None:
    place = Place(store)
    before = store.change_number()
    place.put(1, AGROUND, FERRY)
    assert (place.listed(), place.listed("tech"), store.item_count()) == ([], [], 0)
    assert store.changed_outputs(before) == {}
    assert place.story(1).waits
    place.decide()
    assert (place.listed(), place.listed("tech"), store.item_count()) == ([1], [1], 1)
    assert set(store.changed_outputs(before)) == {"all", "tech"}
    assert not store.has_undecided()


def test_a_text_is_listed_once_and_the_first_names_the_others(store: Store) -> None:
    place = Place(store)
    place.put(1, AGROUND, FERRY)
    place.decide()
    number = store.change_number()
    place.put(2, SAVED, f"KELSAY, March 2 (Reuters) - {FERRY}", hours=2)
    place.put(3, TOLD, RESCUE, hours=5)
    place.put(4, "Museum of clocks opens", MUSEUM, hours=6)
    place.decide()
    assert (place.listed(), place.listed("tech")) == ([1, 3, 4], [1, 3, 4])
    assert place.members(1) == [(1, ""), (2, "reprint"), (3, "event")]
    assert "39 of 39 runs" in place.story(2).members[1].reason or "runs (" in place.story(2).members[1].reason
    assert place.members(4) == []
    assert place.named() == {1: [2], 3: [], 4: []}
    assert item_id(1) in {page.item.id for page in store.page_items(number)}, "the first is to be written again"
    assert [hit.id for hit in store.search("stranded", 5)] == [item_id(2)], "searches find what is folded"


def test_reports_of_an_event_name_each_other_and_are_listed(store: Store) -> None:
    place = Place(store, StorySettings(choice=StoryChoice(reprints="off", same_event="mark")))
    place.put(1, AGROUND, FERRY)
    place.put(2, SAVED, FERRY, hours=2)
    place.put(3, TOLD, RESCUE, hours=5)
    place.decide()
    assert place.listed() == [1, 2, 3]
    assert place.named() == {1: [2, 3], 2: [1, 3], 3: [1, 2]}


def test_a_story_may_be_one_entry(store: Store) -> None:
    place = Place(store, GROUPED)
    for number, (title, text) in enumerate(((AGROUND, FERRY), (SAVED, FERRY), (TOLD, RESCUE)), start=1):
        place.put(number, title, text, hours=number)
        place.decide()
    assert (place.listed(), place.listed("tech")) == ([1], [1])


def test_a_category_lists_what_it_has_not_listed_yet(store: Store) -> None:
    place = Place(store)
    place.put(1, AGROUND, FERRY)
    place.put(2, SAVED, FERRY, slugs=("cn",), hours=1)
    place.put(3, "Fog off Kelsay", FERRY, slugs=("tech", "cn"), hours=2)
    place.decide()
    assert (place.listed(), place.listed("tech"), place.listed("cn")) == ([1], [1], [2])


def test_a_category_may_choose_otherwise(store: Store) -> None:
    place = Place(store, replace(ONCE, by_category=(("cn", StoryChoice(reprints="off")),)))
    for number in (1, 2):
        place.put(number, AGROUND, FERRY, slugs=("tech", "cn"), hours=number)
    place.decide()
    assert (place.listed(), place.listed("tech"), place.listed("cn")) == ([1], [1], [1, 2])


def test_a_preferred_source_is_listed_if_no_other_was(store: Store) -> None:
    place = Place(store, replace(ONCE, prefer=("s3", "s2")))
    for number in (1, 2, 3):
        place.put(number, AGROUND, FERRY, hours=number)
    place.decide()
    assert place.listed() == [3]
    place = Place(store, replace(ONCE, prefer=("s5",)))
    place.put(5, AGROUND, FERRY, hours=4)
    place.decide()
    assert place.listed() == [3], "what was listed once stays so"


@pytest.mark.parametrize("way", ["hidden", "filed elsewhere", "forgotten"])
def test_when_what_is_listed_leaves_the_first_other_one_takes_its_place(store: Store, way: str) -> None:
    place = Place(store)
    for number in (1, 2, 3):
        place.put(number, AGROUND, FERRY, hours=number)
    place.decide()
    assert place.listed() == [1]
    if way == "hidden":
        store.hide(item_id(1), "", NOW)
    elif way == "forgotten":
        store.forget("s1", NOW)
    else:
        place.put_bare(1, "Ferry aground", FERRY, slugs=("cn",), verdict=Verdict.CHANGED)
    place.decide()
    assert place.listed("tech") == [2]
    assert place.listed() == ([1] if way == "filed elsewhere" else [2])
    assert place.named("tech")[2] == ([1, 3] if way == "filed elsewhere" else [3])
    if way == "hidden":
        store.unhide(item_id(1), NOW)
        place.decide()
        assert place.listed() == place.listed("tech") == [1, 2], "what was listed once stays so"


def test_what_a_source_says_later_of_a_folded_item_does_not_list_it(store: Store) -> None:
    place = Place(store)
    place.put(1, AGROUND, FERRY)
    place.put(2, SAVED, FERRY, hours=1)
    place.decide()
    number = store.change_number()
    place.put_bare(2, "Everybody was saved", FERRY, verdict=Verdict.CHANGED)
    place.decide()
    assert (place.listed(), place.listed("tech")) == ([1], [1])
    assert item_id(1) in {page.item.id for page in store.page_items(number)}, "it names a title that changed"
    assert [one.title for one in store.newest("all", 1)[0].reports] == ["Everybody was saved"]
    assert not store.has_undecided()


def test_what_is_stored_when_stories_begin_stays_listed_and_is_known(store: Store) -> None:
    bare = Place.__new__(Place)
    bare.store = store
    for number in (1, 2):
        bare.put_bare(number, AGROUND, FERRY, hours=number)
    place = Place(store)
    place.decide()
    assert (place.listed(), place.listed("tech")) == ([1, 2], [1, 2])
    place.put(3, SAVED, FERRY, hours=3)
    place.decide()
    assert place.listed() == [1, 2]
    assert place.members(3) == [(1, ""), (2, "reprint"), (3, "reprint")]


def test_when_stories_end_everything_is_listed(store: Store) -> None:
    place = Place(store)
    for number in (1, 2):
        place.put(number, AGROUND, FERRY, hours=number)
    place.decide()
    place.put(3, AGROUND, FERRY, hours=3)
    store.sync_stories("", lambda _: False)
    assert (place.listed(), place.listed("tech"), store.item_count()) == ([1, 2, 3], [1, 2, 3], 3)


def test_outputs_that_fold_no_more_list_what_they_folded(store: Store) -> None:
    place = Place(store)
    for number in (1, 2):
        place.put(number, AGROUND, FERRY, hours=number)
    place.decide()
    number = store.change_number()
    place.configure(StorySettings(choice=StoryChoice(reprints="off")))
    assert (place.listed(), place.listed("tech")) == ([1, 2], [1, 2])
    assert set(store.changed_outputs(number)) == {"all", "tech"}


def test_an_item_that_is_parted_is_listed_and_joined_by_nothing(store: Store) -> None:
    place = Place(store)
    for number in (1, 2, 3):
        place.put(number, AGROUND, FERRY, hours=number)
    place.decide()
    assert store.part_story(item_id(1))
    assert not store.part_story(item_id(1))
    place.decide()
    assert (place.listed(), place.listed("tech")) == ([1, 2], [1, 2])
    assert place.members(3) == [(2, "reprint"), (3, "reprint")]
    assert place.story(1).is_parted
    place.put(4, AGROUND, FERRY, hours=4)
    place.decide()
    assert (place.listed(), len(place.members(4))) == ([1, 2], 3)


def test_two_stories_are_joined_by_hand_and_stay_listed(store: Store) -> None:
    place = Place(store, GROUPED)
    place.put(1, AGROUND, FERRY)
    place.put(2, "Museum of clocks opens", MUSEUM, hours=1)
    place.decide()
    assert store.join_stories(item_id(2), item_id(1))
    assert not store.join_stories(item_id(2), item_id(1))
    place.decide()
    assert place.listed() == [1, 2]
    assert place.members(2) == [(1, ""), (2, "by hand")]
    assert [len(group.members) for group in store.stories(NOW, 5)] == [2]
    store.part_story(item_id(2))
    assert store.stories(NOW, 5) == ()


def test_what_came_close_is_told_with_the_reason(store: Store) -> None:
    form = (
        "The index of Velden closed at {} points after {} hours, and {} of its shares rose. Traders of the exchange "
        "spoke of a quiet day, with little news from companies and none from the ministry of finance."
    )
    place = Place(store)
    place.put(1, "Velden gains 12 points", form.format(6625, 7, 31))
    place.put(2, "Velden gains 47 points", form.format(3705, 8, 12))
    place.decide()
    (miss,) = place.story(2).misses
    assert (miss.item_id, miss.reason.startswith("kept apart: 3705 here, 6625 there")) == (item_id(1), True)
    store.forget("s1", NOW)
    assert place.story(2).misses == ()


def test_an_item_is_found_no_more_once_the_window_is_over(store: Store) -> None:
    place = Place(store)
    place.put(1, AGROUND, FERRY)
    place.decide()
    place.put(2, "Museum of clocks opens", MUSEUM, hours=73)
    place.decide()
    place.put(3, AGROUND, FERRY, hours=72)
    place.decide()
    assert (place.listed(), place.members(3)) == ([1, 2, 3], [])
    with store.transaction() as transaction:
        assert transaction.sketches([1]) == {}


def test_what_retention_forgets_is_forgotten_with_its_stories(store: Store) -> None:
    place = Place(store)
    for number in (1, 2, 3):
        place.put(number, AGROUND, FERRY, hours=number)
    place.decide()
    later = NOW + timedelta(days=400)
    for number in (1, 2, 3):
        put(store, source=f"s{number}", now=NOW + timedelta(days=1), complete=True)
    store.prune(offered_before=NOW + timedelta(days=2), keep_per_category=None, forget_before=NOW, now=later)
    place.decide()
    assert (place.listed(), place.listed("tech"), store.item_count()) == ([], [], 0)
    store.prune(offered_before=None, keep_per_category=None, forget_before=later + HOUR, now=later + HOUR)
    assert place.members(1) == []
    assert store.explain([item_id(1)]) == ()


def test_a_poll_without_news_asks_for_nothing_to_be_decided(store: Store) -> None:
    place = Place(store)
    place.put(1, AGROUND, FERRY)
    place.decide()
    number = store.change_number()
    put(store, ingest(1, "s1", Verdict.SEEN), source="s1")
    place.decide()
    assert (store.has_undecided(), store.change_number()) == (False, number)


def test_a_text_of_very_many_sources_is_listed_once(store: Store) -> None:
    place = Place(store)
    for number in range(1, 130):
        place.put(number, AGROUND, FERRY, hours=number % 3)
    place.decide()
    assert place.listed() == [1]


def test_a_key_that_many_items_have_finds_none(store: Store) -> None:
    place = Place(store)
    for number in range(1, 70):
        place.put(number, f"Kelsay ferry Northern Star aground {number * 7919}", f"Number {number * 7907} in a row.")
    place.decide()
    with store.transaction() as transaction:
        keys = story_features(AGROUND, FERRY).keys
        near = transaction.story_candidates(keys, (NOW - HOUR, NOW + HOUR), NOW - HOUR, 32)
    assert len(near) <= 32
    assert len(place.listed()) == 50
