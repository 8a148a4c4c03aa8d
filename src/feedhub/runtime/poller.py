"""Many polls at once: fetched in threads, parsed in processes, stored one after the other in a fixed order.

The order is that of the configuration. When two sources bring one item, which of them owns it and which key its
id comes from then depends on the configuration and not on the network, so a rebuilt store gives the same ids
(docs/decisions/0002-polls-are-stored-in-order.md).
"""

import logging
import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

from feedhub.errors import FeedhubError, PollError
from feedhub.model.report import PollReport
from feedhub.model.source import Source
from feedhub.pipeline.poll import Fetched

log = logging.getLogger(__name__)

# How far fetching may run ahead of storing: one source at its time limit holds back this many others' results,
# which is what bounds memory.
_LOOKAHEAD: Final = 256
# Polls of one transaction at most: other writers wait for it.
_TOGETHER: Final = 32

Fetch = Callable[[Source], Fetched]
Keep = Callable[[Sequence[Fetched]], Sequence[PollReport]]
"""Stores some polls, in their order."""


def poll_all(
    sources: Sequence[Source],
    *,
    fetch: Fetch,
    keep: Keep,
    workers: int,
    host_of: Callable[[Source], str],
    limit_of: Callable[[str], int],
    on_report: Callable[[PollReport], None] = lambda _: None,
) -> tuple[PollReport, ...]:
    """Poll every source once and return the reports in the order of ``sources``.

    ``host_of`` names what a source's limit is counted by, "" for no limit; ``limit_of`` says how many of it at a time.

    Raises:
        StoreError: from ``keep``; polls under way are abandoned, what was stored stays.
    """
    reports: list[PollReport] = []
    executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="poll")
    run = _Run(sources=sources, fetch=fetch, executor=executor, host_of=host_of, limit_of=limit_of)
    try:
        for some in run.in_order():
            for report in keep(some):
                on_report(report)
                reports.append(report)
    finally:
        # Not waited for: after an interrupt, closing the fetcher is what ends the threads.
        executor.shutdown(wait=False, cancel_futures=True)
    return tuple(reports)


@dataclass(slots=True)
class _Run:
    """One batch. Hosts have lanes, so that many sources of one slow host never hold more threads than its limit."""

    sources: Sequence[Source]
    fetch: Fetch
    executor: ThreadPoolExecutor
    host_of: Callable[[Source], str]
    limit_of: Callable[[str], int]
    admitted: int = 0
    lanes: dict[str, deque[int]] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    finished: queue.SimpleQueue[tuple[int, str, Future[Fetched]]] = field(default_factory=queue.SimpleQueue)

    def in_order(self) -> Iterator[list[Fetched]]:
        """Yield what was fetched in the order of the sources, keeping the threads busy meanwhile.

        What is there comes together, to be stored together.
        """
        waiting: dict[int, Fetched] = {}
        position = 0
        while position < len(self.sources):
            self._start_more(position)
            while position not in waiting or not self.finished.empty():
                index, host, future = self.finished.get()
                waiting[index] = future.result()
                self.busy[host] -= 1
                self._start_more(position)
            some: list[Fetched] = []
            while position in waiting and len(some) < _TOGETHER:
                some.append(waiting.pop(position))
                position += 1
            yield some

    def _start_more(self, position: int) -> None:
        while self.admitted < min(position + _LOOKAHEAD, len(self.sources)):
            self.lanes.setdefault(self.host_of(self.sources[self.admitted]), deque()).append(self.admitted)
            self.admitted += 1
        for host in list(self.lanes):
            lane = self.lanes[host]
            while lane and self._has_room(host):
                self._start(lane.popleft(), host)
            if not lane:
                del self.lanes[host]

    def _has_room(self, host: str) -> bool:
        return not host or self.busy.get(host, 0) < self.limit_of(host)

    def _start(self, index: int, host: str) -> None:
        self.busy[host] = self.busy.get(host, 0) + 1
        future = self.executor.submit(self._fetch, self.sources[index])
        future.add_done_callback(lambda done: self.finished.put((index, host, done)))

    def _fetch(self, source: Source) -> Fetched:
        started = perf_counter()
        try:
            fetched = self.fetch(source)
        except FeedhubError as error:
            fetched = Fetched(source=source, error=PollError(str(error)))
        except Exception as error:  # one source must never cost another its poll
            log.debug("poll of %s failed unexpectedly", source.name, exc_info=True)
            fetched = Fetched(source=source, error=PollError(f"unexpected {type(error).__name__}: {error}"))
        return replace(fetched, seconds=perf_counter() - started)
