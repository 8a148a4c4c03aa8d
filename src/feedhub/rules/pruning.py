"""What of a document need not be read, since its source said it before: records that are the same to the byte.

Records are cut out of a document before it is read, without reading it. That is exact only for documents of which each
record is read by itself (``ParsedFeed.is_apart``), and for records that follow from what is stored of them: such ones
alone are remembered, by a digest of their bytes and of all that stands around the records.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from feedhub.model.document import Document
from feedhub.model.identity import KeyedItem, OfferedRecord
from feedhub.model.item import ParsedItem
from feedhub.model.source import Source
from feedhub.rules.text import BUILD_DATE, MOST_BUILD_DATES, is_character_data

READING_VERSION: Final = 2
"""To be raised when records are read otherwise than before: then all are read again."""
_RECORDS: Final = ((b"<item>", b"</item>"), (b"<entry>", b"</entry>"))
_SECTIONS: Final = ((b"<![CDATA[", b"]]>"), (b"<!--", b"-->"))
_NAMED: Final = frozenset({"id", "link", "title"})
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CutDocument:
    """A feed cut into records, and what stands before, between and behind them.

    ``digests`` are those of the records, signed numbers of 64 bits.
    """

    around: tuple[bytes, ...]
    records: tuple[bytes, ...]
    digests: tuple[int, ...]

    def with_records(self, numbers: Collection[int]) -> bytes:
        """Return the document with some of its records alone."""
        kept = [record if number in numbers else b"" for number, record in enumerate(self.records)]
        return b"".join(piece for pair in zip(self.around, [*kept, b""], strict=True) for piece in pair)


def may_prune(source: Source, *, has_link_rules: bool) -> bool:
    """Tell whether what a source said before can stand for its records: not where more than the record is asked for."""
    names = {field for pattern in source.identity for field in pattern.fields}
    return source.kind == "feed" and not (source.pages or source.detail or has_link_rules) and names <= _NAMED


def cut_document(document: Document, source: Source) -> CutDocument | None:
    """Cut a feed into its records; None for what cannot be cut for sure."""
    body = document.body
    opening, closing = next(((begin, end) for begin, end in _RECORDS if end in body), (b"", b""))
    pieces = body.split(closing) if closing else []
    if not 1 < len(pieces) <= min(source.limit or _MOST, _MOST) + 1 or opening in pieces[-1]:
        return None
    sections = [pair for pair in _SECTIONS if pair[0] in body or pair[1] in body]
    around: list[bytes] = []
    records: list[bytes] = []
    for piece in pieces[:-1]:
        before, _, record = piece.partition(opening)
        is_whole = _is_balanced(record, sections) and (not before or _is_balanced(before, sections))
        if opening in record or not is_whole or len(before) == len(piece):
            return None
        around.append(before)
        records.append(b"".join((opening, record, closing)))
    around.append(pieces[-1])
    if not _is_balanced(pieces[-1], sections):
        return None
    facts = (READING_VERSION, document.url, document.charset, source.settings_digest, source.name)
    context = hashlib.blake2b(repr(facts).encode("utf-8", "surrogatepass"))
    for part in around:
        if used := _without_build_dates(part):
            context.update(used + b"\0")
    key = context.digest()
    digests = [hashlib.blake2b(record, digest_size=8, key=key).digest() for record in records]
    return CutDocument(
        around=tuple(around),
        records=tuple(records),
        digests=tuple(int.from_bytes(digest, "big", signed=True) for digest in digests),
    )


def _without_build_dates(piece: bytes) -> bytes:
    return BUILD_DATE.sub(
        lambda found: found[0] if is_character_data(piece, found.start()) else b"", piece, MOST_BUILD_DATES
    ).strip()


def _is_balanced(piece: bytes, sections: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether no CDATA section or comment begins or ends in another piece of the document."""
    return all(
        piece.count(begin) == piece.count(end) and piece.rfind(begin) <= piece.rfind(end) for begin, end in sections
    )


def follows_from_store(keyed: KeyedItem) -> bool:
    """Tell whether a record with its keys follows from what is stored of it; see ``as_offered``."""
    item, said = keyed.item, keyed.said
    at = keyed.evidence.published_at
    return bool(
        item.title
        and item.link
        and item.guid
        and item.guid == said.guid
        and said.url_key
        and item.received_link is None
        and at is not None
        and at == item.published_at
        and not any("?" in enclosure.url for enclosure in item.enclosures)
    )


def as_offered(record: OfferedRecord, position: int) -> ParsedItem:
    """Return a record as far as it takes part in recognising items: without its texts."""
    said = record.said
    at = said.evidence.published_at if said.evidence else None
    return ParsedItem(
        position=position,
        title=said.title,
        text_digest=said.text_digest,
        guid=said.guid,
        link=record.link,
        published_at=at,
    )
