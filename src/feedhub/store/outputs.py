"""Categories as outputs: what changed since a change number, what they hold, when they last changed; posts and pages.

What is published, and where, the store does not know: several output folders may follow it, each at its own pace.
"""

import json
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, func, select, update

from feedhub.model.item import StoredItem
from feedhub.model.output import EndedPost, ItemVersion, OtherSource, PageItem, PublishedBefore
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.reports import reports_of
from feedhub.store.sqlite import insert
from feedhub.store.status import EPOCH
from feedhub.store.tables import (
    AS_STORED,
    NO_WORDING,
    AnyRow,
    branches,
    categories,
    decode_stored,
    ended_memberships,
    items,
    memberships,
    meta,
    sightings,
    sources,
)

_CHANGES: Final = "change_number"
_TAKEN_OVER: Final = "published_by_schema_8"
_NO_LIMIT: Final = 2**62
_LONGEST_LAG: Final = 1_000_000  # a folder that is further behind has all of it compared

_BUMP = PreparedStatement(
    update(categories).where(categories.c.slug == bindparam("wanted")).values(version=bindparam("number"))
)
_VALUE = PreparedStatement(select(meta.c.value).where(meta.c.key == bindparam("wanted")))
_new_value = insert(meta)
_PUT_VALUE = PreparedStatement(
    _new_value.on_conflict_do_update(index_elements=["key"], set_={"value": _new_value.excluded.value})
)
_BRANCH = PreparedStatement(
    select(branches.c.token).where(branches.c.number <= bindparam("number")).order_by(branches.c.number.desc()).limit(1)
)
_ANY_BRANCH = PreparedStatement(select(branches.c.number).limit(1))
_NEW_BRANCH = PreparedStatement(branches.insert())
_far_behind = select(func.max(branches.c.number)).where(branches.c.number <= bindparam("to")).scalar_subquery()
_OTHER_BRANCHES = PreparedStatement(
    delete(branches).where((branches.c.number >= bindparam("from")) | (branches.c.number < _far_behind))
)
_FORGET_VALUE = PreparedStatement(delete(meta).where(meta.c.key == bindparam("wanted")))
_TOUCH = PreparedStatement(
    update(sightings)
    .where(sightings.c.item_pk.in_(bindparam("pks", expanding=True)))
    .values(touched=bindparam("number"))
)
_COUNT = PreparedStatement(
    update(categories)
    .where(categories.c.slug == bindparam("wanted"))
    .values(items=categories.c["items"] + bindparam("more"))
)


def count_items(connection: Connection, more: Mapping[str, int]) -> None:
    """Keep the numbers of items that outputs hold, each by how many there are ``more`` of now."""
    if connection.sharing is not None:
        connection.sharing.items.update(more)
        return
    rows = [{"wanted": slug, "more": count} for slug, count in sorted(more.items()) if count]
    if rows:
        connection.execute(_COUNT, rows)


def bump(
    connection: Connection, slugs: Collection[str], pks: Collection[int], *, already_touched: Collection[int] = ()
) -> None:
    """Give outputs and items the next change number, by which publishing finds what changed.

    Some items that are ``already_touched`` have it.
    """
    if not slugs and not pks:
        return
    number = next_change(connection)
    put_change(connection, number)
    if connection.sharing is not None:
        connection.sharing.versions.update(dict.fromkeys(slugs, number))
    elif slugs:
        connection.execute(_BUMP, [{"wanted": slug, "number": number} for slug in sorted(slugs)])
    for part in chunks(sorted(set(pks).difference(already_touched))):
        connection.execute(_TOUCH, {"number": number, "pks": part})


def begin_branch(connection: Connection) -> None:
    """Have the changes from now on belong to a branch of their own; see ``SqlOutputs.branch_of``."""
    number = next_change(connection)
    connection.execute(_OTHER_BRANCHES, {"from": number, "to": number - _LONGEST_LAG})
    if not connection.execute(_ANY_BRANCH).first():
        number = 0
    connection.execute(_NEW_BRANCH, {"number": number, "token": secrets.token_hex(8)})


def next_change(connection: Connection) -> int:
    """Return the number that the next change gets."""
    return int(connection.execute(_VALUE, {"wanted": _CHANGES}).scalar() or 0) + 1


