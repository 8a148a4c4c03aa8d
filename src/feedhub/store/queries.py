"""What people ask: the full text, with its index, and all that is known of an item (``feedhub explain``).

An item is in the index by the terms of what ``all`` shows of it. New ones wait for that until somebody searches, or the
daemon has nothing else to do. The index keeps no copy of the texts: whoever changes what is shown of an item does so
inside of ``reindexed``. How it is kept is each database's own (``Backend``).
"""

import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam, delete, or_, select

from feedhub.errors import StoreError
from feedhub.model.identity import KeyStrength
from feedhub.model.item import Item, StoredItem, Terms
from feedhub.model.report import Explanation, KeyReport, LedgerEntry, SearchHit, SightingReport
from feedhub.rules.text import (
    TERMS_VERSION,
    item_terms,
    query_terms,
    query_words,
    searched_text,
    text_digest,
    visible_text,
)
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.ledger import ledger_entry, title_holds
from feedhub.store.outputs import put_value, shown_items
from feedhub.store.sqlite import insert
from feedhub.store.tables import (
    AnyRow,
    categories,
    decode_item,
    decode_sighting,
    distrusted_keys,
    identity_keys,
    items,
    ledger,
    memberships,
    meta,
    sightings,
    sources,
    stored_key,
    unindexed_items,
)

log = logging.getLogger(__name__)

_PKS: Final[BindParameter[Any]] = bindparam("pks", expanding=True)
_WORDINGS = PreparedStatement(
    select(items.c.pk, sightings.c.wording, sightings.c.effect)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.shown_by))
    .where(items.c.pk.in_(_PKS))
)
_NEXT = PreparedStatement(
    select(unindexed_items.c.item_pk).order_by(unindexed_items.c.item_pk).limit(bindparam("most"))
)
_WAITING = PreparedStatement(select(unindexed_items.c.item_pk).where(unindexed_items.c.item_pk.in_(_PKS)))
_WAIT = PreparedStatement(insert(unindexed_items).on_conflict_do_nothing())
_ALL_WAIT = PreparedStatement(unindexed_items.insert().from_select(["item_pk"], select(items.c.pk)))
_NONE_WAITS = PreparedStatement(delete(unindexed_items))
_WAITED = PreparedStatement(delete(unindexed_items).where(unindexed_items.c.item_pk.in_(_PKS)))
_VALUE = PreparedStatement(select(meta.c.value).where(meta.c.key == bindparam("wanted")))
INDEX_VERSION: Final = "search_terms"
"""The value of a store that tells which terms its index has."""
_MOST_AT_ONCE: Final = 200
_PATIENCE: Final = 2.0
"""For how many seconds a search makes the index whole before it answers from what there is."""


@contextmanager
def reindexed(connection: Connection, pks: Collection[int]) -> Iterator[None]:
    """Let the index follow what the block changes of what is shown of these items. Such blocks are never nested."""
    known = sorted({*pks} - {*_waiting(connection, pks)})
    before = _terms_shown(connection, known)
    yield
    after = _terms_shown(connection, known)
    changed = [pk for pk in known if before.get(pk) != after.get(pk)]
    connection.backend.unindex_texts(connection, _term_rows(before, changed))
    connection.backend.index_texts(connection, _term_rows(after, changed))


def index_later(connection: Connection, pks: Iterable[int]) -> None:
    """Have items that were stored just now wait for the index."""
    if rows := [{"item_pk": pk} for pk in pks]:
        connection.execute(_WAIT, rows)


class SqlSearch(Database):
    """See ``feedhub.ports.store.MaintenanceStore``."""

    def index_some(self, most: int = _MOST_AT_ONCE) -> bool:
        if not self._query(_NEXT, {"most": 1}):
            return False
        with self._write() as connection:
            pks = connection.execute(_NEXT, {"most": most}).scalars()
            connection.backend.index_texts(connection, _term_rows(_terms_shown(connection, pks), pks))
            for part in chunks(pks):
                connection.execute(_WAITED, {"pks": part})
        return len(pks) == most

    def empty_foreign_index(self) -> None:
        """Begin the index anew if its terms are not those that this feedhub would make, and could take out again."""
        version = f"{TERMS_VERSION} {unicodedata.unidata_version}"
        if self._query(_VALUE, {"wanted": INDEX_VERSION}).scalar() == version:
            return
        with self._write() as connection:
            connection.backend.empty_index(connection)
            connection.execute(_NONE_WAITS)
            connection.execute(_ALL_WAIT)
            put_value(connection, INDEX_VERSION, version)

    def _make_index_whole(self, seconds: float = _PATIENCE) -> None:
        """Put in what waits, as far as that is soon done; a store that cannot be written to is searched as it is."""
        until, reason = monotonic() + seconds, ""
        try:
            while self.index_some():
                if monotonic() >= until:
                    reason = "more of them wait than one search puts in"
                    break
        except StoreError as error:
            reason = str(error)
        if reason:
            log.warning("the newest items cannot be found yet", extra={"reason": reason})


