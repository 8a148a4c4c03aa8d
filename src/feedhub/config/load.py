"""Reads the configuration: every problem in one pass, and which values must never leave memory (SPEC §3)."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import unquote, urlsplit

from feedhub.config.categories import CategoryTable, category_table, mentions
from feedhub.config.files import (
    apply_overrides,
    expand,
    parse_overrides,
    read_files,
    read_posts,
    read_theme,
)
from feedhub.config.forms import source_address, url_secrets
from feedhub.config.reading import LimitedReader, find_config, root_of, shown_path
from feedhub.config.schema import Config, IncludedConfig, sections_for
from feedhub.config.schema_sources import SourceSection, usable_kinds
from feedhub.config.section import OVERRIDES, ConfigFile, check_section, key_text
from feedhub.config.settle import Checked, request_headers, settle
from feedhub.config.warnings import warnings_of
from feedhub.config.yaml_tree import Path
from feedhub.errors import ConfigError
from feedhub.model.kind import KindTable
from feedhub.model.output import FormatTable
from feedhub.model.settings import Problem, Settings
from feedhub.rules.digests import digest_slug

SHORTEST: Final = 4
"""Anything shorter is a part of too many ordinary words to be taken out of a text."""
_SHORTEST_IN_ADDRESS: Final = 8
"""Short values in a path or a query are often ordinary words."""

_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_HIDDEN_KEYS: Final = frozenset({"headers", "cookies", "body", "proxy"})
_SECRET_NAME: Final = re.compile(r"auth|cookie|token|key|secret|password|session", re.IGNORECASE)
_SECRET_PARAMETER: Final = re.compile(
    r".*(?:token|secret|password|passwd|api[_-]?key|signature)|key|auth|pwd|sig|sid|session(?:_?id)?", re.IGNORECASE
)


def hidden_values(
    taken: Mapping[Path, tuple[str, ...]], sources: Iterable[SourceSection], more_urls: Iterable[str]
) -> set[str]:
    """Return the secrets of one file: credentials in addresses and headers, and what came from the environment into
    headers, cookies, bodies, proxies and the store."""
    found = {value for url in more_urls for value in url_secrets(url)}
    for source in sources:
        found.update(source_address(source.url, "/").secrets)
        found.update(url_secrets(source.url))
        found.update(url_secrets(source.proxy or ""))
        detail_headers = source.detail.headers if source.detail else {}
        named = [*request_headers(source), *detail_headers.items(), *source.cookies.items()]
        found.update(value for name, value in named if _SECRET_NAME.search(name))
    for path, values in taken.items():
        key = path[2:3] if path[2:3] != ("detail",) else path[3:4]
        if (
            path[0] in ("store", "notify")
            or path[:2] == ("output", "after")
            or (path[0] == "sources" and key and key[0] in _HIDDEN_KEYS)
        ):
            found.update(values)
    return found


def address_secrets(taken: Mapping[Path, tuple[str, ...]], sources: list[SourceSection]) -> set[str]:
    """Return the secrets in the addresses of sources: what came from the environment into path or query, and the
    values of parameters such as ``token``."""
    found = {value for source in sources for url in _addresses(source) for value in _secret_parameters(url)}
    for path, values in taken.items():
        if path[0] == "sources" and path[2:] in (("url",), ("detail", "url")) and isinstance(path[1], int):
            source = sources[path[1]]
            url = source.url if path[2:] == ("url",) else source.detail.url if source.detail else None
            parts = urlsplit(url or "")
            found.update(value for value in values if value in parts.query)
            found.update(value for value in values if parts.hostname and _is_token_in(parts.path, value))
    return found


def _addresses(source: SourceSection) -> tuple[str, ...]:
    return (source.url, *([source.detail.url] if source.detail and source.detail.url else []))


def _secret_parameters(url: str) -> Iterator[str]:
    for parameter in url.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = parameter.partition("=")
        if len(value) >= _SHORTEST_IN_ADDRESS and is_secret_parameter(name):
            yield from (value, unquote(value))


def is_secret_parameter(name: str) -> bool:
    """Tell whether the value of a parameter of that name is a secret."""
    return bool(_SECRET_PARAMETER.fullmatch(name))


def _is_token_in(path: str, value: str) -> bool:
    return len(value) >= _SHORTEST_IN_ADDRESS and "/" not in value and value in path


def worth_hiding(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values that are long enough, longest first: a short one could be a part of a longer one."""
    return tuple(sorted({value for value in values if len(value) >= SHORTEST}, key=lambda value: (-len(value), value)))


