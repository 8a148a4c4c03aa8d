"""How the fast reader of plain feeds reads single elements, exactly as feedparser does (``plain_feed.py``).

feedparser goes by prefixes as well as by namespaces, so no prefix may stand for something else than it does there.
Elements of namespaces that feedparser does not know are skipped.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from xml.sax.saxutils import escape

from feedparser import api as feedparser_api
from feedparser.html import _cp1252
from feedparser.urls import _urljoin, make_safe_absolute_uri
from lxml.etree import _Element as XmlElement

from feedhub.rules.text import label_text
from feedhub.sources.feed.raw_feed import (
    MOST_ATTRIBUTES_PLAIN,
    MOST_PREFIXES_LISTED,
    MOST_TAGS_READ,
    link_relation,
    person_in,
)

_Strict = feedparser_api.StrictFeedParser
_OLD_RSS = ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/")
_KNOWN: Final = {uri.lower(): prefix for uri, prefix in _Strict.namespaces.items()}
_HANDLED: Final = frozenset(
    name.split("_")[2] for name in dir(_Strict) if name.startswith(("_start_", "_end_")) and name.count("_") > 2
)
# With one of these as a prefix, an element could get the name of a field that is used.
_TAKEN: Final = _HANDLED.union(_KNOWN.values(), ("title", "summary", "content"))
_ATTRIBUTES_OF_ALL: Final = ("base", "lang")


class Namespaces:
    """What the prefixes of one document stand for. ``is_flat``: all are declared on the root."""

    def __init__(self, root: XmlElement, *, is_flat: bool) -> None:
        self._outer: Final[Mapping[str | None, str]] = root.nsmap
        self._is_flat = is_flat
        self._bound: dict[str, str] = {}
        self._listed = 0
        for prefix, uri in self._outer.items():
            self._bind(prefix, uri)

    def check(self, node: XmlElement) -> None:
        """Check the prefixes that an element declares."""
        if self._is_flat:
            return
        inner = node.nsmap
        self._listed += len(inner)
        if self._listed > MOST_PREFIXES_LISTED:
            raise NotPlainError("too many prefixes")
        if inner == self._outer:
            return
        for prefix, uri in inner.items():
            if prefix is None and uri != self._outer.get(None):
                raise NotPlainError("a default namespace is declared inside")
            self._bind(prefix, uri)

    def check_foreign(self, node: XmlElement) -> None:
        """Accept an element that feedparser does not know, with everything in it.

        Raises:
            NotPlainError: feedparser could know it.
        """
        for part in node.iter():
            self.check(part)
            uri = etree_namespace(part)
            prefix = (part.prefix or "").lower()
            is_plain = prefix.isascii() and prefix.isalnum() and prefix not in _TAKEN
            if not uri or not is_plain or uri.lower() in _KNOWN:
                raise NotPlainError(part.tag)
            check_attributes(part)

    def _bind(self, prefix: str | None, uri: str) -> None:
        standard, known_as = _KNOWN.get(uri.lower()), (prefix or "").lower()
        if uri in _OLD_RSS or "userland" in uri.lower() or (prefix and prefix != standard and prefix in _HANDLED):
            raise NotPlainError(uri)
        if known_as and self._bound.setdefault(known_as, uri) != uri:
            raise NotPlainError(f"{prefix} stands for two namespaces")


def check_attributes(node: XmlElement) -> None:
    """Accept any attributes but those that feedparser obeys on every element.

    Raises:
        NotPlainError: there is one of those.
    """
    if any(name.startswith("{") or name.lower() in _ATTRIBUTES_OF_ALL for name in node.keys()):  # noqa: SIM118 - lxml's
        raise NotPlainError(node.tag)


def etree_namespace(node: XmlElement) -> str:
    """Return the namespace of an element, "" for none."""
    tag = str(node.tag)
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


XHTML: Final = "{http://www.w3.org/1999/xhtml}"
_LEFT_ALONE: Final = frozenset({"svg", "math"})
_LOWERED: Final = frozenset({"rel", "type"})
_QUOTE: Final = {'"': "&quot;"}


def is_plain_xhtml(node: XmlElement) -> bool:
    """Tell whether an element holds plain XHTML and nothing else, which ``inner_xhtml`` can write."""
    outer = node.nsmap
    prefixes, most = outer.keys() - {None}, MOST_PREFIXES_LISTED // max(len(outer), 1)
    return all(
        number < most
        and part.tag.startswith(XHTML)
        and part.tag.removeprefix(XHTML).lower() not in _LEFT_ALONE
        and len(part.attrib) <= MOST_ATTRIBUTES_PLAIN
        and part.nsmap.keys() - {None} == prefixes
        and not any(":" in name or name.startswith("{") or name.lower() == "base" for name in part.keys())  # noqa: SIM118
        for number, part in enumerate(node.iterdescendants())
    )


def inner_xhtml(node: XmlElement) -> str:
    """Return the markup inside of an element, without the ``div`` around it (RFC 4287 §3.1.1.3)."""
    pieces = [piece for piece in _pieces(node) if piece]
    while len(pieces) > 1 and not pieces[-1].strip():
        del pieces[-1]
    while len(pieces) > 1 and not pieces[0].strip():
        del pieces[0]
    only = [part for part in node if part.tag.lower() == f"{XHTML}div"]
    if len(node) == len(only) == 1 and pieces[0].startswith("<div") and pieces[-1] == "</div>":
        pieces = pieces[1:-1]
    return "".join(pieces).strip()


def _pieces(node: XmlElement) -> Iterator[str]:
    yield escape(node.text or "")
    for part in node:
        tag = part.tag.removeprefix(XHTML).lower()
        attributes = "".join(f' {name.lower()}="{_value(name.lower(), text)}"' for name, text in part.items())
        yield f"<{tag}{attributes}>"
        yield from _pieces(part)
        yield f"</{tag}>"
        yield escape(part.tail or "")


def _value(name: str, text: str) -> str:
    return escape(text.lower() if name in _LOWERED else text, _QUOTE)


_XML: Final = "{http://www.w3.org/xml/1998/namespace}"
LANG: Final = f"{_XML}lang"
BASE: Final = f"{_XML}base"
"""In lower case, as all names of attributes here."""
ATOM: Final = "{http://www.w3.org/2005/Atom}"
_PERSON: Final = {f"{ATOM}name": "name", f"{ATOM}uri": "href", f"{ATOM}email": "email"}
_IMAGE_PARTS: Final = frozenset({"url", "title", "link", "width", "height", "description"})
_TYPES: Final = {"text": "text/plain", "text/plain": "text/plain", "html": "text/html", "text/html": "text/html"}
_HTML: Final = {"type": "html"}
_C1 = re.compile("[\x80-\x9f]")
# Addresses that joining with any base would not change.
_ABSOLUTE = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::\d+)?/[\w./%=&+,:@!~*'()$-]*(?:\?[\w./%=&+,:@!~*'()$-]+)?", re.ASCII
)
_BROKEN_REFERENCE = re.compile("&([A-Za-z0-9_]+);")

Fields = dict[str, Any]


class NotPlainError(Exception):
    """The document holds something that only feedparser knows how to read."""


@dataclass(slots=True, kw_only=True)
class FeedBuilder:
    """What was read of one document so far. ``language`` is that of its root element."""

    base: str
    is_atom: bool
    language: str | None = None
    feed: Fields = field(default_factory=dict)
    entries: list[Fields] = field(default_factory=list)

    def joined(self, address: str) -> str:
        return address if not address or _ABSOLUTE.fullmatch(address) else str(_urljoin(self.base, address))

    def detail(self, kind: str, value: str, attributes: dict[str, str]) -> Fields:
        """Return a text with its type, language and base, as feedparser gives it."""
        language = attributes[LANG].replace("_", "-") or None if LANG in attributes else self.language
        base = make_safe_absolute_uri(self.base, attributes[BASE]) if attributes.get(BASE) else ""
        return {"type": kind, "language": language, "base": base or self.base, "value": value}


Handler = Callable[[FeedBuilder, Fields, XmlElement, dict[str, str]], None]


def _written(node: XmlElement) -> str:
    return (node.text or "").strip()


def _repaired(text: str) -> str:
    """Return ``text`` as feedparser repairs it: UTF-8 that was read as Latin-1, and characters of Windows-1252."""
    if text.isascii():
        return text
    with suppress(UnicodeError):
        text = text.encode("iso-8859-1").decode("utf-8")
    return text.translate(_cp1252) if _C1.search(text) else text


def _kind(attributes: dict[str, str]) -> str:
    kind = _TYPES.get(attributes.get("type", "text").lower())
    if kind is None:
        raise NotPlainError("type")
    return kind


def _typed_text(builder: FeedBuilder, node: XmlElement, attributes: dict[str, str]) -> tuple[str, str]:
    """Return the media type of a text, and the text; of XHTML, the markup inside of the element."""
    if builder.is_atom and len(node) and attributes.get("type", "").lower() == "xhtml" and is_plain_xhtml(node):
        return "application/xhtml+xml", _repaired(inner_xhtml(node))
    if len(node):
        raise NotPlainError(node.tag)
    return _kind(attributes), _repaired(_written(node))


def skip_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Skip an element of which nothing is used."""