def put_change(connection: Connection, number: int) -> None:
    """Remember the number of the newest change.

    Transactions that run beside others all change by the number after it, which is remembered once none of them does.
    """
    if connection.sharing is None:
        put_value(connection, _CHANGES, number)


def moved_number(connection: Connection) -> int:
    """Return the number of the newest change, after moving it if others changed something by the next one."""
    number = next_change(connection)
    if not connection.execute(_IS_CHANGED, {"number": number - 1}).scalar():
        return number - 1
    put_change(connection, number)
    return number


def put_value(connection: Connection, name: str, value: int | str) -> None:
    """Set a counter of the store, or another value of which there is one."""
    connection.execute(_PUT_VALUE, {"key": name, "value": str(value)})


_ANYTHING = PreparedStatement(select(meta.c.key).limit(1))
_IS_CHANGED = PreparedStatement(
    select(
        exists().where(sightings.c.touched > bindparam("number"))
        | exists().where(ended_memberships.c.number > bindparam("number"))
        | exists().where(categories.c.version > bindparam("number"))
    )
)
_EARLIER = items.alias("earlier")
_PREFIX = func.substr(items.c.id, 1, len("urn:uuid:") + 8)
_WORDING = (
    *AS_STORED,
    sightings.c.updated_at,
    sources.c.name,
    sources.c.title,
    sources.c.link,
    sources.c.url,
    items.c.pk,
    items.c.id,
    items.c.published_at,
    # "g" sorts behind every hex digit and the dash.
    exists()
    .where(_EARLIER.c.id >= _PREFIX, _EARLIER.c.id < _PREFIX + "g", _EARLIER.c.pk < items.c.pk)
    .correlate(items)
    .label("is_twin"),
)
_SHOWN_WORDING = (
    select(*_WORDING)
    .select_from(items)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.shown_by))
    .join(sources, sources.c.id == items.c.shown_by)
)
# Of an item that is not shown a page is to be removed, in nobody's wording.
_ANY_WORDING = (
    select(*_WORDING, items.c.shown_by)
    .select_from(items)
    .join(
        sightings,
        (sightings.c.item_pk == items.c.pk)
        & (sightings.c.source_id == func.coalesce(items.c.shown_by, items.c.owner_id)),
    )
    .join(sources, sources.c.id == sightings.c.source_id)
)
_MEMBERS_WORDING = (
    select(*_WORDING)
    .select_from(memberships)
    .join(items, items.c.pk == memberships.c.item_pk)
    .join(
        sightings,
        (sightings.c.item_pk == memberships.c.item_pk) & (sightings.c.source_id == memberships.c.source_id),
    )
    .join(sources, sources.c.id == memberships.c.source_id)
)
_SIGHTED = PreparedStatement(
    select(*_WORDING, sightings.c.source_id)
    .select_from(items)
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(
        items.c.pk.in_(bindparam("pks", expanding=True)),
        items.c.shown_by.is_not(None),
        sightings.c.dropped_by.is_(None),
    )
)
_SHOWN_IN_ALL = _SHOWN_WORDING.where(items.c.shown_by.is_not(None), items.c.unlisted.is_(None)).order_by(
    items.c.published_at.desc(), items.c.first_seen_at.desc(), items.c.position, items.c.id
)
_SHOWN_IN = _MEMBERS_WORDING.where(memberships.c.slug == bindparam("slug")).order_by(
    memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position, items.c.id
)
_SHOWN = PreparedStatement(_SHOWN_WORDING.where(items.c.pk.in_(bindparam("pks", expanding=True))))
_TOUCHED = PreparedStatement(
    _MEMBERS_WORDING.add_columns(memberships.c.slug)
    .where(sightings.c.touched > bindparam("since"))
    .order_by(sightings.c.touched, items.c.id, memberships.c.slug)
)
_ENDED = PreparedStatement(
    select(ended_memberships.c.slug, items.c.id, items.c.published_at)
    .join(items, items.c.pk == ended_memberships.c.item_pk)
    .where(
        ended_memberships.c.number > bindparam("since"),
        ~exists().where(
            memberships.c.slug == ended_memberships.c.slug, memberships.c.item_pk == ended_memberships.c.item_pk
        ),
    )
    .order_by(items.c.id, ended_memberships.c.slug)
)
_TITLES = PreparedStatement(
    select(memberships.c.item_pk, categories.c.title)
    .join(categories, categories.c.slug == memberships.c.slug)
    .where(memberships.c.item_pk.in_(bindparam("pks", expanding=True)))
    .order_by(memberships.c.item_pk, categories.c.position)
)


