"""What outputs name beside an item: others that say or report the same."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, func, select

from feedhub.model.item import Received
from feedhub.model.story import StoryMember
from feedhub.store.database import Connection, PreparedStatement, chunks
from feedhub.store.tables import AnyRow, decode_item, items, sightings, sources, story_members

_MOST_NAMED: Final = 30
PKS: Final[BindParameter[Any]] = bindparam("pks", expanding=True)
MEMBERS = PreparedStatement(select(story_members).where(story_members.c.item_pk.in_(PKS)))
OF_STORIES = PreparedStatement(
    select(story_members)
    .where(story_members.c.story.in_(bindparam("stories", expanding=True)))
    .order_by(story_members.c.item_pk)
)
_TOLD_OF = PreparedStatement(
    select(
        items.c.pk,
        items.c.id,
        items.c.published_at,
        sources.c.name,
        sources.c.title,
        sightings.c.wording,
        sightings.c.effect,
    )
    .join(
        sightings,
        (sightings.c.item_pk == items.c.pk)
        & (sightings.c.source_id == func.coalesce(items.c.shown_by, items.c.owner_id)),
    )
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(
        items.c.pk.in_(PKS),
        items.c.removed_at.is_(None),
        items.c.hidden_at.is_(None),
        sightings.c.dropped_by.is_(None),
        sightings.c.received != Received.FORGOTTEN.value,
    )
    .order_by(items.c.pk)
)


def reports_of(connection: Connection, pks: Collection[int]) -> Mapping[int, tuple[StoryMember, ...]]:
    """Return by number what items name; those that name nothing are missing."""
    by_event = connection.backend.names_events
    if by_event is None:
        return {}
    own = [row for part in chunks(pks) for row in connection.execute(MEMBERS, {"pks": part})]
    if not own:
        return {}
    members = members_of(connection, {row.story for row in own})
    named = {
        row.item_pk: [
            other.item_pk
            for other in members[row.story]
            if other.item_pk != row.item_pk and (by_event or other.text == row.text)
        ][:_MOST_NAMED]
        for row in own
    }
    told = told_of(connection, {pk for some in named.values() for pk in some})
    return {pk: tuple(told[one] for one in some if one in told) for pk, some in named.items()}


def members_of(connection: Connection, stories: Iterable[int]) -> dict[int, list[AnyRow]]:
    members: dict[int, list[AnyRow]] = {story: [] for story in stories}
    for part in chunks(members):
        for row in connection.execute(OF_STORIES, {"stories": part}):
            members[row.story].append(row)
    return members


def told_of(connection: Connection, pks: Iterable[int]) -> dict[int, StoryMember]:
    """Return what is told of items, by their numbers; of those that are shown nowhere nothing is."""
    told: dict[int, StoryMember] = {}
    for part in chunks(pks):
        for row in connection.execute(_TOLD_OF, {"pks": part}):
            item = decode_item(row.wording, row.effect)
            told[row.pk] = StoryMember(
                item_id=row.id,
                title=item.title,
                source=row.name,
                published_at=row.published_at,
                link=item.link,
                source_title=row.title,
            )
    return told
