"""``feedhub run``: the daemon."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from typing import Annotated

import typer

from feedhub.cli.exit_codes import exit_code
from feedhub.cli.session import ConfigOption, SetOption, VerboseOption, opened, started
from feedhub.errors import ConfigError, FeedhubError

_log = logging.getLogger(__name__)


class LogForm(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


def run(
    ctx: typer.Context,
    log: Annotated[LogForm, typer.Option("--log", help="Form of the log on stderr.")] = LogForm.TEXT,
    check_store: Annotated[
        bool,
        typer.Option("--check-store", help="First look through the whole store for damage; exit 3 if there is any."),
    ] = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Poll on schedule and publish what changed, until told to stop.

    SIGTERM or Ctrl-C ends it. A saved configuration is taken up at once if it is valid. One daemon per store.
    With `web.enabled` the web server runs beside it."""
    session = opened(ctx, config, overrides, verbose)
    from feedhub.runtime.daemon import Daemon
    from feedhub.runtime.events import signals_as_events
    from feedhub.runtime.logs import logging_events
    from feedhub.runtime.websub import PingAfterPublish
    from feedhub.web.beside import WebBeside

    as_json = log is LogForm.JSON
    with (
        logging_events(sys.stderr, masked=session.masked, verbose=session.options.verbose, as_json=as_json),
        _errors_as_events() if as_json else nullcontext(),
        session.hub() as hub,
    ):
        observers = WebBeside(), PingAfterPublish(lambda settings: settings.output.hub)
        if check_store:
            hub.store.verify()
        daemon = Daemon(hub, reload=session.settings, observers=observers)
        with signals_as_events(daemon.post):
            daemon.run()


@contextmanager
def _errors_as_events() -> Iterator[None]:
    """Log what makes the command fail, so that all of the log is of one form."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            _log.error("%s", problem)
        raise typer.Exit(exit_code(error)) from error
    except FeedhubError as error:
        _log.error("%s", error)
        raise typer.Exit(exit_code(error)) from error


def health(
    ctx: typer.Context,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Tell whether a daemon runs and polls what is due; exit 1 if not.

    For health checks of containers and for scripts. How the sources are is told by `feedhub status`."""
    session = started(ctx, config, overrides, verbose)
    from feedhub.runtime.pulse import fault

    with session.hub() as hub:
        wrong = fault(hub)
    if wrong:
        session.screen.tell(f"feedhub: {wrong}")
        raise typer.Exit(1)
    session.screen.say("a daemon runs and polls what is due")
