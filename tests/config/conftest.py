from collections.abc import Callable
from pathlib import Path

import pytest

from feedhub.errors import ConfigError
from feedhub.model.settings import Settings
from feedhub.runtime.plugins import load_settings

SITE = "site: {title: T, url: https://example.org}\n"


class Project:
    """A folder with a configuration in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, *overrides: str, **environ: str) -> Settings:
        return load_settings("feedhub.yaml", overrides, environ, str(self.folder))

    def problems(self, *overrides: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(*overrides, **environ)
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    def make(text: str) -> Project:
        made = Project(tmp_path)
        made.write("feedhub.yaml", text)
        return made

    return make


@pytest.fixture
def sited(project: Callable[[str], Project]) -> Callable[[str], Project]:
    """A project whose file begins with one line about the site."""
    return lambda text: project(SITE + text)
