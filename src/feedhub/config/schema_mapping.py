"""The YAML of mapped sources (SPEC §3.1): ``fields``, ``detail``, ``pages``, a category per value of a field."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from feedhub.config.addresses import UrlTemplate, WebUrl
from feedhub.config.forms import CategoryNames, Count, Form, HeaderName, HeaderValue, Line, Names, PatternText
from feedhub.config.mapping_forms import (
    DateFormats,
    JsonPath,
    LinkHeader,
    Pages,
    Pairs,
    Selector,
    Template,
    Whole,
)
from feedhub.config.schema_base import Fault, Section, Shorthand, meaning, refuse

FieldName = Literal[
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
]
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
        default=None, description="What a relative address is joined to. Default: the address of the document."
    )
    kind: Literal["html", "text", "markdown"] = Field(default="html", description="What the text is written in.")

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if self.path and self.css:
            raise ValueError("path and css exclude each other")
        if not (self.path or self.css or self.template):
            raise ValueError("needs a path or a template")
        return self


FieldForm = Annotated[FieldSection, meaning("path"), Shorthand(), Form("path, list of paths, or mapping")]


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


class SourceCategorySection(Section):
    """A category for each value of a field. A text alone, or a list, names the categories of all items."""

    from_: FieldName | None = Field(
        default=None,
        alias="from",
        description="The field with a category for each of its values; up to 500 for a source.",
        examples=["author"],
    )
    title: Template | None = Field(
        default=None, description="Title of the category, of fields. Default: the value.", examples=["{author}"]
    )
    slug: Literal["pinyin", "pinyin-chars"] = Field(
        default="pinyin", description="How Chinese titles are read: in words, or character by character."
    )
    also: CategoryNames = Field(default=[], description="Slugs or titles of categories that all items go to.")

    @model_validator(mode="after")
    def _says_from_what(self) -> Self:
        if self.from_ is None and {"title", "slug"} & self.model_fields_set:
            refuse([Fault(("from",), "is required with title and slug")])
        return self


CategoryForm = Annotated[SourceCategorySection, meaning("also"), Shorthand(), Form("text, list, or mapping")]
