"""Transactions on the database under the store, and statements that the driver runs itself (PEP 249).

SQLAlchemy makes the SQL of a prepared statement, once. Run by SQLAlchemy, the three dozen statements of one document
take several times what the database takes for them.
"""

import threading
from abc import ABC, abstractmethod
from collections import Counter, namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar, cast

import sqlalchemy
from sqlalchemy import Delete, Engine, Executable, Insert, Select, TextClause, Update, inspect, text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError

from feedhub.errors import NotAloneError, StoreError, StoreInUseError
from feedhub.store.tables import AnyRow

CHUNK: Final = 500
"""Parameters of one statement: SQLite before 3.32 took 999 at most."""

_T = TypeVar("_T")
_Parameters = Mapping[str, object] | Sequence[Mapping[str, object]]
_Convert = Callable[[Any], Any]
_Statement = Select[Any] | Insert | Update | Delete | TextClause
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Lists are filled up to one of these lengths with their last value, so that the database parses few statements."""

Guard = AbstractContextManager[None]
"""Turns the database's errors inside its block into a StoreError. It may be entered again inside itself."""
Migration = tuple[str, ...]


def chunks(values: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """Yield ``values`` in lists that fit into one statement."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


class PreparedStatement:
    """A statement that is run again and again, in a module's constant. Its lists are ``bindparam(expanding=True)``."""

    def __init__(self, statement: _Statement) -> None:
        self.statement: Final = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def compiled(self, dialect: Dialect, names: tuple[str, ...]) -> "_Compiled":
        """Return the SQL for parameters of these names."""
        key = (dialect.name, *names)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _Compiled(self.statement, names, dialect)
        return compiled


class Rows(list[Any]):
    """What a statement gave: tuples with names, every value in the type of its column.

    ``rowcount`` is the number of rows that were changed: by a statement run by SQLAlchemy, or for a list.
    """

    rowcount: int = 0

    def scalars(self) -> list[Any]:
        """Return the first value of every row."""
        return [row[0] for row in self]

    def scalar(self) -> Any:
        """Return the first value of the first row, None without one."""
        return self[0][0] if self else None

    def first(self) -> Any:
        """Return the first row, None without one."""
        return self[0] if self else None


@dataclass(slots=True, kw_only=True)
class Sharing:
    """What a transaction that runs beside others may read and write, and what it counts at its end.

    Its ``sources`` are locked from the beginning, ``keys`` and all items that they lead to once they are asked for.
    ``items`` and ``versions`` of outputs are rows that all transactions change: they are added to last of all.
    """

    sources: frozenset[str]
    keys: frozenset[str] | None = None
    items: Counter[str] = field(default_factory=Counter)
    versions: dict[str, int] = field(default_factory=dict)


class Connection:
    """A connection inside a transaction; ``plain`` is that of SQLAlchemy. Its errors are StoreErrors.

    ``sharing`` is None where the transaction has the store for itself, or only reads.
    """

    def __init__(self, plain: sqlalchemy.Connection, backend: "Backend", sharing: Sharing | None = None) -> None:
        self.plain: Final = plain
        self.backend: Final = backend
        self.sharing: Final = sharing
        self._guard: Final = backend.guard
        self._dialect: Final = plain.dialect
        self._driver: Final[Any] = plain.connection.driver_connection

    def execute(self, statement: PreparedStatement | Executable, parameters: _Parameters = ()) -> Rows:
        """Run a statement once, or for every mapping of a list (then it gives no rows)."""
        with self._guard:
            if isinstance(statement, PreparedStatement):
                return self._run_by_driver(statement, parameters)
            result = self.plain.execute(statement, parameters or None)
            rows = Rows(result if result.returns_rows else ())
            rows.rowcount = result.rowcount
            return rows

    def _run_by_driver(self, statement: PreparedStatement, parameters: _Parameters) -> Rows:
        if isinstance(parameters, Mapping):
            compiled = statement.compiled(self._dialect, tuple(parameters))
            return compiled.rows(self._driver.execute(compiled.sql(parameters), compiled.values(parameters)))
        if not parameters:
            compiled = statement.compiled(self._dialect, ())
            return compiled.rows(self._driver.execute(compiled.sql({}), compiled.values({})))
        compiled = statement.compiled(self._dialect, tuple(parameters[0]))
        rows = [compiled.values(row) for row in parameters]
        cursor = self._driver.cursor()
        cursor.executemany(compiled.sql(parameters[0]), rows)
        done = Rows()
        done.rowcount = cursor.rowcount
        return done


class _Compiled:
    """The SQL of a statement in one dialect, with what turns values and rows into those of the driver and back."""

    def __init__(self, statement: _Statement, names: tuple[str, ...], dialect: Dialect) -> None:
        columns = names if isinstance(statement, Insert | Update) and names else None
        # For many rows: a single one would give back its number, which nobody reads.
        compiled = statement.compile(dialect=dialect, column_keys=columns, for_executemany=True)
        self._sql = str(compiled)
        binds = [compiled.binds[name] for name in compiled.positiontup or ()]
        self._parameters = [
            (bind.key, bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect)) for bind in binds
        ]
        self._lists = tuple(bind.key for bind in binds if bind.expanding)
        # Of most statements every value is given, and few are of a type that wants another form.
        self._pick = _all_of(*(bind.key for bind in binds)) if {bind.key for bind in binds} <= {*names} else None
        self._forms = [(number, form) for number, (_, _, form) in enumerate(self._parameters) if form]
        self._place = "?" if dialect.paramstyle == "qmark" else "%s"
        self._row: Any = None
        self._converts: list[tuple[int, _Convert]] = []
        if isinstance(statement, Select):
            selected = list(statement.selected_columns)
            self._row = namedtuple("Row", [column.key for column in selected], rename=True)  # type: ignore[misc]
            converts = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in selected]
            self._converts = [(number, convert) for number, convert in enumerate(converts) if convert]

    def sql(self, given: Mapping[str, Any]) -> str:
        """Return the SQL, with as many places as the given lists need."""
        sql = self._sql
        for name in self._lists:
            sql = sql.replace(f"(__[POSTCOMPILE_{name}])", f"({', '.join([self._place] * _size(len(given[name])))})")
        return sql

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the values of one run in the order of the statement."""
        if self._pick and not self._lists:
            picked = list(self._pick(given))
            for number, form in self._forms:
                picked[number] = form(picked[number])
            return picked
        values: list[Any] = []
        for name, default, convert in self._parameters:
            value = given.get(name, default)
            if name in self._lists:
                filled = list(value)
                filled += (filled[-1:] or [None]) * (_size(len(filled)) - len(filled))
                values += [convert(one) for one in filled] if convert else filled
            else:
                values.append(convert(value) if convert else value)
        return values

    def rows(self, cursor: Any) -> Rows:
        """Return what the cursor gives."""
        if self._row is None:
            return Rows(cursor if cursor.description else ())
        make, converts = self._row._make, self._converts
        if not converts:
            return Rows(map(make, cursor))
        rows = Rows()
        for row in cursor:
            values = list(row)
            for number, convert in converts:
                values[number] = convert(values[number])
            rows.append(make(values))
        return rows


def _all_of(*names: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what gives the values of these names, in their order."""
    if len(names) < 2:
        return lambda given: tuple(given[name] for name in names)
    return itemgetter(*names)


