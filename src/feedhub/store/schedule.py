"""Which sources are due: times and hosts in the table of sources, found by an index over the scheduled ones."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from feedhub.model.source import PlannedPoll, SourceState
from feedhub.store.connection import Connection, Prepared
from feedhub.store.outputs import chunks
from feedhub.store.polls import state_of
from feedhub.store.sqlite import insert
from feedhub.store.tables import sources

_PLANNED = insert(sources)
_PLAN = Prepared(
    _PLANNED.on_conflict_do_update(
        index_elements=["name"],
        set_={name: _PLANNED.excluded[name] for name in ("host", "scheduled", "next_poll_at")},
    )
)
_OVERDUE = (
    select(
        sources,
        func.row_number()
        .over(partition_by=sources.c.host, order_by=(sources.c.next_poll_at, sources.c.id))
        .label("turn"),
    )
    .where(sources.c.scheduled == 1, sources.c.next_poll_at <= bindparam("now", type_=sources.c.next_poll_at.type))
    .subquery()
)
_DUE = Prepared(
    select(_OVERDUE)
    .where(_OVERDUE.c.turn <= bindparam("per_host"))
    .order_by(_OVERDUE.c.next_poll_at, _OVERDUE.c.id)
    .limit(bindparam("most"))
)
_ANY_DUE = Prepared(
    select(sources.c.id)
    .where(sources.c.scheduled == 1, sources.c.next_poll_at <= bindparam("now", type_=sources.c.next_poll_at.type))
    .limit(1)
)
_NEXT = Prepared(
    select(sources.c.next_poll_at)
    .where(sources.c.scheduled == 1, sources.c.next_poll_at.is_not(None))
    .order_by(sources.c.next_poll_at)
    .limit(1)
)


def plan_polls(connection: Connection, plan: Sequence[PlannedPoll]) -> None:
    """Write who is scheduled and when."""
    connection.execute(update(sources).where(sources.c.scheduled == 1).values(scheduled=0))
    if plan:
        rows = [{"name": one.name, "host": one.host, "scheduled": 1, "next_poll_at": one.at} for one in plan]
        connection.execute(_PLAN, rows)


def due(connection: Connection, now: datetime, per_host: int, limit: int) -> tuple[SourceState, ...]:
    """Return who is due. Mostly nobody is, so that is asked first, of the index alone."""
    if connection.execute(_ANY_DUE, {"now": now}).first() is None:
        return ()
    rows = connection.execute(_DUE, {"now": now, "per_host": per_host, "most": limit})
    return tuple(state_of(row) for row in rows)


def next_due_at(connection: Connection) -> datetime | None:
    """Return the earliest due time."""
    found: datetime | None = connection.execute(_NEXT).scalar()
    return found


def hold(connection: Connection, names: Sequence[str], until: datetime) -> None:
    """Put off sources that are due before ``until``."""
    for part in chunks(names):
        connection.execute(
            update(sources).where(sources.c.name.in_(part), sources.c.next_poll_at < until).values(next_poll_at=until)
        )
