"""One suite for every store: what ports.Store and ports.Transaction promise."""

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from feedhub.errors import FeedhubError, StoreError
from feedhub.model.document import Validators
from feedhub.model.identity import Filing, IdentityKey, LedgerNote, Verdict
from feedhub.model.item import Enclosure, Item, ItemDates, Person, Received
from feedhub.model.output import Category
from feedhub.model.source import CategoryMap, Health, Source, SourceState
from feedhub.ports.store import Store
from feedhub.store.status import EPOCH
from support.builders import (
    DAY,
    HOUR,
    NOW,
    categories,
    filed_in,
    guid,
    ingest,
    item_id,
    keyed,
    named,
    plan,
    put,
    refile,
    url,
)
from support.following import due_outputs, publish

LATER = NOW + HOUR


def known(store: Store, source: str, *keys: IdentityKey):
    with store.transaction() as transaction:
        return transaction.known_keys(source, keys)


def ids(store: Store, slug: str, limit: int = 10) -> list[int]:
    return [int(item.id[-12:], 16) for item in store.newest(slug, limit)]


# --- states


def test_a_state_comes_back_as_it_was_saved(store: Store) -> None:
    state = SourceState(
        name="one",
        validators=Validators(etag='W/"a b"', last_modified="yesterday"),
        body_digest="ab",
        settings_digest="cd",
        title="消息",
        own_title="News",
        link="https://example.org/",
        ttl=3600,
        last_poll_at=NOW,
        last_success_at=NOW - HOUR,
        next_poll_at=NOW.replace(microsecond=123457),
        failures=3,
        last_error="timed out",
        http_status=503,
        configured_url="https://example.org/feed",
        gone=True,
        first_success_at=NOW - 9 * DAY,
        last_new_at=NOW - DAY,
        failing_since=NOW - 2 * HOUR,
        rhythm=0.25,
        moved_to="https://example.net/feed",
        move_target="https://example.com/feed",
        move_sightings=2,
        reported_health=Health.FAILING,
        pacing="auto",
        reading_digest="ef",
        warnings=("shared link", "b"),
        changing=frozenset({"date", "guid"}),
    )
    unset = SourceState(name="")
    assert [each.name for each in fields(state) if getattr(state, each.name) == getattr(unset, each.name)] == []
    with store.transaction() as transaction:
        assert transaction.state("one") == SourceState(name="one")
        transaction.save_state(state)
        assert transaction.state("one") == state
    assert store.states() == (state,)


def test_states_are_ordered_by_name_and_leave_out_sources_never_polled(store: Store) -> None:
    put(store, ingest(1, "zero"), source="zero")
    with store.transaction() as transaction:
        for name in ("b", "a"):
            transaction.save_state(SourceState(name=name))
    assert [state.name for state in store.states()] == ["a", "b"]


def test_what_a_failing_block_wrote_is_rolled_back(store: Store) -> None:
    put(store, ingest(1))
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:  # noqa: PT012
        transaction.save_state(SourceState(name="one", failures=9))
        edit = ingest(1, verdict=Verdict.CHANGED, title="Other")
        transaction.ingest("one", plan(ingest(2), edit), NOW, complete=True)
        1 / 0  # noqa: B018
    assert ids(store, "tech") == [1]
    assert store.states() == ()
    assert store.newest("tech", 1)[0].item.title == "Story 1"
    put(store, ingest(2))
    assert sorted(ids(store, "tech")) == [1, 2]


# --- keys


def test_unknown_keys_are_unknown(store: Store) -> None:
    answer = known(store, "one", url(1), guid("one", 1))
    assert answer.items == {}
    assert answer.distrusted == frozenset()


def test_a_known_key_tells_the_item_its_names_and_what_this_source_said(store: Store) -> None:
    put(store, ingest(1, keys=[named("A"), url(1), guid("one", 1)]))
    own = known(store, "one", url(1)).items[url(1).text]
    assert (own.id, own.owner, own.named, own.removed) == (item_id(1), "one", (named("A"),), False)
    assert own.sighting
    assert (own.sighting.guid, own.sighting.url_key, own.sighting.title) == ("1", url(1).text, "Story 1")
    assert (own.sighting.text_digest, own.sighting.extras_digest) == ("text Story 1", "extras")
    assert own.sighting.offered
    assert known(store, "two", url(1)).items[url(1).text].sighting is None


def test_the_signature_of_a_new_item_is_known_and_follows_its_newest_use(store: Store) -> None:
    put(store, ingest(1, title="Same"), ingest(2, title="Other"))
    signature = keyed(1, "one", title="Same").signature
    assert known(store, "one", signature).items[signature.text].id == item_id(1)
    put(store, ingest(2, verdict=Verdict.CHANGED, title="Same"))
    assert known(store, "one", signature).items[signature.text].id == item_id(2)


def test_a_very_long_key_is_found_again_and_its_neighbour_is_not(store: Store) -> None:
    long, other = url("a" * 5000), url("a" * 4999 + "b")
    name = named("n" * 400)
    put(store, ingest(1, keys=[long, name]))
    found = known(store, "one", long, other, name)
    assert set(found.items) == {long.text, name.text}
    assert found.items[long.text].named == (name,)
    assert [each.item_id for each in store.explain([long.text])] == [item_id(1)]


def test_more_keys_than_one_statement_takes_are_found(store: Store) -> None:
    put(store, *(ingest(number) for number in range(700)))
    keys = [key for number in range(700) for key in (url(number), guid("one", number))]
    assert len(known(store, "one", *keys).items) == 1400


