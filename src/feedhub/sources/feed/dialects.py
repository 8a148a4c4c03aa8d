"""Every dialect of RSS and Atom, read by feedparser, with its faults corrected, and bounded where it is quadratic."""

import html
import io
import xml.sax
import xml.sax.saxutils
from collections.abc import ItemsView
from contextlib import suppress
from typing import Any, Final
from xml.sax.expatreader import ExpatParser

from feedparser import api as feedparser_api
from feedparser.urls import _urljoin

from feedhub.rules.text import label_text
from feedhub.sources.document import parsable_xml, root_name
from feedhub.sources.feed.broken_xml import balanced, with_references_written_out
from feedhub.sources.feed.raw_feed import (
    MOST_RECORDS_READ,
    MOST_TAGS_READ,
    NOT_READ,
    RawFeed,
    link_relation,
    person_in,
)

_DEEPEST: Final = 1_000
# A million elements take feedparser 25 s. With this bound, each of 12,000 records may have 16.
_MOST_PARTS: Final = 200_000


class LimitReachedError(xml.sax.SAXException):
    """A bound is reached: what was read so far is all that is read of the document."""


class IndexedAttributes:
    """The attributes of an element by their written names, as feedparser asks for them.

    SAX would look through all of them each time: 20,000 took 8 s.
    """

    def __init__(self, attributes: Any) -> None:
        self._values: dict[tuple[str | None, str], str] = dict(attributes.items())
        self._written: dict[str, str] = {attributes.getQNameByName(name): self._values[name] for name in self._values}

    def items(self) -> ItemsView[tuple[str | None, str], str]:
        return self._values.items()

    def getQNames(self) -> list[str]:  # noqa: N802 - named by SAX
        return list(self._written)

    def getValueByQName(self, name: str) -> str:  # noqa: N802 - named by SAX
        return self._written[name]


def check_depth(depth: int) -> None:
    """Bound how deep a document is nested: feedparser keeps every level several times, a million take 300 MB.

    Raises:
        LimitReachedError: it is too deep.
    """
    if depth > _DEEPEST:
        raise LimitReachedError(f"{NOT_READ}: it is nested more than {_DEEPEST} levels deep")


def check_parts(parts: int) -> None:
    """Bound how many elements, or tags of a broken document, are read.

    Raises:
        LimitReachedError: there are too many.
    """
    if parts > _MOST_PARTS:
        raise LimitReachedError(f"{NOT_READ}: it has more than {_MOST_PARTS} elements")


_RECORDS: Final = frozenset({"item", "entry"})
_RECORD_PATHS: Final = (["item"], ["entry"])
_CUT_OFF = (NOT_READ, "no element found", "unclosed token", "unclosed CDATA section", "partial character")


_XHTML: Final = "application/xhtml+xml"
_TEXT_TYPES: Final = frozenset("text plain html xhtml text/plain text/html application/xhtml+xml".split())


def _text_type(written: str, default: str, *, is_atom: bool) -> str:
    """Return the type of a text without parameters (RFC 2045 §5.1); one that says nothing is replaced.

    RSS knows no types. In Atom, any type of text is text, any of XML has its elements inside (RFC 4287 §4.1.3.3), and
    a word that is no type, as ``CDATA``, stands for markup that was escaped.
    """
    kind = written.partition(";")[0].strip().lower()
    if kind in _TEXT_TYPES:
        return kind
    if not is_atom or not kind:
        return default
    if kind.endswith(("+xml", "/xml")):
        return _XHTML
    if kind.startswith("text/"):
        return "text/plain"
    return kind if "/" in kind and not kind.endswith("/html") else "text/html"


_BASES: Final = ("xml:base", "base")


def _joined(base: str, value: str) -> str:
    return _urljoin(base, value) or base  # as ``plain_elements.py`` does, which puts ``https:///host`` right


# What feedparser fails with where it expects another element; only this one is to be lost.
_MISPLACED: Final = (AttributeError, IndexError, KeyError, TypeError, UnicodeError)


