"""Categories as outputs: which version is published, what they hold, when they last changed."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from feedhub.model.item import StoredItem
from feedhub.model.output import Category, CategorySummary
from feedhub.store.codec import decode_item
from feedhub.store.sqlite import insert
from feedhub.store.tables import EPOCH, AnyRow, categories, filings, items, memberships, meta, sightings, sources

ALL = "all"
CHUNK = 500
"""Parameters of one statement: SQLite before 3.32 took 999 at most."""

_T = TypeVar("_T")
_DIGEST = "output_digest"

_SHOWN_CHANGE = (
    select(memberships.c.slug, func.max(sightings.c.updated_at, type_=sightings.c.updated_at.type).label("at"))
    .join(
        sightings,
        (sightings.c.item_pk == memberships.c.item_pk) & (sightings.c.source_id == memberships.c.source_id),
    )
    .where(memberships.c.item_pk.in_(bindparam("pks", expanding=True)))
    .group_by(memberships.c.slug)
)
_OWNED_CHANGE = (
    select(func.max(sightings.c.updated_at, type_=sightings.c.updated_at.type))
    .join(items, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
_AT = bindparam("at", type_=categories.c.changed_at.type)
_BUMP = (
    update(categories)
    .where(categories.c.slug == bindparam("wanted"))
    .values(
        version=categories.c.version + 1,
        changed_at=case((categories.c.changed_at < _AT, _AT), else_=categories.c.changed_at),
    )
)
_WORDING = (
    sightings.c.wording,
    sightings.c.updated_at,
    sources.c.name,
    sources.c.title,
    sources.c.link,
    sources.c.url,
    items.c.pk,
    items.c.id,
    items.c.published_at,
)
_NEWEST_OF_ALL = (
    select(*_WORDING)
    .select_from(items)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.removed_at.is_(None))
    .order_by(items.c.published_at.desc(), items.c.first_seen_at.desc(), items.c.position, items.c.id)
    .limit(bindparam("most"))
)
_NEWEST = (
    select(*_WORDING)
    .select_from(memberships)
    .join(items, items.c.pk == memberships.c.item_pk)
    .join(
        sightings,
        (sightings.c.item_pk == memberships.c.item_pk) & (sightings.c.source_id == memberships.c.source_id),
    )
    .join(sources, sources.c.id == memberships.c.source_id)
    .where(memberships.c.slug == bindparam("slug"))
    .order_by(memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position, items.c.id)
    .limit(bindparam("most"))
)
_TITLES = (
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


def bump(connection: Connection, slugs: Collection[str], pks: Collection[int]) -> None:
    """Make outputs due. They changed when the newest change of the items ``pks``, as shown there, happened.

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
    rows = connection.execute(statement, {"most": limit, **named}).all()
    titles: dict[int, list[str]] = {row.pk: [] for row in rows}
    for part in chunks(titles):
        for pk, title in connection.execute(_TITLES, {"pks": part}):
            titles[pk].append(title)
    return tuple(_stored_item(row, tuple(titles[row.pk])) for row in rows)


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
    )


def summaries(connection: Connection) -> tuple[CategorySummary, ...]:
    """Return all categories but ``all``, in the order of the configuration."""
    held = select(func.count()).where(memberships.c.slug == categories.c.slug).scalar_subquery()
    rows = connection.execute(
        select(categories.c.slug, categories.c.title, held.label("held"), categories.c.changed_at)
        .where(categories.c.slug != ALL)
        .order_by(categories.c.position)
    )
    return tuple(
        CategorySummary(slug=row.slug, title=row.title, items=row.held, changed_at=row.changed_at) for row in rows
    )


def item_count(connection: Connection) -> int:
    """Return how many items are not removed."""
    return connection.execute(select(func.count()).where(items.c.removed_at.is_(None))).scalar_one()


def changed_at(connection: Connection, slug: str) -> datetime:
    """Return the newest change of an output."""
    return connection.execute(select(categories.c.changed_at).where(categories.c.slug == slug)).scalar() or EPOCH


def sync_categories(connection: Connection, wanted: Sequence[Category], output_digest: str) -> bool:
    """Make the stored categories those of the configuration; False and nothing written when they are already.

    Titles and order are shown with every item, so any change of a stored one makes all outputs due.
    """
    stored = {
        row.slug: (row.title, row.description, row.position)
        for row in connection.execute(select(categories).where(categories.c.slug != ALL))
    }
    target = {category.slug: (category.title, category.description, at) for at, category in enumerate(wanted)}
    digest = connection.execute(select(meta.c.value).where(meta.c.key == _DIGEST)).scalar()
    if stored == target and digest == output_digest:
        return False
    _remove_unmentioned(connection, stored.keys() - target.keys())
    if digest != output_digest or any(target.get(slug) != values for slug, values in stored.items()):
        connection.execute(update(categories).values(version=categories.c.version + 1))
    if target:
        _put_categories(connection, target)
    row = insert(meta).values(key=_DIGEST, value=output_digest)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))
    return True


def _remove_unmentioned(connection: Connection, gone: Collection[str]) -> None:
    for slug in sorted(gone):
        connection.execute(delete(filings).where(filings.c.slug == slug))
        connection.execute(delete(memberships).where(memberships.c.slug == slug))
        connection.execute(delete(categories).where(categories.c.slug == slug))


def _put_categories(connection: Connection, target: dict[str, tuple[str, str, int]]) -> None:
    row = insert(categories)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["slug"],
            set_={name: row.excluded[name] for name in ("title", "description", "position")},
        ),
        [
            {
                "slug": slug,
                "title": title,
                "description": description,
                "position": position,
                "version": 1,
                "published_version": 0,
                "changed_at": EPOCH,
            }
            for slug, (title, description, position) in target.items()
        ],
    )
