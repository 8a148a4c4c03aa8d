"""Commands that work on the store and the outputs: poll, publish, prune, backup."""

from pathlib import Path
from typing import Annotated

import typer

from feedhub.cli.session import ConfigOption, JsonOption, SetOption, VerboseOption, started
from feedhub.errors import UsageError


def poll(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Poll these sources, due or not.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Poll every source, due or not.")] = False,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Store only; outputs stay due.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Poll what is due, store it, and publish what changed. Exit 1 if any source or output failed."""
    session = started(ctx, config, overrides, verbose)
    if names and everything:
        raise UsageError("give names of sources or --all, not both")
    from feedhub.cli.poll_view import is_complete, print_run, run_json, step_words

    with session.hub() as hub, session.screen.progress("polling") as progress:
        run = hub.poll(
            names or (),
            everything=everything,
            and_publish=not no_publish,
            on_start=progress.begin,
            on_report=lambda report: progress.step(step_words(report)),
        )
    if as_json:
        session.screen.json(run_json(run))
    else:
        print_run(session.screen, run, hub.now(), hub.settings.site.timezone)
    if not is_complete(run):
        raise typer.Exit(1)


def publish(
    ctx: typer.Context,
    categories: Annotated[
        list[str] | None, typer.Argument(metavar="CATEGORY", help="Only these categories (slugs), or `all`.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Rebuild outputs from the store, without network. Exit 1 if any output failed."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.poll_view import print_published, published_json

    with session.hub() as hub:
        report = hub.publish(categories or ())
    if as_json:
        session.screen.json(published_json(report))
    else:
        print_published(session.screen, report)
    if report.failed:
        raise typer.Exit(1)


def prune(
    ctx: typer.Context,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Apply retention now.

    Removes what no source has offered for long, and what is beyond the newest of every category."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.words import count, own_command

    with session.hub() as hub:
        report = hub.prune()
    if as_json:
        session.screen.json({"items": report.items, "keys": report.keys, "ledger": report.ledger})
        return
    forgotten = f"{count(report.keys, 'key')} and {count(report.ledger, 'ledger line')} forgotten"
    session.screen.say(f"{count(report.items, 'item')} removed, {forgotten}")
    if report.items:
        session.screen.say(f"next: {own_command()} publish")


def backup(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write the copy; must not be there yet.")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Write a consistent copy of the store, also while others write."""
    session = started(ctx, config, overrides, verbose)
    target = Path(file).absolute()
    if target.exists():
        raise UsageError(f"{file} is there already; a backup never overwrites")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    with session.hub() as hub:
        hub.backup(str(target))
    session.screen.say(f"wrote {target} ({target.stat().st_size:,} bytes)")
