"""Statements that the driver runs give what SQLAlchemy gives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert, make_url, select, text, update

from feedhub.store.database import Backend, Connection, PreparedStatement
from feedhub.store.postgresql import PostgresBackend
from feedhub.store.sqlite import SqliteBackend
from feedhub.store.tables import Instant
from support.postgres import address_of, new_database

NOON = datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Text),
    Column("at", Instant),
    Column("kind", Text, default="plain"),
)
ADD = PreparedStatement(insert(things))
MOVE = PreparedStatement(update(things).where(things.c.id == bindparam("number")))
OF = PreparedStatement(select(things).where(things.c.id.in_(bindparam("ids", expanding=True))).order_by(things.c.id))
SINCE = PreparedStatement(
    select(things.c.id)
    .where(things.c.at >= bindparam("since"), things.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(things.c.id)
)
AT = PreparedStatement(select(things.c.at).where(things.c.at.in_(bindparam("ats", expanding=True))))
NOTHING = PreparedStatement(text("UPDATE things SET name = name"))


@cache
def database() -> str:
    return new_database("statements")


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    backend: Backend
    if request.param == "sqlite":
        backend = SqliteBackend(make_url(f"sqlite:///{tmp_path}/it.db"), 1.0)
    else:
        backend = PostgresBackend(make_url(address_of(database())), 1.0)
    engine = backend.engine.execution_options(write=True)
    with engine.begin() as plain:
        things.create(plain)
    with engine.connect() as plain:
        plain.begin()
        yield Connection(plain, backend)
    with engine.begin() as plain:
        things.drop(plain)
    engine.dispose()


def test_rows_have_names_and_values_in_the_types_of_their_columns(connection: Connection) -> None:
    connection.execute(ADD, {"id": 1, "name": "one", "at": NOON})
    row = connection.execute(OF, {"ids": [1]}).first()
    assert (row.id, row.name, row.at) == (1, "one", NOON)
    assert tuple(row) == tuple(connection.execute(select(things)).first())
    assert connection.execute(OF, {"ids": [2]}).first() is None
    assert connection.execute(OF, {"ids": [2]}).scalar() is None


def test_many_rows_are_written_at_once_and_none_is_no_error(connection: Connection) -> None:
    connection.execute(ADD, [{"id": number, "name": str(number), "at": NOON} for number in range(3)])
    connection.execute(ADD, [{"id": 3, "name": None, "at": None}])
    assert connection.execute(OF, {"ids": range(9)})[3][:3] == (3, None, None)
    assert connection.execute(OF, {"ids": range(9)}).scalars() == [0, 1, 2, 3]
    assert connection.execute(NOTHING) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 511, 512, 513])
def test_a_list_of_any_length_finds_exactly_what_is_in_it(connection: Connection, count: int) -> None:
    connection.execute(ADD, [{"id": number, "name": "", "at": NOON} for number in range(600)])
    assert connection.execute(OF, {"ids": range(count)}).scalars() == list(range(count))
    assert connection.execute(SINCE, {"ids": range(count), "since": NOON}).scalars() == list(range(count))


def test_the_values_of_a_list_are_of_their_column_too(connection: Connection) -> None:
    connection.execute(ADD, {"id": 1, "name": "", "at": NOON})
    assert connection.execute(AT, {"ats": [NOON, NOON.replace(year=2020), NOON]}).scalars() == [NOON]


def test_an_update_names_what_it_sets_by_the_parameters(connection: Connection) -> None:
    connection.execute(ADD, {"id": 1, "name": "one", "at": NOON})
    connection.execute(MOVE, {"number": 1, "name": "two"})
    connection.execute(MOVE, {"number": 1, "at": None})
    connection.execute(MOVE, [{"number": 1, "kind": "other"}])
    assert connection.execute(OF, {"ids": [1]}).first() == (1, "two", None, "other")


def test_a_naive_instant_is_refused(connection: Connection) -> None:
    with pytest.raises(TypeError):
        connection.execute(ADD, {"id": 1, "name": "", "at": NOON.replace(tzinfo=None)})


def test_it_works_inside_what_sqlalchemy_runs(connection: Connection) -> None:
    connection.execute(insert(things), {"id": 7, "name": "seven", "at": NOON})
    assert connection.execute(OF, {"ids": [7]}).scalar() == 7
    connection.plain.rollback()
    assert connection.execute(OF, {"ids": [7]}).scalar() is None
