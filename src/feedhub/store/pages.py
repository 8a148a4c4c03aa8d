"""What pages and archives ask of the store: items by change, and the items of an output between two instants."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, select

from feedhub.model.item import StoredItem
from feedhub.model.output import Mark, PageItem, Report
from feedhub.store.codec import NO_WORDING, decode_item
from feedhub.store.connection import Connection, Prepared
from feedhub.store.outputs import ALL, SHOWN_IN, SHOWN_IN_ALL, WORDING, chunks, stored_items
from feedhub.store.tables import AnyRow, categories, items, memberships, sightings, sources

_NO_LIMIT: Final = 2**62
_PKS: BindParameter[Any] = bindparam("pks", expanding=True)
_OWNED = Prepared(
    select(*WORDING, items.c.removed_at)
    .select_from(items)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.pk.in_(_PKS))
    .order_by(items.c.pk)
)
_SLUGS = Prepared(
    select(memberships.c.item_pk, categories.c.slug)
    .join(categories, categories.c.slug == memberships.c.slug)
    .where(memberships.c.item_pk.in_(_PKS))
    .order_by(memberships.c.item_pk, categories.c.position)
)
_OTHERS = Prepared(
    select(sightings.c.item_pk, sightings.c.wording, sources.c.name, sources.c.title)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(sightings.c.item_pk.in_(_PKS), sightings.c.source_id != items.c.owner_id)
    .order_by(sightings.c.item_pk, sightings.c.first_seen_at, sources.c.id)
)
_AT = items.c.published_at.type
_SINCE, _UNTIL = bindparam("since", type_=_AT), bindparam("until", type_=_AT)


def touched_items(since: int) -> Select[int]:
    """Select the items touched after a change number, perhaps repeatedly; all of them for a negative one."""
    if since < 0:
        return select(items.c.pk)
    # Not ordered by the database, which would read all sightings in their order to save itself the sorting.
    return select(sightings.c.item_pk).where(sightings.c.touched > since)


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
    most = _NO_LIMIT if limit is None else limit
    rows = connection.execute(_of(slug).marks, {"slug": slug, "since": since, "until": until, "most": most})
    return tuple(Mark(id=row.id, published_at=row.published_at, touched=row.touched) for row in rows)


def count(connection: Connection, slug: str, since: datetime, until: datetime) -> int:
    """Return how many they are."""
    return int(connection.execute(_of(slug).count, {"slug": slug, "since": since, "until": until}).scalar())


def published_before(connection: Connection, slug: str, moment: datetime) -> datetime | None:
    """Return when the newest item of an output older than ``moment`` was published."""
    found: datetime | None = connection.execute(_of(slug).before, {"slug": slug, "until": moment}).scalar()
    return found


def shown(connection: Connection, slug: str, ids: Iterable[str]) -> tuple[StoredItem, ...]:
    """Return items of an output by id, in the wording shown there, newest first."""
    found: list[AnyRow] = []
    for part in chunks(ids):
        found += connection.execute(_of(slug).shown, {"slug": slug, "ids": part})
    return stored_items(connection, found)


def newest_of_sources(connection: Connection) -> Mapping[str, datetime]:
    """Return when each source last gave an item for the first time."""
    newest = (
        select(func.max(sightings.c.first_seen_at, type_=_AT))
        .where(sightings.c.source_id == sources.c.id)
        .scalar_subquery()
    )
    return {name: at for name, at in connection.execute(select(sources.c.name, newest)) if at is not None}


class _Output:
    """The statements over the items of ``all`` or of a category: ``shown`` is all that they say, in order."""

    def __init__(self, published: ColumnElement[datetime], shown: Select[Any], narrow: Select[Any]) -> None:
        between = (published >= _SINCE, published < _UNTIL)
        marked = shown.with_only_columns(items.c.id, items.c.published_at, sightings.c.touched)
        self.marks = Prepared(marked.where(*between).limit(bindparam("most")))
        # The index alone is read for these two.
        self.count = Prepared(narrow.with_only_columns(func.count()).where(*between))
        self.before = Prepared(
            narrow.with_only_columns(published).where(published < _UNTIL).order_by(published.desc()).limit(1)
        )
        self.shown = Prepared(shown.where(items.c.id.in_(bindparam("ids", expanding=True))))


_OF_ALL = _Output(items.c.published_at, SHOWN_IN_ALL, select(items.c.pk).where(items.c.removed_at.is_(None)))
_OF_CATEGORY = _Output(
    memberships.c.published_at,
    SHOWN_IN,
    select(memberships.c.item_pk).where(memberships.c.slug == bindparam("slug")),
)


def _of(slug: str) -> _Output:
    return _OF_ALL if slug == ALL else _OF_CATEGORY
