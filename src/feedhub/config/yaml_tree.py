"""Reads YAML as text with places: no scalar is converted, a repeated key is a fault, aliases cannot grow without bound.

YAML 1.1 turns ``no`` into false, ``012`` into ten and ``12:30`` into 750. Here every scalar keeps the text that was
written, and the models of the schema decide what it means. Only a plain ``null``, ``~`` or nothing at all is None.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"
Path: TypeAlias = tuple[str | int, ...]


class Quoted(str):
    """Text that was written in quotes or as a block. In a JSON body it stays text; a plain word may be a number."""

    __slots__ = ()


MAX_DEPTH: Final = 60
"""Levels of nesting; the deepest configuration that means something has about ten."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_STANDARD_TAGS: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "seq", "map"))
_NULL_TAG: Final = "tag:yaml.org,2002:null"
_SPARE_EXPANSION: Final = 10_000


class Place(NamedTuple):
    """Where a value begins; line and column count from 1. ``keys`` are the places of a mapping's keys.

    A tuple, because one is made per value and a frozen dataclass takes three times as long to make.
    """

    line: int
    column: int
    parts: "dict[str, Place] | tuple[Place, ...]" = ()
    keys: "dict[str, Place] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFault:
    """Something wrong with the YAML itself."""

    place: Place
    path: Path
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One document: its value, the places of everything in it, and what is wrong."""

    value: Value
    place: Place
    faults: tuple[YamlFault, ...] = ()


_Mapping: TypeAlias = tuple[dict[str, Value], dict[str, Place], dict[str, Place]]


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Value
    place: Place
    size: int


class _UnreadableError(Exception):
    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.fault = YamlFault(place=place, path=(), message=message)


def read_tree(text: str) -> Tree:
    """Return the one document in ``text``; an unreadable one has the value None and its fault. Never raises."""
    try:
        return _TreeBuilder(text).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        fault = YamlFault(place=place, path=(), message=f"not valid YAML: {_in_words(error, text, place)}")
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        fault = YamlFault(place=place, path=(), message="not valid YAML: it contains a control character")
    except _UnreadableError as error:
        fault = error.fault
    return Tree(value=None, place=Place(1, 1), faults=(fault,))


_WORDS: Final = {
    "mapping values are not allowed": 'a second ":" in one line, or a line that is indented further than the one '
    'above; a text with ": " in it is put in quotes',
    "expected '-' indicator": 'expected another "- ", exactly below the one before; is the line indented too little?',
    "did not find expected key": "expected a key exactly below the one before; is the line indented otherwise, or does "
    "a quote end too early before this?",
    "unknown escape character": r"in double quotes a backslash begins an escape; a pattern such as \d is put in "
    "'single quotes'",
    "expected comment or line break": 'after "|" and ">" nothing else stands in the line',
    "undefined tag handle": 'a text that begins with "!" is put in quotes',
    "expected alphabetic or numeric character": 'a text that begins with "&" or "*" is put in quotes',
}
_BRACKETS: Final = {"sequence": "[", "mapping": "{"}


def _in_words(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    """Return what was expected, and what is probably meant, in the words of somebody who writes a file."""
    problem, context = error.problem or "", error.context or ""
    begun = f" of line {error.context_mark.line + 1}" if error.context_mark else ""
    if "flow" in context and "expected ','" in problem:
        opening = _BRACKETS["sequence" if "sequence" in context else "mapping"]
        closing = "]" if opening == "[" else "}"
        return f'expected "," or "{closing}": the "{opening}"{begun} is not closed'
    if "quoted scalar" in context and "end of stream" in problem:
        return f"the quote{begun} is not closed"
    if "cannot start any token" in problem:
        line = "".join(text.splitlines()[place.line - 1 : place.line])
        found = line[place.column - 1 : place.column]
        is_tab = found == "\t"
        return (
            "a tab; lines are indented by blanks" if is_tab else f'a text that begins with "{found}" is put in quotes'
        )
    said = ", ".join(part for part in (context, problem) if part)
    return next((words for part, words in _WORDS.items() if part in problem), said)


class _TreeBuilder:
    """Builds the tree from events: PyYAML's own composer recurses in C and dies on deep nesting."""

    def __init__(self, text: str) -> None:
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._loader = loader(text)
        self._anchors: dict[str, _Anchored | None] = {}
        self._faults: list[YamlFault] = []
        self._size = 0
        self._budget = 10 * len(text) + _SPARE_EXPANSION

    def read(self) -> Tree:
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return Tree(value=None, place=Place(1, 1))
        value, place = self._node(self._next(), ())
        self._next()
        extra = self._next()
        if not isinstance(extra, yaml.StreamEndEvent):
            raise _UnreadableError(_place(extra), "a second document begins here; one file holds one")
        return Tree(value=value, place=place, faults=tuple(self._faults))

    def _next(self) -> Any:
        return self._loader.get_event()

    def _node(self, event: Any, path: Path) -> tuple[Value, Place]:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if len(path) > MAX_DEPTH:
            raise _UnreadableError(_place(event), f"nested more than {MAX_DEPTH} levels deep")
        before = self._size
        self._size += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value, place = self._scalar(event, path), _place(event)
        else:
            self._check_tag(event, path)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            value, place = self._mapping(event, path) if is_mapping else self._sequence(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, place, self._size - before)
        return value, place

    def _alias(self, event: Any) -> tuple[Value, Place]:
        if event.anchor not in self._anchors:
            raise _UnreadableError(_place(event), f'nothing above is marked "&{event.anchor}"')
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise _UnreadableError(_place(event), f'"*{event.anchor}" stands inside of what it repeats')
        self._size += anchored.size
        if self._size > self._budget:
            raise _UnreadableError(_place(event), "the aliases repeat far more than the file holds")
        return anchored.value, anchored.place

    def _scalar(self, event: Any, path: Path) -> Value:
        is_plain = event.implicit[0] and event.tag is None
        if event.tag == _NULL_TAG or (is_plain and event.value in _NULLS):
            return None
        self._check_tag(event, path)
        text: str = event.value
        self._size += len(text)
        return Quoted(text) if event.style else text

    def _check_tag(self, event: Any, path: Path) -> None:
        if event.tag not in (None, "!") and event.tag not in _STANDARD_TAGS:
            self._fault(_place(event), path, f'the tag "{event.tag}" has no meaning here')

    def _sequence(self, event: Any, path: Path) -> tuple[Value, Place]:
        values: list[Value] = []
        places: list[Place] = []
        for child in self._until(yaml.SequenceEndEvent):
            value, place = self._node(child, (*path, len(values)))
            values.append(value)
            places.append(place)
        here = _place(event)
        return values, Place(here.line, here.column, tuple(places))

    def _mapping(self, event: Any, path: Path) -> tuple[Value, Place]:
        values: dict[str, Value] = {}
        places: dict[str, Place] = {}
        keys: dict[str, Place] = {}
        merged: list[tuple[Value, Place]] = []
        for child in self._until(yaml.MappingEndEvent):
            key, key_place = self._key(child, path)
            value, place = self._node(self._next(), (*path, key))
            if key == "<<" and child.implicit[0]:
                merged.append((value, key_place if not isinstance(value, dict | list) else place))
            elif key in keys:
                self._fault(key_place, (*path, key), f"is given twice (first in line {keys[key].line})")
            else:
                values[key], places[key], keys[key] = value, place, key_place
        mark = event.start_mark
        here = Place(mark.line + 1, mark.column + 1, places, keys)
        for value, place in merged:
            self._merge(value, place, path, (values, places, keys))
        return values, here

    def _key(self, event: Any, path: Path) -> tuple[str, Place]:
        if not isinstance(event, yaml.ScalarEvent):
            raise _UnreadableError(_place(event), "a key must be plain text")
        self._size += 1 + len(event.value)
        return event.value, _place(event)

    def _merge(self, value: Value, place: Place, path: Path, into: "_Mapping") -> None:
        """Add what ``<<`` brings in; keys written out, and earlier ones of a list, win (YAML merge key)."""
        values, places, keys = into
        sources = list(_mappings(value, place))
        if not sources:
            self._fault(place, (*path, "<<"), "expected a mapping, or a list of mappings")
        for mapping, where in sources:
            for key in mapping:
                if key not in values and isinstance(where.parts, dict) and where.keys:
                    values[key], places[key], keys[key] = mapping[key], where.parts[key], where.keys[key]

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := self._next(), end):
            yield event

    def _fault(self, place: Place, path: Path, message: str) -> None:
        self._faults.append(YamlFault(place=place, path=path, message=message))


def _mappings(value: Value, place: Place) -> Iterator[tuple[dict[str, Value], Place]]:
    if isinstance(value, dict):
        yield value, place
    elif isinstance(value, list) and isinstance(place.parts, tuple) and all(isinstance(part, dict) for part in value):
        for part, part_place in zip(value, place.parts, strict=True):
            yield from _mappings(part, part_place)


def _place(event: Any) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1)
