"""What can be done inside one write transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import text

from feedhub.model.identity import IdentityKey, IngestPlan, KnownKeys
from feedhub.model.item import Item
from feedhub.model.report import HealthEvent
from feedhub.model.source import SourceState
from feedhub.store import health, known, polls, schedule
from feedhub.store.categories import brought_by, slug_of_known_title, slug_of_title
from feedhub.store.connection import Connection, Prepared
from feedhub.store.ingest import apply_plan
from feedhub.store.sqlite import Guard
from feedhub.store.tables import AnyRow

_BEGIN_PART = Prepared(text("SAVEPOINT part"))
_UNDO_PART = Prepared(text("ROLLBACK TO SAVEPOINT part"))
_END_PART = Prepared(text("RELEASE SAVEPOINT part"))


class SqlTransaction:
    """One write transaction; see ``feedhub.ports.store.Transaction``."""

    def __init__(self, connection: Connection, guard: Guard) -> None:
        self._connection = connection
        self._guard = guard
        # Rows of sources as they are: nobody else writes meanwhile, and each is asked for several times.
        self._rows: dict[str, AnyRow] = {}

    @contextmanager
    def part(self) -> Iterator[None]:
        """See the port."""
        with self._guard:
            self._connection.execute(_BEGIN_PART)
        try:
            yield
        except BaseException:
            self._rows.clear()
            with self._guard:
                self._connection.execute(_UNDO_PART)
                self._connection.execute(_END_PART)
            raise
        with self._guard:
            self._connection.execute(_END_PART)

    def state(self, name: str) -> SourceState:
        """See the port."""
        row = self._row(name)
        return SourceState(name=name) if row is None else polls.state_of(row)

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        with self._guard:
            return known.known_keys(self._connection, self._number(source), keys)

    def ingest(self, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
        """See the port."""
        with self._guard:
            return apply_plan(self._connection, source, self._number(source), plan, now, complete=complete)

    def save_state(self, state: SourceState) -> None:
        """See the port."""
        before = self._row(state.name)
        number = int(before.id) if before else self._number(state.name)
        with self._guard:
            polls.save_state(self._connection, state, number, before)
        self._rows.pop(state.name, None)

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
            return brought_by(self._connection, self._number(source))

    def category_slug(self, title: str, wanted: str) -> str:
        """See the port."""
        with self._guard:
            return slug_of_title(self._connection, title, wanted)

    def wording(self, source: str, item_id: str) -> Item | None:
        """See the port."""
        with self._guard:
            return known.wording(self._connection, source, item_id)

    def _row(self, name: str) -> AnyRow | None:
        if name not in self._rows:
            with self._guard:
                row = polls.source_row(self._connection, name)
            if row is None:
                return None
            self._rows[name] = row
        return self._rows[name]

    def _number(self, name: str) -> int:
        """Return the number of a source, giving it one at first sight."""
        row = self._row(name)
        if row is not None:
            return int(row.id)
        with self._guard:
            return polls.source_number(self._connection, name)
