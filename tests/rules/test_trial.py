"""What trying rules on stored items counts, beside what is published of them."""

from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.item import Item, ItemDates, Received
from feedhub.model.report import RulesTrial, RuleTrial, SightedItem, StoredSighting
from feedhub.model.source import CategoryMap, Condition, Replacement, Rule, Source
from feedhub.rules.trial import RuleTrials

AT = datetime(2026, 6, 1, tzinfo=UTC)
DATES = ItemDates(published_at=AT, first_seen_at=AT)
SOURCES = {
    "a": Source(name="a", url="https://a.example/", categories=("news",)),
    "b": Source(name="b", url="https://b.example/", category_map=CategoryMap(field="tags", title="{tags}")),
}


def rule(name: str, title: str, **then: object) -> Rule:
    return Rule(name=name, when=Condition(kind="title", values=(title,)), **then)  # type: ignore[arg-type]


def said(title: str, source: str = "a", **more: object) -> StoredSighting:
    item = Item(title=title)
    facts = {
        "item": item,
        "shown": item,
        "dates": DATES,
        "categories": frozenset({"news"} if source == "a" else ()),
        "received": Received.WHOLE,
    }
    return StoredSighting(source=source, **{**facts, **more})  # type: ignore[arg-type]


def item(*sightings: StoredSighting, is_shown: bool = True, is_hidden: bool = False) -> SightedItem:
    return SightedItem(item_id="urn:uuid:1", sightings=sightings, is_shown=is_shown, is_hidden=is_hidden)


def tried(rules: list[Rule], *items: SightedItem, most: int = 3) -> RulesTrial:
    """Try rules on each item by itself, and put together what was counted."""
    whole = RuleTrials(rules, most=most)
    for one in items:
        part = RuleTrials(rules, most=most)
        part.add(one, SOURCES, {"Chips": "fabs"}, lambda markup, *_: markup)
        whole.merge(part)
    return whole.result()


def counts(one: RuleTrial) -> tuple[int, ...]:
    return (one.holds, one.drops, one.files, one.edits, one.new)


def test_a_new_drop_is_told_from_one_that_is_in_force() -> None:
    rules = [rule("no chips", "Chips", drop=True)]
    found = tried(
        rules, item(said("Chips")), item(said("Chips too", dropped_by="old"), is_shown=False), item(said("Bread"))
    )
    assert counts(found.rules[0]) == (2, 2, 0, 0, 1)
    assert (found.items, found.leave, found.back, found.otherwise) == (3, 1, 0, 0)
    assert [(one.title, one.does, one.is_new) for one in found.rules[0].examples] == [
        ("Chips", "dropped", True),
        ("Chips too", "dropped", False),
    ]


def test_an_item_stays_while_another_source_says_otherwise() -> None:
    rules = [rule("no chips", "Chips", drop=True)]
    found = tried(rules, item(said("Chips"), said("Crisps", "b")))
    assert (found.leave, found.otherwise, counts(found.rules[0])) == (0, 1, (1, 1, 0, 0, 1))


def test_what_is_dropped_now_and_would_be_no_more_comes_back() -> None:
    found = tried([], item(said("Chips", dropped_by="no chips", categories=frozenset()), is_shown=False))
    assert (found.back, found.returning) == (1, (("no chips", 1),))


def test_hidden_items_do_not_come_back() -> None:
    found = tried([], item(said("Chips", dropped_by="no chips"), is_shown=False, is_hidden=True))
    assert (found.back, found.leave, found.otherwise) == (0, 0, 0)


def test_what_a_rule_files_tags_and_replaces_is_said() -> None:
    edit = Replacement(field="title", pattern="Chips", replacement="Crisps")
    rules = [rule("chips", "Chips", categories=("fabs", "news"), tags=("x",), replace=(edit,))]
    found = tried(rules, item(said("Chips")))
    assert (counts(found.rules[0]), found.otherwise) == ((1, 0, 1, 1, 1), 1)
    assert found.rules[0].examples[0].does == "in fabs; tagged x; title “Crisps”"