class _Corrections:
    """Handlers that replace feedparser's own, which finds them by name."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.outer_bases: list[str] = []
        self.odd_element = ""

    can_be_relative_uri = feedparser_api.StrictFeedParser.can_be_relative_uri - {"id"}

    def push_content(self: Any, tag: str, attributes: dict[str, str], default: str, expecting_text: int) -> None:
        # feedparser gives nothing of a text whose type it does not know, and takes it for base64.
        if "type" in attributes:
            kind = _text_type(attributes["type"], default, is_atom=self.version.startswith("atom"))
            attributes = {**attributes, "type": kind}
        super().push_content(tag, attributes, default, expecting_text)  # type: ignore[misc]

    def pop_content(self: Any, tag: str) -> Any:
        pieces = self.elementstack[-1][2] if self.elementstack else []
        if dict.get(self.contentparams, "type") == _XHTML and not any(piece.startswith("<") for piece in pieces):
            # Without an element (RFC 4287 §3.1.1.3) it is no XHTML, but markup that was escaped.
            pieces[:] = [html.unescape(piece) for piece in pieces]
            self.contentparams["type"] = "text/html"
        return super().pop_content(tag)  # type: ignore[misc]

    def _end_source(self: Any) -> None:
        # An entry that was copied from another feed is by the authors of that feed (RFC 4287 §4.2.1).
        authors = dict.get(self.sourcedata, "authors")
        super()._end_source()  # type: ignore[misc]
        if authors:
            self._get_context()["source_authors"] = authors

    document_url = ""

    def unknown_starttag(self: Any, tag: str, attributes: Any) -> None:
        # feedparser forgets that an `xml:base` ends with its element, and joins none to the address of the document.
        self.outer_bases.append(self.baseuri)
        if any(name.lower() in _BASES for name, _ in attributes):
            base = self.baseuri or self.document_url
            attributes = [
                (name, _joined(base, value) if value and name.lower() in _BASES else value)
                for name, value in attributes
            ]
        try:
            super().unknown_starttag(tag, attributes)  # type: ignore[misc]
        except _MISPLACED:
            self.odd_element = self.odd_element or tag
        if self.incontent and tag.rpartition(":")[2] == "div" and dict.get(self.contentparams, "type") == _XHTML:
            pieces = self.elementstack[-1][2]
            if not any(piece.strip() for piece in pieces[:-1]):
                self.contentparams["base"] = self.baseuri  # the outermost element may have an `xml:base` of its own

    def unknown_endtag(self: Any, tag: str) -> None:
        try:
            super().unknown_endtag(tag)  # type: ignore[misc]
        except _MISPLACED:
            self.odd_element = self.odd_element or tag
        self.baseuri = self.outer_bases.pop() if self.outer_bases else ""

    def _save_author(self: Any, key: str, value: str, prefix: str = "author") -> None:
        super()._save_author(key, label_text(value or "") if key == "name" else value, prefix)  # type: ignore[misc]

    def _sync_author_detail(self: Any, key: str = "author") -> None:
        # feedparser's own method cuts addresses in long top-level domains and takes 13 s for an author of 48 KB.
        context = self._get_context()
        people = dict.get(context, f"{key}s")
        written = dict.get(context, key)
        if people and not people[-1] and isinstance(written, str):
            people[-1].update(person_in(written))

    def _start_guid(self: Any, attributes: dict[str, str]) -> None:
        super()._start_guid(attributes)  # type: ignore[misc]
        self.guidislink = attributes.get("ispermalink", "true").strip().lower() == "true"

    _start_id = _start_guid

    def _end_guid(self: Any) -> None:
        value = self.pop("id")
        if self.guidislink:
            self._save("permalink", value)

    _end_id = _end_guid

    def _start_link(self: Any, attributes: dict[str, str]) -> None:
        if not attributes.get("href"):
            # The address is the text of the element. feedparser would take any `uri`, `url` or empty `href` for it.
            self.address_of_link = attributes.get("url") or attributes.get("uri") or ""
            attributes = {name: value for name, value in attributes.items() if name not in ("href", "url", "uri")}
        attributes["rel"] = link_relation(attributes.get("rel"))
        is_typed = "type" in attributes
        super()._start_link(attributes)  # type: ignore[misc]
        # feedparser gives a link without a type that of a page, text/html; for an attached file that would be wrong.
        links = dict.get(self._get_context(), "links")
        if not is_typed and links and links[-1]["rel"] == "enclosure":
            links[-1].pop("type", None)

    # The address of a file or picture may be written as text, or inside of an element that only channels have.
    def _start_enclosure(self: Any, attributes: dict[str, str]) -> None:
        super()._start_enclosure(attributes)  # type: ignore[misc]
        self.push("enclosure", 0)

    def _end_enclosure(self: Any) -> None:
        if text := self.pop("enclosure"):
            self._get_context()["links"][-1].setdefault("href", text)

    def _start_media_content(self: Any, attributes: dict[str, str]) -> None:
        super()._start_media_content(attributes)  # type: ignore[misc]
        self.push("media_content", 0)

    def _end_media_content(self: Any) -> None:
        if text := self.pop("media_content"):
            self._get_context()["media_content"][-1].setdefault("url", text)

    def _start_image(self: Any, attributes: dict[str, str]) -> None:
        super()._start_image(attributes)  # type: ignore[misc]
        if self.inentry:
            self.feeddata.setdefault("image", {})  # so that its title and link are none of the entry
            self._note_picture(attributes.get("href") or attributes.get("url"))

    def _end_image(self: Any) -> None:
        self._note_picture(self.pop("image"))
        self.inimage = 0

    def _end_itunes_image(self: Any) -> None:
        self._note_picture(self.pop("itunes_image"))

    def _end_url(self: Any) -> None:
        if self.inentry and self.inimage:
            self._note_picture(self.pop("href"))
        else:
            super()._end_url()  # type: ignore[misc]

    def _note_picture(self: Any, address: str | None) -> None:
        if self.inentry and address and not dict.get(self.entries[-1], "image"):
            self.entries[-1]["image"] = {"href": address}

    def _end_link(self: Any) -> None:
        element, _, pieces = self.elementstack[-1] if self.elementstack else ("", 0, [])
        if element == "link" and not "".join(pieces).strip():
            self.elementstack[-1][2] = [self.address_of_link]  # for `href=""` of CDF it is no list yet
        self.pop("link")

    def _start_managingeditor(self: Any, attributes: dict[str, str]) -> None:
        self.push("managingeditor", 1)

    def _end_managingeditor(self: Any) -> None:
        self.pop("managingeditor")

    def _start_media_description(self: Any, attributes: dict[str, str]) -> None:
        self.push_content("media_description", attributes, "text/plain", 1)

    def _end_media_description(self: Any) -> None:
        self.pop_content("media_description")

    def _start_itunes_summary(self: Any, attributes: dict[str, str]) -> None:
        self.push_content("itunes_summary", attributes, "text/plain", 1)

    def _end_itunes_summary(self: Any) -> None:
        self.pop_content("itunes_summary")

    def handle_data(self: Any, text: str, escape: int = 1) -> None:
        # feedparser's own method does the same more slowly: it maps the name of a key for every line of text.
        if self.elementstack:
            if escape and dict.get(self.contentparams, "type") == _XHTML:
                text = xml.sax.saxutils.escape(text)
            self.elementstack[-1][2].append(text)

    def _start_item(self: Any, attributes: dict[str, str]) -> None:
        # A feed of 100,000 records takes 11 s, and no more than 10,000 of them are kept.
        if len(self.entries) >= MOST_RECORDS_READ:
            raise LimitReachedError(f"{NOT_READ}: it has more than {MOST_RECORDS_READ} records")
        super()._start_item(attributes)  # type: ignore[misc]
        if self.baseuri != self.outer_bases[0]:
            self.entries[-1]["base"] = self.baseuri
        if about := attributes.get("rdf:about"):
            self.entries[-1]["permalink"] = about  # RSS 1.0 §5.5: identical to the link

    _start_entry = _start_item

    def _add_tag(self: Any, term: str | None, scheme: str | None, label: str | None) -> None:
        if len(dict.get(self._get_context(), "tags", ())) < MOST_TAGS_READ:
            super()._add_tag(term, scheme, label)  # type: ignore[misc]

    def handle_charref(self: Any, ref: str) -> None:
        # feedparser's own method raises for `&#xFFFFFFFF;`, and the rest of the document would be lost.
        try:
            super().handle_charref(ref)  # type: ignore[misc]
        except (ValueError, OverflowError):
            self.handle_data("\ufffd")

    # Dates stay text: rules/dates.py reads them with the source's time zone.
    def _end_published(self: Any) -> None:
        self.pop("published")

    _end_issued = _end_pubdate = _end_published

    def _end_updated(self: Any) -> None:
        self.pop("updated")

    _end_modified = _end_lastbuilddate = _end_updated

    def _end_created(self: Any) -> None:
        self.pop("created")


class _Strict(_Corrections, feedparser_api.StrictFeedParser):  # type: ignore[misc]
    resolve_relative_uris = False
    sanitize_html = False
    depth = 0
    parts = 0

    root_namespace: str | None = None
    record_namespace: str | None = None
    skipped_depth = 0

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.path: list[str] = []
        self.namespaces_around: list[str | None] = []

    def startElementNS(self, name: Any, qname: Any, attributes: Any) -> None:  # noqa: N802 - named by SAX
        self.depth += 1
        self.parts += 1
        check_depth(self.depth)
        check_parts(self.parts)
        if self.depth == 1:
            self.root_namespace = name[0]
        local = name[1].lower()
        if self.skipped_depth or self._is_record_of_extension(local) or self._is_of_extension(name[0]):
            self.skipped_depth += 1
            return
        if local in _RECORDS:
            self.record_namespace = name[0]
        self.path.append(local)
        self.namespaces_around.append(name[0])
        super().startElementNS(self._own_name(name), qname, IndexedAttributes(attributes))

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: N802 - named by SAX
        self.depth -= 1
        if self.skipped_depth:
            self.skipped_depth -= 1
            return
        self.path.pop()
        self.namespaces_around.pop()
        super().endElementNS(self._own_name(name), qname)

    def characters(self, text: str) -> None:
        if not self.skipped_depth:
            super().characters(text)

    def _is_record_of_extension(self, local: str) -> bool:
        """Tell whether a record stands in an extension of another one, to which it belongs (RFC 4287 §6.4)."""
        return local in _RECORDS and self.path[-1:] not in _RECORD_PATHS and not _RECORDS.isdisjoint(self.path)

    def _is_of_extension(self, namespace: str | None) -> bool:
        """Tell whether an element of the feed's own vocabulary stands in an extension of a record that nobody knows."""
        around = self.namespaces_around[-1] if self.inentry and not self.incontent else None
        if not around or self.path[-1] in _RECORDS or around.lower() in self._matchnamespaces:
            return False
        own = (self.root_namespace, self.record_namespace)
        return around not in own and not (namespace and self._matchnamespaces.get(namespace.lower()))

    def _own_name(self, name: Any) -> Any:
        """Return a name of the document's own vocabulary without its name space.

        feedparser looks for a prefix that is bound to the name space, and knows no elements with that prefix.
        """
        namespace, local = name
        is_own = namespace and namespace == self.root_namespace
        return (None, local) if is_own and not self._matchnamespaces.get(namespace.lower()) else name