def _size(count: int) -> int:
    return next((size for size in _SIZES if size >= count), count)


class ErrorGuard(ABC):
    """Turns database errors (and those of kinds ``also``) inside its block into a StoreError in plain words."""

    kinds: tuple[type[Exception], ...]
    """What the database raises."""

    def __init__(self, place: str, *also: type[Exception]) -> None:
        self.place: Final = place
        self._kinds: Final = (*self.kinds, *also)

    @abstractmethod
    def told(self, cause: BaseException) -> StoreError:
        """Return what the user is told of an error."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, self._kinds):
            cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
            raise self.told(cause) from error


class Backend(ABC):
    """One kind of database: all in which it differs from the others.

    ``place`` names the database in messages, without a password. Transactions of an engine with the option ``write``
    are one at a time, over all processes. Where the database ``can_share``, those that have the option ``beside`` run
    beside one another: each has locks of what it names there, and takes more by ``lock``.
    """

    can_share: bool = False
    # Whether items may be folded under others; whether they name them, see ``StorySettings``.
    tells_stories, names_events = True, cast("bool | None", None)

    def __init__(self, engine: Engine, guard: Guard, place: str) -> None:
        self.engine: Final = engine
        self.guard: Final = guard
        self.place: Final = place

    @contextmanager
    def lent(self, kind: type[_T]) -> Iterator[_T]:
        """Lend a connection of the driver, which is of this ``kind``, outside of any transaction."""
        raw = self.engine.raw_connection()
        try:
            driver = raw.driver_connection
            assert isinstance(driver, kind)  # noqa: S101 - tells the type checker
            yield driver
        finally:
            raw.close()

    @abstractmethod
    def guard_for(self, place: str) -> Guard:
        """Return a guard that names another place, and turns errors of the operating system, too."""

    @abstractmethod
    def make(self, *, may_make: bool) -> None:
        """Make the database where it is missing, without tables.

        Raises:
            NoStoreError: there is none, and none may be made.
        """

    @abstractmethod
    def migrate(self, connection: sqlalchemy.Connection) -> bool:
        """Take the next step to the present schema inside the caller's transaction; False when there is none."""

    @abstractmethod
    def check(self) -> None:
        """Have the database check itself.

        Raises:
            DamagedStoreError: it finds something; says what comes first.
        """

    @abstractmethod
    def tidy_up(self) -> None:
        """Refresh what the planner knows of the tables, and give back room."""

    @abstractmethod
    def copy(self, path: Path) -> None:
        """Copy the whole database as of now into a new file, while others go on writing."""

    @abstractmethod
    def task_lock(self, task: str, wait: float) -> AbstractContextManager[Callable[[], None]]:
        """See ``feedhub.ports.store.MaintenanceStore.task_lock``."""

    @abstractmethod
    def lock(self, connection: Connection, names: Iterable[str]) -> None:
        """Let no transaction beside this one have these names, until it ends; names never locked before count too."""

    @abstractmethod
    def number_on(self, connection: Connection) -> None:
        """Have new rows numbered after those that came with numbers of another store."""

    @abstractmethod
    def index_texts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put ``pk``, ``title``, ``body`` rows of search terms into the full text, which has nothing of these items."""

    @abstractmethod
    def unindex_texts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take such rows out of the full text, with just the terms that were put in."""

    @abstractmethod
    def empty_index(self, connection: Connection) -> None:
        """Take everything out of the full text."""

    @abstractmethod
    def matching(
        self, connection: Connection, terms: Sequence[str], limit: int, *, last: bool = False, in_title: bool = False
    ) -> list[int]:
        """Return item numbers that hold all ``terms`` (see ``query_terms``), best first. Nothing for no term.

        With ``last``, those stored last come first. ``in_title``: titles alone are searched.
        """


