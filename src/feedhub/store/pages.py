"""What pages and archives ask of the store: items by change, and the items of an output between two instants."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select

from feedhub.model.item import StoredItem
from feedhub.model.output import Mark, PageItem, Report
from feedhub.store.codec import NO_WORDING, decode_item
from feedhub.store.outputs import ALL, SHOWN_IN, SHOWN_IN_ALL, WORDING, chunks, stored_items
from feedhub.store.tables import AnyRow, categories, items, memberships, sightings, sources

_PKS: BindParameter[Any] = bindparam("pks", expanding=True)
_OWNED = (
    select(*WORDING, items.c.removed_at)
    .select_from(items)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.pk.in_(_PKS))
    .order_by(items.c.pk)
)
_SLUGS = (
    select(memberships.c.item_pk, categories.c.slug)
    .join(categories, categories.c.slug == memberships.c.slug)
    .where(memberships.c.item_pk.in_(_PKS))
    .order_by(memberships.c.item_pk, categories.c.position)
)
_OTHERS = (
    select(sightings.c.item_pk, sightings.c.wording, sources.c.name, sources.c.title)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(sightings.c.item_pk.in_(_PKS), sightings.c.source_id != items.c.owner_id)
    .order_by(sightings.c.item_pk, sightings.c.first_seen_at, sources.c.id)
)
_AT = items.c.published_at.type
_SINCE, _UNTIL = bindparam("since", type_=_AT), bindparam("until", type_=_AT)


def touched_items(since: int) -> Select[int]:
    """Select the items touched after a change number; all of them for a negative one."""
    if since < 0:
        return select(items.c.pk).order_by(items.c.pk)
    return select(sightings.c.item_pk).where(sightings.c.touched > since).distinct().order_by(sightings.c.item_pk)


def page_items(connection: Connection, pks: Sequence[int]) -> list[PageItem]:
    """Return items as their pages show them."""
    rows = connection.execute(_OWNED, {"pks": pks}).all()
    slugs: dict[int, list[str]] = defaultdict(list)
    for pk, slug in connection.execute(_SLUGS, {"pks": pks}):
        slugs[pk].append(slug)
    also: dict[int, list[Report]] = defaultdict(list)
    for row in connection.execute(_OTHERS, {"pks": pks}):
        wording = decode_item(row.wording)
        if wording != NO_WORDING:
            also[row.item_pk].append(Report(source=row.name, title=row.title, link=wording.link))
    return [
        PageItem(
            item=stored,
            slugs=tuple(slugs[row.pk]),
            also=tuple(also[row.pk]),
            removed=row.removed_at is not None,
        )
        for row, stored in zip(rows, stored_items(connection, rows), strict=True)
    ]


def marks(connection: Connection, slug: str, since: datetime, until: datetime, limit: int | None) -> tuple[Mark, ...]:
    """Return the items of an output published from ``since`` to before ``until``, newest first."""
    published, base, _ = _output(slug)
    wanted = base.with_only_columns(items.c.id, items.c.published_at, sightings.c.touched)
    rows = connection.execute(
        wanted.where(published >= _SINCE, published < _UNTIL).limit(limit),
        {"slug": slug, "since": since, "until": until},
    )
    return tuple(Mark(id=row.id, published_at=row.published_at, touched=row.touched) for row in rows)


def count(connection: Connection, slug: str, since: datetime, until: datetime) -> int:
    """Return how many they are; the index alone is read."""
    published, _, narrow = _output(slug)
    wanted = narrow.with_only_columns(func.count()).where(published >= _SINCE, published < _UNTIL)
    return connection.execute(wanted, {"slug": slug, "since": since, "until": until}).scalar_one()


def published_before(connection: Connection, slug: str, moment: datetime) -> datetime | None:
    """Return when the newest item of an output older than ``moment`` was published."""
    published, _, narrow = _output(slug)
    wanted = narrow.with_only_columns(published).where(published < _UNTIL).order_by(published.desc()).limit(1)
    found: datetime | None = connection.execute(wanted, {"slug": slug, "until": moment}).scalar()
    return found


def shown(connection: Connection, slug: str, ids: Iterable[str]) -> tuple[StoredItem, ...]:
    """Return items of an output by id, in the wording shown there, newest first."""
    found: list[AnyRow] = []
    for part in chunks(ids):
        _, base, _ = _output(slug)
        found += connection.execute(base.where(items.c.id.in_(part)), {"slug": slug}).all()
    return stored_items(connection, found)


def newest_of_sources(connection: Connection) -> Mapping[str, datetime]:
    """Return when each source last gave an item for the first time."""
    newest = (
        select(func.max(sightings.c.first_seen_at, type_=_AT))
        .where(sightings.c.source_id == sources.c.id)
        .scalar_subquery()
    )
    return {name: at for name, at in connection.execute(select(sources.c.name, newest)) if at is not None}


def _output(slug: str) -> tuple[Any, Select[Any], Select[Any]]:
    """Return the published time of an output's items, the items in order, and the bare table for counting."""
    if slug == ALL:
        return items.c.published_at, SHOWN_IN_ALL, select(items.c.pk).where(items.c.removed_at.is_(None))
    narrow = select(memberships.c.item_pk).where(memberships.c.slug == bindparam("slug"))
    return memberships.c.published_at, SHOWN_IN, narrow
