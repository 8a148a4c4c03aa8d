"""How records of a JSON API or a page become items (SPEC §3.1). Paths are JMESPath for JSON, CSS selectors for HTML."""

from dataclasses import dataclass
from typing import Literal

FIELDS = (
    "id",
    "title",
    "link",
    "summary",
    "content",
    "published",
    "author",
    "tags",
    "language",
    "image",
    "comments",
    "enclosures",
)
NAMED_FORMATS = ("iso", "epoch", "epoch_ms", "epoch_us", "relative")
"""Dates that have a name; others are strptime patterns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """Where the value of one field comes from, and what is done to it, in this order.

    The first of ``paths`` that is present wins, else ``template`` is filled in (``{id}`` is a mapped field or a key
    of the record). ``match`` keeps its first group, ``strip`` removes what it matches. ``limit`` keeps the first N
    characters. ``formats`` reads dates: strptime patterns, ``iso``, ``epoch``, ``epoch_ms``, ``epoch_us`` or
    ``relative``; none means that every known form is tried. ``base`` is what a relative address is joined to.
    """

    paths: tuple[str, ...] = ()
    template: str | None = None
    match: str | None = None
    strip: str | None = None
    limit: int | None = None
    formats: tuple[str, ...] = ()
    base: str | None = None
    kind: Literal["html", "text", "markdown"] = "html"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMap:
    """The list and its records. ``items`` None means the document itself.

    Records for which ``where`` does not hold are left out; a document for which ``error`` holds is a failed poll.
    """

    fields: tuple[tuple[str, FieldMap], ...]
    items: str | None = None
    where: str | None = None
    error: str | None = None

    def field(self, name: str) -> FieldMap | None:
        """Return the map of a field, or None when it is not mapped."""
        return dict(self.fields).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailMap:
    """The second request, made once for each new item. ``url`` is a template; None means the item's link.

    Exactly one of ``path`` (JMESPath in a JSON answer), ``css`` and ``extract`` says where the content is.
    ``fields`` read further fields from a JSON answer. ``replace`` are literal pairs, applied in order.
    """

    url: str | None = None
    path: str | None = None
    css: str | None = None
    extract: Literal["article"] | None = None
    fields: tuple[tuple[str, FieldMap], ...] = ()
    replace: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMap:
    """Further pages of a list, at most ``max`` in all.

    ``param`` counts from ``start`` in steps of ``step`` in that query parameter; ``{page}`` in the address counts
    likewise. ``cursor`` is a JMESPath whose value goes into ``param`` or ``{cursor}``. ``link`` follows ``rel=next``.
    """

    param: str | None = None
    start: int = 1
    step: int = 1
    max: int = 1
    cursor: str | None = None
    link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryMap:
    """A category for each value of a field, such as one per medium. ``title`` is a template over the item's fields.

    ``slug``: ``pinyin`` reads words, ``pinyin-chars`` character by character.
    """

    field: str
    title: str
    slug: Literal["pinyin", "pinyin-chars"] = "pinyin"
