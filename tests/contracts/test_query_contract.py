"""What ports.QueryStore promises to pages and to feeds of searches, on every store."""

from feedhub.model.identity import Verdict
from feedhub.ports.store import Store
from support.builders import DAY, HOUR, NOW, ingest, put


def numbers(items) -> list[int]:
    return [int(item.id[-12:], 16) for item in items]


def test_what_was_found_is_what_was_stored_last_and_comes_newest_first(store: Store) -> None:
    put(store, ingest(1, title="芯片 one", published_at=NOW - DAY))
    put(store, ingest(2, title="芯片 two", published_at=NOW, slugs=("tech", "cn")))
    put(store, ingest(3, title="nothing of it", published_at=NOW + HOUR))
    put(store, ingest(4, title="芯片 late", published_at=NOW - HOUR))
    assert numbers(store.search_items("芯片", 10)) == [2, 4, 1]
    assert numbers(store.search_items("芯片", 2)) == [2, 4]
    assert store.search_items("芯片", 1)[0].item.title == "芯片 late"
    assert store.search_items("芯片 two", 5)[0].categories == ("Tech", "Cn")
    assert store.search_items("", 5) == store.search_items("unheard", 5) == ()


def test_what_was_found_is_shown_in_the_wording_of_its_owner(store: Store) -> None:
    put(store, ingest(1, title="Before"))
    put(store, ingest(1, "two", Verdict.DUPLICATE, title="Elsewhere"), source="two")
    (item,) = store.search_items("before", 5)
    assert (item.source, item.item.title) == ("one", "Before")


def test_found_items_are_counted_no_further_than_asked(store: Store) -> None:
    put(store, *(ingest(number, title=f"chips {number}") for number in range(1, 8)))
    assert [store.count_matches("chips", most) for most in (3, 7, 100)] == [3, 7, 7]
    assert store.count_matches("chips 7", 100) == 1
    assert store.count_matches("", 100) == 0


def test_days_are_counted_per_source_from_the_first_moment_to_the_last(store: Store) -> None:
    since = NOW - 3 * DAY
    put(store, ingest(1), now=since - HOUR)
    put(store, ingest(2), ingest(3), now=since)
    put(store, ingest(4), now=since + DAY - HOUR)
    put(store, ingest(5), now=NOW - HOUR)
    put(store, ingest(6), now=NOW)
    put(store, ingest(2, "two", Verdict.DUPLICATE), source="two", now=since + DAY)
    assert store.new_items_per_day(since, 3) == {"one": (3, 0, 1), "two": (0, 1, 0)}
    assert store.new_items_per_day(NOW + DAY, 3) == {}
