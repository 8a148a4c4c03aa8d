"""Reads ``kind: json``: any JSON or JSONP answer, by the paths of its configuration (SPEC §3.1)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from zoneinfo import ZoneInfo

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem, Rejected
from feedhub.model.mapping import RecordMap
from feedhub.model.report import FieldTrace, RecordTrace
from feedhub.model.source import Source
from feedhub.rules.json_paths import compile_path, is_true
from feedhub.rules.mapped_values import is_present, text_of
from feedhub.sources import records
from feedhub.sources.charset import decode
from feedhub.sources.json_list import check_no_error, records_at
from feedhub.sources.jsonp import unwrapped
from feedhub.sources.mapped_record import Place, RecordReader
from feedhub.sources.sniff import unpacked

_LONGEST_CURSOR = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A record that ``where`` does not leave out; ``fault`` when that could not be told."""

    position: int
    record: object
    fault: str = ""


def read_json_api(document: Document, source: Source) -> ParsedFeed:
    """Return the records of a JSON answer as items.

    Raises:
        ParseError: it is no JSON, tells of an error, has no list where ``items`` says, or no record can be used.
    """
    mapping = _mapping(source)
    data, notes = read_json(document, source)
    check_no_error(data, mapping.error)
    place = _place(document, source)
    candidates, left_out = _filtered(records_at(data, mapping.items), mapping, place)
    reading = records.read_records(
        candidates,
        partial(_item, mapping=mapping, place=place),
        partial(_described, mapping=mapping, place=place),
        source.limit,
    )
    cursor, cursor_notes = _cursor(data, source)
    feed = ParsedFeed(title="", items=(), notes=(*notes, *cursor_notes), cursor=cursor)
    return _in_place(records.finished(feed, reading), candidates, left_out)


def read_json(document: Document, source: Source) -> tuple[object, tuple[str, ...]]:
    """Return the value in a JSON or JSONP answer, and notes about its charset.

    Raises:
        ParseError: it is empty, a page, or broken.
    """
    body = unpacked(document.body, source.max_size)
    decoded = decode(body, override=source.encoding, http_charset=document.charset)
    try:
        data: object = json.loads(unwrapped(decoded.text))
    except RecursionError as exc:
        raise ParseError("broken JSON: nested too deeply") from exc
    except json.JSONDecodeError as exc:
        raise ParseError(f"broken JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}") from exc
    except ValueError as exc:
        raise ParseError(f"broken JSON: {exc}") from exc
    return data, decoded.notes


def traced(document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
    """Return what every path gave on the first ``limit`` records that ``where`` keeps: for ``preview``.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    mapping, place = _mapping(source), _place(document, source)
    data, _ = read_json(document, source)
    check_no_error(data, mapping.error)
    candidates, _ = _filtered(records_at(data, mapping.items), mapping, place)
    return tuple(
        RecordTrace(
            position=candidate.position,
            fields=(*_fault_trace(candidate, mapping), *RecordReader(mapping, candidate.record, place).traces()),
        )
        for candidate in candidates[:limit]
    )


def _mapping(source: Source) -> RecordMap:
    if source.records is None:
        raise ParseError("no `fields` say how its records become items")
    return source.records


def _place(document: Document, source: Source) -> Place:
    return Place(url=document.url, zone=ZoneInfo(source.timezone), fetched_at=document.fetched_at or _dated(document))


def _dated(document: Document) -> datetime | None:
    """Return the time in the ``Date`` header (RFC 9110 §6.6.1): what ``3分钟前`` in the answer is relative to."""
    for name, value in document.headers:
        if name.lower() == "date":
            with suppress(ValueError, TypeError, OverflowError):
                moment = parsedate_to_datetime(value)
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _filtered(found: list[object], mapping: RecordMap, place: Place) -> tuple[list[_Candidate], list[Rejected]]:
    """Return the records that ``where`` keeps, and those it leaves out: nothing goes without a recorded reason."""
    kept: list[_Candidate] = []
    left_out: list[Rejected] = []
    for position, record in enumerate(found):
        try:
            if mapping.where is None or is_true(compile_path(mapping.where).value(record)):
                kept.append(_Candidate(position=position, record=record))
                continue
        except ValueError as exc:
            kept.append(_Candidate(position=position, record=record, fault=str(exc)))
            continue
        title, link, guid = RecordReader(mapping, record, place).described()
        reason = f"left out by where: {mapping.where}"
        left_out.append(Rejected(position=position, reason=reason, title=title, link=link, guid=guid))
    return kept, left_out


def _item(position: int, candidate: _Candidate, *, mapping: RecordMap, place: Place) -> ParsedItem:
    if candidate.fault:
        raise records.Unusable(f"where: {mapping.where}: {candidate.fault}")
    if candidate.record is None:
        raise records.Unusable("the record is null")
    return RecordReader(mapping, candidate.record, place).item(position)


def _described(candidate: _Candidate, *, mapping: RecordMap, place: Place) -> tuple[str, str | None, str | None]:
    return RecordReader(mapping, candidate.record, place).described()


def _in_place(feed: ParsedFeed, candidates: list[_Candidate], left_out: list[Rejected]) -> ParsedFeed:
    """Return ``feed`` with positions in the list as it came, which ``where`` had closed up."""
    items = (replace(item, position=candidates[item.position].position) for item in feed.items)
    rejected = [replace(record, position=candidates[record.position].position) for record in feed.rejected]
    ordered = sorted([*rejected, *left_out], key=lambda record: record.position)
    return replace(feed, items=tuple(items), rejected=tuple(ordered))


def _cursor(data: object, source: Source) -> tuple[str | None, tuple[str, ...]]:
    """Return what the next page is asked for with. Without it this page is still good, so a fault is only noted."""
    if source.pages is None or source.pages.cursor is None:
        return None, ()
    try:
        value = compile_path(source.pages.cursor).value(data)
    except ValueError as exc:
        return None, (f"pages.cursor: {source.pages.cursor}: {exc}",)
    text = text_of(value) if is_present(value) and not isinstance(value, bool | list) else None
    return (text if text and len(text) <= _LONGEST_CURSOR else None), ()


def _fault_trace(candidate: _Candidate, mapping: RecordMap) -> Iterator[FieldTrace]:
    if candidate.fault:
        yield FieldTrace(field="where", path=mapping.where or "", state="failed", value=candidate.fault)