def test_what_is_published_so_already_is_not_new() -> None:
    rules = [rule("chips", "Chips", categories=("fabs",), tags=("x",))]
    now = said("Chips", shown=Item(title="Chips", tags=("x",)), categories=frozenset({"news", "fabs"}))
    found = tried(rules, item(now))
    assert (counts(found.rules[0]), found.otherwise) == ((1, 0, 1, 1, 0), 0)


def test_an_edit_is_that_of_the_rule_that_makes_it() -> None:
    edit = Replacement(field="title", pattern="Chips", replacement="Crisps")
    again = Replacement(field="title", pattern="Nothing", replacement="More")
    link = Replacement(field="link", pattern="$", replacement="#top")
    rules = [
        rule("edits", ".", replace=(edit,)),
        rule("edits nothing", ".", replace=(again,)),
        rule("links", ".", replace=(link,)),
        rule("files", ".", categories=("fabs",)),
    ]
    found = tried(rules, item(said("Chips")))
    assert [one.edits for one in found.rules] == [1, 0, 0, 0]


@pytest.mark.parametrize("ends", [{"drop": True}, {"stop": True, "categories": ("fabs",)}])
def test_a_rule_that_another_hides_is_told_with_it(ends: dict[str, object]) -> None:
    asked = Condition(kind="any", parts=(Condition(kind="title", values=("Chips",)),))
    later = Rule(name="later", when=asked, tags=("x",))
    rules = [rule("first", "C", **ends), rule("other", "Bread", drop=True), later]
    found = tried(rules, item(said("Chips")), item(said("Cake")))
    assert (found.rules[2].holds, found.rules[2].hidden_by) == (0, (("first", 1),))
    assert (found.rules[1].holds, found.rules[1].hidden_by) == (0, ())


def test_a_later_rule_is_asked_about_what_is_left_when_it_would_be_reached() -> None:
    rules = [
        rule("files", "Chips", categories=("fabs",)),
        rule("drops", "Chips", drop=True),
        Rule(name="of fabs", when=Condition(kind="category", values=("fabs",)), tags=("x",)),
    ]
    assert tried(rules, item(said("Chips"))).rules[2].hidden_by == (("drops", 1),)


def test_the_last_rule_hides_none() -> None:
    assert tried([rule("drops", "Chips", drop=True)], item(said("Chips"))).rules[0].hidden_by == ()


def test_rules_do_not_replace_in_what_a_version_before_has_edited() -> None:
    edit = Replacement(field="title", pattern="Chips", replacement="Crisps")
    found = tried([rule("edits", "Chips", replace=(edit,))], item(said("Chips", received=Received.FINAL)))
    assert (found.final, counts(found.rules[0])) == (1, (1, 0, 0, 0, 0))


def test_categories_that_records_name_are_found_by_their_titles() -> None:
    tagged = Item(title="x", tags=("Chips", "Bread"))
    now = said("x", "b", item=tagged, shown=tagged, categories=frozenset({"fabs", "bread"}))
    assert tried([], item(now)).otherwise == 0


def test_a_source_that_nobody_knows_is_asked_by_its_name() -> None:
    rules = [Rule(name="gone", when=Condition(kind="source", values=("gone",)), drop=True)]
    assert tried(rules, item(said("Chips", "gone"))).leave == 1


@pytest.mark.parametrize("is_turned", [False, True])
def test_new_and_late_examples_are_kept_rather_than_others(is_turned: bool) -> None:
    rules = [rule("no chips", "Chips", drop=True)]
    dates = [ItemDates(published_at=AT + timedelta(days=number), first_seen_at=AT) for number in range(10)]
    old = [item(said(f"Chips {number}", dropped_by="x", dates=dates[number]), is_shown=False) for number in range(9)]
    new = [item(said(f"Chips {number}", dates=dates[number])) for number in (7, 3)]
    items = [*old, *new]
    examples = tried(rules, *(items[::-1] if is_turned else items)).rules[0].examples
    assert [(one.title, one.is_new) for one in examples] == [("Chips 7", True), ("Chips 3", True), ("Chips 8", False)]


def test_other_fields_that_are_edited_are_named() -> None:
    edit = Replacement(field="summary", pattern="short", replacement="long")
    before = Item(title="x", summary="<p>short</p>")
    found = tried([rule("edits", "x", replace=(edit,))], item(said("x", item=before, shown=before)))
    assert found.rules[0].examples[0].does == "another summary"
