"""What docs/coming-from.md writes as conditions and actions can be written into a configuration."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feedhub.rules.categorize import CONDITION_FIELDS

PAGE = (Path(__file__).parent.parent.parent / "docs" / "coming-from.md").read_text("utf-8")
TABLES = re.findall(r"^\|.*(?:condition here|in `then:`) \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
CONDITIONS, ACTIONS = (
    [code for row in table.splitlines() for code in re.findall(r"`([^`]*\{[^`]*)`", row.split(" | ")[1])]
    for table in TABLES
)


@pytest.mark.parametrize("written", [*CONDITIONS, *ACTIONS])
def test_what_the_page_writes_is_a_rule(sited: Callable[[str], Any], written: str) -> None:
    is_action = written in ACTIONS or written.startswith("then: ")
    then = written.removeprefix("then: ") if is_action else "{drop: true}"
    when = "{title: x}" if is_action else written
    settings = sited(f"rules: [{{name: r, when: {when}, then: {then}}}]\n").load()
    assert len(settings.rules) == 1


def test_the_page_names_every_condition_that_there_is() -> None:
    shown = " ".join(CONDITIONS)
    missing = [field.name for field in CONDITION_FIELDS if not re.search(rf"\{{(?:.*\b)?{field.name}: ", shown)]
    assert missing == ["summary"]