def shown_items(connection: Connection, pks: Iterable[int]) -> tuple[StoredItem, ...]:
    """Return items as ``all`` shows them, newest first."""
    rows = [row for part in chunks(pks) for row in connection.execute(_SHOWN, {"pks": part})]
    return tuple(sorted(_stored_items(connection, rows), key=lambda item: (item.published_at, item.id), reverse=True))


def shown_wordings(connection: Connection, pairs: Sequence[tuple[int, int]]) -> tuple[StoredItem, ...]:
    """Return the items of pairs of item and source, in their order and in the wording of that source.

    What is shown nowhere any more is missing, and so is what rules drop.
    """
    rows: dict[tuple[int, int], AnyRow] = {}
    for part in chunks(pk for pk, _ in pairs):
        rows |= {(row.pk, row.source_id): row for row in connection.execute(_SIGHTED, {"pks": part})}
    return _stored_items(connection, [rows[pair] for pair in pairs if pair in rows])


def _stored_items(connection: Connection, rows: Sequence[AnyRow]) -> tuple[StoredItem, ...]:
    """Return the items of rows of ``_WORDING``."""
    titles: dict[int, list[str]] = {row.pk: [] for row in rows}
    named = reports_of(connection, titles)
    for part in chunks(titles):
        for pk, title in connection.execute(_TITLES, {"pks": part}):
            titles[pk].append(title)
    return tuple(
        StoredItem(
            id=row.id,
            item=decode_stored(row.wording, row.effect),
            source=row.name,
            published_at=row.published_at,
            updated_at=row.updated_at,
            source_title=row.title,
            source_link=row.link,
            source_url=row.url,
            categories=tuple(titles[row.pk]),
            is_twin=bool(row.is_twin),
            reports=named.get(row.pk, ()),
        )
        for row in rows
    )


