"""What is published, as configured: which category a name means (SPEC §5), templates of posts and pages (SPEC §6)."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from feedhub.config.addresses import absolute
from feedhub.config.schema import JekyllSection
from feedhub.config.section import ConfigFile
from feedhub.config.yaml_tree import Path, Value
from feedhub.model.output import PostSettings
from feedhub.model.settings import Problem
from feedhub.rules.categorize import category_slug, is_safe_name, unique_slug

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
        """Return the slug a condition asks for; one that nothing is filed under is only never found."""
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

    Names that differ only in case, width or blanks are one category. A name that is itself the slug of another one
    means that one, wherever it stands; so names in the form of a slug are decided last.
    """
    titles = dict(declared)
    by_title = {_plain(title): slug for slug, title in reversed(declared.items())}
    refused: dict[str, str] = {}
    decided: dict[str, str] = {}
    in_order = list(dict.fromkeys(names))
    for name in sorted(in_order, key=lambda name: name == category_slug(name)):
        slug = name if name in titles else by_title.get(_plain(name))
        if slug is None:
            reason = is_safe_name(name)
            if reason:
                refused[name] = f"{reason}; {_WAY_OUT}" if name else reason
                continue
            slug = unique_slug(category_slug(name), titles)
            titles[slug] = name
            by_title[_plain(name)] = slug
        decided[name] = slug
    slugs = {name: decided[name] for name in in_order if name in decided}
    order = dict.fromkeys([*declared, *slugs.values()])
    return CategoryTable(slugs=slugs, titles={slug: titles[slug] for slug in order}, refused=refused)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


_LARGEST: Final = 1_000_000


def template_path(section: JekyllSection | None, root: str) -> str | None:
    """Return the absolute path of the template, if one is named."""
    return absolute(section.template, root) if section and section.template else None


def read_posts(section: JekyllSection | None, file: ConfigFile, root: str) -> tuple[PostSettings | None, list[Problem]]:
    """Return the settings of posts, None where none are written, and what is wrong with their template."""
    if section is None:
        return None, []
    path, text = template_path(section, root), None
    problems = []
    if path is not None:
        try:
            text = text_of(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            place = ("output", "jekyll", "template")
            problems.append(file.problem(place, f"cannot be read: {reason}"))
    posts = PostSettings(
        dir=section.dir.rstrip("/"),
        template=text,
        filename=section.filename,
        keep_days=section.keep_days,
        archive=section.archive.rstrip("/"),
    )
    return posts, problems


def text_of(path: str) -> str:
    """Return the text of a template; raises OSError, or ValueError that says why it cannot be one."""
    if FilePath(path).stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 10**6} MB")
    try:
        return FilePath(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error


_ENDINGS: Final = frozenset({".html", ".css", ".svg"})
_MOST_FILES: Final = 100

Templates = tuple[tuple[str, str], ...]


def theme_paths(folder: str | None, root: str, templates: Templates) -> list[str]:
    """Return the absolute paths of the files that were read."""
    return [str(FilePath(absolute(folder, root)) / name) for name, _ in templates] if folder else []


def read_theme(folder: str | None, file: ConfigFile, root: str) -> tuple[Templates, list[Problem]]:
    """Return (name, text) of the templates directly in the folder, by name, and what is wrong with them."""
    if not folder:
        return (), []
    place = ("output", "templates")
    try:
        names = sorted(each.name for each in FilePath(absolute(folder, root)).iterdir() if _is_template(each))
    except OSError as error:
        return (), [file.problem(place, f"cannot be read: {error.strerror}")]
    if len(names) > _MOST_FILES:
        return (), [file.problem(place, f"holds more than {_MOST_FILES} templates")]
    found: dict[str, str] = {}
    problems = []
    for name in names:
        try:
            found[name] = text_of(str(FilePath(absolute(folder, root)) / name))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(file.problem(place, f"{name} cannot be read: {reason}"))
    return tuple(found.items()), problems


def _is_template(path: FilePath) -> bool:
    return path.suffix in _ENDINGS and not path.name.startswith(".")
