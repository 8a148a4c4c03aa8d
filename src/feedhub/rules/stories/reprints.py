"""When a text is a reprint of another: the same, perhaps shortened, under another title, source or address."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from feedhub.rules.stories.features import StoryFeatures, pairs_of_letters, weight_of

WINDOW: Final = timedelta(hours=72)
"""The longest time between an item and its reprint."""
_FEWEST_RUNS: Final = 12
_COMPARED_RUNS: Final = 400
_CONTAINED: Final = 0.60
_DIFFERENT_NUMBERS: Final = 0.3
_SAME_FORM: Final = 0.35
_OPENING_RUNS, _OPENING_SHARE, _TITLE_SHARE = 30, 0.5, 0.3
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether two items belong together, how alike they are from 0 to 1, and why, in words."""

    joined: bool
    score: float
    reason: str


def judge_reprint(here: StoryFeatures, there: StoryFeatures, apart: timedelta) -> Judgement:
    """Tell whether one of two texts, published ``apart`` from each other, is a reprint of the other."""
    shorter, longer = (here, there) if here.length <= there.length else (there, here)
    runs = set(shorter.runs[:_COMPARED_RUNS])
    if len(runs) < _FEWEST_RUNS or here.is_cjk != there.is_cjk:
        return Judgement(joined=False, score=0.0, reason="too short to be told from others")
    shared = len(runs.intersection(longer.runs))
    score = shared / len(runs)
    said = f"{shared} of {len(runs)} runs ({score:.2f})"
    if score < _CONTAINED:
        return Judgement(joined=False, score=score, reason=f"kept apart: only {said} are shared")
    both = len(here.numbers.keys() & there.numbers.keys())
    otherwise = other_numbers(here.numbers, there.numbers)
    if abs(apart) > WINDOW:
        against = said_apart(apart)
    elif len(otherwise) > _DIFFERENT_NUMBERS * both:
        against = said_numbers(otherwise)
    else:
        against = _other_titles(here, there) or _other_subject(shorter, longer)
    if against:
        return Judgement(joined=False, score=score, reason=f"kept apart: {against}; {said} are shared")
    alike = both - len(otherwise)
    numbers = f"{alike} {'number' if alike == 1 else 'numbers'} alike, {len(otherwise) or 'none'} otherwise"
    return Judgement(joined=True, score=score, reason=f"{said}, {numbers}, {said_apart(apart)}")


def said_apart(apart: timedelta) -> str:
    """Return in words how long two items were published after one another."""
    minutes = round(abs(apart).total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60} min apart" if minutes >= 60 else f"{minutes} min apart"


def other_numbers(here: dict[int, str], there: dict[int, str]) -> list[tuple[str, str]]:
    """Return the numbers that stand between the same two tokens here and there, and are not the same."""
    return [(number, there[place]) for place, number in here.items() if there.get(place, number) != number]


def said_numbers(numbers: list[tuple[str, str]]) -> str:
    """Return in words how numbers differ."""
    return ", ".join(f"{one} here, {other} there" for one, other in numbers[:_SHOWN])


def _other_titles(here: StoryFeatures, there: StoryFeatures) -> str:
    """Return what titles of one form have of their own, if both have something that the other text lacks."""
    one, other = pairs_of_letters(here.title), pairs_of_letters(there.title)
    if len(one & other) < _SAME_FORM * len(one | other):
        return ""
    own, others = _own_terms(here, there), _own_terms(there, here)
    if not own or not others:
        return ""
    return f"the titles have {' '.join(own[:_SHOWN])} here, {' '.join(others[:_SHOWN])} there"


def _own_terms(here: StoryFeatures, there: StoryFeatures) -> list[str]:
    """Return what only one of two items has in its title, and not in its text either."""
    return [term for term_hash, term in here.title_terms.items() if term_hash & 0xFFFF not in there.terms]


def _other_subject(shorter: StoryFeatures, longer: StoryFeatures) -> str:
    """Return why a text that stands in a much longer one is no shortened form of it: it is about something else."""
    if shorter.length * 2 >= longer.length:
        return ""
    opening = set(longer.runs[:_OPENING_RUNS])
    if len(opening.intersection(shorter.runs)) >= _OPENING_SHARE * len(opening):
        return ""
    weights = {term_hash: weight_of(term) for term_hash, term in longer.title_terms.items()}
    told = sum(weight for term_hash, weight in weights.items() if term_hash & 0xFFFF in shorter.terms)
    return "" if told >= _TITLE_SHARE * sum(weights.values()) else "the shorter stands in a text about something else"
