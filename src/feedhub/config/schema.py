"""The keys of the whole file, but for those of sources and rules: outputs, polling, categories (SPEC §3, §5)."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, create_model, model_validator

from feedhub.config.forms import (
    NAMES_SCHEMA,
    CategoryNames,
    CategorySlug,
    Count,
    Duration,
    Entries,
    Flag,
    Form,
    HeaderValue,
    HostGlob,
    Interval,
    Language,
    Line,
    Names,
    Port,
    PrivateAddress,
    SiteUrl,
    Size,
    StoreUrl,
    Text,
    Timezone,
    WebUrl,
    one_or_many,
)
from feedhub.config.reading import DEFAULT_STORE
from feedhub.config.schema_mapping import InnerFolder, PostName, Whole
from feedhub.config.schema_rules import RuleSection
from feedhub.config.schema_sources import DedupeSection, Identities, SourceSection, source_section
from feedhub.config.section import Fault, Section, Shorthand, refuse, shorthand_for
from feedhub.model.kind import KindTable
from feedhub.model.output import FormatTable
from feedhub.model.settings import NOTIFY_SERVICES
from feedhub.model.source import PollSettings
from feedhub.model.story import StoryChoice, StorySettings


class SiteSection(Section):
    """The public face of the outputs."""

    title: Line = Field(description="Title of the site and of the combined feed.", examples=["金融消息"])
    url: SiteUrl = Field(
        description="Public address of the output folder; ids and self links are built from it, so choose it once.",
        examples=["https://news.example.org"],
    )
    language: Language = Field(default="en", description="Language of the outputs.", examples=["zh-CN"])
    timezone: Timezone = Field(
        default="UTC", description="For dates without a zone, schedules and retention.", examples=["Asia/Shanghai"]
    )
    author: Text = Field(default="", description="Author of the outputs.")
    description: Text = Field(default="", description="One sentence about the site.")


class JekyllSection(Section):
    """Jekyll posts, one for each item and category; `{}` writes them with these defaults."""

    nullable: ClassVar[frozenset[str]] = frozenset({"keep_days"})
    dir: InnerFolder = Field(default="_posts", description="Folder of the posts.")
    template: Line | None = Field(
        default=None,
        description="File with the Jinja2 template of a post. Default: a built-in one.",
        examples=["templates/post.md"],
    )
    filename: PostName = Field(
        default="{date}-{id}.md", description="Name of a post's file; the date is in the time zone of the site."
    )
    keep_days: Whole | None = Field(
        default=None, description="Older posts are moved into `archive`; `null`: all stay in `dir`."
    )
    archive: InnerFolder = Field(default="old_post", description="Folder of older posts.")

    @model_validator(mode="after")
    def _two_folders(self) -> Self:
        if self.dir.rstrip("/") == self.archive.rstrip("/"):
            raise ValueError("dir and archive must be two folders")
        return self


class LimitSection(Section):
    """How much room a single source has: what is beyond it stands in archives, lists and searches, and not in feeds."""

    per_source: Count = Field(description="Items of each source, the first ones that it published on a day.")
    per: Literal["day"] = Field(default="day", description="In which time; days are those of the site's time zone.")


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError("expected the name of an environment variable")
    return text


def _time_of_day(text: str) -> str:
    if not _TIME_OF_DAY.fullmatch(text):
        raise ValueError("expected a time of the day such as 07:00")
    return text


_TIME_OF_DAY: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
TimeOfDay = Annotated[str, AfterValidator(_time_of_day), Form("time such as 07:00")]
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Arguments = Annotated[list[Line], Field(min_length=1), Form("list of texts")]


class AfterSection(Section):
    """A program that is run after files were published. A list alone names it and its arguments."""

    run: Arguments = Field(
        description="The program and its arguments; no shell looks at them.", examples=[["/usr/local/bin/push-feeds"]]
    )
    env: list[Annotated[str, AfterValidator(_variable)]] = Field(
        default=[],
        description="Variables of the environment that it gets beside PATH, HOME and LANG.",
        examples=[["SSH_AUTH_SOCK"]],
    )


AfterForm = Annotated[AfterSection, shorthand_for("run"), Shorthand("list"), Form("list, or mapping")]


class OutputSection(Section):
    """What is written, and where."""

    dir: Line = Field(default="output", description="Folder of the outputs.")
    # ``output_section`` defines the valid names.
    formats: list[str] = Field(default=["atom", "rss", "json"], min_length=1, description="Formats of every feed.")
    archive_formats: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Formats of what is older than that, of those above. Default: the first of `formats`.",
        examples=[["atom", "json"]],
    )
    entries: Entries = Field(default=100, description="Newest N items in a feed.")
    limit: LimitSection | None = Field(
        default=None,
        description="How much room a single source has, in every feed and on the front page. Default: any.",
        examples=[{"per_source": 5}],
    )
    content: Literal["full", "summary", "none"] = Field(default="full", description="How much text a feed carries.")
    pages: Flag = Field(default=True, description="Whether web pages are written beside the feeds.")
    templates: Line | None = Field(
        default=None,
        description="Folder with templates and a `style.css` of your own, which replace ours of the same name.",
        examples=["theme"],
    )
    jekyll: JekyllSection | None = Field(default=None, description="Writes posts for Jekyll; without it, none.")
    after: AfterForm | None = Field(
        default=None,
        description="Program that is run in the folder of the outputs after files were published, such as one that "
        "pushes them on; `FEEDHUB_CHANGED` names a file with the paths that changed.",
        examples=[["/usr/local/bin/push-feeds"]],
    )

    @model_validator(mode="after")
    def _archives_of_feeds(self) -> Self:
        refuse(
            Fault(("archive_formats", at), f"{name} is none of formats, which are {', '.join(self.formats)}")
            for at, name in enumerate(self.archive_formats or ())
            if name not in self.formats
        )
        return self


class HostGroupSection(Section):
    """Hosts that count as one host together."""

    hosts: HostGlob = Field(
        description="Which hosts: a name in which `*` stands for anything. The first group that matches counts.",
        examples=["*.tumblr.com"],
    )
    concurrent: Count | None = Field(default=None, description="Requests at a time. Default: as for one host.")
    gap: Duration | None = Field(default=None, description="Time between two requests. Default: as for one host.")


_POLL: Final = PollSettings()  # the defaults of the keys below


class PerHostSection(Section):
    """Politeness towards one host."""

    concurrent: Count = Field(default=_POLL.host_concurrent, description="Requests at a time.")
    gap: Duration = Field(
        default=_POLL.host_gap, description="Time between two requests, from one being sent to the next."
    )
    groups: list[HostGroupSection] = Field(
        default=[],
        description="Hosts that belong to one service and count as one host.",
        examples=[[{"hosts": "*.tumblr.com", "concurrent": 1, "gap": "5s"}]],
    )
    retry_after: Literal["url", "host"] = Field(
        default=_POLL.retry_after,
        description="What is left alone when a server answers 429 or 503 with `Retry-After`: the address that was "
        "asked, or every source on its host.",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        places = {each.hosts: at for at, each in reversed(list(enumerate(self.groups)))}
        refuse(
            Fault(("groups", at, "hosts"), f"is the pattern of groups[{places[each.hosts]}] already")
            for at, each in enumerate(self.groups)
            if places[each.hosts] != at
        )
        return self


class PollSection(Section):
    """How sources are polled, unless a source says otherwise."""

    every: Interval = Field(default=_POLL.every, description="Default interval between polls.")
    min: Interval = Field(default=_POLL.min, description="What feeds and servers ask for is never less than this…")
    max: Interval = Field(default=_POLL.max, description="…nor more than this.")
    workers: Count = Field(default=_POLL.workers, description="Polls at a time.")
    timeout: Interval = Field(default=_POLL.timeout, description="Total time of a request.")
    max_size: Size = Field(default=_POLL.max_size, description="Largest decoded document.")
    per_host: PerHostSection = Field(default=PerHostSection(), description="Politeness towards one host.")
    user_agent: HeaderValue | None = Field(
        default=None, description="How feedhub calls itself. Default: `feedhub/VERSION (+site.url)`."
    )
    allow_private: list[PrivateAddress] = Field(
        default=[],
        description="Private addresses that may be reached.",
        examples=[["127.0.0.1:8099", "10.1.0.0/16"]],
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError("min must not be more than max")
        return self


class RetentionSection(Section):
    """How long items are kept, per category, in the time zone of the site."""

    nullable: ClassVar[frozenset[str]] = frozenset({"days", "items"})
    days: Count | None = Field(default=90, description="Days since a source last offered the item; `null`: for ever.")
    items: Count | None = Field(default=5000, description="Newest N items of a category; `null`: all.")


def _service_address(text: str) -> str:
    if text.partition("://")[0].lower() not in NOTIFY_SERVICES:
        raise ValueError("expected an address of a service that docs/notifications.md lists")
    return text


ServiceAddress = Annotated[
    Line,
    AfterValidator(_service_address),
    WithJsonSchema({"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}),
    Form("`${NAME}`"),
]


class NotifySection(Section):
    """One place where people are told of what is new, by a service that Apprise speaks to (the extra `notify`)."""

    to: ServiceAddress = Field(
        description="Address of the service as Apprise writes it, from the environment alone.", examples=["${NTFY}"]
    )
    categories: CategoryNames = Field(
        default=[], description="New items of these categories are told; `all` stands for every item."
    )
    rules: Names = Field(default=[], description="New items on which one of these rules holds are told.")
    digests: CategoryNames = Field(
        default=[], description="Digests of these categories are told, each when its day has ended."
    )
    health: Flag = Field(
        default=False, description="Whether it is told that a source fails, recovers, moves or is gone."
    )
    every: Interval = Field(
        default=300.0, description="At most one message in this time; what is new meanwhile is joined."
    )

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if not (self.categories or self.rules or self.health or self.digests):
            raise ValueError("say of what: categories, rules, digests or health")
        return self


class WebSubSection(Section):
    """Readers are told of changes by a WebSub hub."""

    hub: WebUrl | None = Field(
        default=None,
        description="Address of the hub; every feed names it, so that readers can subscribe there.",
        examples=["https://hub.example.org/"],
    )


class WebSection(Section):
    """The web server (`feedhub serve`; with `enabled`, in `feedhub run` too)."""

    enabled: Flag = Field(default=False, description="Whether `feedhub run` serves the outputs.")
    host: Line = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=8080, description="Port to listen on.")
    search: Flag | None = Field(
        default=None,
        description="Whether the published pages have a search box, which asks this server. Default: `web.enabled`.",
    )


class DigestSection(Section):
    """A feed beside that of the category, `feeds/SLUG-digest.*`: one entry a day that tells what came, by source."""

    every: Literal["day"] = Field(default="day", description="How much time an entry tells of.")
    at: TimeOfDay = Field(default="07:00", description="When days end, in the time zone of the site.")


Slugs = Annotated[
    list[CategorySlug], BeforeValidator(one_or_many), WithJsonSchema(NAMES_SCHEMA), Form("slug, or a list")
]


_STORIES: Final = StorySettings()
Reprints = Literal["once", "off"]
SameEvent = Literal["mark", "group", "off"]


class StoryChoiceSection(Section):
    """What the feeds and lists of one category make of stories."""

    reprints: Reprints | None = Field(
        default=None, description="What becomes of reprints. Default: `stories.reprints`.", examples=["off"]
    )
    same_event: SameEvent | None = Field(
        default=None, description="What becomes of reports of one event. Default: `stories.same_event`."
    )


class NeverSection(Section):
    """What belongs to no story. Digests and live blogs never do."""

    titles: list[Line] = Field(
        default=[], description="What titles have in them, in any case.", examples=[["早报", "live updates"]]
    )
    sources: list[Line] = Field(
        default=[], description="Names of sources, in which `*` stands for anything.", examples=[["quotes-*"]]
    )


class StoriesSection(Section):
    """The same news in several feeds; `{}` tells of it with these defaults. See docs/stories.md."""

    reprints: Reprints = Field(
        default=_STORIES.choice.reprints,
        description="`once`: of the same text under several titles and addresses the first is shown, and names the "
        "others; `off`: all are.",
    )
    same_event: SameEvent = Field(
        default=_STORIES.choice.same_event,
        description="`mark`: reports of one event name each other; `group`: only the first is shown, and names the "
        "others; `off`: neither.",
    )
    care: Literal["careful", "normal"] = Field(
        default=_STORIES.care, description="How alike reports of one event must be; `normal` joins more, and errs more."
    )
    window: Interval = Field(
        default=_STORIES.window.total_seconds(), description="Longest time between two reports of one event."
    )
    prefer: list[Line] = Field(
        default=[],
        description="Sources whose text is shown before that of others, if all came since outputs were written last; "
        "`*` stands for anything.",
        examples=[["xinhua", "reuters*"]],
    )
    never: NeverSection = Field(default=NeverSection(), description="What belongs to no story.")

    def settings(self, categories: Mapping[str, StoryChoiceSection]) -> StorySettings:
        """Return what the section says, with the choices of categories, by slug."""
        others = (
            (slug, StoryChoice(reprints=one.reprints or self.reprints, same_event=one.same_event or self.same_event))
            for slug, one in categories.items()
        )
        return StorySettings(
            choice=StoryChoice(reprints=self.reprints, same_event=self.same_event),
            by_category=tuple(others),
            care=self.care,
            window=timedelta(seconds=self.window),
            prefer=tuple(self.prefer),
            never_titles=tuple(self.never.titles),
            never_sources=tuple(self.never.sources),
        )


class CategorySection(Section):
    """One category, that is, one set of output feeds."""

    title: Line | None = Field(
        default=None, description="Title of its feeds. Default: the slug.", examples=["界面新闻"]
    )
    description: Text = Field(default="", description="One sentence about it.")
    entries: Entries | None = Field(default=None, description="Newest N items in its feeds. Default: `output.entries`.")
    digest: DigestSection | None = Field(
        default=None,
        description="A feed with one entry a day that tells what came.",
        examples=[{"every": "day", "at": "07:00"}],
    )
    formerly: Slugs = Field(
        default=[],
        description="Slugs that it had before: their feeds say for 30 days where it is now, and then end.",
        examples=["old-slug"],
    )
    limit: LimitSection | None = Field(
        default=None, description="How much room a single source has. Default: `output.limit`."
    )
    stories: StoryChoiceSection | None = Field(
        default=None,
        description="What its feeds make of stories. Default: as `stories` says.",
        examples=[{"same_event": "group"}],
    )


class IncludedConfig(Section):
    """What an included file may hold. Lists are appended in the order of file names, mappings are joined."""

    include: Names = Field(
        default=[],
        description="More files, as paths or globs relative to the folder of the file that includes them.",
        examples=[["sources/*.yaml"]],
    )
    identity: Identities = Field(default={}, description="Named keys that recognise an article wherever it appears.")
    categories: dict[CategorySlug, CategorySection] = Field(
        default={}, description="Titles and settings of categories, by slug."
    )
    sources: list[SourceSection] = Field(default=[], description="The upstream feeds.")
    rules: list[RuleSection] = Field(default=[], description="What happens to items, in this order.")


class Config(IncludedConfig):
    """Configuration of feedhub."""

    site: SiteSection = Field(description="The public face of the outputs.")
    store: StoreUrl = Field(default=DEFAULT_STORE, description="Where items are kept.")
    output: OutputSection = Field(default=OutputSection(), description="What is written, and where.")
    poll: PollSection = Field(
        default=PollSection(), description="How sources are polled, unless a source says otherwise."
    )
    dedupe: DedupeSection = Field(
        default=DedupeSection(), description="What tells items apart, and what does not, in all sources."
    )
    stories: StoriesSection | None = Field(
        default=None, description="The same news in several feeds; without it, every item is shown by itself."
    )
    retention: RetentionSection = Field(default=RetentionSection(), description="How long items are kept.")
    web: WebSection = Field(default=WebSection(), description="The web server.")
    notify: dict[CategorySlug, NotifySection] = Field(
        default={}, description="Who is told of new items and of health events, by names of your own."
    )
    websub: WebSubSection = Field(default=WebSubSection(), description="Pushing changes to readers.")


IncludedConfig.main_keys = frozenset(Config.model_fields)


def output_section(table: FormatTable) -> type[OutputSection]:
    """Return the section of the output whose feeds may have every format of ``table``."""
    broken = dict(table.broken)

    def is_usable(name: object) -> object:
        if isinstance(name, str) and name in broken:
            raise ValueError(f"{name} is no format that can be used: its plugin {broken[name]}")
        return name

    choice: Any = Annotated[Literal.__getitem__(tuple(one.name for one in table.formats)), BeforeValidator(is_usable)]
    fields = OutputSection.model_fields
    keys: dict[str, Any] = {
        "formats": (list[choice], fields["formats"]),
        "archive_formats": (list[choice] | None, fields["archive_formats"]),
    }
    return create_model("OutputSection", __base__=OutputSection, __doc__=OutputSection.__doc__, **keys)


@lru_cache(maxsize=2)
def sections_for(kinds: KindTable, formats: FormatTable) -> tuple[type[Config], type[IncludedConfig]]:
    """Return what the main file and an included one may hold, with these kinds of sources and formats of outputs."""
    section: Any = source_section(kinds)
    output = output_section(formats)
    keys: dict[str, Any] = {"sources": (list[section], IncludedConfig.model_fields["sources"])}
    described = Field(default=output(), description=Config.model_fields["output"].description)
    return (
        create_model("Config", __base__=Config, __doc__=Config.__doc__, output=(output, described), **keys),
        create_model("IncludedConfig", __base__=IncludedConfig, __doc__=IncludedConfig.__doc__, **keys),
    )