def _waiting(connection: Connection, pks: Collection[int]) -> list[int]:
    return [pk for part in chunks(pks) for pk in connection.execute(_WAITING, {"pks": part}).scalars()]


def _terms_shown(connection: Connection, pks: Collection[int]) -> dict[int, Terms]:
    return {
        row.pk: item_terms(decode_item(row.wording, row.effect))
        for part in chunks(pks)
        for row in connection.execute(_WORDINGS, {"pks": part})
    }


def _term_rows(terms: dict[int, Terms], pks: Sequence[int]) -> list[dict[str, object]]:
    return [{"pk": pk, "title": terms[pk][0], "body": terms[pk][1]} for pk in pks if pk in terms]


_BEFORE, _AFTER = 30, 90
_HITS = PreparedStatement(
    select(
        items.c.pk,
        items.c.id,
        items.c.published_at,
        sources.c.name,
        sources.c.title,
        sightings.c.wording,
        sightings.c.effect,
    )
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.shown_by))
    .join(sources, sources.c.id == items.c.shown_by)
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)
_ABOUT = (
    select(ledger)
    .where(
        or_(
            ledger.c.key.in_(bindparam("keys", expanding=True)),
            ledger.c.item_id.in_(bindparam("ids", expanding=True)),
            ledger.c.link.in_(bindparam("links", expanding=True)),
        )
    )
    .order_by(ledger.c.at, ledger.c.id)
)
_ENTRIES_SEARCHED: Final = 20_000
"""How many of the newest ledger entries are read for words in titles: there is no index of them."""
_TITLED_ENTRIES: Final = ("dropped", "rejected", "duplicate", "repeat", "removed")
"""Kinds of entries whose title is that of the record which they are about."""
_ID = re.compile(r"(?:urn:uuid:)?([0-9a-f][0-9a-f-]{7,35})", re.IGNORECASE)
_ITEM = select(
    items.c.pk,
    items.c.id,
    items.c.published_at,
    items.c.removed_at,
    items.c.shown_by,
    items.c.hidden_at,
    items.c.hidden_reason,
    sources.c.name,
).join(sources, sources.c.id == items.c.owner_id)
_BY_KEY = (
    _ITEM.add_columns(identity_keys.c.text.label("name_found"))
    .join(identity_keys, identity_keys.c.item_pk == items.c.pk)
    .where(identity_keys.c.text.in_(bindparam("names", expanding=True)))
    .order_by(items.c.pk)
)
_BY_ADDRESS = (
    _ITEM.add_columns(sightings.c.url_key.label("name_found"))
    .join(sightings, sightings.c.item_pk == items.c.pk)
    .where(sightings.c.url_key.in_(bindparam("names", expanding=True)))
    .order_by(items.c.pk)
)


class SqlQueries(SqlSearch):
    """See ``feedhub.ports.store.QueryStore``."""

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        self._make_index_whole()
        terms = query_terms(query)
        hits: dict[int, SearchHit] = {}
        with self._read() as connection:
            best = connection.backend.matching(connection, terms, limit)
            for part in chunks(best):
                for row in connection.execute(_HITS, {"pks": part}):
                    item = decode_item(row.wording, row.effect)
                    hits[row.pk] = SearchHit(
                        id=row.id,
                        title=item.title,
                        link=item.link,
                        source=row.name,
                        source_title=row.title,
                        published_at=row.published_at,
                        snippet=_snippet(item, terms),
                    )
        return tuple(hits[pk] for pk in best)

    def search_items(self, query: str, limit: int) -> tuple[StoredItem, ...]:
        self._make_index_whole()
        with self._read() as connection:
            return shown_items(
                connection, connection.backend.matching(connection, query_terms(query), limit, last=True)
            )

    def count_matches(self, query: str, most: int) -> int:
        self._make_index_whole()
        with self._read() as connection:
            return len(connection.backend.matching(connection, query_terms(query), most, last=True))

    def explain(self, refs: Sequence[str]) -> tuple[Explanation, ...]:
        refs = tuple(dict.fromkeys(refs))
        with self._read() as connection:
            found = _items_named(connection, refs)
            ids = {row.id for row, _ in found}
            prefixes = [prefix for ref in refs if (prefix := _id_prefix(ref))]
            noted = _entries_about(connection, keys=refs, ids=prefixes, links=refs)
            more = {entry.item_id for entry in noted if entry.item_id} - ids
            found += [(row, row.id) for row in _rows(connection, _ITEM.where(items.c.id.in_(more)))]
            explained = [_explain_item(connection, row, ref) for row, ref in found]
        shown = {replace(entry, key=None) for explanation in explained for entry in explanation.ledger}
        rest = [entry for entry in _without_repeats(noted) if replace(entry, key=None) not in shown]
        return (*explained, *_explain_by_ledger(refs, rest))

    def explain_titles(self, words: str, limit: int) -> tuple[Explanation, ...]:
        self._make_index_whole()
        with self._read() as connection:
            pks = connection.backend.matching(connection, query_terms(words), limit, last=True, in_title=True)
            names = connection.execute(select(items.c.id).where(items.c.pk.in_(pks))).scalars()
            told = _entries_titled(connection, query_words(words), limit)
        names += [name for entry in told if (name := _name_of(entry))]
        nameless = (Explanation(ref=one.title, title=one.title, ledger=(one,)) for one in told if not _name_of(one))
        found = [*self.explain(names), *nameless]
        return tuple(sorted(found, key=_moment, reverse=True)[:limit])


