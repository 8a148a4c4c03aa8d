"""What is told of a source's health, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.output import Site
from feedhub.model.report import HealthEvent
from feedhub.model.source import Health, Source, SourceState
from feedhub.rules.health import health_events, health_of, health_view
from feedhub.rules.pacing import is_due

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SOURCE = Source(name="a", url="https://a.example/rss", stale_after=4 * 86_400.0)
OK = SourceState(
    name="a",
    configured_url=SOURCE.url,
    last_poll_at=NOW,
    first_success_at=NOW - 60 * DAY,
    last_new_at=NOW,
    last_success_at=NOW,
)
SICK = replace(OK, failures=3, failing_since=NOW - 3 * DAY, last_error="404 Not Found")
GONE = replace(SICK, gone=True, http_status=410)
SILENT = replace(OK, last_new_at=NOW - 12 * DAY, rhythm=80.0)

STORIES = {
    "well": (OK, OK, None, None),
    "failed once": (OK, replace(SICK, failures=1), None, None),
    "failed twice": (OK, replace(SICK, failures=2), None, None),
    "failed again": (OK, SICK, "failing", "404 Not Found (failed 3 times in a row, for 3 days)"),
    "still failing": (
        replace(SICK, reported_health=Health.FAILING),
        replace(SICK, reported_health=Health.FAILING, failures=9),
        None,
        None,
    ),
    "recovered": (
        replace(SICK, reported_health=Health.FAILING),
        replace(OK, reported_health=Health.FAILING),
        "recovered",
        "works again after 3 days",
    ),
    "recovered, nobody knows since when": (
        replace(SICK, reported_health=Health.FAILING, failing_since=None),
        replace(OK, reported_health=Health.FAILING),
        "recovered",
        "works again",
    ),
    "recovered before it was told": (replace(SICK, failures=2), OK, None, None),
    "silent": (OK, SILENT, "stale", "no new item for 12 days, usually 6 a day"),
    "brings items again": (
        replace(SILENT, reported_health=Health.STALE),
        replace(OK, reported_health=Health.STALE),
        "revived",
        "brings items again after 12 days",
    ),
    "brings items again for the first time": (
        replace(OK, reported_health=Health.STALE, first_success_at=None, last_new_at=None),
        replace(OK, reported_health=Health.STALE),
        "revived",
        "brings items again",
    ),
    "gone": (
        OK,
        GONE,
        "gone",
        "the server says that this feed is gone for good; its items stay. To try again: feedhub poll a",
    ),
    "back from the dead": (
        replace(GONE, reported_health=Health.GONE),
        replace(OK, reported_health=Health.GONE),
        "recovered",
        "works again after 3 days",
    ),
    "moved": (
        OK,
        replace(OK, moved_to="https://b.example/"),
        "moved",
        "moved for good to https://b.example/; put that address into the configuration",
    ),
    "moved back": (
        replace(OK, moved_to="https://b.example/"),
        OK,
        "moved",
        "https://b.example/ does not work any more; the configured address is asked again",
    ),
}


@pytest.mark.parametrize(("before", "after", "kind", "text"), STORIES.values(), ids=STORIES)
def test_what_does_not_pass_is_told_once(
    before: SourceState, after: SourceState, kind: str | None, text: str | None
) -> None:
    state, events = health_events(before, after, SOURCE, NOW)
    assert [(event.kind, event.text) for event in events] == ([(kind, text)] if kind else [])
    assert health_events(state, state, SOURCE, NOW)[1] == ()


def test_a_source_that_dies_and_moves_back_says_both() -> None:
    before = replace(OK, moved_to="https://b.example/")
    assert [event.kind for event in health_events(before, SICK, SOURCE, NOW)[1]] == ["moved", "failing"]


def test_silence_without_a_known_rhythm_is_told_without_one() -> None:
    assert health_of(SOURCE, replace(SILENT, rhythm=0.0), NOW) == (Health.STALE, "no new item for 12 days")


def test_warnings_and_our_own_troubles_stand_beside_what_is_well() -> None:
    assert health_of(SOURCE, replace(OK, warnings=("odd guid",), last_error="no network"), NOW) == (
        Health.OK,
        "no network; odd guid",
    )
    assert health_of(SOURCE, replace(SILENT, warnings=("odd guid",)), NOW)[1].endswith("a day; odd guid")


def test_what_was_gone_at_another_address_is_not_gone_at_this_one() -> None:
    elsewhere = replace(SOURCE, url="https://b.example/rss")
    assert not is_due(SOURCE, GONE, NOW)
    assert is_due(elsewhere, replace(GONE, next_poll_at=None), NOW)


def test_the_health_feed_is_text_however_a_source_is_called_or_fails() -> None:
    event = HealthEvent(at=NOW, source="a<b>", kind="failing", text="<script>alert(1)</script>")
    view = health_view(Site(title="Site", url="https://site.example"), [event], added_at=NOW)
    (item,) = view.items
    assert (item.item.title, item.item.content) == ("a<b> fails", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>")
    assert item.item.link == "https://site.example/sources.html"
    assert view.updated_at == NOW


def test_the_health_feed_calls_sources_as_the_configuration_does_under_the_same_ids() -> None:
    site = Site(title="Site", url="https://site.example")
    events = [HealthEvent(at=NOW, source=name, kind="stale", text="") for name in ("a", "b")]
    named, plain = (
        health_view(site, events, added_at=NOW, titles={"a": "The Paper", "b": ""}),
        health_view(site, events, added_at=NOW),
    )
    assert [item.item.title for item in named.items] == ["The Paper has fallen silent", "b has fallen silent"]
    assert [item.id for item in named.items] == [item.id for item in plain.items]


def test_the_same_event_has_the_same_id_and_another_another() -> None:
    site = Site(title="Site", url="https://site.example")
    events = [HealthEvent(at=NOW, source="a", kind=kind, text="") for kind in ("failing", "failing", "odd")]
    ids = [item.id for item in health_view(site, events, added_at=NOW).items]
    assert ids[0] == ids[1] != ids[2]
    assert health_view(site, [], added_at=NOW).updated_at == NOW


def test_without_pages_no_event_links_to_one() -> None:
    event = HealthEvent(at=NOW, source="a", kind="failed", text="x")
    site = Site(title="Site", url="https://site.example")
    paged, bare = (health_view(site, [event], added_at=NOW, has_pages=pages) for pages in (True, False))

    assert (paged.has_pages, paged.items[0].item.link) == (True, "https://site.example/sources.html")
    assert (bare.has_pages, bare.items[0].item.link) == (False, None)
