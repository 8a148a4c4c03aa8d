"""SPEC §4, rule by rule: when two records are one item."""

from dataclasses import replace

import pytest

from feedhub.model.identity import IdentityKey, KeyPattern, KeyStrength, Verdict
from feedhub.rules.identity import item_id, key_text, keyed_document
from support.library import INFO_CODE, Library, day, record, source_with

CODE = "202112272227369128"
OTHER_CODE = "202205302396671645"


# --- one key after the other -------------------------------------------------------------------------------------


def test_the_same_info_code_in_id_and_link_is_one_item_across_sources() -> None:
    library = Library()
    assert library.verdicts("a", record("One", guid=CODE, link="https://a.example/1")) == ["new"]
    assert library.verdicts("b", record("Uno", link=f"https://b.example/s?infoCode=NW{CODE}")) == ["duplicate"]
    assert len(library.items) == 1


def test_two_info_codes_with_one_url_are_two_items() -> None:
    library = Library()
    link = "https://a.example/flash"
    assert library.verdicts("a", record("One", guid=CODE, link=link)) == ["new"]
    assert library.verdicts("b", record("Two", guid=OTHER_CODE, link=link)) == ["new"]
    assert library.verdicts("c", record("Three", link=link)) == ["duplicate"]
    assert len(library.items) == 2


def test_two_info_codes_with_one_url_and_one_title_in_one_document_are_two_items() -> None:
    library = Library()
    link = "https://a.example/flash"
    records = [record("Flash", guid=CODE, link=link), record("Flash", guid=OTHER_CODE, link=link)]
    assert library.verdicts("a", *records) == ["new", "new"]
    assert library.verdicts("a", *records) == ["seen", "seen"]


def test_an_item_that_just_gained_an_info_code_is_not_the_item_of_another_one() -> None:
    library = Library()
    link = "https://a.example/flash"
    library.poll("a", record("Flash", link=link))
    records = [record("Flash", guid=CODE, link=link), record("Flash", guid=OTHER_CODE, link=link)]
    assert library.verdicts("b", *records) == ["duplicate", "new"]


@pytest.mark.parametrize(
    "link",
    [
        "http://a.example/story",
        "https://A.example:443/story#top",
        "https://a.example/story?utm_source=x&fbclid=1",
    ],
)
def test_one_address_in_many_spellings_is_one_item_across_sources(link: str) -> None:
    library = Library()
    library.poll("a", record("Story", link="https://a.example/story"))
    assert library.verdicts("b", record("The story", link=link)) == ["duplicate"]


def test_other_parameters_are_other_items() -> None:
    library = Library()
    records = [record(str(n), link=f"https://a.example/view?id={n}") for n in range(3)]
    assert library.verdicts("a", *records) == ["new"] * 3


def test_a_guid_holds_within_its_source_only() -> None:
    library = Library()
    assert library.verdicts("a", record("One", guid="7")) == ["new"]
    assert library.verdicts("b", record("One", guid="7")) == ["new"]
    assert library.verdicts("a", record("One", guid="7")) == ["seen"]


def test_guids_that_differ_only_in_case_are_two_items() -> None:
    library = Library()
    assert library.verdicts("a", record("One", guid="abc"), record("Two", guid="ABC")) == ["new", "new"]


def test_without_link_and_guid_title_and_text_recognise_an_item_within_its_source() -> None:
    library = Library()
    assert library.verdicts("a", record("Rain", text="all day")) == ["new"]
    assert library.verdicts("a", record("Rain", text="<p>all  day</p>")) == ["seen"]
    assert library.verdicts("a", record("Rain", text="in the evening")) == ["new"]
    assert library.verdicts("b", record("Rain", text="all day")) == ["new"]


def test_a_front_page_as_link_is_no_key() -> None:
    library = Library()
    records = [record("One", link="https://a.example/"), record("Two", link="https://a.example/")]
    assert library.verdicts("a", *records) == ["new", "new"]
    assert library.verdicts("a", *records) == ["seen", "seen"]


