"""What pages and archives ask of every store."""

from datetime import UTC, datetime
from threading import Thread

from feedhub.model.identity import Verdict
from feedhub.model.output import OtherSource
from feedhub.model.source import SourceState
from feedhub.ports.store import Store
from support.builders import DAY, HOUR, NOW, categories, ingest, item_id, put
from support.following import due_outputs

LATER = NOW + HOUR
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def touched(store: Store, since: int) -> list[str]:
    return [page.item.id for page in store.page_items(since)]


def test_in_a_snapshot_all_is_as_of_one_moment(store: Store) -> None:
    put(store, ingest(1, slugs=("cn",)))

    def known() -> tuple[list[str], int, dict[str, int], int]:
        return touched(store, -1), store.change_number(), due_outputs(store), len(store.newest("cn", 9))

    with store.snapshot():
        before = known()
        writer = Thread(target=put, args=(store, ingest(2, slugs=("cn", "tech"))))
        writer.start()
        writer.join()
        assert known() == before
    after = known()
    assert (after[0], after[3]) == ([item_id(1), item_id(2)], 2)
    assert set(after[2]) == {"all", "cn", "tech"}


def test_a_page_item_has_its_categories_and_who_else_reported_it(store: Store) -> None:
    put(store, ingest(1, slugs=("cn", "tech")))
    again = ingest(1, "two", Verdict.DUPLICATE, slugs=("cn",), wording={"link": "https://two.example/1"})
    put(store, again, source="two", now=LATER)
    put(store, ingest(1, "three", Verdict.DUPLICATE), source="three", now=LATER + HOUR)
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="two", title="The Second"))
    (page,) = store.page_items(-1)
    assert (page.item.item.title, page.item.source, page.removed) == ("Story 1", "one", False)
    assert (page.slugs, page.item.categories) == (("tech", "cn"), ("Tech", "Cn"))
    assert page.also == (
        OtherSource(source="two", title="The Second", link="https://two.example/1"),
        OtherSource(source="three", title="", link="https://example.org/1"),
    )


def test_items_are_found_by_the_change_that_touched_them(store: Store) -> None:
    assert touched(store, -1) == []
    put(store, ingest(1), ingest(2), ingest(3))
    first = store.change_number()
    assert touched(store, -1) == touched(store, 0) == [item_id(1), item_id(2), item_id(3)]
    assert touched(store, first) == []
    put(store, ingest(1, verdict=Verdict.SEEN), ingest(2, verdict=Verdict.CHANGED), now=LATER)
    assert touched(store, first) == [item_id(2)]
    assert touched(store, store.change_number()) == []


def test_a_further_report_touches_an_item_though_no_output_shows_it(store: Store) -> None:
    put(store, ingest(1))
    first, due = store.change_number(), due_outputs(store)
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", now=LATER)
    assert touched(store, first) == [item_id(1)]
    assert due_outputs(store) == due
    second = store.change_number()
    put(store, ingest(1, "two", Verdict.CHANGED, title="Retold"), source="two", now=LATER + HOUR)
    assert touched(store, second) == [item_id(1)]


def test_removed_items_are_touched_and_said_to_be_removed(store: Store) -> None:
    put(store, ingest(1, published_at=NOW - 100 * DAY), ingest(2), now=NOW - 99 * DAY)
    put(store, ingest(2, verdict=Verdict.SEEN), complete=True, now=NOW - 98 * DAY)
    with store.transaction() as transaction:
        transaction.save_state(SourceState(name="one", last_success_at=NOW))
    before = store.change_number()
    store.prune(offered_before=NOW - DAY, keep_per_category=None, forget_before=NOW - 700 * DAY, now=NOW)
    (page,) = store.page_items(before)
    assert (page.item.id, page.removed, page.slugs) == (item_id(1), True, ())
    assert page.item.published_at == NOW - 100 * DAY
    assert {page.item.id: page.removed for page in store.page_items(-1)} == {item_id(1): True, item_id(2): False}


