"""Full text over the owners' wordings."""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from feedhub.model.item import Item, Terms
from feedhub.model.report import SearchHit
from feedhub.rules.text import item_terms, query_terms, searched_text
from feedhub.store.codec import decode_item
from feedhub.store.outputs import chunks
from feedhub.store.sqlite import Connection, Prepared, index_texts, matching
from feedhub.store.tables import items, sightings, sources

_BEFORE, _AFTER = 30, 90
_HITS = Prepared(
    select(items.c.pk, items.c.id, items.c.published_at, sources.c.name, sightings.c.wording)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .join(sources, sources.c.id == items.c.owner_id)
    .where(items.c.pk.in_(bindparam("pks", expanding=True)))
)


def index_items(connection: Connection, wordings: Iterable[tuple[int, Item, Terms | None]]) -> None:
    """Put items into the index, in place of what was there of them; terms that are not given are cut here."""
    rows: list[dict[str, object]] = []
    for pk, item, terms in wordings:
        title, body = terms or item_terms(item)
        rows.append({"pk": pk, "title": title, "body": body})
    index_texts(connection, rows)


def search_items(connection: Connection, query: str, limit: int) -> tuple[SearchHit, ...]:
    """Return items that hold every word of ``query``, best first."""
    terms = query_terms(query)
    best = matching(connection, terms, limit)
    hits: dict[int, SearchHit] = {}
    for part in chunks(best):
        for row in connection.execute(_HITS, {"pks": part}):
            item = decode_item(row.wording)
            hits[row.pk] = SearchHit(
                id=row.id,
                title=item.title,
                link=item.link,
                source=row.name,
                published_at=row.published_at,
                snippet=snippet(item, terms),
            )
    return tuple(hits[pk] for pk in best)


def last_found(connection: Connection, query: str, limit: int) -> list[int]:
    """Return the numbers of the items that hold every word of ``query``, those stored last."""
    return matching(connection, query_terms(query), limit, last=True)


def count_found(connection: Connection, query: str, most: int) -> int:
    """Return how many items hold every word of ``query``, at most ``most``."""
    return len(last_found(connection, query, most))


def snippet(item: Item, terms: list[str]) -> str:
    """Return a line of plain text around the first place where a term stands; the beginning if none is visible."""
    text = " ".join(searched_text(item).split())
    places = [place for term in terms if (place := text.lower().find(_visible(term))) >= 0]
    start = max(0, min(places, default=0) - _BEFORE)
    end = start + _BEFORE + _AFTER
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")


def _visible(term: str) -> str:
    """Return what ``query_terms`` cut a term from: 金融 融消 → 金融消."""
    first, *rest = term.rstrip("*").split(" ")
    return first + "".join(pair[-1] for pair in rest)
