"""Reads one document with the reader of its kind. Runs in a worker process, since strangers wrote the document."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from feedhub.model.document import Document
from feedhub.model.item import Item, ParsedFeed
from feedhub.model.source import Source
from feedhub.sources.markup import HtmlCleaner

if TYPE_CHECKING:
    from feedhub.model.report import RecordTrace

# What a kind declares as its reader and its tracer (model/kind.py).
_Reader = Callable[[Document, Source], ParsedFeed]
_Tracer = Callable[[Document, Source, int], "tuple[RecordTrace, ...]"]


def read_document(document: Document, source: Source, reader: str) -> ParsedFeed:
    """Return the items of ``document`` as ``reader`` (``module:function``) reads them, imported only now.

    Raises:
        ParseError: the document cannot be read.
    """
    return cast(_Reader, _imported(reader))(document, source)


def read_and_clean(document: Document, source: Source, reader: str) -> ParsedFeed:
    """Return the items of ``document``; those whose text the source had not offered before are cleaned, too.

    Raises:
        ParseError: the document cannot be read.
    """
    feed = read_document(document, source, reader)
    if source.detail is not None:  # the text comes with the second request
        return feed
    cleaner = HtmlCleaner()
    unknown = (item for item in feed.items if item.text_digest not in document.known_texts)
    cleaned = {item.position: cleaner.clean(item, source) for item in unknown}
    return replace(feed, cleaned=cleaned, sketches=_sketches(cleaned) if document.sketched else {})


def trace_document(document: Document, source: Source, limit: int, tracer: str) -> "tuple[RecordTrace, ...]":
    """Return what each path gave on the first ``limit`` records, as ``tracer`` (``module:function``) tells it.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    return cast(_Tracer, _imported(tracer))(document, source, limit)


def _sketches(cleaned: dict[int, Item]) -> dict[int, bytes]:
    from feedhub.rules.stories.features import sketch_of_item  # only where stories are told

    return {position: sketch_of_item(item) for position, item in cleaned.items()}


def _imported(place: str) -> object:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
