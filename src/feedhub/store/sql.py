"""The store in an SQL database: transactions, the one writer, and the port. The statements are in the other files."""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Select, make_url
from sqlalchemy.exc import ArgumentError

from feedhub.errors import StoreError
from feedhub.model.identity import IdentityKey, KnownKeys
from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, CategorySummary
from feedhub.model.report import Explanation, PruneReport, SearchHit, SourceCounts
from feedhub.model.source import SourceState
from feedhub.store import explain, known, outputs, polls, retention, search
from feedhub.store.categories import sync_categories
from feedhub.store.memberships import refile, some_wordings
from feedhub.store.migrations import apply_next
from feedhub.store.sqlite import Guard, copy_database, open_engine, use_wal
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


class SqlStore:
    """See ``feedhub.ports.Store``."""

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
            return apply_next(connection, self._place)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        if not self._one_writer.acquire(timeout=self._busy_timeout):
            raise StoreError(f"store {self._place} is in use by another thread for more than {self._busy_timeout:g} s")
        try:
            with self._guard, self._writer_engine.begin() as connection:
                yield connection
        finally:
            self._one_writer.release()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._guard, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[SqlTransaction]:
        """See the port."""
        with self._write() as connection:
            yield SqlTransaction(connection, self._guard)

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        with self._read() as connection:
            return known.known_keys(connection, polls.number_if_any(connection, source), keys)

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, now: datetime, *, from_records: bool = False
    ) -> None:
        """See the port."""
        with self._write() as connection:
            sync_categories(connection, categories, output_digest, from_records=from_records)

    def posts(self, since: int) -> tuple[tuple[str, StoredItem], ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.touched_posts(connection, since)

    def change_number(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection)

    def posts_published(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection, outputs.POSTS_PUBLISHED)

    def mark_posts_published(self, number: int) -> None:
        """See the port."""
        with self._write() as connection:
            outputs.put_number(connection, outputs.POSTS_PUBLISHED, number)

    def states(self) -> tuple[SourceState, ...]:
        """See the port."""
        with self._read() as connection:
            return polls.all_states(connection)

    def due_outputs(self) -> dict[str, int]:
        """See the port."""
        with self._read() as connection:
            return outputs.due_outputs(connection)

    def mark_published(self, versions: dict[str, int]) -> None:
        """See the port."""
        if versions:
            with self._write() as connection:
                outputs.mark_published(connection, versions)

    def newest(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.newest(connection, slug, limit)

    def categories(self) -> tuple[CategorySummary, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.summaries(connection)

    def item_count(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.item_count(connection)

    def changed_at(self, slug: str) -> datetime:
        """See the port."""
        with self._read() as connection:
            return outputs.changed_at(connection, slug)

    def counts(self, since: datetime) -> dict[str, SourceCounts]:
        """See the port."""
        with self._read() as connection:
            return polls.count_sightings(connection, since)

    def filed_digest(self, source: str) -> str | None:
        """See the port."""
        with self._read() as connection:
            return polls.load_filed_digest(connection, source)

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

    def prune(
        self, *, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
    ) -> PruneReport:
        """See the port."""
        removed = 0
        if offered_before is not None:
            removed += self._remove_outdated(offered_before, now)
        if keep_per_category is not None:
            removed += self._cut_categories(keep_per_category, now)
        keys = entries = 0
        for part in self._selected(retention.forgettable(forget_before)):
            with self._write() as connection:
                keys += retention.forget(connection, part)
        for part in self._selected(retention.old_entries(forget_before)):
            with self._write() as connection:
                entries += retention.drop_entries(connection, part)
        return PruneReport(items=removed, keys=keys, ledger=entries)

    def _selected(self, wanted: Select[int]) -> Iterator[list[int]]:
        """Yield what ``wanted`` selects in parts that are written one by one: pollers wait for one part only."""
        with self._read() as connection:
            found: list[int] = list(connection.execute(wanted).scalars())
        yield from outputs.chunks(found)

    def _remove_outdated(self, offered_before: datetime, now: datetime) -> int:
        removed = 0
        outdated = retention.outdated(offered_before)
        for part in self._selected(outdated):
            with self._write() as connection:
                pks = retention.still(outdated, part, connection)
                retention.remove(connection, pks, now)
                removed += len(pks)
        return removed

    def _cut_categories(self, keep: int, now: datetime) -> int:
        removed = 0
        with self._read() as connection:
            slugs = retention.categories_over(connection, keep)
        for slug in slugs:
            beyond = retention.beyond(slug, keep)
            for part in self._selected(beyond):
                with self._write() as connection:
                    homeless = retention.cut(connection, slug, retention.still(beyond, part, connection))
                    retention.remove(connection, homeless, now)
                    removed += len(homeless)
        return removed

    def backup(self, path: str) -> None:
        """See the port."""
        target = Path(path)
        if os.path.lexists(target):
            raise StoreError(f"backup {path} is there already")
        unfinished = target.with_name(target.name + ".part")
        try:
            with Guard(path, OSError):
                unfinished.unlink(missing_ok=True)
                copy_database(self._engine, unfinished)
                unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """See the port."""
        self._engine.dispose()
