"""The full text: which items are in its index, and by what terms. See ``sqlite.py`` for the index itself.

An item is in it by the terms of what ``all`` shows of it. The index keeps no copy of that: whoever changes it does so
inside of ``reindexed``.
"""

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import BindParameter, bindparam, delete, select

from feedhub.model.item import Terms
from feedhub.rules.text import TERMS_VERSION, item_terms
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.outputs import put_value
from feedhub.store.tables import decode_item, items, meta, sightings

_PKS: Final[BindParameter[Any]] = bindparam("pks", expanding=True)
_WORDINGS = PreparedStatement(
    select(items.c.pk, sightings.c.wording, sightings.c.effect)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.shown_by))
    .where(items.c.pk.in_(_PKS))
)
_NEXT = PreparedStatement(
    select(items.c.pk).where(items.c.pk > bindparam("after")).order_by(items.c.pk).limit(bindparam("most"))
)
_VALUE = PreparedStatement(select(meta.c.value).where(meta.c.key == bindparam("wanted")))
_VERSION: Final = "search_terms"
# The last item that was put into an index that is being made anew; there is none once all are.
_LAST: Final = "search_indexed_to"
_BEFORE_THE_FIRST: Final = -1


@contextmanager
def reindexed(connection: Connection, pks: Collection[int]) -> Iterator[None]:
    """Let the index follow what the block changes of what is shown of these items. Such blocks are never nested."""
    known = _indexed(connection, pks)
    before = _terms_shown(connection, known)
    yield
    after = _terms_shown(connection, known)
    changed = [pk for pk in known if before.get(pk) != after.get(pk)]
    connection.backend.unindex_texts(connection, _rows(before, changed))
    connection.backend.index_texts(connection, _rows(after, changed))


def index_new(connection: Connection, terms: dict[int, Terms]) -> None:
    """Put items that were stored just now into the index."""
    connection.backend.index_texts(connection, _rows(terms, _indexed(connection, terms.keys())))


class SqlSearch(Database):
    """See ``feedhub.ports.store.MaintenanceStore``."""

    def index_some(self, most: int = 200) -> bool:
        if self._query(_VALUE, {"wanted": _LAST}).scalar() is None:
            return False
        with self._write() as connection:
            last = _indexed_to(connection)
            if last is None:
                return False
            pks = connection.execute(_NEXT, {"after": last, "most": most}).scalars()
            connection.backend.index_texts(connection, _rows(_terms_shown(connection, pks), pks))
            if len(pks) < most:
                connection.execute(delete(meta).where(meta.c.key == _LAST))
                return False
            put_value(connection, _LAST, pks[-1])
            return True

    def empty_foreign_index(self) -> None:
        """Begin the index anew if its terms are not those that this feedhub would make, and could take out again."""
        version = f"{TERMS_VERSION} {unicodedata.unidata_version}"
        if self._query(_VALUE, {"wanted": _VERSION}).scalar() == version:
            return
        with self._write() as connection:
            connection.backend.empty_index(connection)
            if connection.execute(_NEXT, {"after": _BEFORE_THE_FIRST, "most": 1}):
                put_value(connection, _LAST, _BEFORE_THE_FIRST)
            put_value(connection, _VERSION, version)


def _indexed(connection: Connection, pks: Collection[int]) -> list[int]:
    """Return those of the items that are in the index, if they are shown."""
    last = _indexed_to(connection) if pks else None
    return sorted(pks if last is None else (pk for pk in pks if pk <= last))


def _indexed_to(connection: Connection) -> int | None:
    last = connection.execute(_VALUE, {"wanted": _LAST}).scalar()
    return None if last is None else int(last)


def _terms_shown(connection: Connection, pks: Collection[int]) -> dict[int, Terms]:
    return {
        row.pk: item_terms(decode_item(row.wording, row.effect))
        for part in chunks(pks)
        for row in connection.execute(_WORDINGS, {"pks": part})
    }


def _rows(terms: dict[int, Terms], pks: Sequence[int]) -> list[dict[str, object]]:
    return [{"pk": pk, "title": terms[pk][0], "body": terms[pk][1]} for pk in pks if pk in terms]
