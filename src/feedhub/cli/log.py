"""``feedhub log``: what was dropped, merged, rejected, hidden, and why."""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from feedhub.cli.main import JsonOption, Session, command
from feedhub.errors import UsageError
from feedhub.model.report import LOG_KINDS, LogQuery, log_kind

if TYPE_CHECKING:
    from feedhub.cli.screen import Screen
    from feedhub.model.report import LedgerEntry

LogKind = StrEnum("LogKind", {name.upper(): name for name in LOG_KINDS})  # type: ignore[misc]


@command()
def log(
    session: Session,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Only of this source.")] = "",
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help="Only what this rule dropped.")] = "",
    kind: Annotated[
        list[LogKind] | None,
        typer.Option("--kind", metavar="KIND", show_default=False, help=f"Only {', '.join(LOG_KINDS)}; repeat."),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="30d|DAY", help="Only of this time, or since this day.")
    ] = "",
    text: Annotated[str, typer.Option("--text", metavar="WORDS", help="Only with all these words in the title.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, metavar="N", help="Entries of a page.")] = 50,
    page: Annotated[int, typer.Option("--page", min=1, max=100_000, metavar="N", help="Which page, from 1.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Show what was dropped, merged, rejected or hidden, and why.

    Newest first. `feedhub explain` tells all of one item."""
    with session.hub() as hub:
        zone = hub.settings.site.timezone
        query = LogQuery(
            source=source,
            rule=rule,
            kinds=tuple(str(one) for one in kind or ()),
            since=_since(since, hub.now(), zone) if since else None,
            words=text,
        )
        found = hub.store.log(query, (page - 1) * limit, limit + 1)
    entries, has_more = found[:limit], len(found) > limit
    if as_json:
        session.screen.json({"entries": [_entry_json(entry) for entry in entries], "page": page, "more": has_more})
    else:
        _print_entries(session.screen, entries, zone)
        if has_more:
            session.screen.print(f"older ones: --page {page + 1}")


def _since(text: str, now: datetime, zone: str) -> datetime:
    """Return the instant that ``30d`` or ``2026-01-31`` stands for.

    Raises:
        UsageError: it is neither.
    """
    from feedhub.config.forms import parse_duration

    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone))
    except ValueError as error:
        raise UsageError(
            f'--since: expected a duration such as 30d, or a day such as 2026-01-31, not "{text}"'
        ) from error


def _print_entries(screen: "Screen", entries: "tuple[LedgerEntry, ...]", zone: str) -> None:
    from feedhub.cli.screen import Row, local_time

    if not entries:
        screen.print("nothing of that is noted")
        return
    rows = [
        Row(
            cells=(local_time(entry.at, zone), entry.source, log_kind(entry.kind)),
            note=": ".join(part for part in (entry.reason, entry.title and f"“{entry.title}”", entry.link) if part),
        )
        for entry in entries
    ]
    screen.table(("when", "source", "kind"), rows)


def _entry_json(entry: "LedgerEntry") -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "source": entry.source,
        "kind": log_kind(entry.kind),
        "noted_as": entry.kind,
        "reason": entry.reason,
        "item": entry.item_id,
        "title": entry.title,
        "link": entry.link,
    }
