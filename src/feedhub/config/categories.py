"""Which categories sources and rules name, and the slug of each (SPEC §5)."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from feedhub.config.section import ConfigFile
from feedhub.config.yaml_tree import Path, Value
from feedhub.rules.categorize import UniqueSlugs, category_slug, slug_fault

_WAY_OUT: Final = "declare it under `categories:` with a slug and this title"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A category named by a source or a rule. What is wrong with one of a source costs that source only."""

    name: str
    file: ConfigFile
    path: Path

    @property
    def is_of_source(self) -> bool:
        """Whether a source names it, and not a rule."""
        return self.path[0] == "sources"


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryTable:
    """What every name means.

    ``slugs`` maps names to slugs in order of mention, ``refused`` maps names to the reason why they cannot be used,
    ``titles`` maps the slugs of all categories to their titles, the declared ones first.
    """

    slugs: dict[str, str]
    titles: dict[str, str]
    refused: dict[str, str]

    def slugs_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the slugs of ``names``, each once; names that cannot be used are left out."""
        return tuple(dict.fromkeys(self.slugs[name] for name in names if name in self.slugs))

    def slug_for_asking(self, name: str) -> str:
        """Return the slug that a condition asks for; under one that no source or rule names, nothing is ever found."""
        return self.slugs.get(name) or category_slug(name)


def mentions(files: Sequence[ConfigFile]) -> list[Mention]:
    """Return every category that sources and rules name, sources first, in the order they are written."""
    found: list[Mention] = []
    for section, keys in (("sources", ("category",)), ("rules", ("then", "category"))):
        for file in files:
            entries = file.value.get(section)
            for index, entry in enumerate(entries if isinstance(entries, list) else []):
                value: Value = entry
                for key in keys:
                    value = value.get(key) if isinstance(value, dict) else None
                path: Path = (section, index, *keys)
                if section == "sources" and isinstance(value, dict):
                    value, path = value.get("also"), (*path, "also")
                found += _named(value, file, path)
    return found


def _named(value: Value, file: ConfigFile, path: Path) -> list[Mention]:
    if isinstance(value, str) and path not in file.unset_paths:
        return [Mention(name=value.strip(), file=file, path=path)]
    names = value if isinstance(value, list) else []
    return [
        Mention(name=name.strip(), file=file, path=(*path, index))
        for index, name in enumerate(names)
        if isinstance(name, str) and (*path, index) not in file.unset_paths
    ]


def category_table(declared: dict[str, str], names: Iterable[str]) -> CategoryTable:
    """Decide the slug of every name; ``declared`` maps slugs to titles.

    Names that differ only in case, width or blanks are one category; one that differs so from a declared slug, and has
    no title of its own, is that category. A name that is itself the slug of another one
    means that one, wherever it stands; so names in the form of a slug are decided last.
    """
    titles = dict(declared)
    slugs_taken = UniqueSlugs(declared)
    by_title = {_plain(title): slug for slug, title in reversed(declared.items())}
    refused: dict[str, str] = {}
    decided: dict[str, str] = {}
    in_order = list(dict.fromkeys(names))
    for name in sorted(in_order, key=lambda name: name == category_slug(name)):
        slug = name if name in titles else by_title.get(_plain(name))
        if slug is None and (near := _plain(name).replace(" ", "-")) in declared:
            slug = near
        if slug is None:
            reason = slug_fault(name)
            if reason:
                refused[name] = f"{reason}; {_WAY_OUT}" if name else reason
                continue
            slug = slugs_taken.take(category_slug(name))
            titles[slug] = name
            by_title[_plain(name)] = slug
        decided[name] = slug
    slugs = {name: decided[name] for name in in_order if name in decided}
    order = dict.fromkeys([*declared, *slugs.values()])
    return CategoryTable(slugs=slugs, titles={slug: titles[slug] for slug in order}, refused=refused)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
