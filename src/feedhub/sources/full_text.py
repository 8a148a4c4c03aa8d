"""The second request: what the answer holds of the full text (SPEC §3.1 ``detail``)."""

from zoneinfo import ZoneInfo

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import Detail, Markup
from feedhub.model.mapping import DetailMap, RecordMap
from feedhub.model.source import Source
from feedhub.rules.json_paths import compile_path, in_words
from feedhub.rules.mapped_values import is_present, text_of
from feedhub.rules.text import clean_text, visible_text
from feedhub.rules.walls import is_challenge
from feedhub.sources.article import article_markup
from feedhub.sources.json_api import read_json
from feedhub.sources.mapped_element import ElementReader
from feedhub.sources.mapped_record import Place, RecordReader
from feedhub.sources.records import LONGEST_TEXT, Unusable
from feedhub.sources.selectors import CHALLENGE, Page, elements, outer_markup, read_page

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
        item = ElementReader(detail.fields, _place(page.base, document, source)).item(0, page.root)
    text, where = _chosen(page, detail.css) if detail.css is not None else _article(page)
    return Detail(content=_content(text, page.base, detail, where), item=item)


def _chosen(page: Page, css: str) -> tuple[str, str]:
    chosen = elements(page.root, css)
    if not chosen:
        if is_challenge(page.text):
            raise ParseError(CHALLENGE)
        raise ParseError(f'css "{css}" matches nothing')
    return outer_markup(chosen), f'css "{css}"'


def _article(page: Page) -> tuple[str, str]:
    found = article_markup(page)
    if found is None:
        raise ParseError(CHALLENGE if is_challenge(page.text) else "no article was found in the page")
    return found, "the article"


def _from_json(document: Document, source: Source, detail: DetailMap) -> Detail:
    record, _ = read_json(document, source)
    item = None
    if detail.fields:
        item = RecordReader(RecordMap(fields=detail.fields), record, _place(document.url, document, source)).item(0)
    content = _at_path(record, detail.path, document, detail) if detail.path is not None else None
    return Detail(content=content, item=item)


def _at_path(record: object, path: str, document: Document, detail: DetailMap) -> Markup | None:
    value = compile_path(path).value(record)
    if not is_present(value):
        if detail.fields:
            return None  # a record such as a bare link has fields and no text
        raise ParseError(f"{path} is empty" if isinstance(value, str) else f"nothing at {path} in {in_words(record)}")
    text = text_of(value)
    if text is None:
        raise ParseError(f"{path} is not text but {in_words(value)}")
    return _content(text, document.url, detail, path)


def _place(base: str, document: Document, source: Source) -> Place:
    return Place(url=base, zone=ZoneInfo(source.timezone), fetched_at=document.fetched_at)


def _content(text: str, base: str, detail: DetailMap, where: str) -> Markup:
    for old, new in detail.replace:
        text = text.replace(old, new)
    text = clean_text(text)[:LONGEST_TEXT]
    known = text.lower()
    if not visible_text(text).strip() and not any(tag in known for tag in _SEEN_WITHOUT_TEXT):
        raise ParseError(f"{where} is empty")
    return Markup(value=text, kind="html", base=base)
