"""``output.templates``: a folder whose files replace templates of ours, read with the configuration."""

from pathlib import Path as FilePath
from typing import Final

from feedhub.config.addresses import absolute
from feedhub.config.posts import text_of
from feedhub.config.section import ConfigFile
from feedhub.model.problem import Problem

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
