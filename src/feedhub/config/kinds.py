"""What only shows once the kind of a source is known: which keys it has, what its paths are written in (SPEC §3.1)."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from feedhub.config.addresses import is_web
from feedhub.config.schema_base import Fault
from feedhub.config.schema_mapping import FieldsSection
from feedhub.config.yaml_tree import Path
from feedhub.rules.json_paths import compile_path

if TYPE_CHECKING:
    from feedhub.config.schema_sources import SourceSection

_MAPPING_KEYS: Final = ("items", "fields", "where", "error", "pages")
_PLACEHOLDER: Final = re.compile(r"\{\s*(page|cursor)\s*\}")
_NAMES: Final = re.compile(r"\{([^{}]*)\}")


def kind_faults(source: "SourceSection") -> Iterator[Fault]:
    """Yield what does not fit the kind of a source, every fault at the key it is about."""
    if source.kind == "feed":
        for key in _MAPPING_KEYS:
            if getattr(source, key) is not None:
                yield Fault((key,), "belongs to kind: json or html; this source is of kind: feed")
    else:
        yield from _record_faults(source)
        yield from _page_faults(source)
    yield from _category_faults(source)
    yield from _request_faults(source)


def _record_faults(source: "SourceSection") -> Iterator[Fault]:
    is_json = source.kind == "json"
    if source.fields is None or not any(source.fields.given()):
        yield Fault(("fields",), "is required: which part of a record is which field, such as {title: …, link: …}")
    if source.items is None and not is_json:
        yield Fault(("items",), "is required: the CSS selector that finds the records of the page")


def check_list_path(text: str, kind: str | None) -> None:
    """Accept a path to, or a condition on, the records of a list; of a kind that is not known, any.

    Raises:
        ValueError: one readable line saying what is wrong with it.
    """
    if kind == "json":
        compile_path(text)
    elif kind == "html":
        from feedhub.rules.selectors import check_element_selector

        check_element_selector(text)


def path_faults(fields: FieldsSection, where: Path, *, is_json: bool) -> Iterator[Fault]:
    """Yield every path of ``fields`` that cannot be used; ``where`` is the way to them."""
    check: Callable[[str], object] = compile_path
    if not is_json:
        from feedhub.rules.selectors import check_selector as check
    for name, field in fields.given():
        if field.css and is_json:
            yield Fault((*where, name, "css"), "belongs to pages; in a JSON answer write path")
            continue
        key = "css" if field.css else "path"
        for index, text in enumerate(field.css or field.path):
            yield from _refused(check, text, (*where, name, key, index))


def _refused(check: Callable[[str], object], text: str, path: Path) -> Iterator[Fault]:
    try:
        check(text)
    except ValueError as error:
        yield Fault(path, str(error), text)


def _page_faults(source: "SourceSection") -> Iterator[Fault]:
    used = set(_PLACEHOLDER.findall(source.url))
    pages = source.pages
    if pages is None:
        if used:
            yield Fault(("url",), f"holds {{{min(used)}}}, but no pages: says what it is")
        return
    if pages.cursor and source.kind == "html":
        yield Fault(("pages", "cursor"), "is a path in a JSON answer; this source is of kind: html")
    wanted = set() if pages.link else {"cursor" if pages.cursor else "page"}
    if used - wanted:
        yield Fault(("url",), f"holds {{{min(used - wanted)}}}, which pages: does not give")
    elif wanted and bool(used) == bool(pages.param):
        place = f"{{{min(wanted)}}}"
        message = (
            "needs param, or {} in the url" if not used else "has param and {} in the url: they exclude each other"
        )
        yield Fault(("pages",), message.replace("{}", place))


def _category_faults(source: "SourceSection") -> Iterator[Fault]:
    category = source.category
    if category.from_ is None:
        return
    names = [(category.from_, "from")]
    names += [(name.strip(), "title") for name in _NAMES.findall(category.title or "")]
    mapped = _mapped(source)
    for name, key in names:
        if name not in FieldsSection.model_fields:
            known = ", ".join(FieldsSection.model_fields)
            yield Fault(("category", key), f"{{{name}}} is no field of an item; these are: {known}")
        elif mapped and name not in mapped:
            yield Fault(("category", key), f"{name} is not among the fields of this source")


def _mapped(source: "SourceSection") -> set[str]:
    """Return the fields that a mapped source gives; empty for a feed, which may give any."""
    if source.kind == "feed" or source.fields is None:
        return set()
    detail = source.detail.fields if source.detail else None
    return {name for fields in (source.fields, detail) if fields for name, _ in fields.given()}


def _request_faults(source: "SourceSection") -> Iterator[Fault]:
    if source.body is not None and source.method != "POST":
        yield Fault(("body",), "is sent with method: POST only")
    if not is_web(source.url):
        for key in ("method", "body", "cookies", "sign"):
            if key in source.model_fields_set:
                yield Fault((key,), "needs an address that begins with http:// or https://")
    if source.cookies and any(name.lower() == "cookie" for name in source.headers):
        yield Fault(("cookies",), "and a Cookie header exclude each other")