class Reader(ABC):
    """What can read the database: the store, in a transaction for each question, and an open transaction."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]:
        """Return a block in which the database does not change."""

    def _query(self, statement: PreparedStatement | Executable, parameters: _Parameters = ()) -> Rows:
        with self._read() as connection:
            return connection.execute(statement, parameters)


class Database(Reader):
    """The engine of a store, and its one writer. Each topic of the store adds its methods to this class."""

    def __init__(self, backend: Backend, busy_timeout: float) -> None:
        self._backend = backend
        self._engine = backend.engine
        self._writer_engine = backend.engine.execution_options(write=True)
        self._guard = backend.guard
        self._place = backend.place
        self._busy_timeout = busy_timeout
        # Threads of one process wait here, in turn, and not in SQLite's retry loop, which may starve one of them.
        self._one_writer = threading.Lock()
        self._held = threading.local()

    def migrate(self) -> None:
        """Apply what is missing, each migration in a transaction of its own."""
        is_behind = True
        while is_behind:
            with self._write() as connection:
                is_behind = self._backend.migrate(connection.plain)

    @contextmanager
    def _exclusive_writer(self) -> Iterator[None]:
        if not self._one_writer.acquire(timeout=self._busy_timeout):
            wait = f"{self._busy_timeout:g} s"
            raise StoreInUseError(f"store {self._place} is in use by another thread for more than {wait}")
        try:
            yield
        finally:
            self._one_writer.release()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._exclusive_writer(), self._guard, self._writer_engine.begin() as connection:
            yield Connection(connection, self._backend)

    @contextmanager
    def _write_beside(self, sources: Collection[str]) -> Iterator[Connection]:
        """Write what belongs to these sources, beside other such transactions; see ``Sharing``."""
        engine = self._engine.execution_options(write=True, beside=tuple(sources))
        with self._guard, engine.begin() as plain:
            sharing = Sharing(sources=frozenset(sources))
            connection = Connection(plain, self._backend, sharing)
            yield connection
            rows = [
                {"wanted": slug, "more": sharing.items[slug], "changed": sharing.versions.get(slug, -1)}
                for slug in sorted(sharing.items.keys() | sharing.versions.keys())
            ]
            if rows:
                connection.execute(_ADD_UP, rows)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See ``feedhub.ports.store.OutputStore.snapshot``."""
        with self._read() as connection:
            self._held.connection = connection
            try:
                yield
            finally:
                del self._held.connection

    @property
    def _is_held(self) -> bool:
        return hasattr(self._held, "connection")

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        held: Connection | None = getattr(self._held, "connection", None)
        if held is not None:
            yield held
            return
        with self._guard, self._engine.begin() as connection:
            yield Connection(connection, self._backend)

    def _select_in_parts(self, wanted: Select[int]) -> Iterator[list[int]]:
        """Yield what ``wanted`` selects in parts, each for a transaction of its own: polls wait for one part only."""
        with self._read() as connection:
            found: set[int] = set(connection.execute(wanted).scalars())
        yield from chunks(sorted(found))

    def close(self) -> None:
        """Release the store."""
        self._engine.dispose()


