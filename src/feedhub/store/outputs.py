"""Categories as outputs: which version is published, what they hold, when they last changed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, case, exists, func, select, update

from feedhub.model.item import StoredItem
from feedhub.model.output import CategorySummary, Mark, PageItem, Report
from feedhub.store.codec import NO_WORDING, decode_item
from feedhub.store.sqlite import Connection, Prepared, insert
from feedhub.store.tables import EPOCH, AnyRow, categories, items, memberships, meta, sightings, sources

ALL = "all"
CHUNK = 500
"""Parameters of one statement: SQLite before 3.32 took 999 at most."""

_T = TypeVar("_T")

_SHOWN_CHANGE = Prepared(
    select(memberships.c.slug, func.max(sightings.c.updated_at, type_=sightings.c.updated_at.type).label("at"))
    .join(
        sightings,
        (sightings.c.item_pk == memberships.c.item_pk) & (sightings.c.source_id == memberships.c.source_id),
    )
    .where(memberships.c.item_pk.in_(bindparam("pks", expanding=True)))
    .group_by(memberships.c.slug)
)
_OWNED_CHANGE = Prepared(
    select(func.max(sightings.c.updated_at, type_=sightings.c.updated_at.type))
    .join(items, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
_AT = bindparam("at", type_=categories.c.changed_at.type)
_BUMP = Prepared(
    update(categories)
    .where(categories.c.slug == bindparam("wanted"))
    .values(
        version=categories.c.version + 1,
        changed_at=case((categories.c.changed_at < _AT, _AT), else_=categories.c.changed_at),
    )
)
POSTS_PUBLISHED = "posts_published"
PAGES_PUBLISHED = "pages_published"
_CHANGES = "change_number"
_NUMBER = Prepared(select(meta.c.value).where(meta.c.key == bindparam("wanted")))
_new_number = insert(meta)
_PUT_NUMBER = Prepared(
    _new_number.on_conflict_do_update(index_elements=["key"], set_={"value": _new_number.excluded.value})
)
_STAMP = Prepared(
    update(sightings)
    .where(sightings.c.item_pk.in_(bindparam("pks", expanding=True)))
    .values(touched=bindparam("number"))
)
_EARLIER = items.alias("earlier")
_PREFIX = func.substr(items.c.id, 1, len("urn:uuid:") + 8)
WORDING = (
    sightings.c.wording,
    sightings.c.updated_at,
    sources.c.name,
    sources.c.title,
    sources.c.link,
    sources.c.url,
    items.c.pk,
    items.c.id,
    items.c.published_at,
    # "g" stands behind every hex digit and the dash.
    exists()
    .where(_EARLIER.c.id >= _PREFIX, _EARLIER.c.id < _PREFIX + "g", _EARLIER.c.pk < items.c.pk)
    .correlate(items)
    .label("is_twin"),
)
SHOWN_IN_ALL = (
    select(*WORDING)
    .select_from(items)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.removed_at.is_(None))
    .order_by(items.c.published_at.desc(), items.c.first_seen_at.desc(), items.c.position, items.c.id)
)
_OWNED = Prepared(
    select(*WORDING)
    .select_from(items)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
SHOWN_IN = (
    select(*WORDING)
    .select_from(memberships)
    .join(items, items.c.pk == memberships.c.item_pk)
    .join(
        sightings,
        (sightings.c.item_pk == memberships.c.item_pk) & (sightings.c.source_id == memberships.c.source_id),
    )
    .join(sources, sources.c.id == memberships.c.source_id)
    .where(memberships.c.slug == bindparam("slug"))
    .order_by(memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position, items.c.id)
)
_NEWEST_OF_ALL = Prepared(SHOWN_IN_ALL.limit(bindparam("most")))
_NEWEST = Prepared(SHOWN_IN.limit(bindparam("most")))
_SUMMARIES = Prepared(
    select(categories.c.slug, categories.c.title, categories.c["items"], categories.c.changed_at)
    .where(categories.c.slug != ALL)
    .order_by(categories.c.position)
)
_ITEMS_OF = Prepared(select(categories.c["items"]).where(categories.c.slug == bindparam("slug")))
_CHANGED_AT = Prepared(select(categories.c.changed_at).where(categories.c.slug == bindparam("slug")))
_TOUCHED = Prepared(
    select(memberships.c.slug, *WORDING)
    .select_from(memberships)
    .join(items, items.c.pk == memberships.c.item_pk)
    .join(
        sightings,
        (sightings.c.item_pk == memberships.c.item_pk) & (sightings.c.source_id == memberships.c.source_id),
    )
    .join(sources, sources.c.id == memberships.c.source_id)
    .where(sightings.c.touched > bindparam("since"))
    .order_by(sightings.c.touched, items.c.id, memberships.c.slug)
)
_TITLES = Prepared(
    select(memberships.c.item_pk, categories.c.title)
    .join(categories, categories.c.slug == memberships.c.slug)
    .where(memberships.c.item_pk.in_(bindparam("pks", expanding=True)))
    .order_by(memberships.c.item_pk, categories.c.position)
)


def chunks(values: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """Yield ``values`` in lists that fit into one statement."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def bump(
    connection: Connection, slugs: Collection[str], pks: Collection[int], *, stamped: Collection[int] = ()
) -> None:
    """Make outputs and the posts of the items ``pks`` due. They changed when the newest change of these items,
    as shown there, happened. Those ``stamped`` have the next change number already.

    The time comes from the items and not from the clock, so that an output of a rebuilt store is the same.
    """
    if not slugs:
        return
    changed = dict.fromkeys(slugs, EPOCH)
    for part in chunks(pks):
        for slug, at in connection.execute(_SHOWN_CHANGE, {"pks": part}):
            if slug in changed:
                changed[slug] = max(changed[slug], at)
        if ALL in changed:
            changed[ALL] = max(changed[ALL], connection.execute(_OWNED_CHANGE, {"pks": part}).scalar() or EPOCH)
    connection.execute(_BUMP, [{"wanted": slug, "at": at} for slug, at in sorted(changed.items())])
    stamp(connection, pks, stamped=stamped)


