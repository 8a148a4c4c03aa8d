"""The side of the store in memory that pages and feeds for those who look see."""

import re
import threading
from datetime import datetime, timedelta

from feedhub.model.item import Item, StoredItem
from feedhub.model.report import SearchHit
from feedhub.rules.text import query_terms, search_terms, searched_text
from feedhub.store.memory_data import ALL, Data
from feedhub.store.search import snippet

_WORD = re.compile(r"[^\W_]+")
_DAY = timedelta(days=1)


class MemoryLook:
    """See ``feedhub.ports.store.LookStore``."""

    _data: Data
    _lock: threading.RLock

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """See the port; newest first among those with as many words in the title."""
        terms = query_terms(query)
        matching = sorted(self._matching(terms), key=lambda item: -_count(item.item.title, terms))
        return tuple(
            SearchHit(
                id=item.id,
                title=item.item.title,
                link=item.item.link,
                source=item.source,
                published_at=item.published_at,
                snippet=snippet(item.item, terms),
            )
            for item in matching[:limit]
        )

    def found(self, query: str, limit: int) -> tuple[StoredItem, ...]:
        """See the port."""
        stored = {item: number for number, item in enumerate(self._data.items)}
        last = sorted(self._matching(query_terms(query)), key=lambda item: stored[item.id], reverse=True)[:limit]
        return tuple(sorted(last, key=lambda item: (item.published_at, item.id), reverse=True))

    def count_found(self, query: str, most: int) -> int:
        """See the port."""
        return min(most, len(self._matching(query_terms(query))))

    def daily(self, since: datetime, days: int) -> dict[str, tuple[int, ...]]:
        """See the port."""
        counted: dict[str, list[int]] = {}
        with self._lock:
            for (_, source), seen in self._data.sightings.items():
                day = (seen.first_seen_at - since) // _DAY
                if 0 <= day < days:
                    counted.setdefault(source, [0] * days)[day] += 1
        return {source: tuple(numbers) for source, numbers in sorted(counted.items())}

    def _matching(self, terms: list[str]) -> list[StoredItem]:
        with self._lock:
            found = [self._data.shown(item, source) for item, source in self._data.newest(ALL)] if terms else []
        return [item for item in found if _count(_text(item.item), terms) == len(terms)]


def _text(item: Item) -> str:
    return f"{item.title} {searched_text(item)}"


def _count(text: str, terms: list[str]) -> int:
    padded = f" {' '.join(_WORD.findall(search_terms(text)))} "
    return sum((f" {term[:-1]}" if term.endswith("*") else f" {term} ") in padded for term in terms)
