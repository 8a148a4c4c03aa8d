"""Many polls at once: in order, within the limits per host, and one failure stays one."""

import threading
import time

import pytest

from feedhub.errors import FetchError, StoreError
from feedhub.model.report import Outcome, PollReport
from feedhub.model.source import Source
from feedhub.pipeline.poll import Fetched
from feedhub.runtime.poller import poll_all


def sources(count: int, hosts: int = 1000) -> list[Source]:
    return [Source(name=f"s{n}", url=f"https://h{n % hosts}.example/{n}") for n in range(count)]


def keep(fetched: Fetched) -> PollReport:
    outcome = Outcome.FAILED if fetched.error else Outcome.STORED
    return PollReport(source=fetched.source.name, outcome=outcome, reason=str(fetched.error or ""))


def test_results_are_stored_in_the_order_of_the_sources_however_fast_they_come() -> None:
    def fetch(source: Source) -> Fetched:
        time.sleep(0.03 if int(source.name[1:]) % 3 == 0 else 0)
        return Fetched(source=source)

    stored: list[str] = []
    wanted = sources(40)
    reports = poll_all(
        wanted, fetch=fetch, keep=keep, workers=8, per_host=2, on_report=lambda report: stored.append(report.source)
    )
    assert stored == [report.source for report in reports] == [source.name for source in wanted]


def test_no_host_is_asked_by_more_threads_than_allowed_and_others_do_not_wait() -> None:
    lock = threading.Lock()
    running: dict[str, int] = {}
    most: dict[str, int] = {}

    def fetch(source: Source) -> Fetched:
        host = source.url.split("/")[2]
        with lock:
            running[host] = running.get(host, 0) + 1
            most[host] = max(most.get(host, 0), running[host])
        time.sleep(0.05)
        with lock:
            running[host] -= 1
        return Fetched(source=source)

    started = time.monotonic()
    poll_all(sources(60, hosts=3), fetch=fetch, keep=keep, workers=32, per_host=2)
    assert max(most.values()) == 2
    assert time.monotonic() - started < 60 * 0.05 * 0.7


def test_local_files_have_no_host_to_be_gentle_with() -> None:
    together = threading.Barrier(4, timeout=5)

    def fetch(source: Source) -> Fetched:
        together.wait()
        return Fetched(source=source)

    files = [Source(name=f"f{n}", url=f"file:///{n}.xml") for n in range(4)]
    assert len(poll_all(files, fetch=fetch, keep=keep, workers=4, per_host=1)) == 4


@pytest.mark.parametrize("error", [FetchError("connection refused"), RuntimeError("a bug")], ids=["known", "unknown"])
def test_one_failure_costs_one_source(error: Exception) -> None:
    def fetch(source: Source) -> Fetched:
        if source.name == "s1":
            raise error
        return Fetched(source=source)

    reports = poll_all(sources(3), fetch=fetch, keep=keep, workers=2, per_host=2)
    assert [report.outcome for report in reports] == [Outcome.STORED, Outcome.FAILED, Outcome.STORED]
    assert str(error) in reports[1].reason


def test_a_store_that_cannot_be_used_ends_the_run() -> None:
    def refuse(fetched: Fetched) -> PollReport:
        raise StoreError("no room on the disk")

    with pytest.raises(StoreError, match="no room"):
        poll_all(sources(500), fetch=lambda source: Fetched(source=source), keep=refuse, workers=2, per_host=2)


def test_fetching_does_not_run_ahead_without_bound() -> None:
    ahead: list[int] = []
    stored = 0

    def fetch(source: Source) -> Fetched:
        ahead.append(int(source.name[1:]) - stored)
        return Fetched(source=source)

    def slowly(fetched: Fetched) -> PollReport:
        nonlocal stored
        stored += 1
        time.sleep(0.0005)
        return keep(fetched)

    poll_all(sources(700), fetch=fetch, keep=slowly, workers=16, per_host=2)
    assert max(ahead) <= 257
