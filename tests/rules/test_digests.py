"""The days of digests, and what stands in the entry of one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, Site
from feedhub.rules.digests import day_end, day_name, day_start, digest_entry, digest_feed, last_end

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
SITE = Site(title="News", url="https://news.example")
TECH = Category(slug="tech", title="Tech & more", digest_at="07:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "time", "zone", "ends"),
    [
        pytest.param("2026-11-28T22:59:59", "07:00", SHANGHAI, "2026-11-28T23:00", id="a second before"),
        pytest.param("2026-11-28T23:00", "07:00", SHANGHAI, "2026-11-29T23:00", id="at the end begins the next"),
        pytest.param("2026-11-28T12:00", "00:00", SHANGHAI, "2026-11-28T16:00", id="midnight"),
        pytest.param("2026-03-28T12:00", "07:00", BERLIN, "2026-03-29T05:00", id="a day of 23 hours"),
        pytest.param("2026-10-24T12:00", "07:00", BERLIN, "2026-10-25T06:00", id="a day of 25 hours"),
        pytest.param("2026-03-29T00:00", "02:30", BERLIN, "2026-03-29T01:30", id="an end that no clock shows"),
    ],
)
def test_a_day_ends_at_its_time_in_the_zone_of_the_site(moment: str, time: str, zone: ZoneInfo, ends: str) -> None:
    end = day_end(at(moment), time, zone)
    assert end == at(ends)
    assert last_end(end, time, zone) == end
    assert last_end(end - timedelta(seconds=1), time, zone) == day_start(end, time, zone) <= at(moment)
    assert day_end(day_start(end, time, zone), time, zone) == end


def test_a_day_has_the_date_of_its_end_or_of_the_hours_before_midnight() -> None:
    assert day_name(at("2026-11-28T23:00"), SHANGHAI) == "2026-11-29"
    assert day_name(at("2026-11-28T16:00"), SHANGHAI) == "2026-11-28"


def stored(number: int, source: str, hour: int, **more: object) -> StoredItem:
    moment = at(f"2026-11-28T{hour:02}:00")
    facts = {"title": f"Story {number}", "link": f"https://{source}.example/{number}?a&b", **more}
    return StoredItem(
        id=f"urn:uuid:{number}",
        item=Item(**facts),  # type: ignore[arg-type]
        source=source,
        source_title=source.title(),
        published_at=moment,
        updated_at=moment,
    )


END = at("2026-11-28T23:00")
ITEMS = [stored(3, "a", 9), stored(2, "b", 8), stored(1, "a", 7, title='<b> & "c"'), stored(4, "b", 6, link=None)]


def entry(category: Category = TECH, site: Site = SITE, items: list[StoredItem] = ITEMS, count: int = 4) -> StoredItem:
    return digest_entry(category, site, END, SHANGHAI, items, count, "https://news.example/category/tech.html")


def test_an_entry_tells_what_came_by_source_and_the_oldest_first() -> None:
    made = entry()
    assert made.item.title == "Tech & more 2026-11-29"
    assert made.item.link == "https://news.example/category/tech.html#2026-11-29"
    assert made.item.content == (
        "<p>4 items</p><h3>A</h3><ul>"
        '<li><a href="https://a.example/1?a&amp;b">&lt;b&gt; &amp; &quot;c&quot;</a></li>'
        '<li><a href="https://a.example/3?a&amp;b">Story 3</a></li></ul>'
        '<h3>B</h3><ul><li>Story 4</li><li><a href="https://b.example/2?a&amp;b">Story 2</a></li></ul>'
    )
    assert (made.published_at, made.updated_at) == (END, END)


def test_an_entry_keeps_its_id_and_date_and_is_updated_when_an_item_comes_late() -> None:
    later = [*ITEMS, replace(stored(5, "c", 10), updated_at=END + timedelta(hours=2))]
    assert entry(items=later, count=5).id == entry().id != entry(replace(TECH, slug="it")).id
    assert entry(items=later, count=5).published_at == END
    assert entry(items=later, count=5).updated_at == END + timedelta(hours=2)


def test_of_very_many_items_the_newest_are_named_and_the_others_counted() -> None:
    assert (entry(count=1000).item.content or "").endswith("<p>and 996 more</p>")
    chinese = entry(site=replace(SITE, language="zh-CN"), count=1000).item.content or ""
    assert chinese.startswith("<p>1000 条</p>")
    assert chinese.endswith("<p>还有 996 条</p>")


def test_the_feed_says_whose_digest_it_is() -> None:
    feed = digest_feed(TECH, SITE)
    assert (feed.slug, feed.title, feed.entries) == ("tech-digest", "Tech & more: daily digest", 14)
    assert digest_feed(TECH, replace(SITE, language="zh")).title == "Tech & more：每日摘要"
