"""What ``preview`` and ``discover`` read beyond a poll; in a worker process, as everything that strangers wrote."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem, Prepared
from feedhub.model.report import RecordTrace
from feedhub.model.source import Source
from feedhub.rules.challenges import is_challenge
from feedhub.rules.text import item_terms
from feedhub.sources import KINDS
from feedhub.sources.document.charset import decode
from feedhub.sources.document.sniff import Shape, from_feed_on, shape_of, unpacked
from feedhub.sources.feed.discover import feeds_in_page
from feedhub.sources.feed.json_feed import read_json_feed
from feedhub.sources.feed.web_feed import read_web_feed
from feedhub.sources.markup.clean import HtmlCleaner


def trace(document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
    """Return what each path gave on the first ``limit`` records of a mapped source; nothing for other kinds.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    if source.kind == "json":
        from feedhub.sources.mapped.json_api import traced

        return traced(document, source, limit)
    if source.kind == "html":
        from feedhub.sources.mapped.html_page import trace_html_page

        return trace_html_page(document, source, limit)
    return ()


_MOST_OFFERS = 5


class DocumentReader(Protocol):
    """Reads the documents of one source kind. Pure: no I/O, no clock."""

    def __call__(self, document: Document, source: Source) -> ParsedFeed:
        """Return the items of ``document``, or raise ParseError."""
        ...


def read_document(document: Document, source: Source, kinds: Mapping[str, str] = KINDS) -> ParsedFeed:
    """Return the items of ``document``, read as the kind of ``source``.

    ``kinds`` maps the name of a kind to ``module:function``, so that workers load only what they need.

    Raises:
        ParseError: the document cannot be read, or nobody knows the kind.
    """
    place = kinds.get(source.kind)
    if place is None:
        raise ParseError(f"unknown kind {source.kind!r}")
    module, _, name = place.partition(":")
    reader = cast(DocumentReader, getattr(import_module(module), name))
    return reader(document, source)


def read_feed(document: Document, source: Source) -> ParsedFeed:
    """Read ``kind: feed``: any dialect of RSS and Atom, or JSON Feed, told apart by content.

    Raises:
        ParseError: the document is empty, a web page (``offers`` lists its feeds), or no feed that can be read.
    """
    body = unpacked(document.body, source.max_size)
    decoded = decode(body, override=source.encoding, http_charset=document.charset)
    text = from_feed_on(decoded.text)
    shape = shape_of(text)
    if shape is Shape.EMPTY:
        raise ParseError("the document is empty")
    if shape is Shape.HTML:
        raise _web_page(text, document.url)
    if shape is Shape.OTHER:
        raise ParseError(f"not a feed: {shape.value}")
    if shape is Shape.JSON:
        feed = read_json_feed(text, document.url, source, document.fetched_at)
    else:
        # Doubts about the charset are told anew every time.
        known = "" if decoded.notes else document.known_reading
        feed = read_web_feed(text, document.url, source, document.fetched_at, known=known)
    return replace(feed, notes=(*decoded.notes, *feed.notes))


def _web_page(text: str, url: str) -> ParseError:
    offers = tuple(feed.url for feed in feeds_in_page(text, url))
    if not offers and is_challenge(text):
        return ParseError("challenge page instead of a feed")
    told = f"it offers: {', '.join(offers[:_MOST_OFFERS])}" if offers else "it offers no feed"
    return ParseError(f"a web page instead of a feed; {told}", offers=offers)


def read_prepared(document: Document, source: Source, kinds: Mapping[str, str]) -> ParsedFeed:
    """Return the items of ``document``; those whose text the source had not offered before are cleaned, too.

    Raises:
        ParseError: see ``read_document``.
    """
    feed = read_document(document, source, kinds)
    if source.detail is not None:  # the text is still to come
        return feed
    cleaner = HtmlCleaner()
    unknown = (item for item in feed.items if item.text_digest not in document.known_texts)
    return replace(feed, prepared={item.position: _prepared(item, source, cleaner) for item in unknown})


def _prepared(parsed: ParsedItem, source: Source, cleaner: HtmlCleaner) -> Prepared:
    item = replace(cleaner.clean(parsed, source), published_at=parsed.published_at)
    return Prepared(item=item, terms=item_terms(item))
