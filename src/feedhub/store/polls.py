"""Sources and what is remembered about each between polls: state, due times, health events."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, bindparam, delete, func, select, type_coerce, update

from feedhub.model.report import HealthEvent, SourceCounts
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.store.codec import decode_state, encode_state
from feedhub.store.outputs import ALL, bump, chunks
from feedhub.store.sqlite import Connection, Prepared, insert
from feedhub.store.tables import EPOCH, AnyRow, health_events, items, memberships, sightings, sources

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


PUBLISHED = "health_published"
_KEPT = 1_000


def add_events(connection: Connection, events: Sequence[HealthEvent]) -> None:
    """Add events; far more than a feed shows are kept, and no more."""
    if not events:
        return
    connection.execute(
        insert(health_events),
        [{"at": one.at, "source": one.source, "kind": one.kind, "text": one.text} for one in events],
    )
    connection.execute(delete(health_events).where(health_events.c.id <= newest_number(connection) - _KEPT))


def newest_events(connection: Connection, limit: int) -> tuple[HealthEvent, ...]:
    """Return the newest events, newest first."""
    rows = connection.execute(select(health_events).order_by(health_events.c.id.desc()).limit(limit))
    return tuple(HealthEvent(at=row.at, source=row.source, kind=row.kind, text=row.text) for row in rows)


def newest_number(connection: Connection) -> int:
    """Return the number of the newest event; 0 when there is none."""
    return connection.execute(select(func.max(health_events.c.id))).scalar() or 0


_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)

_BY_NAME = Prepared(select(sources).where(sources.c.name == bindparam("wanted")))
_ID = Prepared(select(sources.c.id).where(sources.c.name == bindparam("wanted")))
_RATE = Prepared(
    select(func.count())
    .select_from(sightings.join(sources))
    .where(sources.c.name == bindparam("wanted"), sightings.c.first_seen_at >= bindparam("since"))
)
_STATES = Prepared(select(sources).where(sources.c.state.is_not(None)).order_by(sources.c.name))
_SAVE = Prepared(update(sources).where(sources.c.id == bindparam("number")))
_FILED = Prepared(select(sources.c.name, sources.c.filed_digest))
_new_source = insert(sources)
_MARK_FILED = Prepared(
    _new_source.on_conflict_do_update(index_elements=["name"], set_={"filed_digest": _new_source.excluded.filed_digest})
)
_SHOWN_IN = Prepared(select(memberships.c.slug).where(memberships.c.source_id == bindparam("source_id")).distinct())


def source_number(connection: Connection, name: str) -> int:
    """Return the number of a source, giving it one at first sight."""
    found: int | None = connection.execute(_ID, {"wanted": name}).scalar()
    if found is None:
        connection.execute(insert(sources).values(name=name))
        return number_if_any(connection, name)
    return found


def number_if_any(connection: Connection, name: str) -> int:
    """Return the number of a source, 0 for one that has none yet; nothing is written."""
    found: int | None = connection.execute(_ID, {"wanted": name}).scalar()
    return found or 0


def source_row(connection: Connection, name: str) -> AnyRow | None:
    """Return the row of a source; None for one that has no number yet."""
    row: AnyRow | None = connection.execute(_BY_NAME, {"wanted": name}).first()
    return row


def save_state(connection: Connection, state: SourceState, number: int, before: AnyRow | None) -> None:
    """Store ``state``. What outputs show of a source (its title and addresses) makes those outputs due.

    ``before`` is the row as it is, None when it was made just now.
    """
    connection.execute(
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
    if before and (before.title, before.link, before.url) != (state.title, state.link, state.configured_url):
        slugs = connection.execute(_SHOWN_IN, {"source_id": number}).scalars()
        bump(connection, {ALL, *slugs}, ())


def all_states(connection: Connection) -> tuple[SourceState, ...]:
    """Return every saved state, by name."""
    rows = connection.execute(_STATES)
    return tuple(state_of(row) for row in rows)


def new_since(connection: Connection, source: str, since: datetime) -> int:
    """Return how many sightings of ``source`` began since then."""
    count: int = connection.execute(_RATE, {"wanted": source, "since": since}).scalar()
    return count


def count_sightings(connection: Connection, since: datetime) -> dict[str, SourceCounts]:
    """Return all and daily numbers; the days run from ``since`` to the source's last poll, at least one."""
    recent = func.sum((sightings.c.first_seen_at >= since).cast(sightings.c.item_pk.type))
    rows = connection.execute(
        select(sources.c.name, sources.c.last_poll_at, func.count().label("items"), recent.label("recent"))
        .select_from(sightings.join(sources).join(items, items.c.pk == sightings.c.item_pk))
        .where(items.c.removed_at.is_(None))
        .group_by(sources.c.id)
        .order_by(sources.c.name)
    )
    return {
        row.name: SourceCounts(items=row.items, items_per_day=row.recent / days_between(since, row.last_poll_at))
        for row in rows
    }


def daily(connection: Connection, since: datetime, days: int) -> dict[str, tuple[int, ...]]:
    """Return per source what it gave for the first time on each day of 24 hours from ``since``.

    One range of the index over (source, time) for each source: older sightings are not read.
    """
    begins = (since - EPOCH) // _MICROSECOND
    day = ((type_coerce(sightings.c.first_seen_at, BigInteger) - begins) // (_DAY // _MICROSECOND)).label("day")
    rows = connection.execute(
        select(sources.c.name, day, func.count().label("items"))
        .select_from(sources.join(sightings, sightings.c.source_id == sources.c.id))
        .where(sightings.c.first_seen_at >= since, sightings.c.first_seen_at < since + days * _DAY)
        .group_by(sources.c.name, day)
    )
    counted: dict[str, list[int]] = {}
    for row in rows:
        counted.setdefault(row.name, [0] * days)[row.day] = row.items
    return {name: tuple(numbers) for name, numbers in sorted(counted.items())}


def days_between(since: datetime, last_poll_at: datetime | None) -> float:
    """Return the days a rate is taken over, never less than one."""
    return 1.0 if last_poll_at is None else max(1.0, (last_poll_at - since) / _DAY)


def filed_digests(connection: Connection) -> dict[str, str | None]:
    """Return by which rules the items of every source were last filed."""
    return dict(connection.execute(_FILED))


def mark_filed(connection: Connection, names: Sequence[str], digest: str) -> None:
    """Remember it of sources without items."""
    connection.execute(_MARK_FILED, [{"name": name, "filed_digest": digest} for name in names])


def save_filed_digest(connection: Connection, number: int, digest: str) -> None:
    """Remember the rules that the items of a source were filed by."""
    connection.execute(update(sources).where(sources.c.id == number).values(filed_digest=digest))


def state_of(row: AnyRow) -> SourceState:
    """Return the state in a row of the table; that of a source which was only planned has nothing but its time."""
    if row.state is None:
        return SourceState(name=row.name, next_poll_at=row.next_poll_at)
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