def text_element(key: str) -> Handler:
    def handle(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
        fields[key] = _repaired(_written(node))

    return handle


def guessed_element(key: str) -> Handler:
    """Return a handler of a text that RSS declares plain although it often holds markup."""

    def handle(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
        kind, value = _typed_text(builder, node, attributes)
        if not builder.is_atom and kind == "text/plain" and ("<" in value or "&" in value):
            kind = "text/html" if _Strict.looks_like_html(_written(node)) else kind
        fields[key] = value
        fields[f"{key}_detail"] = builder.detail(kind, value, attributes)

    return handle


title_element = guessed_element("title")


def summary_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Read ``summary`` of Atom, and ``description`` of RSS, which is always HTML."""
    kind, value = _typed_text(builder, node, attributes if builder.is_atom else _HTML)
    fields["summary"] = value
    fields["summary_detail"] = builder.detail(kind, value, attributes)


def content_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Read ``content`` of Atom, and ``content:encoded``, which is always HTML."""
    kind, value = _typed_text(builder, node, attributes if builder.is_atom else _HTML)
    fields.setdefault("content", []).append(builder.detail(kind, value, attributes))
    fields.setdefault("summary", value)


def guid_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    fields["id"] = _repaired(_written(node))
    if attributes.get("ispermalink", "true").strip().lower() == "true":
        fields["permalink"] = fields["id"]


def comments_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    fields["comments"] = _repaired(builder.joined(_written(node)))


def page_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Read ``link`` of RSS: the address is its text."""
    value = _repaired(builder.joined(_written(node)))
    if "&" in value:
        value = _BROKEN_REFERENCE.sub(r"&\g<1>", value.replace("&amp;", "&") if fields is not builder.feed else value)
    fields["link"] = value
    link = {"rel": "alternate", "type": "text/html"}
    fields.setdefault("links", []).append({**link, "href": value} if value or fields is builder.feed else link)


def link_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Read ``link`` of Atom: the address is an attribute."""
    if not attributes.get("href"):
        raise NotPlainError("link without an address")
    relation = attributes["rel"] = link_relation(attributes.get("rel"))
    is_typed = "type" in attributes
    attributes["type"] = attributes.get("type", "application/atom+xml" if relation == "self" else "text/html").lower()
    address = attributes["href"] = builder.joined(attributes["href"])
    fields.setdefault("links", []).append(attributes)
    if relation == "alternate" and _Strict.map_content_type(attributes["type"]) in _Strict.html_types:
        fields["link"] = address
    if relation == "enclosure" and not is_typed:
        del attributes["type"]


def enclosure_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    if not attributes.get("url"):
        raise NotPlainError("enclosure without an address")
    attributes["href"] = attributes.pop("url")
    attributes["rel"] = "enclosure"
    if "type" in attributes:
        attributes["type"] = attributes["type"].lower()
    fields.setdefault("links", []).append(attributes)


def media_element(key: str) -> Handler:
    def handle(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
        if _written(node):
            raise NotPlainError("text inside media")
        if "type" in attributes:
            attributes["type"] = attributes["type"].lower()
        fields.setdefault(key, []).append(attributes)

    return handle


def player_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    fields["media_player"] = {**attributes, "content": _written(node)}


def creator_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    fields.setdefault("authors", []).append(person_in(_repaired(_written(node))))


def author_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    person: dict[str, str] = {}
    for part in node:
        key = _PERSON.get(part.tag)
        if key is None or key in person or part.keys() or len(part) or (part.tail or "").strip():
            raise NotPlainError(part.tag)
        person[key] = _repaired(builder.joined(_written(part))) if key == "href" else _of_person(key, part)
    if not person or _written(node):
        raise NotPlainError("author")
    fields.setdefault("authors", []).append(person)


def _of_person(key: str, node: XmlElement) -> str:
    return label_text(_written(node)) if key == "name" else _written(node)


def category_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    tags: list[dict[str, str | None]] = fields.setdefault("tags", [])
    scheme = attributes.get("scheme", attributes.get("domain"))
    _add_tag(tags, attributes.get("term"), scheme, attributes.get("label"))
    value = _repaired(_written(node))
    if value and tags and not tags[-1]["term"]:
        tags[-1]["term"] = value
    elif value:
        _add_tag(tags, value, None, None)


def keywords_element(scheme: str | None) -> Handler:
    def handle(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
        tags: list[dict[str, str | None]] = fields.setdefault("tags", [])
        for term in _repaired(_written(node)).split(","):
            if term.strip():
                _add_tag(tags, term.strip(), scheme, None)

    return handle


def _add_tag(tags: list[dict[str, str | None]], term: str | None, scheme: str | None, label: str | None) -> None:
    tag = {"term": term, "scheme": scheme, "label": label}
    if (term or scheme or label) and len(tags) < MOST_TAGS_READ and tag not in tags:
        tags.append(tag)


def media_category_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    attributes.setdefault("scheme", "http://search.yahoo.com/mrss/category_schema")
    category_element(builder, fields, node, attributes)


def owner_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Read name and e-mail in ``itunes:owner``: feedparser writes them over those of the last author."""
    key = node.tag.rpartition("}")[2]
    fields.setdefault("authors", [{}])[-1][key] = _of_person(key, node)


def picture_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Read ``itunes:image``: the address is an attribute."""
    if _written(node):
        raise NotPlainError("text inside a picture")
    address = attributes.get("href") or attributes.get("url")
    if address:
        fields["image"] = {"href": address}


def further_title_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Skip ``media:title``; feedparser uses it where the entry has no title before it."""
    if not fields.get("title"):
        raise NotPlainError("a title of a picture")
    _kind(attributes)


def image_element(builder: FeedBuilder, fields: Fields, node: XmlElement, attributes: dict[str, str]) -> None:
    """Skip the picture of an RSS channel, if it holds nothing else."""
    if any(part.tag not in _IMAGE_PARTS or part.keys() or len(part) for part in node):
        raise NotPlainError("image")
