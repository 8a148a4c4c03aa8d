"""All that is PostgreSQL's alone: connections, errors in words, copies, locks of tasks, full text, the first tables."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import time
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import URL, BigInteger, Integer, MetaData, Text, create_engine, event, text
from sqlalchemy import Connection as PlainConnection
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg
from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from feedhub.errors import DamagedStoreError, FullStoreError, NoStoreError, StoreError, StoreInUseError
from feedhub.store.database import (
    Backend,
    Connection,
    ErrorGuard,
    Migration,
    PreparedStatement,
    apply_next,
    record_version,
    schema_version,
)
from feedhub.store.steps import ninth
from feedhub.store.tables import metadata

_DAMAGED = "is damaged; restore a backup, or empty it and poll everything again (ids stay the same)"
# By SQLSTATE, or by its class, which is its first two letters (appendix A of PostgreSQL's manual).
_WORDS: Final = {
    "08": "cannot be reached",
    "25006": "cannot be written: the server only reads, as a standby does",
    "28": "refuses the user or the password",
    "3D000": "does not exist: create the database first",
    "42501": "does not give its user the right",
    "42P01": "is damaged or was changed by another program",
    "53100": "cannot grow: no room on the disk",
    "53300": "has no connection left",
    "55P03": "is in use by another process",
    "57P": "was stopped",
    "XX": _DAMAGED,
}
_KINDS: Final = {"53100": FullStoreError, "55P03": StoreInUseError}
_SIGNS_OF_DAMAGE: Final = ("42P01", "XX")


class PostgresErrors(ErrorGuard):
    """Tells what PostgreSQL raises."""

    kinds = (SQLAlchemyError, psycopg.Error)

    def told(self, cause: BaseException) -> StoreError:
        # One line, without the statement that the server quotes.
        message = " ".join(str(cause).split("\nLINE ")[0].split())
        state = getattr(cause, "sqlstate", None) or ("08" if isinstance(cause, psycopg.OperationalError) else "")
        words = next((_WORDS[state[:size]] for size in (5, 3, 2) if state[:size] in _WORDS), "cannot be used")
        kind = DamagedStoreError if state.startswith(_SIGNS_OF_DAMAGE) else _KINDS.get(state, StoreError)
        return kind(f"store {self.place} {words} ({message})")


class _Number(Int8Dumper):
    """A number of no type, as texts are: the server finds it, and numbers of any size have one plan."""

    oid = 0


class _Compiler(PGCompiler_psycopg):
    """Compiles SQLite's INSERT … ON CONFLICT, too, which never names a constraint.

    The statements of all modules are made of that: PostgreSQL's would be imported with every command.
    """

    def visit_on_conflict_do_nothing(self, on_conflict: Any, **kw: Any) -> str:
        on_conflict.constraint_target = None
        return str(super().visit_on_conflict_do_nothing(on_conflict, **kw))  # type: ignore[no-untyped-call]

    def visit_on_conflict_do_update(self, on_conflict: Any, **kw: Any) -> str:
        on_conflict.constraint_target = None
        return str(super().visit_on_conflict_do_update(on_conflict, **kw))  # type: ignore[no-untyped-call]


_LOCKS: Final = 0x66656564
"""The first number of all advisory locks of feedhub; they are of one database."""
_WRITER: Final = 0
# What others wrote before is seen by each statement, once the lock is held.
_BEGIN_WRITING: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({_LOCKS}, {_WRITER})"
# A process that is frozen within a transaction holds nobody up for long.
_BEGIN_SHARING: Final = f"""BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 30000;
    SELECT pg_advisory_xact_lock_shared({_LOCKS}, {_WRITER}); SELECT """
_LOCK: Final = PreparedStatement(
    text("SELECT count(pg_advisory_xact_lock(number)) FROM unnest(CAST(:numbers AS bigint[])) AS number")
)
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Whoever is gone without a word, as a machine without power, is noticed after a minute, by either side.
_NOTICE_LOSS: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_HAVE_LOSS_NOTICED: Final = """SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3; SET tcp_user_timeout = 60000"""
# to_regclass would answer from what the connection knew before it waited for the lock of another that made them.
_IS_MADE: Final = """SELECT EXISTS (
    SELECT FROM pg_class WHERE relname = 'schema_migrations' AND pg_table_is_visible(oid))"""
_HOLDER: Final = """SELECT application_name, state_change FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
# The extension amcheck may be missing, and its functions are the superuser's unless he grants them.
_MAY_CHECK: Final = """SELECT coalesce(has_function_privilege(to_regprocedure('bt_index_check(regclass, boolean)')::oid,
    'EXECUTE'), false)"""
