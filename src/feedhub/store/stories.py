"""Stories (docs/decisions/0018): what items are found by, which belong together, and what outputs list instead."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, delete, exists, func, or_, select, text, update

from feedhub.model.story import Fold, PlacedItem, Report, StoryPlace, WaitingItem
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, OpenTransaction, PreparedStatement, chunks
from feedhub.store.memberships import settle_memberships
from feedhub.store.outputs import bump, count_items, moved_number, put_value
from feedhub.store.reports import MEMBERS, OF_STORIES, PKS
from feedhub.store.sqlite import insert
from feedhub.store.status import dump
from feedhub.store.tables import (
    FOLDED,
    WAITING,
    AnyRow,
    ended_memberships,
    filings,
    items,
    memberships,
    meta,
    sightings,
    sources,
    story_folds,
    story_keys,
    story_members,
    story_sketches,
)

_MOST_OF_A_KEY: Final = 64
"""A key that so many items have tells none of them from others."""
_MOST_KEYS: Final = 28
_NEAREST: Final = 64
DECIDED: Final = "stories_decided"
_REPRINT: Final = "reprint"

_KEEP_SKETCH = PreparedStatement(story_sketches.insert())
ANY_WAITS = PreparedStatement(select(story_sketches.c.item_pk).where(story_sketches.c.waits.is_not(None)).limit(1))
DECIDED_TO = PreparedStatement(select(meta.c.value).where(meta.c.key == DECIDED))
_WAITING = PreparedStatement(
    select(
        items.c.pk,
        sources.c.name,
        items.c.published_at,
        items.c.first_seen_at,
        story_sketches.c.sketch,
    )
    .join(items, items.c.pk == story_sketches.c.item_pk)
    .join(sources, sources.c.id == items.c.owner_id)
    .where(story_sketches.c.waits.is_not(None))
    .order_by(story_sketches.c.item_pk)
    .limit(bindparam("most"))
)
_OLDEST = PreparedStatement(
    select(story_sketches.c.item_pk, story_sketches.c.sketch, items.c.first_seen_at)
    .join(items, items.c.pk == story_sketches.c.item_pk)
    .where(story_sketches.c.waits.is_(None))
    .order_by(story_sketches.c.item_pk)
    .limit(bindparam("most"))
)
SKETCHES = PreparedStatement(
    select(story_sketches.c.item_pk, story_sketches.c.sketch).where(story_sketches.c.item_pk.in_(PKS))
)
# One statement for all keys: each is looked up by itself, and no further than to as many items as make it useless.
_ITEMS_OF_KEYS = PreparedStatement(
    text(
        " UNION ALL ".join(
            f"SELECT * FROM (SELECT {number} AS place, item_pk FROM story_keys WHERE number = :key{number}"  # noqa: S608
            f" ORDER BY item_pk DESC LIMIT {_MOST_OF_A_KEY}) AS found{number}"
            for number in range(_MOST_KEYS)
        )
    )
)
_story = func.coalesce(story_members.c.story, items.c.pk).label("story")
_CANDIDATES = PreparedStatement(
    select(items.c.pk, _story, sources.c.name, items.c.published_at, items.c.first_seen_at)
    .join(story_sketches, story_sketches.c.item_pk == items.c.pk)
    .join(sources, sources.c.id == items.c.owner_id)
    .outerjoin(story_members, story_members.c.item_pk == items.c.pk)
    .where(
        items.c.pk.in_(PKS),
        story_sketches.c.waits.is_(None),
        items.c.shown_by.is_not(None),
    )
)
_NEW_KEYS = PreparedStatement(insert(story_keys).on_conflict_do_nothing())
_END_WAIT = PreparedStatement(
    update(story_sketches).where(story_sketches.c.item_pk == bindparam("pk")).values(waits=None)
)
_DELETE_KEY = PreparedStatement(
    delete(story_keys).where(story_keys.c.number == bindparam("key"), story_keys.c.item_pk == bindparam("pk"))
)
_DELETE_SKETCHES = PreparedStatement(delete(story_sketches).where(story_sketches.c.item_pk.in_(PKS)))
NEW_MEMBER = PreparedStatement(insert(story_members).on_conflict_do_nothing(index_elements=["item_pk"]))
_new_member = insert(story_members)
PUT_MEMBER = PreparedStatement(
    _new_member.on_conflict_do_update(
        index_elements=["item_pk"],
        set_={name: _new_member.excluded[name] for name in ("story", "text", "how", "other_pk", "reason", "misses")},
    )
)
MERGE = PreparedStatement(
    update(story_members).where(story_members.c.story == bindparam("old")).values(story=bindparam("new"))
)
_SOURCES = PreparedStatement(
    select(items.c.pk, items.c.shown_by, items.c.unlisted, sources.c.name)
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.pk.in_(PKS))
)
_LISTED_IN = PreparedStatement(select(memberships.c.item_pk, memberships.c.slug).where(memberships.c.item_pk.in_(PKS)))
_FILED_IN = PreparedStatement(select(filings.c.item_pk, filings.c.slug).where(filings.c.item_pk.in_(PKS)).distinct())
_FOLD = PreparedStatement(insert(story_folds).on_conflict_do_nothing(index_elements=["item_pk", "slug"]))
UNFOLD = PreparedStatement(
    delete(story_folds).where(story_folds.c.item_pk == bindparam("pk"), story_folds.c.slug == bindparam("output"))
)
_FOLDED_UNDER = PreparedStatement(
    select(story_folds.c.item_pk)
    .where(story_folds.c.shown_pk == bindparam("shown"), story_folds.c.slug == bindparam("output"))
    .order_by(story_folds.c.item_pk)
)
_FOLDED_BY_OTHER = PreparedStatement(
    update(story_folds)
    .where(story_folds.c.shown_pk == bindparam("before"), story_folds.c.slug == bindparam("output"))
    .values(shown_pk=bindparam("after"))
)
_LIST = PreparedStatement(update(items).where(items.c.pk == bindparam("number")).values(unlisted=bindparam("state")))
_TOUCHED_MEMBERS = PreparedStatement(
    select(story_members.c.item_pk, story_members.c.story, story_members.c.text)
    .join(sightings, sightings.c.item_pk == story_members.c.item_pk)
    .where(sightings.c.touched > bindparam("since"))
    .distinct()
)
_is_listed = exists().where(memberships.c.slug == story_folds.c.slug, memberships.c.item_pk == story_folds.c.shown_pk)
_is_ended = exists().where(
    ended_memberships.c.slug == story_folds.c.slug, ended_memberships.c.item_pk == story_folds.c.shown_pk
)
# What retention took out of a category only is no loss: the others are about as old.
_LOST = PreparedStatement(
    select(story_folds.c.slug, story_folds.c.shown_pk)
    .join(sightings, sightings.c.item_pk == story_folds.c.shown_pk)
    .join(items, items.c.pk == story_folds.c.shown_pk)
    .where(
        sightings.c.touched > bindparam("since"),
        or_(
            and_(story_folds.c.slug == ALL, items.c.shown_by.is_(None)),
            and_(story_folds.c.slug != ALL, ~_is_listed, or_(_is_ended, items.c.removed_at.is_not(None))),
        ),
    )
    .distinct()
    .order_by(story_folds.c.slug, story_folds.c.shown_pk)
)


def keep_sketches(connection: Connection, sketches: Mapping[int, bytes]) -> None:
    """Keep by what the stories of new items are to be found, which wait for that."""
    if sketches:
        rows = [{"item_pk": pk, "sketch": sketch, "waits": 1} for pk, sketch in sketches.items()]
        connection.execute(_KEEP_SKETCH, rows)


def forget_stories(connection: Connection, pks: Collection[int]) -> None:
    """Forget what texts of items are kept to tell stories by; what belongs together stays known, by numbers."""
    if not connection.backend.tells_stories:
        return
    for part in chunks(pks):
        forget_sketches(connection, connection.execute(SKETCHES, {"pks": part}))
        related = select(story_members.c.story).where(story_members.c.item_pk.in_(part))
        connection.execute(
            update(story_members).where(story_members.c.story.in_(related), or_(*_tells_of(part))).values(reason=None)
        )
    # Which others name the items is not indexed.
    connection.execute(update(story_members).where(story_members.c.misses.is_not(None)).values(misses=None))


def _tells_of(pks: Sequence[int]) -> tuple[Any, ...]:
    return story_members.c.item_pk.in_(pks), story_members.c.other_pk.in_(pks)


def forget_sketches(connection: Connection, rows: Iterable[AnyRow]) -> None:
    found = list(rows)
    if found:
        from feedhub.rules.stories.features import keys_in  # most stores tell no stories

        keys = [{"key": key, "pk": row.item_pk} for row in found for key in keys_in(row.sketch)]
        connection.execute(_DELETE_KEY, keys)
        connection.execute(_DELETE_SKETCHES, {"pks": [row.item_pk for row in found]})


class SqlStoryTransaction(OpenTransaction):
    """Stories inside a transaction; see ``feedhub.ports.store.Transaction``."""

    def waiting_items(self, most: int) -> tuple[WaitingItem, ...]:
        return tuple(
            WaitingItem(
                number=row.pk,
                source=row.name,
                published_at=row.published_at,
                first_seen_at=row.first_seen_at,
                sketch=row.sketch,
            )
            for row in self._query(_WAITING, {"most": most})
        )

    def forget_sketches(self, before: datetime, most: int) -> None:
        rows = self._query(_OLDEST, {"most": most})
        forget_sketches(self._connection, (row for row in rows if row.first_seen_at < before))

    def story_candidates(
        self, keys: Sequence[int], published: tuple[datetime, datetime], seen_since: datetime, most: int
    ) -> tuple[PlacedItem, ...]:
        asked = {f"key{number}": -1 for number in range(_MOST_KEYS)}
        asked |= {f"key{number}": key for number, key in enumerate(keys[:_MOST_KEYS])}
        found: defaultdict[int, list[int]] = defaultdict(list)
        for place, pk in self._query(_ITEMS_OF_KEYS, asked):
            found[place].append(pk)
        shared = Counter(pk for pks in found.values() if len(pks) < _MOST_OF_A_KEY for pk in pks)
        nearest = sorted(shared, key=lambda pk: (-shared[pk], -pk))[:_NEAREST]
        if not nearest:
            return ()
        earliest, latest = published
        rows = {
            row.pk: row
            for row in self._query(_CANDIDATES, {"pks": nearest})
            if earliest <= row.published_at <= latest and row.first_seen_at >= seen_since
        }
        near = [rows[pk] for pk in nearest if pk in rows][:most]
        return tuple(
            PlacedItem(number=row.pk, story=row.story, source=row.name, published_at=row.published_at) for row in near
        )

    def sketches(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        return dict(self._query(SKETCHES, {"pks": numbers})) if numbers else {}

    def place_story(self, place: StoryPlace) -> None:
        connection = self._connection
        if place.keys:
            connection.execute(_NEW_KEYS, [{"number": key, "item_pk": place.number} for key in place.keys])
        connection.execute(_END_WAIT, {"pk": place.number})
        if place.other is None and not place.misses:
            return
        story = text_of = place.number
        if place.other is not None:
            other = self._member(place.other)
            story = other.story
            text_of = other.text if place.how == _REPRINT else place.number
        misses = dump(place.misses) if place.misses else None
        row = member_row(place.number, story, text_of, place.how, place.other, place.reason, misses)
        connection.execute(PUT_MEMBER, row)
        for merged in place.merged:
            self._member(merged)
            connection.execute(MERGE, {"old": merged, "new": story})

    def _member(self, number: int) -> AnyRow:
        """Return the row of an item of a story; of one that was alone it is made."""
        self._connection.execute(NEW_MEMBER, member_row(number, number, number))
        row: AnyRow = self._query(MEMBERS, {"pks": [number]}).first()
        return row

    def reports(self, numbers: Sequence[int]) -> tuple[Report, ...]:
        stories = {row.story for part in chunks(numbers) for row in self._query(MEMBERS, {"pks": part})}
        found = [row for part in chunks(sorted(stories)) for row in self._query(OF_STORIES, {"stories": part})]
        pks = [row.item_pk for row in found]
        known = {row.pk: row for part in chunks(pks) for row in self._query(_SOURCES, {"pks": part})}
        listed: defaultdict[int, set[str]] = defaultdict(set)
        new = [pk for pk in pks if known[pk].unlisted == WAITING]
        for statement, asked in ((_LISTED_IN, pks), (_FILED_IN, new)):
            for part in chunks(asked):
                for pk, slug in self._query(statement, {"pks": part}):
                    listed[pk].add(slug)
        for pk in pks:
            if known[pk].unlisted != FOLDED:
                listed[pk].add(ALL)
        return tuple(
            Report(
                number=row.item_pk,
                story=row.story,
                text=row.text,
                source=known[row.item_pk].name,
                outputs=frozenset(listed[row.item_pk]),
                is_new=known[row.item_pk].unlisted == WAITING,
            )
            for row in found
            if known[row.item_pk].shown_by is not None
        )

    def settle_stories(self, numbers: Sequence[int], folds: Sequence[Fold], *, by_event: bool | None) -> None:
        """Let outputs list items whose stories are known now, and follow what else changed in stories."""
        connection = self._connection
        since = int(connection.execute(DECIDED_TO).scalar() or 0)
        if folds:
            rows = [{"item_pk": one.number, "slug": one.output, "shown_pk": one.shown} for one in folds]
            connection.execute(_FOLD, rows)
        folded = {one.number for one in folds if one.output == ALL}
        slugs = list_items(connection, {number: FOLDED if number in folded else None for number in numbers})
        touched = set(numbers)
        for slug, shown in connection.execute(_LOST, {"since": since}):
            touched |= show_another(connection, slug, shown, slugs)
        touched |= self._named_anew(since, touched, by_event=by_event)
        if touched:
            bump_listed(connection, touched, slugs)
        put_value(connection, DECIDED, moved_number(connection))

    def _named_anew(self, since: int, touched: Collection[int], *, by_event: bool | None) -> set[int]:
        """Return the items that name another one of which something changed since then, or that is touched now."""
        changed = [*self._query(_TOUCHED_MEMBERS, {"since": since})]
        changed += [row for part in chunks(sorted(touched)) for row in self._query(MEMBERS, {"pks": part})]
        texts, stories = {row.text for row in changed}, {row.story for row in changed}
        return {
            row.item_pk
            for part in chunks(sorted(stories))
            for row in self._query(OF_STORIES, {"stories": part})
            if by_event or row.text in texts
        }


def member_row(
    number: int,
    story: int,
    text_of: int,
    how: str = "",
    other: int | None = None,
    reason: str = "",
    misses: str | None = None,
) -> dict[str, object]:
    return {
        "item_pk": number,
        "story": story,
        "text": text_of,
        "how": how,
        "other_pk": other,
        "reason": reason or None,
        "misses": misses,
    }


def list_items(connection: Connection, states: Mapping[int, int | None]) -> set[str]:
    """Let ``all`` list items, or not, and categories what is not folded there; return the categories that change."""
    slugs: set[str] = set()
    for part in chunks(sorted(states)):
        rows = connection.execute(_SOURCES, {"pks": part})
        more = sum((states[row.pk] is None) - (row.unlisted is None) for row in rows if row.shown_by is not None)
        count_items(connection, {ALL: more})
        connection.execute(_LIST, [{"number": pk, "state": states[pk]} for pk in part])
        slugs |= settle_memberships(connection, part)
    return slugs


def show_another(connection: Connection, slug: str, shown: int, slugs: set[str]) -> set[int]:
    """Let an output that lost an item show the first one that it folded under it, and the others under that."""
    for pk in connection.execute(_FOLDED_UNDER, {"shown": shown, "output": slug}).scalars():
        connection.execute(UNFOLD, {"pk": pk, "output": slug})
        if slug == ALL:
            slugs |= list_items(connection, {pk: None})
            is_shown = connection.execute(_SOURCES, {"pks": [pk]}).first().shown_by is not None
        else:
            changed = settle_memberships(connection, [pk])
            is_shown = slug in changed
            slugs |= changed
        if is_shown:
            connection.execute(_FOLDED_BY_OTHER, {"before": shown, "after": pk, "output": slug})
            return {pk}
    return set()


def bump_listed(connection: Connection, pks: Collection[int], slugs: set[str]) -> None:
    for part in chunks(sorted(pks)):
        slugs.update(row.slug for row in connection.execute(_LISTED_IN, {"pks": part}))
    bump(connection, {ALL, *slugs}, pks)
