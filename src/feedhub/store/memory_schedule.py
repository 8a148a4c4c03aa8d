"""The side of the store in memory that the daemon sees: due times, health events, exclusive rights."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from feedhub.errors import StoreError
from feedhub.model.report import HealthEvent
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.store.memory_data import Data

_NEVER = datetime.max.replace(tzinfo=UTC)


class MemorySchedule:
    """See ``feedhub.ports.store``."""

    def __init__(self) -> None:
        self._data = Data()
        self._lock = threading.RLock()
        self._rights: dict[str, threading.Lock] = {}

    def plan_polls(self, plan: Sequence[PlannedPoll]) -> None:
        """See the port."""
        with self._lock:
            self._data.planned = {one.name: one.host for one in plan}
            for one in plan:
                self._data.sources.setdefault(one.name)
                state = self._data.states.get(one.name, SourceState(name=one.name))
                self._data.states[one.name] = replace(state, next_poll_at=one.at)

    def due(self, now: datetime, *, per_host: int, limit: int) -> tuple[SourceState, ...]:
        """See the port."""
        with self._lock:
            found = [state for state in self._scheduled() if (state.next_poll_at or _NEVER) <= now]
            turns: Counter[str] = Counter()
            chosen = []
            for state in found:
                turns[self._data.planned[state.name]] += 1
                if turns[self._data.planned[state.name]] <= per_host:
                    chosen.append(state)
            return tuple(chosen[:limit])

    def next_due_at(self) -> datetime | None:
        """See the port."""
        with self._lock:
            return next((state.next_poll_at for state in self._scheduled() if state.next_poll_at), None)

    def health_events(self, limit: int) -> tuple[HealthEvent, ...]:
        """See the port."""
        with self._lock:
            return tuple(reversed(self._data.events))[:limit]

    def health_number(self) -> int:
        """See the port."""
        return len(self._data.events)

    def health_published(self) -> int:
        """See the port."""
        return self._data.told

    def mark_health_published(self, number: int) -> None:
        """See the port."""
        self._data.told = number

    @contextmanager
    def alone(self, task: str, *, wait: float) -> Iterator[None]:
        """See the port; across threads only, since no other process can see this store."""
        right = self._rights.setdefault(task, threading.Lock())
        if not right.acquire(timeout=wait):
            raise StoreError(f"the store in memory is in use: another `feedhub {task}` holds it")
        try:
            yield
        finally:
            right.release()

    def _scheduled(self) -> list[SourceState]:
        """Return scheduled states, the first due first; among equals in the order in which they were made known."""
        order = {name: number for number, name in enumerate(self._data.sources)}
        found = [self._data.states[name] for name in self._data.planned]
        return sorted(found, key=lambda state: (state.next_poll_at or _NEVER, order[state.name]))
