"""The YAML of ``sources:`` and ``identity:`` (SPEC §3, §4)."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from feedhub.config.addresses import ProxyUrl, SourceUrl, has_credentials
from feedhub.config.forms import (
    CategoryNames,
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
    PatternText,
    Size,
    SourceName,
    Timezone,
    one_or_many,
)
from feedhub.config.schema_base import Section

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


Identities = dict[KeyName, IdentitySection]


class SourceSection(Section):
    """One upstream feed."""

    name: SourceName = Field(description="Unique name, used in commands and reports.", examples=["hn"])
    url: SourceUrl = Field(
        description="`http(s)://` address, `file:` URL or path of a local file; a user and password in it are sent as "
        "an Authorization header.",
        examples=["https://news.ycombinator.com/rss"],
    )
    kind: Literal["feed"] = Field(
        default="feed", description="How the source is read: RSS, Atom, RDF, CDF or JSON Feed."
    )
    category: CategoryNames = Field(
        default=[], description="Slugs or titles of the categories that its items go to.", examples=["tech"]
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
    proxy: ProxyUrl | None = Field(
        default=None, description="HTTP proxy to go through.", examples=["http://127.0.0.1:3128"]
    )
    limit: Count | None = Field(default=None, description="Newest N records of a document. Default: 10,000.")
    content: Literal["sanitize", "trust", "text"] = Field(
        default="sanitize",
        description="What happens to markup: cleaned by an allow-list, left as it is, or turned into text.",
    )
    identity: Identities = Field(default={}, description="Named keys of this source, added to the global ones.")
    timeout: Interval | None = Field(default=None, description="Total time of a request. Default: `poll.timeout`.")
    max_size: Size | None = Field(default=None, description="Largest decoded document. Default: `poll.max_size`.")
    user_agent: HeaderValue | None = Field(default=None, description="Default: `poll.user_agent`.")
    paused: Flag = Field(default=False, description="Keeps the source and its items, but does not poll it.")

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
