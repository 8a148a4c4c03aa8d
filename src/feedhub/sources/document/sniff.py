"""What a document is, told by its content, never by its name or header (SPEC §3.1)."""

import re
import zlib
from enum import Enum

from feedhub.errors import ParseError


class Shape(Enum):
    """What a document turns out to be."""

    XML_FEED = "a feed in XML"
    XML = "XML, but not a feed"
    HTML = "a web page"
    JSON = "JSON"
    EMPTY = "empty"
    OTHER = "neither XML, JSON nor HTML"


_FEED_ROOTS = frozenset({"rss", "feed", "rdf", "channel"})
_HTML_ROOTS = frozenset(
    {
        "html",
        "head",
        "body",
        "script",
        "style",
        "meta",
        "link",
        "title",
        "div",
        "p",
        "br",
        "b",
        "span",
        "table",
        "center",
        "h1",
    }
)
_PROLOGUE = re.compile(r"(?:\s+|<\?[^>]*+>|<!--(?:[^-]|-(?!->))*+-->)*+")
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([\w:.-]+)[^\[>]*+(?:\[[^\]]*+\]\s*)?>", re.IGNORECASE)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_LATE_FEED = re.compile(r"<\?xml\s|<(rss|feed)\s[^>]{0,400}(?:version|xmlns)|<(?=rdf:RDF\s)")
_HEAD = 64_000
# In these a page shows or carries a feed as an example; it is not one.
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


def without_doctype(text: str) -> str:
    """Return XML without its declaration and document type, which could declare entities; lines keep their numbers."""
    start = _after_prologue(text)
    doctype = _DOCTYPE.match(text, start)
    head, rest = text[:start], text[doctype.end() if doctype else start :]
    lines = (head + (doctype[0] if doctype else "")).count("\n")
    return "\n" * lines + rest


def from_feed_on(text: str) -> str:
    """Return ``text`` without what a server printed before the feed (warnings, blank lines, stray text)."""
    shape = shape_of(text)
    if shape in (Shape.XML_FEED, Shape.JSON, Shape.EMPTY):
        return text.lstrip()
    for match in _LATE_FEED.finditer(text[:_HEAD]):
        rest = text[match.start() :]
        if shape_of(rest) is Shape.XML_FEED and not _QUOTING.search(text[: match.start()]):
            end = rest.rfind(f"</{match[1] or ''}>") if match[1] else -1
            return rest if end < 0 else rest[: end + len(match[1]) + 3]
    return text


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


def _after_prologue(text: str, start: int = 0) -> int:
    match = _PROLOGUE.match(text, start)
    return match.end() if match else start
