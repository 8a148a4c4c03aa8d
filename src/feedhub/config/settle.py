"""From checked files to settings: the parts joined, every default filled in (SPEC §3)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version

from feedhub.config.addresses import absolute, store_url
from feedhub.config.categories import CategoryTable
from feedhub.config.files import include_folders
from feedhub.config.posts import template_path
from feedhub.config.schema import (
    CategorySection,
    Config,
    HostGroupSection,
    IncludedConfig,
    PerHostSection,
    PollSection,
)
from feedhub.config.schema_rules import ConditionSection, RuleSection
from feedhub.config.section import ConfigFile
from feedhub.config.settle_sources import Defaults, digest, settled_source
from feedhub.config.themes import theme_paths
from feedhub.model.output import Category, OutputSettings, PostSettings, Retention, Site
from feedhub.model.problem import Problem
from feedhub.model.settings import Settings
from feedhub.model.source import Condition, HostGroup, PollSettings, Replacement, Rule, Source
from feedhub.model.web import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file with its checked values. ``unusable`` are problems that cost one source, by its index."""

    file: ConfigFile
    section: IncludedConfig
    unusable: Mapping[int, Problem]


def settle(
    root: str,
    config: Config,
    parts: Sequence[Checked],
    table: CategoryTable,
    *,
    posts: PostSettings | None,
    templates: tuple[tuple[str, str], ...],
    secrets: tuple[str, ...],
) -> Settings:
    """Return the settings that ``parts`` describe; the first part is the main file, whose values are ``config``."""
    site = Site(**{name: getattr(config.site, name) for name in type(config.site).model_fields})
    poll = _poll(config.poll, site)
    identity = {name: pattern for part in parts for name, pattern in part.section.identity.items()}
    given = Defaults(root=root, site=site, poll=poll, identity=identity, categories=table)
    rules = tuple(_rule(section, table) for part in parts for section in part.section.rules)
    sources = tuple(
        _read_again_for(rules, settled_source(section, part.file, index, _line(part.unusable.get(index)), given))
        for part in parts
        for index, section in enumerate(part.section.sources)
    )
    categories = _categories(parts, table)
    output = _output(config, root, templates)
    return Settings(
        root=root,
        files=(
            *(part.file.path for part in parts),
            *theme_paths(config.output.templates, root, templates),
            *filter(None, [template_path(config.output.jekyll, root)]),
        ),
        folders=tuple(sorted({folder for part in parts for folder in include_folders(part.file)})),
        site=site,
        store=store_url(config.store, root),
        output=output,
        posts=posts,
        poll=poll,
        retention=Retention(days=config.retention.days, items=config.retention.items),
        categories=categories,
        sources=sources,
        rules=rules,
        rules_digest=_rules_digest(rules, sources),
        output_digest=_output_digest(site, output, posts, categories),
        secrets=secrets,
        problems=tuple(problem for part in parts for problem in part.unusable.values()),
        web=WebSettings(enabled=config.web.enabled, host=config.web.host, port=config.web.port),
    )


def _line(problem: Problem | None) -> str | None:
    return str(problem) if problem else None


def _output(config: Config, root: str, templates: tuple[tuple[str, str], ...]) -> OutputSettings:
    return OutputSettings(
        dir=absolute(config.output.dir, root),
        formats=tuple(dict.fromkeys(config.output.formats)),
        entries=config.output.entries,
        content=config.output.content,
        pages=config.output.pages,
        templates=templates,
        hub=config.websub.hub,
        search=config.web.enabled if config.web.search is None else config.web.search,
    )


def _poll(section: PollSection, site: Site) -> PollSettings:
    return PollSettings(
        every=section.every,
        min=section.min,
        max=section.max,
        workers=section.workers,
        timeout=section.timeout,
        max_size=section.max_size,
        host_concurrent=section.per_host.concurrent,
        host_gap=section.per_host.gap,
        host_groups=tuple(_host_group(each, section.per_host) for each in section.per_host.groups),
        retry_after=section.per_host.retry_after,
        user_agent=section.user_agent or f"feedhub/{version('feedhub')} (+{site.url})",
        allow_private=tuple(section.allow_private),
    )


def _host_group(group: HostGroupSection, given: PerHostSection) -> HostGroup:
    return HostGroup(
        pattern=group.hosts,
        concurrent=given.concurrent if group.concurrent is None else group.concurrent,
        gap=given.gap if group.gap is None else group.gap,
    )


def _categories(parts: Sequence[Checked], table: CategoryTable) -> tuple[Category, ...]:
    declared = {slug: section for part in parts for slug, section in part.section.categories.items()}
    return tuple(
        Category(slug=slug, title=title, description=section.description, entries=section.entries)
        for slug, title in table.titles.items()
        for section in [declared.get(slug) or CategorySection.model_validate({})]
    )


def _rule(section: RuleSection, table: CategoryTable) -> Rule:
    then = section.then
    return Rule(
        name=section.name,
        when=_condition(section.when, table),
        drop=then.drop,
        categories=table.slugs_of(then.category),
        tags=tuple(dict.fromkeys(then.tag)),
        replace=tuple(
            Replacement(field=each.field, pattern=each.pattern, replacement=each.with_) for each in then.replace
        ),
        stop=then.stop,
    )


def _condition(section: ConditionSection, table: CategoryTable) -> Condition:
    """Return the tree of a condition; a mapping with one key needs no ``all`` around it."""
    parts: list[Condition] = []
    for kind, nested in (("all", section.all), ("any", section.any)):
        if nested:
            parts.append(Condition(kind=kind, parts=tuple(_condition(each, table) for each in nested)))
    if section.not_:
        parts.append(Condition(kind="not", parts=(_condition(section.not_, table),)))
    for kind in ("title", "content", "summary", "author", "link"):
        pattern = getattr(section, kind)
        if pattern:
            parts.append(Condition(kind=kind, values=(pattern,)))
    slugs = [table.slug_for_asking(name) for name in section.category or ()]
    for kind, values in (("source", section.source), ("tags", section.tags), ("category", slugs)):
        if values:
            parts.append(Condition(kind=kind, values=tuple(dict.fromkeys(values))))
    return parts[0] if len(parts) == 1 else Condition(kind="all", parts=tuple(parts))


def _read_again_for(rules: Sequence[Rule], source: Source) -> Source:
    """Let a document that did not change be read again when what rules drop may have changed."""
    if not any(rule.drop for rule in rules):
        return source
    return replace(source, settings_digest=digest(source.settings_digest, [asdict(rule) for rule in rules]))


def _rules_digest(rules: Sequence[Rule], sources: Sequence[Source]) -> str:
    filed = sorted((source.name, source.categories) for source in sources)
    by_value = sorted((source.name, asdict(source.category_map)) for source in sources if source.category_map)
    return digest([asdict(rule) for rule in rules], filed, *([by_value] if by_value else []))


def _output_digest(
    site: Site, output: OutputSettings, posts: PostSettings | None, categories: Sequence[Category]
) -> str:
    shown = [asdict(category) for category in categories]
    written = [asdict(posts)] if posts else []
    settings = {name: value for name, value in asdict(output).items() if name != "dir"}
    return digest(asdict(site), settings, shown, *written)
