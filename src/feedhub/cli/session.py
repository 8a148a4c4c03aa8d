"""What every command shares: the options that may stand before or after its name, the settings, the exit codes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.errors import ConfigError, FeedhubError, StoreError, UsageError
from feedhub.runtime.logs import Masker, logging_to

if TYPE_CHECKING:
    from feedhub.cli.screen import Screen
    from feedhub.model.settings import Settings
    from feedhub.runtime.hub import Hub

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
    """The global options, as far as they were given."""

    config: str | None = None
    overrides: tuple[str, ...] = ()
    verbose: bool = False

    def and_then(self, config: str | None, overrides: list[str] | None, verbose: bool) -> Options:
        """Add what was given after the command's name; a later ``--config`` wins."""
        return replace(
            self,
            config=config or self.config,
            overrides=(*self.overrides, *(overrides or ())),
            verbose=verbose or self.verbose,
        )


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of one command."""

    options: Options = field(default_factory=Options)
    masked: Masker = field(default_factory=Masker)
    _screen: Screen | None = None

    @property
    def screen(self) -> Screen:
        """Where to print."""
        if self._screen is None:
            from feedhub.cli.screen import Screen

            self._screen = Screen(self.masked)
        return self._screen

    def settings(self) -> Settings:
        """Read the configuration; from now on its secrets are masked.

        Raises:
            ConfigError: it cannot be used.
        """
        from feedhub.config.load import load

        settings = load(self.options.config, self.options.overrides)
        self.masked.hide(settings.secrets)
        return settings

    def hub(self) -> Hub:
        """Build feedhub on the configuration.

        Raises:
            ConfigError: it cannot be used.
        """
        from feedhub.runtime.hub import Hub

        return Hub(self.settings())


def opened(ctx: typer.Context, config: str | None, overrides: list[str] | None, verbose: bool) -> Session:
    """Return the session with the options that stood after the command's name."""
    session: Session = ctx.ensure_object(Session)
    session.options = session.options.and_then(config, overrides, verbose)
    return session


def started(ctx: typer.Context, config: str | None, overrides: list[str] | None, verbose: bool) -> Session:
    """Return the same, and log until the command ends."""
    session = opened(ctx, config, overrides, verbose)
    ctx.with_resource(logging_to(sys.stderr, verbose=session.options.verbose, masked=session.masked))
    return session
