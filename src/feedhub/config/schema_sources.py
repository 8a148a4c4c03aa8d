"""The keys of a source: those of every source, and those that its kind declares (SPEC §3.1)."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)

from feedhub.config.forms import (
    NAMES_SCHEMA,
    CategoryNames,
    Count,
    Cron,
    Duration,
    Encoding,
    Every,
    Flag,
    Form,
    HeaderName,
    HeaderValue,
    Interval,
    KeyName,
    Line,
    Names,
    PatternText,
    Silence,
    Size,
    SourceName,
    SourceUrl,
    Timezone,
    WebUrl,
    has_credentials,
    is_web,
    one_or_many,
)
from feedhub.config.schema_mapping import (
    CookieName,
    CookieValue,
    DetailSection,
    FieldName,
    FieldsSection,
    PagesSection,
    RequestBody,
    Template,
)
from feedhub.config.section import Fault, Section, Shorthand, refuse, shorthand_for
from feedhub.config.yaml_tree import Path
from feedhub.model.kind import KeyForm, KindKey, KindTable, SourceKind
from feedhub.rules.json_paths import compile_path

_PLACEHOLDER: Final = re.compile(r"\{\s*(page|cursor)\s*\}")
_NAMES: Final = re.compile(r"\{([^{}]*)\}")


def _kind_faults(source: "SourceSection") -> Iterator[Fault]:
    """Yield the keys that another kind has, and those that are required and missing."""
    kind = source.declared_kind()
    for name in source.model_fields_set - source.general_keys:
        if kind.key(name) is None:
            kinds = " or ".join(each.name for each in source.kinds if each.key(name))
            yield Fault((name,), f"belongs to kind: {kinds}; this source is of kind: {kind.name}")
    for key in kind.keys:
        value = source.own(key.name)
        if key.required and (value is None or (isinstance(value, FieldsSection) and not any(value.given()))):
            yield Fault((key.name,), f"is required: {key.required}")


def _path_check(kind: SourceKind) -> Callable[[str], object]:
    """Return what accepts a path to the records of a kind, or raises ValueError with one readable line."""
    if kind.paths == "jmespath":
        return compile_path
    # Imported here, because most configurations have no selector.
    from feedhub.rules.selectors import element_selector

    return element_selector


def _field_faults(fields: FieldsSection, where: Path, *, is_json: bool) -> Iterator[Fault]:
    """Yield every path of ``fields`` that cannot be used; ``where`` is the way to them."""
    check: Callable[[str], object] = compile_path
    if not is_json:
        from feedhub.rules.selectors import field_selector as check
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
    kind = source.declared_kind()
    if kind.key("pages") is None:
        return
    used = set(_PLACEHOLDER.findall(source.url))
    pages = source.own("pages")
    if not isinstance(pages, PagesSection):
        if used:
            yield Fault(("url",), f"holds {{{min(used)}}}, but no pages: says what it is")
        return
    if pages.cursor and kind.paths != "jmespath":
        yield Fault(("pages", "cursor"), f"is a path in a JSON answer; this source is of kind: {kind.name}")
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
    """Return the fields that a mapped source gives; empty for other kinds, which may give any."""
    mapped = source.own("fields")
    if not isinstance(mapped, FieldsSection):
        return set()
    detail = source.detail.fields if source.detail else None
    return {name for fields in (mapped, detail) if fields for name, _ in fields.given()}


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


CategoryForm = Annotated[
    SourceCategorySection, shorthand_for("also"), Shorthand("text", "list"), Form("text, list, or mapping")
]


class SameTitleSection(Section):
    """How near in time records of one title must be to be one item. A duration may stand alone."""

    within: Interval = Field(description="How far apart their dates may be.", examples=["7d"])
    across: Literal["source", "category"] = Field(
        default="source",
        description="Whether records of other sources count that have a category in common in the configuration.",
    )


SameTitle = Annotated[SameTitleSection, shorthand_for("within"), Shorthand("text"), Form("duration, or mapping")]


class DedupeSection(Section):
    """What a user knows of a source that its records do not say. It holds for items to come."""

    ignore_parameters: Names = Field(
        default=[],
        description="Parameters of addresses that never tell two items apart; `*` and `?` stand for any.",
        examples=[["ref", "from", "src*"]],
    )
    same_title: SameTitle | None = Field(
        default=None,
        description="Records with one title are one item while their dates are at most this far apart, unless a "
        "named key says otherwise. Default: a title alone joins nothing.",
        examples=["7d"],
    )


SourceNames = Annotated[
    list[SourceName], BeforeValidator(one_or_many), WithJsonSchema(NAMES_SCHEMA), Form("text, or a list")
]
PluginName = Annotated[SourceName, Form("name of a plugin")]
Identities = dict[KeyName, IdentitySection]


class SourceSection(Section):
    """One upstream feed."""

    # The keys of every source stand here; ``source_section`` adds those that kinds declare.
    kinds: ClassVar[tuple[SourceKind, ...]] = ()
    general_keys: ClassVar[frozenset[str]] = frozenset()
    name: SourceName = Field(description="Unique name, used in commands and reports.", examples=["hn"])
    url: SourceUrl = Field(
        description="`http(s)://` address, `file:` URL or path of a local file; a user and password in it are sent as "
        "an Authorization header.",
        examples=["https://news.ycombinator.com/rss"],
    )
    title: Line | None = Field(
        default=None,
        description="What people read for its name. Default: what its document calls itself.",
        examples=["Hacker News"],
    )
    kind: str = Field(default="feed", description="How the source is read.")
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
    dedupe: DedupeSection = Field(
        default=DedupeSection(), description="What is known of this source; added to the global `dedupe`."
    )
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
    formerly: SourceNames = Field(
        default=[],
        description="Names that it had before: what was stored under one of them is its own. `feedhub rename` writes "
        "this.",
        examples=["old-name"],
    )
    paused: Flag = Field(default=False, description="Keeps the source and its items, but does not poll it.")

    @field_validator("detail")
    @classmethod
    def _has_json_paths(cls, detail: DetailSection | None) -> DetailSection | None:
        if detail is not None and detail.fields is not None:
            refuse(_field_faults(detail.fields, ("fields",), is_json=True))
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
        refuse((*_kind_faults(self), *_page_faults(self), *_category_faults(self), *_request_faults(self)))
        return self

    def declared_kind(self) -> SourceKind:
        """Return what the kind of the source declares."""
        return next(kind for kind in self.kinds if kind.name == self.kind)

    def own(self, name: str) -> object:
        """Return the value of a key that its kind declares; None for a key of other kinds, or one that is not given."""
        return getattr(self, name) if self.declared_kind().key(name) else None


SourceSection.general_keys = frozenset(SourceSection.model_fields)
_FORMS: Final[dict[KeyForm, Any]] = {
    KeyForm.LINE: Line,
    KeyForm.LINES: Names,
    KeyForm.COUNT: Count,
    KeyForm.FLAG: Flag,
    KeyForm.DURATION: Duration,
    KeyForm.PATTERN: PatternText,
    KeyForm.PATH: Line,
    KeyForm.FIELDS: FieldsSection,
    KeyForm.PAGES: PagesSection,
}


def usable_kinds(table: KindTable) -> KindTable:
    """Return ``table`` where kinds are broken if their keys cannot be declared beside those of the others."""
    usable: list[SourceKind] = []
    broken = list(table.broken)
    for kind in table.kinds:
        fault = next(_key_faults(kind, usable), None)
        if fault:
            broken.append((kind.name, fault))
        else:
            usable.append(kind)
    return KindTable(kinds=tuple(usable), broken=tuple(broken))


def _key_faults(kind: SourceKind, others: Sequence[SourceKind]) -> Iterator[str]:
    for key in kind.keys:
        if not key.name.isidentifier() or hasattr(SourceSection, key.name) or key.name in SourceSection.general_keys:
            yield f"declares the key {key.name!r}, a name that is taken or none"
        if key.form in (KeyForm.FIELDS, KeyForm.PAGES) and key.name != key.form.name.lower():
            yield f"declares the key {key.name!r} in a form that only {key.form.name.lower()} may have"
        if key.form in (KeyForm.PATH, KeyForm.FIELDS) and kind.paths is None:
            yield f"declares the key {key.name!r}, but not what its paths are written in"
        for other in others:
            same = other.key(key.name)
            if same and same.form is not key.form:
                yield f"declares the key {key.name!r} in another form than kind: {other.name}"


def _checked_by_kind(key: KindKey, table: KindTable, value: Any, info: ValidationInfo) -> Any:
    # Checked with the key itself: validators of the whole source do not run when another key is at fault.
    kind = table.kind(str(info.data.get("kind")))
    if value is not None and kind is not None and kind.key(key.name):
        if key.form is KeyForm.PATH:
            _path_check(kind)(value)
        elif key.form is KeyForm.FIELDS:
            refuse(_field_faults(value, (), is_json=kind.paths == "jmespath"))
    return value


def source_section(table: KindTable) -> type[SourceSection]:
    """Return the section of a source that may be of any kind of ``table``, with the keys that those declare."""
    broken = dict(table.broken)

    def is_usable(name: object) -> object:
        if isinstance(name, str) and name in broken:
            raise ValueError(f"{name} is no kind that can be used: its plugin {broken[name]}")
        return name

    meanings = "; ".join(f"`{kind.name}` is {kind.meaning}" for kind in table.kinds)
    choice: Any = Literal.__getitem__(tuple(kind.name for kind in table.kinds))
    keys: dict[str, Any] = {
        "kind": (
            Annotated[choice, BeforeValidator(is_usable)],
            Field(default="feed", description=f"How the source is read: {meanings}."),
        )
    }
    for key in (key for kind in table.kinds for key in kind.keys):
        keys.setdefault(
            key.name,
            (
                Annotated[_FORMS[key.form] | None, AfterValidator(partial(_checked_by_kind, key, table))],
                Field(default=key.default, description=key.meaning, examples=[key.example] if key.example else None),
            ),
        )
    section = create_model("SourceSection", __base__=SourceSection, __doc__=SourceSection.__doc__, **keys)
    section.kinds = table.kinds
    return section
