"""What can only be seen over all files together: names given twice."""

from collections.abc import Iterator, Sequence

from feedhub.config.section import ConfigFile, key_text
from feedhub.config.yaml_tree import Path
from feedhub.model.problem import Problem


def repeated_names(files: Sequence[ConfigFile]) -> Iterator[Problem]:
    """Yield a problem for every name of a source or rule, category, title or named key that is given twice.

    It works on what was read, not on what was checked, so that one bad value does not hide another.
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
