"""What the commands print: tables for people, documents for programs."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from feedhub.cli.screen import Row, Screen, count, due_text, local_time, relative_time
from feedhub.model.identity import Filing
from feedhub.model.item import Enclosure, Item, ParsedItem, Rejected
from feedhub.model.report import (
    HubStatus,
    LedgerEntry,
    Outcome,
    PollReport,
    PollRun,
    Preview,
    PublishReport,
    RecordTrace,
    RulesTrial,
    RuleTrial,
    SearchHit,
    SourceStatus,
    log_kind,
)
from feedhub.model.source import Health
from feedhub.rules.text import visible_text

if TYPE_CHECKING:
    from feedhub.sources.feed.discover import DiscoveredFeed


def discovered_yaml(found: "Sequence[DiscoveredFeed]", taken: Collection[str]) -> str:
    """Return entries for the list ``sources:``, with names that no source in ``taken`` has."""
    from feedhub.config.opml import Subscription, sources_yaml

    subscriptions = [Subscription(title=feed.title, url=feed.url) for feed in found]
    return sources_yaml(subscriptions, taken, with_titles=False).removeprefix("sources:\n")


def discovered_json(found: "Sequence[DiscoveredFeed]") -> list[dict[str, object]]:
    """Return what ``discover --json`` prints."""
    return [{"url": feed.url, "title": feed.title, "media_type": feed.media_type} for feed in found]


_EXCERPT_LENGTH: Final = 200


def print_preview(screen: Screen, preview: Preview, timezone: str) -> None:
    """Print one paragraph per item."""
    screen.print(preview.title or "(no title)", style="bold")
    screen.print(preview.url)
    for (parsed, item), keys, filing in zip(preview.items, preview.keys, preview.filings, strict=True):
        screen.print()
        screen.print(item.title or "(no title)", style="bold")
        facts = _facts(parsed, item, keys, timezone)
        for name, value in (*facts, ("rules", _filing_words(item, filing))):
            if value:
                screen.print(f"  {name:<10} {value}")
    _print_traces(screen, preview.traces)
    for rejected in preview.rejected:
        screen.print()
        screen.print(_rejected_words(rejected), style="yellow")
    if preview.notes:
        screen.print()
    for note in preview.notes:
        screen.print(f"note: {note}", style="yellow")
    screen.print()
    screen.print(f"{count(len(preview.items), 'item')} shown, {len(preview.rejected)} rejected; nothing was stored")


def _print_traces(screen: Screen, traces: tuple[RecordTrace, ...]) -> None:
    """Print for every record of a mapped source what each path gave, was empty or failed with."""
    for trace in traces:
        screen.print()
        screen.print(f"record {trace.position + 1}: what each path gave", style="bold")
        for field in trace.fields:
            said = {"gave": field.value, "empty": "(empty)", "failed": f"failed: {field.value}"}[field.state]
            style = "yellow" if field.state == "failed" else ""
            screen.print(f"  {field.field:<10} {field.path}: {said}", style=style)


def _facts(parsed: ParsedItem, item: Item, keys: tuple[str, ...], timezone: str) -> tuple[tuple[str, str], ...]:
    return (
        ("link", item.link or ""),
        (
            "published",
            local_time(parsed.published_at, timezone) if parsed.published_at else "no date: first sight counts",
        ),
        ("authors", ", ".join(person.name for person in item.authors)),
        ("tags", ", ".join(item.tags)),
        ("image", item.image or ""),
        ("enclosures", ", ".join(_enclosure_words(each) for each in item.enclosures)),
        ("keys", " · ".join(keys) or "none"),
        ("text", _excerpt(item)),
    )


def _filing_words(item: Item, filing: Filing) -> str:
    """Return what the rules would make of an item."""
    from feedhub.rules.trial import edits_in_words

    if filing.dropped_by is not None:
        return f"dropped by “{filing.dropped_by}”"
    by = {"source": "its source", "record": "the record"}
    words = [f"in {slug} by {by.get(rule, f'“{rule}”')}" for slug, rule in filing.categories]
    words += edits_in_words(item, filing.shown or item)
    return "; ".join(words) or "in no category"


def _enclosure_words(enclosure: Enclosure) -> str:
    facts = [enclosure.media_type or "", f"{enclosure.length:,} bytes" if enclosure.length else ""]
    known = ", ".join(fact for fact in facts if fact)
    return f"{enclosure.url} ({known})" if known else enclosure.url


def _excerpt(item: Item) -> str:
    text = " ".join(visible_text(item.content or item.summary or "").split())
    return text if len(text) <= _EXCERPT_LENGTH else text[:_EXCERPT_LENGTH] + "…"


def _rejected_words(rejected: Rejected) -> str:
    name = rejected.title or rejected.link or rejected.guid or ""
    return f"rejected: record {rejected.position + 1}{f' ({name})' if name else ''}: {rejected.reason}"


def preview_json(preview: Preview) -> dict[str, object]:
    """Return what ``preview --json`` prints."""
    return {
        "url": preview.url,
        "title": preview.title,
        "items": [
            _item_json(parsed, item, keys, filing)
            for (parsed, item), keys, filing in zip(preview.items, preview.keys, preview.filings, strict=True)
        ],
        "rejected": [asdict(rejected) for rejected in preview.rejected],
        "notes": list(preview.notes),
        "records": [asdict(trace) for trace in preview.traces],
    }


def _item_json(parsed: ParsedItem, item: Item, keys: tuple[str, ...], filing: Filing) -> dict[str, object]:
    from feedhub.rules.trial import edits_in_words

    facts = asdict(item)
    del facts["published_at"]
    return {
        **facts,
        "published": parsed.published_at.isoformat() if parsed.published_at else None,
        "text": _excerpt(item),
        "keys": list(keys),
        "rules": {
            "applied": list(filing.applied),
            "dropped_by": filing.dropped_by,
            "categories": [{"category": slug, "rule": rule} for slug, rule in filing.categories],
            "edits": edits_in_words(item, filing.shown or item),
        },
    }


def print_hits(screen: Screen, hits: tuple[SearchHit, ...], timezone: str) -> None:
    """Print a paragraph per item."""
    for hit in hits:
        screen.print(hit.title or "(no title)", style="bold")
        screen.print(
            f"  {local_time(hit.published_at, timezone)}  {hit.source_title or hit.source}  {hit.link or '(no link)'}"
        )
        screen.print(f"  {hit.snippet}" if hit.snippet else "  (no text)")
        screen.print(f"  {hit.id}", style="dim")
    screen.print(f"{count(len(hits), 'item')} found")


def hit_json(hit: SearchHit) -> dict[str, object]:
    """Return one item as ``search --json`` prints it."""
    return {
        "id": hit.id,
        "title": hit.title,
        "link": hit.link,
        "source": hit.source,
        "source_title": hit.source_title,
        "published": hit.published_at.isoformat(),
        "snippet": hit.snippet,
    }


_STYLES: Final = {
    Health.OK: "green",
    Health.FAILING: "red",
    Health.STALE: "yellow",
    Health.BROKEN: "red",
    Health.GONE: "yellow",
    Health.PAUSED: "dim",
    Health.NEW: "dim",
}


def print_status(screen: Screen, status: HubStatus, now: datetime, timezone: str) -> None:
    """Print both tables, and first of all that there is no store yet."""
    if status.no_store:
        screen.print(status.no_store, style="yellow")
    if status.sources:
        columns: tuple[str, ...] = ("source", "state", "items", "per day", "last success", "next poll", "title")
        rows = [_source_row(source, now, timezone) for source in status.sources]
        if not any(source.title for source in status.sources):
            columns, rows = columns[:-1], [replace(row, cells=row.cells[:-1]) for row in rows]
        screen.table(columns, rows, numbers=frozenset({2, 3}))
    states = Counter(source.state.value for source in status.sources)
    ends = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    screen.print(f"{count(len(status.sources), 'source')}: {ends}" if ends else "no sources")
    if not status.categories:
        return
    screen.print()
    screen.table(
        ("category", "items", "last change", "title"),
        [
            Row(
                cells=(
                    category.slug,
                    str(category.items),
                    relative_time(category.changed_at, now, timezone) if category.changed_at else "never",
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
            source.state.value,
            str(source.items),
            f"{source.items_per_day:.1f}",
            relative_time(source.last_success, now, timezone),
            due_text(source.next_poll_in),
            source.title,
        ),
        note="; ".join(part for part in (source.reason, moved and f"moved for good, now polled at {moved}") if part),
        style=_STYLES[source.state],
    )


_COUNTS: Final = ("new", "changed", "duplicate", "rejected", "dropped")
_WORDS: Final = {
    Outcome.STORED: "stored",
    Outcome.NOT_MODIFIED: "not modified",
    Outcome.FAILED: "failed",
    Outcome.SKIPPED: "skipped",
}
_OUTCOME_STYLES: Final = {
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
        screen.print("no source was due")
    if run.published:
        print_published(screen, run.published)
    if run.not_due:
        soon = f"; the next is due {relative_time(run.next_due_at, now, timezone)}" if run.next_due_at else ""
        screen.print(f"{count(run.not_due, 'source')} not due{soon}")


def print_reports(screen: Screen, reports: tuple[PollReport, ...]) -> None:
    """Print a row per source, then the sums. Most configurations drop nothing, so that takes no column then."""
    counts = _COUNTS if any(report.dropped_by for report in reports) else _COUNTS[:-1]
    titles = ("source", "outcome", *counts)
    screen.table(titles, [_row(report, counts) for report in reports], numbers=frozenset(range(2, len(titles))))
    outcomes = Counter(report.outcome for report in reports)
    ends = ", ".join(f"{outcomes[outcome]} {word}" for outcome, word in _WORDS.items() if outcomes[outcome])
    sums = ", ".join(f"{sum(getattr(report, name) for report in reports)} {name}" for name in counts)
    screen.print(f"{count(len(reports), 'source')}: {ends}; {sums}")


def _row(report: PollReport, counts: Sequence[str]) -> Row:
    drops = (f"dropped by rule “{rule}”: {number}" for rule, number in report.dropped_by)
    return Row(
        cells=(report.source, _WORDS[report.outcome], *(str(getattr(report, name)) for name in counts)),
        note="; ".join(part for part in (report.reason, *drops, *report.warnings) if part),
        style=_OUTCOME_STYLES[report.outcome],
    )


_AFTERWARDS: Final = ("output.after", "notify.")
"""What is done after publishing, by keys of the configuration."""


def print_published(screen: Screen, report: PublishReport) -> None:
    """Print what happened to the files of the output folder."""
    parts = [f"{count(len(report.written), 'file')} written"] if report.written else []
    parts += [f"{report.unchanged} unchanged"] if report.unchanged else []
    parts += [f"{len(report.removed)} removed"] if report.removed else []
    screen.print(f"published: {', '.join(parts) or 'nothing changed'}")
    for output, reason in report.failed:
        is_file = not output.startswith(_AFTERWARDS)
        said = f"output {output} failed, the last good one stays" if is_file else f"{output} failed"
        screen.print(f"{said}: {reason}", style="red")


def run_json(run: PollRun) -> dict[str, object]:
    """Return a run as ``poll --json`` prints it."""
    return {
        "sources": [_report_json(report) for report in run.reports],
        "published": published_json(run.published) if run.published else None,
        "not_due": run.not_due,
        "next_due_at": run.next_due_at.isoformat() if run.next_due_at else None,
    }


def _report_json(report: PollReport) -> dict[str, object]:
    return {
        "name": report.source,
        "outcome": report.outcome.value,
        **{name: getattr(report, name) for name in _COUNTS},
        "dropped_by": dict(report.dropped_by),
        "not_modified": report.outcome is Outcome.NOT_MODIFIED,
        "failed": report.outcome is Outcome.FAILED,
        "reason": report.reason,
        "status": report.status,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
        "warnings": list(report.warnings),
    }


def published_json(report: PublishReport) -> dict[str, object]:
    """Return what was published as ``publish --json`` prints it."""
    return {
        "written": list(report.written),
        "unchanged": report.unchanged,
        "removed": list(report.removed),
        "failed": [{"output": output, "reason": reason} for output, reason in report.failed],
    }


def print_entries(screen: Screen, entries: Sequence[LedgerEntry], zone: str) -> None:
    """Print a row for each entry of the ledger."""
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


def entry_json(entry: LedgerEntry) -> dict[str, object]:
    """Return an entry of the ledger as ``log --json`` prints it."""
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


def print_trial(screen: Screen, found: RulesTrial, timezone: str, since: str | None) -> None:
    """Print a summary, a row for each rule with examples under it, and what is odd about rules."""
    met = f" met in the last {since}" if since else ""
    screen.print(f"tried on {count(found.items, 'stored item')}{met}; nothing was changed", style="bold")
    changes = [(found.leave, "leave all outputs"), (found.back, "come back"), (found.otherwise, "be shown otherwise")]
    screen.print("of what is published now " + ", ".join(f"{number} would {what}" for number, what in changes))
    if found.rules:
        screen.print()
        titles = ("rule", "holds", "drops", "files", "edits", "new")
        rows = [
            Row(cells=(one.name, *map(str, (one.holds, one.drops, one.files, one.edits, one.new))))
            for one in found.rules
        ]
        screen.table(titles, rows, numbers=frozenset({1, 2, 3, 4, 5}))
    for one in found.rules:
        for line in _example_lines(one, timezone):
            screen.print(line)
    for line in _oddities(found):
        screen.print(line, style="yellow")


def _example_lines(one: RuleTrial, timezone: str) -> Iterator[str]:
    if one.examples:
        yield ""
        yield f"{one.name}:"
    for example in one.examples:
        mark = "new" if example.is_new else "   "
        at = local_time(example.published_at, timezone)
        yield f"  {mark}  {example.does}: “{example.title or '(no title)'}”  {at}  {example.source}"


def _oddities(found: RulesTrial) -> Iterator[str]:
    """Yield what is to be said of rules that match nothing or that others hide, and of what rules cannot reach."""
    for rule, number in found.returning:
        yield f"comes back: {count(number, 'report')} that the rule “{rule}” drops now"
    for one in found.rules:
        hiding = ", ".join(f"“{rule}” ({number})" for rule, number in one.hidden_by)
        if one.holds:
            continue
        if hiding:
            yield f"never reached: “{one.name}” would hold, but rules before it end there: {hiding}"
        else:
            yield f"matches nothing: “{one.name}”"
    if found.final:
        yield (
            f"{count(found.final, 'report')} of a version before: of these only what its rules made is stored, so that "
            "replacing waits until their sources offer them again"
        )


def trial_json(found: RulesTrial) -> dict[str, object]:
    """Return what ``rules test --json`` prints."""
    facts = asdict(found)
    facts["returning"] = dict(found.returning)
    for one in facts["rules"]:
        one["hidden_by"] = dict(one["hidden_by"])
        for example in one["examples"]:
            example["published_at"] = example["published_at"].isoformat()
    return facts