def without_values(problem: Problem, values: Iterable[str]) -> Problem:
    """Return a problem that shows none of ``values``."""
    message, key, file = problem.message, problem.key, problem.file
    for value in values:
        message, key, file = (text.replace(value, "…") for text in (message, key, file))
    return replace(problem, message=message, key=key, file=file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """One file with its references filled in, and what came from the environment."""

    file: ConfigFile
    taken: Mapping[Path, tuple[str, ...]]


def load(
    path: str | None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    cwd: str | None = None,
    *,
    rules_file: str | None = None,
    kinds: Callable[[frozenset[str]], KindTable],
    formats: Callable[[frozenset[str]], FormatTable],
    reader: LimitedReader | None = None,
) -> Settings:
    """Return what the configuration says; ``path`` as in ``-c``, ``overrides`` as in ``--set``.

    ``cwd`` is the folder that ``path`` is relative to; None means the current one. The rules of ``rules_file`` stand
    in for those of the configuration. ``kinds`` gives the kinds of sources that there are, for the names that sources
    say, and ``formats`` those of outputs likewise. ``reader`` reads the files; it is new.

    Raises:
        ConfigError: with every problem of every file.
    """
    here = cwd or str(FilePath.cwd())
    main, reader = find_config(path, environ, here), reader or LimitedReader()
    cause: Exception | None = None
    outcome: Settings | Sequence[Problem]
    try:
        outcome = _loaded(main, overrides, environ, here, reader, rules_file, kinds, formats)
    except Exception as exc:  # noqa: BLE001 - nothing that can be written into a file may end who reads it
        cause = exc
        # Its text may hold values that are never shown.
        file = shown_path(main, here)
        outcome = [Problem(file=file, line=0, column=0, key="", message=f"cannot be used: {type(exc).__name__}")]
    if isinstance(outcome, Settings):
        return outcome
    raise ConfigError(tuple(outcome), files=tuple(reader.tried), folders=tuple(sorted(reader.folders))) from cause


def _loaded(
    main: str,
    overrides: Sequence[str],
    environ: Mapping[str, str],
    cwd: str,
    reader: LimitedReader,
    rules_file: str | None,
    kinds: Callable[[frozenset[str]], KindTable],
    formats: Callable[[frozenset[str]], FormatTable],
) -> Settings | Sequence[Problem]:
    given, problems = parse_overrides(overrides)
    of_include = [override for override in given if override.key.partition("[")[0] == "include"]
    files, found = read_files(main, of_include, environ, cwd, reader)
    problems += found
    if not files:
        return problems
    files, found = apply_overrides(files, [override for override in given if override not in of_include])
    problems += found
    if rules_file is not None:
        read, found = read_files(str(FilePath(cwd) / rules_file), (), environ, cwd, reader)
        files = [*(without_rules(file) for file in files), *(rules_alone(file) for file in read)]
        problems += found
    loaded = [_filled_in(file, environ, problems) for file in files]
    known = worth_hiding(value for each in loaded for values in each.taken.values() for value in values)
    sections = sections_for(
        usable_kinds(kinds(frozenset(_kinds_named(each.file for each in loaded)))),
        formats(frozenset(_formats_named(loaded[0].file))),
    )
    settings = _settled(root_of(main), loaded, problems, known, sections, reader)
    return settings or [without_values(problem, known) for problem in _in_order(problems, files)]


def without_rules(file: ConfigFile) -> ConfigFile:
    """Return a file as if it had no rules."""
    return replace(file, value={key: value for key, value in file.value.items() if key != "rules"})


def rules_alone(file: ConfigFile) -> ConfigFile:
    """Return a file as if it had nothing but rules."""
    return replace(file, value={key: value for key, value in file.value.items() if key == "rules"})


def _kinds_named(files: Iterable[ConfigFile]) -> Iterator[str]:
    for file in files:
        entries = file.value.get("sources")
        for entry in entries if isinstance(entries, list) else ():
            kind = entry.get("kind") if isinstance(entry, dict) else None
            if isinstance(kind, str):
                yield kind


def _formats_named(file: ConfigFile) -> Iterator[str]:
    output = file.value.get("output")
    names = output.get("formats") if isinstance(output, dict) else None
    yield from (name for name in (names if isinstance(names, list) else ()) if isinstance(name, str))


def _filled_in(file: ConfigFile, environ: Mapping[str, str], problems: list[Problem]) -> _Loaded:
    expansion = expand(file.value, environ)
    problems += [file.problem(path, message) for path, message in expansion.faults]
    problems += written_out(file)
    value = expansion.value if isinstance(expansion.value, dict) else {}
    return _Loaded(
        file=replace(
            file,
            value=value,
            secret_paths=frozenset(expansion.taken),
            unset_paths=frozenset(path for path, _ in expansion.faults),
        ),
        taken=expansion.taken,
    )


def _settled(
    root: str,
    loaded: Sequence[_Loaded],
    problems: list[Problem],
    known: Sequence[str],
    sections: tuple[type[Config], type[IncludedConfig]],
    reader: LimitedReader,
) -> Settings | None:
    """Return the settings, or None after adding everything that is wrong to ``problems``."""
    files = [each.file for each in loaded]
    config, found = check_section(files[0], sections[0])
    problems += found
    posts, found = read_posts(config.output.jekyll if config else None, files[0], root, reader)
    problems += found
    templates, found = read_theme(config.output.templates if config else None, files[0], root, reader)
    problems += found
    checked: list[IncludedConfig | None] = [config]
    for file in files[1:]:
        section, found = check_section(file, sections[1])
        checked.append(section)
        problems += found
    problems += repeated_names(files)
    categories, of_sources, of_rules = _categories(files)
    problems += of_rules
    problems += former_slugs(files, categories)
    problems += digests_in_the_way(files, categories)
    if problems or config is None:
        problems += (problem for refused in of_sources.values() for problem in refused.values())
        return None
    parts = []
    secrets = hidden_values({}, (), [config.store])
    for each, section in zip(loaded, checked, strict=True):
        if section is not None:
            refused = of_sources.get(each.file.path, {})
            unusable = {index: without_values(problem, known) for index, problem in refused.items()}
            parts.append(Checked(file=each.file, section=section, unusable=unusable))
            secrets |= hidden_values(each.taken, section.sources, ())
            secrets |= address_secrets(each.taken, section.sources)
    hidden, folders = worth_hiding(secrets), reader.folders
    settings = settle(
        root, config, parts, categories, posts=posts, templates=templates, secrets=hidden, folders=folders
    )
    warnings = (without_values(warning, known) for warning in warnings_of(files, settings, categories))
    return replace(settings, warnings=tuple(_in_order(warnings, files)))


def former_slugs(files: Sequence[ConfigFile], table: CategoryTable) -> Iterator[Problem]:
    """Yield a problem for every former slug of a category that there is still, or that two categories had."""
    owners: dict[str, str] = {}
    for slug, file, place in _keys(files, "categories"):
        entries = file.value["categories"]
        entry = entries.get(slug) if isinstance(entries, dict) else None
        former = entry.get("formerly") if isinstance(entry, dict) else None
        for index, old in enumerate(former if isinstance(former, list) else [former]):
            path = (*place, "formerly", index) if isinstance(former, list) else (*place, "formerly")
            if not isinstance(old, str):
                continue
            if old in table.titles:
                yield file.problem(path, f"{file.found(path, old)} is a category still; put {slug} where it is named")
            elif owners.setdefault(old, slug) != slug:
                yield file.problem(path, f"{file.found(path, old)} was {owners[old]} already")


def digests_in_the_way(files: Sequence[ConfigFile], table: CategoryTable) -> Iterator[Problem]:
    """Yield a problem for every digest whose feed would be that of a category."""
    for slug, file, place in _keys(files, "categories"):
        entry = file.value["categories"]
        section = entry.get(slug) if isinstance(entry, dict) else None
        if isinstance(section, dict) and section.get("digest") is not None and digest_slug(slug) in table.titles:
            yield file.problem((*place, "digest"), f"is published as {digest_slug(slug)}, which is a category, too")


def _categories(files: Sequence[ConfigFile]) -> tuple[CategoryTable, dict[str, dict[int, Problem]], list[Problem]]:
    """Return the categories, the first problem of each source (by file, then by index), and those of rules."""
    declared: dict[str, str] = {}
    for file in files:
        entries = file.value.get("categories")
        for slug, entry in entries.items() if isinstance(entries, dict) else ():
            title = entry.get("title") if isinstance(entry, dict) else None
            declared.setdefault(slug, title.strip() if isinstance(title, str) else slug)
    mentioned = mentions(files)
    table = category_table(declared, [mention.name for mention in mentioned])
    of_sources: dict[str, dict[int, Problem]] = {}
    of_rules: list[Problem] = []
    for mention in mentioned:
        reason = table.refused.get(mention.name)
        if reason is None:
            continue
        found = mention.file.found(mention.path, mention.name)
        problem = mention.file.problem(mention.path, f"{found} cannot name a category: it {reason}")
        index = mention.path[1]
        if mention.is_of_source and isinstance(index, int):
            of_sources.setdefault(mention.file.path, {}).setdefault(index, problem)
        else:
            of_rules.append(problem)
    return table, of_sources, of_rules


def _in_order(problems: Iterable[Problem], files: Sequence[ConfigFile]) -> list[Problem]:
    """Return problems in the order of files and lines, each once: the command line first, unreadable files last."""
    order = {name: number for number, name in enumerate([OVERRIDES, *(file.shown for file in files)])}
    return sorted(
        dict.fromkeys(problems), key=lambda each: (order.get(each.file, len(order)), each.file, each.line, each.column)
    )


def written_out(file: ConfigFile) -> Iterator[Problem]:
    """Yield a problem for every address of a notification that is not a reference: files are shown and checked in."""
    targets = file.value.get("notify")
    for name, target in targets.items() if isinstance(targets, dict) else ():
        address = target.get("to") if isinstance(target, dict) else None
        if isinstance(address, str) and not _REFERENCE.fullmatch(address.strip()):
            said = "must be a reference such as ${NAME} alone: the address is a secret, keep it in the environment"
            yield file.problem(("notify", name, "to"), said)


def repeated_names(files: Sequence[ConfigFile]) -> Iterator[Problem]:
    """Yield a problem for every name of a source or rule, category, title or named key that is given twice.

    It looks at the files as they were read, because a file with another problem has no checked values.
    """
    for section in ("sources", "rules"):
        yield from _repeats(_names_in_list(files, section), "has the same name as")
    for section in ("categories", "identity"):
        yield from _repeats(_keys(files, section), "is also in", at_key=True)
    yield from _repeats(_titles(files), "has the same title as")


def _names_in_list(files: Sequence[ConfigFile], section: str) -> Iterator[tuple[str, ConfigFile, Path]]:
    for file in files:
        entries = file.value.get(section)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            name = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(name, str):
                yield name.strip(), file, (section, index, "name")


def _keys(files: Sequence[ConfigFile], section: str) -> Iterator[tuple[str, ConfigFile, Path]]:
    for file in files:
        entries = file.value.get(section)
        for key in entries if isinstance(entries, dict) else {}:
            yield key, file, (section, key)


def _titles(files: Sequence[ConfigFile]) -> Iterator[tuple[str, ConfigFile, Path]]:
    for key, file, path in _keys(files, "categories"):
        entries = file.value["categories"]
        entry = entries.get(key) if isinstance(entries, dict) else None
        title = entry.get("title") if isinstance(entry, dict) else None
        if isinstance(title, str):
            yield title.strip(), file, (*path, "title")


def _repeats(
    named: Iterator[tuple[str, ConfigFile, Path]], relation: str, *, at_key: bool = False
) -> Iterator[Problem]:
    first: dict[str, tuple[ConfigFile, Path]] = {}
    for name, file, path in named:
        if name in first:
            where, there = first[name]
            place = f"{where.shown}:{where.line(there)}"
            yield file.problem(path, f"{relation} {key_text(there[:2])} ({place})", at_key=at_key)
        else:
            first[name] = (file, path)
