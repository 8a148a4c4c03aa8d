"""``feedhub serve``: the web server alone."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from feedhub.cli.session import ConfigOption, SetOption, VerboseOption, started


def serve(
    ctx: typer.Context,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", show_default=False, help="Address to listen on; else web.host."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65_535, show_default=False, help="Port; else web.port; 0: any."),
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Serve the outputs, and pages for status and search. Polls nothing.

    SIGTERM or Ctrl-C ends it. Exit 1 if the address cannot be listened on."""
    session = started(ctx, config, overrides, verbose)
    from dataclasses import replace

    from feedhub.web.server import WebServer

    with session.hub() as hub, _told_to_stop() as stopped:
        web = hub.settings.web
        web = replace(web, host=host or web.host, port=web.port if port is None else port)
        # Opened now: a store that cannot be used is told at once, and not to the first visitor.
        _ = hub.store
        server = WebServer(hub, web)
        server.start()
        session.screen.tell(f"feedhub: serving {hub.settings.output.dir} on {server.address}/ (Ctrl-C ends it)")
        try:
            while server.is_running and not stopped.wait(1):
                pass
        finally:
            server.stop()
    if not stopped.is_set():
        session.screen.tell("feedhub: the web server ended unexpectedly (run with -v for details)")
        raise typer.Exit(1)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set, for the block."""
    stopped = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
