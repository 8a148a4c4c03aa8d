"""A whole store copied into another database, of either kind: in parts, each of which is kept when the copying is cut.

Nobody writes into the old store meanwhile, and nobody opens the new one before all of it is there and compared.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Table, bindparam, text

from feedhub.errors import StoreError
from feedhub.model.report import CopiedTable
from feedhub.store.database import Connection, PreparedStatement
from feedhub.store.outputs import put_value
from feedhub.store.queries import INDEX_VERSION, SqlSearch
from feedhub.store.tables import Wording, categories, meta, metadata, schema_migrations, unindexed_items, unpacked

_MOST: Final = 500
_ORIGIN: Final = "copied_from"
_OWN: Final = {meta, schema_migrations, unindexed_items}
TABLES: Final = [table.name for table in metadata.sorted_tables if table not in _OWN]
"""Every table after those that it refers to. The values in ``meta`` come last, and make the store whole."""

_Row = tuple[Any, ...]


class _TableStatements:
    """Statements of one table in the order of its key, with values as they are in the database, texts unpacked."""

    def __init__(self, table: Table) -> None:
        self._columns = [column.name for column in table.columns]
        self._keys = [column.name for column in table.primary_key]
        self._places = [self._columns.index(key) for key in self._keys]
        names, keys, own = _listed(self._columns), _listed(self._keys), f'FROM "{table.name}"'
        after = f"WHERE ({keys}) > ({_values(self._keys)})"
        newest = ", ".join(f'"{key}" DESC' for key in self._keys)
        self._first = _prepared(f"SELECT {names} {own} ORDER BY {keys} LIMIT :most")
        self._next = _prepared(f"SELECT {names} {own} {after} ORDER BY {keys} LIMIT :most")
        self._count = _prepared(f"SELECT count(*) {own}")
        self.last: Final = _prepared(f"SELECT {names} {own} ORDER BY {newest} LIMIT 1")
        packed = [column.name for column in table.columns if isinstance(column.type, Wording)]
        self._packed = [self._columns.index(name) for name in packed]
        insert = f'INSERT INTO "{table.name}" ({names}) VALUES ({_values(self._columns)})'  # noqa: S608 - our own
        self.insert: Final = PreparedStatement(
            text(insert).bindparams(*(bindparam(name, type_=Wording) for name in packed))
        )
        self.delete: Final = _prepared(f"DELETE {own}")

    def mapped(self, row: _Row) -> dict[str, Any]:
        """Return a row as the parameters that ``insert`` takes."""
        return dict(zip(self._columns, row, strict=True))

    def parts(self, connection: Connection, last: _Row | None) -> Iterator[list[_Row]]:
        """Yield the rows that come after this one, some at a time."""
        most: dict[str, object] = {"most": _MOST}
        while True:
            after = {key: last[place] for key, place in zip(self._keys, self._places, strict=True)} if last else {}
            rows = connection.execute(self._next if last else self._first, most | after)
            if not rows:
                return
            yield [self._unpacked(row) for row in rows] if self._packed else rows
            last = rows[-1]

    def _unpacked(self, row: _Row) -> _Row:
        values = list(row)
        for place in self._packed:
            values[place] = unpacked(values[place])
        return tuple(values)

    def count(self, connection: Connection) -> int:
        """Return how many rows there are."""
        return int(connection.execute(self._count).scalar())

    def digest(self, connection: Connection) -> tuple[int, str]:
        """Return how many rows there are, and a digest of all their values."""
        count, digest = 0, hashlib.sha256()
        for rows in self.parts(connection, None):
            count += len(rows)
            for row in rows:
                digest.update(repr(tuple(row)).encode())
        return count, digest.hexdigest()


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _values(names: list[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def _prepared(sql: str) -> PreparedStatement:
    return PreparedStatement(text(sql))


_VALUE: Final = _prepared("SELECT value FROM meta WHERE key = :wanted")
_STATEMENTS: Final = {name: _TableStatements(metadata.tables[name]) for name in (*TABLES, meta.name)}


class SqlCopying(SqlSearch):
    """A store that may be copied, and a new one that becomes a copy."""

    def refuse_unfinished(self) -> None:
        """Accept a store that is no copy of which a part is missing.

        Raises:
            StoreError: it is one.
        """
        origin = self._query(_VALUE, {"wanted": _ORIGIN}).scalar()
        if origin is not None:
            raise StoreError(
                f"store {self._place} is an unfinished copy of {origin}: "
                "`feedhub migrate-store` with the same two stores goes on with it"
            )

    def copy_from(self, origin: "SqlCopying", told: Callable[[CopiedTable], None]) -> tuple[CopiedTable, ...]:
        """Make this new store a copy of another one, or go on with that; ``told`` hears of every table.

        Raises:
            StoreError: this store is no new one, one of both is in use, or the copy is not as it must be.
        """
        self._check_new(origin.name)
        with (
            origin.held() as given,
            self._backend.task_lock("run", 0),
        ):
            is_begun = self._begin(origin.name)
            copied = self._filled(given, told)
            if copied is None and is_begun:  # the old store was written to after an earlier run was cut
                self._empty()
                copied = self._filled(given, told)
            if copied is None:
                raise StoreError(f"store {self._place} does not hold what was written into it")
            self._end(given)
        while self.index_some():
            pass
        return copied

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._place

    @contextmanager
    def held(self) -> Iterator[Connection]:
        """Let nobody else write, and no daemon begin, for the block."""
        with self._backend.task_lock("run", 0), self._write() as connection:
            yield connection

    def _check_new(self, origin: str) -> None:
        with self._read() as connection:
            begun = connection.execute(_VALUE, {"wanted": _ORIGIN}).scalar()
            held = {name: _STATEMENTS[name].count(connection) for name in TABLES} if begun is None else {}
        if begun not in (None, origin):
            raise StoreError(f"store {self._place} is an unfinished copy of another store, {begun}")
        held[categories.name] = max(0, held.get(categories.name, 0) - 1)  # "all" is in every store
        if full := [f"{count} rows of {name}" for name, count in held.items() if count]:
            raise StoreError(f"store {self._place} is no new one: it holds {', '.join(full[:3])}")

    def _begin(self, origin: str) -> bool:
        """Return whether this was begun before."""
        with self._write() as connection:
            if connection.execute(_VALUE, {"wanted": _ORIGIN}).scalar() is not None:
                return True
            connection.execute(_STATEMENTS[categories.name].delete)
            put_value(connection, _ORIGIN, origin)
            return False

    def _filled(self, given: Connection, told: Callable[[CopiedTable], None]) -> tuple[CopiedTable, ...] | None:
        """Copy what is missing; None if something else is here than there."""
        found = []
        for name in TABLES:
            copied = self._copy(given, name)
            rows, digest = _STATEMENTS[name].digest(given)
            with self._read() as connection:
                if (rows, digest) != _STATEMENTS[name].digest(connection):
                    return None
            found.append(CopiedTable(name=name, rows=rows, copied=copied, digest=digest))
            told(found[-1])
        return tuple(found)

    def _copy(self, given: Connection, name: str) -> int:
        statements, copied = _STATEMENTS[name], 0
        with self._read() as connection:
            last = connection.execute(statements.last).first()
        for part in statements.parts(given, last):
            with self._write() as connection:
                connection.execute(statements.insert, [statements.mapped(row) for row in part])
            copied += len(part)
        return copied

    def _empty(self) -> None:
        with self._write() as connection:
            for name in reversed(TABLES):
                connection.execute(_STATEMENTS[name].delete)

    def _end(self, given: Connection) -> None:
        """Take over the values of the store, but for those of the full text, which is made here."""
        statements = _STATEMENTS[meta.name]
        values = [statements.mapped(row) for part in statements.parts(given, None) for row in part]
        with self._write() as connection:
            connection.execute(statements.delete)
            connection.execute(statements.insert, [value for value in values if value["key"] != INDEX_VERSION])
            self._backend.number_on(connection)
        self.empty_foreign_index()
