"""The ledger: what was decided about records, each fact once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby, islice

from sqlalchemy import ColumnElement, Select, and_, exists, not_, or_, select, true

from feedhub.model.identity import LedgerNote
from feedhub.model.item import LEFT_OUT_BY_WHERE, Received
from feedhub.model.report import LOG_KINDS, LedgerEntry, LogQuery
from feedhub.store.database import CHUNK, Connection, Database, PreparedStatement
from feedhub.store.sqlite import insert
from feedhub.store.tables import AnyRow, decode_item, fact_digest, items, ledger, sightings, sources, stored_key

_HIDDEN = PreparedStatement(
    select(items.c.id, sightings.c.wording)
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .where(items.c.hidden_at.is_not(None))
)
_SHOWN = exists(
    select(items.c.pk)
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .join(sources, sources.c.id == sightings.c.source_id)
    .where(
        items.c.id == ledger.c.item_id,
        items.c.shown_by.is_not(None),
        sources.c.name == ledger.c.source,
        sightings.c.dropped_by.is_(None),
    )
    .correlate(ledger)
)
_FORGOTTEN = (
    select(sources.c.name)
    .join(sightings, sightings.c.source_id == sources.c.id)
    .where(sightings.c.received == Received.FORGOTTEN.value)
)
_NEW_NOTE = PreparedStatement(insert(ledger).on_conflict_do_nothing(index_elements=["digest"]))


def write_notes(
    connection: Connection, source: str, notes: Iterable[LedgerNote], now: datetime, *, each_time: bool = False
) -> None:
    """Write notes about records of a source; what is written there already stays as it is, unless ``each_time``."""
    rows: list[dict[str, object]] = []
    for note in notes:
        said = {
            "source": source,
            "kind": note.kind,
            "reason": note.reason,
            "key": None if note.key is None else stored_key(note.key),
            "item_id": note.item_id,
            "title": note.title,
            "link": note.link,
        }
        when = now.isoformat() if each_time else None
        rows.append({"digest": fact_digest(*said.values(), *([when] if when else [])), "at": now, **said})
    if rows:
        connection.execute(_NEW_NOTE, rows)


class SqlLedger(Database):
    """See ``feedhub.ports.store.QueryStore``."""

    def log(self, query: LogQuery, first: int, count: int) -> tuple[LedgerEntry, ...]:
        with self._read() as connection:
            # Rows of one record stand together, one for each of its keys.
            entries = (entry for entry, _ in groupby(_newest_first(connection, _wanted(query))))
            if query.is_public:
                hidden = _hidden_names(connection)
                told = (one for one in entries if hidden.isdisjoint((one.item_id, one.title, one.link)))
                entries = (_without_words(entry) for entry in told)
            return tuple(islice(entries, first, first + count))


def _without_words(entry: LedgerEntry) -> LedgerEntry:
    """Return an entry for everybody: of what the owner leaves out it says only that, and by which rule."""
    if entry.reason.startswith(LEFT_OUT_BY_WHERE):
        entry = replace(entry, reason=LEFT_OUT_BY_WHERE)
    elif entry.kind not in LOG_KINDS["dropped"]:
        return entry
    return replace(entry, title="", link=None, item_id=None)


def _hidden_names(connection: Connection) -> set[str | None]:
    """Return the ids of hidden items, and the titles and links under which sources gave them."""
    names: set[str | None] = set()
    for item_id, wording in connection.execute(_HIDDEN):
        said = decode_item(wording)
        names |= {item_id, said.title, said.link}
    return names - {"", None}


def _newest_first(connection: Connection, wanted: Select[int]) -> Iterator[LedgerEntry]:
    rows = connection.execute(_part(wanted, None))
    while rows:
        yield from (replace(ledger_entry(row), key=None) for row in rows)
        rows = connection.execute(_part(wanted, rows[-1].id))


def _part(wanted: Select[int], before: int | None) -> Select[int]:
    part = wanted if before is None else wanted.where(ledger.c.id < before)
    return part.order_by(ledger.c.id.desc()).limit(CHUNK)


def _wanted(query: LogQuery) -> Select[int]:
    """Return the selection of all rows that a query asks for."""
    asked: list[ColumnElement[bool]] = [title_holds(ledger.c.title, word) for word in query.words.split()]
    if query.source:
        asked.append(ledger.c.source == query.source)
    if query.rule:
        asked.append(ledger.c.reason == f'rule "{query.rule}"')
    if query.kinds:
        asked.append(ledger.c.kind.in_([kind for name in query.kinds for kind in LOG_KINDS[name]]))
    if query.since:
        asked.append(ledger.c.at >= query.since)
    if query.is_public:
        asked += (ledger.c.source.not_in(_FORGOTTEN), or_(*_public_kinds(has_words=bool(query.words))))
    return select(ledger).where(*asked)


def _public_kinds(*, has_words: bool) -> Iterator[ColumnElement[bool]]:
    """Yield what everybody may know of: merged records that are shown, rejected ones, and that others were dropped."""
    yield and_(ledger.c.kind.in_(LOG_KINDS["merged"]), _SHOWN)
    asked_for = ledger.c.reason.startswith(LEFT_OUT_BY_WHERE)
    yield and_(ledger.c.kind.in_(LOG_KINDS["rejected"]), not_(asked_for) if has_words else true())
    if not has_words:
        yield ledger.c.kind.in_(LOG_KINDS["dropped"])


def ledger_entry(row: AnyRow) -> LedgerEntry:
    """Return what a row tells."""
    return LedgerEntry(
        at=row.at,
        source=row.source,
        kind=row.kind,
        reason=row.reason,
        key=row.key,
        item_id=row.item_id,
        title=row.title,
        link=row.link,
    )


def title_holds(title: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Ask for a word in a title; databases know the case of ASCII letters only."""
    forms = dict.fromkeys((word, word.upper(), word.capitalize()))
    return or_(*(title.icontains(form, autoescape=True) for form in forms))