def test_a_gained_key_is_never_taken_from_another_item_but_a_moved_one_is(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    put(store, ingest(2, verdict=Verdict.SEEN, gained=[url(1), url("extra")]))
    assert known(store, "one", url(1)).items[url(1).text].id == item_id(1)
    assert known(store, "one", url("extra")).items[url("extra").text].id == item_id(2)
    put(store, ingest(2, verdict=Verdict.SEEN, moved=[url(1), url("never seen")]))
    assert known(store, "one", url(1)).items[url(1).text].id == item_id(2)
    assert known(store, "one", url("never seen")).items[url("never seen").text].id == item_id(2)


def test_a_repeat_in_the_document_of_a_new_item_gives_it_its_keys(store: Store) -> None:
    put(store, ingest(1), ingest(1, verdict=Verdict.REPEAT, gained=[url("alias")]))
    assert known(store, "one", url("alias")).items[url("alias").text].id == item_id(1)


def test_distrusted_keys_are_those_of_one_source(store: Store) -> None:
    for _ in range(2):
        with store.transaction() as transaction:
            transaction.ingest("one", plan(distrusted=[url("shared")]), NOW, complete=True)
    assert known(store, "one", url("shared"), url(1)).distrusted == {url("shared").text}
    assert known(store, "two", url("shared")).distrusted == frozenset()


# --- ingest


def test_a_new_item_is_shown_in_its_categories_and_in_all_and_makes_them_due(store: Store) -> None:
    publish(store)
    published = NOW - DAY
    touched = put(store, ingest(1, slugs=["tech", "cn"], published_at=published))
    assert touched == {"all", "tech", "cn"}
    assert due_outputs(store).keys() == {"all", "tech", "cn"}
    shown = store.newest("tech", 5)
    assert shown == store.newest("cn", 5) == store.newest("all", 5)
    assert (shown[0].id, shown[0].source, shown[0].item.title) == (item_id(1), "one", "Story 1")
    assert shown[0].published_at == shown[0].updated_at == published
    assert shown[0].categories == ("Tech", "Cn")
    assert store.changed_at("tech", 100) == store.changed_at("all", 100) == published


def test_a_wording_comes_back_whole(store: Store) -> None:
    wording = {
        "title": 'A "quoted" 标题',
        "guid": "g",
        "summary": "<p>s</p>",
        "content": f"<p>\U0001f600 {'some words ' * 90}</p>",
        "authors": (Person(name="A", email="a@example.org"), Person(name="B", uri="https://b.example.org")),
        "tags": ("x", "y"),
        "language": "zh",
        "image": "https://example.org/i.png",
        "comments": "https://example.org/c",
        "enclosures": (Enclosure(url="https://example.org/a.mp3", media_type="audio/mpeg", length=10**14, duration=3),),
    }
    made = ingest(1, wording=wording)
    put(store, made)
    assert store.newest("all", 1)[0].item == made.item
    with store.transaction() as transaction:
        assert transaction.wording("one", item_id(1)) == made.item


def test_an_item_without_category_is_shown_in_all_only(store: Store) -> None:
    assert put(store, ingest(1, slugs=[])) == {"all"}
    assert (ids(store, "all"), ids(store, "tech")) == ([1], [])


def test_newest_is_ordered_by_published_then_first_seen_then_position_then_id(store: Store) -> None:
    put(store, ingest(5, position=0), ingest(3, position=1), ingest(4, position=1), ingest(9, published_at=NOW - DAY))
    put(store, ingest(6, position=7), now=LATER)
    for slug in ("tech", "all"):
        assert ids(store, slug) == [6, 5, 3, 4, 9]
        assert ids(store, slug, 2) == [6, 5]


def test_an_edit_keeps_the_published_time_and_moves_updated(store: Store) -> None:
    put(store, ingest(1))
    publish(store)
    changed = ingest(1, verdict=Verdict.CHANGED, title="Edited", published_at=NOW + DAY)
    assert put(store, changed, now=LATER) == {"all", "tech"}
    item = store.newest("tech", 1)[0]
    assert (item.item.title, item.published_at, item.updated_at) == ("Edited", NOW, LATER)
    assert store.explain([item_id(1)])[0].sightings[0].offered
    assert store.changed_at("tech", 100) == store.changed_at("all", 100) == LATER
    assert store.changed_at("cn", 100) is None
    assert due_outputs(store).keys() == {"all", "tech"}
    sighting = known(store, "one", url(1)).items[url(1).text].sighting
    assert sighting
    assert sighting.title == "Edited"


def test_a_refreshed_wording_is_stored_without_a_new_updated(store: Store) -> None:
    put(store, ingest(1))
    publish(store)
    link = {"link": "https://example.org/moved"}
    assert put(store, ingest(1, verdict=Verdict.REFRESHED, wording=link), now=LATER) == {"all", "tech"}
    item = store.newest("tech", 1)[0]
    assert (item.item.link, item.updated_at, store.changed_at("tech", 100)) == (link["link"], NOW, NOW)


def test_an_edit_that_moves_an_item_makes_both_categories_due(store: Store) -> None:
    put(store, ingest(1, slugs=["tech"]))
    assert put(store, ingest(1, verdict=Verdict.CHANGED, slugs=["cn"]), now=LATER) == {"all", "tech", "cn"}
    assert (ids(store, "tech"), ids(store, "cn")) == ([], [1])
    assert (store.changed_at("tech", 100), store.changed_at("cn", 100)) == (None, LATER)


def test_evidence_alone_keeps_the_wording(store: Store) -> None:
    put(store, ingest(1))
    told = replace(ingest(1, verdict=Verdict.CHANGED, title="Edited"), item=None, filing=None)
    assert put(store, told, now=LATER) == frozenset()
    assert store.newest("tech", 1)[0].item.title == "Story 1"
    sighting = known(store, "one", url(1)).items[url(1).text].sighting
    assert sighting
    assert sighting.text_digest == "text Edited"


def test_a_duplicate_shows_each_category_its_own_sources_wording_and_all_the_owners(store: Store) -> None:
    put(store, ingest(1, slugs=["tech"], published_at=NOW - DAY))
    publish(store)
    second = ingest(1, "two", Verdict.DUPLICATE, title="From two", slugs=["tech", "cn"], gained=[guid("two", 1)])
    assert put(store, second, source="two", now=LATER) == {"all", "tech", "cn"}
    shown = {slug: store.newest(slug, 5) for slug in ("all", "tech", "cn")}
    assert [(slug, item.source, item.item.title) for slug, (item,) in shown.items()] == [
        ("all", "one", "Story 1"),
        ("tech", "one", "Story 1"),
        ("cn", "two", "From two"),
    ]
    assert {item.updated_at for (item,) in shown.values()} == {NOW - DAY}
    assert {item.categories for (item,) in shown.values()} == {("Tech", "Cn")}
    assert known(store, "two", guid("two", 1)).items[guid("two", 1).text].owner == "one"


def test_a_duplicate_that_adds_no_category_touches_nothing(store: Store) -> None:
    put(store, ingest(1))
    publish(store)
    assert put(store, ingest(1, "two", Verdict.DUPLICATE), source="two") == frozenset()
    assert due_outputs(store) == {}


def test_an_edit_by_another_source_than_the_owner_touches_only_where_it_is_shown(store: Store) -> None:
    put(store, ingest(1, slugs=["tech"]))
    put(store, ingest(1, "two", Verdict.DUPLICATE, slugs=["tech", "cn"]), source="two")
    edit = ingest(1, "two", Verdict.CHANGED, title="Two again", slugs=["tech", "cn"])
    assert put(store, edit, source="two", now=LATER) == {"cn"}
    assert (store.newest("cn", 1)[0].updated_at, store.newest("tech", 1)[0].updated_at) == (LATER, NOW)
    assert (store.changed_at("cn", 100), store.changed_at("tech", 100), store.changed_at("all", 100)) == (
        LATER,
        NOW,
        NOW,
    )


def test_a_membership_passes_to_the_next_source_when_the_first_gives_it_up(store: Store) -> None:
    put(store, ingest(1, slugs=["tech"]))
    put(store, ingest(1, "two", Verdict.DUPLICATE, slugs=["tech"], rule="r2"), source="two", now=LATER)
    put(store, ingest(1, "three", Verdict.DUPLICATE, slugs=["tech"]), source="three", now=LATER + HOUR)
    put(store, ingest(1, verdict=Verdict.CHANGED, slugs=["cn"]), now=LATER)
    assert [item.source for item in store.newest("tech", 5)] == ["two"]
    assert store.explain([item_id(1)])[0].memberships == (("tech", "r2", "two"), ("cn", "source", "one"))


def test_a_membership_passes_to_the_source_that_gave_the_item_first_whenever_it_filed_it_there(store: Store) -> None:
    put(store, ingest(1, "three", slugs=["tech"]), source="three")
    put(store, ingest(1, "one", Verdict.DUPLICATE, slugs=["cn"]), now=LATER)
    put(store, ingest(1, "two", Verdict.DUPLICATE, slugs=["tech"]), source="two", now=LATER + HOUR)
    put(store, ingest(1, "one", Verdict.CHANGED, slugs=["cn", "tech"]), now=LATER + 2 * HOUR)
    put(store, ingest(1, "three", Verdict.CHANGED, slugs=["cn"]), source="three", now=LATER + 3 * HOUR)
    assert [item.source for item in store.newest("tech", 5)] == ["one"]


def test_an_edit_under_another_rule_is_filed_by_that_rule(store: Store) -> None:
    put(store, ingest(1, rule="old"))
    put(store, ingest(1, verdict=Verdict.CHANGED, rule="new"))
    put(store, ingest(1, "two", Verdict.DUPLICATE, slugs=["cn"]), source="two")
    assert store.explain([item_id(1)])[0].memberships == (("tech", "new", "one"), ("cn", "source", "two"))


def test_an_unchanged_poll_writes_nothing_and_makes_nothing_due(store: Store) -> None:
    put(store, ingest(1), ingest(2), complete=True)
    publish(store)
    before = (store.explain([item_id(1), item_id(2)]), store.newest("all", 5))
    seen = [ingest(number, verdict=Verdict.SEEN) for number in (1, 2)]
    assert put(store, *seen, now=LATER, complete=True) == frozenset()
    assert due_outputs(store) == {}
    assert (store.explain([item_id(1), item_id(2)]), store.newest("all", 5)) == before


def test_what_a_complete_document_does_not_mention_has_left_until_it_comes_back(store: Store) -> None:
    put(store, ingest(1), ingest(2), complete=True)
    put(store, ingest(3, "two"), source="two", complete=True)
    put(store, ingest(1, verdict=Verdict.SEEN), now=LATER)
    assert store.explain([item_id(2)])[0].sightings[0].offered
    put(store, ingest(1, verdict=Verdict.SEEN), now=LATER, complete=True)
    put(store, ingest(1, verdict=Verdict.SEEN), now=LATER + HOUR, complete=True)
    left = store.explain([item_id(2)])[0].sightings[0]
    assert (left.offered, left.left_at) == (False, LATER)
    sighting = known(store, "one", url(2)).items[url(2).text].sighting
    assert sighting
    assert not sighting.offered
    assert store.explain([item_id(3)])[0].sightings[0].offered
    put(store, ingest(2, verdict=Verdict.SEEN, reoffered=True), now=LATER)
    assert store.explain([item_id(2)])[0].sightings[0].left_at is None
    assert ids(store, "tech") == [1, 2, 3]


def test_a_record_nobody_can_recognise_or_that_was_dropped_is_not_stored(store: Store) -> None:
    nobody = replace(ingest(1, verdict=Verdict.UNIDENTIFIED), item=None)
    dropped = replace(ingest(2), item=None, filing=None)
    assert put(store, nobody, dropped) == frozenset()
    assert store.newest("all", 5) == ()
    assert known(store, "one", url(2)).items == {}


def test_a_second_item_with_a_taken_id_is_recorded_and_not_stored(store: Store) -> None:
    put(store, ingest(1))
    other = ingest(1, "two", title="Impostor", keys=[url("other")])
    assert put(store, other, ingest(2, "two"), ingest(2, "two", title="Twin"), source="two") == {"all", "tech"}
    assert sorted(item.item.title for item in store.newest("all", 5)) == ["Story 1", "Story 2"]
    assert [entry.title for entry in store.explain([item_id(1)])[0].ledger if entry.kind == "conflict"] == ["Impostor"]
    assert known(store, "two", url("other")).items == {}


def test_verdicts_about_items_the_store_does_not_have_change_nothing(store: Store) -> None:
    stray = [ingest(7, verdict=verdict, gained=[url(7)]) for verdict in Verdict if verdict is not Verdict.NEW]
    assert put(store, *stray, complete=True) == frozenset()
    assert store.item_count() == 0


def test_verdicts_that_need_a_sighting_of_this_source_do_nothing_without_one(store: Store) -> None:
    put(store, ingest(1, slugs=["tech"]))
    publish(store)
    stray = [ingest(1, "two", verdict, slugs=["cn"]) for verdict in (Verdict.CHANGED, Verdict.REFRESHED, Verdict.SEEN)]
    dropped = replace(ingest(1, "two", Verdict.DUPLICATE), item=None, filing=None)
    assert put(store, *stray, dropped, source="two") == frozenset()
    assert (store.newest("cn", 5), due_outputs(store)) == ((), {})
    assert [seen.source for seen in store.explain([item_id(1)])[0].sightings] == ["one"]


def test_item_count_and_rate_count_what_was_given(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    put(store, ingest(3), now=LATER)
    put(store, ingest(3, "two", Verdict.DUPLICATE), source="two", now=LATER)
    assert store.item_count() == 3
    with store.transaction() as transaction:
        assert transaction.count_new("one", NOW) == 3
        assert transaction.count_new("one", LATER) == 1
        assert transaction.count_new("unknown", NOW) == 0


def test_counts_are_per_source_and_day_up_to_its_last_poll(store: Store) -> None:
    put(store, ingest(1), now=NOW - 30 * DAY)
    put(store, *(ingest(number) for number in range(2, 9)), now=NOW)
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two")
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="one", last_poll_at=NOW))
    counts = store.source_counts(NOW - 14 * DAY)
    assert (counts["one"].items, counts["one"].items_per_day) == (8, 0.5)
    assert (counts["two"].items, counts["two"].items_per_day) == (1, 1.0)
    assert store.source_counts(NOW - HOUR)["one"].items_per_day == 7.0
    prune(store, before=LATER)
    assert store.source_counts(NOW - 14 * DAY) == {}


