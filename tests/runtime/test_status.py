"""What ``feedhub health`` says of the daemon, asked beside one that holds the store."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedhub.model.source import PlannedPoll, SourceState
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.status import daemon_fault

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Beside:
    """A hub that asks, and one that stands for the daemon."""

    asking: Hub
    daemon: Hub

    def fault_while_running(self) -> str | None:
        with self.daemon.store.task_lock("run", wait=0):
            return daemon_fault(self.asking)

    def due(self, name: str, after: timedelta, *, polled: timedelta | None = None) -> None:
        """Let a source be due so long after now, and have been polled so long before now."""
        at = NOW + after
        with self.daemon.store.transaction() as transaction:
            transaction.save_state(
                SourceState(name=name, last_poll_at=NOW - polled if polled else None, next_poll_at=at)
            )
        self.daemon.store.plan_polls([PlannedPoll(name=name, host="a.example", at=at)])


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    config = tmp_path / "feedhub.yaml"
    config.write_text("site: {title: T, url: https://t.example}\nsources: [{name: a, url: https://a.example/f}]\n")
    with (
        Hub(load_settings(str(config)), now=lambda: NOW) as asking,
        Hub(load_settings(str(config)), now=lambda: NOW) as daemon,
    ):
        yield Beside(asking, daemon)


def test_without_a_daemon_that_is_the_fault(beside: Beside) -> None:
    assert daemon_fault(beside.asking) == "no daemon runs on this store"


def test_a_daemon_with_nothing_due_is_well(beside: Beside) -> None:
    assert beside.fault_while_running() is None
    beside.due("a", HOUR)
    assert beside.fault_while_running() is None


def test_a_source_that_is_a_little_late_is_no_fault(beside: Beside) -> None:
    beside.due("a", -timedelta(minutes=14), polled=HOUR)
    assert beside.fault_while_running() is None


def test_a_daemon_that_does_not_poll_what_is_due_is_stuck(beside: Beside) -> None:
    beside.due("a", -2 * HOUR, polled=3 * HOUR)
    told = beside.fault_while_running()
    assert told == "a daemon runs, but the source that is due has been waiting for 2 h"


def test_while_others_are_polled_one_that_waits_is_no_fault(beside: Beside) -> None:
    """The network may be down, and only one source in turn is tried then."""
    beside.due("a", -2 * HOUR, polled=timedelta(minutes=1))
    assert beside.fault_while_running() is None