def test_a_record_with_nothing_in_it_is_not_an_item_and_leaves_a_note() -> None:
    library = Library()
    judgement = library.poll("a", record(""))
    assert [decision.verdict.value for decision in judgement.decisions] == ["unidentified"]
    assert judgement.notes[0].kind == "rejected"


def test_an_item_gains_the_keys_it_did_not_have() -> None:
    library = Library()
    library.poll("a", record("One", link="https://a.example/1"))
    library.poll("b", record("Uno", link="https://a.example/1", guid=CODE))
    assert library.verdicts("c", record("Ein", link=f"https://c.example/a/{CODE}")) == ["duplicate"]
    assert library.verdicts("b", record("Uno", guid=CODE)) == ["refreshed"]
    assert len(library.items) == 1


# --- changed, seen, refreshed ------------------------------------------------------------------------------------


def test_other_text_is_a_change_and_the_id_stays() -> None:
    library = Library()
    before = library.poll("a", record("One", guid="1", text="first")).decisions[0]
    after = library.poll("a", record("One", guid="1", text="second")).decisions[0]
    assert after.verdict.value == "changed"
    assert after.item_id == before.item_id


@pytest.mark.parametrize(
    "again",
    [
        record("One", guid="1", text="<b>first</b> text", published=day(2)),
        record("One", guid="1", text="first\n\ntext"),
        record("One", guid="1", text="first text", position=9),
    ],
    ids=["markup and date", "white space", "order"],
)
def test_date_markup_and_order_alone_are_no_change(again) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    library.poll("a", record("One", guid="1", text="first text", published=day(1)))
    assert library.verdicts("a", again) == ["seen"]


def test_a_moved_enclosure_is_stored_again_but_is_no_change() -> None:
    library = Library()
    library.poll("a", record("One", guid="1", enclosure="https://a.example/1.mp3?t=1"))
    assert library.verdicts("a", record("One", guid="1", enclosure="https://a.example/1.mp3?t=2")) == ["seen"]
    assert library.verdicts("a", record("One", guid="1", enclosure="https://b.example/1.mp3")) == ["refreshed"]


def test_a_record_that_comes_back_is_offered_again() -> None:
    library = Library()
    first = library.poll("a", record("One", guid="1")).decisions[0]
    library.sightings[first.item_id, "a"] = replace(library.sightings[first.item_id, "a"], offered=False)
    assert library.poll("a", record("One", guid="1")).decisions[0].reoffered


def test_the_second_record_of_an_item_in_one_document_is_a_repeat() -> None:
    library = Library()
    records = [record("One", guid="1", link="https://a.example/1"), record("One", link="http://a.example/1?utm_id=2")]
    judgement = library.poll("a", *records)
    assert [decision.verdict.value for decision in judgement.decisions] == ["new", "repeat"]
    assert [note.kind for note in judgement.notes] == ["repeat"]


# --- keys that do not discriminate -------------------------------------------------------------------------------


def test_a_link_shared_by_different_records_identifies_none_of_them() -> None:
    library = Library()
    link = "https://a.example/live"
    records = [record("One", guid="1", link=link), record("Two", guid="2", link=link)]
    judgement = library.poll("a", *records)
    assert [decision.verdict.value for decision in judgement.decisions] == ["new", "new"]
    assert judgement.warnings == ('url "a.example/live" is shared by 2 different records and identifies none of them',)
    assert library.verdicts("a", *records) == ["seen", "seen"]


def test_a_constant_guid_identifies_none_and_the_fingerprint_takes_its_place() -> None:
    library = Library()
    records = [record(f"Title {n}", guid="0") for n in range(3)]
    assert library.verdicts("a", *records) == ["new"] * 3
    assert library.verdicts("a", *records) == ["seen"] * 3


