"""Why two references are one item, or two, and which settings would join them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from feedhub.model.identity import Evidence, IdentityKey, KeyStrength
from feedhub.model.item import ParsedItem
from feedhub.model.report import Explanation, KeyReport, LedgerEntry, SightingReport
from feedhub.model.source import DedupeSettings, Source
from feedhub.rules.explain import Obstacle, PairAnswer, Setting, chosen_pair, explain_pair, under_guids
from feedhub.rules.identity import item_id, keyed_document
from feedhub.rules.text import text_digest
from support.library import INFO_CODE, NOW, SITE, day, record

STORY = "https://news.example/s?id=7"
CODE = "202112272227369128"
OTHER_CODE = "202205302396671645"


def sources(**dedupe: DedupeSettings) -> dict[str, Source]:
    """Three sources, two of them in one category; with their settings by name."""
    categories = {"a": ("news",), "b": ("news", "more"), "c": ("other",)}
    return {
        name: Source(
            name=name,
            url=f"https://{name}.example/feed",
            categories=categories[name],
            identity=(INFO_CODE,),
            dedupe=dedupe.get(name, DedupeSettings()),
        )
        for name in "abc"
    }


def seen(source: str, parsed: ParsedItem, at: datetime = NOW) -> SightingReport:
    """A sighting of ``source`` as the store tells of it."""
    keyed = keyed_document([parsed], sources()[source]).items[0]
    return SightingReport(
        source=source,
        link=parsed.link,
        title=parsed.title,
        first_seen_at=at,
        updated_at=at,
        offered=True,
        left_at=None,
        said=keyed.said,
        date=parsed.published_at,
        text_digest=text_digest("", parsed.content.value) if parsed.content else "",
    )


def stored(source: str, parsed: ParsedItem, *, at: datetime = NOW, ref: str = "", **more: object) -> Explanation:
    """What is known of an item that a source gave."""
    keys = keyed_document([parsed], sources()[source]).items[0].keys
    found = Explanation(
        ref=ref or keys[0].text,
        item_id=item_id(SITE, keys[0]),
        owner=source,
        title=parsed.title,
        published_at=parsed.published_at or at,
        keys=tuple(key.text for key in keys),
        key_reports=tuple(KeyReport(text=key.text, strength=key.strength, since=at) for key in keys),
        sightings=(seen(source, parsed, at),),
        ledger=(),
    )
    return replace(found, **more)


def entry(
    kind: str, reason: str, *, item: str | None = None, key: str | None = None, at: datetime = NOW
) -> LedgerEntry:
    return LedgerEntry(at=at, source="b", kind=kind, reason=reason, key=key, item_id=item, title="Title", link=None)


def explained(
    one: Explanation,
    other: Explanation,
    given: Mapping[str, Source] | None = None,
    changing: Mapping[str, frozenset[str]] | None = None,
) -> PairAnswer:
    """Explain a pair, and hold that both orders give one answer."""
    answer, turned = (
        explain_pair(*pair, sources=given or sources(), changing=changing or {})
        for pair in ((one, other), (other, one))
    )
    assert (answer.obstacle, answer.settings, answer.words()) == (turned.obstacle, turned.settings, turned.words())
    return answer


# --- two items -------------------------------------------------------------------------------------------------------


def test_a_parameter_that_one_address_has_more_is_named_with_the_setting_that_leaves_it_out() -> None:
    one = stored("a", record("Rates fall", link=STORY, text="To two percent."))
    other = stored("c", record("Rates fall", link=STORY + "&ref=home", text="To two percent."))
    answer = explained(one, other)
    assert (answer.obstacle, answer.sources) == (Obstacle.ACROSS, ("a", "c"))
    assert answer.words() == "titles and texts alike; addresses differ in the parameter ref"
    assert answer.settings == (Setting(key="dedupe.ignore_parameters", value="[ref]"),)


def test_several_parameters_are_listed_and_written_as_yaml_and_globs() -> None:
    one = stored("a", record("Rates fall", link=STORY))
    other = stored("c", record("Rates fall", link=STORY + "&Ref=1&a[]=2&on=3&it's=4"))
    answer = explained(one, other)
    assert answer.words() == "titles alike; addresses differ in the parameters a[], it's, on and ref"
    assert answer.settings[0].value == "['a[[]]', 'it''s', 'on', ref]"


@pytest.mark.parametrize(
    ("link", "other_link", "title", "text"),
    [
        pytest.param(STORY, "https://news.example/s?id=8", "Rates fall", "Another text.", id="another value"),
        pytest.param("https://news.example/?p=1", "https://news.example/?p=2", "Rates fall", "Text.", id="front page"),
        pytest.param(STORY, "https://news.example/x?id=8", "Rates fall", "Text.", id="another path too"),
    ],
)
def test_parameters_that_seem_to_name_the_page_are_not_suggested(
    link: str, other_link: str, title: str, text: str
) -> None:
    one = stored("a", record("Rates fall", link=link, text="Text."))
    answer = explained(one, stored("c", record(title, link=other_link, text=text)))
    assert (answer.obstacle, answer.settings) == (Obstacle.ACROSS, ())


def test_another_value_of_a_parameter_is_suggested_where_title_and_text_are_alike() -> None:
    one = stored("a", record("Rates fall", link=STORY + "&from=a", text="Text."))
    answer = explained(one, stored("c", record("Rates fall", link=STORY + "&from=b", text="Text.")))
    assert [setting.value for setting in answer.settings] == ["[from]"]


def test_a_parameter_is_not_suggested_where_leaving_it_out_would_not_join() -> None:
    one = stored("a", record("Daily", link=STORY, guid="1", text="One.", published=day(1)))
    other = stored("a", record("Daily", link=STORY + "&ref=x", guid="2", text="Two.", published=day(20)))
    answer = explained(one, other)
    assert answer.obstacle is Obstacle.EVIDENCE
    assert (
        answer.words()
        == "titles alike; guids and texts differ; dates differ by 19 days; addresses differ in the " + ("parameter ref")
    )
    assert answer.settings == (Setting(key="dedupe.same_title", value="19d"),)


def test_a_setting_that_is_there_now_holds_for_records_to_come_only() -> None:
    ignoring = DedupeSettings(ignore_parameters=("r*",))
    one = stored("a", record("Rates fall", link=STORY))
    other = stored("c", record("Rates fall", link=STORY + "&ref=home"))
    answer = explained(one, other, sources(a=ignoring, c=ignoring))
    assert (answer.obstacle, answer.reason) == (Obstacle.STORED, "")
    assert answer.settings == (Setting(key="dedupe.ignore_parameters", value="[ref]", is_set=True),)


@pytest.mark.parametrize(
    ("owner", "other_owner", "value"),
    [
        pytest.param("a", "a", "7d", id="one source"),
        pytest.param("a", "b", "{within: 7d, across: category}", id="one category"),
        pytest.param("a", "c", None, id="no category in common"),
    ],
)
def test_alike_titles_of_near_dates_could_decide(owner: str, other_owner: str, value: str | None) -> None:
    one = stored(owner, record("Museum opens", link="https://a.example/1", guid="1", text="x", published=day(1)))
    other = stored(
        other_owner, record("Museum opens", link="https://b.example/2", guid="2", text="y", published=day(3))
    )
    assert [setting.value for setting in explained(one, other).settings] == [value] * (value is not None)


@pytest.mark.parametrize(
    ("title", "published", "more"),
    [
        pytest.param("Museum opens", day(31) + timedelta(days=9), {}, id="dates too far apart"),
        pytest.param("Museum closes", day(2), {}, id="another title"),
        pytest.param("", day(2), {}, id="no title"),
        pytest.param("Museum opens", day(2), {"owner": "gone"}, id="a source that is not configured"),
        pytest.param("Museum opens", day(2), {"published_at": None}, id="no date"),
    ],
)
def test_a_title_is_not_suggested_to_decide(title: str, published: datetime, more: dict[str, object]) -> None:
    one = stored("a", record("Museum opens" if title else "", link="https://a.example/1", text="x", published=day(1)))
    other = stored("a", record(title, link="https://a.example/2", text="y", published=published), **more)
    if "owner" in more:
        other = replace(other, sightings=tuple(replace(one, source="gone") for one in other.sightings))
    assert explained(one, other).settings == ()


@pytest.mark.parametrize(("within", "across", "is_set"), [(7, True, True), (1, True, False), (7, False, False)])
def test_a_title_that_decides_now_is_said_to_be_set(within: float, across: bool, is_set: bool) -> None:
    dedupe = DedupeSettings(same_title=within * 86_400, across=across)
    one = stored("a", record("Museum opens", link="https://a.example/1", published=day(1)))
    other = stored("b", record("Museum opens", link="https://b.example/2", published=day(4)))
    answer = explained(one, other, sources(a=dedupe, b=dedupe))
    assert [setting.is_set for setting in answer.settings] == [is_set]
    assert answer.obstacle is (Obstacle.STORED if is_set else Obstacle.ACROSS)


def test_addresses_that_differ_in_the_host_alone_could_be_put_right_by_a_rule() -> None:
    one = stored("a", record("Museum opens", link="https://m.museum.example/open"))
    other = stored("c", record("Museum opens", link="https://www.museum.example/open"))
    (setting,) = explained(one, other).settings
    assert setting.key == "rules"
    assert r"pattern: '^https?://m\.museum\.example/', with: 'https://www.museum.example/'" in setting.value


def test_a_rule_for_hosts_is_not_suggested_where_it_would_not_join() -> None:
    one = stored("a", record("Daily", link="https://m.a.example/x", guid="1", text="One.", published=day(1)))
    other = stored("a", record("Daily", link="https://a.example/x", guid="2", text="Two.", published=day(2)))
    answer = explained(one, other)
    assert answer.words().endswith("addresses differ in the host")
    assert [setting.key for setting in answer.settings] == ["dedupe.same_title"]


def test_records_with_other_files_are_not_to_be_joined() -> None:
    records = (record("Morning", guid=str(n), enclosure=f"https://r.example/{n}.mp3", published=day(n)) for n in (1, 2))
    answer = explained(*(stored("a", one) for one in records))
    assert answer.words() == "titles alike; guids and files differ; dates differ by 24 h"
    assert (answer.obstacle, answer.settings) == (Obstacle.EVIDENCE, ())


def test_two_values_of_a_named_key_are_two_items_and_no_setting_joins_them() -> None:
    one = stored("a", record("Flash", guid=CODE, link=STORY))
    other = stored("a", record("Flash", guid=OTHER_CODE, link=STORY))
    answer = explained(one, other)
    assert (answer.obstacle, answer.settings) == (Obstacle.NAMED, ())
    assert answer.named == (("infoCode", (CODE,), (OTHER_CODE,)),)


def test_one_named_key_alone_keeps_nothing_apart() -> None:
    one = stored("a", record("Flash", guid=CODE, link="https://a.example/1"))
    other = stored("c", record("Flash", link="https://c.example/2"))
    assert explained(one, other).obstacle is Obstacle.ACROSS


def test_an_address_that_several_items_have_names_none_of_them() -> None:
    link = "https://town.example/news"
    one = stored("a", record("Mayor resigns", link=link, text="x"), shared=("url:town.example/news",))
    other = stored("c", record("Zoo closes", link=link, text="y"), ref="z", item_id="urn:uuid:2")
    answer = explained(one, other)
    assert (answer.obstacle, answer.shared) == (Obstacle.SHARED, ("url:town.example/news",))
    assert answer.words() == "addresses alike; titles and texts differ"


def test_records_that_would_be_one_today_stay_two_once_they_are_stored() -> None:
    one = stored("a", record("Mayor resigns", link=STORY))
    other = stored("c", record("The mayor resigns", link=STORY), item_id="urn:uuid:2")
    answer = explained(one, other)
    assert (answer.obstacle, answer.reason, answer.settings) == (Obstacle.STORED, "url", ())


def test_what_a_source_changes_at_each_poll_keeps_nothing_apart() -> None:
    one = stored("a", record("Mayor resigns", link=STORY, guid="1", text="One.", published=day(1)))
    other = stored("a", record("Mayor resigns", link=STORY, guid="2", text="Two."), item_id="urn:uuid:2")
    assert explained(one, other).obstacle is Obstacle.EVIDENCE
    answer = explained(one, other, changing={"a": frozenset({"guid", "date"})})
    assert (answer.obstacle, answer.reason) == (Obstacle.STORED, "url")


def test_fragments_of_one_address_are_named() -> None:
    one = stored("a", record("Oil jumps", link="https://live.example/t#1", text="x"))
    other = stored("a", record("Gold falls", link="https://live.example/t#2", text="y"), item_id="urn:uuid:2")
    answer = explained(one, other)
    assert answer.words() == "titles and texts differ; addresses differ in the fragment"


def test_sightings_of_one_source_are_nearer_than_those_of_the_owners() -> None:
    one = stored("a", record("Rates fall", link=STORY))
    also = seen("b", record("Central bank cuts", link=STORY, guid="5"))
    other = stored("b", record("Central bank waits", link="https://b.example/x", guid="6"))
    answer = explained(replace(one, sightings=(*one.sightings, also)), other)
    assert (answer.sources, answer.obstacle) == (("b", "b"), Obstacle.EVIDENCE)
    assert answer.words() == "guids and titles differ; addresses differ in the host, path and parameter id"


def test_the_sighting_of_one_source_that_is_most_alike_is_compared() -> None:
    one = stored("a", record("Rates fall", link=STORY, guid="1"))
    near = seen("b", record("Rates fall", link="https://b.example/y", guid="2"), NOW + timedelta(hours=1))
    other = stored("a", record("Zoo closes", link="https://a.example/zoo", guid="3"))
    both = replace(one, sightings=(*one.sightings, near))
    against = replace(other, sightings=(*other.sightings, replace(near, first_seen_at=NOW)))
    assert explained(both, against).sources == ("b", "b")


def test_without_any_sighting_nothing_can_be_compared() -> None:
    one = stored("a", record("Rates fall", link=STORY), sightings=())
    other = stored("a", record("Zoo closes", link="https://a.example/zoo"), sightings=())
    answer = explained(one, other)
    assert (answer.words(), answer.has_likeness) == ("nothing to compare", False)


def test_records_that_share_nothing_are_compared_all_the_same() -> None:
    one = stored("a", record("", link=STORY))
    other = stored("c", record("", link="https://news.example/"))
    other = replace(other, item_id="urn:uuid:2", owner="nobody")
    answer = explained(one, other)
    assert (answer.words(), answer.address, answer.has_likeness) == ("nothing to compare", None, False)


def test_an_address_alone_can_differ() -> None:
    one, other = (stored("a", record("", link=f"https://a.example/{name}")) for name in "xy")
    assert explained(one, other).words() == "addresses differ in the path"


def test_a_record_that_became_no_item_is_not_compared() -> None:
    one = stored("a", record("Rates fall", link=STORY))
    dropped = Explanation(ref="url:x", title="Ad", ledger=(entry("dropped", 'rule "no ads"'),))
    assert explained(one, dropped).obstacle is Obstacle.NO_ITEM


# --- one item --------------------------------------------------------------------------------------------------------


def test_the_ledger_says_how_a_record_of_another_source_became_the_item() -> None:
    one = stored("a", record("Rates fall", link=STORY))
    also = seen("b", record("Bank cuts", link=STORY, guid="5"))
    third = seen("c", record("Cheap money", link=STORY, guid="9"))
    notes = (
        entry("duplicate", "the same item as one of a, by url", item=one.item_id, key="url:news.example/s?id=7"),
        entry("repeat", "of another item", item="urn:uuid:2"),
        entry("conflict", "two items", item=one.item_id),
    )
    one = replace(one, sightings=(*one.sightings, third, also), ledger=notes)
    answer = explained(one, replace(one, ref="guid:b:5"))
    assert answer.is_one
    assert [join.reason for join in answer.joins] == ["the same item as one of a, by url"]
    by_guid = explain_pair(one, replace(one, ref="guid:b:5"), sources=sources(), changing={})
    assert (by_guid.sources, by_guid.words()) == (("a", "b"), "addresses alike; titles differ")
    by_id = explain_pair(one, replace(one, ref="urn"), sources=sources(), changing={})
    assert by_id.sources == ("a", "c")


def later(one: Explanation, *keys: IdentityKey) -> Explanation:
    """The item with more keys, which it got a day later."""
    reports = (KeyReport(text=key.text, strength=key.strength, since=NOW + timedelta(days=1)) for key in keys)
    return replace(one, key_reports=(*one.key_reports, *reports))


def test_a_key_that_came_later_is_told_with_what_was_known_before() -> None:
    one = stored("a", record("On tides", link=STORY, guid="6"))
    one = replace(one, sightings=(seen("a", record("On tides", link=STORY, guid="6b")),))
    one = later(one, IdentityKey(KeyStrength.GUID, "guid:a:6b"))
    answer = explained(replace(one, ref="guid:a:6"), replace(one, ref="guid:a:6b"))
    (join,) = answer.joins
    assert (join.at, join.source, join.key) == (NOW + timedelta(days=1), "a", "guid:a:6b")
    assert join.reason.endswith("by url:news.example/s?id=7")
    assert (answer.comparison, answer.words()) == (None, "nothing to compare")


@pytest.mark.parametrize("owner", ["a", None])
def test_a_key_that_no_sighting_shows_any_more_came_by_the_rest(owner: str | None) -> None:
    one = later(stored("a", record("On tides", link=STORY)), IdentityKey(KeyStrength.GUID, "guid:a:old"))
    one = replace(one, owner=owner)
    (join,) = explained(one, replace(one, ref="guid:a:old")).joins
    assert (join.source, join.reason.endswith("by the rest that it says")) == (owner or "", True)


def test_a_key_that_came_with_a_new_address_came_by_the_rest() -> None:
    one = stored("a", record("On tides", link=STORY, guid="6"))
    keys = [IdentityKey(KeyStrength.URL, "url:new.example/t"), IdentityKey(KeyStrength.GUID, "guid:a:7")]
    one = replace(later(one, *keys), sightings=(seen("a", record("On tides", link="https://new.example/t", guid="7")),))
    (join,) = explained(one, replace(one, ref="guid:a:7")).joins
    assert join.reason.endswith("by the rest that it says")


def test_a_reference_that_is_a_guid_word_for_word_is_told_as_one_where_the_item_has_it() -> None:
    one = stored("a", record("Storm", link="https://r.example/storm", guid="https://r.example/storm#0"))
    assert under_guids(one, "https://r.example/storm#0").ref == "guid:a:https://r.example/storm#0"
    assert under_guids(one, "https://r.example/storm#1") == one


# --- which two are meant ---------------------------------------------------------------------------------------------

ONE, TWO, THREE = (stored("a", record(title, link=f"https://a.example/{title}")) for title in ("One", "Two", "Three"))
DROPPED = Explanation(ref="url:x", title="Ad", ledger=(entry("dropped", "rule"),))


@pytest.mark.parametrize(
    ("ones", "others", "meant"),
    [
        pytest.param([ONE], [TWO], (ONE, TWO), id="one each"),
        pytest.param([ONE, TWO], [ONE, TWO], (ONE, TWO), id="an address of two"),
        pytest.param([ONE], [ONE, TWO], (ONE, TWO), id="the other of two"),
        pytest.param([ONE, TWO], [ONE], (TWO, ONE), id="the other of two, turned"),
        pytest.param([ONE], [DROPPED, TWO], (ONE, TWO), id="items before records"),
        pytest.param([ONE], [DROPPED], (ONE, DROPPED), id="a record"),
        pytest.param([ONE], [TWO, THREE], None, id="two others"),
        pytest.param([ONE, TWO, THREE], [ONE, TWO, THREE], None, id="an address of three"),
        pytest.param([ONE], [], None, id="nothing"),
    ],
)
def test_which_two_are_meant(
    ones: list[Explanation], others: list[Explanation], meant: tuple[Explanation, Explanation] | None
) -> None:
    assert chosen_pair(ones, others) == meant


def test_an_item_of_an_older_store_has_no_evidence_of_its_date() -> None:
    one = stored("a", record("Museum opens", link="https://a.example/1", guid="1", published=day(1)))
    (own,) = one.sightings
    old = replace(one, sightings=(replace(own, said=replace(own.said, evidence=None)),))
    other = stored("a", record("Museum opens", link="https://a.example/2", guid="2", published=day(2)))
    rough = replace(other.sightings[0].said, evidence=Evidence())
    answer = explained(old, replace(other, sightings=(replace(other.sightings[0], said=rough),)))
    assert (answer.seconds_apart, answer.words()) == (
        None,
        "titles alike; guids differ; addresses differ in the path",
    )
