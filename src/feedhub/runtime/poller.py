"""Many polls at once: fetched in threads, parsed in processes, stored one after the other."""

import logging
import queue
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Final

from feedhub.errors import FeedhubError, NotAloneError, PollError, StoreError
from feedhub.model.report import PollReport
from feedhub.model.source import PollSettings, Source, SourceState
from feedhub.pipeline.fetch import Fetched
from feedhub.pipeline.ingest import IngestContext, store_poll, withdraw_failures
from feedhub.ports.store import Transaction
from feedhub.rules.pacing import Outage, host_key, host_pace, most_concurrent

if TYPE_CHECKING:
    from feedhub.runtime.hub import Hub

log = logging.getLogger(__name__)

Fetch = Callable[[Source], Fetched]
Ingest = Callable[[Sequence[Fetched]], Sequence[PollReport]]
"""Stores finished polls in the given order."""


@dataclass(slots=True)
class PollsUnderWay:
    """The polls that are still running: their sources, and how many there are on each host."""

    names: set[str] = field(default_factory=set)
    hosts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFetch:
    """A fetched result, with the ``PollThreads`` whose ``end`` must be called once it is handled."""

    threads: "PollThreads"
    host: str
    fetched: Fetched


class PollThreads:
    """Fetches sources in threads, and counts the polls on each host.

    A poll counts from its start until ``end``, also while it only waits: many sources of one slow host must not hold
    more threads than its limit. The requests themselves are spaced by ``fetch/throttle.py``. ``on_finished`` is called
    from the threads; everything else must be called from one thread only. ``under_way`` may be shared with other
    ``PollThreads``.
    """

    def __init__(
        self,
        settings: PollSettings,
        on_finished: Callable[[FinishedFetch], None],
        under_way: PollsUnderWay | None = None,
    ) -> None:
        self.count = 0
        self._settings = settings
        self._on_finished = on_finished
        self._under_way = under_way or PollsUnderWay()
        self._executor = ThreadPoolExecutor(max_workers=settings.workers, thread_name_prefix="poll")

    def has_room(self, host: str) -> bool:
        """Tell whether another poll may be started on a host; "" means no host, as for a local file."""
        return not host or self._under_way.hosts[host] < host_pace(host, self._settings)[0]

    def start(self, source: Source, host: str, fetch: Fetch) -> None:
        """Fetch a source as soon as a thread is free."""
        self.count += 1
        self._under_way.names.add(source.name)
        self._under_way.hosts[host] += 1
        self._executor.submit(self._run, source, host, fetch)

    def end(self, finished: FinishedFetch) -> None:
        """Count a poll as no longer running."""
        self.count -= 1
        self._under_way.names.discard(finished.fetched.source.name)
        self._under_way.hosts[finished.host] -= 1
        if not self._under_way.hosts[finished.host]:
            del self._under_way.hosts[finished.host]

    def close(self) -> None:
        """Start no further fetch, and do not wait for those under way: close the fetcher to end them."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, source: Source, host: str, fetch: Fetch) -> None:
        started = perf_counter()
        try:
            fetched = fetch(source)
        except FeedhubError as error:
            fetched = Fetched(source=source, error=PollError(str(error)))
        except Exception as error:  # one source must never cost another its poll
            log.debug("poll of %s failed unexpectedly", source.name, exc_info=True)
            fetched = Fetched(source=source, error=_unexpected(error))
        fetched = replace(fetched, seconds=perf_counter() - started)
        self._on_finished(FinishedFetch(threads=self, host=host, fetched=fetched))


def _unexpected(error: Exception) -> PollError:
    return PollError(f"unexpected {type(error).__name__}: {error}")


# How many due sources are looked at for each thread: those whose host has no room are passed over.
_ROWS_PER_THREAD: Final = 8


class DuePoller:
    """Starts the polls that are due on one configuration, as far as there is room, for the daemon."""

    def __init__(
        self, hub: "Hub", on_finished: Callable[[FinishedFetch], None], under_way: PollsUnderWay | None = None
    ) -> None:
        self.hub = hub
        self._under_way = under_way or PollsUnderWay()
        self._poll = hub.settings.poll
        self._sources = {source.name: source for source in hub.settings.sources}
        self.threads = PollThreads(self._poll, on_finished, self._under_way)
        # The store still lists running polls as due, so ask for twice as many rows.
        self._rows_per_host = 2 * most_concurrent(self._poll)

    @property
    def room(self) -> int:
        """How many more polls may be started."""
        return self._poll.workers - len(self._under_way.names)

    def start_due(self, most: int) -> bool:
        """Start polls that are due, ``most`` at most; return True if some due sources had to wait.

        Raises:
            StoreError: the store cannot be used.
        """
        room = min(self.room, most)
        if room <= 0:
            return True
        limit = self._poll.workers * _ROWS_PER_THREAD
        has_more_due = False
        for state in self.hub.store.due(self.hub.now(), per_host=self._rows_per_host, limit=limit):
            source = self._sources.get(state.name)
            if source is None or state.name in self._under_way.names:
                continue
            host = host_key(source.url, self._poll)
            if room and self.threads.has_room(host):
                self._start(source, state, host)
                room -= 1
            else:
                has_more_due = True
        return has_more_due

    def is_current(self, source: Source) -> bool:
        """Tell whether a source has exactly this configuration in the current hub: only then is its poll stored."""
        return self._sources.get(source.name) == source

    def _start(self, source: Source, state: SourceState, host: str) -> None:
        self.threads.start(source, host, lambda source: self.hub.fetch(source, state))


# How far fetching may run ahead of storing: one source at its time limit holds back this many others' results,
# which is what bounds memory.
_LOOKAHEAD: Final = 256
# Most polls stored in one transaction; other writers wait meanwhile.
_MOST_PER_TRANSACTION: Final = 32
# So many are stored without waiting for more, and so many seconds are waited for the next one.
_ENOUGH: Final = 24
_PAUSE: Final = 0.1


def poll_all(
    sources: Sequence[Source],
    *,
    fetch: Fetch,
    ingest: Ingest,
    settings: PollSettings,
    on_report: Callable[[PollReport], None] = lambda _: None,
) -> tuple[PollReport, ...]:
    """Poll every source once and return the reports in the order of ``sources``.

    Raises:
        StoreError: from ``ingest``; polls under way are abandoned, what was stored stays.
    """
    reports: list[PollReport] = []
    batch = _Batch(sources=sources, fetch=fetch, settings=settings)
    try:
        for finished in batch.in_order():
            for report in ingest(finished):
                on_report(report)
                reports.append(report)
    finally:
        batch.threads.close()
    return tuple(reports)


class _Batch:
    """Sources that are polled once, in their order; those of a host without room wait in a queue of their own."""

    def __init__(self, *, sources: Sequence[Source], fetch: Fetch, settings: PollSettings) -> None:
        self._sources = sources
        self._fetch = fetch
        self._settings = settings
        self._finished: queue.SimpleQueue[FinishedFetch] = queue.SimpleQueue()
        self._admitted = 0
        self._waiting: dict[str, deque[Source]] = {}
        self.threads = PollThreads(settings, self._finished.put)

    def in_order(self) -> Iterator[list[Fetched]]:
        """Yield what was fetched in the order of the sources, keeping the threads busy meanwhile.

        Results that are ready are yielded as one list, to be stored in one transaction. A few more are waited for while
        they come one after the other: a change of many documents writes less than many changes.
        """
        results: dict[str, Fetched] = {}
        position = 0
        while position < len(self._sources):
            self._start_more(position)
            while finished := self._next_finished(results, self._sources[position].name):
                results[finished.fetched.source.name] = finished.fetched
                self.threads.end(finished)
                self._start_more(position)
            ready: list[Fetched] = []
            for source in self._sources[position : position + _MOST_PER_TRANSACTION]:
                if source.name not in results:
                    break
                ready.append(results.pop(source.name))
            position += len(ready)
            yield ready

    def _next_finished(self, results: Mapping[str, Fetched], wanted: str) -> FinishedFetch | None:
        """Return what ends next; None where what is ``wanted`` is there, and no more is worth waiting for."""
        timeout = None
        if wanted in results:
            is_worth_it = self.threads.count and len(results) < _ENOUGH and results[wanted].feed is not None
            timeout = _PAUSE if is_worth_it else 0
        try:
            return self._finished.get(timeout=timeout)
        except queue.Empty:
            return None

    def _start_more(self, position: int) -> None:
        while self._admitted < min(position + _LOOKAHEAD, len(self._sources)):
            source = self._sources[self._admitted]
            self._waiting.setdefault(host_key(source.url, self._settings), deque()).append(source)
            self._admitted += 1
        for host in list(self._waiting):
            sources = self._waiting[host]
            while sources and self.threads.has_room(host):
                self.threads.start(sources.popleft(), host, self._fetch)
            if not sources:
                del self._waiting[host]


def _beside(batch: Sequence[Fetched]) -> list[str]:
    """Return the sources whose polls may be stored beside others, if all of the batch may.

    Of several documents each would lock what it names, and two batches might wait for each other.
    """
    is_simple = len(batch) == 1 or all(fetched.feed is None for fetched in batch)
    return [fetched.source.name for fetched in batch] if is_simple else []


class Ingester:
    """Stores what was fetched, in the order in which it is given. One thread stores; any may ask ``held_until``."""

    def __init__(self, context: IngestContext, *, now: Callable[[], datetime]) -> None:
        self._context = context
        self._now = now
        self._held_hosts: dict[str, datetime] = {}
        self.outage = Outage()

    @property
    def is_offline(self) -> bool:
        """Whether the last polls say that our own network is down."""
        return self.outage.is_ours(self._hosts)

    def ingest(self, fetched: Fetched) -> PollReport:
        """Store one poll and report how it went; see ``ingest_all``."""
        return self.ingest_all([fetched])[0]

    def ingest_all(
        self, batch: Sequence[Fetched], first: Callable[[Transaction], None] = lambda _: None
    ) -> list[PollReport]:
        """Store polls in one transaction, each all or nothing, and report how they went.

        Every transaction begins with ``first``.

        Where one breaks, all are taken back, and each is stored by a transaction of its own: what that costs is paid
        then, and not by a savepoint before each poll, for which the database keeps what every page was like.

        Raises:
            StoreError: the store cannot be used; the polls can be repeated.
        """
        held_hosts, outage = dict(self._held_hosts), self.outage
        try:
            try:
                return self._stored(batch, first, beside=_beside(batch))
            except NotAloneError:
                self._held_hosts, self.outage = dict(held_hosts), outage
                return self._stored(batch, first)
        except StoreError:
            raise
        except Exception as error:  # one source must never cost another its poll
            self._held_hosts, self.outage = held_hosts, outage
            if len(batch) > 1:
                return [report for fetched in batch for report in self.ingest_all([fetched], first)]
            log.debug("storing %s failed unexpectedly", batch[0].source.name, exc_info=True)
            failed = replace(batch[0], error=_unexpected(error))
        return self._stored([failed], first)

    def _stored(
        self, batch: Sequence[Fetched], first: Callable[[Transaction], None], beside: Sequence[str] = ()
    ) -> list[PollReport]:
        with self._context.store.transaction(beside) as transaction:
            first(transaction)
            return [self._ingest(fetched, transaction) for fetched in batch]

    def _ingest(self, fetched: Fetched, transaction: Transaction) -> PollReport:
        is_offline = self._update_outage(fetched, transaction)
        stored = store_poll(transaction, fetched, self._context, now=self._now(), is_offline=is_offline)
        if fetched.error and fetched.error.retry_at and self._context.settings.poll.retry_after == "host":
            self._hold(fetched.source, fetched.error.retry_at, transaction)
        if log.isEnabledFor(logging.DEBUG):
            from feedhub.runtime.decisions import log_poll_decisions

            log_poll_decisions(fetched.source, stored)
        return stored.report

    def held_until(self, source: Source) -> datetime | None:
        """Return the time before which the host of a source asked not to be contacted; None when it may be asked."""
        until = self._held_hosts.get(self._host(source))
        return until if until and until > self._now() else None

    def resume(self, earlier: "Ingester") -> None:
        """Take over what the ingester of the configuration before has learned of hosts and of the network."""
        self._held_hosts = dict(earlier._held_hosts)
        self.outage = earlier.outage

    def _update_outage(self, fetched: Fetched, transaction: Transaction) -> bool:
        """Update the outage record with this poll; return True if the failure is our own network's."""
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
        self._held_hosts[host] = max(until, self._held_hosts.get(host, until))
        transaction.postpone(
            [other.name for other in self._context.settings.sources if self._host(other) == host], until
        )

    @cached_property
    def _hosts(self) -> frozenset[str]:
        sources = self._context.settings.sources
        return frozenset(host for source in sources if not source.paused and (host := self._host(source)))

    def _host(self, source: Source) -> str:
        return host_key(source.url, self._context.settings.poll)
