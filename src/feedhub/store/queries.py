"""What people ask: the full text over the owners' wordings, and all that is known of an item (``feedhub explain``)."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, or_, select

from feedhub.model.item import Item, StoredItem
from feedhub.model.report import Explanation, LedgerEntry, SearchHit, SightingReport
from feedhub.rules.text import query_terms, searched_text
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.outputs import owned_items
from feedhub.store.sqlite import matching
from feedhub.store.tables import (
    AnyRow,
    categories,
    decode_item,
    identity_keys,
    items,
    ledger,
    memberships,
    sightings,
    sources,
    stored_key,
)

_BEFORE, _AFTER = 30, 90
_HITS = PreparedStatement(
    select(items.c.pk, items.c.id, items.c.published_at, sources.c.name, sightings.c.wording)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
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
_ID = re.compile(r"(?:urn:uuid:)?([0-9a-f][0-9a-f-]{7,35})", re.IGNORECASE)
_ITEM = select(items.c.pk, items.c.id, items.c.published_at, items.c.removed_at, sources.c.name).join(
    sources, sources.c.id == items.c.owner_id
)


class SqlQueries(Database):
    """See ``feedhub.ports.store.QueryStore``."""

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        terms = query_terms(query)
        hits: dict[int, SearchHit] = {}
        with self._read() as connection:
            best = matching(connection, terms, limit)
            for part in chunks(best):
                for row in connection.execute(_HITS, {"pks": part}):
                    item = decode_item(row.wording)
                    hits[row.pk] = SearchHit(
                        id=row.id,
                        title=item.title,
                        link=item.link,
                        source=row.name,
                        published_at=row.published_at,
                        snippet=_snippet(item, terms),
                    )
        return tuple(hits[pk] for pk in best)

    def search_items(self, query: str, limit: int) -> tuple[StoredItem, ...]:
        with self._read() as connection:
            return owned_items(connection, matching(connection, query_terms(query), limit, last=True))

    def count_matches(self, query: str, most: int) -> int:
        with self._read() as connection:
            return len(matching(connection, query_terms(query), most, last=True))

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
    return tuple(_entry(row) for row in rows)


def _entry(row: AnyRow) -> LedgerEntry:
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


def _id_prefix(ref: str) -> str | None:
    """Return the beginning of an item id that ``ref`` gives (eight hex digits at least), or None."""
    found = _ID.fullmatch(ref)
    return f"urn:uuid:{found[1].lower()}" if found else None


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
    by_key = _ITEM.join(identity_keys, identity_keys.c.item_pk == items.c.pk)
    by_address = _ITEM.join(sightings, sightings.c.item_pk == items.c.pk)
    for ref in refs:
        rows = _rows(connection, by_key.where(identity_keys.c.text == stored_key(ref)))
        # An address that several records share is nobody's key, but still where they were seen.
        rows += _rows(connection, by_address.where(sightings.c.url_key == ref))
        if prefix := _id_prefix(ref):
            # "g" sorts behind every hex digit and the dash.
            rows += _rows(connection, _ITEM.where(items.c.id >= prefix, items.c.id < prefix + "g"))
        for row in rows:
            found.setdefault(row.id, (row, ref))
    return list(found.values())


def _explain_item(connection: Connection, row: AnyRow, ref: str) -> Explanation:
    keys = tuple(
        connection.execute(
            select(identity_keys.c.text)
            .where(identity_keys.c.item_pk == row.pk)
            .order_by(identity_keys.c.strength, identity_keys.c.text)
        ).scalars()
    )
    seen = connection.execute(
        select(sightings, sources.c.name)
        .join(sources)
        .where(sightings.c.item_pk == row.pk)
        .order_by(sightings.c.first_seen_at, sources.c.id)
    )
    own = next((sighting for sighting in seen if sighting.name == row.name), None)
    reports = tuple(_sighting(sighting) for sighting in seen)
    links = [report.link for report in reports if report.link]
    return Explanation(
        ref=ref,
        item_id=row.id,
        owner=row.name,
        title=decode_item(own.wording).title if own else "",
        published_at=row.published_at,
        updated_at=own.updated_at if own else None,
        removed_at=row.removed_at,
        keys=keys,
        sightings=reports,
        memberships=_memberships(connection, row.pk),
        ledger=_entries(connection, keys, row.id, links),
    )


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
    return SightingReport(
        source=row.name,
        link=wording.link,
        title=wording.title,
        first_seen_at=row.first_seen_at,
        updated_at=row.updated_at,
        offered=row.left_at is None,
        left_at=row.left_at,
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
