"""The store in an SQL database. The statements are in the other files."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from feedhub.errors import StoreError
from feedhub.model.identity import IdentityKey, KnownKeys
from feedhub.model.item import Item
from feedhub.model.output import Category
from feedhub.model.report import Explanation, SearchHit, SourceCounts
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.store import explain, known, outputs, polls, schedule, search
from feedhub.store.categories import sync_categories
from feedhub.store.memberships import refile, some_wordings
from feedhub.store.sql_look import SqlLook
from feedhub.store.sql_outputs import SqlOutputs
from feedhub.store.sql_upkeep import SqlUpkeep
from feedhub.store.sqlite import open_engine
from feedhub.store.transaction import SqlTransaction

BUSY_TIMEOUT = 10.0


def open_store(url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> "SqlStore":
    """Open the store at an SQLAlchemy URL, making folder, file and tables where they are missing.

    ``busy_timeout`` is how many seconds a statement waits for another writer.

    Raises:
        StoreError: the address is not understood, or the store cannot be used.
    """
    try:
        address = make_url(url)
    except ArgumentError as exc:
        raise StoreError("store address cannot be read: write sqlite:///PATH") from exc
    if address.get_backend_name() == "postgresql":
        raise StoreError("PostgreSQL is not supported yet: write sqlite:///PATH")
    if (
        address.drivername not in {"sqlite", "sqlite+pysqlite"}
        or not address.database
        or ":memory:" in address.database
    ):
        raise StoreError(f"store {address.render_as_string()} is of an unknown kind: write sqlite:///PATH")
    store = SqlStore(open_engine(address, busy_timeout), address.database, busy_timeout)
    try:
        store.prepare()
    except StoreError:
        store.close()
        raise
    return store


class SqlStore(SqlOutputs, SqlLook, SqlUpkeep):
    """See ``feedhub.ports.store.Store``."""

    @contextmanager
    def writing(self) -> Iterator[SqlTransaction]:
        """See the port."""
        with self._write() as connection:
            yield SqlTransaction(connection, self._guard)

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        with self._read() as connection:
            return known.known_keys(connection, polls.number_if_any(connection, source), keys)

    def plan_polls(self, plan: Sequence[PlannedPoll]) -> None:
        """See the port."""
        with self._write() as connection:
            schedule.plan_polls(connection, plan)

    def due(self, now: datetime, *, per_host: int, limit: int) -> tuple[SourceState, ...]:
        """See the port."""
        with self._read() as connection:
            return schedule.due(connection, now, per_host, limit)

    def next_due_at(self) -> datetime | None:
        """See the port."""
        with self._read() as connection:
            return schedule.next_due_at(connection)

    def offered_texts(self, source: str) -> frozenset[str]:
        """See the port."""
        with self._read() as connection:
            return known.offered_texts(connection, source)

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, now: datetime, *, from_records: bool = False
    ) -> None:
        """See the port."""
        with self._write() as connection:
            sync_categories(connection, categories, output_digest, from_records=from_records)

    def states(self) -> tuple[SourceState, ...]:
        """See the port."""
        with self._read() as connection:
            return polls.all_states(connection)

    def counts(self, since: datetime) -> dict[str, SourceCounts]:
        """See the port."""
        with self._read() as connection:
            return polls.count_sightings(connection, since)

    def filed_digests(self) -> dict[str, str | None]:
        """See the port."""
        with self._read() as connection:
            return polls.filed_digests(connection)

    def mark_filed(self, names: Sequence[str], digest: str) -> None:
        """See the port."""
        if names:
            with self._write() as connection:
                polls.mark_filed(connection, names, digest)

    def refile(
        self,
        source: str,
        filings: Iterable[tuple[str, tuple[tuple[str, str], ...]]],
        *,
        digest: str,
        now: datetime,
    ) -> None:
        """See the port."""
        # Rules are run while the iterable is read: not inside the transaction.
        wanted = dict(filings)
        with self._write() as connection:
            number = polls.source_number(connection, source)
            outputs.bump(connection, *refile(connection, number, wanted))
            polls.save_filed_digest(connection, number, digest)

    def wordings(self, source: str) -> Iterator[tuple[str, Item]]:
        """See the port."""
        last: int | None = 0
        while last is not None:
            with self._read() as connection:
                last, page = some_wordings(connection, source, last)
            yield from page

    def explain(self, refs: Sequence[str]) -> tuple[Explanation, ...]:
        """See the port."""
        with self._read() as connection:
            return explain.explain(connection, refs)

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """See the port."""
        with self._read() as connection:
            return search.search_items(connection, query, limit)
