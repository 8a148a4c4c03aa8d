"""When the daemon publishes, and what a failure costs."""

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
    publisher.run()
    assert len(reports) == 1, "too soon"
    publisher.run(now=True)
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
        publisher.run(now=True)
    assert len(reports) == 1
    publisher.mark()
    publisher.run(now=True)
    assert len(reports) == 2
