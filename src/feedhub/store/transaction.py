"""What can be done inside one write transaction."""

from collections.abc import Sequence
from datetime import datetime

from feedhub.model.identity import IdentityKey, IngestPlan, KnownKeys
from feedhub.model.item import Item
from feedhub.model.report import HealthEvent
from feedhub.model.source import SourceState
from feedhub.store import health, known, polls, schedule
from feedhub.store.categories import brought_by, slug_of_known_title, slug_of_title
from feedhub.store.connection import Connection
from feedhub.store.ingest import apply_plan
from feedhub.store.sqlite import Guard


class SqlTransaction:
    """One write transaction; see ``feedhub.ports.store.Transaction``."""

    def __init__(self, connection: Connection, guard: Guard) -> None:
        self._connection = connection
        self._guard = guard

    def state(self, name: str) -> SourceState:
        """See the port."""
        with self._guard:
            return polls.load_state(self._connection, name)

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        with self._guard:
            return known.known_keys(self._connection, polls.source_number(self._connection, source), keys)

    def ingest(self, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
        """See the port."""
        with self._guard:
            return apply_plan(self._connection, source, plan, now, complete=complete)

    def save_state(self, state: SourceState) -> None:
        """See the port."""
        with self._guard:
            polls.save_state(self._connection, state)

    def rate(self, source: str, since: datetime) -> int:
        """See the port."""
        with self._guard:
            return polls.new_since(self._connection, source, since)

    def tell(self, events: Sequence[HealthEvent]) -> None:
        """See the port."""
        with self._guard:
            health.add_events(self._connection, events)

    def hold(self, names: Sequence[str], until: datetime) -> None:
        """See the port."""
        with self._guard:
            schedule.hold(self._connection, names, until)

    def category_of_title(self, title: str) -> str | None:
        """See the port."""
        with self._guard:
            return slug_of_known_title(self._connection, title)

    def brought(self, source: str) -> int:
        """See the port."""
        with self._guard:
            return brought_by(self._connection, polls.source_number(self._connection, source))

    def category_slug(self, title: str, wanted: str) -> str:
        """See the port."""
        with self._guard:
            return slug_of_title(self._connection, title, wanted)

    def wording(self, source: str, item_id: str) -> Item | None:
        """See the port."""
        with self._guard:
            return known.wording(self._connection, source, item_id)
