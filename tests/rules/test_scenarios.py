"""Sequences of documents, and what they must become: ``scenarios/*.yaml``, each as its own case.

A scenario is a list of polls, or a mapping of ``polls`` with the settings of its sources beside them: ``dedupe``
(``ignore_parameters``, ``same_title`` in days, ``across``), ``named`` (named keys, each with a pattern for guid and
link) and ``categories``. A poll names its source and gives records; ``again: true`` polls what the source gave before.

What holds after a poll: ``verdicts`` of the records in their order (``any_order``: in any); ``ids``, where the same
word stands for the same item in the whole scenario; ``items``, how many there are; ``notes``, the kinds of rows in the
ledger; ``warning``, words of a warning for the status of the source.

A record has ``title link received guid at text file type picture image``; ``type`` is that of the file, ``picture``
stands in the text and ``image`` beside it. ``at`` is an instant, or a day, which is no evidence to
the second; ``about: true`` marks an instant that was reckoned from words such as "3 hours ago". ``received`` is the
link as it came, where a rule put it right.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from feedhub.model.identity import Judgement, KeyPattern
from feedhub.model.item import Enclosure, Markup, ParsedItem
from feedhub.model.source import DedupeSettings
from feedhub.rules.text import text_digest, visible_text
from support.library import Library

FOLDER = Path(__file__).parent / "scenarios"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCENARIOS = [
    pytest.param(scenario if isinstance(scenario, dict) else {"polls": scenario}, id=f"{file.stem}: {name}")
    for file in sorted(FOLDER.glob("*.yaml"))
    for name, scenario in yaml.load(file.read_text("utf-8"), Loader=LOADER).items()
]
FIELDS = {"title", "link", "received", "guid", "at", "about", "text", "file", "type", "picture", "image"}
EXPECTED = {"verdicts", "any_order", "ids", "items", "notes", "warning"}
DAY = 86_400.0


def read(record: dict[str, Any], position: int) -> ParsedItem:
    """Return a record of a scenario as a reader gives it."""
    unknown = record.keys() - FIELDS
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
        received_link=record.get("received"),
        guid=None if guid is None else str(guid),
        published_at=at.replace(tzinfo=UTC) if at else None,
        has_rough_date=not is_exact or "about" in record,
        content=Markup(value=text) if text else None,
        text_digest=text_digest(record.get("title", ""), visible_text(text)),
        image=record.get("image"),
        enclosures=(Enclosure(url=record["file"], media_type=record.get("type")),) if "file" in record else (),
    )


def library_for(scenario: dict[str, Any]) -> Library:
    """Return an empty library whose sources have the settings of a scenario."""
    unknown = scenario.keys() - {"polls", "dedupe", "named", "categories"}
    assert not unknown, f"a scenario has no {unknown}"
    dedupe = dict(scenario.get("dedupe", {}))
    days = dedupe.pop("same_title", None)
    ignored = tuple(dedupe.pop("ignore_parameters", ()))
    named = scenario.get("named")
    library = Library(
        dedupe=DedupeSettings(
            ignore_parameters=ignored,
            same_title=None if days is None else days * DAY,
            across=dedupe.pop("across", False),
        ),
        categories=tuple(scenario.get("categories", ("news",))),
    )
    assert not dedupe, f"dedupe has no {dedupe}"
    if named is not None:
        library.patterns = tuple(KeyPattern(name=n, fields=("id", "link"), pattern=p) for n, p in named.items())
    return library


def check(poll: dict[str, Any], judgement: Judgement, library: Library, ids: dict[str, str]) -> None:
    """Compare what was decided about a document with what its poll says."""
    verdicts = [decision.verdict.value for decision in judgement.decisions]
    if "verdicts" in poll:
        assert verdicts == poll["verdicts"]
    if "any_order" in poll:
        assert sorted(verdicts) == sorted(poll["any_order"])
    for name, decision in zip(poll.get("ids", ()), judgement.decisions, strict="ids" in poll):
        assert ids.setdefault(name, decision.item_id) == decision.item_id, f"{name}: {verdicts}"
    assert len(set(ids.values())) == len(ids), "two names for one item"
    if "items" in poll:
        assert len(library.items) == poll["items"], f"{verdicts}"
    if "notes" in poll:
        assert sorted(note.kind for note in judgement.notes) == sorted(poll["notes"])
    if "warning" in poll:
        assert any(poll["warning"] in warning for warning in judgement.warnings), judgement.warnings


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: dict[str, Any]) -> None:
    library = library_for(scenario)
    given: dict[str, list[ParsedItem]] = {}
    ids: dict[str, str] = {}
    for number, poll in enumerate(scenario["polls"], start=1):
        unknown = poll.keys() - EXPECTED - {"source", "again", "records"}
        assert not unknown, f"a poll has no {unknown}"
        source = poll.get("source", "a")
        if "again" not in poll:
            given[source] = [read(record, place) for place, record in enumerate(poll["records"])]
        judgement = library.poll(source, *given[source])
        try:
            check(poll, judgement, library, ids)
        except AssertionError as error:
            error.add_note(f"in poll {number}")
            raise


def test_there_are_many_scenarios_and_none_twice() -> None:
    assert len(SCENARIOS) >= 80
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS)
