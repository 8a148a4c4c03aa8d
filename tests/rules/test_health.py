"""Health in words, and who is due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.report import SourceCounts
from feedhub.model.source import Source, SourceState
from feedhub.rules.health import source_status
from feedhub.rules.pacing import is_due

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


@pytest.mark.parametrize(
    ("configured", "title", "own", "shown"),
    [
        ("", "", None, ""),
        ("", "Its own", None, "Its own"),
        ("Ours", "Its own", None, "Ours"),
        ("", "Ours", "Its own", "Its own"),
        ("", "Ours", "", ""),
    ],
)
def test_the_title_of_the_configuration_comes_before_its_own(
    configured: str, title: str, own: str | None, shown: str
) -> None:
    state = replace(OK, title=title, own_title=own)
    assert source_status(replace(SOURCE, title=configured), state, None, NOW).title == shown


def test_the_address_that_is_asked_now_is_told_beside_the_configured_one() -> None:
    moved = replace(OK, configured_url=SOURCE.url, moved_to="https://b.example/rss")
    status = source_status(SOURCE, moved, None, NOW)
    assert (status.url, status.current_url) == (SOURCE.url, "https://b.example/rss")