class _Loose(_Corrections, feedparser_api.LooseFeedParser):  # type: ignore[misc]
    resolve_relative_uris = False
    sanitize_html = False

    parts = 0

    def unknown_starttag(self: Any, tag: str, attributes: Any) -> None:
        # Tags within a text are not on this stack, so `<p>` without an end does not count.
        check_depth(len(self.elementstack))
        self.parts += 1
        check_parts(self.parts)
        super().unknown_starttag(tag, attributes)

    def unknown_endtag(self: Any, tag: str) -> None:
        self.parts += 1
        check_parts(self.parts)
        super().unknown_endtag(tag)


class _Expat(ExpatParser):
    """Refuses entities that a document declares, and name spaces of several words, which SAX cannot hand on.

    Text comes in pieces of 8 KB instead of line by line.
    """

    def start_namespace_decl(self, prefix: str | None, uri: str) -> None:
        if uri and len(uri.split()) > 1:
            raise xml.sax.SAXException(f"the name space {uri[:80]!r} has white space in it")
        super().start_namespace_decl(prefix, uri)

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]
        self._parser.EntityDeclHandler = _refuse_entity  # type: ignore[attr-defined]


def _refuse_entity(name: str, *_: object) -> None:
    raise xml.sax.SAXException(f"it declares the entity {name[:40]!r}")


