"""What a kind of source is, as plain data: the keys it has in the configuration, and who reads its documents."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

OptionValue = str | int | float | bool | tuple[str, ...]


class KeyForm(Enum):
    """How the value of a key is written, and what a reader gets (``config/`` knows how each form is checked)."""

    LINE = "a text on one line"
    LINES = "a text or a list of texts, as a tuple"
    COUNT = "a whole number from 1"
    FLAG = "true or false"
    DURATION = "a duration, as seconds"
    PATTERN = "a regular expression (RE2)"
    PATH = "what finds something in a document, in the language of the kind's ``paths``"
    FIELDS = "which part of a record is which field of an item, by paths"
    PAGES = "how to get at further pages of a list"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindKey:
    """A key that sources of a kind have besides those of every source.

    ``meaning`` and ``example`` stand in the reference and the JSON Schema. ``required`` is what ``check`` says when the
    key is missing, "" for one that may be; ``default`` is what a reader then gets.

    ``fields``, ``items``, ``where`` and ``error`` become ``Source.records``, ``pages`` becomes ``Source.pages``, all
    others are in ``Source.options``. Keys of several kinds may share a name if they share the form.
    """

    name: str
    form: KeyForm
    meaning: str
    example: str | None = None
    required: str = ""
    default: OptionValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """How sources are read that say ``kind: NAME``. ``meaning`` ends the sentence "`NAME` is …".

    ``reader`` is the function that reads a document, as ``module:function``; it is imported only in the worker process
    that reads: ``(Document, Source) -> ParsedFeed``, without I/O, clock and state, raising ParseError for a document
    that cannot be read. ``tracer`` is likewise what ``preview`` asks what every path gave:
    ``(Document, Source, int) -> tuple[RecordTrace, ...]``.

    What is asked of a source follows from its keys: one request, further ones for a kind with ``pages``
    (``rules/requests.py``). ``paths`` is the language of the keys of the forms PATH and FIELDS.
    """

    name: str
    meaning: str
    reader: str
    tracer: str = ""
    keys: tuple[KindKey, ...] = ()
    paths: Literal["jmespath", "css"] | None = None

    def key(self, name: str) -> KindKey | None:
        """Return the key of that name, if the kind has it."""
        return next((key for key in self.keys if key.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTable:
    """The kinds that sources may be of. ``broken`` pairs the names of others with why they cannot be used."""

    kinds: tuple[SourceKind, ...]
    broken: tuple[tuple[str, str], ...] = ()

    def kind(self, name: str) -> SourceKind | None:
        """Return the kind of that name, if it can be used."""
        return next((kind for kind in self.kinds if kind.name == name), None)
