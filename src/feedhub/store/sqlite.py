"""A connection that runs the statements of a poll by the driver itself (PEP 249); SQLAlchemy makes their SQL, once.

Run by SQLAlchemy, the three dozen statements of one document take several times what the database takes for them.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Delete, Engine, Executable, Insert, Select, TextClause, Update, create_engine, event, text
from sqlalchemy import Connection as PlainConnection
from sqlalchemy.dialects.sqlite import insert as insert_
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from feedhub.errors import DamagedStoreError, StoreError

_Parameters = Mapping[str, object] | Sequence[Mapping[str, object]]
_Convert = Callable[[Any], Any]
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Lists are filled up to one of these lengths with their last value, so that there are few statements to parse."""


class Prepared:
    """A statement that is run again and again, in a module's constant. Its lists are ``bindparam(expanding=True)``."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete | TextClause) -> None:
        self.statement: Final = statement
        self._made: dict[tuple[str, ...], _Made] = {}

    def made(self, dialect: Dialect, names: tuple[str, ...]) -> "_Made":
        """Return the SQL for parameters of these names."""
        key = (dialect.name, *names)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = _Made(self.statement, names, dialect)
        return made


class Rows(list[Any]):
    """What a prepared statement gave: tuples with names, every value in the type of its column."""

    def all(self) -> list[Any]:
        """Return the rows."""
        return self

    def scalars(self) -> list[Any]:
        """Return the first value of every row."""
        return [row[0] for row in self]

    def scalar(self) -> Any:
        """Return the first value of the first row, None without one."""
        return self[0][0] if self else None

    def first(self) -> Any:
        """Return the first row, None without one."""
        return self[0] if self else None


class Connection:
    """SQLAlchemy's connection inside a transaction; ``plain`` is that connection itself."""

    def __init__(self, plain: sqlalchemy.Connection) -> None:
        self.plain: Final = plain
        self._dialect: Final = plain.dialect
        self._driver: Final[Any] = plain.connection.driver_connection

    def execute(self, statement: Prepared | Executable, parameters: _Parameters = ()) -> Any:
        """Run a statement once, or for every mapping of a list (then it gives no rows).

        Returns ``Rows`` for what is prepared, else what SQLAlchemy returns.
        """
        if not isinstance(statement, Prepared):
            return self.plain.execute(statement, parameters or None)
        if isinstance(parameters, Mapping):
            made = statement.made(self._dialect, tuple(parameters))
            return made.rows(self._driver.execute(made.sql(parameters), made.values(parameters)))
        if not parameters:
            made = statement.made(self._dialect, ())
            return made.rows(self._driver.execute(made.sql({}), made.values({})))
        made = statement.made(self._dialect, tuple(parameters[0]))
        self._driver.executemany(made.sql(parameters[0]), [made.values(row) for row in parameters])
        return Rows()


