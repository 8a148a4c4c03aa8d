"""When different texts tell of one event, and which story an item joins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from feedhub.model.story import WINDOW, Care
from feedhub.rules.stories.features import StoryFeatures, weight_of
from feedhub.rules.stories.reprints import Judgement, judge_reprint, other_numbers, said_apart, said_numbers

MOST_CANDIDATES: Final = 32
BOILERPLATE: Final = 64
"""A key that so many items of the window have tells none of them from others."""
# How alike two texts must be.
_THRESHOLDS: Final[dict[Care, float]] = {"careful": 0.30, "normal": 0.25}
# More for two stories to become one; and for texts from the two ends of the window.
_MERGING: Final = 0.05
_LATE: Final = 0.2
_NEAR: Final = 0.75
_FEWEST_TERMS: Final = 4
# What an explanation leaves out: a term that is more common than one word in 150.
_COMMON, _SHOWN = 50, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryItem:
    """An item as it is placed: its features, who published it and when, and the story that it is in already."""

    number: int
    source: str
    published_at: datetime
    features: StoryFeatures
    story: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How a new item stands to an earlier one."""

    number: int
    story: int
    is_reprint: bool
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an item belongs.

    ``reprint`` is the link to the text that it repeats, ``link`` the one for which it is in its story: the same, or
    that to the nearest report of the event. Without a link the item is a story by itself. ``merged`` are the stories
    that become one with it by this item. ``misses`` are what came close, the closest first.
    """

    reprint: Link | None
    link: Link | None
    merged: tuple[int, ...] = ()
    misses: tuple[Link, ...] = ()


def kept_keys(features: StoryFeatures, found: Placement) -> tuple[int, ...]:
    """Return by which keys an item is found from now on: a reprint by its terms alone, because the first text is.

    Or the keys of a text that very many reprint would soon be those of too many items, and find none.
    """
    return features.term_keys if found.reprint else features.keys


def place(
    item: StoryItem, candidates: Iterable[StoryItem], care: Care = "careful", window: timedelta = WINDOW
) -> Placement:
    """Decide of what an item is a reprint, and to which story it belongs."""
    others = list(candidates)
    texts = [_reprint_link(item, other) for other in others if _may_repeat(item, other)]
    reprint = max((link for link in texts if link.judgement.joined), key=_rank, default=None)
    reports = [_event_link(item, other, care, window) for other in others if other.source != item.source]
    joined = sorted((link for link in reports if link.judgement.joined), key=_rank, reverse=True)
    link = reprint or (joined[0] if joined else None)
    misses = sorted((miss for miss in (*texts, *reports) if _is_near(miss, item, care)), key=_rank, reverse=True)
    merged = _merged(item, link, joined, care) if link else ()
    return Placement(reprint=reprint, link=link, merged=merged, misses=tuple(misses[:3]))


def judge_event(
    here: StoryFeatures, there: StoryFeatures, apart: timedelta, care: Care = "careful", window: timedelta = WINDOW
) -> Judgement:
    """Tell whether two texts report one event: by the terms that they share, the less the longer they are apart.

    Other numbers in the same places of both titles tell what is reported every day from each other.
    """
    if abs(apart) > window:
        return Judgement(joined=False, score=0.0, reason=f"kept apart: {said_apart(apart)}")
    if min(len(here.vector), len(there.vector)) < _FEWEST_TERMS:
        return Judgement(joined=False, score=0.0, reason="too short to be told from others")
    if otherwise := other_numbers(here.title_numbers, there.title_numbers):
        return Judgement(joined=False, score=0.0, reason=f"kept apart: {said_numbers(otherwise)} in the titles")
    alike = similarity(here, there)
    score = max(0.0, alike - _LATE * (abs(apart) / window))
    terms = [term for term_hash, term in here.title_terms.items() if term_hash in there.vector]
    told = [term for term in terms if weight_of(term) > _COMMON]
    words = f" ({' '.join(told[:_SHOWN])})" if told else ""
    said = f"{score:.2f} alike{words}, {said_apart(apart)}"
    if score < _THRESHOLDS[care]:
        return Judgement(joined=False, score=score, reason=f"kept apart: only {said}")
    return Judgement(joined=True, score=score, reason=said)


def similarity(here: StoryFeatures, there: StoryFeatures) -> float:
    """Return the cosine of the heaviest terms of two items: 0 when they share none, 1 when they have the same."""
    shared = here.vector.keys() & there.vector.keys()
    product = sum(here.vector[term] * there.vector[term] for term in shared)
    return product / (here.norm * there.norm) if product else 0.0


def _may_repeat(item: StoryItem, other: StoryItem) -> bool:
    return other.source != item.source or other.features.title == item.features.title


def _reprint_link(item: StoryItem, other: StoryItem) -> Link:
    judgement = judge_reprint(item.features, other.features, item.published_at - other.published_at)
    return Link(number=other.number, story=other.story, is_reprint=True, judgement=judgement)


def _event_link(item: StoryItem, other: StoryItem, care: Care, window: timedelta) -> Link:
    apart = item.published_at - other.published_at
    judgement = judge_event(item.features, other.features, apart, care, window)
    return Link(number=other.number, story=other.story, is_reprint=False, judgement=judgement)


def _rank(link: Link) -> tuple[float, int]:
    return link.judgement.score, -link.number


def _is_near(link: Link, item: StoryItem, care: Care) -> bool:
    if link.judgement.joined:
        return False
    needed = 0.6 if link.is_reprint else _THRESHOLDS[care]
    return link.judgement.score >= _NEAR * needed


def _merged(item: StoryItem, link: Link, joined: Sequence[Link], care: Care) -> tuple[int, ...]:
    """Return the other stories to which the item is linked so strongly, as to its own, that they are one."""
    needed = _THRESHOLDS[care] + _MERGING
    strong = (other.story for other in joined if other.judgement.score >= needed)
    return tuple(dict.fromkeys(story for story in strong if story != link.story))
