"""Runs the program of ``output.after`` when files were published, and notes what it was not told of yet.

Whatever it does, it costs no poll and no output: it has a group of processes of its own, which is ended whole.
"""

import json
import logging
import os
import selectors
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic, sleep
from typing import Final

from feedhub.errors import StoreInUseError
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.settings import AfterPublish, ConfigFault, Settings
from feedhub.pipeline.maintenance import note_outcome
from feedhub.ports.store import Store, Transaction
from feedhub.runtime.hub import Hub
from feedhub.runtime.logs import one_line

log = logging.getLogger(__name__)

OUTPUT_AFTER: Final = "output.after"
_SECONDS: Final = 60.0
_MOST_OUTPUT: Final = 65_536
_SHOWN_OUTPUT: Final = 300
_PASSED_ON: Final = ("PATH", "HOME", "LANG")
_WAIT_FOR_OTHERS: Final = 70.0
_UNDER_WAY: Final = "run under way"
_STOPPED: Final = "was stopped with the daemon"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun:
    """How a run ended: ``fault`` is "" for one that ended well. ``output`` is the end of what it printed."""

    fault: str
    output: str


def passed_on(report: PublishReport, store: Store, settings: Settings, now: datetime) -> PublishReport:
    """Run the program, if files changed or it failed before, and tell people of what is new.

    Their failures are failures of the publish.

    Raises:
        StoreError: the store cannot be used.
    """
    failed = list(report.failed)
    if settings.after is not None:
        pending = _Pending(settings.output.dir)
        pending.add(store, (*report.written, *report.removed))
        fault = _run_pending(store, settings.after, pending, now, lambda: False)
        failed += [(OUTPUT_AFTER, fault)] if fault else []
    if settings.notify:
        from feedhub.runtime.notifications import notify_of_new

        failed += notify_of_new(store, settings, now).faults
    return replace(report, failed=tuple(failed))


@dataclass(frozen=True, slots=True)
class _Pending:
    """The paths in an output folder of which no run told yet, or none that ended well: each in a list in JSON.

    They are noted in the store: in the folder the program might push them on, as what it was not told of yet.
    """

    folder: str

    def add(self, store: Store, paths: Iterable[str]) -> None:
        """Add what a publish changed."""
        changed = set(paths)
        if changed:
            with store.transaction() as transaction:
                self.put(transaction, changed | self.get(transaction))

    def get(self, transaction: Transaction, of: str = "pending") -> set[str]:
        """Return what is noted: what is pending, or what a run that did not end was for."""
        return set(json.loads(transaction.note(self._name(of)) or "[]"))

    def put(self, transaction: Transaction, paths: Iterable[str], of: str = "pending") -> None:
        """Note that instead."""
        transaction.set_note(self._name(of), json.dumps(sorted(paths), ensure_ascii=False))

    def _name(self, of: str) -> str:
        return f"{OUTPUT_AFTER}: {of} in {self.folder}"


def _run_pending(
    store: Store, after: AfterPublish, pending: _Pending, now: datetime, is_stopped: Callable[[], bool]
) -> str:
    """Run the program for all paths that are pending; return why it failed, "" if it did not or nothing is pending."""
    try:
        with store.task_lock("after", wait=_WAIT_FOR_OTHERS):
            with store.transaction() as transaction:
                # What a publish adds meanwhile is pending then; a run that is cut off leaves a mark of what it was for.
                told = pending.get(transaction) | pending.get(transaction, _UNDER_WAY)
                if not told:
                    return ""
                pending.put(transaction, told, _UNDER_WAY)
                pending.put(transaction, ())
            ended = run_hook(after, pending.folder, told, is_stopped=is_stopped)
            with store.transaction() as transaction:
                pending.put(transaction, (), _UNDER_WAY)
                if ended.fault:
                    pending.put(transaction, told | pending.get(transaction))
                if ended.fault != _STOPPED:
                    failed = f"the program that is run after publishing {ended.fault}"
                    text = failed if ended.fault else "it ends well again"
                    note_outcome(transaction, OUTPUT_AFTER, ended.fault, text, now)
    except StoreInUseError as error:
        return f"another run did not end: {error}"
    said = f": {ended.output}" if ended.output else ""
    return f"{ended.fault}{said}" if ended.fault else ""


