"""What every command shares: the options that may stand before or after its name, the settings, the exit codes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from feedhub.errors import ConfigError, FeedhubError, StoreError, UsageError
from feedhub.runtime.logs import Masker, logging_to

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
    if isinstance(error, StoreError):
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
JsonOption = Annotated[
    bool, typer.Option("--json", show_default=False, help="Print one JSON document instead of a table.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that all commands share, as far as they were given."""

    config: str | None = None
    overrides: tuple[str, ...] = ()
    verbose: bool = False


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of one command."""

    waits: "Waits | None" = None
    options: Options = field(default_factory=Options)
    masked: Masker = field(default_factory=Masker)
    _screen: "Screen | None" = None

    def add_options(
        self, config: ConfigOption = None, overrides: SetOption = None, verbose: VerboseOption = False
    ) -> None:
        """Add options to those given before; a later ``--config`` wins. Its parameters are those of every command."""
        self.options = replace(
            self.options,
            config=config or self.options.config,
            overrides=(*self.options.overrides, *(overrides or ())),
            verbose=verbose or self.options.verbose,
        )

    @property
    def screen(self) -> "Screen":
        """Where to print."""
        if self._screen is None:
            from feedhub.cli.screen import Screen

            self._screen = Screen(self.masked)
        return self._screen

    def settings(self) -> "Settings":
        """Read the configuration; from now on its secrets are masked.

        Raises:
            ConfigError: it cannot be used.
        """
        from feedhub.runtime.plugins import load_settings

        settings = load_settings(self.options.config, self.options.overrides)
        self.masked.hide(settings.secrets)
        return settings

    def hub(self) -> "Hub":
        """Build feedhub on the configuration.

        Raises:
            ConfigError: it cannot be used.
        """
        from feedhub.runtime.hub import Hub

        return Hub(self.settings(), waits=self.waits)


Command = Callable[..., None]
_SHARED: Final = tuple(signature(Session.add_options).parameters.values())[1:]


def command(*, has_config: bool = True, has_log: bool = True) -> Callable[[Command], Command]:
    """Make a command of a function that takes a ``Session`` first, then options and arguments of its own.

    The command takes the shared options after those; without ``has_config`` only ``--verbose``. It logs to stderr until
    it ends, unless it does so in a way of its own (``has_log``).
    """

    def decorated(function: Command) -> Command:
        def run(
            ctx: typer.Context,
            config: str | None = None,
            overrides: list[str] | None = None,
            verbose: bool = False,
            **own: Any,
        ) -> None:
            session: Session = ctx.ensure_object(Session)
            session.add_options(config, overrides, verbose)
            if has_log:
                ctx.with_resource(logging_to(sys.stderr, verbose=session.options.verbose, masked=session.masked))
            function(session, **own)

        own = tuple(signature(function).parameters.values())[1:]
        shared = tuple(option for option in _SHARED if has_config or option.name == "verbose")
        context = Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        run.__signature__ = Signature((context, *own, *shared))  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (context, *own, *shared)}
        run.__doc__ = function.__doc__
        return run

    return decorated
