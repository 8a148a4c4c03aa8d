"""Stories by hand: trying what would be told, and saying that items belong together or not."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from feedhub.errors import UsageError
from feedhub.model.story import Care, StoriesTrial, StoryGroup, StoryMember
from feedhub.pipeline.stories import StoryTeller
from feedhub.ports.store import Store
from feedhub.rules.stories.trial import StoryTrial

if TYPE_CHECKING:
    from feedhub.runtime.hub import Hub


def decide_stories(hub: "Hub") -> None:
    """Find the stories of all that is stored.

    Raises:
        UsageError: the configuration tells none.
    """
    if hub.settings.stories is None:
        raise UsageError("no stories are told: `stories: {}` in the configuration lets them be; try `stories test`")
    hub.sync()
    StoryTeller(hub.settings.stories).decide(hub.store)


def group_json(group: StoryGroup) -> dict[str, object]:
    """Return a story as JSON."""
    return {"members": [member_json(member) for member in group.members]}


def member_json(member: StoryMember) -> dict[str, object]:
    """Return an item of a story as JSON."""
    return {**asdict(member), "published_at": member.published_at.isoformat()}


def try_stories(store: Store, *, since: datetime, care: Care, most: int) -> StoriesTrial:
    """Tell which of the items met since then would be folded and grouped; nothing is changed.

    They are placed in the order in which they were stored. Only what outputs show is looked at.

    Raises:
        StoreError: the store cannot be read.
    """
    trial = StoryTrial(care)
    for sighted in store.sighted_items(0, store.last_item_number(), since):
        if sighted.is_shown:
            shown = next(each for each in sighted.sightings if each.dropped_by is None)
            item = shown.shown
            markup = item.content or item.summary or ""
            trial.add(sighted.item_id, shown.source, shown.dates.published_at, item.title, markup)
    return trial.result(most)
