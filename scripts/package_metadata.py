"""The long description and the addresses of the package, made when it is built.

The README's pictures and links are relative, which an index of packages cannot follow. Where the repository lies,
whoever publishes says: ``FEEDHUB_REPOSITORY``, or what CI of GitHub sets by itself. Without that no address is made up:
pictures are left out, and links become their words.
"""

import os
import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE: Final = re.compile(r"!\[[^\]]*\]\((?!https?:)([^)]+)\)|<img src=\"(?!https?:)[^>]*>")
_MARKDOWN: Final = re.compile(r"(!?\[[^\]]*\]\()(?!https?:|#)([^)]+\))")
_TAG: Final = re.compile(r"(<img src=\")(?!https?:)")
_LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)[^)]+\)")


def repository_address() -> str:
    """Return where the repository lies, "" where nobody says."""
    github = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}"
    given = os.environ.get("FEEDHUB_REPOSITORY") or (
        github.format_map(os.environ) if {"GITHUB_SERVER_URL", "GITHUB_REPOSITORY"} <= os.environ.keys() else ""
    )
    return given.rstrip("/")


def long_description(readme: str, repository: str) -> str:
    """Return the README for people who read it elsewhere."""
    if not repository:
        return _LINK.sub(r"\1", re.sub(r"<p>\s*</p>\n*", "", _PICTURE.sub("", readme)))

    def absolute(found: re.Match[str]) -> str:
        # Pages of GitHub, Gitea and GitLab: what is shown, and the bytes themselves.
        kind = "raw" if found[1].startswith("!") else "blob"
        return f"{found[1]}{repository}/{kind}/main/{found[2]}"

    return _TAG.sub(rf"\1{repository}/raw/main/", _MARKDOWN.sub(absolute, readme))


def addresses(repository: str) -> dict[str, str]:
    """Return what an index shows beside the description."""
    if not repository:
        return {}
    pages = {
        "Documentation": "blob/main/docs/quickstart.md",
        "Changelog": "blob/main/CHANGELOG.md",
        "Source": "",
        "Issues": "issues",
    }
    return {"Homepage": repository, **{name: f"{repository}/{path}".rstrip("/") for name, path in pages.items()}}


class PackageMetadata(MetadataHookInterface):
    """What hatchling calls."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add what ``dynamic`` in pyproject.toml names."""
        repository = repository_address()
        text = long_description((Path(self.root) / "README.md").read_text("utf-8"), repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = addresses(repository)
