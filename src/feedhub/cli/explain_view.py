"""What ``explain`` says: the story of one item, or of a record that became none."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from feedhub.cli.screen import Screen
from feedhub.cli.words import moment
from feedhub.model.report import Explanation, LedgerEntry, SightingReport
from feedhub.model.settings import Settings

_BY_SOURCE: Final = "source"
_NO_KEY: Final = "signature:"
"""Asked only when a whole document looks re-identified; it recognises no item by itself (SPEC §4)."""


def print_explanations(screen: Screen, explanations: tuple[Explanation, ...], settings: Settings) -> None:
    """Print one story after the other."""
    for index, explanation in enumerate(explanations):
        if index:
            screen.say()
        for line in story(explanation, settings):
            screen.say(line, style="" if line.startswith(" ") else "bold")


def story(explanation: Explanation, settings: Settings) -> list[str]:
    """Return the lines that tell what is known: a heading, then indented facts."""
    zone = settings.site.timezone
    lines = [explanation.title or "(no title)"]
    lines += _item_lines(explanation, zone)
    lines += _part("seen in", [line for sighting in explanation.sightings for line in _sighting_words(sighting, zone)])
    lines += _part("recognised by", [key for key in explanation.keys if not key.startswith(_NO_KEY)])
    lines += _part("filed under", _membership_words(explanation, settings))
    lines += _part("shown in", [str(Path(settings.output.dir) / output) for output in explanation.outputs])
    if explanation.item_id and not explanation.removed_at and not explanation.outputs:
        lines += _part("shown in", ["no output now: newer items fill them"])
    lines += _part("ledger", [ledger_words(entry, zone) for entry in explanation.ledger])
    return lines


def _item_lines(explanation: Explanation, zone: str) -> list[str]:
    if explanation.item_id is None:
        return ["  was seen, but never became an item"]
    lines = [f"  id            {explanation.item_id}"]
    if explanation.owner:
        lines.append(f"  owned by      {explanation.owner}, whose wording the combined feed shows")
    lines += _instants(
        zone,
        ("published", explanation.published_at),
        ("updated", explanation.updated_at),
        ("removed", explanation.removed_at),
    )
    return lines


def _instants(zone: str, *named: tuple[str, datetime | None]) -> list[str]:
    return [f"  {name:<13} {moment(at, zone)}" for name, at in named if at]


def _part(name: str, facts: list[str] | tuple[str, ...]) -> list[str]:
    return [f"  {name if index == 0 else '':<13} {fact}" for index, fact in enumerate(facts)]


def _sighting_words(sighting: SightingReport, zone: str) -> Iterator[str]:
    left = f"no longer offered since {moment(sighting.left_at, zone)}" if sighting.left_at else "still offered"
    yield f"{sighting.source}, first at {moment(sighting.first_seen_at, zone)}, {left}"
    yield f"  “{sighting.title}”"
    yield f"  {sighting.link or '(no link)'}"


def _membership_words(explanation: Explanation, settings: Settings) -> list[str]:
    titles = {category.slug: category.title for category in settings.categories}
    words = []
    for slug, rule, source in explanation.memberships:
        title = titles.get(slug, slug)
        name = slug if title == slug else f"{slug} ({title})"
        why = f"as source {source} is configured" if rule == _BY_SOURCE else f"by rule “{rule}”, from source {source}"
        words.append(f"{name} {why}")
    return words


def ledger_words(entry: LedgerEntry, zone: str) -> str:
    """Return one ledger row as a line."""
    about = f": “{entry.title}”" if entry.title else ""
    key = f" [{entry.key}]" if entry.key else ""
    return f"{moment(entry.at, zone)} {entry.source}: {entry.kind}, {entry.reason}{key}{about}"


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Return one explanation as ``explain --json`` prints it."""
    found = asdict(explanation)
    found["memberships"] = [
        {"category": slug, "rule": rule, "source": source} for slug, rule, source in explanation.memberships
    ]
    return _with_text_instants(found)


def _with_text_instants(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _textual(value) for name, value in values.items()}


def _textual(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return _with_text_instants(value)
    return [_textual(part) for part in value] if isinstance(value, list | tuple) else value