def stamp(connection: Connection, pks: Collection[int], *, stamped: Collection[int] = ()) -> None:
    """Give items the next change number, by which posts are found that were not published since."""
    if not pks:
        return
    number = next_change(connection)
    put_number(connection, _CHANGES, number)
    for part in chunks(sorted(set(pks).difference(stamped))):
        connection.execute(_STAMP, {"number": number, "pks": part})


def next_change(connection: Connection) -> int:
    """Return the number of the change that is not counted yet."""
    return change_number(connection) + 1


def change_number(connection: Connection, name: str = _CHANGES, *, unset: int = 0) -> int:
    """Return a counter of the store; ``unset`` for one that was never set."""
    return int(connection.execute(_NUMBER, {"wanted": name}).scalar() or unset)


def put_number(connection: Connection, name: str, number: int) -> None:
    """Set a counter of the store."""
    connection.execute(_PUT_NUMBER, {"key": name, "value": str(number)})


def due_outputs(connection: Connection) -> dict[str, int]:
    """Return the version of every output that is newer than what was published."""
    wanted = select(categories.c.slug, categories.c.version).where(
        categories.c.version > categories.c.published_version
    )
    return dict(connection.execute(wanted.order_by(categories.c.position)).all())


def mark_published(connection: Connection, versions: dict[str, int]) -> None:
    """Remember what was published; never step back."""
    statement = (
        update(categories)
        .where(categories.c.slug == bindparam("wanted"), categories.c.published_version < bindparam("at"))
        .values(published_version=bindparam("at"))
    )
    connection.execute(statement, [{"wanted": slug, "at": version} for slug, version in versions.items()])


def newest(connection: Connection, slug: str, limit: int) -> tuple[StoredItem, ...]:
    """Return the newest items of an output."""
    statement, named = (_NEWEST_OF_ALL, {}) if slug == ALL else (_NEWEST, {"slug": slug})
    return stored_items(connection, connection.execute(statement, {"most": limit, **named}).all())


