"""The work of one job: the due sources of one host are polled and stored, for a minute at most."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from feedhub.errors import FencedError, StoreError
from feedhub.model.report import PollReport
from feedhub.model.source import Source
from feedhub.pipeline.fetch import Fetched
from feedhub.ports.store import Transaction
from feedhub.rules.pacing import host_pace
from feedhub.runtime.cluster.hosts import Lease, SharedThrottle
from feedhub.runtime.daemon import log_poll
from feedhub.runtime.hub import Hub
from feedhub.runtime.poller import FinishedFetch, PollThreads
from feedhub.store.cluster import ClusterTables

log = logging.getLogger(__name__)

LONGEST_JOB: Final = 60.0
"""Seconds after which a job starts no further poll; what is left stays due."""
CUT_SOON: Final = 50.0
"""Seconds after which the next job of its host may wait behind a job."""
_MOST_SOURCES: Final = 500
_PATIENCE_WITH_GUESTS: Final = 60.0
_NO_HOST: Final = ""


@dataclass(frozen=True, kw_only=True)
class InForce:
    """A configuration at work: the number of its generation, and feedhub on it."""

    number: int
    hub: Hub

    @cached_property
    def sources(self) -> dict[str, Source]:
        """All sources, by name."""
        return {source.name: source for source in self.hub.settings.sources}


class HostPolls:
    """Polls the due sources of hosts, each in the thread that calls ``run``. ``in_force`` is exchanged as a whole.

    What was fetched is stored by one thread at a time, and only while the worker has its lease, the job its host, and
    the configuration is the newest. Otherwise it is dropped: the sources are still due, and another job polls them.
    """

    def __init__(
        self,
        in_force: InForce,
        *,
        tables: ClusterTables,
        throttle: SharedThrottle,
        lease: Lease,
        on_report: Callable[[PollReport], None] = lambda _: None,
    ) -> None:
        self.in_force = in_force
        self._tables = tables
        self._throttle = throttle
        self._lease = lease
        self._on_report = on_report
        self._storing = threading.Lock()
        self._stopping = threading.Event()
        self._probing = threading.Lock()
        self._is_abandoned = False

    def stop(self) -> None:
        """Start no further poll."""
        self._stopping.set()

    def abandon(self) -> None:
        """End polls under way, which stay due."""
        self._stopping.set()
        self._is_abandoned = True
        self.in_force.hub.fetcher.close()
        self.in_force.hub.parser.close()

    def run(self, host: str, job: int) -> None:
        """Do the work of a job; log what hinders it."""
        try:
            if self._stopping.is_set() or not self._takes(host, job):
                return
            try:
                with self._throttle.serving(host):
                    self._poll_due(_Job(host=host, number=job, in_force=self.in_force))
            finally:
                self._tables.give_back(host, job)
        except FencedError as error:
            log.warning("what was fetched is not stored", extra={"host": host, "reason": str(error)})
        except StoreError as error:
            log.error("the store cannot be used", extra={"reason": str(error), "host": host})

    def _takes(self, host: str, job: int) -> bool:
        """Take the host, and wait until guests have left it and it may be asked again."""
        taken = self._tables.take(host, job)
        if taken is None:
            return False
        if host == _NO_HOST:
            return True
        left: float | None = taken.guest_left
        until = time.monotonic() + _PATIENCE_WITH_GUESTS
        asked_ago = taken.asked_ago if left is not None and left <= 0 else 0.0
        while left is not None and left > 0 and time.monotonic() < until and not self._stopping.wait(0.1):
            left = self._tables.guest_left(host, job)
        if left is None or left > 0 or taken.closed_for > 0:
            self._tables.give_back(host, job)
            return False
        gap = host_pace(host, self.in_force.hub.settings.poll)[1]
        self._stopping.wait(max(0.0, gap - asked_ago))
        return True

    def _poll_due(self, job: "_Job") -> None:
        hub = job.in_force.hub
        due = hub.store.due_on_host(job.host, hub.now(), limit=_MOST_SOURCES)
        states = {state.name: state for state in due if state.name in job.in_force.sources}
        if not states:
            return
        waiting = deque(job.in_force.sources[name] for name in states)
        room = host_pace(job.host, hub.settings.poll)[0] if job.host else hub.settings.poll.workers
        finished: queue.SimpleQueue[FinishedFetch] = queue.SimpleQueue()
        threads = PollThreads(replace(hub.settings.poll, workers=min(room, len(waiting))), finished.put)
        try:
            while True:
                while waiting and threads.has_room(job.host) and self._may_start(job, threads.count):
                    threads.start(waiting.popleft(), job.host, lambda source: hub.fetch(source, states[source.name]))
                if not threads.count:
                    return
                batch = [finished.get()]
                with suppress(queue.Empty):
                    while True:
                        batch.append(finished.get_nowait())
                for one in batch:
                    threads.end(one)
                self._store(job, [one.fetched for one in batch])
        finally:
            threads.close()

    def _may_start(self, job: "_Job", under_way: int) -> bool:
        left = job.ends_at - time.monotonic()
        if left <= 0 or job.is_over or self._is_hindered(job):
            return False
        hub = job.in_force.hub
        if not hub.ingester.is_offline:
            return True
        # While our own network is down, one source at a time is polled as a probe, over all jobs; the others wait.
        if under_way or not self._probing.acquire(timeout=left):
            return False
        try:
            if hub.ingester.is_offline:
                self._stopping.wait(min(hub.waits.probe, left))
        finally:
            self._probing.release()
        return not self._is_hindered(job)

    def _is_hindered(self, job: "_Job") -> bool:
        return self._stopping.is_set() or not self._lease.is_held or self.in_force is not job.in_force

    def _store(self, job: "_Job", batch: Sequence[Fetched]) -> None:
        """Store what was fetched, if the job still may: documents one by one, and together those that brought none."""
        hub = job.in_force.hub

        def first(transaction: Transaction) -> None:
            # Others that want to ask this host come after this.
            job.is_over |= transaction.must_hold(job.host, job.number, job.in_force.number)

        without = [fetched for fetched in batch if fetched.feed is None]
        for part in (without, *([fetched] for fetched in batch if fetched.feed is not None)):
            if not part or self._is_abandoned or not self._lease.is_held or self.in_force is not job.in_force:
                continue
            with self._storing:
                reports = hub.ingester.ingest_all(part, first)
            for report in reports:
                log_poll(report)
                self._on_report(report)
        if hub.settings.poll.retry_after == "host":
            for fetched in batch:
                if fetched.error and fetched.error.retry_at and job.host:
                    self._tables.close_host(job.host, fetched.error.retry_at)


@dataclass(slots=True, kw_only=True)
class _Job:
    """One job under way. ``is_over``: others want to ask its host."""

    host: str
    number: int
    in_force: InForce
    ends_at: float = field(default_factory=lambda: time.monotonic() + LONGEST_JOB)
    is_over: bool = False
