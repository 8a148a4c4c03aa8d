"""The text of a document, and whether that is XML, JSON or HTML (SPEC §3.1): its content says so, no name or header."""

import json
import re
import zlib
from contextlib import suppress
from enum import Enum

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.sources.charset import DecodedText, decode

_MOST_DIGITS = 1_000


def document_text(document: Document, source: Source) -> DecodedText:
    """Return the text of a document that a source gave.

    Raises:
        ParseError: it is a gzip file that cannot be used.
    """
    body = unpacked(document.body, source.max_size)
    return decode(body, override=source.encoding, http_charset=document.charset)


# A string, or a comma before the end of a list or object.
_JSON_PIECE = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|,(?=\s*+[\]}])', re.DOTALL)
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}|(\')|())')


def json_in(text: str) -> object:
    """Return the value that is written in JSON, read more loosely where it is broken.

    Control characters in strings are read as they are, and so are escapes that are none; a comma that nothing follows
    is passed over.

    Raises:
        ParseError: it is broken beyond that, or nested too deeply.
    """
    try:
        return _json(text)
    except ParseError:
        loose = _JSON_PIECE.sub(_repaired, _without_comments_behind(text))
        if loose == text:
            raise
        return _json(loose)


def _repaired(piece: re.Match[str]) -> str:
    return _ESCAPE.sub(_escape, piece[0]) if piece[0][0] == '"' else ""


def _escape(match: re.Match[str]) -> str:
    return match[1] or (match[0] if match[2] is None else r"\\")


def _without_comments_behind(text: str) -> str:
    """Return ``text`` without comments of HTML behind it, which caches write."""
    text = text.rstrip()
    while text.endswith("-->") and (start := text.rfind("<!--")) >= 0:
        text = text[:start].rstrip()
    return text


def _json(text: str) -> object:
    try:
        value: object = json.loads(text, strict=False, parse_int=_number)
    except RecursionError as exc:
        raise ParseError("broken JSON: nested too deeply") from exc
    except json.JSONDecodeError as exc:
        raise ParseError(f"broken JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}") from exc
    except ValueError as exc:
        raise ParseError(f"broken JSON: {exc}") from exc
    return value


def _number(digits: str) -> int | str:
    """Return a whole number; one that is longer than any that is meant stays text, because Python refuses it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def unpacked(body: bytes, max_size: int) -> bytes:
    """Return ``body``, unzipped if it is itself a gzip file; some publishers serve ``feed.xml.gz`` as it is.

    Raises:
        ParseError: the gzip data is damaged, cut off, or larger than ``max_size`` bytes.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, max_size + 1)
    except zlib.error as exc:
        raise ParseError(f"a gzip file that is damaged: {exc}") from exc
    if len(plain) > max_size:
        raise ParseError(f"a gzip file that holds more than {max_size} bytes")
    if not unzip.eof:
        raise ParseError("a gzip file that is cut off")
    return plain


class Shape(Enum):
    """What a document is."""

    XML_FEED = "a feed in XML"
    XML = "XML, but not a feed"
    HTML = "a web page"
    JSON = "JSON"
    EMPTY = "empty"
    OTHER = "neither XML, JSON nor HTML"


_FEED_ROOTS = frozenset({"rss", "feed", "rdf", "channel"})
_HTML_ROOTS = frozenset("html head body script style meta link title div p br b span table center h1".split())
_PROLOGUE = re.compile(r"(?:\s+|<\?[^>]*+>|<!--(?:[^-]|-(?!->))*+-->)*+")
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([\w:.-]+)[^\[>]*+(?:\[[^\]]*+\]\s*)?>", re.IGNORECASE)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
# References to characters that XML forbids (XML 1.0 §4.1, "Legal Character").
_FORBIDDEN_REFERENCE = re.compile(
    r"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01]|5529[6-9]|55[3-9]\d\d|5[67]\d\d\d|6553[45])"
    r"|x0*(?:[0-8bcef]|1[0-9a-f]|d[89a-f][0-9a-f]{2}|fff[ef]));",
    re.IGNORECASE,
)
# A character beyond U+FFFF, written as the two halves that UTF-16 has for it.
_PAIR_OF_REFERENCES = re.compile(
    r"&(?:amp;)?#(x?)(d[89ab]..|5[56]\d{3});&(?:amp;)?#\1(d[c-f]..|5[67]\d{3});", re.IGNORECASE
)
_HIGH_HALF = re.compile(r"#(?:[xX][dD][89abAB]..|5[56]\d{3});&")
_LATE_FEED = re.compile(r"<\?xml\s|<(rss|feed)\s[^>]{0,400}(?:version|xmlns)|<(?=rdf:RDF\s)")
_HEAD = 64_000
# A feed that begins inside of one of these is quoted by a page; the document is not a feed.
_QUOTING = re.compile(r"<(?:script|pre|code|textarea|template|!--)", re.IGNORECASE)


def shape_of(text: str) -> Shape:
    """Return what ``text`` is, judged by its first element or character."""
    start = _after_prologue(text)
    first = text[start : start + 1]
    if not first:
        return Shape.EMPTY
    if first in "{[":
        return Shape.JSON
    if first != "<":
        return Shape.OTHER
    name = root_name(text).lower()
    if name in _FEED_ROOTS:
        return Shape.XML_FEED
    return Shape.HTML if name in _HTML_ROOTS or "<!doctype html" in text[:_HEAD].lower() else Shape.XML


def root_name(text: str) -> str:
    """Return the name of the first element, without its prefix; empty if there is none."""
    start = _after_prologue(text)
    if doctype := _DOCTYPE.match(text, start):
        start = _after_prologue(text, doctype.end())
    match = _ROOT.match(text, start)
    return match[1] if match else ""


def parsable_xml(text: str) -> str:
    """Return XML as parsers get it: without references to forbidden characters, declaration and document type.

    A document type could declare entities. Lines keep their numbers.
    """
    text = text.lstrip()
    if "&" in text:
        if _HIGH_HALF.search(text):
            text = _PAIR_OF_REFERENCES.sub(_joined, text)
        if "&#" in text:
            text = _FORBIDDEN_REFERENCE.sub("", text)
    start = _after_prologue(text)
    doctype = _DOCTYPE.match(text, start)
    head, rest = text[:start], text[doctype.end() if doctype else start :]
    lines = (head + (doctype[0] if doctype else "")).count("\n")
    return "\n" * lines + rest


def _joined(pair: re.Match[str]) -> str:
    with suppress(ValueError):
        high, low = (int(digits, 16 if pair[1] else 10) for digits in pair.group(2, 3))
        if 0xD800 <= high < 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
    return pair[0]


def from_feed_on(text: str) -> str:
    """Return ``text`` from where a feed begins: servers print warnings, blank lines and other text before it."""
    shape = shape_of(text)
    if shape in (Shape.XML_FEED, Shape.JSON, Shape.EMPTY):
        return text.lstrip()
    for match in _LATE_FEED.finditer(text[:_HEAD]):
        rest = text[match.start() :]
        if shape_of(rest) is Shape.XML_FEED and not _QUOTING.search(text[: match.start()]):
            end = rest.rfind(f"</{match[1] or ''}>") if match[1] else -1
            return rest if end < 0 else rest[: end + len(match[1]) + 3]
    return text


def _after_prologue(text: str, start: int = 0) -> int:
    match = _PROLOGUE.match(text, start)
    return match.end() if match else start
