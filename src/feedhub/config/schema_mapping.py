"""The keys that say how records become items: ``fields``, ``detail``, ``pages`` (SPEC §3.1)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from string import Formatter
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from feedhub.config.forms import (
    Count,
    Form,
    HeaderName,
    HeaderValue,
    Line,
    Names,
    PatternText,
    UrlTemplate,
    WebUrl,
    checked,
    one_or_many,
    parse_flag,
    parse_whole,
)
from feedhub.config.section import Fault, Section, Shorthand, refuse, shorthand_for
from feedhub.config.yaml_tree import Quoted, Value
from feedhub.model.source import NAMED_FORMATS
from feedhub.rules.json_paths import compile_path
from feedhub.rules.mapping import check_template

_YEARS: Final = ("%Y", "%y", "%G", "%c", "%x", "%D", "%F")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<power>[eE][-+]?[0-9]{1,3})?")
_LONGEST_NUMBER: Final = 300
_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_VALUE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_NAMES_SCHEMA: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_FILENAME_PARTS: Final = frozenset({"date", "id", "guid", "slug"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body of a request; ``is_json`` when it was written as a mapping."""

    text: str
    is_json: bool


def _date_format(text: str) -> str:
    if text in NAMED_FORMATS:
        return text
    if "%" not in text:
        raise ValueError(f'expected {", ".join(NAMED_FORMATS)} or a pattern such as "%Y-%m-%d %H:%M:%S"')
    # Without a year in the pattern, strptime assumes 1900.
    if not any(year in text for year in _YEARS):
        raise ValueError("must hold the year (%Y or %y); for dates without one, and clock times, write relative")
    sample = datetime(2024, 2, 29, 13, 14, 15, 161718, tzinfo=UTC)
    try:
        datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007 - what it gives does not matter
    except ValueError as error:
        raise ValueError(f"is no date pattern: {str(error).replace('%%', '%')}") from error
    except re.error as error:  # strptime makes a group of every part, and none of its name twice
        raise ValueError("is no date pattern: one part of the date stands in it twice") from error
    return text


def _body(value: object) -> Body:
    if isinstance(value, str):
        return Body(text=value, is_json=False)
    if isinstance(value, dict):
        text = json.dumps(_json_value(value), ensure_ascii=False, separators=(",", ":"))
        return Body(text=text, is_json=True)
    raise ValueError("expected text, or a mapping that becomes JSON")


def _json_value(value: Value) -> Any:
    """Return a value as JSON: plain numbers, true, false and null are those of JSON; what was quoted is text."""
    if isinstance(value, dict):
        return {key: _json_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_json_value(part) for part in value]
    if value is None or isinstance(value, Quoted):
        return value
    if value in ("true", "false"):
        return value == "true"
    number = _NUMBER.fullmatch(value) if len(value) <= _LONGEST_NUMBER else None
    if number is None:
        return value
    if not (number["fraction"] or number["power"]):
        return int(value)
    # JSON has no infinity.
    return float(value) if isfinite(float(value)) else value


def _pair(value: object) -> tuple[str, str]:
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)):
        raise ValueError('expected a pair such as ["old", "new"]')
    if not value[0]:
        raise ValueError("must not look for nothing: the first text of the pair is empty")
    return value[0], value[1]


def _link(value: object) -> bool:
    try:
        return value == "header" or parse_flag(value)
    except ValueError as error:
        raise ValueError("expected true, false or header") from error


def _cookie_name(text: str) -> None:
    if not _COOKIE_NAME.fullmatch(text):
        raise ValueError("expected the name of a cookie")


def _cookie_value(text: str) -> None:
    if not _COOKIE_VALUE.fullmatch(text):
        raise ValueError("must be printable ASCII without a semicolon")


def _folder(text: str) -> None:
    parts = text.removesuffix("/").split("/")
    if "\\" in text or ":" in text or any(part in ("", ".", "..") for part in parts):
        raise ValueError("expected a folder inside of the output folder, such as _posts")