_CHECK_INDEXES: Final = """SELECT bt_index_check(pg_class.oid, true) FROM pg_class JOIN pg_am ON pg_am.oid = relam
    WHERE amname = 'btree' AND relkind = 'i' AND relnamespace = current_schema()::regnamespace"""


class PostgresBackend(Backend):
    """A database of a PostgreSQL server."""

    can_share = True

    def __init__(self, address: URL, busy_timeout: float) -> None:
        self._address = address
        self._busy_timeout = busy_timeout
        usual = {"connect_timeout": 10, "application_name": "feedhub", **_NOTICE_LOSS}
        engine = create_engine(
            address,
            connect_args={"autocommit": True, **{name: at for name, at in usual.items() if name not in address.query}},
            paramstyle="format",
            pool_size=16,  # what is more is made anew each time, which costs more than what is asked by it
            max_overflow=64,
            pool_pre_ping=True,  # a server that was started anew costs no poll
            use_native_hstore=False,
        )
        # The server finds the types, and lists have one form whatever is in them.
        engine.dialect.bind_typing = BindTyping.NONE
        engine.dialect.statement_compiler = _Compiler
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)
        place = address.render_as_string(hide_password=True)
        super().__init__(engine, PostgresErrors(place), place)

    def _prepare(self, driver: "psycopg.Connection[Any]", _record: object) -> None:
        driver.adapters.register_dumper(int, _Number)
        driver.execute(
            # Plans that were made for empty tables would be kept: one such search for keys took 15.6 ms.
            "SET plan_cache_mode = force_custom_plan; SET jit = off;"
            f" SET lock_timeout = {max(1, round(self._busy_timeout * 1000))}; {_HAVE_LOSS_NOTICED}"
        )

    def guard_for(self, place: str) -> PostgresErrors:
        return PostgresErrors(place, OSError)

    def make(self, *, may_make: bool) -> None:
        """The server makes no database by itself: only its tables may be missing."""
        with self.lent(psycopg.Connection) as driver:
            encoding, is_made = str(_value(driver, "SHOW server_encoding")), _value(driver, _IS_MADE)
        if encoding != "UTF8":
            raise StoreError(f"store {self.place} has the encoding {encoding}: create the database with UTF8")
        if not may_make and not is_made:
            raise NoStoreError(f"no store yet at {self.place}: `feedhub poll` and `feedhub run` make it")

    def migrate(self, connection: PlainConnection) -> bool:
        if connection.exec_driver_sql(_IS_MADE).scalar():
            return apply_next(connection, self.place, MIGRATIONS)
        schema_version(connection, self.place)  # accepts no database of another program
        for statement in _FIRST:
            connection.exec_driver_sql(statement)
        tables().create_all(connection, checkfirst=False)
        connection.exec_driver_sql(_ALL)
        record_version(connection, len(MIGRATIONS))
        return True

    def check(self) -> None:
        """Read every row, and have ``amcheck`` compare the indexes with them, if it is installed and may be used."""
        with self.lent(psycopg.Connection) as driver:
            for table in metadata.tables:
                driver.execute(f'SELECT sum(length(whole::text)) FROM "{table}" AS whole')  # noqa: S608 - our own
            if _value(driver, _MAY_CHECK):
                driver.execute(_CHECK_INDEXES)

    def tidy_up(self) -> None:
        """Refresh what the planner knows of the tables; the server gives back room by itself."""
        with self.lent(psycopg.Connection) as driver:
            for table in (*metadata.tables, "item_search"):
                driver.execute(f'ANALYZE "{table}"')

    def copy(self, path: Path) -> None:
        """Have ``pg_dump`` write the database; ``pg_restore`` reads it."""
        program = shutil.which("pg_dump")
        if program is None:
            raise StoreError(f"store {self.place} needs pg_dump to be copied: install PostgreSQL's client programs")
        # The password must not stand in the list of processes.
        given = self._address
        bare = URL.create("postgresql", given.username, None, given.host, given.port, given.database, given.query)
        address = bare.render_as_string(hide_password=False)
        password = {"PGPASSWORD": given.password} if given.password else {}
        written = subprocess.run(  # noqa: S603 - no shell, and the address is that of the configuration
            [program, "--format=custom", "--no-owner", "--no-privileges", f"--file={path}", f"--dbname={address}"],
            env={**os.environ, **password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if written.returncode:
            raise StoreError(f"store {self.place} cannot be copied: {' '.join(written.stderr.split())}")

    def connection_arguments(self) -> dict[str, Any]:
        """Return what libpq is to be told to reach the database."""
        return dict(self.engine.dialect.create_connect_args(self._address)[1])

    @contextmanager
    def task_lock(self, task: str, wait: float, *, shared_as: str = "") -> Iterator[Callable[[], None]]:
        """See ``Backend``. With ``shared_as``, the name of another command, all that name one hold it together."""
        lock = _TaskLock(self, task, shared_as)
        try:
            lock.take(wait)
            yield lock.keep
        finally:
            lock.release()

    def lock(self, connection: Connection, names: Iterable[str]) -> None:
        if numbers := _lock_numbers(names):
            connection.execute(_LOCK, {"numbers": numbers})

    def number_on(self, connection: Connection) -> None:
        for table in metadata.tables.values():
            key = table.autoincrement_column
            if key is not None:
                serial = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
                highest = f'(SELECT max("{key.name}") FROM "{table.name}")'  # noqa: S608 - our own
                connection.execute(text(f"SELECT setval({serial}, {highest}) WHERE {serial} IS NOT NULL"))

    def index_texts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.execute(
                _INDEX, [{"pk": row["pk"], "terms": text_vector(row["title"], row["body"])} for row in rows]
            )

    def unindex_texts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.execute(_UNINDEX, [{"pk": row["pk"]} for row in rows])

    def empty_index(self, connection: Connection) -> None:
        connection.execute(_EMPTY_INDEX)

    def matching(
        self, connection: Connection, terms: Sequence[str], limit: int, *, last: bool = False, in_title: bool = False
    ) -> list[int]:
        query = " & ".join(filter(None, (_query(term, "A" if in_title else "") for term in terms)))
        if not query:
            return []
        wanted = _MATCH_LAST if last else _MATCH
        return connection.execute(wanted, {"query": query, "limit": limit}).scalars()


class _TaskLock:
    """An advisory lock by a connection of its own, whose name tells others who holds it."""

    def __init__(self, backend: PostgresBackend, task: str, shared_as: str) -> None:
        self._backend: Final = backend
        self._task: Final = shared_as or task
        self._try: Final = f"SELECT pg_try_advisory_lock{'_shared' if shared_as else ''}(%s, %s)"
        self._number: Final = zlib.crc32(task.encode()) & 0x7FFFFFFF
        self._raw: PoolProxiedConnection | None = None

    def take(self, wait: float) -> None:
        with self._backend.guard:
            self._raw = self._backend.engine.raw_connection()
            self._lock(self._raw.cursor(), wait)

    def keep(self) -> None:
        """Take the lock again, if the connection was lost, and the lock with it."""
        if self._is_held():
            return
        self.release()
        try:
            self.take(0.0)
        except StoreError:
            self.release()
            raise

    def _is_held(self) -> bool:
        if self._raw is None:
            return False
        try:
            self._raw.cursor().execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def release(self) -> None:
        raw, self._raw = self._raw, None
        if raw is None:
            return
        try:
            raw.cursor().execute("SELECT pg_advisory_unlock_all(); RESET application_name")
        except psycopg.Error:
            raw.invalidate()
        raw.close()

    def _lock(self, cursor: Any, wait: float) -> None:
        task = f"`feedhub {self._task}`"
        name = f"{task} with process id {os.getpid()} on {socket.gethostname()}"[:63]
        cursor.execute("SELECT set_config('application_name', %s, false)", [name])
        until = time.monotonic() + wait
        while not cursor.execute(self._try, [_LOCKS, self._number]).fetchone()[0]:
            if time.monotonic() >= until:
                holder = cursor.execute(_HOLDER, [_LOCKS, self._number]).fetchone()
                who, since = holder or (f"another {task}", None)
                told = f"{who} holds it" + (f" since {since.isoformat(timespec='seconds')}" if since else "")
                raise StoreInUseError(f"store {self._backend.place} is in use: {told}")
            time.sleep(min(0.1, wait))


def _begin(connection: PlainConnection) -> None:
    driver: Any = connection.connection.driver_connection
    options = connection.get_execution_options()
    if beside := options.get("beside"):
        numbers = _lock_numbers(f"source:{name}" for name in beside)
        driver.execute(_BEGIN_SHARING + ", ".join(f"pg_advisory_xact_lock({number})" for number in numbers))
    else:
        driver.execute(_BEGIN_WRITING if options.get("write") else _BEGIN_READING)


def _lock_numbers(names: Iterable[str]) -> list[int]:
    """Return the advisory locks of names, in the order in which everybody takes them."""
    digests = (hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest() for name in names)
    return sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})


