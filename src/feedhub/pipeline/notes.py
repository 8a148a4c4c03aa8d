"""What the ledger says of records that became no item: under every key, so that any of them leads to the reason."""

from collections.abc import Iterator

from feedhub.model.identity import IdentityKey, Ingest, LedgerNote
from feedhub.model.item import ParsedItem, Rejected
from feedhub.model.source import Source
from feedhub.rules.identity import keyed_document


def dropped_notes(ingest: Ingest) -> Iterator[LedgerNote]:
    """Yield the notes on a record that a rule dropped."""
    keyed = ingest.decision.keyed
    rule = ingest.filing.dropped_by if ingest.filing else ""
    return _notes("dropped", f'rule "{rule}"', keyed.keys, keyed.item.title, keyed.item.link)


def rejected_notes(rejected: Rejected, source: Source) -> Iterator[LedgerNote]:
    """Yield the notes on a record that could not be read, or was one too many."""
    seen = ParsedItem(
        position=rejected.position, title=rejected.title, text_digest="", guid=rejected.guid, link=rejected.link
    )
    keys = keyed_document([seen], source.identity, source.name).items[0].keys if seen.guid or seen.link else ()
    return _notes("rejected", rejected.reason, keys, rejected.title, rejected.link)


def _notes(kind: str, reason: str, keys: tuple[IdentityKey, ...], title: str, link: str | None) -> Iterator[LedgerNote]:
    for key in keys or (None,):
        yield LedgerNote(kind=kind, reason=reason, key=key.text if key else None, title=title, link=link)
