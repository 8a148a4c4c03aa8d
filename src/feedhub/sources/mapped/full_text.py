"""The answer to the second request of an item: its full text, by path, selector, or as the article of a page.

trafilatura tells best which text of a page is the article, but it rewrites the markup: pictures in bare ``div``,
captions and table layouts get lost or move, and code is nested twice. So only the lines that it finds are used: the
smallest element that holds them is taken from the page, and everything else is removed from that element.
"""

import logging
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from lxml import etree
from lxml.html import HtmlElement

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import Detail, Markup
from feedhub.model.source import DetailMap, RecordMap, Source
from feedhub.rules.json_paths import compile_path, in_words
from feedhub.rules.mapping import is_present, text_of
from feedhub.rules.requests import is_challenge
from feedhub.rules.text import clean_text, plain, visible_text
from feedhub.sources.mapped.html_page import (
    CHALLENGE,
    ElementReader,
    WebPage,
    elements,
    inner_markup,
    outer_markup,
    read_page,
)
from feedhub.sources.mapped.json_api import read_json
from feedhub.sources.mapped.record import RecordReader, context_of
from feedhub.sources.records import Unusable, bounded

_INVISIBLE = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]+")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+\.)\s+")
_ENOUGH = 0.9
"""How much of the article an element must hold to be all of it; the rest are repeats of lines elsewhere."""
_LONG_LINE = 20
"""A line of this length is searched in the whole page; a shorter one only within the next ``_NEAR`` characters."""
_NEAR = 5_000
_MOST_PARTS = 6
_NEAR_FIGURE = 1_500
_NEXT_TO_ARTICLE = 300
_CAPTIONED = re.compile(r"(?:^|\s)(?:wp-caption|caption|image-caption)(?:\s|$)")
_OF_OTHERS = frozenset({"ul", "ol", "figure", "a", "article", "section"})
_WHOLE = frozenset({"body", "html"})
_LONG_PARAGRAPH = 60
_LONGEST_CAPTION = 600
_MOST_FIGURES = 3
_IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?:$|[?#])", re.IGNORECASE)
_MOST_LINKED = 0.5
_LEAVES = frozenset("p pre blockquote h1 h2 h3 h4 h5 h6".split())
_NEVER = frozenset("nav aside form button input select textarea footer noscript dialog menu".split())
# trafilatura is asked to leave tables out, because it keeps those that only arrange the page.
_KEPT_INSIDE = frozenset("figure figcaption table pre blockquote dl".split())
_PHRASES = frozenset(
    "a abbr b bdi cite code del dfn em font i ins kbd mark q ruby s samp small span strong sub sup time tt u".split()
)


def article_markup(page: WebPage) -> str | None:
    """Return the article of a page as markup, relative to ``page.base``; None if there is none. Changes ``page``.

    A single ``h1`` is the title, which every item shows anyway, and is left out.

    Raises:
        ParseError: the page cannot be understood.
    """
    body = page.root.find("body")
    container = page.root if body is None else body
    lines = _article_lines(page.text)
    headings = list(container.iter("h1"))
    if len(headings) == 1:
        title = _without_blanks(headings[0].text_content())
        lines = [line for line in lines if line != title]
        headings[0].drop_tree()
    measure = _measured(container, lines)
    whole = measure.covered(container)
    if whole == 0:
        return None
    while (inner := _holder(container, measure, whole * _ENOUGH)) is not None:
        container = inner
    pruning = _Pruning(measure, container)
    before, after = pruning.figures_around()
    pruning.prune(container)
    return "".join((*before, inner_markup(container).strip(), *after)) or None


@dataclass(frozen=True, slots=True)
class _Measure:
    """Where elements and their texts are in the page's text without blanks, and how much of each is article.

    ``spans`` holds, for each element, its start, the end of its own text, its end, and the end of its tail.
    """

    spans: dict[HtmlElement, tuple[int, int, int, int]]
    sums: Sequence[int]

    def between(self, start: int, end: int) -> int:
        """Return how many characters of the article are between two positions."""
        return self.sums[end] - self.sums[start]

    def covered(self, element: HtmlElement) -> int:
        """Return how many characters of the article an element holds."""
        start, _, end, _ = self.spans[element]
        return self.between(start, end)

    def size(self, element: HtmlElement) -> int:
        """Return how many characters an element holds."""
        start, _, end, _ = self.spans[element]
        return end - start


def _measured(root: HtmlElement, lines: Sequence[str]) -> _Measure:
    pieces: list[str] = []
    spans: dict[HtmlElement, tuple[int, int, int, int]] = {}
    begun: dict[HtmlElement, tuple[int, int]] = {}
    at = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        start, chunk = at, _without_blanks((element.text if event == "start" else element.tail) or "")
        pieces.append(chunk)
        at += len(chunk)
        if event == "start":
            begun[element] = (start, at)
        else:
            spans[element] = (*begun[element], start, at)
    text = "".join(pieces)
    marks = bytearray(len(text))
    for start, end in _places(text, lines):
        marks[start:end] = b"\1" * (end - start)
    return _Measure(spans, array("L", accumulate(marks, initial=0)))


def _places(text: str, lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each line found, in order; a short line counts only soon after the one before it."""
    at = 0
    for line in lines:
        reach = len(text) if len(line) >= _LONG_LINE else at + _NEAR
        start = text.find(line, at, reach)
        found = (start, start + len(line)) if start >= 0 else _place_in_parts(text, line, at)
        if found:
            at = found[1]
            yield found


def _place_in_parts(text: str, line: str, at: int) -> tuple[int, int] | None:
    """Return start and end of a line from which the words of an element within it are missing, such as ``time``."""
    parts = [line[start : start + _LONG_LINE] for start in range(0, len(line) - _LONG_LINE + 1, _LONG_LINE)]
    parts = parts if len(parts) <= 2 * _MOST_PARTS else parts[:_MOST_PARTS] + parts[-_MOST_PARTS:]
    places = [text.find(part, at, at + len(line) + 2 * _NEAR) for part in parts]
    found = [place for place in places if place >= 0]
    if not found or max(found) - min(found) > len(line) + _NEAR:
        return None
    return min(found), max(found) + _LONG_LINE


def _holder(element: HtmlElement, measure: _Measure, enough: float) -> HtmlElement | None:
    """Return the child that holds the whole article, unless it is a single paragraph of it."""
    return next((child for child in element if measure.covered(child) >= enough and child.tag not in _LEAVES), None)


class _Pruning:
    """Removes everything that is not of the article from the element that holds it."""

    def __init__(self, measure: _Measure, container: HtmlElement) -> None:
        self._measure = measure
        self._container = container
        start, _, end, _ = measure.spans[container]
        first = measure.sums[start]
        self._from = bisect_right(measure.sums, first, start, end + 1) - 1
        self._to = bisect_left(measure.sums, measure.sums[end], start, end + 1)

    def figures_around(self) -> tuple[list[str], list[str]]:
        """Return the markup of the pictures with captions that stand before the first and after the last paragraph.

        Outside of the ``article`` only those next to it count, and after it only those of ``main``.
        """
        before: list[str] = []
        after: list[str] = []
        inside = (self._container, *self._container.iterancestors())
        scope = next((element for element in inside if element.tag == "article"), self._container)
        outer = next((element for element in inside if element.tag == "main"), inside[-1])
        for figure in filter(_is_figure, outer.iter("figure", "div")):
            start, _, end, _ = self._measure.spans[figure]
            is_inside = figure is scope or scope in figure.iterancestors()
            near = _NEAR_FIGURE if is_inside else _NEXT_TO_ARTICLE
            if not self._is_lead(figure, scope if is_inside else outer):
                continue
            if end <= self._from and self._from - end <= near:
                before.append(outer_markup([figure]))
            elif start >= self._to and start - self._to <= near and (is_inside or outer.tag == "main"):
                after.append(outer_markup([figure]))
        return before[-_MOST_FIGURES:], after[:_MOST_FIGURES]

    def _is_lead(self, figure: HtmlElement, scope: HtmlElement) -> bool:
        """Tell whether a figure shows a picture of the article and does not lead to another one."""
        around = list(figure.iterancestors())
        tags = {element.tag for element in around[: around.index(scope)]} if figure is not scope else set()
        if tags & ((_NEVER | _OF_OTHERS | ({"header"} if scope.tag in _WHOLE else set())) - {scope.tag}):
            return False
        if self._measure.size(figure) > _LONGEST_CAPTION or self._is_of_links(figure):
            return False
        linked = [link.get("href") or "" for link in figure.iter("a") if next(link.iter("img"), None) is not None]
        has_picture = next(figure.iter("img", "picture", "video"), None) is not None
        return has_picture and all(_IMAGE_FILE.search(address) for address in linked)

    def prune(self, element: HtmlElement) -> None:
        """Leave in ``element`` the text of the article, and pictures and tables that stand within it."""
        start, text_end, _, _ = self._measure.spans[element]
        if not self._is_kept_text(start, text_end):
            element.text = None
        for child in list(element):
            _, _, end, tail_end = self._measure.spans[child]
            if not self._is_kept_text(end, tail_end):
                child.tail = None
            if child.tag in _NEVER or not (self._is_kept(child) or self._is_within_text(element, child)):
                child.drop_tree()
            elif self._measure.covered(child):
                self.prune(child)

    def _is_within_text(self, parent: HtmlElement, child: HtmlElement) -> bool:
        """Tell whether ``child`` is an element within the words of a paragraph, such as ``time`` or ``label``."""
        size = self._measure.size(parent)
        return parent.tag in _LEAVES and 2 * self._measure.covered(parent) >= size >= 4 * self._measure.size(child)

    def _is_kept_text(self, start: int, end: int) -> bool:
        return self._measure.between(start, end) > 0 or (self._from <= start and end <= self._to)

    def _is_kept(self, element: HtmlElement) -> bool:
        if self._measure.covered(element):
            return True
        start, _, end, _ = self._measure.spans[element]
        if not (self._from <= start and end <= self._to):
            return False
        size = self._measure.size(element)
        if size == 0 or element.tag in _PHRASES:
            return True
        if self._is_of_links(element):
            return False
        pictured = sum(self._measure.size(figure) for figure in element.iter("figure"))
        return element.tag in _KEPT_INSIDE or pictured >= _ENOUGH * size or _is_paragraph(element, size)

    def _is_of_links(self, element: HtmlElement) -> bool:
        linked = sum(self._measure.size(link) for link in element.iter("a"))
        return linked > self._measure.size(element) * _MOST_LINKED


def _is_figure(element: HtmlElement) -> bool:
    return element.tag == "figure" or _CAPTIONED.search(element.get("class") or "") is not None


def _is_paragraph(element: HtmlElement, size: int) -> bool:
    """Tell whether an element among those of the article is a paragraph that was left out for its looks."""
    is_block = element.tag in ("p", "center") or (element.tag == "div" and not element.attrib)
    return is_block and size >= _LONG_PARAGRAPH and all(part.tag in _PHRASES for part in element.iterdescendants())


def _article_lines(text: str) -> list[str]:
    """Return the paragraphs of the article without blanks, as trafilatura sees them."""
    try:
        from trafilatura import extract  # an extra; its import takes 0.2 s
    except ImportError as exc:
        raise ParseError(
            f"extract: article needs the extra fulltext: docs/full-text.md tells how ({plain(str(exc))[:200]})"
        ) from exc
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it would warn of every page without an article
    try:
        found = extract(
            text,
            output_format="txt",
            favor_precision=True,
            include_comments=False,
            include_tables=False,
            include_formatting=False,
        )
    except Exception as exc:  # hostile input: whatever breaks in there costs this page
        raise ParseError(f"no article can be read: {type(exc).__name__}: {plain(str(exc))[:200]}") from exc
    lines = (_without_blanks(_BULLET.sub("", line)) for line in (found or "").splitlines())
    return [line for line in lines if line]


def _without_blanks(text: str) -> str:
    return _INVISIBLE.sub("", text)


_SEEN_WITHOUT_TEXT = ("<img", "<video", "<audio", "<iframe", "<table", "<svg", "<embed", "<object")


def read_detail(document: Document, source: Source) -> Detail:
    """Return the content that ``source.detail`` asks for, and the fields it maps (of a page, by selectors).

    The content is as it came but for ``replace`` and forbidden characters, and cut at a million characters. Only where
    there are fields, content may be missing.

    Raises:
        ParseError: what was asked for is missing or empty, or the document cannot be read.
    """
    detail = source.detail
    if detail is None:
        raise ParseError("detail: none is asked for")
    try:
        is_page = detail.css is not None or detail.extract is not None
        return _from_page(document, source, detail) if is_page else _from_json(document, source, detail)
    except (ParseError, ValueError, Unusable) as exc:
        raise ParseError(f"detail: {exc}") from exc


def _from_page(document: Document, source: Source, detail: DetailMap) -> Detail:
    page = read_page(document, source)
    if page.is_cut_off:
        raise ParseError("the page is nested so deeply that its end was not read")
    item = None
    if detail.fields:
        item = ElementReader(detail.fields, context_of(document, source, page.base)).item(0, page.root)
    text, where = _chosen(page, detail.css) if detail.css is not None else _article(page)
    return Detail(content=_content(text, page.base, detail, where), item=item)


def _chosen(page: WebPage, css: str) -> tuple[str, str]:
    chosen = elements(page.root, css)
    if not chosen:
        if is_challenge(page.text):
            raise ParseError(CHALLENGE)
        raise ParseError(f'css "{css}" matches nothing')
    return outer_markup(chosen), f'css "{css}"'


def _article(page: WebPage) -> tuple[str, str]:
    found = article_markup(page)
    if found is None:
        raise ParseError(CHALLENGE if is_challenge(page.text) else "no article was found in the page")
    return found, "the article"


def _from_json(document: Document, source: Source, detail: DetailMap) -> Detail:
    record, _ = read_json(document, source)
    item = None
    if detail.fields:
        item = RecordReader(RecordMap(fields=detail.fields), record, context_of(document, source, document.url)).item(0)
    content = _at_path(record, detail.path, detail) if detail.path is not None else None
    return Detail(content=content, item=item)


def _at_path(record: object, path: str, detail: DetailMap) -> Markup | None:
    value = compile_path(path).value(record)
    if not is_present(value):
        if detail.fields:
            return None  # an item that is only a link has no text
        raise ParseError(f"{path} is empty" if isinstance(value, str) else f"nothing at {path} in {in_words(record)}")
    text = text_of(value)
    if text is None:
        raise ParseError(f"{path} is not text but {in_words(value)}")
    return _content(text, "", detail, path)  # relative to the link of the item


def _content(text: str, base: str, detail: DetailMap, where: str) -> Markup:
    for old, new in detail.replace:
        text = text.replace(old, new)
    text = clean_text(text)
    known = text.lower()
    if not visible_text(text).strip() and not any(tag in known for tag in _SEEN_WITHOUT_TEXT):
        raise ParseError(f"{where} is empty")
    return bounded(Markup(value=text, base=base))
