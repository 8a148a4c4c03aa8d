"""What trying rules needs of stored items and says of them: ``feedhub rules test``."""

from dataclasses import dataclass
from datetime import datetime

from feedhub.model.item import Item, ItemDates, Received


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSighting:
    """What a source said of a stored item, and what the rules in force make of it.

    ``shown`` is how they leave it, ``categories`` are the slugs under which they file it.
    """

    source: str
    item: Item
    received: Received
    dates: ItemDates
    shown: Item
    dropped_by: str | None = None
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SightedItem:
    """A stored item with all that its sources said, in the order in which outputs prefer them.

    ``is_shown`` tells whether outputs show it, ``is_hidden`` that it was hidden by hand.
    """

    item_id: str
    sightings: tuple[StoredSighting, ...]
    is_shown: bool
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialExample:
    """One item on which a rule acts. ``is_new``: what is published of it would change by that."""

    item_id: str
    title: str
    source: str
    published_at: datetime
    does: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrial:
    """What one rule does: on how many sightings it ``holds``, and how many of these it drops, files or edits.

    ``new`` counts those of which something else would be published by that. ``hidden_by`` pairs rules that go before
    with the number of sightings on which this one would hold if they did not drop or stop them.
    """

    name: str
    holds: int = 0
    drops: int = 0
    files: int = 0
    edits: int = 0
    new: int = 0
    hidden_by: tuple[tuple[str, int], ...] = ()
    examples: tuple[TrialExample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesTrial:
    """What rules would make of the stored ``items``, beside what is published now.

    So many ``leave`` all outputs, come ``back`` or are shown ``otherwise``. ``returning`` counts sightings by the rule
    that drops them now and would no more. Of ``final`` ones only what rules of before made is stored, so that replacing
    does not act on them.
    """

    items: int = 0
    leave: int = 0
    back: int = 0
    otherwise: int = 0
    final: int = 0
    returning: tuple[tuple[str, int], ...] = ()
    rules: tuple[RuleTrial, ...] = ()