def run_hook(
    after: AfterPublish,
    folder: str,
    changed: Iterable[str],
    *,
    seconds: float = _SECONDS,
    is_stopped: Callable[[], bool] = lambda: False,
) -> HookRun:
    """Run the program in ``folder`` for at most ``seconds``, and end all that it started in its group."""
    with tempfile.NamedTemporaryFile(prefix="feedhub-changed-") as list_of_changes:
        list_of_changes.write(b"".join(os.fsencode(path) + b"\0" for path in sorted(changed)))
        list_of_changes.flush()
        names = (*_PASSED_ON, *after.env)
        environ = {name: os.environ[name] for name in names if name in os.environ}
        environ["FEEDHUB_CHANGED"] = list_of_changes.name
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, and what is run is what the configuration says
                after.run,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return HookRun(fault=f"cannot be started: {getattr(error, 'strerror', None) or error}", output="")
        try:
            return _followed(process, monotonic() + seconds, is_stopped)
        finally:
            _end_group(process)


def _followed(process: "subprocess.Popen[bytes]", until: float, is_stopped: Callable[[], bool]) -> HookRun:
    """Read what a program prints until it ends or its time is over."""
    assert process.stdout is not None  # noqa: S101 - tells the type checker
    printed = bytearray()
    fault = ""
    with process.stdout as stdout, selectors.DefaultSelector() as selector:
        os.set_blocking(stdout.fileno(), False)
        selector.register(stdout, selectors.EVENT_READ)
        while process.poll() is None:
            if monotonic() >= until or is_stopped():
                fault = _STOPPED if is_stopped() else "took too long and was ended"
                break
            if selector.get_map() and selector.select(0.1):
                part = os.read(stdout.fileno(), _MOST_OUTPUT)
                if not part:
                    selector.unregister(stdout)
                printed += part[: _MOST_OUTPUT - len(printed)]
                # Who prints without end is read slowly, so that it costs little.
                sleep(0.02 if len(printed) == _MOST_OUTPUT else 0.0)
            elif not selector.get_map():
                sleep(0.05)
        with suppress(OSError):
            while len(printed) < _MOST_OUTPUT and (part := os.read(stdout.fileno(), _MOST_OUTPUT - len(printed))):
                printed += part
    if not fault and process.returncode:
        code = process.returncode
        fault = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
    text = one_line(printed.decode("utf-8", "replace").strip())
    return HookRun(fault=fault, output=text if len(text) <= _SHOWN_OUTPUT else f"…{text[-_SHOWN_OUTPUT:]}")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    # Also after it ended by itself: what it left in the background would go on for ever.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class RunAfterPublish:
    """See ``feedhub.runtime.daemon.Observer``. One run at a time, in a thread; what is published meanwhile is next."""

    def __init__(self, masked: Callable[[str], str]) -> None:
        self._masked = masked
        self._hub: Hub | None = None
        self._changed = threading.Condition()
        self._is_due = False
        self._paths: set[str] = set()
        self._give_up_at: float | None = None
        self._thread: threading.Thread | None = None

    def polled(self, report: PollReport) -> None:
        """Do nothing: what was stored is not published yet."""

    def published(self, report: PublishReport) -> None:
        """Run the program soon, for what was written and removed."""
        if self._hub is None or self._hub.settings.after is None:
            return
        with self._changed:
            self._paths.update((*report.written, *report.removed))
            self._is_due = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="after-publish", daemon=True)
                self._thread.start()
            self._changed.notify()

    def reloaded(self, hub: Hub) -> None:
        """Run what this configuration names, from now on."""
        self._hub = hub

    def misconfigured(self, fault: ConfigFault | None) -> None:
        """Do nothing: the configuration before goes on."""

    def close(self, timeout: float = 5.0) -> None:
        """Let a run under way end for a short time; what it was for is told of again after the next start."""
        with self._changed:
            self._give_up_at = monotonic() + timeout * 0.8
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        while (hub := self._next()) is not None:
            after, pending = hub.settings.after, _Pending(hub.settings.output.dir)
            if after is None:
                continue
            try:
                self._note_paths(hub.store, pending)
                fault = _run_pending(hub.store, after, pending, hub.now(), self._is_over)
            except Exception as error:  # whatever it is, it must not end the thread
                log.debug("running output.after failed unexpectedly", exc_info=True)
                fault = f"{type(error).__name__}: {error}"
            if fault:
                reason = self._masked(fault)
                log.error("output.after failed; it is run again with the next publish", extra={"reason": reason})
            else:
                log.debug("output.after ended well")

    def _note_paths(self, store: Store, pending: _Pending) -> None:
        """Note what was published; while the store cannot be used, it is kept for the next time."""
        with self._changed:
            paths = frozenset(self._paths)
        pending.add(store, paths)
        with self._changed:
            self._paths -= paths

    def _is_over(self) -> bool:
        return self._give_up_at is not None and monotonic() >= self._give_up_at

    def _next(self) -> Hub | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_due or self._give_up_at is not None)
            if not self._is_due:
                return None
            self._is_due = False
            return self._hub