# --- outputs


def test_a_fresh_store_has_every_output_due_once(store: Store) -> None:
    assert list(store.changed_outputs(-1)) == ["all", "tech", "cn"]
    number = store.change_number()
    assert all(0 <= at <= number for at in store.changed_outputs(-1).values())
    assert store.changed_outputs(number) == {}


def test_whoever_follows_the_store_asks_since_a_change_of_its_own(store: Store) -> None:
    first = store.change_number()
    put(store, ingest(1))
    second = store.change_number()
    put(store, ingest(2, slugs=["cn"]))
    assert store.changed_outputs(first).keys() == {"all", "tech", "cn"}
    assert store.changed_outputs(second) == {"all": store.change_number(), "cn": store.change_number()}
    assert store.changed_outputs(store.change_number()) == {}


def test_categories_that_stay_as_they_are_change_no_output_and_another_order_changes_all(store: Store) -> None:
    publish(store)
    store.sync_categories(categories("tech", "cn"), NOW)
    assert due_outputs(store) == {}
    store.sync_categories(categories("cn", "tech"), NOW)
    assert due_outputs(store).keys() == {"all", "tech", "cn"}


def test_a_change_stays_on_its_branch_whoever_opens_the_store_later(store: Store) -> None:
    put(store, ingest(1))
    number = store.change_number()
    branch = store.branch_of(number)
    assert branch
    for _ in range(3):
        store.sync_categories(categories("tech", "cn"), NOW)
        assert store.branch_of(number) == branch
    put(store, ingest(2))
    assert store.branch_of(number) == branch
    assert store.branch_of(store.change_number()) not in ("", branch)


def test_what_a_version_before_published_is_nothing_in_a_new_store(store: Store) -> None:
    assert store.folder_before() is None
    store.forget_folder_before()
    assert store.folder_before() is None


def test_an_added_category_is_due_alone(store: Store) -> None:
    publish(store)
    store.sync_categories(categories("tech", "cn", "new"), LATER)
    store.sync_categories(categories("tech", "cn", "new"), LATER + HOUR)
    assert [store.added_at(slug) for slug in ("all", "tech", "new")] == [NOW, NOW, LATER]
    assert store.added_at("no such") == EPOCH
    assert due_outputs(store).keys() == {"new"}
    assert [summary.slug for summary in store.categories()] == ["tech", "cn", "new"]
    assert store.changed_at("new", 100) is None


def test_a_removed_category_takes_its_memberships_along_and_items_stay(store: Store) -> None:
    put(store, ingest(1, slugs=["tech", "cn"]))
    publish(store)
    store.sync_categories(categories("cn"), NOW)
    assert [(summary.slug, summary.items) for summary in store.categories()] == [("cn", 1)]
    assert store.newest("tech", 5) == ()
    assert store.newest("all", 5)[0].categories == ("Cn",)
    assert due_outputs(store).keys() == {"all", "cn"}
    store.sync_categories(categories("cn", "tech"), NOW)
    assert store.newest("tech", 5) == ()
    put(store, ingest(1, "two", Verdict.DUPLICATE, slugs=["cn"]), source="two", now=LATER)
    assert store.newest("tech", 5) == ()


def test_no_category_at_all_is_a_configuration_too(store: Store) -> None:
    store.sync_categories((), NOW)
    assert store.categories() == ()
    assert due_outputs(store).keys() == {"all"}


def test_summaries_tell_items_and_newest_change(store: Store) -> None:
    put(store, ingest(1), ingest(2, slugs=["tech", "cn"], published_at=NOW - DAY))
    assert [(each.slug, each.title, each.items) for each in store.categories()] == [
        ("tech", "Tech", 2),
        ("cn", "Cn", 1),
    ]
    assert (store.changed_at("tech", 100), store.changed_at("cn", 100)) == (NOW, NOW - DAY)
    assert store.changed_at("no such", 100) is None


