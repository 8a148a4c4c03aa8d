"""Stories as they are told: members and near misses of an item, the largest ones; parted and joined by hand."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from feedhub.model.item import Item
from feedhub.model.story import StoryGroup, StoryMember, ToldStory
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, PreparedStatement
from feedhub.store.memberships import settle_memberships
from feedhub.store.outputs import SqlOutputs, bump, moved_number, put_value
from feedhub.store.reports import MEMBERS, members_of, told_of
from feedhub.store.stories import (
    ANY_WAITS,
    DECIDED,
    DECIDED_TO,
    MERGE,
    NEW_MEMBER,
    PUT_MEMBER,
    SKETCHES,
    UNFOLD,
    bump_listed,
    forget_sketches,
    keep_sketches,
    list_items,
    member_row,
    show_another,
)
from feedhub.store.tables import (
    WAITING,
    AnyRow,
    decode_item,
    items,
    meta,
    sightings,
    sources,
    story_folds,
    story_keys,
    story_members,
    story_sketches,
)

_TOLD: Final = "stories_told"
_TOLD_AS = PreparedStatement(select(meta.c.value).where(meta.c.key == _TOLD))
_FOLDED_ITEMS = PreparedStatement(
    select(story_folds.c.item_pk, story_folds.c.slug)
    .where(story_folds.c.slug.in_(bindparam("slugs", expanding=True)))
    .order_by(story_folds.c.item_pk)
    .limit(bindparam("most"))
)
_FOLDING = PreparedStatement(select(story_folds.c.slug).distinct())
_UNLISTED = PreparedStatement(
    select(items.c.pk).where(items.c.unlisted.is_not(None)).order_by(items.c.pk).limit(bindparam("most"))
)
_UNSKETCHED = PreparedStatement(
    select(items.c.pk, sources.c.name, sightings.c.wording, sightings.c.effect)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.shown_by))
    .join(sources, sources.c.id == items.c.owner_id)
    .outerjoin(story_sketches, story_sketches.c.item_pk == items.c.pk)
    .where(
        items.c.pk > bindparam("after"),
        items.c.first_seen_at >= bindparam("since", type_=items.c.first_seen_at.type),
        story_sketches.c.item_pk.is_(None),
    )
    .order_by(items.c.pk)
    .limit(bindparam("most"))
)
_MOST: Final = 200
_MOST_REPORTS: Final = 5_000
_PARTED, _BY_HAND = "parted", "by hand"
_NUMBERS = PreparedStatement(
    select(items.c.pk, items.c.id, items.c.unlisted).where(items.c.id.in_(bindparam("ids", expanding=True)))
)
_NEWEST_MEMBERS = PreparedStatement(
    select(story_members.c.story)
    .join(items, items.c.pk == story_members.c.item_pk)
    .where(items.c.first_seen_at >= bindparam("since", type_=items.c.first_seen_at.type), story_members.c.how != "")
    .order_by(story_members.c.item_pk.desc())
    .limit(_MOST_REPORTS)
)


_FOLDS_OF = PreparedStatement(
    select(story_folds.c.slug, story_folds.c.shown_pk)
    .where(story_folds.c.item_pk == bindparam("pk"))
    .order_by(story_folds.c.slug)
)
_FOLDED_HERE = PreparedStatement(
    select(story_folds.c.slug).where(story_folds.c.shown_pk == bindparam("shown")).distinct()
)


class SqlStories(SqlOutputs):
    """See ``feedhub.ports.store.StoryStore``."""

    def has_undecided(self) -> bool:
        if self._query(ANY_WAITS):
            return True
        return int(self._query(DECIDED_TO).scalar() or 0) != self.change_number()

    def sync_stories(self, told: str, folds: Callable[[str], bool]) -> bool:
        before = self._query(_TOLD_AS).scalar() or ""
        self._backend.tells_stories = bool(told or before)
        if before == told:
            return False
        for slug in self._query(_FOLDING).scalars():
            if not folds(slug):
                self._unfold(slug)
        if not told:
            self._forget_all()
        with self._write() as connection:
            if not before:
                put_value(connection, DECIDED, moved_number(connection))
            put_value(connection, _TOLD, told)
        self._backend.tells_stories = bool(told)
        return not before

    def name_reports(self, *, by_event: bool | None) -> None:
        self._backend.names_events = by_event

    def _unfold(self, slug: str) -> None:
        """Let an output list what it folded."""
        while True:
            with self._write() as connection:
                pks = connection.execute(_FOLDED_ITEMS, {"slugs": [slug], "most": _MOST}).scalars()
                if not pks:
                    return
                connection.execute(UNFOLD, [{"pk": pk, "output": slug} for pk in pks])
                slugs = (
                    list_items(connection, dict.fromkeys(pks)) if slug == ALL else settle_memberships(connection, pks)
                )
                bump(connection, {ALL, *slugs}, pks)

    def _forget_all(self) -> None:
        """List what waits, and forget by what stories were found."""
        while True:
            with self._write() as connection:
                pks = connection.execute(_UNLISTED, {"most": _MOST}).scalars()
                if not pks:
                    break
                slugs = list_items(connection, dict.fromkeys(pks))
                bump(connection, {ALL, *slugs}, pks)
        with self._write() as connection:
            for table in (story_keys, story_sketches):
                connection.execute(delete(table))

    def unsketched(self, after: int, since: datetime) -> tuple[tuple[int, str, Item], ...]:
        rows = self._query(_UNSKETCHED, {"after": after, "since": since, "most": _MOST})
        return tuple((row.pk, row.name, decode_item(row.wording, row.effect)) for row in rows)

    def keep_sketches(self, sketches: Mapping[int, bytes]) -> None:
        with self._write() as connection:
            keep_sketches(connection, sketches)

    def stories(self, since: datetime, most: int) -> tuple[StoryGroup, ...]:
        with self._read() as connection:
            newest = list(dict.fromkeys(connection.execute(_NEWEST_MEMBERS, {"since": since}).scalars()))
            members = members_of(connection, newest)
            told = told_of(connection, [row.item_pk for rows in members.values() for row in rows])
        groups = [
            StoryGroup(members=tuple(_member(row, told[row.item_pk]) for row in members[story] if row.item_pk in told))
            for story in newest
        ]
        return tuple(sorted((group for group in groups if len(group.members) > 1), key=_size, reverse=True)[:most])

    def story_of(self, item_id: str) -> ToldStory:
        with self._read() as connection:
            item = connection.execute(_NUMBERS, {"ids": [item_id]}).first()
            own = connection.execute(MEMBERS, {"pks": [item.pk]}).first() if item else None
            if own is None:
                return ToldStory(waits=item is not None and item.unlisted == WAITING)
            rows = members_of(connection, [own.story])[own.story]
            missed: dict[int, str] = dict(json.loads(own.misses or "[]"))
            together = {row.item_pk for row in rows}
            told = told_of(connection, together | missed.keys())
            folds = connection.execute(_FOLDS_OF, {"pk": item.pk})
        members = tuple(_member(row, told[row.item_pk]) for row in rows if row.item_pk in told)
        return ToldStory(
            members=members if len(members) > 1 else (),
            misses=tuple(
                replace(told[number], reason=reason)
                for number, reason in missed.items()
                if number in told and number not in together
            ),
            folded=tuple((row.slug, told[row.shown_pk].item_id) for row in folds if row.shown_pk in told),
            is_parted=own.how == _PARTED,
        )

    def part_story(self, item_id: str) -> bool:
        with self._write() as connection:
            pk = _number_of(connection, item_id)
            row = connection.execute(MEMBERS, {"pks": [pk]}).first()
            if row is not None and row.how == _PARTED:
                return False
            others = members_of(connection, [row.story])[row.story] if row else []
            rest = [other.item_pk for other in others if other.item_pk != pk]
            forget_sketches(connection, connection.execute(SKETCHES, {"pks": [pk]}))
            connection.execute(PUT_MEMBER, member_row(pk, pk, pk, _PARTED))
            _renumber(connection, pk, rest, others)
            slugs = list_items(connection, {pk: None})
            for slug in connection.execute(_FOLDS_OF, {"pk": pk}).scalars():
                connection.execute(UNFOLD, {"pk": pk, "output": slug})
                slugs |= settle_memberships(connection, [pk])
            touched = {pk, *rest}
            for slug in connection.execute(_FOLDED_HERE, {"shown": pk}).scalars():
                touched |= show_another(connection, slug, pk, slugs)
            bump_listed(connection, touched, slugs)
            return True

    def join_stories(self, one_id: str, other_id: str) -> bool:
        with self._write() as connection:
            pks = sorted(_number_of(connection, item_id) for item_id in (one_id, other_id))
            for pk in pks:
                connection.execute(NEW_MEMBER, member_row(pk, pk, pk))
            one, other = sorted(connection.execute(MEMBERS, {"pks": pks}), key=lambda row: int(row.item_pk))
            if one.story == other.story:
                return False
            if other.how in ("", _PARTED):
                row = member_row(other.item_pk, other.story, other.text, _BY_HAND, one.item_pk, "joined by hand")
                connection.execute(PUT_MEMBER, row)
            elif one.how in ("", _PARTED):
                row = member_row(one.item_pk, one.story, one.text, _BY_HAND, other.item_pk, "joined by hand")
                connection.execute(PUT_MEMBER, row)
            if one.how == _PARTED:
                connection.execute(PUT_MEMBER, member_row(one.item_pk, one.story, one.text))
            connection.execute(MERGE, {"old": other.story, "new": one.story})
            together = {row.item_pk for row in members_of(connection, [one.story])[one.story]}
            bump_listed(connection, together, set())
            return True


def _renumber(connection: Connection, pk: int, rest: Sequence[int], others: Sequence[AnyRow]) -> None:
    """Give stories and texts that have the number of an item which leaves them that of another of their items."""
    texts = {row.item_pk: row.text for row in others}
    same = [other for other in rest if texts[other] == pk]
    for column, numbers, pks in ((story_members.c.story, rest, rest), (story_members.c.text, same, same)):
        if numbers:
            here = update(story_members).where(column == pk, story_members.c.item_pk.in_(pks))
            connection.execute(here.values({column: min(numbers)}))


def _number_of(connection: Connection, item_id: str) -> int:
    return int(connection.execute(_NUMBERS, {"ids": [item_id]}).scalar())


def _member(row: AnyRow, told: StoryMember) -> StoryMember:
    return replace(told, how=row.how, reason=row.reason or "")


def _size(group: StoryGroup) -> int:
    return len(group.members)
