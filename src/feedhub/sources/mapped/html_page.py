"""``kind: html``: web pages as trees, and the records that selectors find in them (SPEC §3.1)."""

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import lxml.html
from lxml import etree
from lxml.html import HtmlElement

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import LEFT_OUT_BY_WHERE, ParsedFeed, ParsedItem, Rejected
from feedhub.model.report import FieldTrace, RecordTrace
from feedhub.model.source import FieldMap, RecordMap, Source
from feedhub.rules.mapping import LIST_FIELDS, shown
from feedhub.rules.requests import is_challenge, is_surely_challenge
from feedhub.rules.selectors import (
    condition_selector,
    element_selector,
    field_selector,
)
from feedhub.rules.text import plain, visible_text
from feedhub.sources import records
from feedhub.sources.document import Shape, document_text, shape_of
from feedhub.sources.mapped.record import DocumentContext, RecordReader, context_of, with_left_out
from feedhub.sources.markup import has_too_many_attributes, http_url

CHALLENGE = "challenge page instead of the page that was asked for"
_UNSEEN = ("script", "style", "template")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPage:
    """A web page, without scripts and styles. ``base`` is what its addresses are relative to; ``text`` is all of it.

    ``is_cut_off`` tells that it is nested so deeply (256) that the rest of it was not read.
    """

    root: HtmlElement
    base: str
    text: str
    is_cut_off: bool = False
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return plain(self.root.findtext(".//title") or "")


def read_page(document: Document, source: Source) -> WebPage:
    """Return a document as a page; lxml repairs broken markup much as browsers do.

    Raises:
        ParseError: it is empty, a challenge, no page at all, or one that would take too long.
    """
    decoded = document_text(document, source)
    shape = shape_of(decoded.text)
    if shape in (Shape.EMPTY, Shape.JSON):
        raise ParseError("the document is empty" if shape is Shape.EMPTY else "JSON instead of a web page")
    if is_surely_challenge(decoded.text):
        raise ParseError(CHALLENGE)
    if has_too_many_attributes(decoded.text):
        raise ParseError("the tags of the page have too many attributes")
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = lxml.html.document_fromstring(decoded.text.encode(), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError) as exc:
        raise ParseError(f"not a web page: {plain(str(exc))[:200]}") from exc
    etree.strip_elements(root, *_UNSEEN, with_tail=False)
    first = next(root.iter("base"), None)
    given = first.get("href") if first is not None else None
    return WebPage(
        root=root,
        base=http_url(given, document.url) or document.url,
        text=decoded.text,
        is_cut_off=any(fault.type_name == "ERR_RESOURCE_LIMIT" for fault in parser.error_log),
        notes=decoded.notes,
    )


def elements(node: HtmlElement, selector: str) -> list[HtmlElement]:
    """Return the elements that ``selector`` describes in ``node``, itself included, in document order.

    Raises:
        ValueError: the selector cannot be used.
    """
    return _found(node, element_selector(selector))


def holds(node: HtmlElement, condition: str) -> bool:
    """Tell whether ``node`` is, or contains, what ``condition`` describes.

    Raises:
        ValueError: the selector cannot be used.
    """
    return bool(_found(node, condition_selector(condition)))


def values(node: HtmlElement, selector: str) -> Iterator[str]:
    """Yield what ``selector`` gives: visible text, an attribute or markup, each if it is not blank.

    Raises:
        ValueError: the selector cannot be used.
    """
    asked = field_selector(selector)
    for element in [node] if asked.xpath is None else _found(node, asked.xpath):
        if asked.attribute:
            value = element.get(asked.attribute) or ""
        else:
            value = inner_markup(element)
            value = value if asked.part == "html" else visible_text(value)
        if value.strip():
            yield value.strip()


def inner_markup(element: HtmlElement) -> str:
    """Return what is inside an element, as markup."""
    return html.escape(element.text or "", quote=False) + "".join(_written(child, with_tail=True) for child in element)