def test_nobody_reports_an_item_that_was_removed(store: Store) -> None:
    put(store, ingest(1), now=NOW - 99 * DAY)
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", now=NOW - 99 * DAY)
    store.prune(offered_before=NOW, keep_per_category=None, forget_before=NOW - 700 * DAY, now=NOW)
    assert [(page.removed, page.also) for page in store.page_items(-1)] == [(True, ())]


def test_an_item_that_retention_takes_out_of_a_category_is_touched(store: Store) -> None:
    put(store, ingest(1, slugs=("tech", "cn"), published_at=NOW - DAY), ingest(2, slugs=("tech",)))
    put(store, ingest(3, slugs=("tech",)), complete=True)
    before = store.change_number()
    store.prune(offered_before=None, keep_per_category=1, forget_before=NOW - 700 * DAY, now=NOW)
    assert item_id(1) in touched(store, before)
    assert {page.item.id: page.slugs for page in store.page_items(-1)}[item_id(1)] == ("cn",)


def test_items_between_two_instants_come_in_the_order_of_the_output(store: Store) -> None:
    put(store, *(ingest(number, published_at=NOW - number * DAY, slugs=("tech",)) for number in range(1, 6)))
    put(store, ingest(9, published_at=NOW - 3 * DAY, slugs=("cn",), position=1))
    since, until = NOW - 4 * DAY, NOW - DAY
    assert [version.id for version in store.item_versions("tech", since, until)] == [item_id(2), item_id(3), item_id(4)]
    assert [version.id for version in store.item_versions("all", since, until)] == [
        item_id(2),
        item_id(3),
        item_id(9),
        item_id(4),
    ]
    assert [version.id for version in store.item_versions("all", since, until, 2)] == [item_id(2), item_id(3)]
    assert store.item_versions("tech", since, until, 0) == ()
    assert [version.published_at for version in store.item_versions("cn", since, until)] == [NOW - 3 * DAY]
    assert (store.count_between("tech", since, until), store.count_between("all", since, until)) == (3, 4)
    assert store.count_between("tech", FIRST, LAST) == 5
    assert store.item_versions("nothing", FIRST, LAST) == ()


def test_parts_begin_with_the_same_items_until_one_comes_or_goes_before_them(store: Store) -> None:
    put(store, *(ingest(number, published_at=NOW - number * DAY, slugs=("tech",)) for number in range(1, 6)))
    starts = {slug: store.part_starts(slug, FIRST, LAST, 99, 2) for slug in ("tech", "all", "cn")}
    assert starts["tech"] == starts["all"]
    assert (len(starts["all"]), starts["cn"]) == (3, ())
    put(store, ingest(3, verdict=Verdict.CHANGED), now=LATER)
    assert store.part_starts("tech", FIRST, LAST, 99, 2) == starts["tech"]
    assert store.part_starts("tech", FIRST, LAST, 3, 2) == starts["tech"][1:]
    since = NOW - 4 * DAY
    assert store.part_starts("tech", since, NOW, 99, 2) == store.part_starts("all", since, NOW, 99, 2)
    put(store, ingest(7, published_at=NOW - 3 * DAY + HOUR, slugs=("tech",)), now=LATER)
    now = store.part_starts("tech", FIRST, LAST, 99, 2)
    assert [one == before for one, before in zip(now, starts["tech"], strict=True)] == [True, True, False]
    skipped = store.item_versions("tech", FIRST, LAST, 2, 1)
    assert [version.id for version in skipped] == [item_id(2), item_id(7)]