def _filename(text: str) -> None:
    if "/" in text or "\\" in text or text.startswith("."):
        raise ValueError("expected the name of a file, without folder")
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError("a brace is not closed or not opened: write {id}") from error
    names = {name for _, name, _, _ in parts if name is not None}
    if names - _FILENAME_PARTS or any(shape or conversion for _, _, shape, conversion in parts):
        raise ValueError("expected a name made of {date}, {id}, {guid} and {slug}")
    if not names & {"id", "guid"}:
        raise ValueError("must hold {id} or {guid}: two posts of one name would be one file")


def _selector(text: str) -> None:
    # Imported here, because most configurations have no selector.
    from feedhub.rules.selectors import element_selector

    element_selector(text)


JsonPath = Annotated[Line, checked(compile_path), Form("JMESPath")]
Selector = Annotated[Line, checked(_selector), Form("CSS selector")]
Template = Annotated[Line, checked(check_template), Form("text with `{name}`")]
DateFormats = Annotated[
    list[Annotated[Line, AfterValidator(_date_format)]],
    BeforeValidator(one_or_many),
    WithJsonSchema(_NAMES_SCHEMA),
    Form("one or a list of `iso`, `epoch`, `epoch_ms`, `epoch_us`, `relative`, strptime pattern"),
]
RequestBody = Annotated[
    Body, PlainValidator(_body), WithJsonSchema({"type": ["string", "object"]}), Form("text or mapping")
]
Pairs = Annotated[
    list[Annotated[tuple[str, str], PlainValidator(_pair)]],
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        }
    ),
    Form("list of pairs"),
]
LinkHeader = Annotated[
    bool,
    PlainValidator(_link),
    WithJsonSchema({"enum": [True, False, "header"]}),
    Form("true, false or `header`", lambda flag: str(flag).lower()),
]
Whole = Annotated[int, Field(ge=0, le=1_000_000_000), BeforeValidator(parse_whole), Form("whole number from 0")]
Pages = Annotated[int, Field(ge=1, le=1_000), BeforeValidator(parse_whole), Form("whole number, 1 to 1,000")]
CookieName = Annotated[str, checked(_cookie_name), Form("cookie name")]
CookieValue = Annotated[str, checked(_cookie_value), Form("text")]
InnerFolder = Annotated[Line, checked(_folder), Form("folder inside of `output.dir`")]
PostName = Annotated[Line, checked(_filename), Form("file name with `{date}`, `{id}`, `{guid}`, `{slug}`")]


FieldName = Literal[
    "id", "title", "link", "summary", "content", "published",
    "author", "tags", "language", "image", "comments", "enclosures",
]  # fmt: skip
_DATE = "published"


class FieldSection(Section):
    """Where a field's value comes from and what is done to it, in this order. A text alone, or a list, is `path`."""

    path: Names = Field(
        default=[],
        description="JMESPath in a record, CSS selector in a page; of several, the first that gives something wins.",
        examples=[["title", "simtitle"]],
    )
    css: Names = Field(
        default=[],
        description="The same for a page: `a` takes the text, `a@href` an attribute, `div::html` the markup inside.",
        examples=["time@datetime"],
    )
    template: Template | None = Field(
        default=None,
        description="Filled in when no path gives something; a name is a mapped field or a path in the record.",
        examples=["https://example.org/news/{id}"],
    )
    match: PatternText | None = Field(
        default=None, description="Keeps what the first group matches, without a group the whole match."
    )
    strip: PatternText | None = Field(default=None, description="Removes what it matches.", examples=["^【[^】]*】"])
    limit: Count | None = Field(default=None, description="Keeps the first N characters.")
    format: DateFormats = Field(
        default=[],
        description="How a date is written. Default: every form that is known is tried.",
        examples=["%Y-%m-%d %H:%M:%S"],
    )
    base: WebUrl | None = Field(
        default=None,
        description="What a relative address is joined to. Default: the address of the document; in JSON, of texts and "
        "files the link of the record.",
    )
    kind: Literal["html", "text", "markdown"] = Field(default="html", description="What the text is written in.")

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if self.path and self.css:
            raise ValueError("path and css exclude each other")
        if not (self.path or self.css or self.template):
            raise ValueError("needs a path or a template")
        return self