def test_a_key_once_found_constant_stays_distrusted_in_a_document_of_one_record() -> None:
    library = Library()
    library.poll("a", record("One", guid="0"), record("Two", guid="0"))
    assert library.verdicts("a", record("Two", guid="0")) == ["seen"]
    assert library.verdicts("a", record("Three", guid="0")) == ["new"]


def test_one_headline_over_and_over_is_many_items_when_guid_date_and_text_differ() -> None:
    library = Library()
    records = [
        record("Daily briefing", guid=str(n), link="https://a.example/briefing", text=f"day {n}", published=day(n))
        for n in range(1, 4)
    ]
    assert library.verdicts("a", *records) == ["new"] * 3


def test_two_records_of_one_info_code_are_one_item_with_a_corrected_headline() -> None:
    library = Library()
    records = [
        record("One", guid=f"NW{CODE}", link="https://a.example/1"),
        record("One, corrected", guid=CODE, link="https://a.example/1b"),
    ]
    assert sorted(library.verdicts("a", *records)) == ["new", "repeat"]


def test_a_pattern_that_gives_every_record_one_value_is_not_believed() -> None:
    constant = KeyPattern(name="code", fields=("link",), pattern=r"example")
    library = Library(patterns=(constant,))
    records = [record(f"Title {n}", link=f"https://a.example/{n}") for n in range(3)]
    judgement = library.poll("a", *records)
    assert [decision.verdict.value for decision in judgement.decisions] == ["new"] * 3
    assert judgement.warnings[0].startswith('code "example" is shared by 3')


@pytest.mark.parametrize(
    ("link", "guid"), [("https://a.example/live", None), (None, "0"), ("https://a.example/live", "0")]
)
def test_a_key_that_comes_to_be_shared_does_not_present_the_item_it_led_to_again(
    link: str | None, guid: str | None
) -> None:
    library = Library()
    first = record("One", link=link, guid=guid)
    assert library.verdicts("a", first) == ["new"]
    assert library.verdicts("a", record("Two", link=link, guid=guid), first) == ["new", "seen"]
    assert library.verdicts("a", first, record("Two", link=link, guid=guid)) == ["seen", "seen"]
    assert library.verdicts("a", first) == ["seen"]


def test_the_same_words_under_a_link_that_comes_to_be_shared_are_another_item_when_the_guid_is_another() -> None:
    library = Library()
    link = "https://a.example/live"
    library.poll("a", record("Flash", link=link, guid="1"))
    records = [record("Flash", link=link, guid=guid) for guid in ("2", "3")]
    assert library.verdicts("a", record("Other", link=link, guid="4"), *records) == ["new"] * 3


@pytest.mark.parametrize(("one", "other"), [(None, None), (day(1), day(1)), (day(1), day(2)), (day(2), day(1))])
def test_two_records_of_one_item_that_change_places_are_no_change(one, other) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    records = [record("One", guid="1", text="a", published=one), record("One", guid="1", text="b", published=other)]
    library.poll("a", *records)
    for document in (records[::-1], records, records[::-1]):
        assert sorted(library.verdicts("a", *document)) == ["repeat", "seen"]


def test_of_two_records_of_one_item_the_newest_speaks_for_it_wherever_it_stands() -> None:
    library = Library()
    draft, final = (record("One", guid="1", text=text, published=day(n)) for n, text in enumerate("ab", start=1))
    library.poll("a", draft)
    assert library.verdicts("a", draft, final) == ["repeat", "changed"]


def test_a_record_that_shares_a_link_with_a_repeat_is_judged_at_once_as_it_will_be_at_the_next_poll() -> None:
    library = Library()
    link = "https://a.example/1"
    records = [
        record("One", guid="a"),
        record("One", guid=CODE),
        record("Two", guid=CODE, link=link),
        record("Two", guid="a", link=link),
    ]
    assert sorted(library.verdicts("a", *records)) == ["new", "new", "repeat", "repeat"]
    assert sorted(library.verdicts("a", *records)) == ["repeat", "repeat", "seen", "seen"]


