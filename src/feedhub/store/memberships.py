"""Categories (SPEC §5), and which of them holds which item, in whose wording."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, func, select, update

from feedhub.model.item import Item
from feedhub.model.output import Category
from feedhub.rules.categorize import unique_slug
from feedhub.store.codec import decode_item
from feedhub.store.outputs import ALL, CHUNK, PAGES_PUBLISHED, POSTS_PUBLISHED, chunks, put_number
from feedhub.store.polls import PUBLISHED as HEALTH_PUBLISHED
from feedhub.store.sqlite import Connection, Prepared, insert
from feedhub.store.tables import EPOCH, categories, filings, items, memberships, meta, sightings, sources

Pairs = tuple[tuple[str, str], ...]

_FILINGS = Prepared(select(filings).where(filings.c.item_pk.in_(bindparam("pks", expanding=True))))
_MEMBERSHIPS = Prepared(
    select(memberships.c.slug, memberships.c.item_pk, memberships.c.source_id, memberships.c.rule).where(
        memberships.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)
_PLACES = Prepared(
    select(items.c.pk, items.c.published_at, items.c.first_seen_at, items.c.position).where(
        items.c.pk.in_(bindparam("pks", expanding=True))
    )
)
_UNFILE = Prepared(
    delete(filings).where(
        filings.c.item_pk == bindparam("pk"),
        filings.c.source_id == bindparam("source"),
        filings.c.slug == bindparam("category"),
    )
)
_LEAVE = Prepared(
    delete(memberships).where(memberships.c.slug == bindparam("category"), memberships.c.item_pk == bindparam("pk"))
)
_new_filing = insert(filings)
_FILE = Prepared(
    _new_filing.on_conflict_do_update(
        index_elements=["item_pk", "source_id", "slug"], set_={"rule": _new_filing.excluded.rule}
    )
)
_new_membership = insert(memberships)
_JOIN = Prepared(
    _new_membership.on_conflict_do_update(
        index_elements=["slug", "item_pk"],
        set_={"source_id": _new_membership.excluded.source_id, "rule": _new_membership.excluded.rule},
    )
)
_SHOWN_BY = Prepared(
    select(memberships.c.slug, memberships.c.item_pk).where(
        memberships.c.source_id == bindparam("source"), memberships.c.item_pk.in_(bindparam("pks", expanding=True))
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What one source says now about where one item belongs; ``since`` it first gave the item."""

    pk: int
    pairs: Pairs
    since: datetime


_Own = dict[tuple[int, str], tuple[str, datetime]]
"""Source and slug → rule and since when, for one item."""
_Held = dict[str, tuple[int, str]]
"""Slug → source and rule, for one item."""


def file_items(connection: Connection, source_id: int, filed: Iterable[Filed]) -> tuple[set[str], set[int]]:
    """Replace the filings of a source for some items; return the outputs that show a difference, and whose items."""
    slugs: set[str] = set()
    touched: set[int] = set()
    for part in chunks(filed):
        changed = _file_some(connection, source_id, {entry.pk: entry for entry in part})
        touched |= changed.keys()
        slugs.update(*changed.values())
    # Every output lists all categories of an item.
    return (slugs | {ALL} if touched else slugs), touched


def _file_some(connection: Connection, source_id: int, filed: Mapping[int, Filed]) -> dict[int, set[str]]:
    own: dict[int, _Own] = defaultdict(dict)
    for row in connection.execute(_FILINGS, {"pks": list(filed)}):
        own[row.item_pk][row.source_id, row.slug] = (row.rule, row.first_seen_at)
    held: dict[int, _Held] = defaultdict(dict)
    for slug, pk, holder, rule in connection.execute(_MEMBERSHIPS, {"pks": list(filed)}):
        held[pk][slug] = (holder, rule)
    after = {pk: _replaced(own[pk], source_id, entry) for pk, entry in filed.items()}
    _write_filings(connection, own, after)
    settled = {pk: _settle(after[pk], held[pk]) for pk in filed}
    _write_memberships(connection, held, settled)
    return {
        pk: set(settled[pk]) | set(held[pk])
        for pk in filed
        if {slug: holder for slug, (holder, _) in settled[pk].items()}
        != {slug: holder for slug, (holder, _) in held[pk].items()}
    }


