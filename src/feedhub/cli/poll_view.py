"""What ``poll`` and ``publish`` say: a row per source, the sums, the files."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from feedhub.cli.screen import Row, Screen
from feedhub.cli.words import count, when
from feedhub.model.report import Outcome, PollReport, PollRun, PublishReport

_TITLES: Final = ("source", "outcome", "new", "changed", "duplicate", "rejected")
_NUMBERS: Final = frozenset({2, 3, 4, 5})
_WORDS: Final = {
    Outcome.STORED: "stored",
    Outcome.NOT_MODIFIED: "not modified",
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "skipped",
}
_STYLES: Final = {
    Outcome.STORED: "green",
    Outcome.NOT_MODIFIED: "dim",
    Outcome.FAILED: "red",
    Outcome.SKIPPED: "yellow",
}


def is_complete(run: PollRun) -> bool:
    """Tell whether every source and every output succeeded."""
    failed = any(report.outcome is Outcome.FAILED for report in run.reports)
    return not failed and not (run.published and run.published.failed)


def step_words(report: PollReport) -> str:
    """Return one finished poll as a line of progress."""
    news = f", {report.new} new" if report.new else ""
    return f"{report.source}: {_WORDS[report.outcome]}{news}"


def print_run(screen: Screen, run: PollRun, now: datetime, timezone: str) -> None:
    """Print the table of a run, what was published, and what was left alone."""
    if run.reports:
        print_reports(screen, run.reports)
    else:
        screen.say("no source was due")
    if run.published:
        print_published(screen, run.published)
    if run.not_due:
        soon = f"; the next is due {when(run.next_due_at, now, timezone)}" if run.next_due_at else ""
        screen.say(f"{count(run.not_due, 'source')} not due{soon}")


def print_reports(screen: Screen, reports: tuple[PollReport, ...]) -> None:
    """Print a row per source, then the sums."""
    screen.table(_TITLES, [_row(report) for report in reports], numbers=_NUMBERS)
    outcomes = Counter(report.outcome for report in reports)
    ends = ", ".join(f"{outcomes[outcome]} {word}" for outcome, word in _WORDS.items() if outcomes[outcome])
    sums = ", ".join(
        f"{sum(getattr(report, name) for report in reports)} {name}"
        for name in ("new", "changed", "duplicate", "rejected")
    )
    screen.say(f"{count(len(reports), 'source')}: {ends}; {sums}")


def _row(report: PollReport) -> Row:
    numbers = (report.new, report.changed, report.duplicate, report.rejected)
    return Row(
        cells=(report.source, _WORDS[report.outcome], *(str(number) for number in numbers)),
        note="; ".join(part for part in (report.reason, *report.warnings) if part),
        style=_STYLES[report.outcome],
    )


def print_published(screen: Screen, report: PublishReport) -> None:
    """Print what happened to the files of the output folder."""
    parts = [f"{count(len(report.written), 'file')} written"] if report.written else []
    parts += [f"{report.unchanged} unchanged"] if report.unchanged else []
    parts += [f"{len(report.removed)} removed"] if report.removed else []
    screen.say(f"published: {', '.join(parts) or 'nothing changed'}")
    for output, reason in report.failed:
        screen.say(f"output {output} failed, the last good one stays: {reason}", style="red")


def run_json(run: PollRun) -> dict[str, Any]:
    """Return a run as ``poll --json`` prints it."""
    return {
        "sources": [_report_json(report) for report in run.reports],
        "published": published_json(run.published) if run.published else None,
        "not_due": run.not_due,
        "next_due_at": run.next_due_at.isoformat() if run.next_due_at else None,
    }


def _report_json(report: PollReport) -> dict[str, Any]:
    return {
        "name": report.source,
        "outcome": report.outcome.value,
        "new": report.new,
        "changed": report.changed,
        "duplicate": report.duplicate,
        "rejected": report.rejected,
        "not_modified": report.outcome is Outcome.NOT_MODIFIED,
        "failed": report.outcome is Outcome.FAILED,
        "reason": report.reason,
        "status": report.status,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
        "warnings": list(report.warnings),
    }


def published_json(report: PublishReport) -> dict[str, Any]:
    """Return what was published as ``publish --json`` prints it."""
    return {
        "written": list(report.written),
        "unchanged": report.unchanged,
        "removed": list(report.removed),
        "failed": [{"output": output, "reason": reason} for output, reason in report.failed],
    }
