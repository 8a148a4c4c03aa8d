"""What the rules make of an item: as it is stored, and again when the rules change. Categories that records name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from feedhub.model.identity import Filing, KnownItem
from feedhub.model.item import Item, ItemDates, ParsedItem, Received
from feedhub.model.source import Rule, Source
from feedhub.ports.store import Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.categorize import file_item, record_categories, without_replacing
from feedhub.rules.select import settled_published

# Every category is some files in the output, a link on every page, and a feed that is rendered again when it changes.
MOST_RECORD_CATEGORIES: Final = 500


def dates_of(record: ParsedItem, known: KnownItem | None, now: datetime) -> ItemDates:
    """Return the dates that the item of a record has, or will have when it is stored ``now``."""
    return ItemDates(
        published_at=(known and known.published_at) or settled_published(record.published_at, now),
        first_seen_at=(known and known.first_seen_at) or now,
    )


class ItemFiler:
    """Files items of one source in a transaction. Categories that records name are begun as they are needed."""

    def __init__(
        self, transaction: Transaction, source: Source, rules: Sequence[Rule], cleaner: Cleaner, now: datetime
    ) -> None:
        self._source = source
        self._rules = rules
        self._cleaner = cleaner
        self._categories = _RecordCategories(transaction=transaction, source=source, now=now)
        self._left_out: dict[str, None] = {}

    def filing(self, item: Item, received: Received, dates: ItemDates) -> Filing:
        """Return what the rules make of an item; what is dropped begins no category."""
        rules = self._rules_without_replacing if received is Received.FINAL else self._rules
        named = record_categories(item, self._source)
        wished = [self._categories.find(title) or slug for title, slug in named]
        filing = self._filed(item, rules, wished, dates)
        if filing.dropped_by is not None or not named:
            return filing
        slugs = [slug for title, wanted in named if (slug := self._categories.find_or_add(title, wanted))]
        return filing if slugs == wished else self._filed(item, rules, slugs, dates)

    def warning(self) -> tuple[str, ...]:
        """Return what to say of categories that were not begun, and of replacements that were left out."""
        left_out = (
            f'rule "{name}" was left out where it would have made a text several times as long'
            for name in self._left_out
        )
        return (*self._categories.warning(), *left_out)

    def _filed(self, item: Item, rules: Sequence[Rule], named: Sequence[str], dates: ItemDates) -> Filing:
        filing = file_item(item, self._source, rules, named, dates=dates, clean_again=self._cleaner.clean_again)
        self._left_out.update(dict.fromkeys(filing.left_out))
        return filing

    @cached_property
    def _rules_without_replacing(self) -> tuple[Rule, ...]:
        return without_replacing(self._rules)


@dataclass(slots=True, kw_only=True)
class _RecordCategories:
    """The categories that the records of a source name themselves. ``left_out``: titles without room for them."""

    transaction: Transaction
    source: Source
    now: datetime
    left_out: dict[str, None] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)
    _room: int | None = None

    def find(self, title: str) -> str | None:
        """Return the slug of the category of a title, if there is one."""
        if title not in self._known:
            found = self.transaction.find_category(title)
            if found is None:
                return None
            self._known[title] = found
        return self._known[title]

    def find_or_add(self, title: str, wanted: str) -> str | None:
        """Return the same; a new title begins a category as long as there is room."""
        found = self.find(title)
        if found is not None:
            return found
        if self._room is None:
            self._room = MOST_RECORD_CATEGORIES - self.transaction.count_record_categories(self.source.name)
        if self._room <= 0:
            self.left_out[title] = None
            return None
        self._room -= 1
        self._known[title] = self.transaction.find_or_add_category(title, wanted, self.now)
        return self._known[title]

    def warning(self) -> tuple[str, ...]:
        """Return what to say of titles that were left out."""
        if not self.left_out:
            return ()
        count = "1 category" if len(self.left_out) == 1 else f"{len(self.left_out)} categories"
        first, most = next(iter(self.left_out)), MOST_RECORD_CATEGORIES
        return (f"{count} not begun, the first “{first}”: the records of a source may bring {most} in all",)
