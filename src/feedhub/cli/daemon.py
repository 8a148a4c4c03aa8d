"""``feedhub run``, the daemon; whom it tells of news; and ``feedhub serve``, the web server alone."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.cli.main import Session, command, exit_code
from feedhub.errors import ConfigError, FeedhubError

if TYPE_CHECKING:
    from feedhub.model.settings import Settings
    from feedhub.runtime.config_loader import Unusable
    from feedhub.runtime.daemon import Observer
    from feedhub.runtime.hub import Hub


@command()
def serve(
    session: Session,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", show_default=False, help="Address to listen on; else web.host."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65_535, show_default=False, help="Port; else web.port; 0: any."),
    ] = None,
) -> None:
    """Serve the outputs, and pages for status and search. Polls nothing.

    SIGTERM or Ctrl-C ends it. Exit 1 if the address cannot be listened on."""
    from dataclasses import replace

    from feedhub.web.server import WebServer

    with session.hub() as hub, stop_event() as stopped:
        web = hub.settings.web
        web = replace(web, host=host or web.host, port=web.port if port is None else port)
        # Opened now, so that a store that cannot be used ends the command, and not the first request.
        _ = hub.store
        server = WebServer(lambda: hub, web)
        server.start()
        session.screen.print_err(f"feedhub: serving {hub.settings.output.dir} on {server.words} (Ctrl-C ends it)")
        try:
            while server.is_running and not stopped.wait(1):
                pass
        finally:
            server.stop()
    if not stopped.is_set():
        session.screen.print_err("feedhub: the web server ended unexpectedly (run with -v for details)")
        raise typer.Exit(1)


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set, for the block."""
    stopped = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_log = logging.getLogger(__name__)


class LogForm(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


@command(has_log=False)
def run(
    session: Session,
    log: Annotated[LogForm, typer.Option("--log", help="Form of the log on stderr.")] = LogForm.TEXT,
    check_store: Annotated[
        bool,
        typer.Option("--check-store", help="First look through the whole store for damage; exit 3 if there is any."),
    ] = False,
) -> None:
    """Poll on schedule and publish what changed.

    Until SIGTERM or Ctrl-C. A saved configuration is taken up at once if it is valid. One daemon per store.
    With `web.enabled` the web server runs beside it."""
    from feedhub.runtime.config_loader import ConfigLoader
    from feedhub.runtime.daemon import Daemon, signals_as_events
    from feedhub.runtime.logs import logging_events
    from feedhub.runtime.memory import keep_heaps_small

    keep_heaps_small()
    as_json = log is LogForm.JSON
    with (
        logging_events(sys.stderr, masked=session.masked, verbose=session.options.verbose, as_json=as_json),
        errors_as_events() if as_json else nullcontext(),
        session.hub(makes_store=True) as hub,
    ):
        for warning in _places_of_this_run(session, hub.settings):
            _log.warning("%s", warning)
        if check_store:
            hub.store.verify()
        loader = ConfigLoader(session.options.config, session.options.overrides)
        secrets = set(hub.settings.secrets)

        def load() -> "Settings | Unusable":
            outcome = loader.load()
            # Those of before as well, since it may go on with them.
            secrets.update(getattr(outcome, "secrets", ()))
            session.masked.hide(secrets)
            return outcome

        daemon = Daemon(hub, load=load, observers=_observers(session, hub))
        with signals_as_events(daemon.post), closing(loader):
            daemon.run()


def _observers(session: Session, hub: "Hub") -> "tuple[Observer, ...]":
    from feedhub.runtime.after_publish import RunAfterPublish
    from feedhub.runtime.notifications import NotifyAfterPublish
    from feedhub.runtime.websub import PingAfterPublish
    from feedhub.web.server import WebObserver

    return (
        WebObserver(),
        PingAfterPublish(lambda settings: settings.output.hub, first_wait=hub.waits.hub_retry),
        RunAfterPublish(session.masked),
        NotifyAfterPublish(session.masked),
    )


_PLACES: Final = ("store", "output", "output.dir")


def _places_of_this_run(session: Session, settings: "Settings") -> Iterator[str]:
    """Yield what to say of a store or output folder given by ``--set``, of which commands beside this know nothing."""
    from feedhub.runtime.plugins import load_settings

    given = session.options.overrides
    others = [one for one in given if one.partition("=")[0].strip() not in _PLACES]
    if len(others) == len(given):
        return
    file = settings.files[0]
    try:
        written = load_settings(session.options.config, others)
    except ConfigError:
        return  # Every other command says so itself.
    for key, ours, theirs in (
        ("store", settings.store, written.store),
        ("output.dir", settings.output.dir, written.output.dir),
    ):
        if ours != theirs:
            yield f"only --set names this {key}: other commands go by {file}, which says {theirs}; write {key}: {ours}"


@contextmanager
def errors_as_events() -> Iterator[None]:
    """Log an error that ends the command, so that the whole log has one form."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            _log.error("%s", problem)
        raise typer.Exit(exit_code(error)) from error
    except FeedhubError as error:
        _log.error("%s", error)
        raise typer.Exit(exit_code(error)) from error


@command()
def health(session: Session) -> None:
    """Tell whether a daemon runs and polls what is due.

    Exit 1 if not. For health checks of containers and for scripts. How the sources are is told by `feedhub status`."""
    from feedhub.runtime.status import daemon_fault

    with session.hub() as hub:
        wrong = daemon_fault(hub)
    if wrong:
        session.screen.print_err(f"feedhub: {wrong}")
        raise typer.Exit(1)
    session.screen.print("a daemon runs and polls what is due")


notify: Final = typer.Typer(rich_markup_mode=None, help="Tell people of what is new.", no_args_is_help=True)


@notify.command("test", epilog="Example: feedhub notify test phone")
@command()
def send_test(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False, help="As under notify; default: all.")
    ] = None,
) -> None:
    """Send a message to those whom `notify:` names, and say whether it was taken.

    Exit 1 if one was not."""
    from feedhub.model.report import Delivered
    from feedhub.runtime.notifications import send_test as sent

    has_failed = False
    for name, delivery in sent(session.settings(), tuple(names or ())):
        is_sent = delivery.how is Delivered.SENT
        session.screen.print(f"{name}: sent" if is_sent else f"{name}: {delivery.how.value}: {delivery.reason}")
        has_failed = has_failed or not is_sent
    if has_failed:
        raise typer.Exit(1)
