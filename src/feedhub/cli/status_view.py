"""What ``status`` says: a row per source, a row per category."""

from collections import Counter
from datetime import datetime
from typing import Final

from feedhub.cli.screen import Row, Screen
from feedhub.cli.words import count, due, when
from feedhub.model.report import HubStatus, SourceStatus

_STYLES: Final = {
    "ok": "green",
    "failing": "red",
    "stale": "yellow",
    "broken": "red",
    "gone": "yellow",
    "paused": "dim",
    "new": "dim",
}


def print_status(screen: Screen, status: HubStatus, now: datetime, timezone: str) -> None:
    """Print both tables."""
    if status.sources:
        screen.table(
            ("source", "state", "items", "per day", "last success", "next poll"),
            [_source_row(source, now, timezone) for source in status.sources],
            numbers=frozenset({2, 3}),
        )
    states = Counter(source.state for source in status.sources)
    ends = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    screen.say(f"{count(len(status.sources), 'source')}: {ends}" if ends else "no sources")
    if not status.categories:
        return
    screen.say()
    screen.table(
        ("category", "items", "last change", "title"),
        [
            Row(
                cells=(
                    category.slug,
                    str(category.items),
                    when(category.changed_at, now, timezone) if category.items else "never",
                    category.title,
                )
            )
            for category in status.categories
        ],
        numbers=frozenset({1}),
    )


def _source_row(source: SourceStatus, now: datetime, timezone: str) -> Row:
    moved = source.current_url if source.current_url not in {None, source.url} else ""
    return Row(
        cells=(
            source.name,
            source.state,
            str(source.items),
            f"{source.items_per_day:.1f}",
            when(source.last_success, now, timezone),
            due(source.next_poll_in),
        ),
        note="; ".join(part for part in (source.reason, moved and f"moved for good, now polled at {moved}") if part),
        style=_STYLES.get(source.state, ""),
    )
