"""Small builders for plans, as the pipeline would hand them to a store."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from feedhub.model.identity import (
    Decision,
    Filing,
    IdentityKey,
    Ingest,
    IngestPlan,
    KeyedItem,
    KeyStrength,
    LedgerNote,
    Sighting,
    Verdict,
)
from feedhub.model.item import Item, ParsedItem
from feedhub.model.output import Category
from feedhub.model.source import Source

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def item_id(number: int) -> str:
    """A permanent id that ends in ``number`` and begins with it too, so that prefixes differ."""
    return f"urn:uuid:{number:08x}-0000-5000-8000-{number:012x}"


def url(number: int | str) -> IdentityKey:
    return IdentityKey(KeyStrength.URL, f"url:example.org/{number}")


def guid(source: str, number: int | str) -> IdentityKey:
    return IdentityKey(KeyStrength.GUID, f"guid:{source}:{number}")


def named(value: int | str, name: str = "infoCode") -> IdentityKey:
    return IdentityKey(KeyStrength.NAMED, f"{name}:{value}")


def keyed(
    number: int, source: str, *, title: str = "", position: int = 0, keys: Sequence[IdentityKey] = ()
) -> KeyedItem:
    title = title or f"Story {number}"
    return KeyedItem(
        said=Sighting(
            guid=str(number),
            url_key=url(number).text,
            title=title,
            text_digest=f"text {title}",
            extras_digest="extras",
            offered=True,
        ),
        item=ParsedItem(
            position=position,
            title=title,
            text_digest=f"text {title}",
            guid=str(number),
            link=f"https://example.org/{number}",
        ),
        keys=tuple(keys) or (url(number), guid(source, number)),
        signature=IdentityKey(KeyStrength.SIGNATURE, f"signature:{source}:{title}"),
    )


def ingest(
    number: int,
    source: str = "one",
    verdict: Verdict = Verdict.NEW,
    *,
    title: str = "",
    slugs: Sequence[str] | None = ("tech",),
    published_at: datetime = NOW,
    position: int = 0,
    keys: Sequence[IdentityKey] = (),
    gained: Sequence[IdentityKey] | None = None,
    moved: Sequence[IdentityKey] = (),
    reoffered: bool = False,
    rule: str = "source",
    wording: dict[str, Any] | None = None,
) -> Ingest:
    """One record of ``source``; item ``number``. A rewritten one carries its wording and its filing (``slugs``)."""
    record = keyed(number, source, title=title, position=position, keys=keys)
    if gained is None:
        gained = record.keys if verdict is Verdict.NEW else ()
    rewritten = verdict in {Verdict.NEW, Verdict.CHANGED, Verdict.REFRESHED, Verdict.DUPLICATE}
    text = {
        "title": record.item.title,
        "link": record.item.link,
        "content": f"<p>{record.item.title} from {source}</p>",
    }
    return Ingest(
        decision=Decision(
            keyed=record,
            verdict=verdict,
            item_id=item_id(number),
            gained=tuple(gained),
            moved=tuple(moved),
            text_digest=record.item.text_digest,
            extras_digest="extras",
            reoffered=reoffered,
        ),
        item=Item(**{**text, **(wording or {})}) if rewritten else None,
        filing=Filing(categories=tuple((slug, rule) for slug in slugs)) if rewritten and slugs is not None else None,
        published_at=published_at if rewritten else None,
    )


def plan(*ingests: Ingest, notes: Sequence[LedgerNote] = (), distrusted: Sequence[IdentityKey] = ()) -> IngestPlan:
    return IngestPlan(ingests=ingests, notes=tuple(notes), distrusted=tuple(distrusted))


def categories(*slugs: str) -> tuple[Category, ...]:
    return tuple(Category(slug=slug, title=slug.title()) for slug in slugs)


def put(
    store: Any,
    *ingests: Ingest,
    source: str = "one",
    now: datetime = NOW,
    complete: bool = False,
    notes: Sequence[LedgerNote] = (),
) -> frozenset[str]:
    """Store one poll of ``source`` and return the outputs it touched."""
    writing: AbstractContextManager[Any] = store.transaction()
    with writing as transaction:
        touched: frozenset[str] = transaction.ingest(source, plan(*ingests, notes=notes), now, complete=complete)
    return touched


def refile(
    store: Any,
    filings: Callable[[Item], Filing],
    *,
    source: str = "one",
    digest: str = "r1",
    most: int = 100,
    now: datetime = NOW,
) -> None:
    """Refile all of a source, ``most`` items in a transaction, by what ``filings`` makes of them."""
    has_more = True
    while has_more:
        with store.transaction() as transaction:
            has_more = transaction.refile(
                Source(name=source, url=""), digest, most, lambda item, *_: filings(item), now
            )


def filed_in(*slugs: str, rule: str = "rule") -> Filing:
    """What rules make of an item that they only put into categories."""
    return Filing(categories=tuple((slug, rule) for slug in slugs))
