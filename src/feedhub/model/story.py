"""Stories: which items are the same text or tell of one event, what the configuration makes of them, what is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Care = Literal["careful", "normal"]

WINDOW: Final = timedelta(hours=48)
"""The longest time between two reports of one story, if the configuration names no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryChoice:
    """What outputs make of reprints, and of other reports of one event.

    ``reprints`` "once": only the first text is shown. ``same_event`` "mark": reports of an event name each other;
    "group": only the first one is shown.
    """

    reprints: Literal["once", "off"] = "once"
    same_event: Literal["mark", "group", "off"] = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorySettings:
    """How stories are told. ``by_category`` has the choices of categories that have one of their own.

    ``window`` is the longest time between two reports of one event. ``prefer`` are patterns of names of sources whose
    text is shown before others, the first ones before all. Items with one of ``never_titles`` in the title, or of a
    source that ``never_sources`` names, belong to no story.
    """

    choice: StoryChoice = StoryChoice()
    by_category: tuple[tuple[str, StoryChoice], ...] = ()
    care: Care = "careful"
    window: timedelta = WINDOW
    prefer: tuple[str, ...] = ()
    never_titles: tuple[str, ...] = ()
    never_sources: tuple[str, ...] = ()

    def choice_for(self, slug: str) -> StoryChoice:
        """Return what an output makes of stories."""
        return dict(self.by_category).get(slug, self.choice)

    @property
    def names_events(self) -> bool | None:
        """Whether items name other reports of their event, or only of their text; None: they name nothing."""
        choices = (self.choice, *dict(self.by_category).values())
        if any(choice.same_event != "off" for choice in choices):
            return True
        return False if any(choice.reprints == "once" for choice in choices) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingItem:
    """A stored item that no output lists before its story is known, with the sketch by which that is found."""

    number: int
    source: str
    published_at: datetime
    first_seen_at: datetime
    sketch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedItem:
    """A stored item whose ``story`` is known, by its number: that of one of its items."""

    number: int
    story: int
    source: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPlace:
    """Where an item belongs: ``how`` ("reprint", "event") and why it is in the story of an ``other`` item, if it is.

    By ``keys`` later items find it. ``merged`` are the stories that become one with its own. ``misses`` are items that
    came close, each with what kept it apart.
    """

    number: int
    keys: tuple[int, ...] = ()
    other: int | None = None
    how: str = ""
    reason: str = ""
    merged: tuple[int, ...] = ()
    misses: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An item of a story, and the outputs that show it or, while it ``is_new``, may show it."""

    number: int
    story: int
    text: int
    source: str
    outputs: frozenset[str]
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """An item that an output does not show, because it shows another report instead."""

    output: str
    number: int
    shown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryMember:
    """An item of a story: the first report, or ``how`` it belongs there ("reprint", "event", "by hand") and why."""

    item_id: str
    title: str
    source: str
    published_at: datetime
    how: str = ""
    reason: str = ""
    link: str | None = None
    source_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryGroup:
    """The reports of one event, in the order in which they were placed."""

    members: tuple[StoryMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStory:
    """What is told of one item: the ``members`` of its story, if it is not alone, and what came close, with the reason.

    It ``waits`` while nobody has looked for its story; it ``is_parted`` if somebody said that it belongs to none. The
    outputs in ``folded`` list the member with that id instead.
    """

    members: tuple[StoryMember, ...] = ()
    misses: tuple[StoryMember, ...] = ()
    folded: tuple[tuple[str, str], ...] = ()
    waits: bool = False
    is_parted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryMiss:
    """Two items that are much alike, and what kept them apart."""

    one: StoryMember
    other: StoryMember
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoriesTrial:
    """What would be folded and grouped of stored items: nothing is changed by finding out."""

    items: int
    digests: int
    reprints: int
    grouped: int
    stories: int
    largest: tuple[StoryGroup, ...]
    misses: tuple[StoryMiss, ...]