# --- keys reused between polls -----------------------------------------------------------------------------------


def test_a_guid_that_comes_back_with_another_link_and_another_title_is_a_new_item() -> None:
    library = Library()
    library.poll("a", record("One", guid="1", link="https://a.example/1"))
    again = record("Two", guid="1", link="https://a.example/2")
    judgement = library.poll("a", again)
    assert [decision.verdict.value for decision in judgement.decisions] == ["new"]
    assert [note.kind for note in judgement.notes] == ["reused"]
    assert library.verdicts("a", again) == ["seen"]


def test_a_link_that_comes_back_with_another_guid_and_another_title_is_a_new_item() -> None:
    library = Library()
    link = "https://a.example/latest"
    assert library.verdicts("a", record("Monday", guid="mon", link=link)) == ["new"]
    assert library.verdicts("a", record("Tuesday", guid="tue", link=link)) == ["new"]
    assert library.verdicts("a", record("Tuesday", guid="tue", link=link)) == ["seen"]
    assert library.verdicts("a", record("Wednesday", guid="wed", link=link)) == ["new"]
    assert len(library.items) == 3


def test_link_and_guid_both_reused_by_different_items_name_a_third() -> None:
    library = Library()
    library.poll("a", record("One", guid="1", link="https://a.example/1"))
    library.poll("a", record("Two", guid="2", link="https://a.example/2"))
    assert library.verdicts("a", record("Three", guid="1", link="https://a.example/2")) == ["new"]


def test_an_edited_headline_alone_is_a_change() -> None:
    library = Library()
    library.poll("a", record("One", guid="1", link="https://a.example/1"))
    assert library.verdicts("a", record("Won", guid="1", link="https://a.example/1")) == ["changed"]


def test_a_moved_link_alone_is_the_same_item() -> None:
    library = Library()
    library.poll("a", record("One", guid="1", link="https://a.example/1"))
    assert library.verdicts("a", record("One", guid="1", link="https://a.example/one")) == ["refreshed"]


def test_an_info_code_is_believed_against_title_and_link() -> None:
    library = Library()
    library.poll("a", record("One", guid=CODE, link="https://a.example/1"))
    assert library.verdicts("a", record("Two", guid=CODE, link="https://a.example/2")) == ["changed"]


def test_what_another_source_says_of_an_address_may_have_another_headline() -> None:
    library = Library()
    library.poll("a", record("Rates fall", guid="1", link="https://a.example/1"))
    assert library.verdicts("b", record("Central bank cuts", guid="x", link="https://a.example/1")) == ["duplicate"]


# --- conflicts and retention -------------------------------------------------------------------------------------


def test_when_keys_point_at_different_items_the_strongest_wins_and_a_note_is_left() -> None:
    library = Library()
    first = library.poll("a", record("One", guid=CODE)).decisions[0].item_id
    library.poll("b", record("Uno", link="https://b.example/1"))
    judgement = library.poll("c", record("Ein", guid=CODE, link="https://b.example/1"))
    assert judgement.decisions[0].item_id == first
    assert [note.kind for note in judgement.notes] == ["conflict", "duplicate"]
    assert len(library.items) == 2


def test_what_retention_removed_never_comes_back_as_new() -> None:
    library = Library()
    item = library.poll("a", record("One", guid="1", link="https://a.example/1")).decisions[0].item_id
    library.removed.add(item)
    assert library.verdicts("a", record("One", guid="1", link="https://a.example/1")) == ["removed"]
    assert library.verdicts("b", record("Uno", link="https://a.example/1")) == ["removed"]


def test_an_address_reused_after_its_item_was_removed_is_a_new_item() -> None:
    library = Library()
    item = library.poll("a", record("One", guid="1", link="https://a.example/latest")).decisions[0].item_id
    library.removed.add(item)
    assert library.verdicts("a", record("Two", guid="2", link="https://a.example/latest")) == ["new"]


