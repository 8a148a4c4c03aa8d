"""Trying rules on stored items: what each would do, beside what is published now (``feedhub rules test``)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from feedhub.model.identity import Filing
from feedhub.model.item import Item, Received
from feedhub.model.report import RulesTrial, RuleTrial, SightedItem, StoredSighting, TrialExample
from feedhub.model.source import Rule, Source
from feedhub.rules.categorize import CleanAgain, Subject, file_item, holds, record_categories, without_replacing

EXAMPLES: Final = 3


def edits_in_words(before: Item, after: Item) -> list[str]:
    """Return in words how rules changed what is shown of an item."""
    added = [tag for tag in after.tags if tag not in before.tags]
    words = [f"tagged {', '.join(added)}"] if added else []
    if after.title != before.title:
        words.append(f"title “{after.title}”")
    others = [
        name for name in ("summary", "content", "authors", "link") if getattr(after, name) != getattr(before, name)
    ]
    return [*words, *([f"another {', '.join(others)}"] if others else [])]


@dataclass(slots=True)
class _Counts:
    """What is counted of one rule."""

    holds: int = 0
    drops: int = 0
    files: int = 0
    edits: int = 0
    new: int = 0
    hidden_by: Counter[str] = field(default_factory=Counter)
    examples: list[TrialExample] = field(default_factory=list)


class RuleTrials:
    """Counts what rules would do to item after item.

    Of each rule ``most`` examples are kept, rather those that would be published otherwise, then the newest.
    """

    def __init__(self, rules: Sequence[Rule], *, most: int = EXAMPLES) -> None:
        self._rules = tuple(rules)
        self._without_replacing = without_replacing(rules)
        self._most = most
        self._items = self._leave = self._back = self._otherwise = self._final = 0
        self._returning: Counter[str] = Counter()
        self._counts = {rule.name: _Counts() for rule in rules}

    def add(
        self, item: SightedItem, sources: dict[str, Source], titles: dict[str, str], clean_again: CleanAgain
    ) -> None:
        """Try the rules on an item; ``titles`` are the slugs of categories that records may name."""
        self._items += 1
        is_other, is_kept = False, False
        for sighting in item.sightings:
            source = sources.get(sighting.source) or Source(name=sighting.source, url="")
            trial = _Trial(sighting, source, self._rules_for(sighting), titles, clean_again)
            is_kept = is_kept or trial.filing.dropped_by is None
            is_other = self._count(item, trial) or is_other
        if item.is_hidden:
            return
        if item.is_shown and not is_kept:
            self._leave += 1
        elif is_kept and not item.is_shown:
            self._back += 1
        elif is_other and is_kept:
            self._otherwise += 1

    def merge(self, other: "RuleTrials") -> None:
        """Add what was counted of other items with the same rules."""
        for name in ("_items", "_leave", "_back", "_otherwise", "_final"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._returning += other._returning
        for rule, theirs in other._counts.items():
            ours = self._counts[rule]
            for name in ("holds", "drops", "files", "edits", "new"):
                setattr(ours, name, getattr(ours, name) + getattr(theirs, name))
            ours.hidden_by += theirs.hidden_by
            for example in theirs.examples:
                self._keep(ours, example)

    def result(self) -> RulesTrial:
        """Return what was counted; the rules are in their order."""
        return RulesTrial(
            items=self._items,
            leave=self._leave,
            back=self._back,
            otherwise=self._otherwise,
            final=self._final,
            returning=tuple(sorted(self._returning.items())),
            rules=tuple(
                RuleTrial(
                    name=name,
                    holds=one.holds,
                    drops=one.drops,
                    files=one.files,
                    edits=one.edits,
                    new=one.new,
                    hidden_by=tuple(sorted(one.hidden_by.items())),
                    examples=tuple(sorted(one.examples, key=_worth, reverse=True)),
                )
                for name, one in self._counts.items()
            ),
        )

    def _rules_for(self, sighting: StoredSighting) -> Sequence[Rule]:
        if sighting.received is not Received.FINAL:
            return self._rules
        self._final += 1
        return self._without_replacing

    def _count(self, item: SightedItem, trial: "_Trial") -> bool:
        """Count what rules do to one sighting; return whether something else would be shown of it."""
        before, filing = trial.sighting, trial.filing
        if before.dropped_by is not None and filing.dropped_by is None:
            self._returning[before.dropped_by] += 1
        filed_by = {rule for _, rule in filing.categories}
        for name in filing.applied:
            counts = self._counts[name]
            counts.holds += 1
            drops, files, edits = name == filing.dropped_by, name in filed_by, name in trial.edited_by
            is_new = (
                (drops and before.dropped_by is None)
                or any(rule == name and slug not in before.categories for slug, rule in filing.categories)
                or (edits and trial.shown != before.shown)
            )
            counts.drops += drops
            counts.files += files
            counts.edits += edits
            counts.new += is_new
            if drops or files or edits:
                self._keep(counts, trial.example(item, name, is_new=is_new))
        for name, hiding in trial.passed_over():
            self._counts[name].hidden_by[hiding] += 1
        is_dropped = filing.dropped_by is not None
        if is_dropped or before.dropped_by is not None:
            return is_dropped != (before.dropped_by is not None)
        return trial.shown != before.shown or {slug for slug, _ in filing.categories} != before.categories

    def _keep(self, counts: _Counts, example: TrialExample) -> None:
        """Keep an example as long as there are not enough better ones."""
        counts.examples.append(example)
        if len(counts.examples) > self._most:
            counts.examples.remove(min(counts.examples, key=_worth))


def _worth(example: TrialExample) -> tuple[bool, datetime, str, str]:
    return example.is_new, example.published_at, example.item_id, example.source


class _Trial:
    """What rules make of one sighting, and which of them does what."""

    def __init__(
        self,
        sighting: StoredSighting,
        source: Source,
        rules: Sequence[Rule],
        titles: dict[str, str],
        clean_again: CleanAgain,
    ) -> None:
        self.sighting = sighting
        self._source = source
        self._rules = rules
        self._named = [titles.get(title, slug) for title, slug in record_categories(sighting.item, source)]
        self.filing = self._filed(rules, clean_again)
        self.shown = self.filing.shown or sighting.item
        self.edited_by = self._editing() if self.filing.shown else frozenset()

    def _editing(self) -> frozenset[str]:
        """Return the rules that change how the item is shown."""
        applied = frozenset(self.filing.applied)
        able = {place for place, rule in enumerate(self._rules) if rule.name in applied and (rule.replace or rule.tags)}
        if len(able) == 1:
            return frozenset(self._rules[place].name for place in able)
        found, shown = set(), self.sighting.item
        for place in sorted(able):
            after = self._filed(self._rules[: place + 1]).shown or self.sighting.item
            if after != shown:
                found.add(self._rules[place].name)
            shown = after
        return frozenset(found)

    def passed_over(self) -> Sequence[tuple[str, str]]:
        """Return the rules that would hold if one before did not drop the item or end the rules, with that one."""
        if not self.filing.applied:
            return ()
        place = next(place for place, rule in enumerate(self._rules) if rule.name == self.filing.applied[-1])
        last = self._rules[place]
        if not (last.drop or last.stop) or place + 1 == len(self._rules):
            return ()
        reached = self._filed(self._rules[: place if last.drop else place + 1])
        subject = Subject(
            item=reached.shown or self.sighting.item,
            source=self._source,
            categories=tuple(slug for slug, _ in reached.categories),
            dates=self.sighting.dates,
        )
        return [(rule.name, last.name) for rule in self._rules[place + 1 :] if holds(rule.when, subject)]

    def example(self, item: SightedItem, rule: str, *, is_new: bool) -> TrialExample:
        """Return the item as an example of what a rule does."""
        sighting, filing = self.sighting, self.filing
        if rule == filing.dropped_by:
            does = "dropped"
        else:
            slugs = [slug for slug, by in filing.categories if by == rule]
            parts = [f"in {', '.join(slugs)}"] if slugs else []
            does = "; ".join(
                [*parts, *edits_in_words(self.sighting.item, self.shown)] if rule in self.edited_by else parts
            )
        return TrialExample(
            item_id=item.item_id,
            title=sighting.item.title,
            source=sighting.source,
            published_at=sighting.dates.published_at,
            does=does,
            is_new=is_new,
        )

    def _filed(self, rules: Sequence[Rule], clean_again: CleanAgain = lambda markup, _item, _source: markup) -> Filing:
        return file_item(
            self.sighting.item,
            self._source,
            rules,
            self._named,
            dates=self.sighting.dates,
            clean_again=clean_again,
        )