class _Made:
    """The SQL of a statement in one dialect, with what turns values and rows into those of the driver and back."""

    def __init__(
        self, statement: Select[Any] | Insert | Update | Delete | TextClause, names: tuple[str, ...], dialect: Dialect
    ) -> None:
        columns = names if isinstance(statement, Insert | Update) and names else None
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        self._sql = str(compiled)
        binds = [compiled.binds[name] for name in compiled.positiontup or ()]
        self._parameters = [
            (bind.key, bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect)) for bind in binds
        ]
        self._lists = tuple(bind.key for bind in binds if bind.expanding)
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
            sql = sql.replace(f"(__[POSTCOMPILE_{name}])", f"({', '.join('?' * _size(len(given[name])))})")
        return sql

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the values of one run in the order of the statement."""
        if not self._lists:
            return [
                convert(given.get(name, default)) if convert else given.get(name, default)
                for name, default, convert in self._parameters
            ]
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
            return Rows()
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


def _size(count: int) -> int:
    return next((size for size in _SIZES if size >= count), count)


# PostgreSQL's insert of the same shape has the same ON CONFLICT methods.
insert = insert_

CREATE_SEARCH = "CREATE VIRTUAL TABLE item_search USING fts5(title, body, tokenize='unicode61')"
_COUNT = """UPDATE categories SET items = CASE slug
    WHEN 'all' THEN (SELECT count(*) FROM items WHERE removed_at IS NULL)
    ELSE (SELECT count(*) FROM memberships WHERE memberships.slug = categories.slug) END"""
# What an output holds is counted when it changes: counting at every publish takes as long as there are items.
COUNT_ITEMS = (
    _COUNT,
    f"CREATE TRIGGER categories_in AFTER INSERT ON categories BEGIN {_COUNT} WHERE slug = NEW.slug; END",
    """CREATE TRIGGER memberships_in AFTER INSERT ON memberships
        BEGIN UPDATE categories SET items = items + 1 WHERE slug = NEW.slug; END""",
    """CREATE TRIGGER memberships_out AFTER DELETE ON memberships
        BEGIN UPDATE categories SET items = items - 1 WHERE slug = OLD.slug; END""",
    """CREATE TRIGGER items_in AFTER INSERT ON items WHEN NEW.removed_at IS NULL
        BEGIN UPDATE categories SET items = items + 1 WHERE slug = 'all'; END""",
    """CREATE TRIGGER items_out AFTER DELETE ON items WHEN OLD.removed_at IS NULL
        BEGIN UPDATE categories SET items = items - 1 WHERE slug = 'all'; END""",
    """CREATE TRIGGER items_moved AFTER UPDATE OF removed_at ON items
        BEGIN UPDATE categories SET items = items + (NEW.removed_at IS NULL) - (OLD.removed_at IS NULL)
            WHERE slug = 'all'; END""",
)
_INDEX = Prepared(text("INSERT OR REPLACE INTO item_search (rowid, title, body) VALUES (:pk, :title, :body)"))
_UNINDEX = Prepared(text("DELETE FROM item_search WHERE rowid = :pk"))
# A word in the title counts as much as several in the text; among equals the one stored last.
_MATCH = text(
    "SELECT rowid FROM item_search WHERE item_search MATCH :query"
    " ORDER BY bm25(item_search, 8.0, 1.0), rowid DESC LIMIT :limit"
)

_MATCH_LAST = text("SELECT rowid FROM item_search WHERE item_search MATCH :query ORDER BY rowid DESC LIMIT :limit")

_DAMAGED = "is damaged; put a backup in its place, or delete it and poll everything again (ids stay the same)"
_WORDS = (
    ("is locked", "is in use by another process"),
    ("is not a database", "is not a database"),
    ("malformed", _DAMAGED),
    ("disk is full", "cannot grow: no room on the disk"),
    ("readonly", "cannot be written"),
    ("unable to open", "cannot be opened"),
    ("disk I/O", "cannot be read or written"),
    ("no such table", "is damaged or was changed by another program"),
)

_DAMAGE = ("is not a database", "malformed", "no such table")


class Guard:
    """Turns database errors (and those of kinds ``also``) inside its block into a StoreError in plain words."""

    def __init__(self, place: str, *also: type[Exception]) -> None:
        self._place = place
        self._kinds = (SQLAlchemyError, sqlite3.Error, *also)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, self._kinds):
            cause = error.orig if isinstance(error, DBAPIError) else error
            kind = DamagedStoreError if any(sign in str(cause) for sign in _DAMAGE) else StoreError
            raise kind(f"store {self._place} {_in_words(cause)}") from error


def _in_words(cause: BaseException | None) -> str:
    message = str(cause)
    plain = next((words for sign, words in _WORDS if sign in message), "cannot be used")
    return f"{plain} ({message})"


def open_engine(url: URL, busy_timeout: float) -> Engine:
    """Return an engine on the file of ``url``; a statement waits ``busy_timeout`` seconds for a lock."""
    engine = create_engine(url, connect_args={"timeout": busy_timeout}, pool_size=4, max_overflow=64)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself; _begin does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # With WAL, NORMAL keeps every commit through a kill -9. A power cut may take the last commits but damages nothing:
    # validators are stored with their items in one transaction, so what was lost is fetched again.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: PlainConnection) -> None:
    # A deferred transaction that reads first and writes later fails when another writer came between.
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def use_wal(engine: Engine) -> None:
    """Let readers read while one writes. The mode is kept in the file."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        raw.close()


def first_damage(engine: Engine) -> str:
    """Return what SQLite's own check of all pages and indexes finds first; "" for a sound database."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA integrity_check(1)")
        found = str(cursor.fetchall()[0][0])
    finally:
        raw.close()
    return "" if found == "ok" else found


def damage_words(fault: str) -> str:
    """Return what is to be done about damage."""
    return f"{_DAMAGED} ({fault})"


def tidy_up(engine: Engine) -> None:
    """Refresh what the planner knows of the tables, and shorten the write-ahead log that grew meanwhile."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA optimize")
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        raw.close()


def index_texts(connection: Connection, rows: list[dict[str, object]]) -> None:
    """Put ``pk``, ``title``, ``body`` rows of search terms into the index, in place of older ones."""
    if rows:
        connection.execute(_INDEX, rows)


def unindex(connection: Connection, pks: Iterable[int]) -> None:
    """Take items out of the index."""
    if rows := [{"pk": pk} for pk in pks]:
        connection.execute(_UNINDEX, rows)


def matching(connection: Connection, terms: list[str], limit: int, *, last: bool = False) -> list[int]:
    """Return item numbers that hold all ``terms`` (see ``query_terms``), best first. Nothing for no term.

    With ``last``, those stored last come first: no more is read than ``limit`` asks for.
    """
    if not terms:
        return []
    query = " AND ".join(_quoted(term) for term in terms)
    wanted = _MATCH_LAST if last else _MATCH
    return list(connection.execute(wanted, {"query": query, "limit": limit}).scalars())


def _quoted(term: str) -> str:
    return f'"{term[:-1]}"*' if term.endswith("*") else f'"{term}"'


def copy_database(engine: Engine, path: Path) -> None:
    """Copy the whole database as of now into a new file ``path``, while others go on writing."""
    raw = engine.raw_connection()
    try:
        source = raw.driver_connection
        target = sqlite3.connect(path)
        try:
            assert isinstance(source, sqlite3.Connection)  # noqa: S101 - tells the type checker
            source.backup(target)
            # One file that can be carried away, without a -wal beside it.
            target.execute("PRAGMA journal_mode = DELETE")
        finally:
            target.close()
    finally:
        raw.close()