def _snippet(item: Item, terms: list[str]) -> str:
    """Return a line of plain text around the first term in it; the beginning if the text has none."""
    text = " ".join(searched_text(item).split())
    places = [place for term in terms if (place := text.lower().find(_uncut(term))) >= 0]
    start = max(0, min(places, default=0) - _BEFORE)
    end = start + _BEFORE + _AFTER
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")


def _uncut(term: str) -> str:
    """Return what ``query_terms`` cut a term from: 金融 融消 → 金融消."""
    first, *rest = term.rstrip("*").split(" ")
    return first + "".join(pair[-1] for pair in rest)


def _entries_about(
    connection: Connection, *, keys: Collection[str], ids: Collection[str], links: Collection[str]
) -> tuple[LedgerEntry, ...]:
    """Return the entries that name one of these, oldest first."""
    rows = connection.execute(
        _ABOUT, {"keys": [stored_key(key) for key in keys], "ids": list(ids), "links": list(links)}
    )
    return tuple(ledger_entry(row) for row in rows)


def _id_prefix(ref: str) -> str | None:
    """Return the beginning of an item id that ``ref`` gives (eight hex digits at least), or None."""
    found = _ID.fullmatch(ref)
    if not found:
        return None
    digits = found[1].lower()
    return UUID(digits).urn if len(digits) == 32 and "-" not in digits else f"urn:uuid:{digits}"


def _entries_titled(connection: Connection, words: Sequence[str], limit: int) -> list[LedgerEntry]:
    """Return entries about records whose titles hold all words, newest first, one for each of ``limit`` records."""
    if not words:
        return []
    newest = select(ledger).order_by(ledger.c.id.desc()).limit(_ENTRIES_SEARCHED).subquery()
    wanted = (
        select(newest)
        .where(newest.c.kind.in_(_TITLED_ENTRIES), *(title_holds(newest.c.title, word) for word in words))
        .order_by(newest.c.id.desc())
        .limit(limit * 10)  # a record has an entry for each of its keys
    )
    found: dict[tuple[str, str | None], LedgerEntry] = {}
    for row in connection.execute(wanted):
        found.setdefault((row.title, row.link), ledger_entry(row))
    return list(found.values())[:limit]


def _name_of(entry: LedgerEntry) -> str | None:
    return entry.item_id or entry.key or entry.link


def _moment(explanation: Explanation) -> datetime:
    return explanation.published_at or explanation.ledger[-1].at


