"""What the program asks of the store about stories. Every method raises StoreError when it cannot be used."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from feedhub.model.item import Item
from feedhub.model.story import Fold, PlacedItem, Report, StoryGroup, StoryPlace, ToldStory, WaitingItem


class StoryStore(Protocol):
    """What belongs together. An item that was stored with a sketch waits: no output lists it before it was placed."""

    def sync_stories(self, told: str, folds: Callable[[str], bool]) -> bool:
        """Remember how stories are ``told``, "" for not at all; return whether they were not before.

        Outputs that fold nothing any more list what they folded. When none are told what waits is listed.
        """
        ...

    def name_reports(self, *, by_event: bool | None) -> None:
        """Let items that are read name others of their text or, ``by_event``, of their story; None: no others.

        At first they name none. What is hidden is never named.
        """
        ...

    def has_undecided(self) -> bool:
        """Tell whether items wait, or something changed since ``Transaction.settle_stories`` was called last."""
        ...

    def unsketched(self, after: int, since: datetime) -> Sequence[tuple[int, str, Item]]:
        """Return the next items without a sketch, after a number, as shown and with their owners' names, met since."""
        ...

    def keep_sketches(self, sketches: Mapping[int, bytes]) -> None:
        """Keep sketches of items, by their numbers, until they are placed. What is listed stays so."""
        ...

    def stories(self, since: datetime, most: int) -> tuple[StoryGroup, ...]:
        """Return the stories that an item joined since then, ``most`` at most, those of most items first."""
        ...

    def story_of(self, item_id: str) -> ToldStory:
        """Return the story of an item, and what came close."""
        ...

    def part_story(self, item_id: str) -> bool:
        """Let an item belong to no story, and list it everywhere; False where that is so already."""
        ...

    def join_stories(self, one_id: str, other_id: str) -> bool:
        """Let the stories of two items be one; what is listed stays so. False where they are."""
        ...


class StoryTransaction(Protocol):
    """Stories inside one write transaction, which has the store for itself."""

    def waiting_items(self, most: int) -> Sequence[WaitingItem]:
        """Return the items that were stored first of those that wait to be placed."""
        ...

    def forget_sketches(self, before: datetime, most: int) -> None:
        """Forget the sketches of some placed items that were first seen before a moment: they are found no more."""
        ...

    def story_candidates(
        self, keys: Sequence[int], published: tuple[datetime, datetime], seen_since: datetime, most: int
    ) -> tuple[PlacedItem, ...]:
        """Return placed items that share most of 28 keys, published between two times and first seen since another.

        A key that 64 items have counts for nothing. The cost does not grow with what is stored.
        """
        ...

    def sketches(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        """Return the sketches of placed items, by their numbers."""
        ...

    def place_story(self, place: StoryPlace) -> None:
        """Remember where an item belongs, which waits no more."""
        ...

    def reports(self, numbers: Sequence[int]) -> tuple[Report, ...]:
        """Return all items of the stories of these items, as far as they are shown, in the order of their numbers."""
        ...

    def settle_stories(self, numbers: Sequence[int], folds: Sequence[Fold], *, by_event: bool | None) -> None:
        """Let outputs list items that were placed, but for ``folds``, and follow what changed since the last time.

        Where an output lost what it listed, it lists the first that was folded under it. What names another item, of
        its text or, ``by_event``, of its event, is touched when something of that one changed.
        """
        ...