def test_an_output_changed_when_the_newest_change_of_what_it_shows_happened(store: Store) -> None:
    put(store, ingest(1), ingest(2, published_at=NOW - DAY))
    put(store, ingest(2, verdict=Verdict.CHANGED, title="Edited"), now=LATER)
    assert (store.changed_at("tech", 1), store.changed_at("tech", 2)) == (NOW, LATER)
    put(store, ingest(2, verdict=Verdict.CHANGED, slugs=["cn"]), now=LATER + HOUR)
    assert (store.changed_at("tech", 2), store.changed_at("cn", 2)) == (NOW, LATER + HOUR)


def test_what_a_source_calls_itself_is_shown_and_a_new_name_makes_its_outputs_due(store: Store) -> None:
    state = SourceState(
        name="one", title="One", link="https://one.example.org/", configured_url="https://one.example.org/f"
    )
    with store.transaction() as transaction:
        transaction.ingest("one", plan(ingest(1)), NOW, complete=True)
        transaction.save_state(state)
    item = store.newest("tech", 1)[0]
    assert (item.source_title, item.source_link, item.source_url) == ("One", state.link, state.configured_url)
    publish(store)
    with store.transaction() as transaction:
        transaction.save_state(replace(state, failures=1, last_poll_at=LATER))
    assert due_outputs(store) == {}
    with store.transaction() as transaction:
        transaction.save_state(replace(state, title="One, renamed"))
    assert due_outputs(store).keys() == {"all", "tech"}
    assert store.newest("all", 1)[0].source_title == "One, renamed"
    for change in ({"link": None}, {"configured_url": "https://one.example.org/other"}):
        publish(store)
        with store.transaction() as transaction:
            transaction.save_state(replace(transaction.state("one"), **change))
        assert due_outputs(store).keys() == {"all", "tech"}


# --- what the rules make of items, at first and again


ONE = Source(name="one", url="")


def by_title(**filings: Filing) -> Callable[[Item], Filing]:
    """File "Story 1" as ``story_1`` says, and so on; anything else stays in tech."""
    return lambda item: filings.get(item.title.lower().replace(" ", "_"), filed_in("tech", rule="source"))


DROPPED = Filing(dropped_by="no ads")


def test_refiling_moves_items_and_remembers_by_which_rules(store: Store) -> None:
    put(store, ingest(1), ingest(2), ingest(3))
    publish(store)
    assert store.filed_digests()["one"] is None
    filings = by_title(story_1=filed_in("cn", rule="rule a"))
    refile(store, filings, digest="r1")
    assert store.filed_digests()["one"] == "r1"
    assert (ids(store, "tech"), ids(store, "cn")) == ([2, 3], [1])
    assert store.explain([item_id(1)])[0].memberships == (("cn", "rule a", "one"),)
    assert due_outputs(store).keys() == {"all", "tech", "cn"}
    publish(store)
    refile(store, filings, digest="r2")
    assert due_outputs(store) == {}
    assert store.filed_digests()["one"] == "r2"


def test_of_two_filings_in_one_category_the_first_counts(store: Store) -> None:
    put(store, ingest(1))
    refile(store, lambda _: Filing(categories=(("cn", "source"), ("cn", "record"))))
    assert store.explain([item_id(1)])[0].memberships == (("cn", "source", "one"),)


def test_refiling_goes_on_where_it_was_and_begins_anew_for_other_rules(store: Store) -> None:
    put(store, *(ingest(number, position=number, published_at=NOW - DAY) for number in range(1, 8)))
    met: list[str] = []

    def filings(item: Item, _: Received, dates: ItemDates) -> Filing:
        met.append(item.title[-1])
        assert dates == ItemDates(published_at=NOW - DAY, first_seen_at=NOW)
        return filed_in("cn")

    with store.transaction() as transaction:
        assert transaction.refile(ONE, "r1", 3, filings, NOW)
    assert (ids(store, "cn"), store.filed_digests()["one"]) == ([1, 2, 3], None)
    with store.transaction() as transaction:
        assert transaction.refile(ONE, "r1", 3, filings, NOW)
    assert "".join(met) == "123456"
    with store.transaction() as transaction:
        assert transaction.refile(ONE, "r2", 3, filings, NOW)
        assert transaction.refile(ONE, "r2", 3, filings, NOW)
        assert not transaction.refile(ONE, "r2", 3, filings, NOW)
    assert "".join(met) == "1234561234567"
    assert store.filed_digests()["one"] == "r2"


def test_a_membership_is_that_of_the_first_source_that_files_the_item_there_now(store: Store) -> None:
    put(store, ingest(1))
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", now=LATER)
    refile(store, lambda _: Filing())
    assert [item.source for item in store.newest("tech", 5)] == ["two"]
    refile(store, by_title(), digest="r2")
    assert [item.source for item in store.newest("tech", 5)] == ["one"]
    refile(store, lambda _: Filing(), source="never polled")
    assert store.filed_digests()["never polled"] == "r1"


def test_what_rules_change_is_shown_and_what_was_received_is_kept(store: Store) -> None:
    put(store, ingest(1, wording={"tags": ("old",), "language": "de"}))
    publish(store)
    number = store.change_number()
    summary = f"<p>{'many words ' * 50}</p>"
    shown = {"title": "Edited", "tags": ("old", "new"), "language": None, "content": None, "summary": summary}
    refile(store, lambda item: replace(filed_in("tech"), shown=replace(item, **shown)))
    for item in (*store.newest("tech", 5), *store.newest("all", 5)):
        assert {name: getattr(item.item, name) for name in shown} == shown
        assert (item.item.link, item.updated_at) == ("https://example.org/1", NOW)
    assert due_outputs(store).keys() == {"all", "tech"}
    assert [page.item.item.title for page in store.page_items(number)] == ["Edited"]
    assert ([hit.title for hit in store.search("edited", 5)], store.search("story", 5)) == (["Edited"], ())
    with store.transaction() as transaction:
        received = transaction.wording("one", item_id(1))
    assert received
    assert (received.title, received.tags, received.language) == ("Story 1", ("old",), "de")
    refile(store, by_title(), digest="r2")
    assert store.newest("tech", 5)[0].item == received
    assert [hit.title for hit in store.search("story", 5)] == ["Story 1"]