_ITEMS_OF = PreparedStatement(select(categories.c["items"]).where(categories.c.slug == bindparam("slug")))
_ADDED_AT = PreparedStatement(select(categories.c.added_at).where(categories.c.slug == bindparam("slug")))
_CHANGED = PreparedStatement(
    select(categories.c.slug, categories.c.version)
    .where(categories.c.version > bindparam("since"))
    .order_by(categories.c.position)
)
_PAGES = PreparedStatement(_ANY_WORDING.where(items.c.pk.in_(bindparam("pks", expanding=True))).order_by(items.c.pk))
_SLUGS = PreparedStatement(
    select(memberships.c.item_pk, categories.c.slug)
    .join(categories, categories.c.slug == memberships.c.slug)
    .where(memberships.c.item_pk.in_(bindparam("pks", expanding=True)))
    .order_by(memberships.c.item_pk, categories.c.position)
)
_OTHERS = PreparedStatement(
    select(sightings.c.item_pk, *AS_STORED, sources.c.name, sources.c.title)
    .join(items, items.c.pk == sightings.c.item_pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(
        sightings.c.item_pk.in_(bindparam("pks", expanding=True)),
        sightings.c.source_id != items.c.shown_by,
        sightings.c.dropped_by.is_(None),
    )
    .order_by(sightings.c.item_pk, sightings.c.first_seen_at, sources.c.id)
)
_AT_TYPE = items.c.published_at.type
_SINCE, _UNTIL = bindparam("since", type_=_AT_TYPE), bindparam("until", type_=_AT_TYPE)
_LAST_NEW = select(
    sources.c.name,
    select(func.max(sightings.c.first_seen_at, type_=_AT_TYPE))
    .where(sightings.c.source_id == sources.c.id)
    .scalar_subquery(),
)


class _OutputStatements:
    """The statements over the items of ``all`` or of a category.

    ``shown`` selects all that an output shows, in its order; ``narrow`` the items alone, which ``place`` orders.
    """

    def __init__(
        self,
        published: ColumnElement[datetime],
        shown: Select[Any],
        narrow: Select[Any],
        *place: ColumnElement[Any],
    ) -> None:
        between = (published >= _SINCE, published < _UNTIL)
        at, seen, position = place
        newest_first = (at.desc(), seen.desc(), position)
        marked = shown.with_only_columns(items.c.id, items.c.published_at, sightings.c.touched, sources.c.name)
        self.newest = PreparedStatement(shown.limit(bindparam("most")))
        self.versions = PreparedStatement(marked.where(*between).limit(bindparam("most")).offset(bindparam("skip")))
        # The index alone is read for these two.
        self.count = PreparedStatement(narrow.with_only_columns(func.count()).where(*between))
        self.before = PreparedStatement(
            narrow.with_only_columns(published).where(published < _UNTIL).order_by(published.desc()).limit(1)
        )
        # Of a large month the newest items alone are numbered: what is older keeps its places.
        newest = (
            narrow.add_columns(*place)
            .where(*between)
            .order_by(*newest_first)
            .limit(bindparam("most"))
            .subquery("newest")
        )
        pk, at, seen, position = newest.c
        oldest_first = (at, seen, position.desc(), pk.desc())
        numbered = select(pk, (func.row_number().over(order_by=oldest_first) - 1).label("number")).subquery("numbered")
        starts = select(numbered.c[0]).where(numbered.c.number % bindparam("size") == 0)
        self.starts = PreparedStatement(starts.order_by(numbered.c.number))
        self.by_id = PreparedStatement(shown.where(items.c.id.in_(bindparam("ids", expanding=True))))


_OF_ALL = _OutputStatements(
    items.c.published_at,
    _SHOWN_IN_ALL,
    select(items.c.pk).where(items.c.shown_by.is_not(None), items.c.unlisted.is_(None)),
    *(items.c.published_at, items.c.first_seen_at, items.c.position),
)
_OF_CATEGORY = _OutputStatements(
    memberships.c.published_at,
    _SHOWN_IN,
    select(memberships.c.item_pk).where(memberships.c.slug == bindparam("slug")),
    *(memberships.c.published_at, memberships.c.first_seen_at, memberships.c.position),
)


def _of(slug: str) -> _OutputStatements:
    return _OF_ALL if slug == ALL else _OF_CATEGORY


class SqlOutputs(Database):
    """What publishing asks; see ``feedhub.ports.store.OutputStore``."""

    def changed_outputs(self, since: int) -> dict[str, int]:
        return dict(self._query(_CHANGED, {"since": since}))

    def branch_of(self, number: int) -> str:
        return self._query(_BRANCH, {"number": number}).scalar() or ""

    def folder_before(self) -> PublishedBefore | None:
        found: str | None = self._query(_VALUE, {"wanted": _TAKEN_OVER}).scalar()
        return PublishedBefore(**json.loads(found)) if found else None

    def forget_folder_before(self) -> None:
        with self._write() as connection:
            connection.execute(_FORGET_VALUE, {"wanted": _TAKEN_OVER})

    def newest(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        with self._read() as connection:
            return _stored_items(connection, connection.execute(_of(slug).newest, {"slug": slug, "most": limit}))

    def newest_by_category(self, slugs: Sequence[str], limit: int) -> dict[str, tuple[StoredItem, ...]]:
        newest = _OF_CATEGORY.newest
        with self._read() as connection:
            rows = {slug: connection.execute(newest, {"slug": slug, "most": limit}) for slug in slugs}
            found = iter(_stored_items(connection, [row for some in rows.values() for row in some]))
        return {slug: tuple(next(found) for _ in some) for slug, some in rows.items()}

    def item_count(self) -> int:
        return int(self._query(_ITEMS_OF, {"slug": ALL}).scalar() or 0)

    def added_at(self, slug: str) -> datetime:
        found: datetime | None = self._query(_ADDED_AT, {"slug": slug}).scalar()
        return found or EPOCH

    def change_number(self) -> int:
        number = getattr(self._held, "number", None) or int(self._query(_VALUE, {"wanted": _CHANGES}).scalar() or 0)
        if self._is_held or not self._backend.can_share or not self._query(_IS_CHANGED, {"number": number}).scalar():
            return number
        with self._write() as connection:
            return moved_number(connection)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Begin while nobody writes beside: of a number that is published in part, later changes would not be seen."""
        with ExitStack() as held:
            if self._backend.can_share:
                with self._write() as connection:
                    number = moved_number(connection)
                    held.enter_context(super().snapshot())
                    self._query(_ANYTHING)  # the first question begins the snapshot
                self._held.number = number
                held.callback(delattr, self._held, "number")
            else:
                held.enter_context(super().snapshot())
            yield

    def posts(self, since: int) -> tuple[tuple[str, StoredItem], ...]:
        with self._read() as connection:
            rows = connection.execute(_TOUCHED, {"since": since})
            found = _stored_items(connection, rows)
        return tuple((row.slug, item) for row, item in zip(rows, found, strict=True))

    def ended_posts(self, since: int) -> tuple[EndedPost, ...]:
        return tuple(
            EndedPost(slug=row.slug, item_id=row.id, published_at=row.published_at)
            for row in self._query(_ENDED, {"since": since})
        )

    def page_items(self, since: int) -> Iterator[PageItem]:
        # Not ordered by the database, which would read all sightings in their order to save itself the sorting.
        touched = select(sightings.c.item_pk).where(sightings.c.touched > since)
        for part in self._select_in_parts(select(items.c.pk) if since < 0 else touched):
            with self._read() as connection:
                found = _page_items(connection, part)
            yield from found

    def item_versions(
        self, slug: str, since: datetime, until: datetime, limit: int | None = None, skip: int = 0
    ) -> tuple[ItemVersion, ...]:
        most = _NO_LIMIT if limit is None else limit
        given = {"slug": slug, "since": since, "until": until, "most": most, "skip": skip}
        rows = self._query(_of(slug).versions, given)
        return tuple(
            ItemVersion(id=one, published_at=at, change_number=last, source=name) for one, at, last, name in rows
        )

    def part_starts(self, slug: str, since: datetime, until: datetime, limit: int, size: int) -> tuple[int, ...]:
        given = {"slug": slug, "since": since, "until": until, "most": limit, "size": size}
        return tuple(self._query(_of(slug).starts, given).scalars())

    def count_between(self, slug: str, since: datetime, until: datetime) -> int:
        return int(self._query(_of(slug).count, {"slug": slug, "since": since, "until": until}).scalar())

    def published_before(self, slug: str, moment: datetime) -> datetime | None:
        found: datetime | None = self._query(_of(slug).before, {"slug": slug, "until": moment}).scalar()
        return found

    def items_by_id(self, slug: str, ids: Sequence[str]) -> tuple[StoredItem, ...]:
        with self._read() as connection:
            rows: list[AnyRow] = []
            for part in chunks(ids):
                rows += connection.execute(_of(slug).by_id, {"slug": slug, "ids": part})
            return _stored_items(connection, rows)

    def last_new_at(self) -> Mapping[str, datetime]:
        return {name: at for name, at in self._query(_LAST_NEW) if at is not None}


def _page_items(connection: Connection, pks: Sequence[int]) -> list[PageItem]:
    rows = connection.execute(_PAGES, {"pks": pks})
    slugs: dict[int, list[str]] = defaultdict(list)
    for pk, slug in connection.execute(_SLUGS, {"pks": pks}):
        slugs[pk].append(slug)
    also: dict[int, list[OtherSource]] = defaultdict(list)
    for row in connection.execute(_OTHERS, {"pks": pks}):
        wording = decode_stored(row.wording, row.effect)
        if wording != NO_WORDING:
            also[row.item_pk].append(OtherSource(source=row.name, title=row.title, link=wording.link))
    return [
        PageItem(
            item=stored,
            slugs=tuple(slugs[row.pk]),
            also=tuple(also[row.pk]),
            removed=row.shown_by is None,
        )
        for row, stored in zip(rows, _stored_items(connection, rows), strict=True)
    ]
