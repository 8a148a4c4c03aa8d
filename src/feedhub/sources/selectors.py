"""Web pages as trees, and what selectors find in them (SPEC §3.1 ``html``)."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import lxml.html
from lxml import etree
from lxml.html import HtmlElement

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.rules.selectors import condition_selector, element_selector, field_selector
from feedhub.rules.text import plain, visible_text
from feedhub.rules.walls import is_surely_challenge
from feedhub.sources.addresses import http_url
from feedhub.sources.charset import decode
from feedhub.sources.crowded import is_crowded
from feedhub.sources.sniff import Shape, shape_of, unpacked

CHALLENGE = "challenge page instead of the page that was asked for"
_UNSEEN = ("script", "style", "template")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
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


def read_page(document: Document, source: Source) -> Page:
    """Return a document as a page; broken markup is repaired as browsers do, more or less.

    Raises:
        ParseError: it is empty, a challenge, no page at all, or one that would take too long.
    """
    body = unpacked(document.body, source.max_size)
    decoded = decode(body, override=source.encoding, http_charset=document.charset)
    shape = shape_of(decoded.text)
    if shape in (Shape.EMPTY, Shape.JSON):
        raise ParseError("the document is empty" if shape is Shape.EMPTY else "JSON instead of a web page")
    if is_surely_challenge(decoded.text):
        raise ParseError(CHALLENGE)
    if is_crowded(decoded.text):
        raise ParseError("the tags of the page have too many attributes")
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = lxml.html.document_fromstring(decoded.text.encode(), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError) as exc:
        raise ParseError(f"not a web page: {plain(str(exc))[:200]}") from exc
    etree.strip_elements(root, *_UNSEEN, with_tail=False)
    first = next(root.iter("base"), None)
    given = first.get("href") if first is not None else None
    return Page(
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
    """Yield what ``selector`` gives (visible text, where it does not say otherwise), without what is blank.

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
