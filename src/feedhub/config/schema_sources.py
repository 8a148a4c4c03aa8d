"""What only shows once the kind of a source is known: which keys it has, what its paths are written in (SPEC §3.1)."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from feedhub.config.addresses import SourceUrl, WebUrl, has_credentials, is_web
from feedhub.config.forms import (
    Count,
    Cron,
    Encoding,
    Every,
    Flag,
    Form,
    HeaderName,
    HeaderValue,
    Interval,
    KeyName,
    Line,
    PatternText,
    Silence,
    Size,
    SourceName,
    Timezone,
    one_or_many,
)
from feedhub.config.schema_base import Fault, Section, refuse
from feedhub.config.schema_mapping import (
    CategoryForm,
    CookieName,
    CookieValue,
    DetailSection,
    FieldsSection,
    PagesSection,
    RequestBody,
    SourceCategorySection,
)
from feedhub.config.yaml_tree import Path
from feedhub.rules.json_paths import compile_path

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


KeyField = Literal["id", "link", "title", "summary", "content", "author"]
KeyFields = Annotated[
    list[KeyField],
    BeforeValidator(one_or_many),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [{"enum": list(get_args(KeyField))}, {"type": "array", "items": {"enum": list(get_args(KeyField))}}]}
    ),
    Form(f"one or a list of {', '.join(f'`{name}`' for name in get_args(KeyField))}"),
]


class IdentitySection(Section):
    """A named key: a number or code that publishers give an article wherever it appears."""

    from_: KeyFields = Field(alias="from", description="Where to look, in this order.", examples=[["id", "link"]])
    pattern: PatternText = Field(
        description="What to look for; the first group is the value, without a group the whole match.",
        examples=[r"infoCode=(\d{18})"],
    )


PluginName = Annotated[SourceName, Form("name of a plugin")]
Identities = dict[KeyName, IdentitySection]


class SourceSection(Section):
    """One upstream feed."""

    name: SourceName = Field(description="Unique name, used in commands and reports.", examples=["hn"])
    url: SourceUrl = Field(
        description="`http(s)://` address, `file:` URL or path of a local file; a user and password in it are sent as "
        "an Authorization header.",
        examples=["https://news.ycombinator.com/rss"],
    )
    kind: Literal["feed", "json", "html"] = Field(
        default="feed",
        description="How the source is read: `feed` is RSS, Atom, RDF, CDF or JSON Feed; `json` is an API that answers "
        "in JSON or JSONP; `html` is a page.",
    )
    category: CategoryForm = Field(
        default=SourceCategorySection(),
        description="Slugs or titles of the categories that its items go to, or a category for each value of a field.",
        examples=["tech"],
    )
    every: Every | None = Field(
        default=None,
        description="Interval between polls; `auto` follows the rhythm of the source. Default: `poll.every`.",
    )
    schedule: Cron | None = Field(
        default=None,
        description="Cron expression of five fields in the time zone of the site, instead of `every`.",
        examples=["*/5 9-15 * * 1-5"],
    )
    encoding: Encoding | None = Field(
        default=None, description="Overrides a wrong declaration of the encoding.", examples=["gb18030"]
    )
    timezone: Timezone | None = Field(
        default=None, description="For dates without a zone. Default: `site.timezone`.", examples=["Asia/Shanghai"]
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="Extra request headers.", examples=[{"Authorization": "Bearer ${TOKEN}"}]
    )
    proxy: WebUrl | None = Field(
        default=None, description="HTTP proxy to go through.", examples=["http://127.0.0.1:3128"]
    )
    limit: Count | None = Field(default=None, description="Newest N records of a document. Default: 10,000.")
    content: Literal["sanitize", "trust", "text"] = Field(
        default="sanitize",
        description="What happens to markup: cleaned by an allow-list, left as it is, or turned into text.",
    )
    identity: Identities = Field(default={}, description="Named keys of this source, added to the global ones.")
    items: Line | None = Field(
        default=None,
        description="Where the records are: JMESPath (default: the document itself), or CSS selector in a page.",
        examples=["data.list"],
    )
    fields: FieldsSection | None = Field(default=None, description="Which part of a record is which field.")
    where: Line | None = Field(
        default=None,
        description="Keeps the records for which this holds: JMESPath, or CSS selector in a page.",
        examples=["ad == `false`"],
    )
    error: Line | None = Field(
        default=None,
        description="The poll fails when this holds for the answer: JMESPath, or CSS selector that finds something.",
        examples=["errno != `0`"],
    )
    pages: PagesSection | None = Field(default=None, description="Further pages of the list.")
    detail: DetailSection | None = Field(default=None, description="A second request for the text of each new item.")
    method: Literal["GET", "POST"] = Field(default="GET", description="How the list is asked for.")
    body: RequestBody | None = Field(
        default=None,
        description="What is sent with POST; a mapping is sent as JSON, in which quoted values are text.",
        examples=[{"page": 1, "type": "news"}],
    )
    cookies: dict[CookieName, CookieValue] = Field(
        default={}, description="Sent as one Cookie header.", examples=[{"session": "${SESSION}"}]
    )
    sign: PluginName | None = Field(default=None, description="Plugin that signs every request of this source.")
    timeout: Interval | None = Field(default=None, description="Total time of a request. Default: `poll.timeout`.")
    max_size: Size | None = Field(default=None, description="Largest decoded document. Default: `poll.max_size`.")
    user_agent: HeaderValue | None = Field(default=None, description="Default: `poll.user_agent`.")
    stale_after: Silence | None = Field(
        default=None,
        description="Time without a new item after which the source is reported as stale; `never` for one that may be "
        "silent for as long as it likes. Default: by its own rhythm.",
        examples=["12d"],
    )
    paused: Flag = Field(default=False, description="Keeps the source and its items, but does not poll it.")

    @field_validator("items", "where", "error")
    @classmethod
    def _is_a_path(cls, text: str | None, info: ValidationInfo) -> str | None:
        # Here and not with what fits the kind, so that another fault of the source does not hide it.
        if text is not None:
            check_list_path(text, info.data.get("kind"))
        return text

    @field_validator("fields")
    @classmethod
    def _has_paths(cls, fields: FieldsSection | None, info: ValidationInfo) -> FieldsSection | None:
        if fields is not None and (kind := info.data.get("kind")) in ("json", "html"):
            refuse(path_faults(fields, (), is_json=kind == "json"))
        return fields

    @field_validator("detail")
    @classmethod
    def _has_json_paths(cls, detail: DetailSection | None) -> DetailSection | None:
        if detail is not None and detail.fields is not None:
            refuse(path_faults(detail.fields, ("fields",), is_json=True))
        return detail

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        names = [name.lower() for name in self.headers]
        if len(set(names)) < len(names):
            raise ValueError("headers holds one header twice; case does not count in their names")
        if "authorization" in names and has_credentials(self.url):
            raise ValueError("a user in the url and an Authorization header exclude each other")
        return self

    @model_validator(mode="after")
    def _one_way_of_timing(self) -> Self:
        if self.every is not None and self.schedule is not None:
            raise ValueError("every and schedule exclude each other")
        return self

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        refuse(kind_faults(self))
        return self
