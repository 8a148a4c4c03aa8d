"""When the daemon publishes, and what a failure costs."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from feedhub.errors import PublishError, StoreError
from feedhub.model.report import PublishReport
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.publisher import PublishTimer, seconds_to_digest
from support.cli_runs import write_project


def raising(error: Exception) -> Callable[[], PublishReport]:
    def publish() -> PublishReport:
        raise error

    return publish


@pytest.mark.parametrize("error", [PublishError("no room"), KeyError("odd")], ids=["expected", "unexpected"])
def test_a_failure_is_told_and_tried_again_later(error: Exception) -> None:
    reports: list[PublishReport] = []
    publisher = PublishTimer(raising(error), reports.append)
    publisher.run()
    assert reports[0].failed
    assert 0 < publisher.wait(60) < 60
    publisher.publish = PublishReport
    publisher.begin(lambda: None)
    assert not publisher.is_under_way, "too soon"
    publisher.run()
    assert reports[1] == PublishReport()
    assert publisher.wait(60) == 60


def test_a_store_out_of_use_leaves_it_due() -> None:
    publisher = PublishTimer(raising(StoreError("locked")), lambda _: None)
    with pytest.raises(StoreError):
        publisher.run()
    assert publisher.wait(60) == 0


def test_nothing_is_published_when_nothing_changed() -> None:
    reports: list[PublishReport] = []
    publisher = PublishTimer(lambda: PublishReport(written=("a",)), reports.append)
    for _ in range(3):
        publisher.run()
    assert len(reports) == 1
    publisher.mark()
    publisher.run()
    assert len(reports) == 2


def test_what_is_begun_runs_beside_and_is_taken_up_when_it_has_ended() -> None:
    reports: list[PublishReport] = []
    may_go_on, has_ended = threading.Event(), threading.Event()

    def publish() -> PublishReport:
        assert may_go_on.wait(20)
        return PublishReport(written=("a",))

    publisher = PublishTimer(publish, reports.append, gap=0.0)
    publisher.begin(has_ended.set)
    publisher.mark()
    publisher.begin(has_ended.set)
    assert (publisher.is_under_way, publisher.wait(60), reports) == (True, 60, [])
    may_go_on.set()
    assert has_ended.wait(20)
    publisher.finish()
    assert (publisher.is_under_way, len(reports)) == (False, 1)
    # What was marked meanwhile is due.
    publisher.run()
    assert len(reports) == 2
    publisher.finish()
    assert len(reports) == 2


def test_the_last_publish_waits_for_one_that_was_begun() -> None:
    reports: list[PublishReport] = []
    publisher = PublishTimer(lambda: PublishReport(written=("a",)), reports.append)
    publisher.begin(lambda: None)
    publisher.run()
    assert len(reports) == 1


def test_a_store_out_of_use_is_told_when_a_publish_has_ended() -> None:
    publisher = PublishTimer(raising(StoreError("locked")), lambda _: None)
    publisher.begin(lambda: None)
    with pytest.raises(StoreError):
        publisher.finish()
    assert (publisher.is_under_way, publisher.wait(60)) == (False, 0)


def test_it_is_due_again_when_a_day_of_a_digest_ends() -> None:
    reports: list[PublishReport] = []
    publisher = PublishTimer(PublishReport, reports.append, gap=0.0, until_due=lambda: 0.05)
    publisher.run()
    publisher.begin(lambda: None)
    assert not publisher.is_under_way
    time.sleep(0.06)
    publisher.begin(lambda: None)
    publisher.finish()
    assert len(reports) == 2


def test_the_next_end_of_a_day_is_waited_for(tmp_path: Path) -> None:
    digest = "categories: {a: {digest: {at: '07:00'}}, b: {digest: {at: '06:30'}}, c: {}}"
    settings = load_settings(str(write_project(tmp_path, "  []\n", digest)))
    now = datetime(2026, 11, 28, 22, tzinfo=UTC)  # six o'clock in Shanghai
    assert seconds_to_digest(settings, now) == 1_800
    assert seconds_to_digest(settings, now + timedelta(minutes=30)) == 1_800
    assert seconds_to_digest(replace(settings, categories=()), now) == inf
