"""Many polls at once: fetched in threads, parsed in processes, stored one after the other in a fixed order."""

import logging
import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from time import perf_counter
from typing import Final

from feedhub.errors import FeedhubError, PollError, StoreError
from feedhub.model.report import PollReport
from feedhub.model.source import Source
from feedhub.pipeline.fetch import Fetched
from feedhub.pipeline.ingest import IngestContext, store_poll, withdraw_failures
from feedhub.ports.store import Transaction
from feedhub.rules.pacing import Outage, host_key

log = logging.getLogger(__name__)


class Keeper:
    """Stores polls in the order in which it is given them. One thread stores; any may ask ``held_until``."""

    def __init__(self, context: IngestContext, *, now: Callable[[], datetime]) -> None:
        self._context = context
        self._now = now
        self._holds: dict[str, datetime] = {}
        self.outage = Outage()

    @property
    def is_offline(self) -> bool:
        """Whether the last polls say that our own network is down."""
        return self.outage.is_ours(self._hosts)

    def keep(self, fetched: Fetched) -> PollReport:
        """Store one poll and report how it went; see ``keep_all``."""
        return self.keep_all([fetched])[0]

    def keep_all(self, batch: Sequence[Fetched]) -> list[PollReport]:
        """Store polls in one transaction, each all or nothing, and report how they went.

        Raises:
            StoreError: the store cannot be used, and nothing was stored; the polls can be repeated.
        """
        with self._context.store.writing() as transaction:
            return [self._keep(fetched, transaction) for fetched in batch]

    def _keep(self, fetched: Fetched, transaction: Transaction) -> PollReport:
        is_ours = self._judged(fetched, transaction)
        try:
            report = store_poll(transaction, fetched, self._context, now=self._now(), is_ours=is_ours)
        except StoreError:
            raise
        except Exception as error:  # one source must never cost another its poll
            log.debug("storing %s failed unexpectedly", fetched.source.name, exc_info=True)
            failed = replace(fetched, error=PollError(f"unexpected {type(error).__name__}: {error}"))
            report = store_poll(transaction, failed, self._context, now=self._now())
        if fetched.error and fetched.error.retry_at and self._context.settings.poll.retry_after == "host":
            self._hold(fetched.source, fetched.error.retry_at, transaction)
        return report

    def held_until(self, source: Source) -> datetime | None:
        """Return until when the host of a source wants to be left alone; None when it may be asked."""
        until = self._holds.get(self._host(source))
        return until if until and until > self._now() else None

    def resume(self, earlier: "Keeper") -> None:
        """Take over what an earlier keeper, of the configuration before, has learned."""
        self._holds = dict(earlier._holds)
        self.outage = earlier.outage

    def _judged(self, fetched: Fetched, transaction: Transaction) -> bool:
        """Take a poll into account; tell whether its failure is our own network's."""
        if fetched.held_until or fetched.source.broken:
            return False
        before, was_offline = self.outage, self.is_offline
        self.outage = before.after(fetched.source.name, self._host(fetched.source), fetched.error)
        if self.is_offline and not was_offline:
            log.warning("no source can be reached; the network seems to be down, so this counts against none")
            withdraw_failures(transaction, before.sources, self._now())
        elif was_offline and not self.is_offline:
            log.warning("the network is back")
        return self.is_offline and fetched.error is not None

    def _hold(self, source: Source, until: datetime, transaction: Transaction) -> None:
        host = self._host(source)
        self._holds[host] = max(until, self._holds.get(host, until))
        transaction.hold([other.name for other in self._context.settings.sources if self._host(other) == host], until)

    @cached_property
    def _hosts(self) -> frozenset[str]:
        sources = self._context.settings.sources
        return frozenset(host for source in sources if not source.paused and (host := self._host(source)))

    def _host(self, source: Source) -> str:
        return host_key(source.url, self._context.settings.poll)


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
