"""Categories that records bring (``category: {from: …}``), and how many of them one source may begin."""

from dataclasses import dataclass, field
from typing import Final

from feedhub.model.item import Item
from feedhub.model.source import Source
from feedhub.ports.store import Transaction
from feedhub.rules.categorize import brought_categories

# Every category is some files in the output, a link on every page, and a feed that is rendered again when it changes.
MOST_BROUGHT: Final = 500


@dataclass(slots=True, kw_only=True)
class Brought:
    """Finds the categories of the records of one document. ``left_out`` are titles for which there was no room."""

    transaction: Transaction
    source: Source
    left_out: dict[str, None] = field(default_factory=dict)
    _room: int | None = None

    def slugs(self, item: Item) -> list[str]:
        """Return the categories that the record itself names; a new title begins one as long as there is room."""
        pairs = brought_categories(item, self.source)
        found = [self._slug(title, wanted) for title, wanted in pairs]
        return [slug for slug in found if slug is not None]

    def words(self) -> tuple[str, ...]:
        """Return what to say of titles that were left out."""
        if not self.left_out:
            return ()
        count = "1 category" if len(self.left_out) == 1 else f"{len(self.left_out)} categories"
        first = next(iter(self.left_out))
        return (f"{count} not begun, the first “{first}”: the records of a source may bring {MOST_BROUGHT} in all",)

    def _slug(self, title: str, wanted: str) -> str | None:
        known = self.transaction.category_of_title(title)
        if known is not None:
            return known
        if self._room is None:
            self._room = MOST_BROUGHT - self.transaction.brought(self.source.name)
        if self._room <= 0:
            self.left_out[title] = None
            return None
        self._room -= 1
        return self.transaction.category_slug(title, wanted)
