"""The store on an SQL database: opening it, and its topics put together."""

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError

from feedhub.errors import DamagedStoreError, StoreError, UsageError
from feedhub.model.report import CopiedTable, WorkersReport
from feedhub.store.categories import SqlCategories
from feedhub.store.copying import SqlCopying
from feedhub.store.database import Backend, PreparedStatement, Rows
from feedhub.store.ingest import SqlItemTransaction
from feedhub.store.keys import SqlItems
from feedhub.store.ledger import SqlLedger
from feedhub.store.maintenance import SqlMaintenance
from feedhub.store.outputs import SqlOutputs
from feedhub.store.queries import SqlQueries
from feedhub.store.refiling import SqlRefiling, SqlRefilingTransaction, SqlSightedItems
from feedhub.store.source_states import SqlSources
from feedhub.store.sqlite import SqliteBackend, is_store_file, put_in_place
from feedhub.store.status import StatusReader
from feedhub.store.stories import SqlStoryTransaction
from feedhub.store.told_stories import SqlStories

if TYPE_CHECKING:
    from feedhub.store.cluster import ClusterTables

BUSY_TIMEOUT = 10.0


class SqlTransaction(SqlItemTransaction, SqlRefilingTransaction, SqlStoryTransaction):
    """See ``feedhub.ports.store.Transaction``."""


class SqlStore(
    SqlItems,
    SqlSources,
    SqlCategories,
    SqlRefiling,
    SqlStories,
    SqlOutputs,
    SqlQueries,
    SqlLedger,
    SqlSightedItems,
    SqlCopying,
    SqlMaintenance,
    StatusReader,
):
    """See ``feedhub.ports.store.Store``."""

    def _rows(self, sql: str, **values: object) -> Rows:
        return self._query(_prepared(sql), values)

    @contextmanager
    def transaction(self, beside: Collection[str] = ()) -> Iterator[SqlTransaction]:
        sharing = beside and self._backend.can_share
        with self._write_beside(beside) if sharing else self._write() as connection:
            yield SqlTransaction(connection)

    def task_lock(self, task: str, *, wait: float) -> AbstractContextManager[Callable[[], None]]:
        return self._backend.task_lock(task, wait)

    def workers(self) -> WorkersReport | None:
        if not self._backend.can_share:
            return None
        tables = self.cluster()
        return tables.report() if tables.is_made else None

    def cluster(self) -> "ClusterTables":
        """Return what workers on many machines tell one another by this store.

        Raises:
            UsageError: it is in a file, which has one machine.
        """
        if not self._backend.can_share:
            raise UsageError(f"workers need a store on PostgreSQL, and {self._place} is none (docs/growing.md)")
        from feedhub.store.cluster import ClusterTables
        from feedhub.store.postgresql import PostgresBackend

        assert isinstance(self._backend, PostgresBackend)  # noqa: S101 - tells the type checker
        return ClusterTables(self._backend)


@cache
def _prepared(sql: str) -> PreparedStatement:
    return PreparedStatement(text(sql))


def open_store(
    url: str, *, busy_timeout: float = BUSY_TIMEOUT, may_make: bool = True, unfinished: bool = False
) -> SqlStore:
    """Open the store at an SQLAlchemy URL; where it is missing it is made, if it ``may_make`` folder and file.

    ``busy_timeout`` is how many seconds a statement waits for another writer. ``unfinished``: it may be a copy of
    which a part is missing.

    Raises:
        NoStoreError: there is none, and none may be made.
        StoreError: the address is not understood, or the store cannot be used.
    """
    try:
        address = make_url(url)
    except ArgumentError as exc:
        raise StoreError("store address cannot be read: write sqlite:///PATH") from exc
    backend = _backend(address, busy_timeout)
    store = SqlStore(backend, busy_timeout)
    try:
        with backend.guard_for(backend.place):
            backend.make(may_make=may_make)
        store.migrate()
        if not unfinished:
            store.refuse_unfinished()
            store.empty_foreign_index()
    except StoreError:
        store.close()
        raise
    return store


def restore_store(url: str, backup: Path) -> Path | None:
    """Put a copy that ``backup`` wrote into the place of the store; return where the store of before lies, if any.

    The copy is looked through and brought to the current schema first.

    Raises:
        UsageError: it is no such copy, or the store is none in a file.
        StoreError: the copy is damaged or of a newer version, or something works on the store.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise UsageError("only a store in a file is restored so; for PostgreSQL see docs/growing.md")
    if not is_store_file(backup):
        raise UsageError(f"{backup} is no copy of a store")
    place = Path(os.path.realpath(address.database))
    backend = SqliteBackend(address, BUSY_TIMEOUT)
    beside = place.with_name(f"{place.name}.restoring")
    try:
        with backend.guard_for(str(place)):
            place.parent.mkdir(parents=True, exist_ok=True)
        with backend.task_lock("run", 0), backend.guard_for(str(place)):
            shutil.copyfile(backup, beside)
            _verified(address.set(database=str(beside)), backup)
            return put_in_place(beside, place)
    finally:
        backend.engine.dispose()
        for name in (beside, *(Path(f"{beside}{suffix}") for suffix in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)


def _verified(address: URL, backup: Path) -> None:
    try:
        store = open_store(address.render_as_string(), may_make=False)
        try:
            store.verify()
            store.maintain()
        finally:
            store.close()
    except DamagedStoreError as exc:
        raise DamagedStoreError(f"{backup} is damaged, and nothing was restored: {exc}") from exc


def copy_store(origin: str, target: str, told: Callable[[CopiedTable], None]) -> tuple[CopiedTable, ...]:
    """Make a new store at one address of the store at another; see ``SqlCopying.copy_from``."""
    with closing(open_store(origin, may_make=False)) as old, closing(open_store(target, unfinished=True)) as new:
        return new.copy_from(old, told)


def _backend(address: URL, busy_timeout: float) -> Backend:
    if address.get_backend_name() == "postgresql":
        return _postgresql(address, busy_timeout)
    place = address.database
    if address.drivername not in {"sqlite", "sqlite+pysqlite"} or not place or ":memory:" in place:
        raise StoreError(f"store {address.render_as_string()} is of an unknown kind: write sqlite:///PATH")
    return SqliteBackend(address, busy_timeout)


def _postgresql(address: URL, busy_timeout: float) -> Backend:
    if address.drivername != "postgresql+psycopg" or not address.database:
        raise StoreError(f"store {address.render_as_string()} cannot be read: write postgresql+psycopg://HOST/DATABASE")
    try:
        from feedhub.store.postgresql import PostgresBackend  # psycopg is an extra
    except ImportError as exc:
        raise StoreError(f"store {address.render_as_string()} needs feedhub's extra `postgres` (psycopg)") from exc
    return PostgresBackend(address, busy_timeout)
