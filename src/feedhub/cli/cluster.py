"""Many machines on one store: ``feedhub apply``, ``worker``, ``workers`` and ``edge``."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from feedhub.cli.daemon import LogForm, errors_as_events
from feedhub.cli.main import JsonOption, Session, command
from feedhub.cli.stored import store_address
from feedhub.errors import UsageError

if TYPE_CHECKING:
    from feedhub.model.report import WorkersReport
    from feedhub.runtime.cluster.generations import SharedConfiguration
    from feedhub.store.sql import SqlStore

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        show_default=False,
        help="postgresql+psycopg://…, with ${NAME} for variables; else $FEEDHUB_STORE, else the configuration's.",
    ),
]
_WAIT: Final = 10.0
_MOST_HOSTS: Final = 5


def _address(session: Session, given: str | None) -> tuple[str, str]:
    """Return the address of the store, as it is and as a configuration says it."""
    from feedhub.config.files import escaped

    text = given or os.environ.get("FEEDHUB_STORE")
    if text is None:
        text = escaped(session.settings().store)
    address, secrets = store_address("--store", text)
    session.masked.hide(secrets)
    return address, text


@contextmanager
def _opened(session: Session, address: str) -> "Iterator[SqlStore]":
    from feedhub.store.sql import open_store

    store = open_store(address, busy_timeout=session.waits.writer if session.waits else _WAIT)
    try:
        yield store
    finally:
        store.close()


@command()
def apply(session: Session) -> None:
    """Put the configuration in force for all workers.

    It goes into the store, and they take it up within seconds. A secret in it must be ${NAME}: each machine has its
    own variables."""
    from feedhub.cli.screen import count
    from feedhub.runtime.cluster.generations import apply_generation, read_generation
    from feedhub.runtime.hub import Hub

    settings, document = read_generation(session.options.config, session.options.overrides)
    session.masked.hide(settings.secrets)
    for problem in (*settings.problems, *settings.warnings):
        session.screen.print_err(str(problem))
    with _opened(session, settings.store) as store, Hub(settings, waits=session.waits) as hub:
        hub.store = store
        generation, is_new = apply_generation(hub, store.cluster(), document)
        for _ in hub.refiling():
            pass
    words = "is in force" if is_new else "is in force already"
    session.screen.print(f"generation {generation.number} {words}: {count(len(settings.sources), 'source')}")


LogOption = Annotated[LogForm, typer.Option("--log", help="Form of the log on stderr.")]


@command(has_log=False)
def worker(
    session: Session,
    store: StoreOption = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=1_000, metavar="N", help="Hosts that are asked at the same time.")
    ] = 32,
    log: LogOption = LogForm.TEXT,
) -> None:
    """Poll one store together with other workers.

    A store on PostgreSQL, and on the configuration that `feedhub apply` put into it. Until SIGTERM or Ctrl-C. Any
    number of them, on any machines: when one is gone, the others take over what it did."""
    with _at_work(session, store, log) as (opened, shared):
        try:
            from feedhub.runtime.cluster.worker import Worker
        except ImportError as error:
            raise UsageError("workers need feedhub's extra `cluster` (procrastinate, psycopg)") from error

        Worker(opened, shared, room=concurrency, waits=session.waits, hide=_hiding(session)).run()


@command(has_log=False)
def edge(
    session: Session,
    store: StoreOption = None,
    output: Annotated[
        str, typer.Option("--output", metavar="DIR", help="Folder of its own to publish into; made where missing.")
    ] = "output",
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Port; 0: any.")] = 8080,
    run_after: Annotated[
        bool, typer.Option("--run-after", help="Also run what the configuration names as output.after.")
    ] = False,
    log: LogOption = LogForm.TEXT,
) -> None:
    """Publish from a shared store, and serve that.

    Into a folder of its own, on the configuration that `feedhub apply` put into the store on PostgreSQL. It polls
    nothing. Until SIGTERM or Ctrl-C. Any number of them: each publishes for itself. Whoever may write to the store can
    write its configuration: so no program is run here unless that is asked for."""
    from feedhub.cli.daemon import stop_event
    from feedhub.model.settings import WebSettings
    from feedhub.runtime.after_publish import RunAfterPublish
    from feedhub.runtime.cluster.edge import Edge, OneOfMany
    from feedhub.runtime.notifications import NotifyAfterPublish
    from feedhub.runtime.websub import PingAfterPublish
    from feedhub.web.server import WebObserver

    here = [f"output.dir={json.dumps(str(Path(output).resolve()))}"]
    with _at_work(session, store, log, here) as (opened, shared), stop_event() as stopped:
        ping, notify = PingAfterPublish(lambda settings: settings.output.hub), NotifyAfterPublish(session.masked)
        tell = OneOfMany(opened, (ping, notify, *((RunAfterPublish(session.masked),) if run_after else ())))
        Edge(
            opened,
            shared,
            web=WebSettings(enabled=True, host=host, port=port),
            observers=(WebObserver(), tell),
            waits=session.waits,
            hide=_hiding(session),
        ).run(stopped)


@contextmanager
def _at_work(
    session: Session, store: str | None, log: LogForm, here: Sequence[str] = ()
) -> "Iterator[tuple[SqlStore, SharedConfiguration]]":
    """Log events, open the store, and say how its configuration is read here, with these overrides."""
    from contextlib import nullcontext

    from feedhub.runtime.cluster.generations import SharedConfiguration
    from feedhub.runtime.logs import logging_events
    from feedhub.runtime.memory import keep_heaps_small

    keep_heaps_small()
    as_json = log is LogForm.JSON
    with (
        logging_events(sys.stderr, masked=session.masked, verbose=session.options.verbose, as_json=as_json),
        errors_as_events() if as_json else nullcontext(),
    ):
        address, text = _address(session, store)
        with _opened(session, address) as opened:
            yield opened, SharedConfiguration(text, (*here, *session.options.overrides))


def _hiding(session: Session) -> Callable[[Iterable[str]], None]:
    """Return what hides secrets from the log, those of earlier configurations too."""
    hidden = set[str]()

    def hide(secrets: Iterable[str]) -> None:
        hidden.update(secrets)
        session.masked.hide(hidden)

    return hide


@command()
def workers(session: Session, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the workers on a store, and what waits.

    Exit 1 if there is none that polls."""
    address, _ = _address(session, store)
    with _opened(session, address) as opened:
        report = opened.workers()
    if report is None:
        raise UsageError("no worker was ever started on this store")
    if as_json:
        workers = [{**asdict(one), "since": one.since.isoformat()} for one in report.workers]
        session.screen.json({**asdict(report), "workers": workers})
    else:
        _print(session, report)
    if not any(not one.fault for one in report.workers):
        raise typer.Exit(1)


def _print(session: Session, report: "WorkersReport") -> None:
    from feedhub.cli.screen import Row, count
    from feedhub.rules.health import duration_text

    rows = [
        Row(
            cells=(
                one.name,
                str(one.process),
                f"{len(one.hosts)}/{one.room}",
                str(one.generation or ""),
                f"{one.heard_ago:.0f} s ago",
            ),
            note=one.fault or " ".join(one.hosts[:_MOST_HOSTS]),
        )
        for one in report.workers
    ]
    screen = session.screen
    if rows:
        screen.table(("machine", "process", "hosts", "generation", "heard of"), rows, numbers=frozenset({1, 2, 3}))
    late = f", the first since {duration_text(report.lag)}" if report.due else ""
    screen.print(f"{count(len(rows), 'worker')}; {report.due} sources due{late}; {report.jobs} hosts wait for a worker")
    if report.closed_hosts:
        screen.print(f"asked to be left alone: {' '.join(report.closed_hosts[:_MOST_HOSTS])}")