def test_what_rules_drop_is_shown_nowhere_and_comes_back_as_it_was(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    publish(store)
    before = {slug: store.newest(slug, 5) for slug in ("all", "tech")}
    number = store.change_number()
    refile(store, by_title(story_1=DROPPED))
    assert [ids(store, slug) for slug in ("all", "tech", "cn")] == [[2], [2], []]
    assert (store.item_count(), store.categories()[0].items) == (1, 1)
    assert [hit.id for hit in store.search("story", 5)] == [item_id(2)]
    assert [(page.item.id, page.removed) for page in store.page_items(number)] == [(item_id(1), True)]
    assert [(one.slug, one.item_id) for one in store.ended_posts(number)] == [("tech", item_id(1))]
    assert due_outputs(store).keys() == {"all", "tech"}
    explained = store.explain([item_id(1)])[0]
    assert (explained.sightings[0].dropped_by, explained.shown_by, explained.memberships) == ("no ads", None, ())
    assert [(entry.kind, entry.reason) for entry in explained.ledger] == [("dropped", 'rule "no ads"')]
    refile(store, by_title(), digest="r2")
    assert {slug: store.newest(slug, 5) for slug in ("all", "tech")} == before
    assert len(store.search("story", 5)) == 2
    assert store.ended_posts(number) == ()


def test_a_new_item_that_rules_drop_is_stored_and_shown_nowhere(store: Store) -> None:
    publish(store)
    number = store.change_number()
    assert put(store, replace(ingest(1), filing=DROPPED)) == frozenset()
    assert (ids(store, "all"), store.search("story", 5), due_outputs(store)) == ([], (), {})
    assert (list(store.page_items(number)), store.ended_posts(number)) == ([], ())
    assert url(1).text in known(store, "one", url(1)).items
    refile(store, by_title())
    assert (ids(store, "all"), ids(store, "tech")) == ([1], [1])


def test_all_shows_the_first_source_that_no_rule_drops(store: Store) -> None:
    put(store, ingest(1))
    put(store, ingest(1, "two", Verdict.DUPLICATE, title="From two"), source="two", now=LATER)
    put(store, ingest(1, "three", Verdict.DUPLICATE, title="From three"), source="three", now=LATER + HOUR)
    publish(store)
    refile(store, lambda _: DROPPED)
    assert [item.source for item in (*store.newest("all", 5), *store.newest("tech", 5))] == ["two", "two"]
    assert [hit.title for hit in store.search("story OR from", 5)] == []
    assert [hit.title for hit in store.search("from two", 5)] == ["From two"]
    (page,) = store.page_items(-1)
    assert (page.item.source, [other.source for other in page.also]) == ("two", ["three"])
    explained = store.explain([item_id(1)])[0]
    assert (explained.owner, explained.shown_by) == ("one", "two")
    refile(store, lambda _: DROPPED, source="two")
    refile(store, lambda _: DROPPED, source="three")
    assert ids(store, "all") == []
    refile(store, by_title(), digest="r2", source="three")
    assert [item.source for item in store.newest("all", 5)] == ["three"]
    refile(store, by_title(), digest="r2")
    assert [item.source for item in store.newest("all", 5)] == ["one"]


def test_an_edit_into_what_rules_drop_takes_the_item_out_and_one_back_brings_it_again(store: Store) -> None:
    put(store, ingest(1))
    publish(store)
    number = store.change_number()
    dropped = replace(ingest(1, verdict=Verdict.CHANGED, title="Advertising"), filing=DROPPED)
    assert put(store, dropped, now=LATER) == {"all", "tech"}
    assert (ids(store, "all"), ids(store, "tech"), store.search("advertising", 5)) == ([], [], ())
    assert [page.removed for page in store.page_items(number)] == [True]
    number = store.change_number()
    again = replace(ingest(1, verdict=Verdict.CHANGED, title="More advertising"), filing=DROPPED)
    assert put(store, again, now=LATER) == frozenset()
    assert list(store.page_items(number)) == []
    assert put(store, ingest(1, verdict=Verdict.CHANGED), now=LATER + HOUR) == {"all", "tech"}
    assert (ids(store, "all"), ids(store, "tech")) == ([1], [1])
    assert [hit.title for hit in store.search("story", 5)] == ["Story 1"]


def test_a_report_by_another_source_shows_what_the_owner_has_dropped(store: Store) -> None:
    put(store, replace(ingest(1), filing=DROPPED))
    second = ingest(1, "two", Verdict.DUPLICATE, title="From two")
    assert put(store, second, source="two", now=LATER) == {"all", "tech"}
    assert [item.source for item in store.newest("all", 5)] == ["two"]
    assert [hit.title for hit in store.search("from", 5)] == ["From two"]
    third = replace(ingest(1, "three", Verdict.DUPLICATE, title="From three"), filing=DROPPED)
    assert put(store, third, source="three", now=LATER) == frozenset()


def test_what_rules_drop_counts_as_a_category_for_retention(store: Store) -> None:
    put(store, *(replace(ingest(number, position=number), filing=DROPPED) for number in range(1, 4)), ingest(4))
    put(store, ingest(1, verdict=Verdict.SEEN), complete=True)
    assert prune(store, before=NOW - DAY, keep=1).items == 2
    assert known(store, "one", url(2), url(4)).items[url(2).text].removed
    assert not known(store, "one", url(1)).items[url(1).text].removed


# --- takedown


def shown(store: Store) -> dict[str, object]:
    """Everything that outputs and searches are made of."""
    return {
        **{slug: store.newest(slug, 9) for slug in ("all", "tech", "cn")},
        "pages": [page for page in store.page_items(-1) if not page.removed],
        "found": [hit.id for hit in store.search("story", 9)],
        "counts": [store.item_count(), *(each.items for each in store.categories())],
    }


def test_a_hidden_item_is_shown_nowhere_and_comes_back_as_it_was(store: Store) -> None:
    put(store, ingest(1, slugs=["tech", "cn"]), ingest(2))
    put(store, ingest(1, "two", Verdict.DUPLICATE, slugs=["cn"]), source="two", now=LATER)
    publish(store)
    before, number = shown(store), store.change_number()
    assert store.hide(item_id(1), "a reason", LATER)
    assert [ids(store, slug) for slug in ("all", "tech", "cn")] == [[2], [2], []]
    assert [hit.id for hit in store.search("story", 9)] == [item_id(2)]
    assert [(page.item.id, page.removed) for page in store.page_items(number)] == [(item_id(1), True)]
    assert {(one.slug, one.item_id) for one in store.ended_posts(number)} == {("tech", item_id(1)), ("cn", item_id(1))}
    assert due_outputs(store).keys() == {"all", "tech", "cn"}
    explained = store.explain([item_id(1)])[0]
    assert (explained.hidden_at, explained.hidden_reason, explained.shown_by) == (LATER, "a reason", None)
    assert not store.hide(item_id(1), "another", LATER)
    publish(store)
    assert store.unhide(item_id(1), LATER)
    assert shown(store) == before
    assert due_outputs(store).keys() == {"all", "tech", "cn"}
    assert not store.unhide(item_id(1), LATER)
    assert not store.hide(item_id(99), "", LATER)
    assert store.hide(item_id(1), "a reason", LATER + HOUR)
    kinds = [(entry.at, entry.kind, entry.reason) for entry in store.explain([item_id(1)])[0].ledger]
    assert kinds == [
        (LATER, "hidden", "a reason"),
        (LATER, "shown again", "by hand"),
        (LATER + HOUR, "hidden", "a reason"),
    ]


def test_a_hidden_item_that_comes_again_stays_hidden_and_is_kept_up_to_date(store: Store) -> None:
    put(store, ingest(1))
    store.hide(item_id(1), "", NOW)
    publish(store)
    changed = ingest(1, verdict=Verdict.CHANGED, title="Edited", slugs=["tech", "cn"])
    assert put(store, changed, now=LATER) == frozenset()
    assert put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", now=LATER) == frozenset()
    refile(store, lambda _: filed_in("tech", "cn"))
    assert [ids(store, slug) for slug in ("all", "tech", "cn")] == [[], [], []]
    assert (store.search("edited", 5), due_outputs(store)) == ((), {})
    store.unhide(item_id(1), LATER)
    assert [item.item.title for slug in ("all", "tech", "cn") for item in store.newest(slug, 5)] == ["Edited"] * 3
    assert len(store.search("edited", 5)) == 1


def test_a_hidden_item_is_remembered_for_ever(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    store.hide(item_id(1), "", NOW)
    put(store, now=LATER, complete=True)
    later = LATER + 1000 * DAY
    store.prune(offered_before=later, keep_per_category=None, forget_before=LATER, now=later)
    store.prune(offered_before=None, keep_per_category=None, forget_before=later + DAY, now=later + DAY)
    assert known(store, "one", url(1), url(2)).items.keys() == {url(1).text}


def test_what_a_source_said_is_forgotten_and_not_presented_again(store: Store) -> None:
    put(store, ingest(1), ingest(2, wording={"content": "<p>secret</p>"}))
    put(store, ingest(1, "two", Verdict.DUPLICATE, title="From two"), source="two", now=LATER)
    publish(store)
    number = store.change_number()
    assert store.forget("one", LATER) == 2
    assert [item.item.title for slug in ("all", "tech") for item in store.newest(slug, 5)] == ["From two"] * 2
    assert (store.search("story", 5), len(store.search("two", 5))) == ((), 1)
    assert {page.item.id: page.removed for page in store.page_items(number)} == {item_id(1): False, item_id(2): True}
    assert [(one.slug, one.item_id) for one in store.ended_posts(number)] == [("tech", item_id(2))]
    with store.transaction() as transaction:
        assert transaction.wording("one", item_id(2)) == Item(title="")
    again = known(store, "one", url(1), url(2)).items
    assert [again[url(number).text].removed for number in (1, 2)] == [True, True]
    assert not known(store, "two", url(1)).items[url(1).text].removed
    refile(store, by_title())
    assert ids(store, "tech") == [1]
    assert store.forget("one", LATER) == 0
    assert store.forget("nobody", LATER) is None


def test_many_sightings_are_forgotten_some_in_a_transaction(store: Store) -> None:
    put(store, *(ingest(number, position=number) for number in range(1, 251)))
    assert store.forget("one", LATER) == 250
    assert (store.newest("all", 5), store.item_count()) == ((), 0)


def test_a_source_that_is_configured_no_more_is_known_as_it_was_filed_last(store: Store) -> None:
    asked = CategoryMap(field="tags", title="{tags}", slug="pinyin-chars")
    one = Source(
        name="one", url="https://one.example/", categories=("tech", "gone"), content="trust", category_map=asked
    )
    put(store, ingest(1))
    with store.transaction() as transaction:
        transaction.refile(one, "r1", 9, lambda *_: filed_in("tech"), NOW)
    store.mark_filed([(Source(name="two", url="", categories=("cn",)), "r1")])
    known_still = replace(one, url="", categories=("tech",))
    assert store.departed_sources({"two"}) == (known_still,)
    assert store.departed_sources(()) == (known_still, Source(name="two", url="", categories=("cn",)))


def test_a_source_that_was_filed_by_a_version_before_is_known_by_its_filings(store: Store) -> None:
    put(store, ingest(1, slugs=["tech"]), ingest(2, slugs=["cn"], rule="a rule"))
    assert store.departed_sources(()) == (Source(name="one", url="", categories=("tech",)),)


def test_sources_without_items_are_filed_by_any_rules(store: Store) -> None:
    put(store, ingest(1))
    store.mark_filed([])
    store.mark_filed([(Source(name=name, url=""), "r1") for name in ("two", "three")])
    assert store.filed_digests() == {"one": None, "two": "r1", "three": "r1"}
    put(store, ingest(2, "two"), source="two")
    assert store.filed_digests()["two"] == "r1"


# --- ledger, explain


def test_the_ledger_keeps_the_first_time_of_a_fact(store: Store) -> None:
    note = LedgerNote(kind="dropped", reason="rule no ads", key=url(5).text, title="Ad", link="https://example.org/5")
    for at in (NOW, LATER):
        put(store, now=at, notes=[note])
    put(store, now=LATER, source="two", notes=[note])
    (found,) = store.explain([url(5).text])
    assert (found.item_id, found.title, found.ref) == (None, "Ad", url(5).text)
    assert [(entry.at, entry.source) for entry in found.ledger] == [(NOW, "one"), (LATER, "two")]
    assert [each.ref for each in store.explain(["https://example.org/5"])] == ["https://example.org/5"]


def test_facts_are_told_in_the_order_of_their_time(store: Store) -> None:
    for at, reason in ((LATER, "second"), (NOW, "first")):
        put(store, now=at, notes=[LedgerNote(kind="dropped", reason=reason, title=reason, link="https://a.example/")])
    (told,) = store.explain(["https://a.example/"])
    assert ([entry.reason for entry in told.ledger], told.title) == (["first", "second"], "second")


def test_a_fact_that_differs_in_any_part_is_another_fact(store: Store) -> None:
    fact = LedgerNote(kind="dropped", reason="no ads", item_id=item_id(1), title="Ad", link="https://example.org/5")
    changes = ({"kind": "rejected"}, {"reason": "no spam"}, {"title": "Advert"}, {"link": None})
    others = [replace(fact, **change) for change in changes]
    put(store, ingest(1), ingest(2), notes=[fact, *others, replace(fact, item_id=item_id(2))])
    put(store, notes=[replace(fact, key=url("a").text)])
    put(store, now=LATER, notes=[fact, *others])
    one, two = store.explain([item_id(1), item_id(2)])
    assert [(entry.kind, entry.reason, entry.title, entry.link) for entry in one.ledger] == [
        (note.kind, note.reason, note.title, note.link) for note in [fact, *others]
    ]
    assert len(two.ledger) == 1
    assert [each.item_id for each in store.explain([url("a").text])] == [item_id(1)]


@pytest.mark.parametrize(
    "ref",
    [
        item_id(0xABCDEF12),
        item_id(0xABCDEF12).upper().replace("URN:UUID:", "urn:uuid:"),
        item_id(0xABCDEF12).removeprefix("urn:uuid:"),
        item_id(0xABCDEF12).removeprefix("urn:uuid:").replace("-", ""),
        "abcdef12",
        "abcdef12-0000",
        url(0xABCDEF12).text,
        "infoCode:A",
    ],
)
def test_explain_finds_an_item_by_id_prefix_and_key(store: Store, ref: str) -> None:
    put(store, ingest(0xABCDEF12, keys=[named("A"), url(0xABCDEF12)]), ingest(0xABCDE))
    (found,) = store.explain([ref, ref])
    assert (found.ref, found.item_id, found.owner, found.title) == (
        ref,
        item_id(0xABCDEF12),
        "one",
        f"Story {0xABCDEF12}",
    )
    assert found.keys == ("infoCode:A", url(0xABCDEF12).text, f"signature:one:Story {0xABCDEF12}")
    assert (found.published_at, found.updated_at, found.removed_at, found.outputs) == (NOW, NOW, None, ())
    assert found.memberships == (("tech", "source", "one"),)


@pytest.mark.parametrize("ref", ["", "abcdef1", "nothing", "urn:uuid:", "100%", "' OR 1=1 --"])
def test_explain_of_what_is_unknown_is_empty(store: Store, ref: str) -> None:
    put(store, ingest(0xABCDEF12))
    assert store.explain([ref]) == ()


def test_explain_tells_every_sighting_and_its_ledger_entries_only(store: Store) -> None:
    merged = LedgerNote(kind="duplicate", reason="by url", item_id=item_id(1), key=url(1).text, title="Story 1")
    other = LedgerNote(kind="reused", reason="guid came back", item_id=item_id(2), key=url(1).text, title="Story 2")
    put(store, ingest(1), ingest(2))
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", now=LATER, notes=[merged, other])
    (found,) = store.explain([item_id(1)])
    assert [(seen.source, seen.first_seen_at, seen.link) for seen in found.sightings] == [
        ("one", NOW, "https://example.org/1"),
        ("two", LATER, "https://example.org/1"),
    ]
    assert [entry.kind for entry in found.ledger] == ["duplicate"]
    assert [each.item_id for each in store.explain([url(1).text])] == [item_id(1), item_id(2)]


def test_a_link_of_a_merged_record_leads_to_its_item(store: Store) -> None:
    put(store, ingest(1))
    note = LedgerNote(kind="repeat", reason="twice", item_id=item_id(1), title="Again", link="https://example.org/x?y")
    put(store, notes=[note])
    assert [each.item_id for each in store.explain(["https://example.org/x?y"])] == [item_id(1)]


# --- search


def test_search_finds_words_and_chinese_of_one_two_and_more_characters(store: Store) -> None:
    put(
        store,
        ingest(1, title="央行宣布降准", wording={"content": "<p>金融消息：中国<b>银行</b></p>"}),
        ingest(2, title="Chips and Semiconductors", wording={"summary": "About &lt;chips&gt; made in Europe"}),
        ingest(3, title="行情", wording={"content": None}),
    )
    expected = {
        "降准": {1},
        "宣布降准": {1},
        "准": {1},
        "行": {1, 3},
        "chips": {2},
        "CHIPS europe": {2},
        "金融 降准": {1},
        "降准 chips": set(),
        "布准": set(),
        "": set(),
        '"*': set(),
        "消息 中国银行": {1},
        "息中": set(),
    }
    assert {query: {int(hit.id[-12:], 16) for hit in store.search(query, 10)} for query in expected} == expected


def test_a_word_in_the_title_comes_before_one_in_the_text(store: Store) -> None:
    put(
        store,
        ingest(1, title="Something", wording={"content": "<p>chips and more words that stand here</p>"}),
        ingest(2, title="Chips again", wording={"content": "<p>nothing else</p>"}),
    )
    hits = store.search("chips", 10)
    assert [hit.id for hit in hits] == [item_id(2), item_id(1)]
    assert [hit.id for hit in store.search("chips", 1)] == [item_id(2)]
    put(store, ingest(3, title="Chips again", wording={"content": "<p>nothing else</p>"}))
    assert [hit.id for hit in store.search("chips", 2)] == [item_id(3), item_id(2)]
    assert (hits[1].title, hits[1].link, hits[1].source) == ("Something", "https://example.org/1", "one")
    assert hits[1].snippet == "chips and more words that stand here"


@pytest.mark.parametrize(
    ("query", "begin", "end"),
    [
        pytest.param("150", "…2 143 144", "158 159 消息银行", id="near the end"),
        pytest.param("100", "100 101", "128 129…", id="at the beginning"),
        pytest.param("130 120", "…2 113 114", "141 14…", id="the first of two"),
        pytest.param("消息银行", "…2 153 154", "159 消息银行", id="a run of Chinese"),
        pytest.param("titled", "100 101", "128 129…", id="in the title only"),
    ],
)
def test_a_hit_shows_the_text_around_what_was_asked_for(store: Store, query: str, begin: str, end: str) -> None:
    words = " ".join(map(str, range(100, 160)))
    put(store, ingest(1, title="Titled", wording={"content": f"<p>{words} 消息银行</p>"}))
    snippet = store.search(query, 1)[0].snippet
    assert (snippet[: len(begin)], snippet[-len(end) :]) == (begin, end)


def test_search_follows_an_edit_by_the_owner_only(store: Store) -> None:
    put(store, ingest(1, title="Before"))
    put(store, ingest(1, "two", Verdict.DUPLICATE, title="Elsewhere"), source="two")
    put(store, ingest(1, verdict=Verdict.CHANGED, title="After"))
    assert [len(store.search(query, 5)) for query in ("before", "elsewhere", "after")] == [0, 0, 1]


# --- retention


def prune(store: Store, *, before=None, keep=None, forget=NOW - 700 * DAY, now=NOW + 100 * DAY):
    return store.prune(offered_before=before, keep_per_category=keep, forget_before=forget, now=now)


def test_retention_removes_what_left_long_ago_and_remembers_its_keys(store: Store) -> None:
    put(store, ingest(1), ingest(2), complete=True)
    put(store, ingest(2, verdict=Verdict.SEEN), now=LATER, complete=True)
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="one", last_success_at=LATER + HOUR))
    publish(store)
    assert prune(store, before=LATER).items == 0
    assert prune(store, before=LATER + HOUR).items == 1
    assert due_outputs(store).keys() == {"all", "tech"}
    found = known(store, "one", url(1)).items[url(1).text]
    assert found.removed
    assert found.sighting
    assert (found.sighting.guid, found.sighting.offered) == ("1", False)
    assert [hit.id for hit in store.search("story", 5)] == [item_id(2)]
    explained = store.explain([item_id(1)])[0]
    assert (explained.removed_at, explained.sightings[0].left_at) == (NOW + 100 * DAY, LATER)


