"""What a worker process does with a document beyond reading it: what can be done before the store is asked."""

from collections.abc import Mapping
from dataclasses import replace

from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem, Prepared
from feedhub.model.source import Source
from feedhub.rules.search_terms import item_terms
from feedhub.sources.clean import HtmlCleaner
from feedhub.sources.readers import read_document


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
