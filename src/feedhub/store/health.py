"""What happened to sources, as the health feed tells it."""

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select

from feedhub.model.report import HealthEvent
from feedhub.store.connection import Connection
from feedhub.store.tables import health_events

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
