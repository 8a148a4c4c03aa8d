"""Health in words, who is due, and what an output shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, OutputSettings, Part, PublishReason, Site
from feedhub.model.report import SourceCounts
from feedhub.model.source import Source, SourceState
from feedhub.rules.health import source_status
from feedhub.rules.pacing import is_due
from feedhub.rules.select import EPOCH, chosen_outputs, output_feed, output_view, settled_published

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
SOURCE = Source(name="a", url="https://a.example/rss")
PAUSED = Source(name="a", url="https://a.example/rss", paused=True)
BROKEN = Source(name="a", url="https://a.example/rss", broken="feedhub.yaml:3:5: sources[0].category: no")
OK = SourceState(
    name="a",
    last_poll_at=NOW,
    last_success_at=NOW,
    next_poll_at=NOW + timedelta(minutes=5),
    warnings=("odd guid",),
)

STATES = {
    "never polled": (SOURCE, None, "new", "not polled yet", True),
    "well": (SOURCE, OK, "ok", "odd guid", False),
    "due": (SOURCE, SourceState(name="a", last_poll_at=NOW, last_success_at=NOW, next_poll_at=NOW), "ok", "", True),
    "our own network was down": (
        SOURCE,
        SourceState(name="a", last_poll_at=NOW, last_error="no network", next_poll_at=NOW),
        "new",
        "no network",
        True,
    ),
    "failed once": (
        SOURCE,
        SourceState(
            name="a", failures=1, failing_since=NOW, last_error="404 Not Found", next_poll_at=NOW + timedelta(1)
        ),
        "failing",
        "404 Not Found (failed once)",
        False,
    ),
    "failed often": (
        SOURCE,
        SourceState(name="a", failures=3, last_error="x", next_poll_at=NOW),
        "failing",
        "x (failed 3 times in a row)",
        True,
    ),
    "gone": (
        SOURCE,
        SourceState(name="a", gone=True, failures=1),
        "gone",
        "the server says that this feed is gone for good; its items stay. To try again: feedhub poll a",
        False,
    ),
    "paused": (PAUSED, OK, "paused", "paused in the configuration", False),
    "broken": (BROKEN, None, "broken", BROKEN.broken, True),
}


@pytest.mark.parametrize(("source", "state", "word", "reason", "due"), STATES.values(), ids=STATES)
def test_a_source_is_described_in_words(
    source: Source, state: SourceState | None, word: str, reason: str, due: bool
) -> None:
    status = source_status(source, state, None, NOW)
    assert (status.state.value, status.reason) == (word, reason)
    assert is_due(source, state, NOW) is due


def test_the_next_poll_is_told_in_seconds_and_counts_are_passed_on() -> None:
    status = source_status(SOURCE, OK, SourceCounts(items=7, items_per_day=0.5), NOW)
    assert (status.next_poll_in, status.items, status.items_per_day) == (300, 7, 0.5)
    assert source_status(PAUSED, OK, None, NOW).next_poll_in is None


def test_the_address_that_is_asked_now_is_told_beside_the_configured_one() -> None:
    moved = replace(OK, configured_url=SOURCE.url, moved_to="https://b.example/rss")
    status = source_status(SOURCE, moved, None, NOW)
    assert (status.url, status.current_url) == (SOURCE.url, "https://b.example/rss")


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


def test_a_view_holds_the_newest_and_its_time_is_that_of_the_newest_change() -> None:
    feed = output_feed("all", SITE, (), SETTINGS)
    view = output_view(feed, SITE, SETTINGS, [stored(3), stored(2), stored(1)], EPOCH)
    assert [item.id for item in view.items] == ["urn:uuid:3", "urn:uuid:2"]
    assert view.updated_at == NOW + timedelta(minutes=3)
    assert output_view(feed, SITE, SETTINGS, [], EPOCH).updated_at == EPOCH


def test_a_part_of_an_archive_holds_all_it_is_given_and_changes_with_these_alone() -> None:
    feed = output_feed("all", SITE, (), SETTINGS)
    later = NOW + timedelta(days=1)
    view = output_view(feed, SITE, SETTINGS, [stored(3), stored(2), stored(1)], later, part=Part(month="2024-01"))
    assert (len(view.items), view.updated_at) == (3, NOW + timedelta(minutes=3))
    assert output_view(feed, SITE, SETTINGS, [stored(3)], later).updated_at == later


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
