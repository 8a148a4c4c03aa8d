"""The commands that ask what is stored, or change it without a poll; each imports what it needs when it runs."""

import os
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from feedhub.cli.main import JsonOption, NoPublishOption, Session, command, complete_sources
from feedhub.errors import UsageError
from feedhub.model.report import LOG_KINDS, LogQuery

if TYPE_CHECKING:
    from feedhub.model.report import Explanation, PublishReport
    from feedhub.runtime.hub import Hub

LogKind = StrEnum("LogKind", {name.upper(): name for name in LOG_KINDS})  # type: ignore[misc]
_ITEM_HELP = "A URL, an item id, an infoCode or other named key, or the item's own page."
_ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help=_ITEM_HELP)]

rules: Final = typer.Typer(rich_markup_mode=None, help="Try rules before they are in force.", no_args_is_help=True)


@command()
def explain(
    session: Session,
    ref: Annotated[
        str,
        typer.Argument(
            metavar="REF",
            help="A URL, an infoCode (or other named key), an item id, an item's own page, or words of a title.",
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(metavar="[OTHER]", show_default=False, help="A second one: why are both two, or one?"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell where an item was seen, and why it is where it is.

    Also how it was recognised, which rule filed or dropped it and when, and which outputs hold it. With OTHER: why
    the two are two items and which setting would join them, or why they are one.

    Exit 1 when nothing is known of it.
    """
    from feedhub.cli.explanations import show_item, show_pair

    with session.hub() as hub:
        if other is None:
            complaint = show_item(session.screen, hub, ref, as_json=as_json)
        else:
            complaint = show_pair(session.screen, hub, (ref, other), as_json=as_json)
    if complaint:
        session.screen.print_err(f"feedhub: {complaint}")
        raise typer.Exit(1)


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
    from feedhub.cli.views import entry_json, print_entries

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
        session.screen.json({"entries": [entry_json(entry) for entry in entries], "page": page, "more": has_more})
    else:
        print_entries(session.screen, entries, zone)
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


@command()
def search(
    session: Session,
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help="Words that must all occur.")],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Items to show.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Search the full text of stored items, Chinese included."""
    from feedhub.cli.views import hit_json, print_hits

    with session.hub() as hub:
        while hub.store.index_some():  # after a version that made its search terms otherwise
            pass
        hits = hub.store.search(" ".join(query), limit)
    if as_json:
        session.screen.json([hit_json(hit) for hit in hits])
    else:
        print_hits(session.screen, hits, hub.settings.site.timezone)


@command()
def hide(
    session: Session,
    item: _ItemArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; `explain` shows it.")] = "",
    no_publish: NoPublishOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take an item out of all outputs and searches.

    Feeds, pages, posts and archives no longer have it. It stays hidden when it comes again, until `unhide`. What its
    sources say of it is stored on. Publishes what changed; a running daemon and web server need not be told.
    """
    with session.hub() as hub:
        found = hub.hide(item, reason)
        report = _published(hub, is_wanted=not no_publish)
    _say(session, "hidden", found, report, as_json=as_json)


@command()
def unhide(
    session: Session, item: _ItemArgument, no_publish: NoPublishOption = False, as_json: JsonOption = False
) -> None:
    """Show a hidden item again, as the rules leave it."""
    with session.hub() as hub:
        found = hub.unhide(item)
        report = _published(hub, is_wanted=not no_publish)
    _say(session, "shown again", found, report, as_json=as_json)


@command()
def forget(
    session: Session,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Name of a source, configured or not.", autocompletion=complete_sources),
    ],
    no_publish: NoPublishOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete for good what a source said of its items.

    It goes from all outputs and searches. What other sources say of the same items stays. The keys are remembered, so
    nothing of it is presented when it comes again. There is no way back but a backup.
    """
    from feedhub.cli.screen import count
    from feedhub.cli.views import print_published, published_json

    with session.hub() as hub:
        forgotten = hub.forget(source)
        report = _published(hub, is_wanted=not no_publish)
        is_configured = source in {one.name for one in hub.settings.sources}
    if as_json:
        session.screen.json({"source": source, "items": forgotten, "published": report and published_json(report)})
    else:
        session.screen.print(f"forgotten: what {source} said of {count(forgotten, 'item')}")
        if is_configured:
            session.screen.print(f"{source} is still configured: what is new in it is shown")
        if report is not None:
            print_published(session.screen, report)
    if report is not None and report.failed:
        raise typer.Exit(1)


def _published(hub: "Hub", *, is_wanted: bool) -> "PublishReport | None":
    if not is_wanted:
        return None
    hub.sync()
    return hub.publish_due()


def _say(session: Session, what: str, found: "Explanation", report: "PublishReport | None", *, as_json: bool) -> None:
    from feedhub.cli.views import print_published, published_json

    if as_json:
        facts = {"item_id": found.item_id, "title": found.title, "state": what}
        session.screen.json({**facts, "published": report and published_json(report)})
    else:
        session.screen.print(f"{what}: {found.item_id} “{found.title or '(no title)'}”")
        if report is not None:
            print_published(session.screen, report)
    if report is not None and report.failed:
        raise typer.Exit(1)


@rules.command("test", epilog="Example: feedhub rules test new-rules.yaml --since 30d")
@command()
def try_rules(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", show_default=False, help="Its rules stand in for those of the configuration."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="AGE", show_default=False, help="Only items met in that time: 30d.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="NAME", show_default=False, help="Only this rule, with more examples."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what rules would drop, file, tag and replace.

    The rules on disk are tried on what is stored, beside what is published now; nothing is changed. Counts are of what
    sources said of items; `new` are those that would be published otherwise. The daemon puts saved rules in force by
    itself, so try them in a file of their own, or with --set.
    """
    from feedhub.cli.views import print_trial, trial_json
    from feedhub.runtime.refiling import try_rules as tried

    age = _age(since)
    with session.hub(rules_file=file) as hub:
        found = tried(hub.store, hub.settings, since=None if age is None else hub.now() - age, rule=rule)
        timezone = hub.settings.site.timezone
    if as_json:
        session.screen.json(trial_json(found))
    else:
        print_trial(session.screen, found, timezone, since)


def _age(text: str | None) -> timedelta | None:
    from feedhub.config.forms import parse_duration

    if text is None:
        return None
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise UsageError(f"--since {text}: {error}") from error


@command()
def prune(session: Session, as_json: JsonOption = False) -> None:
    """Apply retention now.

    Removes what no source has offered for long, and what is beyond the newest of every category."""
    from feedhub.cli.screen import count, own_command

    with session.hub() as hub:
        report = hub.prune()
    if as_json:
        session.screen.json({"items": report.items, "keys": report.keys, "ledger": report.ledger})
        return
    forgotten = f"{count(report.keys, 'key')} and {count(report.ledger, 'ledger line')} forgotten"
    session.screen.print(f"{count(report.items, 'item')} removed, {forgotten}")
    if report.items:
        session.screen.print(f"next: {own_command()} publish")


@command()
def backup(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write the copy; must not be there yet.")],
) -> None:
    """Write a consistent copy of the store.

    Also while others write."""
    target = Path(file).absolute()
    if target.exists():
        raise UsageError(f"{file} is there already; a backup never overwrites")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    with session.hub() as hub:
        hub.store.backup(str(target))
    session.screen.print(f"wrote {target} ({target.stat().st_size:,} bytes)")


@command()
def restore(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A copy that `feedhub backup` wrote.")],
    no_publish: NoPublishOption = False,
) -> None:
    """Put a backup into the place of the store.

    The backup is looked through for damage first; one of an earlier version is brought up to date. The store of before
    is kept beside it. Then all outputs are made anew. Stop the daemon before: while one runs, nothing is done.
    """
    from feedhub.cli.views import print_published
    from feedhub.store.sql import restore_store

    kept = restore_store(session.settings(makes_store=True).store, Path(file))
    with session.hub() as hub:
        session.screen.print(f"restored: {hub.store.item_count()} items are shown, from {file}")
        if kept is not None:
            session.screen.print(f"the store of before is {kept}; delete it when all is well")
        if no_publish:
            return
        report = hub.publish()
    print_published(session.screen, report)
    if report.failed:
        raise typer.Exit(1)


@command(has_config=False)
def migrate_store(
    session: Session,
    origin: Annotated[
        str,
        typer.Argument(metavar="FROM", help="As `store:` of a configuration: sqlite:///PATH or postgresql+psycopg://…"),
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="A new one, of the same or the other kind.")],
    as_json: JsonOption = False,
) -> None:
    """Copy the store from SQLite to PostgreSQL, or back.

    TO is a new store of either kind. Stop the daemon first. Nothing in FROM is changed, and nobody may write into it
    meanwhile. All rows are compared in the end. When it is cut, the same command goes on with it; until all is there,
    nothing else opens TO.
    """
    from feedhub.cli.screen import count
    from feedhub.store.copying import TABLES
    from feedhub.store.sql import copy_store

    (old, hidden), (new, more) = store_address("FROM", origin), store_address("TO", target)
    session.masked.hide({*hidden, *more})
    with session.screen.progress("copying") as progress:
        progress.begin(len(TABLES))
        copied = copy_store(old, new, lambda table: progress.step(f"{table.name}: {count(table.rows, 'row')}"))
    if as_json:
        session.screen.json({"tables": [asdict(table) for table in copied]})
        return
    session.screen.print(f"copied and compared: {count(sum(table.rows for table in copied), 'row')}")
    session.screen.print("next: write the new address as `store:` into the configuration")


def store_address(name: str, text: str) -> tuple[str, tuple[str, ...]]:
    """Return the address of a store as a configuration in this folder would mean it, and the secrets in it.

    Raises:
        UsageError: it is none.
    """
    from feedhub.config.files import expand
    from feedhub.config.forms import store_address as checked
    from feedhub.config.forms import store_url, url_secrets

    filled = expand(text, os.environ)
    address = str(filled.value)
    if filled.faults:
        raise UsageError(f"{name}: {filled.faults[0][1]}")
    try:
        checked(address)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error
    return store_url(address, str(Path.cwd())), (*filled.taken.get((), ()), *url_secrets(address))