def test_a_mark_tells_the_change_that_touched_the_item(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    first = store.change_number()
    put(store, ingest(2, verdict=Verdict.CHANGED), now=LATER)
    assert {version.id: version.change_number for version in store.item_versions("tech", FIRST, LAST)} == {
        item_id(1): first,
        item_id(2): store.change_number(),
    }


def test_the_newest_item_before_an_instant(store: Store) -> None:
    put(store, ingest(1, published_at=NOW - DAY), ingest(2, published_at=NOW - 40 * DAY, slugs=("cn",)))
    assert store.published_before("all", LAST) == NOW - DAY
    assert store.published_before("all", NOW - DAY) == NOW - 40 * DAY
    assert store.published_before("tech", NOW - DAY) is None
    assert store.published_before("cn", LAST) == NOW - 40 * DAY


def test_chosen_items_are_shown_as_among_the_newest(store: Store) -> None:
    put(store, *(ingest(number, published_at=NOW - number * DAY) for number in range(1, 5)))
    put(store, ingest(2, "two", Verdict.DUPLICATE, title="Retold", slugs=("cn",)), source="two")
    newest = {item.id: item for item in store.newest("tech", 10)}
    assert store.items_by_id("tech", [item_id(4), item_id(2), item_id(99)]) == (newest[item_id(2)], newest[item_id(4)])
    assert [item.item.title for item in store.items_by_id("cn", [item_id(2), item_id(4)])] == ["Retold"]
    assert [item.item.title for item in store.items_by_id("all", [item_id(2)])] == ["Story 2"]
    for slug in ("tech", "cn", "all"):
        shown = {item.id: item.source for item in store.newest(slug, 10)}
        assert {version.id: version.source for version in store.item_versions(slug, FIRST, LAST)} == shown


def test_the_later_of_two_items_whose_ids_begin_alike_is_the_twin(store: Store) -> None:
    one, other = 0x1_0000_0001, 0x1_0000_0002  # the same first eight digits, as the ids are made here
    assert item_id(one)[:17] == item_id(other)[:17]
    put(store, ingest(other), ingest(7))
    put(store, ingest(one), now=LATER)
    assert {page.item.id: page.item.is_twin for page in store.page_items(-1)} == {
        item_id(other): False,
        item_id(7): False,
        item_id(one): True,
    }


def test_when_each_source_last_gave_something_new(store: Store) -> None:
    put(store, ingest(1))
    put(store, ingest(2), now=LATER)
    put(store, ingest(1, "two", Verdict.DUPLICATE), source="two", now=LATER + HOUR)
    put(store, source="silent")
    assert store.last_new_at() == {"one": LATER, "two": LATER + HOUR}


def test_a_category_that_was_removed_is_remembered_with_what_it_showed(store: Store) -> None:
    put(store, *(ingest(number, published_at=NOW - number * HOUR, slugs=("tech",)) for number in (1, 2, 3)))
    put(store, ingest(2, "two", Verdict.DUPLICATE, title="Retold", slugs=("cn",)), source="two")
    assert store.removed_categories() == ()
    store.sync_categories(categories("cn"), NOW)
    (removed,) = store.removed_categories()
    assert (removed.slug, removed.title, removed.entries, removed.removed_at) == ("tech", "Tech", None, NOW)
    assert [item.id for item in store.last_entries("tech", 9)] == [item_id(1), item_id(2), item_id(3)]
    assert [item.item.title for item in store.last_entries("tech", 2)] == ["Story 1", "Story 2"]
    assert store.last_entries("cn", 9) == ()


def test_a_removal_is_dated_once(store: Store) -> None:
    store.sync_categories(categories("tech"), NOW + HOUR)
    store.sync_categories([], NOW + DAY)
    store.sync_categories([], NOW + 2 * DAY)
    assert {one.slug: one.removed_at for one in store.removed_categories()} == {"cn": NOW + HOUR, "tech": NOW + DAY}


def test_a_category_that_comes_back_was_never_removed(store: Store) -> None:
    store.sync_categories([], NOW)
    store.sync_categories(categories("tech"), NOW)
    with store.transaction() as transaction:
        assert transaction.find_or_add_category("Cn", "cn", NOW) == "cn"
    assert store.removed_categories() == ()


def test_what_is_shown_nowhere_any_more_leaves_the_last_entries(store: Store) -> None:
    put(store, ingest(1, slugs=("tech",)), ingest(2, slugs=("tech",)), now=NOW - 99 * DAY)
    store.sync_categories([], NOW)
    store.prune(offered_before=NOW, keep_per_category=None, forget_before=NOW - 700 * DAY, now=NOW)
    assert store.last_entries("tech", 9) == ()