def test_a_removed_item_has_no_wording_and_no_place_in_a_category(store: Store) -> None:
    put(store, ingest(1))
    prune(store, before=LATER)
    refile(store, lambda _: filed_in("cn"))
    assert (store.newest("cn", 5), store.explain([item_id(1)])[0].memberships) == ((), ())


def test_what_a_healthy_source_offers_is_never_removed(store: Store) -> None:
    put(store, ingest(1), complete=True)
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="one", last_success_at=NOW + 99 * DAY))
    assert prune(store, before=NOW + 90 * DAY, keep=0).items == 0
    assert ids(store, "tech") == [1]
    assert prune(store, before=NOW + 99 * DAY + HOUR).items == 1


def test_one_source_that_still_offers_an_item_keeps_it(store: Store) -> None:
    put(store, ingest(1), complete=True)
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", complete=True)
    put(store, now=LATER, complete=True)
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="two", last_success_at=NOW + 99 * DAY))
    assert prune(store, before=NOW + 90 * DAY).items == 0
    assert ids(store, "all") == [1]


def test_a_removed_item_is_not_shown_again_but_learns_keys(store: Store) -> None:
    put(store, ingest(1))
    prune(store, before=LATER)
    again = [
        ingest(1, verdict=Verdict.CHANGED),
        ingest(1, verdict=Verdict.REMOVED, gained=[url("new address")]),
    ]
    assert put(store, *again, now=LATER) == frozenset()
    assert store.newest("all", 5) == ()
    assert known(store, "one", url("new address")).items[url("new address").text].removed


