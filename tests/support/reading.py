"""Reads documents as their sources' built-in kinds say, in this process."""

from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed
from feedhub.model.source import Source
from feedhub.sources import read
from feedhub.sources.kinds import KINDS


def reader_of(source: Source) -> str:
    """Return the reader of a source of a built-in kind."""
    kind = KINDS.kind(source.kind)
    assert kind is not None
    return kind.reader


def read_document(document: Document, source: Source) -> ParsedFeed:
    """Return the items of a document."""
    return read.read_document(document, source, reader_of(source))


def read_and_clean(document: Document, source: Source) -> ParsedFeed:
    """Return the items of a document, cleaned where the source had not offered them before."""
    return read.read_and_clean(document, source, reader_of(source))
