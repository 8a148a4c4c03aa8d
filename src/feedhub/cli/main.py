"""One run of a command: the options that all commands share, the settings, and how errors become exit codes."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import Parameter, Signature, signature
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from feedhub.errors import ConfigError, FeedhubError, FolderInUseError, PollError, StoreError, UsageError
from feedhub.runtime.logs import Masker, logging_to, one_line, printable

if TYPE_CHECKING:
    from feedhub.cli.screen import Screen
    from feedhub.model.settings import Settings
    from feedhub.runtime.hub import Hub, Waits

DONE: Final = 0
IN_PART: Final = 1
MISUSED: Final = 2
NO_STORE: Final = 3
INTERRUPTED: Final = 130


def exit_code(error: FeedhubError) -> int:
    """Return the code with which an error ends a command."""
    if isinstance(error, StoreError | FolderInUseError):
        return NO_STORE
    return MISUSED if isinstance(error, UsageError | ConfigError) else IN_PART


ConfigOption = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        show_default=False,
        help="Configuration; else $FEEDHUB_CONFIG, else config/feedhub.yaml.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", show_default=False, help="Override one key for this run (value in YAML); repeat."
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("-v", "--verbose", show_default=False, help="Debug log and tracebacks on stderr.")
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", show_default=False, help="Print nothing when all went well, and all when not: for cron."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", show_default=False, help="Print one JSON document instead of a table.")
]
NoPublishOption = Annotated[bool, typer.Option("--no-publish", help="Store only; outputs stay due.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that all commands share, as far as they were given."""

    config: str | None = None
    overrides: tuple[str, ...] = ()
    verbose: bool = False
    quiet: bool = False


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of one command."""

    waits: "Waits | None" = None
    options: Options = field(default_factory=Options)
    masked: Masker = field(default_factory=Masker)
    _screen: "Screen | None" = None

    def add_options(
        self,
        config: ConfigOption = None,
        overrides: SetOption = None,
        verbose: VerboseOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Add options to those given before; a later ``--config`` wins. Its parameters are those of every command."""
        self.options = replace(
            self.options,
            config=config or self.options.config,
            overrides=(*self.options.overrides, *(overrides or ())),
            verbose=verbose or self.options.verbose,
            quiet=quiet or self.options.quiet,
        )

    @property
    def screen(self) -> "Screen":
        """Where to print."""
        if self._screen is None:
            from feedhub.cli.screen import Screen

            self._screen = Screen(self.masked, is_quiet=self.options.quiet)
        return self._screen

    def settings(self, rules_file: str | None = None, *, makes_store: bool = False) -> "Settings":
        """Read the configuration, or with the rules of another file in place of its own; its secrets are masked then.

        ``makes_store``: for a command that makes one where there is none.

        Raises:
            ConfigError: it cannot be used.
        """
        from feedhub.runtime.plugins import load_settings

        given = self.options
        settings = load_settings(given.config, given.overrides, rules_file=rules_file, makes_folder=makes_store)
        self.masked.hide(settings.secrets)
        return settings

    def hub(self, *, makes_store: bool = False, rules_file: str | None = None) -> "Hub":
        """Build feedhub on the configuration (see ``settings``); ``makes_store`` where there is none yet.

        Raises:
            ConfigError: it cannot be used.
        """
        from feedhub.runtime.hub import Hub

        return Hub(self.settings(rules_file, makes_store=makes_store), waits=self.waits, makes_store=makes_store)


def complete_sources(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of sources that begin so, for shells; none where the configuration cannot be used."""
    return _names(ctx, lambda settings: [one.name for one in settings.sources], incomplete)


def complete_categories(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the slugs of categories that begin so, for shells, and ``all``."""
    return _names(ctx, lambda settings: ["all", *(one.slug for one in settings.categories)], incomplete)


def _names(ctx: typer.Context, names_in: "Callable[[Settings], list[str]]", incomplete: str) -> list[str]:
    session = Session()
    try:
        session.add_options(ctx.params.get("config"))
        return [name for name in names_in(session.settings()) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - whatever it is, it must not be printed into somebody's line
        return []


CommandFunction = Callable[..., None]
_SHARED: Final = tuple(signature(Session.add_options).parameters.values())[1:]


def command(*, has_config: bool = True, has_log: bool = True) -> Callable[[CommandFunction], CommandFunction]:
    """Make a command of a function that takes a ``Session`` first, then options and arguments of its own.

    The command takes the shared options after those; without ``has_config`` only how much is printed. It logs to
    stderr until it ends, unless it does so in a way of its own (``has_log``).
    """

    def decorated(function: CommandFunction) -> CommandFunction:
        def run(
            ctx: typer.Context,
            config: str | None = None,
            overrides: list[str] | None = None,
            verbose: bool = False,
            quiet: bool = False,
            **own: Any,
        ) -> None:
            session: Session = ctx.ensure_object(Session)
            session.add_options(config, overrides, verbose, quiet)
            if has_log:
                ctx.with_resource(logging_to(sys.stderr, verbose=session.options.verbose, masked=session.masked))
            function(session, **own)

        own = tuple(signature(function).parameters.values())[1:]
        shared = tuple(option for option in _SHARED if has_config or option.name in ("verbose", "quiet"))
        context = Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        run.__signature__ = Signature((context, *own, *shared))  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (context, *own, *shared)}
        run.__doc__ = function.__doc__
        return run

    return decorated


_USERINFO: Final = re.compile(r"(?<=//)[^/?#]*@")


@contextmanager
def naming(target: str) -> Iterator[None]:
    """Put ``target`` before the text of a PollError of the block (SPEC §2: an error names the place)."""
    try:
        yield
    except PollError as error:
        raise PollError(f"{_USERINFO.sub('', target)}: {error}", status=error.status) from error


def main(arguments: Sequence[str] | None = None, *, waits: "Waits | None" = None) -> None:
    """Run one command and exit as SPEC §2 says."""
    session = Session(waits=waits)
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal or pipe that knows no Chinese gets escapes, and not an error in the middle of a table.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(session, arguments)
        if code != DONE:
            session.screen.print_held_back()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has ended (`feedhub status | head`). What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = IN_PART
    sys.exit(code)


def _run(session: Session, arguments: Sequence[str] | None) -> int:
    try:
        from feedhub.cli.commands import app

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