def test_keys_and_ledger_are_forgotten_after_their_time(store: Store) -> None:
    note = LedgerNote(kind="dropped", reason="rule", title="Ad", link="https://example.org/ad")
    put(store, ingest(1), notes=[note])
    prune(store, before=LATER, now=NOW + DAY)
    report = prune(store, before=LATER, forget=NOW + DAY)
    assert (report.items, report.keys, report.ledger) == (0, 0, 1)
    report = prune(store, forget=NOW + 2 * DAY)
    assert (report.items, report.keys, report.ledger) == (0, 3, 0)
    assert known(store, "one", url(1)).items == {}
    assert put(store, ingest(1)) == {"all", "tech"}


def test_items_beyond_the_newest_leave_a_category_unless_offered(store: Store) -> None:
    old = [
        ingest(number, slugs=["tech", "cn"] if number == 3 else ["tech"], published_at=NOW - number * HOUR)
        for number in range(6)
    ]
    put(store, *old, complete=True)
    put(store, *(ingest(number, verdict=Verdict.SEEN) for number in (0, 5)), now=LATER, complete=True)
    publish(store)
    assert prune(store, keep=2).items == 2
    assert ids(store, "tech") == [0, 1, 5]
    assert ids(store, "cn") == [3]
    assert ids(store, "all") == [0, 1, 3, 5]
    assert due_outputs(store).keys() == {"all", "tech", "cn"}
    assert prune(store, keep=3).items == 0


def test_no_limits_remove_nothing(store: Store) -> None:
    put(store, ingest(1), complete=True)
    assert prune(store).items == 0


def test_retention_of_many_items_goes_in_parts(store: Store) -> None:
    put(store, *(ingest(number) for number in range(1100)))
    report = prune(store, before=LATER)
    assert (report.items, store.item_count()) == (1100, 0)


# --- many at once


def test_two_writers_lose_nothing(store: Store) -> None:
    failures: list[BaseException] = []

    def work(source: str, base: int) -> None:
        try:
            for number in range(base, base + 25):
                put(store, ingest(number, source), source=source)
                store.newest("tech", 3)
        except FeedhubError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(name, base)) for name, base in (("a", 0), ("b", 100), ("c", 200))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.newest("all", 500)) == 75


def test_a_backup_never_overwrites(store: Store, tmp_path: Path) -> None:
    target, link = tmp_path / "there.db", tmp_path / "link.db"
    target.write_text("precious")
    link.symlink_to("nowhere")
    for path in (target, link):
        with pytest.raises(StoreError, match="is there already"):
            store.backup(str(path))
    assert (target.read_text(), link.is_symlink()) == ("precious", True)


def test_a_backup_that_was_killed_is_no_hindrance_to_the_next(store: Store, tmp_path: Path) -> None:
    (tmp_path / "copy.db.part").write_text("half of a backup")
    store.backup(str(tmp_path / "copy.db"))
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


# --- categories that records bring, and posts ---------------------------------------------------------------------


def test_a_title_keeps_its_slug_and_a_colliding_one_gets_a_suffix(store: Store) -> None:
    with store.transaction() as transaction:
        assert transaction.find_or_add_category("TechWeb", "techweb", NOW) == "techweb"
        assert transaction.find_or_add_category("Techweb", "techweb", NOW) == "techweb-2"
        assert transaction.find_or_add_category("TechWeb", "other", NOW) == "techweb"
    assert [(one.slug, one.title) for one in store.categories()][-2:] == [
        ("techweb", "TechWeb"),
        ("techweb-2", "Techweb"),
    ]
    assert "techweb" in due_outputs(store)
    store.sync_categories(categories("tech", "cn", "more", "zoo"), NOW, from_records=True)
    assert [one.slug for one in store.categories()] == ["tech", "cn", "more", "zoo", "techweb", "techweb-2"]


