"""A PostgreSQL server for all workers of one run of the tests, in a temporary folder and without a port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock

from feedhub.rules.text import item_terms
from feedhub.store.postgresql import tables, text_vector
from feedhub.store.sql import SqlStore, open_store
from feedhub.store.tables import decode_item
from support.derived_data import COUNTED, SHOWN

_FOLDER = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
_USER = "feedhub"
_SYSTEM_USER = "postgres"
# What a power cut would take is of no interest here, and a statistics worker would only disturb.
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "dynamic_shared_memory_type=mmap",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "checkpoint_timeout=1h",
    "shared_buffers=32MB",
    "max_connections=200",
)
# Ends with the last process that holds the pipe open, however that ends.
_END = 'cat "$1/alive"; rm "$1/alive"; "$2/pg_ctl" -D "$1/data" -m immediate stop; rm -rf "$1"'


def programs() -> Path | None:
    """Return the folder of the newest server that is installed here; Debian keeps it out of PATH."""
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))]
    if named := shutil.which("initdb"):
        found.append(Path(named).resolve().parent)
    return next((path for path in reversed(found) if (path / "initdb").exists()), None)


def why_not() -> str:
    """Return why there can be no server here; empty if there can."""
    if programs() is None:
        return "PostgreSQL is not installed: no initdb in PATH or under /usr/lib/postgresql"
    if os.geteuid() == 0 and not any(user.pw_name == _SYSTEM_USER for user in pwd.getpwall()):
        return "initdb refuses root, and there is no user postgres"
    return ""


def refuse_without(reason: str) -> None:
    """Skip a test for want of a server, if there is a reason; where one is required, as in CI, fail."""
    if reason:
        if os.environ.get("FEEDHUB_TEST_POSTGRESQL") == "required":
            pytest.fail(f"{reason}, and FEEDHUB_TEST_POSTGRESQL requires it")
        pytest.skip(reason)


@cache
def server() -> str:
    """Return the folder of the server's socket; the first worker that asks starts it."""
    refuse_without(why_not())
    folder = _FOLDER / f"feedhub-postgres-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, _SYSTEM_USER)
    with FileLock(folder / "lock"):
        if not (folder / "alive").exists():
            _start(folder, programs())
        # Held as long as this process lives.
        _held.append(os.open(folder / "alive", os.O_WRONLY))
    return str(folder)


_held: list[object] = []


def _start(folder: Path, binaries: Path | None) -> None:
    assert binaries
    os.mkfifo(folder / "alive")
    _run(binaries / "initdb", *_data(folder), "-U", _USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    start(folder)
    ending = [*_as_user(), "sh", "-c", _END, "sh", str(folder), str(binaries)]
    quiet = subprocess.DEVNULL
    _held.append(subprocess.Popen(ending, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, cwd="/"))


def start(folder: Path) -> None:
    """Start the server again that ``stop`` ended."""
    binaries = programs()
    assert binaries
    options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, f"unix_socket_directories={folder}"))
    _run(binaries / "pg_ctl", *_data(folder), "-w", "-s", "-l", str(folder / "log"), "-o", options, "start")


def stop(folder: Path) -> None:
    """End a server at once, as a crash does."""
    binaries = programs()
    assert binaries
    _run(binaries / "pg_ctl", *_data(folder), "-w", "-s", "-m", "immediate", "stop")


def _data(folder: Path) -> tuple[str, str]:
    return "-D", str(folder / "data")


def _as_user() -> list[str]:
    return ["runuser", "-u", _SYSTEM_USER, "--"] if os.geteuid() == 0 else []


def _run(*command: str | Path) -> None:
    done = subprocess.run([*_as_user(), *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/")
    assert done.returncode == 0, done.stderr.decode()


@contextmanager
def own_server() -> Iterator[Path]:
    """A server of one test, which may be stopped and started; the folder of its socket."""
    refuse_without(why_not())
    with tempfile.TemporaryDirectory(prefix="feedhub-own-", dir=_FOLDER) as made:
        folder = Path(made) / "server"
        folder.mkdir()
        if os.geteuid() == 0:
            Path(made).chmod(0o755)
            shutil.chown(folder, _SYSTEM_USER)
        _start(folder, programs())
        alive = os.open(folder / "alive", os.O_WRONLY)
        try:
            yield folder
        finally:
            os.close(alive)
            ending = _held.pop()
            assert isinstance(ending, subprocess.Popen)
            ending.wait()


def address_of(database: str, password: str = "", at: Path | None = None) -> str:
    """Return the address of a store in a database of the server, or of that with its socket in the folder ``at``."""
    user = f"{_USER}:{password}" if password else _USER
    return f"postgresql+psycopg://{user}@/{database}?host={at or server()}"


def connected(database: str, at: Path | None = None) -> "psycopg.Connection[tuple[object, ...]]":
    """Return a connection beside the store, without transactions."""
    return psycopg.connect(host=str(at or server()), user=_USER, dbname=database, autocommit=True)


_numbers = count()


def new_database(name: str) -> str:
    """Make an empty database whose order of texts is that of people, as most have it; return its name."""
    name = f"{name}_{os.getpid()}_{next(_numbers)}"
    with connected("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    return name


@cache
def _shared_database() -> str:
    return new_database("contracts")


@contextmanager
def postgresql_store() -> Iterator[SqlStore]:
    """An empty store; at the end its counts of items and its full text must be right."""
    with emptied(_shared_database()):
        store = open_store(address_of(_shared_database()))
        try:
            yield store
        finally:
            store.close()


@contextmanager
def emptied(database: str) -> Iterator[None]:
    """Check the store in a database after the block, and empty it for the next: faster than a new database."""
    yield
    with connected(database) as connection:
        try:
            check_derived_data(connection)
        finally:
            _empty(connection)


def _empty(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Leave what a new store has; emptied tables are faster made than new ones."""
    names = [table.name for table in reversed(tables().sorted_tables)]
    names = [name for name in names if name not in {"schema_migrations", "meta", "categories"}]
    connection.execute(
        "".join(f"DELETE FROM {name};" for name in (*names, "item_search"))
        + "DELETE FROM meta WHERE key <> 'search_terms'; DELETE FROM categories WHERE slug <> 'all';"
        "UPDATE categories SET version = 0, added_at = 0, items = 0"
    )


def check_derived_data(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """See ``support.derived_data``."""
    kept = dict(connection.execute("SELECT slug, items FROM categories").fetchall())
    assert kept == dict(connection.execute(COUNTED).fetchall())
    waiting = {pk for (pk,) in connection.execute("SELECT item_pk FROM unindexed_items").fetchall()}
    shown = [row for row in connection.execute(SHOWN).fetchall() if row[0] not in waiting]
    indexed = connection.execute("SELECT pk, terms::text FROM item_search ORDER BY pk").fetchall()
    vectors = [(pk, text_vector(*item_terms(decode_item(*wording)))) for pk, *wording in sorted(shown)]
    made = connection.execute(
        "SELECT pk, terms::tsvector::text FROM unnest(%s::bigint[], %s::text[]) AS made (pk, terms)",
        [[pk for pk, _ in vectors], [vector for _, vector in vectors]],
    )
    assert indexed == made.fetchall()
