"""A connection that runs the statements of a poll by the driver itself (PEP 249); SQLAlchemy makes their SQL, once.

Run by SQLAlchemy, the three dozen statements of one document take several times what the database takes for them.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Delete, Executable, Insert, Select, TextClause, Update
from sqlalchemy.engine.interfaces import Dialect

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
