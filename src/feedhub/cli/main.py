"""The command line (SPEC §2): the list of commands, and the one place where errors become a line and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.cli import commands, daemon
from feedhub.cli.session import (
    DONE,
    IN_PART,
    INTERRUPTED,
    MISUSED,
    ConfigOption,
    Session,
    SetOption,
    VerboseOption,
    exit_code,
)
from feedhub.errors import ConfigError, FeedhubError
from feedhub.runtime.logs import one_line, printable

if TYPE_CHECKING:
    from feedhub.runtime.hub import Waits

# Name, function and example, in the order a new user needs them.
_COMMANDS: Final = (
    ("init", commands.init, "feedhub init news"),
    ("check", commands.check, "feedhub check -c news/config/feedhub.yaml"),
    ("schema", commands.schema, "feedhub schema > config/feedhub.schema.json"),
    ("demo", commands.demo, "feedhub demo --dir try-it"),
    ("poll", commands.poll, "feedhub poll --all --set poll.timeout=10s"),
    ("run", daemon.run, "feedhub run --log json"),
    ("serve", daemon.serve, "feedhub serve --port 8000"),
    ("health", daemon.health, "feedhub health && echo it lives"),
    ("publish", commands.publish, "feedhub publish economy"),
    ("status", commands.status, "feedhub status --json"),
    ("preview", commands.preview, "feedhub preview https://example.org/feed.xml --limit 3"),
    ("explain", commands.explain, "feedhub explain https://example.org/news/1.html"),
    ("discover", commands.discover, "feedhub discover https://example.org/"),
    ("import", commands.import_opml, "feedhub import subscriptions.opml"),
    ("export", commands.export, "feedhub export -o subscriptions.opml"),
    ("search", commands.search, "feedhub search 芯片 --limit 5"),
    ("prune", commands.prune, "feedhub prune --set retention.days=30"),
    ("backup", commands.backup, "feedhub backup feedhub-monday.db"),
)


def main(arguments: Sequence[str] | None = None, *, waits: "Waits | None" = None) -> None:
    """Run one command and exit as SPEC §2 says."""
    session = Session(waits=waits)
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal or pipe that knows no Chinese gets escapes, and not an error in the middle of a table.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(session, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read us has seen enough (`feedhub status | head`). What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = IN_PART
    sys.exit(code)


def _run(session: Session, arguments: Sequence[str] | None) -> int:
    try:
        result = app(args=arguments, prog_name="feedhub", obj=session, standalone_mode=False)
    except ConfigError as error:
        _explain_error(session, error, [str(problem) for problem in error.problems])
        return MISUSED
    except FeedhubError as error:
        _explain_error(session, error, [f"feedhub: {error}"])
        return exit_code(error)
    except typer.TyperException as error:
        _explain_error(session, error, [f"feedhub: {error.format_message()}"])
        return MISUSED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
        text = one_line(f"{type(error).__name__}: {error}")
        hint = "" if session.options.verbose else " (run with -v for details)"
        _explain_error(session, error, [f"feedhub: unexpected error: {text}{hint}"])
        return IN_PART
    return result if isinstance(result, int) else DONE


def _explain_error(session: Session, error: Exception, lines: Sequence[str]) -> None:
    if session.options.verbose:
        sys.stderr.write(printable(session.masked("".join(traceback.format_exception(error)))))
    for line in lines:
        sys.stderr.write(one_line(session.masked(line)) + "\n")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"feedhub {version('feedhub')}")
        raise typer.Exit


def _globals(
    ctx: typer.Context,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Poll many feeds, recognise every item once, and publish clean feeds per category."""
    session: Session = ctx.ensure_object(Session)
    session.add_options(config, overrides, verbose)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(MISUSED)


def _built() -> typer.Typer:
    # Plain help: a third of the time to the first line, and nothing but text in a pipe.
    built = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    built.callback(epilog="Example: feedhub demo", invoke_without_command=True)(_globals)
    for name, function, example in _COMMANDS:
        built.command(name, epilog=f"Example: {example}")(function)
    return built


app = _built()