def outer_markup(chosen: Sequence[HtmlElement]) -> str:
    """Return elements as markup; one that lies inside another is not repeated."""
    known = set(chosen)
    outermost = [element for element in chosen if not any(above in known for above in element.iterancestors())]
    return "\n".join(_written(element) for element in outermost)


def _written(element: HtmlElement, *, with_tail: bool = False) -> str:
    text: str = etree.tostring(element, encoding="unicode", method="html", with_tail=with_tail)
    return text


def _found(node: HtmlElement, xpath: str) -> list[HtmlElement]:
    try:
        found: list[HtmlElement] = _compiled(xpath)(node)
    except etree.LxmlError as exc:
        raise ValueError(f"cannot be used on this page: {plain(str(exc))[:200]}") from exc
    return found


@lru_cache(maxsize=1024)
def _compiled(xpath: str) -> Any:
    return etree.XPath(xpath)


_MARKUP_FIELDS = frozenset({"summary", "content"})
_MOST_VALUES = 1_000


class ElementReader:
    """Reads the mapped fields of elements of one page. ``context.url`` is the base of the page's addresses."""

    def __init__(self, fields: Iterable[tuple[str, FieldMap]], context: DocumentContext) -> None:
        self._context = context
        self._several: dict[str, str] = {}
        self._single: set[str] = set()
        self._written: dict[str, str] = {}
        self._mapping = RecordMap(fields=tuple((name, self._keyed(name, field)) for name, field in fields))

    def item(self, position: int, element: HtmlElement) -> ParsedItem:
        """Return an element as an item.

        Raises:
            Unusable: a mapped id, title, link or date is missing or cannot be read; the reason names its selector.
        """
        reader = self._reader(element)
        item = reader.item(position)
        if item.link is None and self._mapping.field("link"):
            faults = [f"{trace.path}: {trace.value or 'nothing there'}" for trace in self._own(reader, "link")]
            raise records.Unusable(f"fields.link: {'; '.join(faults)}")
        return item

    def described(self, element: HtmlElement) -> tuple[str, str | None, str | None]:
        """Return title, link and guid as far as they can be read; without a title, the beginning of the text."""
        title, link, guid = self._reader(element).described()
        return title or records.shorten(records.title_of(next(values(element, "."), "")), 100), link, guid

    def traces(self, element: HtmlElement) -> tuple[FieldTrace, ...]:
        """Return what every selector gave."""
        return tuple(self._unkeyed(trace) for trace in self._reader(element).traces())

    def _keyed(self, name: str, field: FieldMap) -> FieldMap:
        """Return a field whose paths are keys of the record instead of selectors."""
        return replace(
            field,
            paths=tuple(self._key_path(name, field, selector) for selector in field.paths),
            base=(http_url(field.base, self._context.url) if field.base else None) or self._context.url,
            kind=field.kind if name in _MARKUP_FIELDS else "text",
        )

    def _key_path(self, name: str, field: FieldMap, selector: str) -> str:
        if name in LIST_FIELDS:
            key = f"{selector} (all)"
            self._several[key] = selector
        else:
            asked = field_selector(selector)
            is_markup = name in _MARKUP_FIELDS and field.kind == "html" and not (asked.attribute or asked.part)
            key = f"{selector}::html" if is_markup else selector
            self._single.add(key)
        path = json.dumps(key, ensure_ascii=False)
        self._written[path] = selector
        return path

    def _reader(self, element: HtmlElement) -> RecordReader:
        single = {key: next(values(element, key), None) for key in self._single}
        several = {
            key: list(islice(values(element, selector), _MOST_VALUES)) for key, selector in self._several.items()
        }
        return RecordReader(self._mapping, {**single, **several}, self._context)

    def _unkeyed(self, trace: FieldTrace) -> FieldTrace:
        return replace(trace, path=self._written.get(trace.path, trace.path))

    def _own(self, reader: RecordReader, name: str) -> list[FieldTrace]:
        return [self._unkeyed(trace) for trace in reader.traces() if trace.field == name]