_ADD_UP = PreparedStatement(
    text(
        "UPDATE categories SET items = items + :more,"
        " version = CASE WHEN version < :changed THEN :changed ELSE version END WHERE slug = :wanted"
    )
)


class OpenTransaction(Reader):
    """One write transaction. Topics of the store add what they read and write inside of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # The rows of sources as they are now: each is asked for several times, and no other writer comes between.
        self._source_rows: dict[str, AnyRow] = {}

    def _must_be_alone(self) -> None:
        if self._connection.sharing is not None:
            raise NotAloneError(f"store {self._connection.backend.place} must not be shared for this")

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        yield self._connection


_RECORDS = "CREATE TABLE schema_migrations (version INTEGER NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (version))"
# By the clock of the database: a note for people, nothing is decided by it.
_RECORD = text("INSERT INTO schema_migrations (version, applied_at) VALUES (:version, CAST(CURRENT_TIMESTAMP AS TEXT))")


def apply_next(connection: sqlalchemy.Connection, place: str, migrations: Sequence[Migration]) -> bool:
    """Apply the next missing migration inside the caller's transaction; False when there is none.

    Raises:
        StoreError: the schema is newer than this feedhub, or not feedhub's.
    """
    version = schema_version(connection, place)
    if version > len(migrations):
        known = len(migrations)
        raise StoreError(f"store {place} has schema {version}, this feedhub knows up to {known}: use a newer feedhub")
    if version == len(migrations):
        return False
    if version == 0:
        connection.exec_driver_sql(_RECORDS)
    for statement in migrations[version]:
        connection.exec_driver_sql(statement)
    record_version(connection, version + 1)
    return True


def record_version(connection: sqlalchemy.Connection, version: int) -> None:
    """Note which schema the database has now."""
    connection.execute(_RECORD, {"version": version})


def schema_version(connection: sqlalchemy.Connection, place: str) -> int:
    """Return the number of the newest migration that was applied; 0 for an empty database.

    Raises:
        StoreError: the database belongs to another program.
    """
    tables = inspect(connection).get_table_names()
    if "schema_migrations" in tables:
        return connection.execute(text("SELECT max(version) FROM schema_migrations")).scalar() or 0
    if tables:
        raise StoreError(f"store {place} is the database of another program (it has a table {tables[0]!r})")
    return 0
