"""The side of the store that pages and feeds for those who look see."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from feedhub.errors import DamagedStoreError, StoreError
from feedhub.model.identity import IdentityKey, KnownKeys
from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, CategorySummary, Mark, PageItem
from feedhub.model.report import Explanation, HealthEvent, PruneReport, SearchHit, SourceCounts
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.store import explain, known, outputs, polls, retention, search
from feedhub.store.exclusive import alone
from feedhub.store.memberships import refile, some_wordings, sync_categories
from feedhub.store.sqlite import Guard, copy_database, damage_words, first_damage, open_engine, tidy_up
from feedhub.store.transaction import SqlBase, SqlTransaction


class SqlLook(SqlBase):
    """See ``feedhub.ports.store.LookStore``."""

    def found(self, query: str, limit: int) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.owned(connection, search.last_found(connection, query, limit))

    def count_found(self, query: str, most: int) -> int:
        """See the port."""
        with self._read() as connection:
            return search.count_found(connection, query, most)

    def daily(self, since: datetime, days: int) -> dict[str, tuple[int, ...]]:
        """See the port."""
        with self._read() as connection:
            return polls.daily(connection, since, days)


class SqlOutputs(SqlBase):
    """See ``feedhub.ports.store.OutputStore``."""

    def posts(self, since: int) -> tuple[tuple[str, StoredItem], ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.touched_posts(connection, since)

    def change_number(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection)

    def posts_published(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection, outputs.POSTS_PUBLISHED)

    def mark_posts_published(self, number: int) -> None:
        """See the port."""
        with self._write() as connection:
            outputs.put_number(connection, outputs.POSTS_PUBLISHED, number)

    def due_outputs(self) -> dict[str, int]:
        """See the port."""
        with self._read() as connection:
            return outputs.due_outputs(connection)

    def mark_published(self, versions: dict[str, int]) -> None:
        """See the port."""
        if versions:
            with self._write() as connection:
                outputs.mark_published(connection, versions)

    def newest(self, slug: str, limit: int) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.newest(connection, slug, limit)

    def newest_of(self, slugs: Sequence[str], limit: int) -> dict[str, tuple[StoredItem, ...]]:
        """See the port."""
        with self._read() as connection:
            return outputs.newest_of(connection, slugs, limit)

    def categories(self) -> tuple[CategorySummary, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.summaries(connection)

    def item_count(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.item_count(connection)

    def changed_at(self, slug: str) -> datetime:
        """See the port."""
        with self._read() as connection:
            return outputs.changed_at(connection, slug)

    def health_events(self, limit: int) -> tuple[HealthEvent, ...]:
        """See the port."""
        with self._read() as connection:
            return polls.newest_events(connection, limit)

    def health_number(self) -> int:
        """See the port."""
        with self._read() as connection:
            return polls.newest_number(connection)

    def health_published(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection, polls.PUBLISHED)

    def mark_health_published(self, number: int) -> None:
        """See the port."""
        with self._write() as connection:
            outputs.put_number(connection, polls.PUBLISHED, number)

    def page_items(self, since: int) -> Iterator[PageItem]:
        """See the port."""
        for part in self._selected(outputs.touched_items(since)):
            with self._read() as connection:
                found = outputs.page_items(connection, part)
            yield from found

    def pages_published(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection, outputs.PAGES_PUBLISHED, unset=-1)

    def mark_pages_published(self, number: int) -> None:
        """See the port."""
        with self._write() as connection:
            outputs.put_number(connection, outputs.PAGES_PUBLISHED, number)

    def marks(self, slug: str, since: datetime, until: datetime, limit: int | None = None) -> tuple[Mark, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.marks(connection, slug, since, until, limit)

    def count_between(self, slug: str, since: datetime, until: datetime) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.count(connection, slug, since, until)

    def published_before(self, slug: str, moment: datetime) -> datetime | None:
        """See the port."""
        with self._read() as connection:
            return outputs.published_before(connection, slug, moment)

    def shown(self, slug: str, ids: Sequence[str]) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._read() as connection:
            return outputs.shown(connection, slug, ids)

    def newest_of_sources(self) -> Mapping[str, datetime]:
        """See the port."""
        with self._read() as connection:
            return outputs.newest_of_sources(connection)


class SqlUpkeep(SqlBase):
    """See ``feedhub.ports.store.Upkeep``."""

    def prune(
        self, *, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
    ) -> PruneReport:
        """See the port."""
        removed = 0
        if offered_before is not None:
            removed += self._remove_outdated(offered_before, now)
        if keep_per_category is not None:
            removed += self._cut_categories(keep_per_category, now)
        keys = entries = 0
        for part in self._selected(retention.forgettable(forget_before)):
            with self._write() as connection:
                keys += retention.forget(connection, part)
        for part in self._selected(retention.old_entries(forget_before)):
            with self._write() as connection:
                entries += retention.drop_entries(connection, part)
        return PruneReport(items=removed, keys=keys, ledger=entries)

    def _remove_outdated(self, offered_before: datetime, now: datetime) -> int:
        removed = 0
        outdated = retention.outdated(offered_before)
        for part in self._selected(outdated):
            with self._write() as connection:
                pks = retention.still(outdated, part, connection)
                retention.remove(connection, pks, now)
                removed += len(pks)
        return removed

    def _cut_categories(self, keep: int, now: datetime) -> int:
        removed = 0
        with self._read() as connection:
            slugs = retention.categories_over(connection, keep)
        for slug in slugs:
            beyond = retention.beyond(slug, keep)
            for part in self._selected(beyond):
                with self._write() as connection:
                    homeless = retention.cut(connection, slug, retention.still(beyond, part, connection))
                    retention.remove(connection, homeless, now)
                    removed += len(homeless)
        return removed

    def alone(self, task: str, *, wait: float) -> AbstractContextManager[None]:
        """See the port."""
        return alone(self._place, task, wait)

    def maintain(self) -> None:
        """See the port."""
        with self._alone_in_process(), self._guard:
            tidy_up(self._engine)

    def verify(self) -> None:
        """See the port."""
        with self._guard:
            fault = first_damage(self._engine)
        if fault:
            raise DamagedStoreError(f"store {self._place} {damage_words(fault)}")

    def backup(self, path: str) -> None:
        """See the port."""
        target = Path(path)
        if os.path.lexists(target):
            raise StoreError(f"backup {path} is there already")
        unfinished = target.with_name(target.name + ".part")
        try:
            with Guard(path, OSError):
                unfinished.unlink(missing_ok=True)
                copy_database(self._engine, unfinished)
                unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)


BUSY_TIMEOUT = 10.0


def open_store(url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> "SqlStore":
    """Open the store at an SQLAlchemy URL, making folder, file and tables where they are missing.

    ``busy_timeout`` is how many seconds a statement waits for another writer.

    Raises:
        StoreError: the address is not understood, or the store cannot be used.
    """
    try:
        address = make_url(url)
    except ArgumentError as exc:
        raise StoreError("store address cannot be read: write sqlite:///PATH") from exc
    if address.get_backend_name() == "postgresql":
        raise StoreError("PostgreSQL is not supported yet: write sqlite:///PATH")
    if (
        address.drivername not in {"sqlite", "sqlite+pysqlite"}
        or not address.database
        or ":memory:" in address.database
    ):
        raise StoreError(f"store {address.render_as_string()} is of an unknown kind: write sqlite:///PATH")
    store = SqlStore(open_engine(address, busy_timeout), address.database, busy_timeout)
    try:
        store.prepare()
    except StoreError:
        store.close()
        raise
    return store


class SqlStore(SqlOutputs, SqlLook, SqlUpkeep):
    """See ``feedhub.ports.store.Store``."""

    @contextmanager
    def writing(self) -> Iterator[SqlTransaction]:
        """See the port."""
        with self._write() as connection:
            yield SqlTransaction(connection, self._guard)

    def known(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        """See the port."""
        with self._read() as connection:
            return known.known_keys(connection, polls.number_if_any(connection, source), keys)

    def plan_polls(self, plan: Sequence[PlannedPoll]) -> None:
        """See the port."""
        with self._write() as connection:
            polls.plan_polls(connection, plan)

    def due(self, now: datetime, *, per_host: int, limit: int) -> tuple[SourceState, ...]:
        """See the port."""
        with self._read() as connection:
            return polls.due(connection, now, per_host, limit)

    def next_due_at(self) -> datetime | None:
        """See the port."""
        with self._read() as connection:
            return polls.next_due_at(connection)

    def offered_texts(self, source: str) -> frozenset[str]:
        """See the port."""
        with self._read() as connection:
            return known.offered_texts(connection, source)

    def sync_categories(
        self, categories: Sequence[Category], output_digest: str, now: datetime, *, from_records: bool = False
    ) -> None:
        """See the port."""
        with self._write() as connection:
            sync_categories(connection, categories, output_digest, from_records=from_records)

    def states(self) -> tuple[SourceState, ...]:
        """See the port."""
        with self._read() as connection:
            return polls.all_states(connection)

    def counts(self, since: datetime) -> dict[str, SourceCounts]:
        """See the port."""
        with self._read() as connection:
            return polls.count_sightings(connection, since)

    def filed_digests(self) -> dict[str, str | None]:
        """See the port."""
        with self._read() as connection:
            return polls.filed_digests(connection)

    def mark_filed(self, names: Sequence[str], digest: str) -> None:
        """See the port."""
        if names:
            with self._write() as connection:
                polls.mark_filed(connection, names, digest)

    def refile(
        self,
        source: str,
        filings: Iterable[tuple[str, tuple[tuple[str, str], ...]]],
        *,
        digest: str,
        now: datetime,
    ) -> None:
        """See the port."""
        # Rules are run while the iterable is read: not inside the transaction.
        wanted = dict(filings)
        with self._write() as connection:
            number = polls.source_number(connection, source)
            outputs.bump(connection, *refile(connection, number, wanted))
            polls.save_filed_digest(connection, number, digest)

    def wordings(self, source: str) -> Iterator[tuple[str, Item]]:
        """See the port."""
        last: int | None = 0
        while last is not None:
            with self._read() as connection:
                last, page = some_wordings(connection, source, last)
            yield from page

    def explain(self, refs: Sequence[str]) -> tuple[Explanation, ...]:
        """See the port."""
        with self._read() as connection:
            return explain.explain(connection, refs)

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """See the port."""
        with self._read() as connection:
            return search.search_items(connection, query, limit)
