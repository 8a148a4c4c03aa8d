"""The side of the store that pages and feeds for those who look see."""

from datetime import datetime

from feedhub.model.item import StoredItem
from feedhub.store import outputs, polls, search
from feedhub.store.sql_base import SqlBase


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