# The text of a record is read again for every record around it: 34 KB of records within records took 2 s.
_MOST_AROUND: Final = 8


def read_html_page(document: Document, source: Source) -> ParsedFeed:
    """Return the records of a page as items.

    Raises:
        ParseError: the document is no page, ``error`` holds, the list matches nothing, or no record can be used.
    """
    mapping = _mapping(source)
    page = read_page(document, source)
    reader = ElementReader(mapping.fields, context_of(document, source, page.base))
    listed = _list_of(page, mapping)
    looked_at = listed[: records.MOST_RECORDS]
    around = _records_around(looked_at)
    found = [(position, element) for position, element in enumerate(looked_at) if around[element] <= _MOST_AROUND]
    kept = [pair for pair in found if mapping.where is None or holds(pair[1], mapping.where)]
    reading = records.read_records(
        kept, lambda at, pair: reader.item(at, pair[1]), lambda pair: reader.described(pair[1]), source.limit
    )
    kept_positions = {position for position, _ in kept}
    left_out = (
        _left_out(position, reader.described(element), mapping)
        for position, element in found
        if position not in kept_positions
    )
    feed = ParsedFeed(
        title=records.title_of(page.title),
        items=(),
        link=http_url(document.url),
        language=records.language_of(page.root.get("lang")),
        notes=(*page.notes, *_unread(page, len(listed), len(looked_at) - len(found))),
    )
    return with_left_out(records.with_records(feed, reading), [position for position, _ in kept], left_out)


def trace_html_page(document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
    """Return what every selector gave on the first ``limit`` records that ``where`` keeps: for ``preview``.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    mapping = _mapping(source)
    page = read_page(document, source)
    reader = ElementReader(mapping.fields, context_of(document, source, page.base))
    found = enumerate(_list_of(page, mapping))
    kept = [pair for pair in found if mapping.where is None or holds(pair[1], mapping.where)]
    return tuple(RecordTrace(position=position, fields=reader.traces(element)) for position, element in kept[:limit])


def check_field_selectors(fields: Iterable[tuple[str, FieldMap]]) -> None:
    """Accept fields whose paths are selectors.

    Raises:
        ParseError: names the first field and selector that cannot be used.
    """
    for name, field in fields:
        for path in field.paths:
            try:
                field_selector(path)
            except ValueError as exc:
                raise ParseError(f"fields.{name}: {path}: {exc}") from exc


def _mapping(source: Source) -> RecordMap:
    mapping = source.records
    if mapping is None or mapping.items is None:
        raise ParseError("items: a page needs a selector for its list")
    for name, text in (("items", mapping.items), ("where", mapping.where), ("error", mapping.error)):
        try:
            if text is not None:
                element_selector(text)
        except ValueError as exc:
            raise ParseError(f"{name}: {text}: {exc}") from exc
    check_field_selectors(mapping.fields)
    return mapping


def _list_of(page: WebPage, mapping: RecordMap) -> list[HtmlElement]:
    if mapping.error is not None and (found := elements(page.root, mapping.error)):
        words = plain(visible_text(inner_markup(found[0])))
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


def _unread(page: WebPage, listed: int, nested: int) -> Iterator[str]:
    if page.is_cut_off:
        yield "the page is nested so deeply that its end was not read"
    if listed > records.MOST_RECORDS:
        yield f"{listed - records.MOST_RECORDS} records beyond the first {records.MOST_RECORDS} were not read"
    if nested:
        yield f"{nested} records that lie inside of more than {_MOST_AROUND} others were not read"


def _left_out(position: int, described: tuple[str, str | None, str | None], mapping: RecordMap) -> Rejected:
    title, link, guid = described
    return Rejected(
        position=position, reason=f"{LEFT_OUT_BY_WHERE}: {mapping.where}", title=title, link=link, guid=guid
    )
