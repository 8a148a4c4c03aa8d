"""Many polls at once: in order, within the limits per host, and one failure stays one."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from feedhub.errors import FetchError, StoreError
from feedhub.model.item import ParsedFeed
from feedhub.model.report import Outcome, PollReport
from feedhub.model.source import HostGroup, PollSettings, Source
from feedhub.pipeline.fetch import Fetched
from feedhub.runtime.poller import Fetch, Ingest, poll_all

TWO_AT_A_TIME = PollSettings(host_concurrent=2)


def sources(count: int, hosts: int = 1000) -> list[Source]:
    return [Source(name=f"s{n}", url=f"https://h{n % hosts}.example/{n}") for n in range(count)]


def ingest(some: Sequence[Fetched]) -> list[PollReport]:
    return [
        PollReport(
            source=fetched.source.name,
            outcome=Outcome.FAILED if fetched.error else Outcome.STORED,
            reason=str(fetched.error or ""),
        )
        for fetched in some
    ]


def poll(
    wanted: list[Source],
    fetch: Fetch,
    *,
    ingest: Ingest = ingest,
    workers: int = 2,
    settings: PollSettings = TWO_AT_A_TIME,
    on_report: Callable[[PollReport], None] = lambda _: None,
) -> tuple[PollReport, ...]:
    return poll_all(
        wanted,
        fetch=fetch,
        ingest=ingest,
        settings=replace(settings, workers=workers),
        on_report=on_report,
    )


def test_results_are_stored_in_the_order_of_the_sources_however_fast_they_come() -> None:
    def fetch(source: Source) -> Fetched:
        time.sleep(0.03 if int(source.name[1:]) % 3 == 0 else 0)
        return Fetched(source=source)

    stored: list[str] = []
    wanted = sources(40)
    reports = poll(wanted, fetch, workers=8, on_report=lambda report: stored.append(report.source))
    assert stored == [report.source for report in reports] == [source.name for source in wanted]


class Counting:
    """Fetches nothing, and counts how many do so at once on what ``host`` names."""

    def __init__(self, host: Callable[[Source], str], seconds: float) -> None:
        self.most: dict[str, int] = {}
        self._host = host
        self._seconds = seconds
        self._running: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, source: Source) -> Fetched:
        host = self._host(source)
        with self._lock:
            self._running[host] = self._running.get(host, 0) + 1
            self.most[host] = max(self.most.get(host, 0), self._running[host])
        time.sleep(self._seconds)
        with self._lock:
            self._running[host] -= 1
        return Fetched(source=source)


def test_no_host_is_asked_by_more_threads_than_allowed_and_others_do_not_wait() -> None:
    fetch = Counting(lambda source: source.url.split("/")[2], 0.05)
    started = time.monotonic()
    poll(sources(60, hosts=3), fetch, workers=32)
    assert max(fetch.most.values()) == 2
    assert time.monotonic() - started < 60 * 0.05 * 0.7


def test_hosts_of_a_group_share_its_limit() -> None:
    group = HostGroup(pattern="h?.example", concurrent=3, gap=0)
    fetch = Counting(lambda source: "group" if len(source.url.split("/")[2]) == len("h1.example") else "others", 0.01)
    settings = PollSettings(host_concurrent=1, host_groups=(group,))
    poll(sources(40, hosts=20), fetch, workers=32, settings=settings)
    assert fetch.most["group"] == 3
    assert fetch.most["others"] > 3


def test_local_files_have_no_host_to_be_gentle_with() -> None:
    together = threading.Barrier(4, timeout=5)

    def fetch(source: Source) -> Fetched:
        together.wait()
        return Fetched(source=source)

    files = [Source(name=f"f{n}", url=f"file:///{n}.xml") for n in range(4)]
    assert len(poll(files, fetch, workers=4, settings=PollSettings(host_concurrent=1))) == 4


@pytest.mark.parametrize("error", [FetchError("connection refused"), RuntimeError("a bug")], ids=["known", "unknown"])
def test_one_failure_costs_one_source(error: Exception) -> None:
    def fetch(source: Source) -> Fetched:
        if source.name == "s1":
            raise error
        return Fetched(source=source)

    reports = poll(sources(3), fetch)
    assert [report.outcome for report in reports] == [Outcome.STORED, Outcome.FAILED, Outcome.STORED]
    assert str(error) in reports[1].reason


def test_a_store_that_cannot_be_used_ends_the_run() -> None:
    def refuse(some: Sequence[Fetched]) -> list[PollReport]:
        raise StoreError("no room on the disk")

    with pytest.raises(StoreError, match="no room"):
        poll(sources(500), lambda source: Fetched(source=source), ingest=refuse)


def test_fetching_does_not_run_ahead_without_bound() -> None:
    ahead: list[int] = []
    stored = 0

    def fetch(source: Source) -> Fetched:
        ahead.append(int(source.name[1:]) - stored)
        return Fetched(source=source)

    def slowly(some: Sequence[Fetched]) -> list[PollReport]:
        nonlocal stored
        stored += len(some)
        time.sleep(0.0005 * len(some))
        return ingest(some)

    poll(sources(700), fetch, ingest=slowly, workers=16)
    assert max(ahead) <= 257


def test_what_has_come_meanwhile_is_stored_together_but_not_without_bound() -> None:
    together: list[int] = []

    def slowly(some: Sequence[Fetched]) -> list[PollReport]:
        together.append(len(some))
        time.sleep(0.01)
        return ingest(some)

    reports = poll(sources(300), lambda source: Fetched(source=source), ingest=slowly, workers=16)
    assert [report.source for report in reports] == [source.name for source in sources(300)]
    assert sum(together) == 300
    assert 1 < max(together) <= 32


def test_documents_that_come_one_after_the_other_are_stored_together_but_wait_for_no_slow_one() -> None:
    is_stored = threading.Event()
    together: list[int] = []

    def fetch(source: Source) -> Fetched:
        if source.name == "s12":
            assert is_stored.wait(10)
        time.sleep(0.01)
        return Fetched(source=source, feed=ParsedFeed(title="", items=()))

    def noted(some: Sequence[Fetched]) -> list[PollReport]:
        together.append(len(some))
        is_stored.set()
        return ingest(some)

    poll(sources(13), fetch, ingest=noted, workers=1)
    assert sum(together) == 13
    assert len(together) <= 4
