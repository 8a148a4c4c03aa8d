"""Stories of stored items: each is found, in the order of storing, before an output lists the item."""

from datetime import datetime
from typing import Final

from feedhub.model.identity import Filing
from feedhub.model.item import Item
from feedhub.model.source import Source
from feedhub.model.story import PlacedItem, StoryPlace, StorySettings, WaitingItem
from feedhub.ports.store import Store, Transaction
from feedhub.rules.stories.events import MOST_CANDIDATES, Placement, StoryItem, kept_keys, place
from feedhub.rules.stories.features import StoryFeatures, read_sketch, sketch_of_item
from feedhub.rules.stories.folding import belongs_to_stories, folds, folds_of
from feedhub.rules.stories.reprints import WINDOW

_MOST_AT_ONCE: Final = 100
"""Items whose stories are found in one transaction, for which polls have to wait."""
_MOST_KEPT: Final = 1_000


def sketch_for(
    item: Item, filing: Filing, sketch: bytes | None, source: Source, settings: StorySettings
) -> bytes | None:
    """Return by what the story of a new item is found; None for what belongs to none.

    ``sketch`` is that of the item as it was received, if it is known.
    """
    shown = filing.shown or item
    if filing.is_apart or not belongs_to_stories(shown.title, source.name, settings):
        return None
    return sketch if sketch is not None and filing.shown is None else sketch_of_item(shown)


def sync_stories(store: Store, settings: StorySettings, now: datetime) -> None:
    """Let the store tell stories as the configuration says.

    From when it does, new reports of what was published in the days before are recognised, too.
    """

    def does_fold(slug: str) -> bool:
        return folds(settings.choice_for(slug))

    if not store.sync_stories(repr(settings), does_fold):
        return
    after = 0
    while found := store.unsketched(after, now - WINDOW):
        told = [(number, item) for number, source, item in found if belongs_to_stories(item.title, source, settings)]
        store.keep_sketches({number: sketch_of_item(item) for number, item in told})
        after = found[-1][0]


class StoryTeller:
    """Finds the stories of items that wait for that."""

    def __init__(self, settings: StorySettings, *, most_at_once: int = _MOST_AT_ONCE) -> None:
        """Find the stories of ``most_at_once`` items in one transaction."""
        self._settings = settings
        self._most = most_at_once
        self._features: dict[int, StoryFeatures] = {}

    def decide(self, store: Store) -> None:
        """Find all stories that nobody has looked for, and let outputs list the items.

        Raises:
            StoreError: the store cannot be used; what was found is kept.
        """
        store.name_reports(by_event=self._settings.names_events)
        has_more = store.has_undecided()
        while has_more:
            with store.transaction() as transaction:
                has_more = self._decide_some(transaction)
        # Numbers may be those of other items once a backup was restored, and it is some megabytes.
        self._features.clear()

    def _decide_some(self, transaction: Transaction) -> bool:
        waiting = transaction.waiting_items(self._most)
        if waiting:
            transaction.forget_sketches(waiting[0].first_seen_at - WINDOW, 2 * self._most)
        for item in waiting:
            self._place(item, transaction)
        reports = transaction.reports([item.number for item in waiting])
        transaction.settle_stories(
            [item.number for item in waiting],
            folds_of(reports, self._settings),
            by_event=self._settings.names_events,
        )
        return len(waiting) == self._most

    def _place(self, item: WaitingItem, transaction: Transaction) -> None:
        features = read_sketch(item.sketch)
        near = transaction.story_candidates(
            features.keys,
            (item.published_at - WINDOW, item.published_at + WINDOW),
            item.first_seen_at - WINDOW,
            MOST_CANDIDATES,
        )
        new = StoryItem(
            number=item.number,
            source=item.source,
            published_at=item.published_at,
            features=features,
            story=item.number,
        )
        found = place(new, self._read(near, transaction), self._settings.care, self._settings.window)
        transaction.place_story(_place_of(item, features, found))
        self._keep(item.number, features)

    def _read(self, near: tuple[PlacedItem, ...], transaction: Transaction) -> list[StoryItem]:
        known = {one.number: self._features[one.number] for one in near if one.number in self._features}
        read = transaction.sketches([one.number for one in near if one.number not in known])
        known |= {number: read_sketch(sketch) for number, sketch in read.items()}
        for number in read:
            self._keep(number, known[number])
        return [
            StoryItem(
                number=one.number,
                source=one.source,
                published_at=one.published_at,
                features=known[one.number],
                story=one.story,
            )
            for one in near
        ]

    def _keep(self, number: int, features: StoryFeatures) -> None:
        if len(self._features) >= _MOST_KEPT:
            for first in list(self._features)[: _MOST_KEPT // 2]:
                del self._features[first]
        self._features[number] = features


def _place_of(item: WaitingItem, features: StoryFeatures, found: Placement) -> StoryPlace:
    link = found.link
    return StoryPlace(
        number=item.number,
        keys=kept_keys(features, found),
        other=link.number if link else None,
        how=("reprint" if found.reprint else "event") if link else "",
        reason=link.judgement.reason if link else "",
        merged=found.merged,
        misses=tuple((miss.number, miss.judgement.reason) for miss in found.misses),
    )