def _replaced(own: _Own, source_id: int, entry: Filed) -> _Own:
    after = {place: said for place, said in own.items() if place[0] != source_id}
    for slug, rule in entry.pairs:
        after.setdefault((source_id, slug), (rule, entry.since))
    return after


def _settle(own: _Own, held: _Held) -> _Held:
    settled: dict[str, tuple[int, str]] = {}
    for slug in dict.fromkeys(slug for _, slug in own):
        holder = held[slug][0] if slug in held else None
        if holder is None or (holder, slug) not in own:
            holder = min((since, source) for (source, of), (_, since) in own.items() if of == slug)[1]
        settled[slug] = (holder, own[holder, slug][0])
    return settled


def _write_filings(connection: Connection, before: Mapping[int, _Own], after: Mapping[int, _Own]) -> None:
    gone = [
        {"pk": pk, "source": source, "category": slug}
        for pk in after
        for source, slug in before[pk].keys() - after[pk].keys()
    ]
    put = [
        {"item_pk": pk, "source_id": source, "slug": slug, "rule": rule, "first_seen_at": since}
        for pk, own in after.items()
        for (source, slug), (rule, since) in own.items()
        if before[pk].get((source, slug), ("", None))[0] != rule
    ]
    if gone:
        connection.execute(_UNFILE, gone)
    if put:
        connection.execute(_FILE, put)


def _write_memberships(connection: Connection, before: Mapping[int, _Held], after: Mapping[int, _Held]) -> None:
    gone = [{"pk": pk, "category": slug} for pk in after for slug in before[pk].keys() - after[pk].keys()]
    put = [
        (pk, slug, place) for pk, held in after.items() for slug, place in held.items() if before[pk].get(slug) != place
    ]
    if gone:
        connection.execute(_LEAVE, gone)
    if put:
        places = {row.pk: row for row in connection.execute(_PLACES, {"pks": list({pk for pk, _, _ in put})})}
        connection.execute(
            _JOIN,
            [
                {
                    "slug": slug,
                    "item_pk": pk,
                    "source_id": source,
                    "rule": rule,
                    "published_at": places[pk].published_at,
                    "first_seen_at": places[pk].first_seen_at,
                    "position": places[pk].position,
                }
                for pk, slug, (source, rule) in put
            ],
        )


def outputs_showing(connection: Connection, source_id: int, pks: Collection[int]) -> tuple[set[str], set[int]]:
    """Return the categories that show the wording of a source for some items, and which of the items."""
    slugs: set[str] = set()
    shown: set[int] = set()
    for part in chunks(pks):
        for slug, pk in connection.execute(_SHOWN_BY, {"source": source_id, "pks": part}):
            slugs.add(slug)
            shown.add(pk)
    return slugs, shown


def refile(connection: Connection, source_id: int, wanted: Mapping[str, Pairs]) -> tuple[set[str], set[int]]:
    """Replace the filings of a source for the items that ``wanted`` mentions."""
    rows = connection.execute(
        select(sightings.c.item_pk, items.c.id, sightings.c.first_seen_at)
        .join(items, items.c.pk == sightings.c.item_pk)
        .where(sightings.c.source_id == source_id, items.c.removed_at.is_(None))
        .order_by(sightings.c.item_pk)
    ).all()
    filed = (Filed(pk=row.item_pk, pairs=wanted[row.id], since=row.first_seen_at) for row in rows if row.id in wanted)
    return file_items(connection, source_id, filed)


def some_wordings(connection: Connection, source: str, after: int) -> tuple[int | None, list[tuple[str, Item]]]:
    """Return the next wordings of a source after item number ``after``, and the number to go on from."""
    rows = connection.execute(
        select(sightings.c.item_pk, items.c.id, sightings.c.wording)
        .join(items, items.c.pk == sightings.c.item_pk)
        .join(sources, sources.c.id == sightings.c.source_id)
        .where(sources.c.name == source, sightings.c.item_pk > after, items.c.removed_at.is_(None))
        .order_by(sightings.c.item_pk)
        .limit(CHUNK)
    ).all()
    return (rows[-1].item_pk if rows else None), [(row.id, decode_item(row.wording)) for row in rows]


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
