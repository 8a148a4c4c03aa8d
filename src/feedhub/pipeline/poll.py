"""The outside half of a poll: fetch and read, anywhere and in parallel; nothing is written (the rest: ``store.py``)."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from feedhub.errors import PollError
from feedhub.model.document import Document, NotModified, Validators
from feedhub.model.item import ParsedFeed
from feedhub.model.source import Source, SourceState
from feedhub.pipeline.details import NO_DETAILS, Details, Outside
from feedhub.rules.build_dates import without_build_dates
from feedhub.rules.moves import redirected_request
from feedhub.rules.requests import first_request, next_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came. ``feed`` is None when nothing had to be parsed; ``seconds`` is what it took.

    ``asked`` is the address that the request went to, "" when there was none. ``held_until`` says that no request was
    made because the host wants to be left alone until then.
    """

    source: Source
    asked: str = ""
    answer: Document | NotModified | None = None
    feed: ParsedFeed | None = None
    details: Details = NO_DETAILS
    error: PollError | None = None
    held_until: datetime | None = None
    seconds: float = 0.0


def fetch_source(source: Source, state: SourceState, *, outside: Outside, now: datetime) -> Fetched:
    """Fetch a source and read what came, unless it is what came last time. Writes nothing to the store."""
    if source.broken:
        return Fetched(source=source, error=PollError(source.broken))
    current = is_current(source, state)
    request = first_request(source, state.validators if current else Validators(), now)
    request = redirected_request(request, source, state)
    asked = request.url
    answer: Document | NotModified | None = None
    try:
        answer = _settled(outside.fetcher.fetch(outside.sign(request, source)), source)
        if isinstance(answer, NotModified) or (current and answer.digest == state.body_digest):
            return Fetched(source=source, asked=asked, answer=answer)
        known = (state.reading_digest if current and source.pages is None else None) or ""
        feed = outside.parser.parse(
            replace(answer, known_reading=known, known_texts=outside.offered_texts(source.name)), source
        )
        if known and feed.reading == known:
            return Fetched(source=source, asked=asked, answer=answer)
        feed = _with_further_pages(feed, answer, source, outside, now)
        details = outside.details(source, feed, now) if source.detail else NO_DETAILS
        return Fetched(source=source, asked=asked, answer=answer, feed=feed, details=details)
    except PollError as error:
        return Fetched(source=source, asked=asked, answer=answer, error=error)


def _settled(answer: Document | NotModified, source: Source) -> Document | NotModified:
    """Return an answer with the digest of what is used of it, as far as that can be told without reading it.

    What further pages say cannot be told from the first one at all.
    """
    if isinstance(answer, NotModified) or source.kind != "feed" or source.pages is not None:
        return answer
    settled = without_build_dates(answer.body)
    return answer if settled is answer.body else replace(answer, digest=hashlib.sha256(settled).hexdigest())


def _with_further_pages(
    feed: ParsedFeed, document: Document, source: Source, outside: Outside, now: datetime
) -> ParsedFeed:
    """Add the items of further pages. A page that fails costs that page, and the source's status says so."""
    latest, number = feed, 2
    while (request := next_request(source, document, latest, number, now)) is not None:
        try:
            answer = outside.fetcher.fetch(outside.sign(request, source))
            if not isinstance(answer, Document):
                break
            document, latest = answer, outside.parser.parse(answer, source)
        except PollError as error:
            return replace(feed, notes=(*feed.notes, f"page {number} is missing: {error}"))
        start = len(feed.items) + len(feed.rejected)
        moved = tuple(replace(item, position=item.position + start) for item in latest.items)
        feed = replace(feed, items=feed.items + moved, rejected=feed.rejected + latest.rejected)
        number += 1
    return feed


def is_current(source: Source, state: SourceState) -> bool:
    """Tell whether the last document was read under the source's present settings, so that it may be skipped."""
    return state.settings_digest == source.settings_digest and state.configured_url == source.url
