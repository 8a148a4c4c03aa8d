"""The side of the store that publishing sees."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from feedhub.model.item import StoredItem
from feedhub.model.output import CategorySummary, Mark, PageItem
from feedhub.model.report import HealthEvent
from feedhub.store import health, outputs, pages
from feedhub.store.sql_base import SqlBase


class SqlOutputs(SqlBase):
    """See ``feedhub.ports.output_store.OutputStore``."""

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
            return health.newest_events(connection, limit)

    def health_number(self) -> int:
        """See the port."""
        with self._read() as connection:
            return health.newest_number(connection)

    def health_published(self) -> int:
        """See the port."""
        with self._read() as connection:
            return outputs.change_number(connection, health.PUBLISHED)

    def mark_health_published(self, number: int) -> None:
        """See the port."""
        with self._write() as connection:
            outputs.put_number(connection, health.PUBLISHED, number)

    def page_items(self, since: int) -> Iterator[PageItem]:
        """See the port."""
        for part in self._selected(pages.touched_items(since)):
            with self._read() as connection:
                found = pages.page_items(connection, part)
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
            return pages.marks(connection, slug, since, until, limit)

    def count_between(self, slug: str, since: datetime, until: datetime) -> int:
        """See the port."""
        with self._read() as connection:
            return pages.count(connection, slug, since, until)

    def published_before(self, slug: str, moment: datetime) -> datetime | None:
        """See the port."""
        with self._read() as connection:
            return pages.published_before(connection, slug, moment)

    def shown(self, slug: str, ids: Sequence[str]) -> tuple[StoredItem, ...]:
        """See the port."""
        with self._read() as connection:
            return pages.shown(connection, slug, ids)

    def newest_of_sources(self) -> Mapping[str, datetime]:
        """See the port."""
        with self._read() as connection:
            return pages.newest_of_sources(connection)
