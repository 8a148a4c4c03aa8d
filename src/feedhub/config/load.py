"""Reads the configuration: files, includes, environment, overrides; every problem in one pass (SPEC §3)."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from feedhub.config.across import repeated_names
from feedhub.config.categories import CategoryTable, category_table, mentions
from feedhub.config.environment import expand
from feedhub.config.files import find_config, read_files, root_of
from feedhub.config.overrides import apply_overrides, parse_overrides
from feedhub.config.posts import read_posts
from feedhub.config.schema import Config, IncludedConfig
from feedhub.config.secrets import address_secrets, hidden_values, without_values, worth_hiding
from feedhub.config.section import OVERRIDES, ConfigFile, check_section
from feedhub.config.settle import Checked, settle
from feedhub.config.themes import read_theme
from feedhub.config.yaml_tree import Path
from feedhub.errors import ConfigError
from feedhub.model.problem import Problem
from feedhub.model.settings import Settings


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
) -> Settings:
    """Return what the configuration says; ``path`` as in ``-c``, ``overrides`` as in ``--set``.

    ``cwd`` is the folder that ``path`` is relative to; None means the current one.

    Raises:
        ConfigError: with every problem of every file.
    """
    here = cwd or str(FilePath.cwd())
    main = find_config(path, environ, here)
    given, problems = parse_overrides(overrides)
    of_include = [override for override in given if override.key.partition("[")[0] == "include"]
    files, found = read_files(main, of_include, environ, here)
    problems += found
    if not files:
        raise ConfigError(tuple(problems))
    files, found = apply_overrides(files, [override for override in given if override not in of_include])
    problems += found
    loaded = [_filled_in(file, environ, problems) for file in files]
    known = worth_hiding(value for each in loaded for values in each.taken.values() for value in values)
    settings = _settled(root_of(main), loaded, problems, known)
    if settings is None:
        raise ConfigError(tuple(without_values(problem, known) for problem in _in_order(problems, files)))
    return settings


def _filled_in(file: ConfigFile, environ: Mapping[str, str], problems: list[Problem]) -> _Loaded:
    expansion = expand(file.value, environ)
    problems += [file.problem(path, message) for path, message in expansion.faults]
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


def _settled(root: str, loaded: Sequence[_Loaded], problems: list[Problem], known: Sequence[str]) -> Settings | None:
    """Return the settings, or None after adding everything that is wrong to ``problems``."""
    files = [each.file for each in loaded]
    config, found = check_section(files[0], Config)
    problems += found
    posts, found = read_posts(config.output.jekyll if config else None, files[0], root)
    problems += found
    templates, found = read_theme(config.output.templates if config else None, files[0], root)
    problems += found
    sections: list[IncludedConfig | None] = [config]
    for file in files[1:]:
        section, found = check_section(file, IncludedConfig)
        sections.append(section)
        problems += found
    problems += repeated_names(files)
    table, of_sources, of_rules = _categories(files)
    problems += of_rules
    if problems or config is None:
        problems += of_sources.values()
        return None
    parts = []
    secrets = hidden_values({}, (), [config.store])
    for each, section in zip(loaded, sections, strict=True):
        if section is not None:
            unusable = {
                index: without_values(problem, known)
                for (shown, index), problem in of_sources.items()
                if shown == each.file.path
            }
            parts.append(Checked(file=each.file, section=section, unusable=unusable))
            secrets |= hidden_values(each.taken, section.sources, ())
            secrets |= address_secrets(each.taken, section.sources)
    return settle(root, config, parts, table, posts=posts, templates=templates, secrets=worth_hiding(secrets))


def _categories(files: Sequence[ConfigFile]) -> tuple[CategoryTable, dict[tuple[str, int], Problem], list[Problem]]:
    """Return the categories, the first problem of each source (by file and index), and those of rules."""
    declared: dict[str, str] = {}
    for file in files:
        entries = file.value.get("categories")
        for slug, entry in entries.items() if isinstance(entries, dict) else ():
            title = entry.get("title") if isinstance(entry, dict) else None
            declared.setdefault(slug, title.strip() if isinstance(title, str) else slug)
    mentioned = mentions(files)
    table = category_table(declared, [mention.name for mention in mentioned])
    of_sources: dict[tuple[str, int], Problem] = {}
    of_rules: list[Problem] = []
    for mention in mentioned:
        reason = table.refused.get(mention.name)
        if reason is None:
            continue
        found = mention.file.found(mention.path, mention.name)
        problem = mention.file.problem(mention.path, f"{found} cannot name a category: it {reason}")
        index = mention.path[1]
        if mention.is_of_source and isinstance(index, int):
            of_sources.setdefault((mention.file.path, index), problem)
        else:
            of_rules.append(problem)
    return table, of_sources, of_rules


def _in_order(problems: Sequence[Problem], files: Sequence[ConfigFile]) -> list[Problem]:
    """Return problems in the order of files and lines, each once: the command line first, unreadable files last."""
    order = {name: number for number, name in enumerate([OVERRIDES, *(file.shown for file in files)])}
    return sorted(
        dict.fromkeys(problems), key=lambda each: (order.get(each.file, len(order)), each.file, each.line, each.column)
    )
