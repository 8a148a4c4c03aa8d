"""The database under the store: transactions, and the one writer."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, Select, text

from feedhub.errors import StoreError
from feedhub.model.identity import IdentityKey, IngestPlan, KnownKeys
from feedhub.model.item import Item
from feedhub.model.report import HealthEvent
from feedhub.model.source import SourceState
from feedhub.store import known, polls
from feedhub.store.ingest import apply_plan
from feedhub.store.memberships import brought_by, slug_of_known_title, slug_of_title
from feedhub.store.migrations import apply_next
from feedhub.store.outputs import chunks
from feedhub.store.sqlite import Connection, Guard, Prepared, use_wal
from feedhub.store.tables import AnyRow


class SqlBase:
    """What every side of the store works with."""

    def __init__(self, engine: Engine, place: str, busy_timeout: float) -> None:
        self._engine = engine
        self._writer_engine = engine.execution_options(write=True)
        self._place = place
        self._busy_timeout = busy_timeout
        self._guard = Guard(place)
        # Threads of one process wait here, in turn, and not in SQLite's retry loop, which may starve one of them.
        self._one_writer = threading.Lock()

    def prepare(self) -> None:
        """Make the folder, bring the schema up to date, refuse what cannot be used."""
        with Guard(self._place, OSError):
            Path(self._place).parent.mkdir(parents=True, exist_ok=True)
            use_wal(self._engine)
        while self._migrate_once():
            pass

    def _migrate_once(self) -> bool:
        with self._write() as connection:
            return apply_next(connection.plain, self._place)

    @contextmanager
    def _alone_in_process(self) -> Iterator[None]:
        if not self._one_writer.acquire(timeout=self._busy_timeout):
            raise StoreError(f"store {self._place} is in use by another thread for more than {self._busy_timeout:g} s")
        try:
            yield
        finally:
            self._one_writer.release()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._alone_in_process(), self._guard, self._writer_engine.begin() as connection:
            yield Connection(connection)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._guard, self._engine.begin() as connection:
            yield Connection(connection)

    def _selected(self, wanted: Select[int]) -> Iterator[list[int]]:
        """Yield what ``wanted`` selects in parts that are written one by one: pollers wait for one part only."""
        with self._read() as connection:
            found: set[int] = set(connection.execute(wanted).scalars())
        yield from chunks(sorted(found))

    def close(self) -> None:
        """See the port."""
        self._engine.dispose()


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
            polls.add_events(self._connection, events)

    def hold(self, names: Sequence[str], until: datetime) -> None:
        """See the port."""
        with self._guard:
            polls.hold(self._connection, names, until)

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
