"""Routing: the condition tree, and what a rule does."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.identity import Filing
from feedhub.model.item import Enclosure, Item, ItemDates, ParsedItem, Person
from feedhub.model.source import CategoryMap, Condition, Replacement, Rule, Source
from feedhub.rules.categorize import (
    Subject,
    file_item,
    holds,
    link_rules,
    record_categories,
    with_link_put_right,
    without_replacing,
)
from feedhub.rules.patterns import Times

SOURCE = Source(name="blog-one", url="https://a.example/rss", categories=("news",))
ITEM = Item(
    title="新芯片发布",
    link="https://a.example/1",
    summary="<p>short <b>chips</b></p>",
    content='<p title="hidden">long text</p>',
    authors=(Person(name="Editor"),),
    tags=("Semiconductors",),
    language="de-AT",
    comments="https://talk.example/1",
    enclosures=(
        Enclosure(url="https://a.example/1.mp3", media_type="Audio/MPEG"),
        Enclosure(url="https://a.example/2"),
    ),
)
# A Saturday, 23:30 in Shanghai; seen two days later.
DATES = ItemDates(
    published_at=datetime(2026, 3, 7, 15, 30, tzinfo=UTC), first_seen_at=datetime(2026, 3, 9, 15, 30, tzinfo=UTC)
)


def filed(
    item: Item, source: Source, rules: Sequence[Rule], named: Sequence[str] = (), marks: str = ""
) -> tuple[Item, Filing]:
    """File an item; what a rule changed of its markup comes back between ``marks``."""
    filing = file_item(
        item, source, rules, named, dates=DATES, clean_again=lambda text, *_: f"{marks}{text.strip()}{marks}"
    )
    return filing.shown or item, filing


def field(kind: str, *values: str) -> Condition:
    return Condition(kind=kind, values=values)


def tree(kind: str, *parts: Condition) -> Condition:
    return Condition(kind=kind, parts=parts)


SAT = frozenset({5})
DAY = datetime(2026, 3, 7, tzinfo=UTC)
CONDITIONS = {
    "title": (field("title", "芯片|半导体"), True),
    "title, case counts": (field("author", "editor"), False),
    "title, case asked away": (field("author", "(?i)editor"), True),
    "link": (field("link", r"/\d$"), True),
    "summary without markup": (field("summary", "short chips"), True),
    "content without attributes": (field("content", "hidden"), False),
    "content": (field("content", "long"), True),
    "tags without case": (field("tags", "other", "semiconductors"), True),
    "tags asked for in capitals": (field("tags", "SEMICONDUCTORS"), True),
    "tags by a glob": (field("tags", "semi*"), True),
    "tags by a glob of other letters": (field("tags", "semi?"), False),
    "comments": (field("comments", "talk"), True),
    "enclosure": (field("enclosure", "audio/*"), True),
    "any enclosure": (field("enclosure", "*"), True),
    "another enclosure": (field("enclosure", "video/*"), False),
    "length of the text": (field("length", ">=9"), True),
    "longer than the text": (field("length", ">9"), False),
    "shorter than the text": (field("length", "<9"), False),
    "no longer than the text": (field("length", "<=9"), True),
    "one of two lengths": (field("length", ">99", "<10"), True),
    "age": (field("age", f">{86_400}.0"), True),
    "not so old": (field("age", f">{2 * 86_400}.0"), False),
    "weekday in the zone": (field("published", *Times(zone="Asia/Shanghai", weekdays=SAT).written()), True),
    "weekday in another zone": (field("published", *Times(zone="Etc/GMT-14", weekdays=SAT).written()), False),
    "hour in the zone": (field("published", *Times(zone="Asia/Shanghai", hours=frozenset({0, 23})).written()), True),
    "another hour": (field("published", *Times(hours=frozenset({0, 23})).written()), False),
    "after": (field("published", *Times(after=DATES.published_at).written()), True),
    "before": (field("published", *Times(before=DATES.published_at).written()), False),
    "between": (field("published", *Times(after=DAY, before=DAY + timedelta(days=1)).written()), True),
    "after the next day": (field("published", *Times(after=DAY + timedelta(days=1)).written()), False),
    "tags missing": (field("tags", "other"), False),
    "source glob": (field("source", "blog-*"), True),
    "other source": (field("source", "wire-*"), False),
    "category": (field("category", "news"), True),
    "other category": (field("category", "tech"), False),
    "language": (field("language", "fr", "de-AT"), True),
    "language in any case": (field("language", "DE-at"), True),
    "language without its country": (field("language", "de"), True),
    "language of another country": (field("language", "de-CH"), False),
    "another language that begins alike": (field("language", "d"), False),
    "language with more than the item says": (field("language", "de-AT-1996"), False),
    "all": (tree("all", field("title", "芯片"), field("source", "blog-*")), True),
    "all but one": (tree("all", field("title", "芯片"), field("source", "x")), False),
    "any": (tree("any", field("title", "x"), field("tags", "semiconductors")), True),
    "none of any": (tree("any", field("title", "x"), field("tags", "y")), False),
    "not": (tree("not", field("title", "x")), True),
    "not one of several": (tree("not", field("title", "x"), field("title", "芯片")), False),
}


@pytest.mark.parametrize(("condition", "answer"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_holds_or_not(condition: Condition, answer: bool) -> None:
    assert holds(condition, Subject(item=ITEM, source=SOURCE, categories=("news",), dates=DATES)) is answer


def test_without_dates_no_condition_on_them_holds() -> None:
    subject = Subject(item=ITEM, source=SOURCE)
    assert not holds(field("age", ">=0"), subject)
    assert not holds(field("published", *Times().written()), subject)


def test_brackets_in_labels_stand_for_themselves() -> None:
    subject = Subject(item=replace(ITEM, tags=("[ad]",)), source=SOURCE)
    assert holds(field("tags", "[AD]"), subject)
    assert holds(field("tags", "[a*"), subject)
    assert not holds(field("tags", "[abc]*"), subject)


@pytest.mark.parametrize(
    ("moment", "zone"),
    [
        (datetime.min.replace(tzinfo=UTC), "America/New_York"),
        (datetime.max.replace(tzinfo=UTC), "Asia/Shanghai"),
    ],
)
def test_moments_at_the_edges_of_the_calendar_are_taken_in_utc(moment: datetime, zone: str) -> None:
    assert Times(zone=zone, hours=frozenset({moment.hour})).hold(moment)


def test_an_item_without_link_and_content_matches_nothing_there() -> None:
    bare = Subject(item=Item(title="x"), source=SOURCE)
    assert not holds(field("link", "."), bare)
    assert not holds(field("content", "."), bare)
    assert not holds(field("summary", "."), bare)


def test_an_item_without_a_language_matches_none() -> None:
    assert not holds(field("language", "de", ""), Subject(item=Item(title="x"), source=SOURCE))


def test_the_content_of_an_item_that_has_only_a_summary_is_that() -> None:
    item = Item(title="x", summary="<p>short <b>chips</b></p>")
    replaced, _ = filed(
        item, SOURCE, [rule("edit", replace=(Replacement(field="content", pattern="short", replacement="long"),))]
    )

    assert holds(field("content", "short chips"), Subject(item=item, source=SOURCE))
    assert (replaced.summary, replaced.content) == ("<p>long <b>chips</b></p>", None)


def rule(name: str, when: Condition | None = None, **then: object) -> Rule:
    return Rule(name=name, when=when or field("title", "."), **then)  # type: ignore[arg-type]


def test_a_category_keeps_the_name_of_the_first_that_gave_it() -> None:
    rules = [rule("chips", categories=("chips", "news")), rule("again", categories=("chips",))]
    _, filing = filed(ITEM, SOURCE, rules)
    assert filing.categories == (("news", "source"), ("chips", "chips"))


def test_what_the_record_brings_is_its_own_even_where_the_source_gives_it_too() -> None:
    _, filing = filed(ITEM, SOURCE, [rule("x", categories=("papers",))], named=("news", "papers"))
    assert filing.categories == (("news", "record"), ("papers", "record"))


def test_a_tag_that_is_there_is_not_given_again() -> None:
    item, _ = filed(ITEM, SOURCE, [rule("x", tags=("one", "Semiconductors", "one"))])
    assert item.tags == ("Semiconductors", "one")


def test_an_item_that_no_rule_changes_is_shown_as_it_was_received() -> None:
    item = Item(title="x", tags=("twice", "twice"))
    assert filed(item, SOURCE, [rule("chips", categories=("chips",)), rule("x", tags=())])[1].shown is None


def test_a_dropped_item_names_its_rule() -> None:
    assert filed(ITEM, SOURCE, [rule("no chips", drop=True)])[1].dropped_by == "no chips"


def test_a_rule_that_does_not_hold_does_nothing() -> None:
    item, filing = filed(ITEM, SOURCE, [rule("other", field("title", "x"), drop=True)])
    assert item is ITEM or item == ITEM
    assert filing.dropped_by is None


def test_a_rule_keeps_an_item_out_of_stories() -> None:
    assert filed(ITEM, SOURCE, [rule("apart", is_apart=True), rule("other")])[1].is_apart
    assert not filed(ITEM, SOURCE, [rule("apart", field("title", "x"), is_apart=True)])[1].is_apart


def test_stop_ends_the_rules() -> None:
    rules = [rule("first", tags=("one",), stop=True), rule("second", tags=("two",))]
    assert filed(ITEM, SOURCE, rules)[0].tags == ("Semiconductors", "one")


def test_a_later_rule_sees_what_an_earlier_one_did() -> None:
    rules = [rule("first", categories=("chips",)), rule("second", field("category", "chips"), tags=("seen",))]
    assert "seen" in filed(ITEM, SOURCE, rules)[0].tags


REPLACEMENTS = {
    "title": (Replacement(field="title", pattern="新(.)", replacement=r"旧\1"), "title", "旧芯片发布"),
    "title stays one line": (Replacement(field="title", pattern="芯片", replacement=r"\n a\t"), "title", "新 a 发布"),
    "summary": (Replacement(field="summary", pattern="short ", replacement=""), "summary", "<p><b>chips</b></p>"),
    "content": (
        Replacement(field="content", pattern="long", replacement="all"),
        "content",
        '<p title="hidden">all text</p>',
    ),
    "author": (Replacement(field="author", pattern="Edit", replacement="Act"), "authors", (Person(name="Actor"),)),
    "author emptied": (Replacement(field="author", pattern=".*", replacement=""), "authors", ()),
    "link": (Replacement(field="link", pattern="1$", replacement="2"), "link", "https://a.example/2"),
    "link made useless": (Replacement(field="link", pattern=".*", replacement="x"), "link", "https://a.example/1"),
}


@pytest.mark.parametrize(("replacement", "name", "value"), REPLACEMENTS.values(), ids=REPLACEMENTS)
def test_a_replacement_changes_its_field(replacement: Replacement, name: str, value: object) -> None:
    edit = rule("edit", field("tags", "Semiconductors"), replace=(replacement,))
    item, _ = filed(ITEM, SOURCE, [edit])
    assert getattr(item, name) == value


def test_only_markup_that_a_rule_changed_is_cleaned_again() -> None:
    edit = Replacement(field="summary", pattern="short", replacement="long")
    item, _ = filed(ITEM, SOURCE, [rule("edit", replace=(edit,))], marks="*")
    assert (item.summary, item.content) == ("*<p>long <b>chips</b></p>*", ITEM.content)


UNWRAP = Replacement(field="link", pattern=r"^.*[?&]url=([^&]+).*$", replacement=r"\1")
WRAPPED = ParsedItem(
    position=0, title="One", text_digest="", link="https://alerts.example/url?q=1&url=https://a.example/1"
)


@pytest.mark.parametrize("when", [field("source", "*"), field("link", "^https://alerts"), field("title", "One")])
def test_a_rule_that_asks_for_link_source_or_title_puts_links_right_before_anything_else(when: Condition) -> None:
    rules = link_rules([rule("unwrap", when, replace=(UNWRAP,))])
    record = with_link_put_right(WRAPPED, SOURCE, rules)
    assert (record.link, record.received_link) == ("https://a.example/1", WRAPPED.link)
    assert filed(Item(title="One", link=WRAPPED.link), SOURCE, rules)[0].link == record.link


def test_rules_that_put_links_right_act_before_all_others() -> None:
    here = rule("here", field("link", "^https://a.example"), tags=("here",))
    rules = [here, rule("unwrap", field("source", "*"), replace=(UNWRAP,))]
    assert filed(Item(title="One", link=WRAPPED.link), SOURCE, rules)[0].tags == ("here",)


def test_what_rules_of_before_have_replaced_is_not_replaced_again() -> None:
    edit = Replacement(field="title", pattern="O", replacement="OO")
    rules = [rule("edit", field("title", "One"), replace=(edit,), tags=("edited",), stop=True)]
    item, _ = filed(Item(title="OOne"), SOURCE, without_replacing(rules))
    assert (item.title, item.tags) == ("OOne", ("edited",))


@pytest.mark.parametrize("when", [field("tags", "x"), field("content", "x"), field("category", "x")])
def test_a_rule_that_asks_for_more_acts_on_links_only_after_items_are_recognised(when: Condition) -> None:
    assert link_rules([rule("unwrap", when, replace=(UNWRAP,))]) == ()
    assert link_rules([rule("unwrap", tree("any", field("title", "Two"), when), replace=(UNWRAP,))]) == ()


def test_a_link_that_no_rule_changes_was_received_as_it_is() -> None:
    rules = link_rules([rule("unwrap", field("title", "Two"), replace=(UNWRAP,))])
    assert with_link_put_right(WRAPPED, SOURCE, rules) is WRAPPED


@pytest.mark.parametrize("name", ["summary", "content", "link"])
def test_a_replacement_in_a_missing_field_does_nothing(name: str) -> None:
    edit = rule("edit", replace=(Replacement(field=name, pattern="x", replacement="y"),))
    assert filed(Item(title="x"), SOURCE, [edit])[0] == Item(title="x")


def test_a_title_of_signs_gets_a_slug_that_is_always_the_same() -> None:
    asked = Source(name="a", url="https://a.example/", category_map=CategoryMap(field="author", title="{author}"))
    (named,) = record_categories(Item(title="x", authors=(Person(name="☂☂"),)), asked)
    assert named == ("☂☂", "c-" + hashlib.sha256("☂☂".encode()).hexdigest()[:8])


def test_the_first_author_brings_a_category_read_as_the_source_asks() -> None:
    both = Item(title="x", authors=(Person(name="重庆"), Person(name="Other")))
    for readings, slug in (("pinyin", "chongqing"), ("pinyin-chars", "zhongqing")):
        asked = CategoryMap(field="author", title="{author}", slug=readings)  # type: ignore[arg-type]
        source = Source(name="a", url="https://a.example/", category_map=asked)
        assert record_categories(both, source) == (("重庆", slug),)


def test_every_tag_may_be_a_category_and_an_empty_value_is_none() -> None:
    asked = Source(name="a", url="https://a.example/", category_map=CategoryMap(field="tags", title="On {tags}"))
    assert record_categories(ITEM, asked) == (("On Semiconductors", "on-semiconductors"),)
    assert record_categories(Item(title="x"), asked) == ()
    assert record_categories(ITEM, SOURCE) == ()


@pytest.mark.parametrize("name", ["title", "summary", "content", "author", "link"])
def test_rules_that_double_a_text_end_at_a_bound_and_are_named(name: str) -> None:
    double = Replacement(field=name, pattern="(x)", replacement=r"\1\1")
    rules = [rule(f"double {number}", replace=(double,)) for number in range(28)]
    text = "https://a.example/" + "x" * 2_000
    item = Item(title=text, link=text, summary=text, content=text, authors=(Person(name=text),))
    began = time.process_time()
    shown, filing = filed(item, SOURCE, rules)
    assert time.process_time() - began < 1
    texts = (shown.title, shown.link, shown.summary, shown.content, shown.authors[0].name)
    assert max(len(each or "") for each in texts) <= 4 * len(text) + 10_000
    assert filing.left_out == tuple(f"double {number}" for number in range(28 - len(filing.left_out), 28))
    assert len(filing.left_out) >= 25
    # Those that replace addresses before items are recognised have the same bound.
    record = ParsedItem(position=0, title="", text_digest="", link=text)
    assert len(with_link_put_right(record, SOURCE, rules).link or "") <= 4 * len(text) + 10_000


def test_a_text_may_be_replaced_in_as_often_as_people_need_it() -> None:
    letters = [Replacement(field="content", pattern=letter, replacement="NEW") for letter in "abcdefghij"]
    item, filing = filed(Item(title="One", content="abcdefghij " * 1_000), SOURCE, [rule("letters", replace=letters)])
    assert filing.left_out == ()
    assert item.content == ("NEW" * 10 + " ") * 999 + "NEW" * 10