# --- migrations --------------------------------------------------------------------------------------------------


def test_a_mass_change_of_guids_presents_no_old_item_as_new() -> None:
    library = Library()
    library.poll("a", *(record(f"T{n}", guid=f"old{n}", link=f"https://a.example/{n}") for n in range(5)))
    again = [record(f"T{n}", guid=f"new{n}", link=f"https://a.example/{n}") for n in range(4)]
    again.append(record("T4, edited", guid="new4", link="https://a.example/4"))
    judgement = library.poll("a", *again)
    assert [decision.verdict.value for decision in judgement.decisions] == ["seen"] * 4 + ["changed"]
    assert judgement.warnings == ("the source changed its guids all at once; known items stay known",)


def test_a_mass_change_of_links_presents_no_old_item_as_new() -> None:
    library = Library()
    library.poll("a", *(record(f"T{n}", guid=f"g{n}", link=f"https://old.example/{n}") for n in range(5)))
    again = [record(f"T{n}", guid=f"g{n}", link=f"https://new.example/{n}") for n in range(4)]
    again.append(record("T4, edited", guid="g4", link="https://new.example/4"))
    judgement = library.poll("a", *again)
    assert [decision.verdict.value for decision in judgement.decisions] == ["refreshed"] * 4 + ["changed"]
    assert len(library.items) == 5


def test_a_mass_change_of_guids_and_links_is_recognised_by_headline_and_date() -> None:
    library = Library()
    library.poll(
        "a", *(record(f"T{n}", guid=f"g{n}", link=f"https://old.example/{n}", published=day(n)) for n in range(1, 6))
    )
    again = [record(f"T{n}", guid=f"h{n}", link=f"https://new.example/{n}", published=day(n)) for n in range(2, 6)]
    fresh = record("T6", guid="h6", link="https://new.example/6", published=day(6))
    judgement = library.poll("a", fresh, *again)
    assert [decision.verdict.value for decision in judgement.decisions] == ["new"] + ["refreshed"] * 4
    assert library.verdicts("a", fresh, *again) == ["seen"] * 5


def test_a_move_is_recognised_although_much_is_new() -> None:
    library = Library()
    library.poll(
        "a", *(record(f"T{n}", guid=f"g{n}", link=f"https://old.example/{n}", published=day(n)) for n in range(1, 9))
    )
    again = [record(f"T{n}", guid=f"h{n}", link=f"https://new.example/{n}", published=day(n)) for n in range(5, 14)]
    assert library.verdicts("a", *again) == ["refreshed"] * 4 + ["new"] * 5


def test_two_records_that_return_with_other_guids_word_for_word_and_to_the_second_are_known() -> None:
    library = Library()
    library.poll("a", *(record(f"T{n}", guid=f"g{n}", published=day(n)) for n in range(1, 9)))
    again = [record(f"T{n}", guid=f"h{n}", published=day(n)) for n in range(7, 13)]
    assert library.verdicts("a", *again) == ["seen"] * 2 + ["new"] * 4


def test_guids_made_up_at_every_poll_present_nothing_as_new() -> None:
    library = Library()
    library.poll("a", *(record(f"T{n}", guid=f"a{n}", published=day(n)) for n in range(1, 4)))
    assert (
        library.verdicts("a", *(record(f"T{n}", guid=f"b{n}", published=day(n)) for n in range(1, 4))) == ["seen"] * 3
    )


def test_links_that_are_reused_every_day_are_no_migration() -> None:
    library = Library()
    pages = ["https://a.example/sport", "https://a.example/money", "https://a.example/arts"]
    library.poll("a", *(record(f"Monday {page}", guid=f"1{page}", link=page) for page in pages))
    assert (
        library.verdicts("a", *(record(f"Tuesday {page}", guid=f"2{page}", link=page) for page in pages)) == ["new"] * 3
    )


