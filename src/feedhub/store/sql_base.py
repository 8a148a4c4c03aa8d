"""The database under the store: transactions, and the one writer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, Select

from feedhub.errors import StoreError
from feedhub.store.connection import Connection
from feedhub.store.migrations import apply_next
from feedhub.store.outputs import chunks
from feedhub.store.sqlite import Guard, use_wal


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
