"""Sequences of documents, and what they must become: ``scenarios/*.yaml``, each as its own case.

A scenario is a list of polls. A poll names its source and gives records; ``verdicts`` are those of the records in
their order (``any_order``: in any), ``items`` is how many items there are after it. A record has ``title link guid at
text file picture``; ``at`` is an instant, or a day, which is no evidence to the second. ``again: true`` polls what the
source gave before.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from feedhub.model.item import Enclosure, Markup, ParsedItem
from feedhub.rules.text import text_digest, visible_text
from support.library import Library

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = [
    pytest.param(scenario, id=f"{file.stem}: {name}")
    for file in sorted(FOLDER.glob("*.yaml"))
    for name, scenario in yaml.safe_load(file.read_text("utf-8")).items()
]


def read(record: dict[str, Any], position: int) -> ParsedItem:
    """Return a record of a scenario as a reader gives it."""
    unknown = record.keys() - {"title", "link", "guid", "at", "text", "file", "picture"}
    assert not unknown, f"a record has no {unknown}"
    at, picture = record.get("at"), record.get("picture")
    text = record.get("text", "") + (f'<img src="{picture}">' if picture else "")
    is_exact = isinstance(at, datetime)
    if isinstance(at, date) and not is_exact:
        at = datetime(at.year, at.month, at.day, tzinfo=UTC)
    guid = record.get("guid")
    return ParsedItem(
        position=position,
        title=record.get("title", ""),
        link=record.get("link"),
        guid=None if guid is None else str(guid),
        published_at=at.replace(tzinfo=UTC) if at else None,
        has_rough_date=not is_exact,
        content=Markup(value=text) if text else None,
        text_digest=text_digest(record.get("title", ""), visible_text(text)),
        enclosures=(Enclosure(url=record["file"]),) if "file" in record else (),
    )


@pytest.mark.parametrize("polls", SCENARIOS)
def test_scenario(polls: list[dict[str, Any]]) -> None:
    library = Library()
    given: dict[str, list[ParsedItem]] = {}
    for number, poll in enumerate(polls, start=1):
        source = poll.get("source", "a")
        if "again" not in poll:
            given[source] = [read(record, place) for place, record in enumerate(poll["records"])]
        verdicts = library.verdicts(source, *given[source])
        if "verdicts" in poll:
            assert verdicts == poll["verdicts"], f"poll {number}"
        if "any_order" in poll:
            assert sorted(verdicts) == sorted(poll["any_order"]), f"poll {number}"
        if "items" in poll:
            assert len(library.items) == poll["items"], f"poll {number}: {verdicts}"


def test_there_are_many_scenarios_and_none_twice() -> None:
    assert len(SCENARIOS) >= 50
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS)
