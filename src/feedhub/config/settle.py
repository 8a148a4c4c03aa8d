"""From checked sections to settings: files joined, every default filled in (SPEC §3)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from typing import Any, Final
from zoneinfo import ZoneInfo

from feedhub.config.categories import CategoryTable
from feedhub.config.files import template_path, theme_paths
from feedhub.config.forms import source_address, store_url
from feedhub.config.reading import absolute
from feedhub.config.schema import (
    AfterSection,
    CategorySection,
    Config,
    HostGroupSection,
    IncludedConfig,
    NotifySection,
    PerHostSection,
    PollSection,
)
from feedhub.config.schema_mapping import (
    DetailSection,
    FieldSection,
    FieldsSection,
    PagesSection,
)
from feedhub.config.schema_rules import ConditionSection, PublishedSection, RuleSection
from feedhub.config.schema_sources import DedupeSection, IdentitySection, SourceCategorySection, SourceSection
from feedhub.config.section import ConfigFile
from feedhub.model.identity import KeyPattern
from feedhub.model.kind import OptionValue
from feedhub.model.output import Category, OutputSettings, PostSettings, Retention, Site
from feedhub.model.settings import AfterPublish, NotifyTarget, Problem, Settings, WebSettings
from feedhub.model.source import (
    CategoryMap,
    Condition,
    DedupeSettings,
    DetailMap,
    FieldMap,
    HostGroup,
    PageMap,
    PollSettings,
    RecordMap,
    Replacement,
    Rule,
    Source,
)
from feedhub.model.story import StorySettings
from feedhub.rules.categorize import CONDITION_FIELDS, ConditionField, link_rules
from feedhub.rules.patterns import Times
from feedhub.rules.select import ALL

_LIST_PATHS: Final = ("items", "where", "error")


def record_map(section: SourceSection) -> RecordMap | None:
    """Return the map of the records of a kind that has ``fields``; None for others."""
    fields = section.own("fields")
    if not isinstance(fields, FieldsSection):
        return None
    items, where, error = (value if isinstance(value := section.own(name), str) else None for name in _LIST_PATHS)
    return RecordMap(fields=_fields(fields), items=items, where=where, error=error)


def page_map(section: SourceSection) -> PageMap | None:
    """Return how further pages are found, if they are."""
    pages = section.own("pages")
    if not isinstance(pages, PagesSection):
        return None
    return PageMap(**{name: getattr(pages, name) for name in type(pages).model_fields})


def options(section: SourceSection) -> Iterator[tuple[str, OptionValue]]:
    """Yield the values of all other keys of the kind that are given or have a default."""
    for key in section.declared_kind().keys:
        value = section.own(key.name)
        if key.name not in _LIST_PATHS and isinstance(value, str | int | float | list | tuple):
            yield key.name, tuple(value) if isinstance(value, list) else value


def detail_map(section: DetailSection | None) -> DetailMap | None:
    """Return the map of the second request, if there is one."""
    if section is None:
        return None
    return DetailMap(
        url=section.url,
        path=section.content,
        css=section.css,
        extract=section.extract,
        fields=_fields(section.fields) if section.fields else (),
        replace=tuple(section.replace),
        headers=tuple(sorted(section.headers.items())),
    )


def category_map(section: SourceCategorySection) -> CategoryMap | None:
    """Return the map of a category per value; None where the categories are named."""
    if section.from_ is None:
        return None
    title = section.title or f"{{{section.from_}}}"
    return CategoryMap(field=section.from_, title=title, slug=section.slug)


def request_headers(section: SourceSection) -> Iterator[tuple[str, str]]:
    """Yield the headers of the list's request, with those that cookies and a JSON body need."""
    yield from sorted(section.headers.items())
    if section.cookies:
        yield "Cookie", "; ".join(f"{name}={value}" for name, value in section.cookies.items())
    if section.body and section.body.is_json and "content-type" not in map(str.lower, section.headers):
        yield "Content-Type", "application/json"


