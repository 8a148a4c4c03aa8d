"""The store in memory: the reference for the port, for tests and for trying things out. Slow and simple on purpose."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from feedhub.errors import StoreError
from feedhub.model.identity import IdentityKey, IngestPlan, KnownKeys
from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, CategorySummary
from feedhub.model.report import Explanation, HealthEvent, PruneReport, SourceCounts
from feedhub.model.source import SourceState
from feedhub.store.memory_categories import sync_categories
from feedhub.store.memory_data import ALL, Data
from feedhub.store.memory_explain import explain
from feedhub.store.memory_ingest import apply_plan, known_keys
from feedhub.store.memory_look import MemoryLook
from feedhub.store.memory_pages import MemoryPages
from feedhub.store.memory_prune import prune
from feedhub.store.memory_schedule import MemorySchedule
from feedhub.store.polls import days_between
from feedhub.store.tables import EPOCH


class MemoryTransaction:
    """See ``feedhub.ports.store.Transaction``."""

    def __init__(self, data: Data) -> None:
        self._data = data

    @contextmanager
    def part(self) -> Iterator[None]:
        """See the port."""
        before = self._data.copied()
        try:
            yield
        except BaseException:
            self._data.become(before)
            raise

    def state(self, name: str) -> SourceState:
        """See the port."""
        return self._data.states.get(name) or SourceState(name=name)

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        return known_keys(self._data, source, keys)

    def ingest(self, source: str, plan: IngestPlan, now: datetime, *, complete: bool) -> frozenset[str]:
        """See the port."""
        return apply_plan(self._data, source, plan, now, complete=complete)

    def save_state(self, state: SourceState) -> None:
        """See the port."""
        before = self._data.states.get(state.name, SourceState(name=state.name))
        self._data.sources.setdefault(state.name)
        self._data.states[state.name] = state
        self._data.saved.setdefault(state.name)
        if (before.title, before.link, before.configured_url) != (state.title, state.link, state.configured_url):
            holding = {slug for (slug, _), (source, _) in self._data.memberships.items() if source == state.name}
            self._data.bump({ALL, *holding}, ())

    def rate(self, source: str, since: datetime) -> int:
        """See the port."""
        return sum(seen.first_seen_at >= since for (_, name), seen in self._data.sightings.items() if name == source)

    def tell(self, events: Sequence[HealthEvent]) -> None:
        """See the port."""
        self._data.events = [*self._data.events, *events]

    def hold(self, names: Sequence[str], until: datetime) -> None:
        """See the port."""
        for name in set(names) & self._data.states.keys():
            state = self._data.states[name]
            if state.next_poll_at is not None and state.next_poll_at < until:
                self._data.states[name] = replace(state, next_poll_at=until)

    def category_of_title(self, title: str) -> str | None:
        """See the port."""
        return self._data.slug_of_known_title(title)

    def brought(self, source: str) -> int:
        """See the port."""
        filed = {slug for (_, name), said in self._data.filings.items() if name == source for slug in said}
        return sum(self._data.outputs[slug].from_records for slug in filed & self._data.outputs.keys())

    def category_slug(self, title: str, wanted: str) -> str:
        """See the port."""
        return self._data.slug_of_title(title, wanted)

    def wording(self, source: str, item_id: str) -> Item | None:
        """See the port."""
        seen = self._data.sightings.get((item_id, source))
        return seen.wording if seen else None


class MemoryStore(MemorySchedule, MemoryPages, MemoryLook):
    """See ``feedhub.ports.store.Store``."""

    def __init__(self) -> None:
        super().__init__()

    @contextmanager
    def writing(self) -> Iterator[MemoryTransaction]:
        """See the port."""
        with self._lock:
            before = self._data.copied()
            try:
                yield MemoryTransaction(self._data)
            except BaseException:
                self._data = before
                raise

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        with self._lock:
            return known_keys(self._data, source, keys)

    def offered_texts(self, source: str) -> frozenset[str]:
        """See the port."""
        with self._lock:
            seen = ((name, one) for (_, name), one in self._data.sightings.items())
            return frozenset(one.said.text_digest for name, one in seen if name == source and one.left_at is None)

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, now: datetime, *, from_records: bool = False
    ) -> None:
        """See the port."""
        with self._lock:
            sync_categories(self._data, categories, output_digest, from_records=from_records)

    def posts(self, since: int) -> tuple[tuple[str, StoredItem], ...]:
        """See the port."""
        data = self._data
        with self._lock:
            due = [
                (data.sightings[item, source].touched, item, slug, source)
                for (slug, item), (source, _) in data.memberships.items()
                if data.sightings[item, source].touched > since
            ]
            return tuple((slug, data.shown(data.items[item], source)) for _, item, slug, source in sorted(due))

    def change_number(self) -> int:
        """See the port."""
        return self._data.changes

    def posts_published(self) -> int:
        """See the port."""
        return self._data.posted

    def mark_posts_published(self, number: int) -> None:
        """See the port."""
        self._data.posted = number

    def states(self) -> tuple[SourceState, ...]:
        """See the port."""
        with self._lock:
            return tuple(self._data.states[name] for name in sorted(self._data.saved))

    def due_outputs(self) -> dict[str, int]:
        """See the port."""
        with self._lock:
            return {
                slug: output.version
                for slug, output in self._data.ordered_outputs()
                if output.version > output.published_version
            }

    def mark_published(self, versions: dict[str, int]) -> None:
        """See the port."""
        with self._lock:
            for slug in versions.keys() & self._data.outputs.keys():
                output = self._data.outputs[slug]
                latest = max(output.published_version, versions[slug])
                self._data.outputs[slug] = replace(output, published_version=latest)

    def newest(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._lock:
            return tuple(self._data.shown(item, source) for item, source in self._data.newest(slug)[:limit])

    def newest_of(self, slugs: Sequence[str], limit: int) -> dict[str, tuple[StoredItem, ...]]:
        """See the port."""
        with self._lock:
            return {slug: self.newest(slug, limit) for slug in slugs}

    def categories(self) -> tuple[CategorySummary, ...]:
        """See the port."""
        with self._lock:
            return tuple(
                CategorySummary(
                    slug=slug,
                    title=output.category.title,
                    items=len(self._data.newest(slug)),
                    changed_at=output.changed_at,
                )
                for slug, output in self._data.ordered_outputs()
                if slug != ALL
            )

    def item_count(self) -> int:
        """See the port."""
        with self._lock:
            return sum(item.removed_at is None for item in self._data.items.values())

    def changed_at(self, slug: str) -> datetime:
        """See the port."""
        with self._lock:
            return self._data.outputs[slug].changed_at if slug in self._data.outputs else EPOCH

    def counts(self, since: datetime) -> dict[str, SourceCounts]:
        """See the port."""
        with self._lock:
            given: dict[str, list[datetime]] = {}
            for (item_id, source), seen in self._data.sightings.items():
                if self._data.items[item_id].removed_at is None:
                    given.setdefault(source, []).append(seen.first_seen_at)
            polled = {source: state.last_poll_at for source, state in self._data.states.items()}
            return {
                source: SourceCounts(
                    items=len(times),
                    items_per_day=sum(at >= since for at in times) / days_between(since, polled.get(source)),
                )
                for source, times in sorted(given.items())
            }

    def filed_digests(self) -> dict[str, str | None]:
        """See the port."""
        with self._lock:
            return {source: self._data.filed_digests.get(source) for source in self._data.sources}

    def mark_filed(self, names: Sequence[str], digest: str) -> None:
        """See the port."""
        with self._lock:
            for name in names:
                self._data.sources.setdefault(name)
                self._data.filed_digests[name] = digest

    def refile(
        self, source: str, filings: Iterable[tuple[str, tuple[tuple[str, str], ...]]], *, digest: str, now: datetime
    ) -> None:
        """See the port."""
        wanted = dict(filings)
        with self._lock:
            self._data.sources.setdefault(source)
            self._data.filed_digests[source] = digest
            for item_id, pairs in wanted.items():
                if (item_id, source) in self._data.sightings and self._data.items[item_id].removed_at is None:
                    self._data.bump(self._data.file(item_id, source, pairs), {item_id})

    def wordings(self, source: str) -> Iterator[tuple[str, Item]]:
        """See the port."""
        with self._lock:
            found = [
                (item, seen.wording)
                for (item, name), seen in self._data.sightings.items()
                if name == source and self._data.items[item].removed_at is None
            ]
        return iter(found)

    def explain(self, refs: Sequence[str]) -> tuple[Explanation, ...]:
        """See the port."""
        with self._lock:
            return explain(self._data, refs)

    def prune(
        self, *, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
    ) -> PruneReport:
        """See the port."""
        with self._lock:
            return prune(self._data, offered_before, keep_per_category, forget_before, now)

    def verify(self) -> None:
        """Nothing can be damaged."""

    def maintain(self) -> None:
        """Nothing to tidy up."""

    def backup(self, path: str) -> None:
        """Nothing to copy.

        Raises:
            StoreError: always.
        """
        raise StoreError(f"a store in memory cannot be copied to {path}")

    def close(self) -> None:
        """See the port."""