# --- ids ---------------------------------------------------------------------------------------------------------


def test_the_id_follows_from_the_strongest_key_and_the_site() -> None:
    decision = Library().poll("a", record("One", guid=CODE, link="https://a.example/1")).decisions[0]
    key = IdentityKey(KeyStrength.NAMED, key_text("infoCode", CODE))
    assert decision.item_id == item_id("https://site.example", key)
    assert decision.item_id.startswith("urn:uuid:")
    assert decision.item_id[len("urn:uuid:") + 14] == "5"
    assert decision.item_id != item_id("https://other.example", key)


def test_a_named_key_is_looked_for_in_the_fields_in_their_order() -> None:
    pattern = KeyPattern(name="code", fields=("title", "author", "summary", "content"), pattern=r"#(\w+)|none")
    keyed = keyed_document([record("About #x1", text="see #x2")], source_with(pattern, INFO_CODE)).items[0]
    assert keyed.keys[0].text == "code:x1"
    keyed = keyed_document([record("About", text="see #x2")], source_with(pattern)).items[0]
    assert keyed.keys[0].text == "code:x2"


def test_two_records_of_a_document_that_lead_to_one_item_are_one_by_whatever_key_each_does() -> None:
    number = KeyPattern(name="number", fields=("link",), pattern=r"number=(\d+)")
    library = Library(patterns=(INFO_CODE, number))
    library.poll("a", record("One", link=f"https://a.example/x?infoCode={CODE}&number=7", text="one"))
    by_code = record("One", link=f"https://a.example/y?infoCode={CODE}", text="another")
    by_number = record("One", link="https://a.example/z?number=7", text="a third")
    assert sorted(library.verdicts("a", by_code, by_number)) == ["changed", "repeat"]
    assert len(library.items) == 1


def test_a_code_and_an_address_in_two_records_lead_to_one_item_of_another_source() -> None:
    library = Library()
    library.poll("b", record("A", link="https://a.example/2", guid=CODE, text="x", published=day(1)))
    by_address = record("A", link="https://a.example/2", guid="3", text="x", published=day(2))
    by_code = record("B", link=f"https://a.example/x?infoCode={CODE}", guid=CODE)
    assert library.verdicts("a", by_address, by_code) == ["duplicate", "repeat"]
    assert len(library.items) == 1


def test_another_file_and_another_text_are_another_item_although_title_and_second_are_the_same() -> None:
    library = Library()
    facts = {"published": day(1)}
    first = record("B", link="https://a.example/1", text="y", enclosure="https://f.example/2.mp3", **facts)
    second = record("B", link="https://a.example/2", guid="3", text="x", enclosure="https://f.example/1.mp3", **facts)
    assert library.verdicts("a", first) == ["new"]
    assert library.verdicts("a", second) == ["new"]


def test_an_item_is_named_by_all_that_its_record_says_where_every_name_is_taken() -> None:
    library = Library()
    shared = (record("B", guid="2"), record("A", guid="2"), record("A", link="https://a.example/1", guid=CODE))
    assert library.verdicts("b", *shared) == ["new", "new", "new"]
    again = (record("B"), record("B", link="https://a.example/1", guid="2"))
    assert library.verdicts("b", *again) == ["seen", "new"]
    assert len(library.items) == 4


def test_evidence_is_taken_in_for_an_item_that_was_stored_before_there_was_any() -> None:
    library = Library()
    one = record("One", link="https://a.example/1", guid="1", published=day(1))
    library.poll("a", one)
    library.sightings = {key: replace(said, evidence=None) for key, said in library.sightings.items()}
    (decision,) = library.poll("a", one).decisions
    assert (decision.verdict, decision.has_new_evidence) == (Verdict.SEEN, True)
    (decision,) = library.poll("a", one).decisions
    assert (decision.verdict, decision.has_new_evidence) == (Verdict.SEEN, False)
