"""Polls under way on one configuration: who is polled, and how many at a time on each host."""

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import perf_counter

from feedhub.errors import FeedhubError, PollError
from feedhub.model.source import Source, SourceState
from feedhub.pipeline.fetch import Fetched
from feedhub.rules.pacing import host_key, host_pace
from feedhub.runtime.hub import Hub

log = logging.getLogger(__name__)

_ROWS_PER_THREAD = 8


@dataclass(slots=True)
class UnderWay:
    """Polls that were started and not taken back yet, of this configuration and of the one before."""

    names: set[str] = field(default_factory=set)
    hosts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A poll whose outside half is over, on the engine that ran it."""

    engine: "Engine"
    host: str
    fetched: Fetched


class Engine:
    """Runs the fetches of one hub in threads and calls ``on_finished`` from them; ``take_back`` ends each poll."""

    def __init__(self, hub: Hub, on_finished: Callable[[Finished], None], under_way: UnderWay) -> None:
        self.hub = hub
        self.own = 0
        self._under_way = under_way
        self._on_finished = on_finished
        self._poll = hub.settings.poll
        self._sources = {source.name: source for source in hub.settings.sources}
        self._executor = ThreadPoolExecutor(max_workers=self._poll.workers, thread_name_prefix="poll")
        # Those of a host that are under way are still due, so that as many again must be seen behind them.
        groups = (group.concurrent for group in self._poll.host_groups)
        self._per_host = 2 * max(self._poll.host_concurrent, *groups, 1)

    @property
    def room(self) -> int:
        """How many more polls may be started."""
        return self._poll.workers - len(self._under_way.names)

    def start_due(self, most: int) -> bool:
        """Start polls that are due, ``most`` at most; tell whether more are due than there was room for.

        Raises:
            StoreError: the store cannot be used.
        """
        room = min(self.room, most)
        if room <= 0:
            return True
        limit = self._poll.workers * _ROWS_PER_THREAD
        is_left = False
        for state in self.hub.store.due(self.hub.now(), per_host=self._per_host, limit=limit):
            source = self._sources.get(state.name)
            if source is None or state.name in self._under_way.names:
                continue
            host = host_key(source.url, self._poll)
            if room and self._has_room(host):
                self._start(source, state, host)
                room -= 1
            else:
                is_left = True
        return is_left

    def take_back(self, finished: Finished) -> None:
        """Count a poll as over."""
        self.own -= 1
        self._under_way.names.discard(finished.fetched.source.name)
        self._under_way.hosts[finished.host] -= 1
        if not self._under_way.hosts[finished.host]:
            del self._under_way.hosts[finished.host]

    def is_current(self, source: Source) -> bool:
        """Tell whether a source is configured exactly so here: only then may its poll be stored."""
        return self._sources.get(source.name) == source

    def close(self) -> None:
        """Start nothing more; threads end with what they do."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _has_room(self, host: str) -> bool:
        return not host or self._under_way.hosts[host] < host_pace(host, self._poll)[0]

    def _start(self, source: Source, state: SourceState, host: str) -> None:
        self.own += 1
        self._under_way.names.add(source.name)
        self._under_way.hosts[host] += 1
        self._executor.submit(self._run, source, state, host)

    def _run(self, source: Source, state: SourceState, host: str) -> None:
        started = perf_counter()
        try:
            fetched = self.hub.fetch(source, state)
        except FeedhubError as error:
            fetched = Fetched(source=source, error=PollError(str(error)))
        except Exception as error:  # one source must never cost another its poll
            log.debug("poll of %s failed unexpectedly", source.name, exc_info=True)
            fetched = Fetched(source=source, error=PollError(f"unexpected {type(error).__name__}: {error}"))
        fetched = replace(fetched, seconds=perf_counter() - started)
        self._on_finished(Finished(engine=self, host=host, fetched=fetched))
