"""Categories: those of the configuration, and those that records bring (SPEC §5)."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import bindparam, delete, exists, func, select, update

from feedhub.model.output import Category
from feedhub.rules.slugs import unique_slug
from feedhub.store.connection import Connection, Prepared
from feedhub.store.health import PUBLISHED as HEALTH_PUBLISHED
from feedhub.store.outputs import ALL, PAGES_PUBLISHED, POSTS_PUBLISHED, put_number
from feedhub.store.sqlite import insert
from feedhub.store.tables import EPOCH, categories, filings, memberships, meta

_DIGEST = "output_digest"
_BY_TITLE = Prepared(
    select(categories.c.slug).where(categories.c.title == bindparam("wanted")).order_by(categories.c.position).limit(1)
)
_OF_RECORDS = Prepared(select(categories.c.slug, categories.c.title).where(categories.c.from_records == 1))
_BROUGHT = Prepared(
    select(func.count(filings.c.slug.distinct()))
    .join(categories, categories.c.slug == filings.c.slug)
    .where(filings.c.source_id == bindparam("source"), categories.c.from_records == 1)
)
# Behind all categories of any configuration.
_FIRST_PLACE_OF_RECORDS = 1_000_000


def slug_of_title(connection: Connection, title: str, wanted: str) -> str:
    """Return the slug that a title has; one given for the first time is ``wanted``, or that with a suffix."""
    found = slug_of_known_title(connection, title)
    if found is not None:
        return found
    slug = unique_slug(wanted, set(connection.execute(select(categories.c.slug)).scalars()))
    last = connection.execute(select(func.max(categories.c.position))).scalar_one()
    _insert(connection, slug, title, max(last + 1, _FIRST_PLACE_OF_RECORDS))
    return slug


def slug_of_known_title(connection: Connection, title: str) -> str | None:
    """Return the slug that a title has; None for one that was never given."""
    found: str | None = connection.execute(_BY_TITLE, {"wanted": title}).scalar()
    return found


def brought_by(connection: Connection, source: int) -> int:
    """Return under how many categories that only records brought the items of a source are filed."""
    return int(connection.execute(_BROUGHT, {"source": source}).scalar())


def _insert(connection: Connection, slug: str, title: str, position: int) -> None:
    row = {"slug": slug, "title": title, "description": "", "position": position, "from_records": 1}
    connection.execute(categories.insert(), {**row, "version": 1, "published_version": 0, "changed_at": EPOCH})


def sync_categories(
    connection: Connection, wanted: Sequence[Category], output_digest: str, *, from_records: bool
) -> bool:
    """Make the stored categories those of the configuration; False and nothing written when they are already.

    Titles and order are shown with every item, so any change of a stored one makes all outputs due.
    """
    stored = {
        row.slug: (row.title, row.description, row.position)
        for row in connection.execute(
            select(categories).where(categories.c.slug != ALL, categories.c.from_records == 0)
        )
    }
    target = {category.slug: (category.title, category.description, at) for at, category in enumerate(wanted)}
    digest = connection.execute(select(meta.c.value).where(meta.c.key == _DIGEST)).scalar()
    if stored == target and digest == output_digest:
        return _remove_unmentioned(connection, [] if from_records else _empty_ones(connection))
    replaced = {row.slug for row in connection.execute(_OF_RECORDS) if _has_title(target, row.slug, row.title)}
    _remove_unmentioned(connection, (stored.keys() - target.keys()) | replaced)
    if digest != output_digest or any(target.get(slug) != values for slug, values in stored.items()):
        connection.execute(update(categories).values(version=categories.c.version + 1))
        put_number(connection, POSTS_PUBLISHED, 0)
        put_number(connection, HEALTH_PUBLISHED, -1)
        put_number(connection, PAGES_PUBLISHED, -1)
    if target:
        _put_categories(connection, target)
    row = insert(meta).values(key=_DIGEST, value=output_digest)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": row.excluded.value}))
    return True


def _has_title(target: Mapping[str, tuple[str, str, int]], slug: str, title: str) -> bool:
    """Tell whether the configuration now gives this title another slug."""
    return slug not in target and any(title == other for other, _, _ in target.values())


def _empty_ones(connection: Connection) -> list[str]:
    held = exists().where(memberships.c.slug == categories.c.slug)
    return list(connection.execute(select(categories.c.slug).where(categories.c.from_records == 1, ~held)).scalars())


def _remove_unmentioned(connection: Connection, gone: Collection[str]) -> bool:
    for slug in sorted(gone):
        connection.execute(delete(filings).where(filings.c.slug == slug))
        connection.execute(delete(memberships).where(memberships.c.slug == slug))
        connection.execute(delete(categories).where(categories.c.slug == slug))
    return bool(gone)


def _put_categories(connection: Connection, target: dict[str, tuple[str, str, int]]) -> None:
    row = insert(categories)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["slug"],
            set_={name: row.excluded[name] for name in ("title", "description", "position", "from_records")},
        ),
        [
            {
                "slug": slug,
                "title": title,
                "description": description,
                "position": position,
                "from_records": 0,
                "version": 1,
                "published_version": 0,
                "changed_at": EPOCH,
            }
            for slug, (title, description, position) in target.items()
        ],
    )
