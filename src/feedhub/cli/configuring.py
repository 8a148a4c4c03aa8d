"""Commands around the configuration: init, check, schema, import, export."""

import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from feedhub.cli.session import ConfigOption, JsonOption, SetOption, VerboseOption, started
from feedhub.errors import ConfigError, UsageError

_MISUSED: Final = 2


def init(
    ctx: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="DIR", show_default=False, help="Where; default: here.")] = ".",
    verbose: VerboseOption = False,
) -> None:
    """Write a commented configuration to start from; never overwrites.

    Also writes its JSON Schema and the output folder."""
    session = started(ctx, None, None, verbose)
    from feedhub.cli.new_files import write_new
    from feedhub.cli.words import own_command
    from feedhub.config.starter import starter_files

    root = Path(folder)
    for name, content in starter_files().items():
        path = root / name
        written = write_new(path, content if isinstance(content, bytes) else content.encode())
        session.screen.say(f"wrote {path}" if written else f"left alone, it is there already: {path}")
    config = "" if root == Path() else f" -c {shlex.quote(str(root / 'config' / 'feedhub.yaml'))}"
    session.screen.say(f"next: {own_command()} check{config}")


def check(
    ctx: typer.Context,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Validate the configuration; print every problem with its place.

    Exit 2 if there is any."""
    session = started(ctx, config, overrides, verbose)
    from dataclasses import asdict

    from feedhub.cli.words import count

    summary = ""
    try:
        settings = session.settings()
    except ConfigError as error:
        problems = error.problems
    else:
        problems = settings.problems
        summary = ", ".join(
            (
                count(len(settings.sources), "source"),
                count(len(settings.categories), "category", "categories"),
                count(len(settings.rules), "rule"),
            )
        )
    if as_json:
        session.screen.json([asdict(problem) for problem in problems])
    else:
        for line in problems or [f"ok: {summary}"]:
            session.screen.say(str(line))
    if problems:
        raise typer.Exit(_MISUSED)


def schema(ctx: typer.Context, verbose: VerboseOption = False) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    session = started(ctx, None, None, verbose)
    from feedhub.config.schema import json_schema_text

    session.screen.document(json_schema_text())


def import_opml(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE.opml", help="Subscriptions of a feed reader.")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Turn the OPML subscriptions of a feed reader into sources.

    Writes `sources/NAME.yaml` beside the configuration; never overwrites. Folders become
    categories. What is skipped or configured already is said.
    """
    session = started(ctx, config, overrides, verbose)
    from feedhub.cli.subscriptions import import_subscriptions
    from feedhub.cli.words import own_command
    from feedhub.config.opml_import import read_opml

    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    offered = read_opml(data)
    imported = import_subscriptions(offered, session.settings(), Path(file).stem)
    for line in imported.lines:
        session.screen.say(line)
    if imported.path and str(imported.path) not in session.settings().files:
        session.screen.say(f'add this line to {imported.config}: "include: [sources/*.yaml]"')
    elif imported.path:
        session.screen.say(f"next: {own_command()} poll")


def export(
    ctx: typer.Context,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", show_default=False, help="Write here, not to stdout."),
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Print the sources as OPML for other feed readers.

    Categories become folders."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.config.opml_export import subscriptions_opml

    opml = subscriptions_opml(session.settings())
    if output is None:
        session.screen.document(opml.decode())
        return
    try:
        Path(output).write_bytes(opml)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    session.screen.tell(f"wrote {output}")
