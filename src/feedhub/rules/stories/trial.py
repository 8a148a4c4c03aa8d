"""What would be folded and grouped of a stream of items, if stories were told: the dry run of ``stories test``."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from feedhub.model.story import Care, StoriesTrial, StoryGroup, StoryMember, StoryMiss
from feedhub.rules.stories.events import BOILERPLATE, MOST_CANDIDATES, StoryItem, kept_keys, place
from feedhub.rules.stories.features import StoryFeatures, is_digest, story_features
from feedhub.rules.stories.reprints import WINDOW

_MOST_KEPT: Final = 4_000
_MOST_OF_A_KEY: Final = 4 * BOILERPLATE
_MOST_MISSES: Final = 1_000


class StoryWindow:
    """The items that were placed last, by the keys by which reprints and reports of the same event are found."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        """Keep ``most`` items at most."""
        self._most = most
        self._items: dict[int, StoryItem] = {}
        self._by_key: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=_MOST_OF_A_KEY))

    def candidates(self, features: StoryFeatures, published_at: datetime) -> list[StoryItem]:
        """Return the items that share most keys with one of that time, the latest first of as many."""
        shared: Counter[int] = Counter()
        for key in features.keys:
            near = [number for number in self._by_key.get(key, ()) if self._is_near(number, published_at)]
            if len(near) < BOILERPLATE:
                shared.update(near)
        best = sorted(shared, key=lambda number: (-shared[number], -number))[:MOST_CANDIDATES]
        return [self._items[number] for number in best]

    def add(self, item: StoryItem, keys: Iterable[int]) -> None:
        """Let an item be found by these keys from now on, and forget the first one if there are too many."""
        if len(self._items) == self._most:
            del self._items[next(iter(self._items))]
        self._items[item.number] = item
        for key in keys:
            self._by_key[key].append(item.number)

    def _is_near(self, number: int, published_at: datetime) -> bool:
        item = self._items.get(number)
        return item is not None and abs(item.published_at - published_at) <= WINDOW


class StoryTrial:
    """Places items one after the other, and tells what came of it."""

    def __init__(self, care: Care = "careful") -> None:
        """Begin without items."""
        self._care: Care = care
        self._window = StoryWindow()
        self._members: list[StoryMember] = []
        self._parents: list[int] = []
        self._digests = 0
        self._misses: list[StoryMiss] = []

    def add(self, item_id: str, source: str, published_at: datetime, title: str, markup: str) -> None:
        """Place the next item."""
        if is_digest(title):
            self._digests += 1
            return
        number = len(self._members)
        self._parents.append(number)
        features = story_features(title, markup)
        item = StoryItem(number=number, source=source, published_at=published_at, features=features, story=number)
        found = place(item, self._window.candidates(features, published_at), self._care)
        member = StoryMember(item_id=item_id, title=title, source=source, published_at=published_at)
        if found.link:
            how = "reprint" if found.reprint else "event"
            member = replace(member, how=how, reason=found.link.judgement.reason)
        self._members.append(member)
        for other in (*((found.link.story,) if found.link else ()), *found.merged):
            self._parents[self._root(other)] = self._root(number)
        self._misses += [
            StoryMiss(one=member, other=self._members[miss.number], reason=miss.judgement.reason)
            for miss in found.misses
            if len(self._misses) < _MOST_MISSES and self._root(miss.number) != self._root(number)
        ]
        self._window.add(item, kept_keys(features, found))

    def result(self, most: int) -> StoriesTrial:
        """Return the counts, and the largest stories and the closest misses, ``most`` of each."""
        groups: defaultdict[int, list[StoryMember]] = defaultdict(list)
        for number, member in enumerate(self._members):
            groups[self._root(number)].append(member)
        stories = sorted((group for group in groups.values() if len(group) > 1), key=len, reverse=True)
        return StoriesTrial(
            items=len(self._members) + self._digests,
            digests=self._digests,
            reprints=sum(member.how == "reprint" for member in self._members),
            grouped=sum(map(len, stories)),
            stories=len(stories),
            largest=tuple(StoryGroup(members=tuple(group)) for group in stories[:most]),
            misses=tuple(self._misses[:most]),
        )

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            number = self._parents[number]
        return number
