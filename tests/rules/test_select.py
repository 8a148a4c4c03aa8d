"""What an output shows, and which outputs are published."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, OutputSettings, Part, PublishReason, Site
from feedhub.rules.select import (
    EPOCH,
    chosen_outputs,
    local_day,
    output_feed,
    output_view,
    settled_published,
    whole_days,
    within_limit,
)

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
SITE = Site(title="Site", url="https://site.example", description="About")
SETTINGS = OutputSettings(dir="out", entries=2)


def stored(number: int) -> StoredItem:
    moment = NOW + timedelta(minutes=number)
    return StoredItem(id=f"urn:uuid:{number}", item=Item(title="t"), source="a", published_at=moment, updated_at=moment)


CHOICES = {
    "nothing changed": (set(), (), None, "UNCHANGED UNCHANGED"),
    "one changed": ({"tech"}, (), None, "UNCHANGED CHANGED"),
    "one is asked for": ({"tech"}, ("all",), None, "NAMED NOT_NAMED"),
    "all are renewed": ({"tech"}, (), PublishReason.DESIGN, "DESIGN DESIGN"),
    "one is asked for when all are renewed": (set(), ("tech",), PublishReason.FIRST, "NOT_NAMED NAMED"),
}


@pytest.mark.parametrize(("due", "named", "renewal", "reasons"), CHOICES.values(), ids=CHOICES)
def test_outputs_are_published_for_a_reason(
    due: set[str], named: tuple[str, ...], renewal: PublishReason | None, reasons: str
) -> None:
    quiet = {PublishReason.UNCHANGED, PublishReason.NOT_NAMED}
    choices = chosen_outputs(("all", "tech"), due=due, named=named, renewal=renewal)
    assert [choice.slug for choice in choices] == ["all", "tech"]
    assert [choice.reason.name for choice in choices] == reasons.split()
    assert [choice.is_published for choice in choices] == [choice.reason not in quiet for choice in choices]


def test_the_combined_output_is_named_after_the_site() -> None:
    feed = output_feed("all", SITE, (), SETTINGS)
    assert (feed.title, feed.description, feed.entries) == ("Site", "About", 2)


def test_a_category_may_want_another_number_of_entries() -> None:
    categories = (Category(slug="tech", title="Tech", entries=9),)
    assert output_feed("tech", SITE, categories, SETTINGS).entries == 9
    assert output_feed("other", SITE, categories, SETTINGS).title == "other"


def test_the_time_of_a_view_is_that_of_the_newest_change_in_it() -> None:
    feed = output_feed("all", SITE, (), SETTINGS)
    later = NOW + timedelta(days=1)
    view = output_view(feed, SITE, SETTINGS, [stored(3), stored(2)], later)
    assert [item.id for item in view.items] == ["urn:uuid:3", "urn:uuid:2"]
    assert view.updated_at == NOW + timedelta(minutes=3)
    assert output_view(feed, SITE, SETTINGS, [], later).updated_at == later


def test_a_part_of_an_archive_holds_all_it_is_given() -> None:
    feed = output_feed("all", SITE, (), SETTINGS)
    view = output_view(feed, SITE, SETTINGS, [stored(3), stored(2), stored(1)], part=Part(month="2024-01"))
    assert (len(view.items), view.updated_at) == (3, NOW + timedelta(minutes=3))


def test_a_published_time_is_believed_unless_missing_or_in_the_future() -> None:
    past = NOW - timedelta(days=1)
    assert settled_published(past, NOW) == past
    assert settled_published(None, NOW) == NOW
    assert settled_published(NOW + timedelta(seconds=1), NOW) == NOW


def test_the_address_of_a_source_is_shown_only_while_it_is_configured() -> None:
    feed = output_feed("all", SITE, (), SETTINGS)
    item = replace(stored(1), source_url="https://a.example/s3cret/rss")
    for addresses, secrets, shown in (
        ({"a": "https://a.example/s3cret/rss"}, (), "https://a.example/s3cret/rss"),
        ({"a": "https://a.example/s3cret/rss"}, ("s3cret",), None),
        ({"a": "https://a.example/other/rss"}, (), None),
        ({}, (), None),
    ):
        view = output_view(feed, SITE, SETTINGS, [item], EPOCH, addresses, secrets)
        assert view.items[0].source_url == shown


def of(source: str, at: datetime) -> StoredItem:
    return StoredItem(id=f"{source} {at:%d %H}", item=Item(title="t"), source=source, published_at=at, updated_at=at)


def test_of_each_source_the_first_items_of_each_day_are_shown() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    # 15:00 UTC is 23:00 there, and 17:00 is the next day.
    times = [datetime(2026, 3, day, hour, tzinfo=UTC) for day in (7, 6) for hour in (17, 15, 9, 3)]
    items = [one for at in times for one in (of("busy", at), of("calm", at.replace(minute=1)))]
    shown = [one.id for one in within_limit(items, 2, shanghai) if one.source == "busy"]
    assert shown == ["busy 07 17", "busy 07 03", "busy 06 17", "busy 06 09", "busy 06 03"]
    assert [one.id for one in whole_days(items, shanghai)][-1] == "calm 06 17"
    assert whole_days((), shanghai) == ()
    assert whole_days(items[-2:], shanghai) == []


def test_at_the_edges_of_the_calendar_days_are_those_of_utc() -> None:
    assert local_day(datetime.max.replace(tzinfo=UTC), ZoneInfo("Asia/Shanghai")) == date.max