FieldForm = Annotated[
    FieldSection, shorthand_for("path"), Shorthand("text", "list"), Form("path, list of paths, or mapping")
]


class FieldsSection(Section):
    """Which part of a record is which field of an item."""

    id: FieldForm | None = Field(default=None, description="What the publisher calls the article.")
    title: FieldForm | None = Field(default=None, description="Title.")
    link: FieldForm | None = Field(default=None, description="Address of the article.")
    summary: FieldForm | None = Field(default=None, description="A few sentences.")
    content: FieldForm | None = Field(default=None, description="The whole text.")
    published: FieldForm | None = Field(default=None, description="When it was published.")
    author: FieldForm | None = Field(default=None, description="Who wrote it, or the medium.")
    tags: FieldForm | None = Field(default=None, description="Labels: a list, or a text with commas.")
    language: FieldForm | None = Field(default=None, description="Language tag.")
    image: FieldForm | None = Field(default=None, description="Address of a picture.")
    comments: FieldForm | None = Field(default=None, description="Address of the comments.")
    enclosures: FieldForm | None = Field(default=None, description="Addresses of files, or objects with `url`.")

    @model_validator(mode="after")
    def _only_dates_have_a_format(self) -> Self:
        refuse(
            Fault((name, "format"), f"only {_DATE} is a date and has a format")
            for name, field in self.given()
            if field.format and name != _DATE
        )
        return self

    def given(self) -> Iterator[tuple[str, FieldSection]]:
        """Yield the fields that are mapped, in the order of their declaration."""
        for name in type(self).model_fields:
            field = getattr(self, name)
            if field is not None:
                yield name, field


class DetailSection(Section):
    """The second request, made once for each new item: `content`, `css` or `extract` says where its text is."""

    url: UrlTemplate | None = Field(
        default=None,
        description="Address; a name is a field of the item. Default: the link of the item.",
        examples=["https://example.org/text?id={id}"],
    )
    content: JsonPath | None = Field(default=None, description="Where the text is in a JSON answer.", examples=["text"])
    css: Selector | None = Field(default=None, description="Where the text is in a page.", examples=["article"])
    extract: Literal["article"] | None = Field(
        default=None, description="Finds the article in a page by itself, without menus and the like."
    )
    fields: FieldsSection | None = Field(default=None, description="Further fields of a JSON answer.")
    replace: Pairs = Field(
        default=[],
        description="Literal texts and what is put for them, in this order.",
        examples=[[["\u3000\u3000", ""]]],
    )
    headers: dict[HeaderName, HeaderValue] = Field(default={}, description="Extra request headers.")

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        ways = [name for name in ("content", "css", "extract") if getattr(self, name) is not None]
        has_fields = self.fields is not None and any(self.fields.given())
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} exclude each other")
        if not (ways or has_fields):
            raise ValueError("needs content, css, extract or fields: where the text is in the answer")
        if has_fields and ways not in ([], ["content"]):
            raise ValueError(f"fields are read from a JSON answer, {ways[0]} from a page: they exclude each other")
        return self


class PagesSection(Section):
    """How to get at further pages of the list: a number, a cursor, or the Link header."""

    param: Line | None = Field(
        default=None,
        description="Query parameter for number or cursor; or write `{page}` or `{cursor}` in the `url`.",
        examples=["page"],
    )
    start: Whole = Field(default=1, description="Number of the first page.")
    step: Count = Field(default=1, description="What is added for each further page.")
    max: Pages = Field(default=5, description="How many pages at most, the first included.")
    cursor: JsonPath | None = Field(
        default=None, description="Where the answer says what comes next.", examples=["data.next"]
    )
    link: LinkHeader = Field(default=False, description="Whether to follow the `Link` header to `rel=next`.")

    @model_validator(mode="after")
    def _one_way_of_paging(self) -> Self:
        counting = {"start", "step"} & self.model_fields_set
        if self.link and (self.param or self.cursor or counting):
            raise ValueError("link needs no param, start, step or cursor: the answer says where the next page is")
        if self.cursor and counting:
            raise ValueError("start and step count pages; with a cursor nothing is counted")
        return self
