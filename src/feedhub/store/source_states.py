"""Sources and what is remembered about each between polls: state, due times, how much it gives, health events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, delete, func, literal, select, text, type_coerce, update

from feedhub.errors import FencedError
from feedhub.model.report import HealthEvent
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.rules.identity import KEYS_OF_SOURCES
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, Database, OpenTransaction, PreparedStatement, Reader, chunks
from feedhub.store.outputs import bump, put_value
from feedhub.store.sqlite import insert
from feedhub.store.status import EPOCH, decode_state, encode_state
from feedhub.store.tables import (
    AnyRow,
    health_events,
    identity_keys,
    ledger,
    memberships,
    meta,
    sightings,
    sources,
    stored_key,
)

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_MOST_EVENTS: Final = 1_000
"""Far more health events than a feed shows are stored, and no more."""

_LONG_GUID: Final = 100
"""Keys of longer ones may be stored by their digest."""

_planned = insert(sources)
_PLAN = PreparedStatement(
    _planned.on_conflict_do_update(
        index_elements=["name"],
        set_={name: _planned.excluded[name] for name in ("host", "scheduled", "next_poll_at")},
    )
)
_IS_DUE = (
    sources.c.scheduled == 1,
    sources.c.next_poll_at <= bindparam("now", type_=sources.c.next_poll_at.type),
)
_OVERDUE = (
    select(
        sources,
        func.row_number()
        .over(partition_by=sources.c.host, order_by=(sources.c.next_poll_at, sources.c.id))
        .label("turn"),
    )
    .where(*_IS_DUE)
    .subquery()
)
_DUE = PreparedStatement(
    select(_OVERDUE)
    .where(_OVERDUE.c.turn <= bindparam("per_host"))
    .order_by(_OVERDUE.c.next_poll_at, _OVERDUE.c.id)
    .limit(bindparam("most"))
)
_DUE_ON_HOST = PreparedStatement(
    select(sources)
    .where(sources.c.host == bindparam("wanted"), *_IS_DUE)
    .order_by(sources.c.next_poll_at, sources.c.id)
    .limit(bindparam("most"))
)
_ANY_DUE = PreparedStatement(select(sources.c.id).where(*_IS_DUE).limit(1))
_NEXT = PreparedStatement(
    select(sources.c.next_poll_at)
    .where(sources.c.scheduled == 1, sources.c.next_poll_at.is_not(None))
    .order_by(sources.c.next_poll_at)
    .limit(1)
)
_BY_NAME = PreparedStatement(select(sources).where(sources.c.name == bindparam("wanted")))
_ID = PreparedStatement(select(sources.c.id).where(sources.c.name == bindparam("wanted")))
_SAVE = PreparedStatement(update(sources).where(sources.c.id == bindparam("number")))
_SHOWN_IN = PreparedStatement(
    select(memberships.c.slug).where(memberships.c.source_id == bindparam("source_id")).distinct()
)
_RATE = PreparedStatement(
    select(func.count())
    .select_from(sightings.join(sources))
    .where(sources.c.name == bindparam("wanted"), sightings.c.first_seen_at >= bindparam("since"))
)
_NOTE = PreparedStatement(select(meta.c.value).where(meta.c.key == bindparam("wanted")))
# Of the tables of ``store/cluster.py``. The row stays as it is until the transaction ends.
_MUST_HOLD = PreparedStatement(
    text(
        "SELECT wanted_at > clock_timestamp() - interval '3 seconds' FROM cluster_hosts"
        " WHERE host = :host AND job = :job AND held_since IS NOT NULL"
        " AND :generation = (SELECT max(number) FROM cluster_generations) FOR SHARE"
    )
)
_NEWEST_EVENT = select(func.max(health_events.c.id))


class SqlSources(Database):
    """What the store answers about its sources outside of a transaction; the ports say what each method promises."""

    def plan_polls(self, plan: Sequence[PlannedPoll]) -> None:
        rows = [{"name": one.name, "host": one.host, "scheduled": 1, "next_poll_at": one.at} for one in plan]
        with self._write() as connection:
            connection.execute(update(sources).where(sources.c.scheduled == 1).values(scheduled=0))
            if rows:
                connection.execute(_PLAN, rows)

    def due(self, now: datetime, *, per_host: int, limit: int) -> tuple[SourceState, ...]:
        with self._read() as connection:
            # Mostly no source is due, so that is asked first, of the index alone.
            if not connection.execute(_ANY_DUE, {"now": now}):
                return ()
            rows = connection.execute(_DUE, {"now": now, "per_host": per_host, "most": limit})
        return tuple(_state_of(row) for row in rows)

    def due_on_host(self, host: str, now: datetime, *, limit: int) -> tuple[SourceState, ...]:
        return tuple(map(_state_of, self._query(_DUE_ON_HOST, {"wanted": host, "now": now, "most": limit})))

    def next_due_at(self) -> datetime | None:
        found: datetime | None = self._query(_NEXT).scalar()
        return found

    def new_items_per_day(self, since: datetime, days: int) -> dict[str, tuple[int, ...]]:
        begins = (since - EPOCH) // _MICROSECOND
        day = ((type_coerce(sightings.c.first_seen_at, BigInteger) - begins) // (_DAY // _MICROSECOND)).label("day")
        # One range of the index over (source, time) for each source: older sightings are not read.
        counted = (
            select(sources.c.name, day, func.count().label("items"))
            .select_from(sources.join(sightings, sightings.c.source_id == sources.c.id))
            .where(sightings.c.first_seen_at >= since, sightings.c.first_seen_at < since + days * _DAY)
            .group_by(sources.c.name, "day")
        )
        numbers: dict[str, list[int]] = {}
        for row in self._query(counted):
            numbers.setdefault(row.name, [0] * days)[row.day] = row.items
        return {name: tuple(of_days) for name, of_days in sorted(numbers.items())}

    def health_events(self, limit: int) -> tuple[HealthEvent, ...]:
        newest = select(health_events).order_by(health_events.c.id.desc()).limit(limit)
        return tuple(
            HealthEvent(at=row.at, source=row.source, kind=row.kind, text=row.text) for row in self._query(newest)
        )

    def health_number(self) -> int:
        return self._query(_NEWEST_EVENT).scalar() or 0


class SourceReader(Reader):
    """Finds the row of a source."""

    def _source_row(self, connection: Connection, name: str) -> AnyRow | None:
        """Return the row of a source; None for one that the store has not met."""
        row: AnyRow | None = connection.execute(_BY_NAME, {"wanted": name}).first()
        return row


class SqlSourceTransaction(SourceReader, OpenTransaction):
    """Reads and writes what is remembered about sources; see ``feedhub.ports.store.Transaction``."""

    def state(self, name: str) -> SourceState:
        row = self._source_row(self._connection, name)
        return SourceState(name=name) if row is None else _state_of(row)

    def must_hold(self, host: str, job: int, generation: int) -> bool:
        found = self._connection.execute(_MUST_HOLD, {"host": host, "job": job, "generation": generation}).first()
        if found is None:
            raise FencedError(f"{host} is another worker's by now, or another configuration was applied")
        return bool(found[0])

    def save_state(self, state: SourceState) -> None:
        before = self._source_row(self._connection, state.name)
        number = self._source_id(state.name)
        self._connection.execute(
            _SAVE,
            {
                "number": number,
                "title": state.title,
                "link": state.link,
                "url": state.configured_url,
                "last_poll_at": state.last_poll_at,
                "last_success_at": state.last_success_at,
                "next_poll_at": state.next_poll_at,
                "state": encode_state(state),
            },
        )
        # Outputs show the title and the addresses of a source, so a change of those makes the outputs due.
        if before and (before.title, before.link, before.url) != (state.title, state.link, state.configured_url):
            slugs = self._connection.execute(_SHOWN_IN, {"source_id": number}).scalars()
            bump(self._connection, {ALL, *slugs}, ())
        self._source_rows.pop(state.name, None)

    def count_new(self, source: str, since: datetime) -> int:
        count: int = self._connection.execute(_RATE, {"wanted": source, "since": since}).scalar()
        return count

    def rename_source(self, old: str, new: str) -> None:
        connection = self._connection
        row = self._source_row(connection, old)
        if row is None or self._source_row(connection, new) is not None:
            return
        number = int(row.id)
        slugs = connection.execute(_SHOWN_IN, {"source_id": number}).scalars()
        for kind in KEYS_OF_SOURCES:
            before, after = f"{kind}:{old}:", f"{kind}:{new}:"
            key = identity_keys.c.text
            connection.execute(
                update(identity_keys)
                .where(key >= before, key < f"{before[:-1]};")
                .values(text=literal(after) + func.substr(key, len(before) + 1))
            )
        long = select(sightings.c.guid).where(
            sightings.c.source_id == number, func.length(sightings.c.guid) > _LONG_GUID
        )
        for guid in connection.execute(long).scalars():
            before, after = (stored_key(f"guid:{name}:{guid}") for name in (old, new))
            connection.execute(update(identity_keys).where(identity_keys.c.text == before).values(text=after))
        for table in (ledger, health_events):
            connection.execute(update(table).where(table.c.source == old).values(source=new))
        connection.execute(update(sources).where(sources.c.id == number).values(name=new))
        bump(connection, {ALL, *slugs}, ())
        self._source_rows.clear()

    def note(self, name: str) -> str:
        found: str | None = self._connection.execute(_NOTE, {"wanted": f"note:{name}"}).scalar()
        return found or ""

    def set_note(self, name: str, text: str) -> None:
        put_value(self._connection, f"note:{name}", text)

    def add_health_events(self, events: Sequence[HealthEvent]) -> None:
        if not events:
            return
        self._must_be_alone()
        rows = [{"at": one.at, "source": one.source, "kind": one.kind, "text": one.text} for one in events]
        self._connection.execute(insert(health_events), rows)
        newest = self._connection.execute(_NEWEST_EVENT).scalar()
        self._connection.execute(delete(health_events).where(health_events.c.id <= newest - _MOST_EVENTS))

    def postpone(self, names: Sequence[str], until: datetime) -> None:
        self._must_be_alone()
        for part in chunks(names):
            self._connection.execute(
                update(sources)
                .where(sources.c.name.in_(part), sources.c.next_poll_at < until)
                .values(next_poll_at=until)
            )

    def _source_row(self, connection: Connection, name: str) -> AnyRow | None:
        if connection.sharing is not None and name not in connection.sharing.sources:
            self._must_be_alone()
        if name not in self._source_rows:
            row = super()._source_row(connection, name)
            if row is None:
                return None
            self._source_rows[name] = row
        return self._source_rows[name]

    def _source_id(self, name: str) -> int:
        """Return the number of a source, giving it one at first sight."""
        row = self._source_row(self._connection, name)
        return source_id(self._connection, name) if row is None else int(row.id)


def source_id(connection: Connection, name: str) -> int:
    """Return the number of a source, giving it one at first sight."""
    found: int | None = connection.execute(_ID, {"wanted": name}).scalar()
    if found is None:
        connection.execute(insert(sources).values(name=name))
        found = connection.execute(_ID, {"wanted": name}).scalar()
    return int(found or 0)


def _state_of(row: AnyRow) -> SourceState:
    """Return the state in a row of the table."""
    return decode_state(
        row.state,
        name=row.name,
        title=row.title,
        link=row.link,
        configured_url=row.url,
        last_poll_at=row.last_poll_at,
        last_success_at=row.last_success_at,
        next_poll_at=row.next_poll_at,
    )
