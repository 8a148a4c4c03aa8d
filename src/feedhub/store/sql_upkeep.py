"""The side of the store that keeps it small and safe."""

import os
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from feedhub.errors import DamagedStoreError, StoreError
from feedhub.model.report import PruneReport
from feedhub.store import retention
from feedhub.store.exclusive import alone
from feedhub.store.sql_base import SqlBase
from feedhub.store.sqlite import Guard, copy_database, damage_words, first_damage, tidy_up


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
