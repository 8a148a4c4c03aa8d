"""``kind: json``: the records of an API that answers in JSON, or in JSON wrapped in JavaScript (SPEC §3.1).

A wrapper is ``var x=…;``, ``cb(…);``, ``try{cb(…);}catch(e){}``, ``/**/cb(…)``, or several of these.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import LEFT_OUT_BY_WHERE, ParsedFeed, ParsedItem, Rejected
from feedhub.model.report import FieldTrace, RecordTrace
from feedhub.model.source import RecordMap, Source
from feedhub.rules.json_paths import compile_path, in_words, is_true
from feedhub.rules.mapping import is_present, text_of
from feedhub.rules.requests import is_challenge
from feedhub.rules.text import plain
from feedhub.sources import records
from feedhub.sources.document import document_text, json_in
from feedhub.sources.mapped.record import DocumentContext, RecordReader, context_of, with_left_out

_BLANK = " \t\r\n\ufeff\u00a0\u2028\u2029"
# Comments, and prefixes that keep browsers from running an answer as a script: `)]}',`, `while(1);`, `for(;;);`.
_AHEAD = re.compile(
    rf"(?:[{_BLANK}]++|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/|//[^\r\n]*+"
    r"|\)\]\}'?,?(?=\s*[\r\n{\[])|(?:while\s*+\(\s*+1\s*+\)|for\s*+\(\s*+;\s*+;\s*+\))\s*+;)++"
)
_TRY = re.compile(r"try\s*+\{")
_CATCH = re.compile(r"\}\s*+catch\s*+(?:\([^()]{0,100}\)\s*+)?\{[^{}]{0,1000}\}[\s;]*+$")
_CATCH_ROOM = 2_000
_NAME = r"[A-Za-z_$][\w$]{0,200}+"
_PATH = rf"{_NAME}(?:\s*+\.\s*+{_NAME}|\[\s*+(?:\d{{1,10}}|'[^'\\]{{0,200}}'|\"[^\"\\]{{0,200}}\")\s*+\]){{0,10}}"
_ASSIGNED = re.compile(rf"(?:(?:var|let|const)\s++)?{_PATH}\s*+=(?![=>])")
_GUARD = re.compile(rf"typeof\s++{_PATH}\s*+===?\s*+['\"]function['\"]\s*+&&")
_CALLED = re.compile(rf"(?:{_PATH}\s*+)?\(")
_VALUE = re.compile(r"""[{\["\-0-9]|true|false|null|NaN|Infinity""")
_WORDS = frozenset({"true", "false", "null", "NaN", "Infinity"})
_LAYERS = 6
_EXCERPT = 60
_HEAD = 3_000


def unwrapped(text: str) -> str:
    """Return the JSON inside of a wrapper, or JSON as it is, in both cases without blanks and BOM around it.

    Linear in the length of ``text``. What is left begins like JSON; whether it is valid is not checked.

    Raises:
        ParseError: it is a web page, a script, or anything else that does not begin as JSON does.
    """
    inner = _without_prefix(text)
    is_wrapped = False
    for _ in range(_LAYERS):
        inner_text = _inside_wrapper(inner)
        if inner_text is None:
            break
        inner, is_wrapped = _without_prefix(inner_text), True
    if not inner:
        raise ParseError("the wrapper is empty" if is_wrapped else "the document is empty")
    if _VALUE.match(inner) is None:
        excerpt = " ".join(inner[: _EXCERPT * 2].split())[:_EXCERPT]
        if is_challenge(text):
            raise ParseError("challenge page instead of JSON")
        what = "a web page instead of JSON" if inner[0] == "<" else "no JSON"
        raise ParseError(f"{'not JSON inside of the wrapper' if is_wrapped else what}: it begins with {excerpt!r}")
    return inner


def _without_prefix(text: str) -> str:
    """Return ``text`` without blanks around it, and without comments and prefixes before a wrapper or a value."""
    inner = text.strip(_BLANK)
    match = _AHEAD.match(inner)
    return inner[match.end() :] if match else inner


def _inside_wrapper(text: str) -> str | None:
    """Return what is inside the outermost wrapper, or None if there is none."""
    if match := _TRY.match(text):
        start = max(match.end(), len(text) - _CATCH_ROOM)
        end = _CATCH.search(text, start)
        return text[match.end() : end.start()] if end else None
    if match := _GUARD.match(text):
        return text[match.end() :]
    head = text[:_HEAD]
    if match := _ASSIGNED.match(head):
        return text[match.end() :].rstrip(_BLANK + ";")
    if (match := _CALLED.match(head)) and text[: match.end() - 1].strip() not in _WORDS:
        inside = text.rstrip(_BLANK + ";")
        return inside[match.end() : -1] if inside.endswith(")") else None
    return None


_MESSAGE_KEYS = (
    "msg", "message", "errmsg", "err_msg", "error_msg", "errorMessage", "error_description", "error", "errors",
    "reason", "detail", "info", "me", "title", "status",
)  # fmt: skip
_LONGEST_MESSAGE = 200
_DEEPEST_HINT = 4
_MOST_HINTS = 4
_MOST_LOOKED_AT = 200
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w{0,60}", re.ASCII)


def records_at(data: object, path: str | None) -> list[object]:
    """Return the list that ``path`` names, or the document itself; a null where the list should be is an empty list.

    Raises:
        ParseError: names the part of the path that exists and the one that does not, or what is there instead.
    """
    if path is None:
        if isinstance(data, list):
            return data
        raise ParseError(f"the document is not a list but {in_words(data)}{_hint(data)}")
    try:
        found = compile_path(path).value(data)
    except ValueError as exc:
        raise ParseError(f"items: {path}: {exc}") from exc
    if isinstance(found, list):
        return found
    if found is not None:
        raise ParseError(f"items: {path}: not a list but {in_words(found)}{_hint(found, path)}")
    missing = _missing(data, *compile_path(path).steps())
    if missing:
        raise ParseError(f"items: {path}: {missing}")
    return []


def check_no_error(data: object, condition: str | None) -> None:
    """Accept an answer for which ``condition`` does not hold.

    Raises:
        ParseError: it holds, with what the answer says about it; or it cannot be evaluated.
    """
    if condition is None:
        return
    try:
        failed = is_true(compile_path(condition).value(data))
    except ValueError as exc:
        raise ParseError(f"error: {condition}: {exc}") from exc
    if failed:
        message = _message(data)
        raise ParseError(f"the answer tells of an error{f': {message}' if message else ''} ({condition})")


def _missing(data: object, steps: Sequence[str | int], is_whole: bool) -> str:
    """Return why a path gave null, or "" where the document has a null at its end."""
    value, place = data, "the document"
    for number, step in enumerate(steps):
        try:
            value = _child(value, step)
        except LookupError:
            key = f"[{step}]" if isinstance(step, int) else f"`{step}`"
            return f"there is no {key} in {place}, which is {in_words(value)}"
        place = f"`{_dotted(steps[: number + 1])}`"
    if value is None and steps:
        return ""
    return "it gives null" if is_whole else f"it gives null; {place} is {in_words(value)}"


def _child(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        of_object: object = value[step]
        return of_object
    if isinstance(value, list) and isinstance(step, int):
        of_list: object = value[step]
        return of_list
    raise LookupError


def _dotted(steps: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _message(data: object) -> str:
    """Return what the answer itself says about its error, as one bounded line."""
    for holder in (data, *(data.values() if isinstance(data, dict) else ())):
        if not isinstance(holder, dict):
            continue
        for key in _MESSAGE_KEYS:
            value = holder.get(key)
            if isinstance(value, str) and plain(value):
                return plain(value)[:_LONGEST_MESSAGE]
    return ""


def _hint(value: object, path: str = "") -> str:
    """Return a sentence that names the lists inside of ``value``, as a help for writing the mapping."""
    found = list(_lists(value, path))[:_MOST_HINTS]
    return f"; lists in it: {', '.join(found)}" if found else ""


def _lists(value: object, path: str) -> Iterator[str]:
    level = [(path, value)]
    for _ in range(_DEEPEST_HINT):
        below = [
            (f"{place}.{key}".removeprefix("."), part)
            for place, holder in level
            if isinstance(holder, dict)
            for key, part in holder.items()
            if _PLAIN_KEY.fullmatch(key)
        ][:_MOST_LOOKED_AT]
        yield from (place for place, part in below if isinstance(part, list))
        level = below


_LONGEST_CURSOR = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A record that ``where`` keeps. ``fault`` says why ``where`` could not be evaluated, if it could not."""

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
    context = _context(document, source)
    candidates, left_out = _filtered(records_at(data, mapping.items), mapping, context)
    reading = records.read_records(
        candidates,
        partial(_item, mapping=mapping, context=context),
        partial(_described, mapping=mapping, context=context),
        source.limit,
    )
    cursor, cursor_notes = _cursor(data, source)
    feed = ParsedFeed(title="", items=(), notes=(*notes, *cursor_notes), cursor=cursor)
    positions = [candidate.position for candidate in candidates]
    return with_left_out(records.with_records(feed, reading), positions, left_out)


def read_json(document: Document, source: Source) -> tuple[object, tuple[str, ...]]:
    """Return the value in a JSON or JSONP answer, and notes about its charset.

    Raises:
        ParseError: it is empty, a page, or broken.
    """
    decoded = document_text(document, source)
    return json_in(unwrapped(decoded.text)), decoded.notes


def trace_json_api(document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
    """Return what every path gave on the first ``limit`` records that ``where`` keeps: for ``preview``.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    mapping, context = _mapping(source), _context(document, source)
    data, _ = read_json(document, source)
    check_no_error(data, mapping.error)
    candidates, _ = _filtered(records_at(data, mapping.items), mapping, context)
    return tuple(
        RecordTrace(
            position=candidate.position,
            fields=(*_fault_trace(candidate, mapping), *RecordReader(mapping, candidate.record, context).traces()),
        )
        for candidate in candidates[:limit]
    )


def _mapping(source: Source) -> RecordMap:
    if source.records is None:
        raise ParseError("no `fields` say how its records become items")
    return source.records


def _context(document: Document, source: Source) -> DocumentContext:
    context = context_of(document, source, document.url)
    return context if context.fetched_at else replace(context, fetched_at=_dated(document))


def _dated(document: Document) -> datetime | None:
    """Return the time in the ``Date`` header (RFC 9110 §6.6.1), to which dates such as ``3分钟前`` are relative."""
    for name, value in document.headers:
        if name.lower() == "date":
            with suppress(ValueError, TypeError, OverflowError):
                moment = parsedate_to_datetime(value)
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _filtered(
    found: list[object], mapping: RecordMap, context: DocumentContext
) -> tuple[list[_Candidate], list[Rejected]]:
    """Return the records that ``where`` keeps, and those it leaves out with the reason."""
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
        title, link, guid = RecordReader(mapping, record, context).described()
        reason = f"{LEFT_OUT_BY_WHERE}: {mapping.where}"
        left_out.append(Rejected(position=position, reason=reason, title=title, link=link, guid=guid))
    return kept, left_out


def _item(position: int, candidate: _Candidate, *, mapping: RecordMap, context: DocumentContext) -> ParsedItem:
    if candidate.fault:
        raise records.Unusable(f"where: {mapping.where}: {candidate.fault}")
    if candidate.record is None:
        raise records.Unusable("the record is null")
    return RecordReader(mapping, candidate.record, context).item(position)


def _described(
    candidate: _Candidate, *, mapping: RecordMap, context: DocumentContext
) -> tuple[str, str | None, str | None]:
    return RecordReader(mapping, candidate.record, context).described()


def _cursor(data: object, source: Source) -> tuple[str | None, tuple[str, ...]]:
    """Return the cursor of the next page, and a note if it cannot be read: the items of this page are still good."""
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
