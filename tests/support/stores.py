"""Real stores for tests, on files in memory where the system has a RAM disk."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from feedhub.ports.store import Store
from feedhub.store.sql import SqlStore, open_store
from support.derived_data import check_derived_data
from support.postgres import postgresql_store

RAM_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where temporary files do not wait for a disk; None for the usual place."""


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory(dir=RAM_DISK) as folder:
        store = open_store(f"sqlite:///{folder}/feedhub.db")
        store.maintain()
        store.close()
        return Path(f"{folder}/feedhub.db").read_bytes()


def store_at(path: Path) -> SqlStore:
    """Open an empty store in a file that is copied: to make a new one takes ten times as long."""
    path.write_bytes(_empty_database())
    return open_store(f"sqlite:///{path}")


@contextmanager
def sqlite_store() -> Iterator[Store]:
    """An empty store in a file of its own; at the end its counts of items and its full text must be right."""
    with TemporaryDirectory(prefix="feedhub-", dir=RAM_DISK) as folder:
        path = Path(folder) / "feedhub.db"
        store = store_at(path)
        try:
            yield store
        finally:
            store.close()
        check_derived_data(path)


_WRITES_ON = """
import sys
sys.path.insert(0, {tests!r})
from support.builders import ingest, put
from feedhub.store.sql import open_store
store = open_store({url!r})
number = 0
while True:
    put(store, ingest(number))
    print(number, flush=True)
    number += 1
"""


def reported_before_kill(url: str) -> int:
    """Store items 0, 1, 2… in a process of its own until it is killed; return how many it told to be committed."""
    script = _WRITES_ON.format(tests=str(Path(__file__).parents[1]), url=url)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    reported = len([process.stdout.readline() for _ in range(15)])
    process.send_signal(signal.SIGKILL)
    reported += process.stdout.read().count("\n")
    process.stdout.close()
    process.wait()
    return reported


STORES: dict[str, Callable[[], AbstractContextManager[Store]]] = {
    "sqlite": sqlite_store,
    "postgresql": postgresql_store,
}
"""Every implementation of the port, by the name that its tests carry."""
