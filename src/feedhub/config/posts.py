"""``output.jekyll``: settings of posts, with the text of their template (SPEC §6)."""

from pathlib import Path as FilePath
from typing import Final

from feedhub.config.addresses import absolute
from feedhub.config.schema import JekyllSection
from feedhub.config.section import ConfigFile
from feedhub.model.output import PostSettings
from feedhub.model.problem import Problem

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
