"""From an element of a page to its item.

What the selectors of an element give becomes a record whose keys are the selectors, and that is read as a JSON record
is: chains, templates, ``match``, dates and rejection are the same for both.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from lxml.html import HtmlElement

from feedhub.model.item import ParsedItem
from feedhub.model.mapping import FieldMap, RecordMap
from feedhub.model.report import FieldTrace
from feedhub.rules.mapped_values import LIST_FIELDS
from feedhub.rules.selectors import field_selector
from feedhub.sources import records
from feedhub.sources.addresses import http_url
from feedhub.sources.mapped_record import Place, RecordReader
from feedhub.sources.selectors import values

_MARKUP_FIELDS = frozenset({"summary", "content"})
_MOST_VALUES = 1_000


class ElementReader:
    """Reads the mapped fields of elements of one page. ``place.url`` is the base of the page's addresses."""

    def __init__(self, fields: Iterable[tuple[str, FieldMap]], place: Place) -> None:
        self._place = place
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
            told = [f"{trace.path}: {trace.value or 'nothing there'}" for trace in self._own(reader, "link")]
            raise records.Unusable(f"fields.link: {'; '.join(told)}")
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
            base=(http_url(field.base, self._place.url) if field.base else None) or self._place.url,
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
        return RecordReader(self._mapping, {**single, **several}, self._place)

    def _unkeyed(self, trace: FieldTrace) -> FieldTrace:
        return replace(trace, path=self._written.get(trace.path, trace.path))

    def _own(self, reader: RecordReader, name: str) -> list[FieldTrace]:
        return [self._unkeyed(trace) for trace in reader.traces() if trace.field == name]
