"""Reads ``kind: html``: a page whose list and fields are named by CSS selectors (SPEC §3.1)."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from lxml.html import HtmlElement

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, Rejected
from feedhub.model.mapping import FieldMap, RecordMap
from feedhub.model.report import RecordTrace
from feedhub.model.source import Source
from feedhub.rules.mapped_values import shown
from feedhub.rules.selectors import check_element_selector, check_selector
from feedhub.rules.text import plain, visible_text
from feedhub.rules.walls import is_challenge
from feedhub.sources import records
from feedhub.sources.addresses import http_url
from feedhub.sources.mapped_element import ElementReader
from feedhub.sources.mapped_record import Place
from feedhub.sources.selectors import CHALLENGE, Page, elements, holds, inner_markup, read_page

# What is inside of many records is read once for each of them: 34 KB of records within records took 2 s.
_MOST_AROUND: Final = 8


def read_html_page(document: Document, source: Source) -> ParsedFeed:
    """Return the records of a page as items.

    Raises:
        ParseError: the document is no page, ``error`` holds, the list matches nothing, or no record can be used.
    """
    mapping = _mapping(source)
    page = read_page(document, source)
    reader = ElementReader(mapping.fields, _place(document, source, page))
    listed = _list_of(page, mapping)
    looked_at = listed[: records.MOST_RECORDS]
    around = _records_around(looked_at)
    found = [(place, element) for place, element in enumerate(looked_at) if around[element] <= _MOST_AROUND]
    kept = [pair for pair in found if mapping.where is None or holds(pair[1], mapping.where)]
    reading = records.read_records(
        kept, lambda at, pair: reader.item(at, pair[1]), lambda pair: reader.described(pair[1]), source.limit
    )
    kept_places = {place for place, _ in kept}
    left_out = (
        _left_out(place, reader.described(element), mapping) for place, element in found if place not in kept_places
    )
    feed = ParsedFeed(
        title=records.title_of(page.title),
        items=(),
        link=http_url(document.url),
        language=records.language_of(page.root.get("lang")),
        notes=(*page.notes, *_unread(page, len(listed), len(looked_at) - len(found))),
    )
    return _in_place(records.finished(feed, reading), [place for place, _ in kept], left_out)


def trace_html_page(document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
    """Return what every selector gave on the first ``limit`` records that ``where`` keeps: for ``preview``.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    mapping = _mapping(source)
    page = read_page(document, source)
    reader = ElementReader(mapping.fields, _place(document, source, page))
    found = enumerate(_list_of(page, mapping))
    kept = [pair for pair in found if mapping.where is None or holds(pair[1], mapping.where)]
    return tuple(RecordTrace(position=place, fields=reader.traces(element)) for place, element in kept[:limit])


def check_field_selectors(fields: Iterable[tuple[str, FieldMap]]) -> None:
    """Accept fields whose paths are selectors.

    Raises:
        ParseError: names the first field and selector that cannot be used.
    """
    for name, field in fields:
        for path in field.paths:
            try:
                check_selector(path)
            except ValueError as exc:
                raise ParseError(f"fields.{name}: {path}: {exc}") from exc


def _mapping(source: Source) -> RecordMap:
    mapping = source.records
    if mapping is None or mapping.items is None:
        raise ParseError("items: a page needs a selector for its list")
    for name, text in (("items", mapping.items), ("where", mapping.where), ("error", mapping.error)):
        try:
            if text is not None:
                check_element_selector(text)
        except ValueError as exc:
            raise ParseError(f"{name}: {text}: {exc}") from exc
    check_field_selectors(mapping.fields)
    return mapping


def _place(document: Document, source: Source, page: Page) -> Place:
    return Place(url=page.base, zone=ZoneInfo(source.timezone), fetched_at=document.fetched_at)


def _list_of(page: Page, mapping: RecordMap) -> list[HtmlElement]:
    if mapping.error is not None and (told := elements(page.root, mapping.error)):
        words = plain(visible_text(inner_markup(told[0])))
        raise ParseError(f"the page tells of an error{f': {shown(words)}' if words else ''} ({mapping.error})")
    found = elements(page.root, mapping.items or "")
    if not found:
        if is_challenge(page.text):
            raise ParseError(CHALLENGE)
        raise ParseError(f'items: "{mapping.items}" matches nothing in the page')
    return found


def _records_around(listed: list[HtmlElement]) -> dict[HtmlElement, int]:
    """Return how many other records each record lies in; ``listed`` is in document order."""
    around: dict[HtmlElement, int] = {}
    for element in listed:
        outer = next((above for above in element.iterancestors() if above in around), None)
        around[element] = 0 if outer is None else around[outer] + 1
    return around


def _unread(page: Page, listed: int, nested: int) -> Iterator[str]:
    if page.is_cut_off:
        yield "the page is nested so deeply that its end was not read"
    if listed > records.MOST_RECORDS:
        yield f"{listed - records.MOST_RECORDS} records beyond the first {records.MOST_RECORDS} were not read"
    if nested:
        yield f"{nested} records that lie inside of more than {_MOST_AROUND} others were not read"


def _left_out(place: int, described: tuple[str, str | None, str | None], mapping: RecordMap) -> Rejected:
    title, link, guid = described
    return Rejected(position=place, reason=f"left out by where: {mapping.where}", title=title, link=link, guid=guid)


def _in_place(feed: ParsedFeed, places: list[int], left_out: Iterable[Rejected]) -> ParsedFeed:
    """Return ``feed`` with positions in the page's own list, which ``where`` had closed up."""
    items = (replace(item, position=places[item.position]) for item in feed.items)
    rejected = [replace(record, position=places[record.position]) for record in feed.rejected]
    ordered = sorted([*rejected, *left_out], key=lambda record: record.position)
    return replace(feed, items=tuple(items), rejected=tuple(ordered))
