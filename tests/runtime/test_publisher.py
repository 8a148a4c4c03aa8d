"""When the daemon publishes, and what a failure costs."""

import threading
from collections.abc import Callable

import pytest

from feedhub.errors import PublishError, StoreError
from feedhub.model.report import PublishReport
from feedhub.runtime.publisher import PublishTimer


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
