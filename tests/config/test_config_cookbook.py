"""Every piece of YAML in the cookbook can be used as it stands."""

import re
from pathlib import Path

import pytest

from feedhub.runtime.plugins import load_settings

COOKBOOK = (Path(__file__).parents[2] / "docs" / "cookbook.md").read_text("utf-8")
PIECES = re.findall(r"^```yaml\n(.*?)^```", COOKBOOK, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("piece", PIECES, ids=[piece.split("\n")[0] for piece in PIECES])
def test_a_recipe_is_valid(tmp_path: Path, piece: str) -> None:
    path = tmp_path / "feedhub.yaml"
    path.write_text(f"site: {{title: T, url: https://news.example.org}}\n{piece}", encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", piece), "ntfys://token@ntfy.example.org/topic")
    assert not load_settings(str(path), environ=environ).problems
