"""Of which new items people are told, and in which words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.item import Item, ItemDates, Received, StoredItem
from feedhub.model.output import Category, Site
from feedhub.model.report import HealthEvent, SightedItem, StoredSighting
from feedhub.model.settings import NotifyTarget
from feedhub.model.source import CategoryMap, Condition, Rule, Source
from feedhub.rules.notices import Message, News, digest_part, harmless, health_part, message, news_part

AT = datetime(2026, 6, 1, tzinfo=UTC)
SITE = Site(title="News", url="https://news.example.org")
SOURCES = {
    "a": Source(name="a", url="https://a.example/", categories=("news",)),
    "b": Source(name="b", url="https://b.example/", category_map=CategoryMap(field="tags", title="{tags}")),
}
RULES = [Rule(name="chips", when=Condition(kind="title", values=("Chip",)), tags=("chips",))]


def said(title: str, source: str = "a", *slugs: str, dropped_by: str | None = None) -> StoredSighting:
    item = Item(title=title, link=f"https://{source}.example/{title}")
    return StoredSighting(
        source=source,
        item=item,
        shown=item,
        received=Received.WHOLE,
        dates=ItemDates(published_at=AT, first_seen_at=AT),
        categories=frozenset(slugs),
        dropped_by=dropped_by,
    )


def item(*sightings: StoredSighting, is_shown: bool = True) -> SightedItem:
    return SightedItem(item_id="urn:uuid:1", sightings=sightings, is_shown=is_shown)


ITEMS = [
    item(said("Bread", "a", "food")),
    item(said("Chip", "b", "tech")),
    item(said("Chips of potatoes", "nobody", "food", dropped_by="no snacks"), said("Crisps", "b", "tech", "food")),
    item(said("Hidden chip", "a", "tech", "food"), is_shown=False),
]


@pytest.mark.parametrize(
    ("categories", "rules", "titles"),
    [
        pytest.param(("food",), (), ["Bread", "Crisps"], id="a category"),
        pytest.param(("all",), (), ["Bread", "Chip", "Crisps"], id="everything"),
        pytest.param((), ("chips",), ["Chip"], id="a rule"),
        pytest.param(("food",), ("chips",), ["Bread", "Chip", "Crisps"], id="a category or a rule"),
        pytest.param(("sports",), ("no such rule",), [], id="nothing"),
    ],
)
def test_items_are_told_that_are_shown_in_a_category_or_on_which_a_rule_holds(
    categories: tuple[str, ...], rules: tuple[str, ...], titles: list[str]
) -> None:
    news = News(NotifyTarget(name="t", to="", categories=categories, rules=rules), ITEMS, RULES, SOURCES)
    assert [one.shown.title for one in news.last] == titles
    assert news.count == len(titles)


def test_what_the_combined_feed_shows_by_another_report_is_told_once() -> None:
    news = News(EVERYTHING, [item(said("Bread")), replace(item(said("Loaves", "b")), is_folded=True)])
    assert [one.shown.title for one in news.last] == ["Bread"]


def test_what_was_published_days_before_it_came_is_no_news() -> None:
    old, late = (
        replace(said(title), dates=ItemDates(published_at=AT, first_seen_at=AT + age))
        for title, age in (("Old", timedelta(days=2, seconds=1)), ("Late", timedelta(days=2)))
    )
    news = News(EVERYTHING, [item(old), item(late)])
    assert [one.shown.title for one in news.last] == ["Late"]


EVERYTHING = NotifyTarget(name="t", to="", categories=("all",))


def told_in(
    site: Site, items: list[SightedItem], events: Sequence[HealthEvent] = (), titles: dict[str, str] | None = None
) -> Message:
    titles = titles or {}
    made = message(site, [news_part(site, News(EVERYTHING, items), titles), health_part(site, events, titles)])
    assert made
    return made


def test_a_message_names_each_with_its_source_and_address() -> None:
    events = [HealthEvent(at=AT, source="b", kind="gone", text="it is gone")]
    told = told_in(SITE, ITEMS[:1], events, {"a": "The A"})
    assert told.title == "News: 1 new, 1 about sources"
    assert told.body == "Bread (The A)\nhttps://a.example/Bread\n\nb: it is gone"


def test_a_message_is_in_the_language_of_the_site() -> None:
    site = Site(title="新闻", url="https://news.example.org", language="zh-CN")
    told = told_in(site, [item(said(str(number))) for number in range(20)])
    assert told.title == "新闻：20 条新内容"
    assert told.body.endswith("https://a.example/19\n\n还有 5 条")


def test_the_newest_fifteen_are_named_and_the_others_counted() -> None:
    events = [HealthEvent(at=AT, source="b", kind="gone", text=f"event {number}") for number in range(3)]
    told = told_in(SITE, [item(said(f"Story {number}")) for number in range(40)], events)
    assert "Story 25 (a)" in told.body
    assert "Story 24 " not in told.body
    assert told.body.endswith("\n\nand 28 more")
    assert len(told.body) < 1_500


def test_an_address_that_is_too_long_is_left_out_and_stands_for_no_title() -> None:
    long = StoredSighting(**{**_facts(said("x")), "shown": Item(title="Long", link="https://a.example/" + "x" * 600)})
    untitled = StoredSighting(**{**_facts(said("x")), "shown": Item(title="", link="https://a.example/1")})
    bare = StoredSighting(**{**_facts(said("x")), "shown": Item(title="Bare")})
    told = told_in(SITE, [item(long), item(untitled), item(bare)])
    assert told.body == "Long (a)\n\nhttps://a.example/1 (a)\nhttps://a.example/1\n\nBare (a)"


def _facts(sighting: StoredSighting) -> dict[str, object]:
    return {name: getattr(sighting, name) for name in StoredSighting.__dataclass_fields__}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\r\nb\x1b[31m", "a b[31m", id="one line"),
        pytest.param("free @everyone!", "free @\u200beveryone!", id="a call of everybody"),
        pytest.param(
            "<!channel> <@U1> <b>", "<\u200b!channel> <\u200b@\u200bU1> <\u200bb>", id="marks of chat services"
        ),
        pytest.param("[a](https://b)", "[a]\u200b(https://b)", id="a link that says another address"),
        pytest.param("1 < 2, me @ home", "1 < 2, me @ home", id="ordinary signs"),
        pytest.param("x" * 300, "x" * 199 + "…", id="length"),
    ],
)
def test_texts_of_strangers_are_one_line_that_calls_nobody(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_a_digest_is_told_by_source_with_what_it_holds_in_all() -> None:
    items = [
        StoredItem(
            id=title,
            item=Item(title=title, link=f"https://{source}.example/{title}"),
            source=source,
            source_title=source.upper(),
            published_at=AT,
            updated_at=AT,
        )
        for source, title in (("b", "Two"), ("a", "One"))
    ]
    part = digest_part(SITE, Category(slug="tech", title="Tech"), "2026-11-29", items, 20)
    made = message(SITE, [news_part(SITE, News(EVERYTHING, []), {}), part])
    assert made == Message(
        title="News: Tech 2026-11-29 (20)",
        body="One (A)\nhttps://a.example/One\n\nTwo (B)\nhttps://b.example/Two\n\nand 18 more",
    )


def test_of_nothing_there_is_no_message() -> None:
    nothing = digest_part(SITE, Category(slug="tech", title="Tech"), "2026-11-29", [], 0)
    assert message(SITE, [news_part(SITE, News(EVERYTHING, []), {}), nothing, health_part(SITE, [], {})]) is None
