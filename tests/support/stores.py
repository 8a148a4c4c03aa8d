"""Real stores for tests, on files in memory where the system has a RAM disk."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from feedhub.ports.store import Store
from feedhub.store.sql import open_store
from support.derived_data import check_derived_data
from support.postgres import postgresql_store

RAM_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where temporary files do not wait for a disk; None for the usual place."""


@contextmanager
def sqlite_store() -> Iterator[Store]:
    """An empty store in a file of its own; at the end its counts of items and its full text must be right."""
    with TemporaryDirectory(prefix="feedhub-", dir=RAM_DISK) as folder:
        path = Path(folder) / "var" / "feedhub.db"
        store = open_store(f"sqlite:///{path}")
        try:
            yield store
        finally:
            store.close()
        check_derived_data(path)


STORES: dict[str, Callable[[], AbstractContextManager[Store]]] = {
    "sqlite": sqlite_store,
    "postgresql": postgresql_store,
}
"""Every implementation of the port, by the name that its tests carry."""