def _value(driver: "psycopg.Connection[Any]", question: str) -> Any:
    row = driver.execute(question).fetchone()
    return row[0] if row else None


_INDEX = PreparedStatement(text("INSERT INTO item_search (pk, terms) VALUES (:pk, CAST(:terms AS tsvector))"))
_UNINDEX = PreparedStatement(text("DELETE FROM item_search WHERE pk = :pk"))
_EMPTY_INDEX = text("TRUNCATE item_search")
# A word in the title counts as much as several in the text; among equals the one stored last. Of a word that is
# everywhere the newest are ranked alone: to rank 437,000 took 260 ms.
_MATCH = text(
    "SELECT pk FROM (SELECT pk, terms FROM item_search WHERE terms @@ CAST(:query AS tsquery)"
    " ORDER BY pk DESC LIMIT 10000) AS newest"
    " ORDER BY ts_rank('{0.1, 0.1, 0.1, 0.8}', terms, CAST(:query AS tsquery), 1) DESC, pk DESC LIMIT :limit"
)
_MATCH_LAST = text("SELECT pk FROM item_search WHERE terms @@ CAST(:query AS tsquery) ORDER BY pk DESC LIMIT :limit")

_WORD: Final = re.compile(r"[^\W_]+")
_MARKS: Final = re.compile("[\u0300-\u036f]+")
# What PostgreSQL takes: 1 MB for an item, 2 KB for a word, 16,383 places.
_LONGEST_WORD: Final = 250
_MOST_PLACES: Final = 16_000
_MOST_BYTES: Final = 900_000
_BYTES_OF_A_PLACE: Final = 14


