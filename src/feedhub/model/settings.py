"""The whole configuration as values: everything checked, every default filled in; and what was wrong with it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from feedhub.model.output import Category, OutputSettings, PostSettings, Retention, Site
from feedhub.model.source import PollSettings, Rule, Source
from feedhub.model.story import StorySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in the configuration, with its place (line and column count from 1; 0 = unknown).

    With ``is_warning`` the configuration can be used all the same.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        place += "warning: " if self.is_warning else ""
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFault:
    """What was saved as the configuration cannot be used, so that the one before it goes on.

    ``problems`` are the first of ``count``; ``since`` is when the first of them was noticed.
    """

    problems: tuple[Problem, ...]
    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the web server listens, and whether the daemon starts it. Port 0 takes any that is free."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterPublish:
    """The program, with its arguments, that is run after files were published; ``env`` are variables that it gets."""

    run: tuple[str, ...]
    env: tuple[str, ...] = ()


NOTIFY_SERVICES: Final = tuple(
    """apprise apprises bark barks bluesky dingtalk discord feishu form forms gchat gotify gotifys guilded hassio
    hassios ifttt json jsons lark line mailto mailtos mastodon mastodons matrix matrixs mmost mmosts nctalk nctalks
    ntfy ntfys opsgenie pagerduty pbul pover prowl push pushdeer pushdeers pushplus pushy revolt rocket rockets schan
    signal signals simplepush slack spugpush synology synologys tgram toot toots wecombot workflows wxpusher
    wxteams xml xmls zulip""".split()
)
"""What addresses of notifications begin with: services of networks that Apprise knows, and none of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyTarget:
    """Who is told of what is new. ``to`` is an address of Apprise, which is a secret as a whole.

    ``categories`` are slugs, or ``all``, ``rules`` are names: new items in one of these, or on which one of these
    holds, are told. With ``health`` so are health events, and the ``digests`` of categories when their days have ended.
    ``every`` is the least time in seconds from one message to
    the next.
    """

    name: str
    to: str = field(repr=False)
    categories: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    health: bool = False
    digests: tuple[str, ...] = ()
    every: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one configuration file and its includes say.

    ``root`` is the absolute folder that relative paths are relative to (SPEC §3). ``store`` is an SQLAlchemy URL
    with an absolute path. ``categories`` are all that the configuration names, declared or not, in order of mention.
    ``files`` are the files it was read from, the main one first, a template last; ``folders`` are where more may
    appear that ``include`` patterns match. ``secrets`` are values that are never shown. ``problems`` are those that
    cost one source each and not the whole configuration, ``warnings`` those that cost nothing. ``posts`` None means
    that no Jekyll posts are written. ``stories`` None means that none are told.
    ``rules_digest`` and ``output_digest`` change when anything changes that filing, or every output file, depends on.
    """

    root: str
    files: tuple[str, ...]
    site: Site
    store: str
    output: OutputSettings
    poll: PollSettings
    retention: Retention
    categories: tuple[Category, ...]
    sources: tuple[Source, ...]
    rules: tuple[Rule, ...]
    rules_digest: str = ""
    output_digest: str = ""
    secrets: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    posts: PostSettings | None = None
    stories: StorySettings | None = None
    after: AfterPublish | None = None
    web: WebSettings = WebSettings()
    folders: tuple[str, ...] = ()
    notify: tuple[NotifyTarget, ...] = ()