def read_dialect(text: str, base: str, url: str = "") -> RawFeed:
    """Return what feedparser reads in ``text``. Addresses are joined to ``base``, an ``xml:base`` to that or ``url``.

    Well-formed XML is read strictly. XML with bare ampersands, undeclared entities or end tags that do not fit is
    repaired and read strictly again; a document that ends too early gives what came before; the rest is read loosely.
    """
    text = parsable_xml(text)
    parser, fault = _strictly(text, base, url)
    remaining = fault
    if fault and not fault.startswith(_CUT_OFF):
        repaired = with_references_written_out(text)
        parser, remaining = _strictly(repaired, base, url)
        if remaining and not remaining.startswith(_CUT_OFF):
            whole = balanced(repaired)
            parser, remaining = _strictly(whole, base, url) if whole is not None else (parser, remaining)
            if remaining:
                parser = _loosely(text, base, url)
    if not fault and parser.odd_element:
        fault = f"an element <{parser.odd_element[:40]}> stands where it means nothing"
    return RawFeed(
        feed=parser.feeddata,
        entries=parser.entries,
        version=parser.version or ("cdf" if root_name(text).lower() == "channel" else ""),
        fault=fault,
        is_repaired=bool(fault) and not remaining,
        cut_off=bool(parser.inentry),
    )


def _strictly(text: str, base: str, url: str) -> tuple[Any, str]:
    """Return the parser after it read ``text``, and why and where it stopped before the end."""
    parser = _Strict(base, None, "utf-8")
    parser.document_url = url
    reader = _Expat(namespaceHandling=1)
    reader.setFeature(xml.sax.handler.feature_external_ges, False)
    reader.setContentHandler(parser)
    reader.setErrorHandler(parser)
    source = xml.sax.xmlreader.InputSource()
    source.setByteStream(io.BytesIO(text.encode()))
    source.setEncoding("utf-8")
    try:
        reader.parse(source)
    except xml.sax.SAXParseException as exc:
        return parser, f"{exc.getMessage()} at line {exc.getLineNumber()}, column {exc.getColumnNumber()}"
    except xml.sax.SAXException as exc:
        return parser, exc.getMessage()
    return parser, ""


def _loosely(text: str, base: str, url: str) -> Any:
    parser = _Loose(base, None, "utf-8", {})
    parser.document_url = url
    with suppress(LimitReachedError):
        parser.feed(text)
    return parser
