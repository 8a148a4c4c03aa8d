"""What ports.QueryStore promises to pages and to feeds of searches, on every store."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from feedhub.model.identity import Evidence, Filing, KeyStrength, LedgerNote, Verdict
from feedhub.model.report import LogQuery
from feedhub.ports.store import Store
from support.builders import DAY, HOUR, NOW, guid, ingest, item_id, plan, put, refile, url


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


# --- explain ---------------------------------------------------------------------------------------------------------


def test_a_sighting_tells_what_its_source_said_and_when_each_key_came(store: Store) -> None:
    first = ingest(1, wording={"published_at": NOW - HOUR, "content": "<p>Words</p>"})
    said = replace(first.decision.keyed.said, evidence=Evidence(published_at=NOW - HOUR, files="f"))
    put(store, replace(first, decision=replace(first.decision, keyed=replace(first.decision.keyed, said=said))))
    more = ingest(1, "two", Verdict.DUPLICATE, gained=[guid("two", 1)], wording={"content": " ", "summary": None})
    put(store, more, source="two", now=NOW + HOUR)
    (found,) = store.explain([item_id(1)])
    one, two = found.sightings
    assert (one.said.guid, one.said.url_key, one.date) == ("1", url(1).text, NOW - HOUR)
    assert one.said.evidence == Evidence(published_at=NOW - HOUR, files="f")
    assert (one.text_digest != "", two.text_digest, two.date, two.said.evidence) == (True, "", None, Evidence())
    assert {(key.text, key.strength, key.since) for key in found.key_reports} == {
        (url(1).text, KeyStrength.URL, NOW),
        (guid("one", 1).text, KeyStrength.GUID, NOW),
        (guid("two", 1).text, KeyStrength.GUID, NOW + HOUR),
        ("signature:one:Story 1", KeyStrength.SIGNATURE, NOW),
        ("signature:two:Story 1", KeyStrength.SIGNATURE, NOW + HOUR),
    }
    assert tuple(key.text for key in found.key_reports) == found.keys


def test_addresses_and_guids_that_several_items_have_are_told(store: Store) -> None:
    put(store, ingest(1), ingest(2))
    with store.transaction() as transaction:
        distrusted = replace(plan(ingest(3)), distrusted=(guid("one", 1),), sections=(url(2),))
        transaction.ingest("one", distrusted, NOW, complete=False)
    found = {one.item_id: one.shared for one in store.explain([item_id(number) for number in (1, 2, 3)])}
    assert found == {item_id(1): (guid("one", 1).text,), item_id(2): (url(2).text,), item_id(3): ()}


def test_titles_are_found_by_all_their_words_newest_first(store: Store) -> None:
    put(store, ingest(1, title="央行宣布降准", published_at=NOW - DAY))
    put(store, ingest(2, title="Ferry reopens", published_at=NOW - 2 * DAY, wording={"content": "<p>央行</p>"}))
    put(store, ingest(3, title="央行 speaks"))
    assert [one.item_id for one in store.explain_titles("央行", 10)] == [item_id(3), item_id(1)]
    assert [one.item_id for one in store.explain_titles("降", 10)] == [item_id(1)]
    assert [one.item_id for one in store.explain_titles("REOPENS ferry", 10)] == [item_id(2)]
    assert [one.item_id for one in store.explain_titles("央行", 1)] == [item_id(3)]
    assert (
        store.explain_titles("ferry sails", 10) == store.explain_titles("", 10) == store.explain_titles("%", 10) == ()
    )


@pytest.mark.parametrize("words", ["Loans ÜBER", "贷款", "贷 loans"])
def test_dropped_and_rejected_records_are_found_by_words_of_their_titles(store: Store, words: str) -> None:
    put(store, ingest(1, title="Else"))
    title, link = "Loans über 贷款", "https://example.org/5"
    for key in (url(5).text, guid("one", 5).text):
        put(store, notes=[LedgerNote(kind="dropped", reason='rule "no ads"', key=key, title=title, link=link)])
    (found,) = store.explain_titles(words, 10)
    assert (found.item_id, found.title, [entry.kind for entry in found.ledger]) == (None, title, ["dropped"])
    put(store, now=NOW + HOUR, notes=[LedgerNote(kind="rejected", reason="too long", title=f"More {title}")])
    assert [one.ledger[0].reason for one in store.explain_titles(words, 10)] == ["too long", 'rule "no ads"']
    assert [one.ledger[0].reason for one in store.explain_titles(words, 1)] == ["too long"]


def test_an_item_is_found_by_the_title_that_another_source_gave_it(store: Store) -> None:
    put(store, ingest(1, title="Rates fall"), ingest(2, title="Rates rise"))
    told = [
        LedgerNote(kind="duplicate", reason="by url", item_id=item_id(1), title="Bank cuts", link="https://b.example/"),
        LedgerNote(kind="reused", reason="another", item_id=item_id(2), title="Bank cuts", link="https://b.example/"),
    ]
    put(store, source="two", notes=told)
    assert [one.item_id for one in store.explain_titles("bank cuts", 10)] == [item_id(1)]


def test_a_bounded_number_of_records_is_found_and_each_once(store: Store) -> None:
    notes = [
        LedgerNote(
            kind="dropped", reason="rule", key=url(number).text, title=f"Ad {number}", link=f"https://a/{number}"
        )
        for number in range(40)
    ]
    put(store, *(ingest(number, title=f"Ad {number}") for number in range(5)), notes=notes)
    found = store.explain_titles("ad", 10)
    assert len(found) == len({one.ref for one in found}) == 10
    assert len(store.explain_titles("ad", 100)) == 40


def test_only_the_newest_entries_of_the_ledger_are_searched(store: Store) -> None:
    put(store, notes=[LedgerNote(kind="dropped", reason="rule", title="Needle")])
    assert [one.title for one in store.explain_titles("needle", 1)] == ["Needle"]
    put(store, notes=[LedgerNote(kind="dropped", reason="rule", title=f"Hay {number}") for number in range(20_000)])
    assert store.explain_titles("needle", 1) == ()


def noted(kind: str, title: str, reason: str = "why", **more: Any) -> LedgerNote:
    return LedgerNote(kind=kind, reason=reason, title=title, **more)


def told(store: Store, first: int = 0, count: int = 99, **asked: Any) -> list[str]:
    """The titles of entries of the log."""
    return [entry.title for entry in store.log(LogQuery(**asked), first, count)]


def test_the_log_is_newest_first_in_pages_and_each_record_once(store: Store) -> None:
    for number in range(600):
        keys = [url(number).text, guid("one", number).text]
        notes = [noted("rejected", f"Record {number}", key=key) for key in keys]
        put(store, notes=notes, now=NOW + timedelta(seconds=number))
    assert told(store, count=2) == ["Record 599", "Record 598"]
    assert told(store, 598, 9) == ["Record 1", "Record 0"]
    assert told(store, 600) == []
    assert {entry.key for entry in store.log(LogQuery(), 0, 9)} == {None}


def test_the_log_is_asked_by_source_rule_kind_time_and_words(store: Store) -> None:
    put(store, notes=[noted("dropped", "Cheap loans", 'rule "no ads"'), noted("duplicate", "Rates FALL")])
    put(store, notes=[noted("dropped", "Rates rise", 'rule "no rates"')], source="two", now=NOW + DAY)
    put(store, notes=[noted("repeat", "利率下调")], source="two", now=NOW + 2 * DAY)
    assert told(store) == ["利率下调", "Rates rise", "Rates FALL", "Cheap loans"]
    assert told(store, source="two") == ["利率下调", "Rates rise"]
    assert told(store, rule="no ads") == ["Cheap loans"]
    assert told(store, kinds=("merged",)) == ["利率下调", "Rates FALL"]
    assert told(store, kinds=("dropped", "conflict")) == ["Rates rise", "Cheap loans"]
    assert told(store, since=NOW + DAY) == ["利率下调", "Rates rise"]
    assert told(store, words="fall rates") == ["Rates FALL"]
    assert told(store, words="利率", source="one") == []


def test_what_everybody_may_read_of_the_log_tells_no_words_of_what_is_not_shown(store: Store) -> None:
    put(store, ingest(1, title="Shown"), ingest(2, title="Hidden"), ingest(3, title="Gone by a rule"))
    refile(store, lambda item: Filing(dropped_by="ads" if item.title.startswith("Gone") else None))
    for number in (1, 2, 3):
        put(store, notes=[noted("repeat", f"Merged {number}", item_id=item_id(number))])
    put(store, notes=[noted("dropped", "An ad", 'rule "ads"'), noted("conflict", "Two"), noted("removed", "Old")])
    put(store, notes=[noted("rejected", "Too big"), noted("rejected", "Unwanted", "left out by where: token == 'x'")])
    put(store, notes=[noted("rejected", "Hidden", "too many")])
    put(store, ingest(4, "forgotten", title="Theirs"), source="forgotten", notes=[noted("rejected", "Also theirs")])
    assert store.hide(item_id(2), "", NOW)
    store.forget("forgotten", NOW)
    entries = store.log(LogQuery(is_public=True), 0, 99)
    assert [(one.kind, one.title, one.reason) for one in entries] == [
        ("rejected", "", "left out by where"),
        ("rejected", "Too big", "why"),
        ("dropped", "", 'rule "ads"'),
        ("repeat", "Merged 1", "why"),
        ("dropped", "", 'rule "ads"'),
    ]
    assert {(one.link, one.item_id) for one in entries if not one.title} == {(None, None)}
    assert told(store, is_public=True, words="ad") == told(store, is_public=True, words="unwanted") == []
    assert told(store, is_public=True, words="big") == ["Too big"]