def _without_repeats(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Return entries without those that say the same under another key of the record."""
    found: dict[LedgerEntry, LedgerEntry] = {}
    for entry in entries:
        found.setdefault(replace(entry, key=None), entry)
    return tuple(found.values())


def _rows(connection: Connection, statement: Select[Any]) -> list[AnyRow]:
    return list(connection.execute(statement.order_by(items.c.pk)))


def _items_named(connection: Connection, refs: Sequence[str]) -> list[tuple[AnyRow, str]]:
    found: dict[str, tuple[AnyRow, str]] = {}
    named: dict[str, list[AnyRow]] = defaultdict(list)
    for part in chunks(refs):
        for row in connection.execute(_BY_KEY, {"names": [stored_key(ref) for ref in part]}):
            named[row.name_found].append(row)
        # An address that several records share is nobody's key, but still where they were seen.
        for row in connection.execute(_BY_ADDRESS, {"names": part}):
            named[row.name_found].append(row)
    for ref in refs:
        rows = named[stored_key(ref)] + (named[ref] if stored_key(ref) != ref else [])
        if prefix := _id_prefix(ref):
            # "g" sorts behind every hex digit and the dash.
            rows += _rows(connection, _ITEM.where(items.c.id >= prefix, items.c.id < prefix + "g"))
        for row in rows:
            found.setdefault(row.id, (row, ref))
    return list(found.values())


def _explain_item(connection: Connection, row: AnyRow, ref: str) -> Explanation:
    reports = tuple(
        KeyReport(text=text, strength=KeyStrength(strength), since=since)
        for text, strength, since in connection.execute(
            select(identity_keys.c.text, identity_keys.c.strength, identity_keys.c.added_at)
            .where(identity_keys.c.item_pk == row.pk)
            .order_by(identity_keys.c.strength, identity_keys.c.text)
        )
    )
    keys = tuple(report.text for report in reports)
    seen = connection.execute(
        select(sightings, sources.c.name)
        .join(sources)
        .where(sightings.c.item_pk == row.pk)
        .order_by(sightings.c.first_seen_at, sources.c.id)
    )
    own = next((sighting for sighting in seen if sighting.name == row.name), None)
    sighted = tuple(_sighting(sighting) for sighting in seen)
    links = [sighting.link for sighting in sighted if sighting.link]
    return Explanation(
        ref=ref,
        item_id=row.id,
        owner=row.name,
        title=decode_item(own.wording, own.effect).title if own else "",
        published_at=row.published_at,
        updated_at=own.updated_at if own else None,
        removed_at=row.removed_at,
        shown_by=next((sighting.name for sighting in seen if sighting.source_id == row.shown_by), None),
        hidden_at=row.hidden_at,
        hidden_reason=row.hidden_reason or "",
        keys=keys,
        sightings=sighted,
        memberships=_memberships(connection, row.pk),
        ledger=_entries(connection, keys, row.id, links),
        key_reports=reports,
        shared=_shared(connection, seen),
    )


def _shared(connection: Connection, seen: Iterable[AnyRow]) -> tuple[str, ...]:
    """Return the addresses and guids of sightings that are known to be those of several items."""
    found: set[str] = set()
    for row in seen:
        names = [name for name in (row.url_key, row.guid and f"guid:{row.name}:{row.guid}") if name]
        stored = {stored_key(name): name for name in names}
        distrusted = select(distrusted_keys.c.key).where(
            distrusted_keys.c.source_id == row.source_id, distrusted_keys.c.key.in_(stored)
        )
        sections = select(identity_keys.c.text).where(identity_keys.c.text.in_(stored), identity_keys.c.is_section == 1)
        found.update(stored[key] for wanted in (distrusted, sections) for key in connection.execute(wanted).scalars())
    return tuple(sorted(found))


def _entries(
    connection: Connection, keys: Sequence[str], item_id: str, links: Sequence[str]
) -> tuple[LedgerEntry, ...]:
    """Return what the ledger says about an item: entries of another item that share a link or key are not its own."""
    found: dict[LedgerEntry, None] = {}
    for part in chunks(keys):
        found.update(dict.fromkeys(_entries_about(connection, keys=part, ids=[item_id], links=links)))
    entries = (entry for entry in found if entry.item_id in {None, item_id})
    return _without_repeats(sorted(entries, key=lambda entry: entry.at))


def _sighting(row: AnyRow) -> SightingReport:
    wording = decode_item(row.wording)
    text = visible_text(wording.content or wording.summary or "").strip()
    return SightingReport(
        source=row.name,
        link=wording.link,
        title=wording.title,
        first_seen_at=row.first_seen_at,
        updated_at=row.updated_at,
        offered=row.left_at is None,
        left_at=row.left_at,
        said=decode_sighting(row),
        date=wording.published_at,
        text_digest=text_digest("", text) if text else "",
        dropped_by=row.dropped_by,
    )


def _memberships(connection: Connection, pk: int) -> tuple[tuple[str, str, str], ...]:
    rows = connection.execute(
        select(memberships.c.slug, memberships.c.rule, sources.c.name)
        .join(sources, sources.c.id == memberships.c.source_id)
        .outerjoin(categories, categories.c.slug == memberships.c.slug)
        .where(memberships.c.item_pk == pk)
        .order_by(categories.c.position, memberships.c.slug)
    )
    return tuple((slug, rule, name) for slug, rule, name in rows)


def _explain_by_ledger(refs: Sequence[str], rest: Sequence[LedgerEntry]) -> list[Explanation]:
    """Explain the refs of which only the ledger knows."""
    explained: list[Explanation] = []
    for ref in refs:
        names = {stored_key(ref), ref, _id_prefix(ref)}
        own = tuple(entry for entry in rest if names & {entry.key, entry.link, entry.item_id} - {None})
        rest = [entry for entry in rest if entry not in own]
        if own:
            explained.append(Explanation(ref=ref, title=own[-1].title, ledger=own))
    return explained
