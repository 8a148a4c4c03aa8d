"""The whole configuration as values: everything checked, every default filled in."""

from dataclasses import dataclass

from feedhub.model.output import Category, OutputSettings, PostSettings, Retention, Site
from feedhub.model.problem import Problem
from feedhub.model.source import PollSettings, Rule, Source
from feedhub.model.web import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one configuration file and its includes say.

    ``root`` is the absolute folder that relative paths are relative to (SPEC §3). ``store`` is an SQLAlchemy URL
    with an absolute path. ``categories`` are all that the configuration names, declared or not, in order of mention.
    ``files`` are the files it was read from, the main one first, a template last. In ``folders`` more may appear, as
    ``include`` patterns say.
    ``secrets`` are values that never leave memory.
    ``problems`` are those that cost one source each and not the whole configuration.
    ``posts`` None means that no Jekyll posts are written.
    ``output_digest`` changes when anything changes that every output file depends on.
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
    posts: PostSettings | None = None
    web: WebSettings = WebSettings()
    folders: tuple[str, ...] = ()