def text_vector(title: str, body: str) -> str:
    """Return search terms as a ``tsvector``; words of the title have the weight A. What is far behind is left out."""
    places: dict[str, list[str]] = defaultdict(list)
    place = taken = 0
    for terms, weight in ((title, "A"), (body, "")):
        for word in _words(terms):
            place += 1
            taken += _BYTES_OF_A_PLACE + (0 if word in places else len(word.encode()))
            if place > _MOST_PLACES or taken > _MOST_BYTES:
                break
            places[word].append(f"{place}{weight}")
        place += 1  # no phrase goes from the one into the other
    return " ".join(f"'{word}':{','.join(found)}" for word, found in places.items())


def _query(term: str, weight: str) -> str:
    """Return a term of ``query_terms`` as a ``tsquery``: a phrase, a beginning, a word."""
    mark = ("*" if term.endswith("*") else "") + weight
    return " <-> ".join(f"'{word}'" + (f":{mark}" if mark else "") for word in _words(term))


def _words(terms: str) -> list[str]:
    if not terms.isascii():
        # As SQLite does: é is e.
        terms = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", terms)))
    return [word[:_LONGEST_WORD] for word in _WORD.findall(terms)]


def tables() -> MetaData:
    """Return the tables as PostgreSQL is to have them: large numbers, ids in the order of their bytes.

    A conditional index has the condition that it has in SQLite.
    """
    made = MetaData()
    for table in metadata.sorted_tables:
        copy = table.to_metadata(made)
        for column in copy.columns:
            if isinstance(column.type, Integer):
                column.type = BigInteger()
            elif isinstance(column.type, Text):
                column.type = Text(collation="C")
        for index in copy.indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
    return made


# Migrations are numbered and append only: what is written here has run on somebody's store and is never edited again.
_FIRST: Migration = (
    "CREATE TABLE item_search (pk BIGINT PRIMARY KEY, terms TSVECTOR NOT NULL)",
    "CREATE INDEX item_search_terms ON item_search USING gin (terms)",
)
_ALL = """INSERT INTO categories (slug, title, description, position, version, added_at)
    VALUES ('all', '', '', -1, 0, 0)"""
# A new store has the tables as they are now. No store here is older than 8.
_NINTH = ninth("BIGINT", 'TEXT COLLATE "C"', "BYTEA", "", "CAST(extract(epoch FROM now()) AS BIGINT) * 1000000")
MIGRATIONS: tuple[Migration, ...] = (*((),) * 8, _NINTH)
