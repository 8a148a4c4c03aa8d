"""``feedhub run``: the daemon."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from feedhub.cli.session import ConfigOption, SetOption, VerboseOption, opened


class LogForm(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


def run(
    ctx: typer.Context,
    log: Annotated[LogForm, typer.Option("--log", help="Form of the log on stderr.")] = LogForm.TEXT,
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

    form = {"verbose": session.options.verbose, "as_json": log is LogForm.JSON}
    with logging_events(sys.stderr, masked=session.masked, **form), session.hub() as hub:
        observers = WebBeside(), PingAfterPublish(lambda settings: settings.output.hub)
        daemon = Daemon(hub, reload=session.settings, observers=observers)
        with signals_as_events(daemon.post):
            daemon.run()
