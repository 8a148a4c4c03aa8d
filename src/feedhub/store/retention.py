"""Taking out what no source offers any more (SPEC §4, last paragraph). Keys stay, so nothing comes back as new."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Select, bindparam, case, delete, exists, func, select, update

from feedhub.store.codec import NO_WORDING, encode_item
from feedhub.store.outputs import ALL, bump, stamp
from feedhub.store.sqlite import Connection, unindex
from feedhub.store.tables import filings, identity_keys, items, ledger, memberships, sightings, sources


def _last_offered() -> ColumnElement[datetime]:
    """A source that fails, is gone or is no longer configured stopped offering at its last success."""
    return case(
        (sightings.c.left_at.is_(None), func.coalesce(sources.c.last_success_at, sightings.c.first_seen_at)),
        else_=sightings.c.left_at,
    )


def outdated(before: datetime) -> Select[int]:
    """Select the items that nobody has offered since ``before``."""
    return select(items.c.pk).where(items.c.removed_at.is_(None), ~_offered_since(before))


def _offered_since(moment: datetime) -> ColumnElement[bool]:
    limit = bindparam("moment", value=moment, type_=items.c.published_at.type)
    return (
        exists()
        .where(sightings.c.item_pk == items.c.pk, sources.c.id == sightings.c.source_id)
        .where(_last_offered() >= limit)
    )


def categories_over(connection: Connection, keep: int) -> list[str]:
    """Return the categories that hold more than ``keep`` items."""
    counted = select(memberships.c.slug).group_by(memberships.c.slug).having(func.count() > keep)
    return sorted(connection.execute(counted).scalars())


def beyond(slug: str, keep: int) -> Select[int]:
    """Select the items of a category beyond its newest ``keep`` that no source offers."""
    rest = (
        select(memberships.c.item_pk, items.c.id)
        .join(items, items.c.pk == memberships.c.item_pk)
        .where(memberships.c.slug == slug)
        .order_by(
            memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position, items.c.id
        )
        .limit(-1)
        .offset(keep)
        .subquery()
    )
    offered = exists().where(sightings.c.item_pk == rest.c.item_pk, sightings.c.left_at.is_(None))
    return select(rest.c.item_pk).where(~offered)


def still(wanted: Select[int], pks: Collection[int], connection: Connection) -> list[int]:
    """Return those of ``pks`` that ``wanted`` still selects: a poll may have come between."""
    chosen = wanted.subquery()
    column = chosen.c[0]
    return sorted(connection.execute(select(column).where(column.in_(pks))).scalars())


def cut(connection: Connection, slug: str, pks: list[int]) -> list[int]:
    """Take items out of one category; return those that no category holds any more."""
    if not pks:
        return []
    for table in (filings, memberships):
        connection.execute(delete(table).where(table.c.slug == slug, table.c.item_pk.in_(pks)))
    bump(connection, {ALL, slug, *_holding(connection, pks)}, ())
    stamp(connection, pks)
    held = connection.execute(select(memberships.c.item_pk).where(memberships.c.item_pk.in_(pks))).scalars()
    return sorted(set(pks) - set(held))


def remove(connection: Connection, pks: list[int], now: datetime) -> None:
    """Remove items; their ids and keys stay. The time of an output's newest change does not move.

    Sightings lose their wording and nothing else: by guid, address and title a later record can be told
    from the removed item although it reuses one of its keys.
    """
    if not pks:
        return
    bump(connection, {ALL, *_holding(connection, pks)}, ())
    stamp(connection, pks)
    for table in (filings, memberships):
        connection.execute(delete(table).where(table.c.item_pk.in_(pks)))
    left = func.coalesce(sightings.c.left_at, bindparam("now", value=now, type_=sightings.c.left_at.type))
    connection.execute(
        update(sightings).where(sightings.c.item_pk.in_(pks)).values(wording=encode_item(NO_WORDING), left_at=left)
    )
    connection.execute(update(items).where(items.c.pk.in_(pks)).values(removed_at=now))
    unindex(connection, pks)


def _holding(connection: Connection, pks: list[int]) -> Iterator[str]:
    return iter(
        connection.execute(select(memberships.c.slug).where(memberships.c.item_pk.in_(pks)).distinct()).scalars().all()
    )


def forgettable(before: datetime) -> Select[int]:
    """Select removed items whose keys were remembered long enough: nobody has offered them again meanwhile."""
    return select(items.c.pk).where(items.c.removed_at < before, ~_offered_since(before))


def forget(connection: Connection, pks: list[int]) -> int:
    """Delete removed items with their keys; return the number of keys."""
    connection.execute(delete(sightings).where(sightings.c.item_pk.in_(pks)))
    gone: int = connection.execute(delete(identity_keys).where(identity_keys.c.item_pk.in_(pks))).rowcount
    connection.execute(delete(items).where(items.c.pk.in_(pks)))
    return gone


def old_entries(before: datetime) -> Select[int]:
    """Select ledger rows from before."""
    return select(ledger.c.id).where(ledger.c.at < before)


def drop_entries(connection: Connection, ids: list[int]) -> int:
    """Delete ledger rows; return their number."""
    gone: int = connection.execute(delete(ledger).where(ledger.c.id.in_(ids))).rowcount
    return gone