def test_a_declared_title_is_found_and_its_slug_set_by_hand_wins(store: Store) -> None:
    with store.transaction() as transaction:
        assert transaction.find_or_add_category("界面新闻", "jiemianxinwen", NOW) == "jiemianxinwen"
    declared = Category(slug="jiemian", title="界面新闻")
    store.sync_categories([declared], NOW, from_records=True)
    with store.transaction() as transaction:
        assert transaction.find_or_add_category("界面新闻", "jiemianxinwen", NOW) == "jiemian"
    assert [one.slug for one in store.categories()] == ["jiemian"]


def test_categories_of_records_stay_while_records_may_bring_them_or_they_hold_items(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.find_or_add_category("Empty", "empty", NOW)
        transaction.find_or_add_category("Held", "held", NOW)
    put(store, ingest(1, slugs=("held",)))
    store.sync_categories((), NOW, from_records=True)
    assert [one.slug for one in store.categories()] == ["empty", "held"]
    store.sync_categories((), NOW, from_records=False)
    assert [one.slug for one in store.categories()] == ["held"]


def test_posts_are_the_memberships_touched_since_a_change(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    first = store.change_number()
    assert [(slug, item.item.title) for slug, item in store.posts(0)] == [("tech", "Story 1"), ("tech", "Story 2")]
    assert list(store.posts(first)) == []
    put(store, ingest(1, verdict=Verdict.SEEN), ingest(2, verdict=Verdict.CHANGED), now=LATER)
    assert [item.item.title for _, item in store.posts(first)] == ["Story 2"]
    put(store, ingest(2, verdict=Verdict.CHANGED, slugs=["tech", "cn"]), now=LATER)
    put(store, ingest(1, verdict=Verdict.CHANGED), now=LATER)
    assert [(slug, item.item.title) for slug, item in store.posts(first)] == [
        ("cn", "Story 2"),
        ("tech", "Story 2"),
        ("tech", "Story 1"),
    ]


def test_keys_can_be_looked_up_outside_of_a_transaction(store: Store) -> None:
    assert store.known_keys("one", [url(1)]).items == {}
    put(store, ingest(1))
    assert store.known_keys("one", [url(1)]).items[url(1).text].sighting is not None
    with store.transaction() as transaction:
        stored = transaction.wording("one", store.newest("all", 1)[0].id)
        assert stored is not None
        assert stored.title == "Story 1"
        assert transaction.wording("two", store.newest("all", 1)[0].id) is None


def test_a_source_that_repeats_an_item_signs_it_as_its_owner_does(store: Store) -> None:
    put(store, ingest(1))
    retold = ingest(1, "two", Verdict.DUPLICATE, title="Retold")
    put(store, retold, source="two")
    assert known(store, "two", retold.decision.keyed.signature).items.keys() == {"signature:two:Retold"}


def test_an_item_keeps_one_signature_per_source_however_often_it_is_edited(store: Store) -> None:
    put(store, ingest(1, title="a0"))
    put(store, ingest(1, "two", Verdict.DUPLICATE, title="b0"), source="two")
    for number in range(1, 4):
        put(store, ingest(1, verdict=Verdict.CHANGED, title=f"a{number}"))
    signatures = [key for key in store.explain([item_id(1)])[0].keys if key.startswith("signature:")]
    assert sorted(signatures) == ["signature:one:a3", "signature:two:b0"]


@pytest.mark.parametrize("source", ["one", "two"])
def test_a_removed_item_is_not_forgotten_while_anybody_offers_it(store: Store, source: str) -> None:
    old = NOW - 800 * DAY
    put(store, ingest(1), now=old)
    limits = {"offered_before": old + DAY, "keep_per_category": None, "forget_before": old, "now": old + 2 * DAY}
    assert store.prune(**limits).items == 1
    back = ingest(1, source, Verdict.REMOVED, reoffered=True)
    put(store, replace(back, item=None), source=source, now=old + 3 * DAY)
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name=source, last_success_at=NOW))
    later = {"offered_before": None, "keep_per_category": None, "forget_before": NOW - 700 * DAY, "now": NOW}
    assert store.prune(**later).keys == 0
    sighting = known(store, source, url(1)).items[url(1).text].sighting
    assert sighting is not None
    assert sighting.offered
    put(store, ingest(2), source=source, complete=True, now=NOW)
    assert store.prune(**later).keys == 0
    assert store.prune(**{**later, "forget_before": NOW + DAY}).keys > 0
    assert known(store, source, url(1)).items == {}


def test_it_is_told_what_a_title_is_and_how_many_categories_the_records_of_a_source_brought(store: Store) -> None:
    store.sync_categories([Category(slug="news", title="News")], NOW, from_records=True)
    with store.transaction() as transaction:
        assert transaction.find_category("One") is None
        slug = transaction.find_or_add_category("One", "one", NOW)
        assert (transaction.find_category("One"), transaction.find_category("News")) == (slug, "news")
        assert transaction.count_record_categories("a") == 0
    put(store, *(ingest(number, "a", slugs=["news", "one"]) for number in (1, 2)), source="a")
    with store.transaction() as transaction:
        assert (transaction.count_record_categories("a"), transaction.count_record_categories("b")) == (1, 0)


def test_of_two_categories_with_one_title_the_first_is_meant(store: Store) -> None:
    store.sync_categories([Category(slug=slug, title="Same") for slug in ("z", "a")], NOW)
    with store.transaction() as transaction:
        assert transaction.find_category("Same") == "z"
        assert transaction.find_or_add_category("Same", "same", NOW) == "z"


def test_the_texts_a_source_offers_are_known_by_their_digests(store: Store) -> None:
    put(store, ingest(1), ingest(2), complete=True)
    put(store, ingest(2, verdict=Verdict.CHANGED, title="Edited"), complete=True, now=LATER)
    put(store, ingest(3, "two"), source="two")
    assert store.offered_texts("one") == {"text Edited"}
    assert store.offered_texts("nobody") == frozenset()


def test_the_newest_of_several_categories_are_those_of_each(store: Store) -> None:
    put(store, *(ingest(number, slugs=["tech"]) for number in range(4)), ingest(9, slugs=["cn", "tech"]))
    newest = store.newest_by_category(["cn", "tech", "none"], 3)
    assert newest == {slug: store.newest(slug, 3) for slug in ("cn", "tech", "none")}
    assert [len(items) for items in newest.values()] == [1, 3, 0]
    assert store.newest_by_category([], 3) == {}


def test_a_renamed_source_keeps_state_items_keys_and_history(store: Store) -> None:
    long = "g" * 400
    of_long = ingest(2, keys=[guid("one", long)])
    its = of_long.decision.keyed
    its = replace(its, said=replace(its.said, guid=long))
    of_long = replace(of_long, decision=replace(of_long.decision, keyed=its))
    put(store, ingest(1, keys=[guid("one", "g1")]), of_long)
    put(store, ingest(3, "ones", keys=[guid("ones", "g1")]), source="ones")
    with store.transaction() as transaction:
        for name in ("one", "ones"):
            transaction.save_state(replace(transaction.state(name), title=name.title(), last_poll_at=NOW))
        transaction.rename_source("one", "two")
        transaction.rename_source("nobody", "ones")
        assert transaction.state("two").title == "One"
    assert {state.name for state in store.states()} == {"two", "ones"}
    found = known(store, "two", guid("two", "g1"), guid("two", long), guid("one", "g1"), guid("ones", "g1")).items
    assert set(found) == {guid("two", "g1").text, guid("two", long).text, guid("ones", "g1").text}
    with store.transaction() as transaction:
        transaction.rename_source("two", "ones")
    assert {state.name for state in store.states()} == {"two", "ones"}