def newest_of(connection: Connection, slugs: Sequence[str], limit: int) -> dict[str, tuple[StoredItem, ...]]:
    """Return the newest items of several categories."""
    rows = [(slug, row) for slug in slugs for row in connection.execute(_NEWEST, {"most": limit, "slug": slug})]
    found: dict[str, list[StoredItem]] = {slug: [] for slug in slugs}
    for (slug, _), item in zip(rows, stored_items(connection, [row for _, row in rows]), strict=True):
        found[slug].append(item)
    return {slug: tuple(items) for slug, items in found.items()}


def owned(connection: Connection, pks: Iterable[int]) -> tuple[StoredItem, ...]:
    """Return items in their owner's wording, newest first."""
    rows = [row for part in chunks(pks) for row in connection.execute(_OWNED, {"pks": part})]
    return tuple(sorted(stored_items(connection, rows), key=lambda item: (item.published_at, item.id), reverse=True))


def touched_posts(connection: Connection, since: int) -> tuple[tuple[str, StoredItem], ...]:
    """Return every membership, with the wording shown there, of items touched after a change number."""
    rows = connection.execute(_TOUCHED, {"since": since}).all()
    return tuple((row.slug, item) for row, item in zip(rows, stored_items(connection, rows), strict=True))


def stored_items(connection: Connection, rows: Sequence[AnyRow]) -> tuple[StoredItem, ...]:
    """Return the items of rows of ``WORDING``."""
    titles = _titles(connection, rows)
    return tuple(_stored_item(row, tuple(titles[row.pk])) for row in rows)


def _titles(connection: Connection, rows: Sequence[AnyRow]) -> dict[int, list[str]]:
    titles: dict[int, list[str]] = {row.pk: [] for row in rows}
    for part in chunks(titles):
        for pk, title in connection.execute(_TITLES, {"pks": part}):
            titles[pk].append(title)
    return titles


def _stored_item(row: AnyRow, titles: tuple[str, ...]) -> StoredItem:
    return StoredItem(
        id=row.id,
        item=decode_item(row.wording),
        source=row.name,
        published_at=row.published_at,
        updated_at=row.updated_at,
        source_title=row.title,
        source_link=row.link,
        source_url=row.url,
        categories=titles,
        is_twin=bool(row.is_twin),
    )


def summaries(connection: Connection) -> tuple[CategorySummary, ...]:
    """Return all categories but ``all``, in the order of the configuration."""
    rows = connection.execute(_SUMMARIES)
    return tuple(
        CategorySummary(slug=row.slug, title=row.title, items=row.items, changed_at=row.changed_at) for row in rows
    )


def item_count(connection: Connection) -> int:
    """Return how many items are not removed."""
    return int(connection.execute(_ITEMS_OF, {"slug": ALL}).scalar() or 0)


def changed_at(connection: Connection, slug: str) -> datetime:
    """Return the newest change of an output."""
    found: datetime | None = connection.execute(_CHANGED_AT, {"slug": slug}).scalar()
    return found or EPOCH


_NO_LIMIT: Final = 2**62
_PKS: BindParameter[Any] = bindparam("pks", expanding=True)
_OWNED_ITEMS = Prepared(
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
_AT_TYPE = items.c.published_at.type
_SINCE, _UNTIL = bindparam("since", type_=_AT_TYPE), bindparam("until", type_=_AT_TYPE)


def touched_items(since: int) -> Select[int]:
    """Select the items touched after a change number, perhaps repeatedly; all of them for a negative one."""
    if since < 0:
        return select(items.c.pk)
    # Not ordered by the database, which would read all sightings in their order to save itself the sorting.
    return select(sightings.c.item_pk).where(sightings.c.touched > since)


def page_items(connection: Connection, pks: Sequence[int]) -> list[PageItem]:
    """Return items as their pages show them."""
    rows = connection.execute(_OWNED_ITEMS, {"pks": pks}).all()
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
        select(func.max(sightings.c.first_seen_at, type_=_AT_TYPE))
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
