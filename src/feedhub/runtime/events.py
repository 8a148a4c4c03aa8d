"""What the daemon is told, whom it tells, and the log line of a poll."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from feedhub.model.report import Outcome, PollReport, PublishReport
from feedhub.runtime.hub import Hub

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """It is time to look for sources that are due."""


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration may have changed; ``reason`` says what makes us think so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants us to end; ``reason`` says who."""

    reason: str


class Observer(Protocol):
    """Is told what happens: the web server, and whoever counts. Called in the daemon's thread; must be quick."""

    def polled(self, report: PollReport) -> None:
        """A poll was stored."""
        ...

    def published(self, report: PublishReport) -> None:
        """Outputs were written, or nothing had changed."""
        ...

    def reloaded(self, hub: Hub) -> None:
        """From now on this hub is at work; also called once at the start."""
        ...

    def close(self) -> None:
        """The daemon ends."""
        ...


@contextmanager
def signals_as_events(put: Callable[[Reload | Stop], None]) -> Iterator[None]:
    """Let SIGTERM, SIGINT and SIGHUP be events for the block. For the main thread only."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        put(Reload(name) if name == "SIGHUP" else Stop(name))

    names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), on_signal) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def log_poll(report: PollReport) -> None:
    """Log a poll: what failed as a warning, what brought something as news, the rest for those who ask."""
    facts = {"source": report.source, "outcome": report.outcome.value, "seconds": round(report.seconds, 2)}
    if report.outcome is Outcome.FAILED:
        log.warning("poll", extra={**facts, "reason": report.reason})
    elif report.new or report.changed or report.duplicate:
        news = {name: getattr(report, name) for name in ("new", "changed", "duplicate") if getattr(report, name)}
        log.info("poll", extra={**facts, **news})
    else:
        log.debug("poll", extra={**facts, **({"reason": report.reason} if report.reason else {})})