def _fields(section: FieldsSection) -> tuple[tuple[str, FieldMap], ...]:
    return tuple((name, _field(field)) for name, field in section.given())


def _field(section: FieldSection) -> FieldMap:
    return FieldMap(
        paths=tuple(section.css or section.path),
        template=section.template,
        match=section.match,
        strip=section.strip,
        limit=section.limit,
        formats=tuple(section.format),
        base=section.base,
        kind=section.kind,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a source takes from the rest of the configuration."""

    root: str
    site: Site
    poll: PollSettings
    identity: dict[str, IdentitySection]
    dedupe: DedupeSection
    categories: CategoryTable


def settled_source(section: SourceSection, file: ConfigFile, index: int, broken: str | None, given: Defaults) -> Source:
    """Return the source that ``section`` describes; ``broken`` says why it cannot be used, if it cannot."""
    address = source_address(section.url, given.root)
    headers = list(request_headers(section))
    if address.authorization:
        headers.append(("Authorization", address.authorization))
    source = Source(
        name=section.name,
        url=address.url,
        title=section.title or "",
        kind=section.kind,
        categories=given.categories.slugs_of(section.category.also),
        every=section.every if isinstance(section.every, float) else None,
        schedule=section.schedule,
        auto=section.every == "auto",
        paused=section.paused,
        encoding=section.encoding,
        timezone=section.timezone or given.site.timezone,
        headers=tuple(headers),
        proxy=section.proxy,
        limit=section.limit,
        content=section.content,
        identity=key_patterns({**given.identity, **section.identity}),
        dedupe=dedupe_settings(section.dedupe, given.dedupe),
        timeout=section.timeout or given.poll.timeout,
        max_size=section.max_size or given.poll.max_size,
        user_agent=section.user_agent or given.poll.user_agent,
        place=f"{file.shown}:{file.line(('sources', index))}",
        broken=broken,
        method=section.method,
        body=section.body.text if section.body else None,
        records=record_map(section),
        detail=detail_map(section.detail),
        pages=page_map(section),
        options=tuple(options(section)),
        category_map=category_map(section.category),
        sign=section.sign,
        stale_after=section.stale_after,
        formerly=tuple(section.formerly),
    )
    return replace(source, settings_digest=_settings_digest(source))


def _settings_digest(source: Source) -> str:
    """Return the digest of the settings that decide which items a document gives; headers and cookies do not."""
    detail = replace(source.detail, headers=()) if source.detail else None
    parts = [asdict(part) if part else None for part in (source.records, detail, source.pages, source.category_map)]
    return digest(
        source.kind,
        source.url,
        source.encoding,
        source.timezone,
        source.limit,
        source.content,
        [asdict(pattern) for pattern in source.identity],
        source.method,
        source.body,
        parts,
        source.sign,
        *([source.options] if source.options else []),
    )


def key_patterns(identity: dict[str, IdentitySection]) -> tuple[KeyPattern, ...]:
    """Return named keys in the order they are given, the global ones first."""
    return tuple(
        KeyPattern(name=name, fields=tuple(section.from_), pattern=section.pattern)
        for name, section in identity.items()
    )


def dedupe_settings(own: DedupeSection, general: DedupeSection) -> DedupeSettings:
    """Return what holds for one source: its own title rule or the general one, and the parameters of both."""
    title = own.same_title or general.same_title
    return DedupeSettings(
        ignore_parameters=tuple(dict.fromkeys((*general.ignore_parameters, *own.ignore_parameters))),
        same_title=title.within if title else None,
        across=title is not None and title.across == "category",
    )


def digest(*facts: Any) -> str:
    """Return the SHA-256 in hex of facts that JSON can write."""
    text = json.dumps(facts, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
    folders: Iterable[str],
) -> Settings:
    """Return the settings that ``parts`` describe; the first part is the main file, whose values are ``config``."""
    site = Site(**{name: getattr(config.site, name) for name in type(config.site).model_fields})
    poll = _poll(config.poll, site)
    identity = {name: pattern for part in parts for name, pattern in part.section.identity.items()}
    given = Defaults(root=root, site=site, poll=poll, identity=identity, dedupe=config.dedupe, categories=table)
    rules = tuple(_rule(section, table, site.timezone) for part in parts for section in part.section.rules)
    settled = (
        settled_source(section, part.file, index, _line(part.unusable.get(index)), given)
        for part in parts
        for index, section in enumerate(part.section.sources)
    )
    rules_digest = digest([_rule_facts(rule) for rule in rules])
    sources = tuple(_read_again_for(rules, rules_digest, settled))
    categories = _categories(parts, table)
    output = _output(config, root, templates)
    stories = _stories(config, parts)
    return Settings(
        root=root,
        files=tuple(_files(config, parts, root, templates)),
        folders=tuple(sorted(folders)),
        site=site,
        store=store_url(config.store, root),
        output=output,
        posts=posts,
        poll=poll,
        retention=Retention(days=config.retention.days, items=config.retention.items),
        categories=categories,
        sources=sources,
        rules=rules,
        rules_digest=rules_digest,
        output_digest=_output_digest(site, output, posts, categories, sources, stories),
        stories=stories,
        secrets=secrets,
        problems=tuple(problem for part in parts for problem in part.unusable.values()),
        after=_after(config.output.after, root),
        notify=tuple(_notify(name, section, table) for name, section in config.notify.items()),
        web=WebSettings(enabled=config.web.enabled, host=config.web.host, port=config.web.port),
    )


def _files(
    config: Config, parts: Sequence[Checked], root: str, templates: tuple[tuple[str, str], ...]
) -> Iterator[str]:
    yield from (part.file.path for part in parts)
    yield from theme_paths(config.output.templates, root, templates)
    yield from filter(None, [template_path(config.output.jekyll, root)])


def _after(section: AfterSection | None, root: str) -> AfterPublish | None:
    if section is None:
        return None
    program, *arguments = section.run
    program = absolute(program, root) if "/" in program else program
    return AfterPublish(run=(program, *arguments), env=tuple(section.env))


def _notify(name: str, section: NotifySection, table: CategoryTable) -> NotifyTarget:
    return NotifyTarget(
        name=name,
        to=section.to,
        categories=tuple(
            dict.fromkeys(one if one == ALL else table.slug_for_asking(one) for one in section.categories)
        ),
        rules=tuple(section.rules),
        health=section.health,
        digests=tuple(dict.fromkeys(map(table.slug_for_asking, section.digests))),
        every=section.every,
    )


def _line(problem: Problem | None) -> str | None:
    return str(problem) if problem else None


def _output(config: Config, root: str, templates: tuple[tuple[str, str], ...]) -> OutputSettings:
    return OutputSettings(
        dir=absolute(config.output.dir, root),
        formats=tuple(dict.fromkeys(config.output.formats)),
        archive_formats=tuple(dict.fromkeys(config.output.archive_formats or ())),
        entries=config.output.entries,
        per_source=config.output.limit.per_source if config.output.limit else None,
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
        Category(
            slug=slug,
            title=title,
            description=section.description,
            entries=section.entries,
            per_source=section.limit.per_source if section.limit else None,
            formerly=tuple(dict.fromkeys(section.formerly)),
            digest_at=section.digest.at if section.digest else None,
        )
        for slug, title in table.titles.items()
        for section in [declared.get(slug) or CategorySection.model_validate({})]
    )


def _stories(config: Config, parts: Sequence[Checked]) -> StorySettings | None:
    chosen = {slug: one.stories for part in parts for slug, one in part.section.categories.items() if one.stories}
    return config.stories.settings(chosen) if config.stories else None


def _rule(section: RuleSection, table: CategoryTable, zone: str) -> Rule:
    then, when = section.then, _condition(section.when, table, zone)
    if then.keep_only:
        kept = _condition(then.keep_only, table, zone)
        when = Condition(kind="all", parts=(when, Condition(kind="not", parts=(kept,))))
    return Rule(
        name=section.name,
        when=when,
        drop=then.drop or then.keep_only is not None,
        categories=table.slugs_of(then.category),
        tags=tuple(dict.fromkeys(then.tag)),
        replace=tuple(
            Replacement(field=each.field, pattern=each.pattern, replacement=each.with_) for each in then.replace
        ),
        stop=then.stop,
        is_apart=not then.story,
    )


def _rule_facts(rule: Rule) -> dict[str, Any]:
    facts = asdict(rule)
    if not rule.is_apart:  # as in versions without stories: nothing is to be filed anew for them
        del facts["is_apart"]
    return facts


def _condition(section: ConditionSection, table: CategoryTable, zone: str) -> Condition:
    """Return the tree of a condition; a mapping with one key needs no ``all`` around it."""
    parts: list[Condition] = []
    for kind, nested in (("all", section.all), ("any", section.any)):
        if nested:
            parts.append(Condition(kind=kind, parts=tuple(_condition(each, table, zone) for each in nested)))
    if section.not_:
        parts.append(Condition(kind="not", parts=(_condition(section.not_, table, zone),)))
    for field in CONDITION_FIELDS:
        given = getattr(section, field.name)
        if given:
            values = _times(given, zone).written() if field.form == "times" else _condition_values(field, given, table)
            parts.append(Condition(kind=field.name, values=values))
    return parts[0] if len(parts) == 1 else Condition(kind="all", parts=tuple(parts))


def _condition_values(field: ConditionField, given: str | list[str], table: CategoryTable) -> tuple[str, ...]:
    values = [given] if isinstance(given, str) else given
    return tuple(dict.fromkeys(map(table.slug_for_asking, values) if field.form == "categories" else values))


def _times(section: PublishedSection, zone: str) -> Times:
    days = ((None if day is None else _midnight(day, zone)) for day in (section.after, section.before))
    weekdays, hours = (None if numbers is None else frozenset(numbers) for numbers in (section.weekday, section.hour))
    return Times(zone=zone, weekdays=weekdays, hours=hours, after=next(days), before=next(days))


def _midnight(day: date, zone: str) -> datetime:
    """Return when a day begins in a zone, in UTC; at the edges of the calendar, where zones end, in UTC itself."""
    begins = datetime.combine(day, time())
    try:
        return begins.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return begins.replace(tzinfo=UTC)


def _read_again_for(rules: Sequence[Rule], rules_digest: str, sources: Iterable[Source]) -> Iterator[Source]:
    """Yield ``sources`` so that unchanged documents are read again when rules change how records are recognised.

    So they are, too, when there may be records whose second request was not made because a rule dropped them.
    """
    is_linking, is_dropping = bool(link_rules(rules)), any(rule.drop for rule in rules)
    for source in sources:
        is_concerned = is_linking or (source.detail is not None and is_dropping)
        yield replace(source, settings_digest=digest(source.settings_digest, rules_digest)) if is_concerned else source


_OF_LATER_VERSIONS: Final = ("formerly", "digest_at")
"""What versions before did not know: without it, an output is as they left it."""


def _output_digest(
    site: Site,
    output: OutputSettings,
    posts: PostSettings | None,
    categories: Sequence[Category],
    sources: Sequence[Source],
    stories: StorySettings | None,
) -> str:
    shown = [
        {name: value for name, value in asdict(category).items() if value or name not in _OF_LATER_VERSIONS}
        for category in categories
    ]
    titles = sorted((source.name, source.title) for source in sources if source.title)
    written = [*([asdict(posts)] if posts else []), *([titles] if titles else [])]
    told = [asdict(choice) for choice in (stories.choice, *dict(stories.by_category).values())] if stories else []
    settings = {name: value for name, value in asdict(output).items() if name != "dir"}
    return digest(asdict(site), settings, shown, *written, *told)
