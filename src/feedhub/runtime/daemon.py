"""The daemon: one thread that handles events, starts polls that are due, stores them and publishes what changed."""

import logging
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from types import FrameType
from typing import Final, Protocol

from feedhub.errors import DamagedStoreError, FullStoreError, StoreError
from feedhub.model.report import Outcome, PollReport, PublishReport
from feedhub.model.settings import ConfigFault, Settings
from feedhub.runtime.config_loader import BackgroundLoad, ConfigWatch, Loaded, Unusable, unusable
from feedhub.runtime.hub import Hub
from feedhub.runtime.memory import give_back_memory
from feedhub.runtime.poller import DuePoller, FinishedFetch, PollsUnderWay
from feedhub.runtime.publisher import PublishTimer, seconds_to_digest
from feedhub.runtime.refiling import Refiling
from feedhub.runtime.scheduler import ClockWatch, Scheduler
from feedhub.runtime.systemd import Notifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """It is time to look for sources that are due."""


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration may have changed; ``reason`` says why this is assumed."""

    reason: str


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The publish that was begun has ended."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The daemon shall end; ``reason`` says what asked for it."""

    reason: str


Event = Tick | FinishedFetch | Reload | Loaded | PublishEnded | Stop


class Observer(Protocol):
    """Receives what happens, as the web server and WebSub do. Called in the thread of the daemon; must be quick."""

    def polled(self, report: PollReport) -> None:
        """A poll was stored."""
        ...

    def published(self, report: PublishReport) -> None:
        """Outputs were written, or nothing had changed."""
        ...

    def reloaded(self, hub: Hub) -> None:
        """From now on this hub is used; also called once at the start."""
        ...

    def misconfigured(self, fault: ConfigFault | None) -> None:
        """What was saved as the configuration cannot be used; None: it can be again."""
        ...

    def close(self) -> None:
        """The daemon ends."""
        ...


@contextmanager
def signals_as_events(put: Callable[[Reload | Stop], None]) -> Iterator[None]:
    """Turn SIGTERM, SIGINT and SIGHUP into events for the block. For the main thread only."""

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
    """Log a poll: a failure as a warning, a poll with items at info level, any other at debug level."""
    facts = {"source": report.source, "outcome": report.outcome.value, "seconds": round(report.seconds, 2)}
    if report.outcome is Outcome.FAILED:
        log.warning("poll", extra={**facts, "reason": report.reason})
    elif report.new or report.changed or report.duplicate:
        news = {
            name: getattr(report, name) for name in ("new", "changed", "duplicate", "dropped") if getattr(report, name)
        }
        log.info("poll", extra={**facts, **news})
    else:
        log.debug("poll", extra={**facts, **({"reason": report.reason} if report.reason else {})})


_LONGEST: Final = 60.0


class StoreRetry:
    """Decides when to try again after store errors: after ``first`` seconds, then after twice as long each time.

    What could not be stored stays due, so nothing is lost.
    """

    def __init__(self, first: float = 1.0) -> None:
        self._first = first
        self._wait = 0.0
        self._until = 0.0

    @property
    def may_try(self) -> bool:
        """Whether the store may be tried again."""
        return monotonic() >= self._until

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Swallow a StoreError of the block, log it, and wait longer each time; a block that succeeds ends the wait.

        Raises:
            DamagedStoreError: waiting does not help.
        """
        try:
            yield
        except DamagedStoreError:
            raise
        except StoreError as error:
            self._wait = min(max(2 * self._wait, self._first), _LONGEST)
            self._until = monotonic() + self._wait
            again = f"{self._wait:g}s"
            log.error("the store cannot be used", extra={"reason": str(error), "again_in": again})
        else:
            if self._wait and self.may_try:
                log.warning("the store can be used again")
                self._wait = 0.0


_BETWEEN_STARTS: Final = 0.05


class Daemon:
    """Polls on schedule until it is told to stop.

    ``load`` reads the configuration again, in a thread. ``hub.waits`` has the seconds of all waits.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        load: Callable[[], Settings | Unusable],
        notifier: Notifier | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._waits = hub.waits
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._load = BackgroundLoad(load, self._inbox.put)
        self._notifier = notifier or Notifier()
        self._observers = observers
        self._under_way = PollsUnderWay()
        self._poller = DuePoller(hub, self._inbox.put, self._under_way)
        self._publish_timer = PublishTimer(
            hub.write_due,
            self._published,
            gap=self._waits.publish,
            retry=self._waits.publish_retry,
            until_due=lambda: seconds_to_digest(self._poller.hub.settings, self._poller.hub.now()),
        )
        self._clock = ClockWatch(hub.now, monotonic)
        self._watch = ConfigWatch(lambda: self._inbox.put(Reload("a file was saved")))
        self._retired: list[DuePoller] = []
        self._is_tick_pending = False
        self._is_more_due = False
        self._next_start = 0.0
        self._store_retry = StoreRetry(self._waits.store_retry)
        self._keep_right: Callable[[], None] = lambda: None
        self._right_until = 0.0
        self._refiling = Refiling(self._waits.refiling)
        self._is_index_behind = True
        self._change_due: Loaded | None = None
        self._fault: ConfigFault | None = None
        self._stop_at: float | None = None

    def run(self) -> None:
        """Work until a ``Stop`` is posted; polls under way then are ended within 30 seconds.

        Raises:
            StoreError: the store is held by another daemon, cannot be opened, or is damaged.
        """
        hub = self._poller.hub
        with ExitStack() as held:
            if not self._begins(hub, held):
                log.info("stopped")
                return
            self._watch.follow(hub.settings.files, hub.settings.folders)
            scheduler = Scheduler(
                tick=self._tick,
                run_maintenance=self._run_maintenance,
                timezone=hub.settings.site.timezone,
                seconds=self._waits.tick,
            )
            scheduler.start()
            try:
                self._notifier.ready()
                log.info("started", extra={"sources": len(hub.settings.sources), "store": hub.settings.store})
                while not self._is_over():
                    self._handle(self._next_event())
                    self._do_regular_work(scheduler)
            finally:
                self._watch.close()
                scheduler.close()
                self._end()

    def _begins(self, hub: Hub, held: ExitStack) -> bool:
        """Take the store and apply the configuration; while there is no room for it, wait. False: told to stop."""
        wait = self._waits.store_retry
        while True:
            try:
                self._keep_right = held.enter_context(hub.store.task_lock("run", wait=1.0))
                self._apply(hub)
            except FullStoreError as error:
                held.pop_all().close()
                log.error("the store cannot be used", extra={"reason": str(error), "again_in": f"{wait:g}s"})
                # As one does that runs already: whoever started it need not try again.
                self._notifier.ready()
                if self._is_told_to_stop(wait):
                    return False
                wait = min(2 * wait, _LONGEST)
            else:
                return True

    def _is_told_to_stop(self, seconds: float) -> bool:
        """Wait; what else was asked for meanwhile is done afterwards."""
        until, later = monotonic() + seconds, list[Event]()
        while (left := until - monotonic()) > 0 and not any(isinstance(event, Stop) for event in later):
            self._notifier.alive()
            with suppress(queue.Empty):
                later.append(self._inbox.get(timeout=self._notifier.wait(left)))
        for event in later:
            self._inbox.put(event)
        return any(isinstance(event, Stop) for event in later)

    def post(self, event: Reload | Stop) -> None:
        """Add an event to the queue. Safe to call from any thread and from signal handlers."""
        self._inbox.put(event)

    # One event after the other.

    def _next_event(self) -> "Event | None":
        wait = self._notifier.wait(self._publish_timer.wait(self._waits.tick))
        has_more_to_do = self._refiling.is_under_way or self._is_index_behind
        if has_more_to_do and self._store_retry.may_try and self._stop_at is None:
            wait = 0.0
        if self._stop_at is not None:
            wait = max(0.0, min(wait, self._stop_at - monotonic()))
        try:
            return self._inbox.get(timeout=wait)
        except queue.Empty:
            return None

    def _handle(self, event: "Event | None") -> None:
        match event:
            case FinishedFetch():
                self._finish(event)
            case Tick():
                self._is_tick_pending = False
                self._is_more_due = True
            case Reload():
                self._notifier.reloading()
                self._load.start(event.reason)
            case PublishEnded():
                with self._store_retry.attempt():
                    self._publish_timer.finish()
            case Loaded():
                self._take_up(event)
            case Stop():
                self._begin_to_stop(event.reason)

    def _do_regular_work(self, scheduler: Scheduler) -> None:
        """Do what is to be done after every event, and at least with every tick."""
        self._notifier.alive()
        jump = self._clock.jump()
        if jump:
            self._adjust_to_clock(jump, scheduler)
        if not self._store_retry.may_try:
            return
        if self._change_due:
            self._take_up(self._change_due)
        with self._store_retry.attempt():
            self._be_the_only_one()
            if self._is_more_due and monotonic() >= self._next_start:
                self._start_due()
            if self._inbox.empty():
                self._refile_or_publish()
            if self._inbox.empty() and self._is_index_behind and self._stop_at is None:
                self._is_index_behind = self._poller.hub.store.index_some()

    def _be_the_only_one(self) -> None:
        """Make sure of the right to poll on this store, which a lost connection takes away, before it is used."""
        if monotonic() >= self._right_until:
            self._keep_right()
            self._right_until = monotonic() + self._waits.tick

    def _refile_or_publish(self) -> None:
        """File some stored items, if other rules were taken up; or else publish what is due."""
        if self._stop_at is None and self._refiling.step():
            self._publish_timer.mark()
        if self._refiling.may_publish and self._stop_at is None:
            self._publish_timer.begin(lambda: self._inbox.put(PublishEnded()))

    def _start_due(self) -> None:
        if self._stop_at is not None:
            return
        is_offline = self._poller.hub.ingester.is_offline
        # While our own network is down, one source at a time is polled as a probe; the others wait.
        most = int(not self._under_way.names) if is_offline else self._poller.room
        self._next_start = monotonic() + (self._waits.probe if is_offline and most else _BETWEEN_STARTS)
        self._is_more_due = self._poller.start_due(most)

    def _finish(self, finished: FinishedFetch) -> None:
        finished.threads.end(finished)
        fetched = finished.fetched
        is_too_late = self._stop_at is not None and monotonic() >= self._stop_at
        # While the store cannot be used, results are dropped: their sources are still due.
        if self._poller.is_current(fetched.source) and not is_too_late and self._store_retry.may_try:
            with self._store_retry.attempt():
                self._be_the_only_one()
                report = self._poller.hub.ingester.ingest(fetched)
                log_poll(report)
                self._is_index_behind |= report.new > 0
                if report.outcome is not Outcome.SKIPPED:
                    self._publish_timer.mark()
                for observer in self._observers:
                    observer.polled(report)
        for poller in [poller for poller in self._retired if not poller.threads.count]:
            self._retired.remove(poller)
            poller.threads.close()
            poller.hub.retire()

    def _take_up(self, loaded: Loaded) -> None:
        """Go on with a configuration that was saved, or with the one before it when it cannot be used."""
        self._change_due = None
        before = self._poller.hub.settings
        outcome = loaded.outcome if loaded.outcome == before else self._changed(loaded)
        files, folders = set(before.files), set(before.folders)
        if isinstance(outcome, Unusable):
            self._tell_fault(outcome)
            # A change of any of these may mend it.
            self._watch.follow(files.union(outcome.files), folders.union(outcome.folders), since=loaded.began)
        else:
            self._tell_mended()
            self._watch.follow(outcome.files, outcome.folders, since=loaded.began)
        give_back_memory()
        # Also after a fault, because the sender of a signal waits for this.
        self._notifier.ready()

    def _changed(self, loaded: Loaded) -> Settings | Unusable:
        """Put other settings to work; return them, or why they cannot be used."""
        before, settings = self._poller, loaded.outcome
        if isinstance(settings, Unusable):
            return settings
        self._change_due = loaded  # stays set until it has succeeded: the store may be unusable now
        with self._store_retry.attempt():
            try:
                hub = before.hub.reconfigured(settings)
                self._apply(hub)
            except StoreError:
                raise
            except Exception as error:
                # Nothing that can be saved may end the daemon.
                log.debug("applying the configuration failed unexpectedly", exc_info=True)
                self._change_due = None
                self._apply(before.hub)
                return unusable(settings.files[0], f"{type(error).__name__}: {error}")
            hub.ingester.resume(before.hub.ingester)
            self._poller = DuePoller(hub, self._inbox.put, self._under_way)
            self._publish_timer.publish = hub.write_due
            self._retired.append(before)
            self._is_more_due = True
            self._change_due = None
            if settings.store != before.hub.settings.store:
                log.warning("another store is used only after a restart")
            log.info("reloaded", extra={"why": loaded.reason, "sources": len(settings.sources)})
        return settings

    def _apply(self, hub: Hub) -> None:
        """Bring the store in line with a configuration, and tell who observes."""
        hub.sync_categories()
        hub.plan_polls()
        self._refiling.begin(hub)
        for problem in (*hub.settings.problems, *hub.settings.warnings):
            log.warning("%s", problem)
        self._publish_timer.mark()
        for observer in self._observers:
            observer.reloaded(hub)

    def _tell_fault(self, found: Unusable) -> None:
        since = self._fault.since if self._fault else self._poller.hub.now()
        self._fault = ConfigFault(problems=found.problems, count=found.count, since=since)
        log.error("the configuration is not valid, the old one stays", extra={"problems": found.count})
        for problem in found.problems:
            log.error("%s", problem)
        for observer in self._observers:
            observer.misconfigured(self._fault)

    def _tell_mended(self) -> None:
        if self._fault is None:
            return
        log.warning("the configuration can be used again", extra={"since": f"{self._fault.since:%Y-%m-%dT%H:%M:%SZ}"})
        self._fault = None
        for observer in self._observers:
            observer.misconfigured(None)

    def _published(self, report: PublishReport) -> None:
        self._refiling.published()
        for observer in self._observers:
            observer.published(report)

    def _adjust_to_clock(self, jump: float, scheduler: Scheduler) -> None:
        """Plan anew after the clock was set: waits move back with it, times of day do not; missed runs run once."""
        log.warning("the clock was set, or the machine slept", extra={"by": f"{jump:+.0f}s"})
        with self._store_retry.attempt():
            if jump < 0:
                self._poller.hub.plan_polls(set_by=jump)
        scheduler.reschedule()
        self._is_more_due = True

    # Stopping.

    def _begin_to_stop(self, reason: str) -> None:
        is_again = self._stop_at is not None
        self._stop_at = monotonic() if is_again else monotonic() + self._waits.grace
        if not is_again:
            log.info("stopping", extra={"why": reason, "under_way": len(self._under_way.names)})
            self._notifier.stopping()

    def _is_over(self) -> bool:
        return self._stop_at is not None and (not self._under_way.names or monotonic() >= self._stop_at)

    def _end(self) -> None:
        """Abandon polls under way, which stay due, and publish what was stored."""
        for poller in (self._poller, *self._retired):
            poller.threads.close()
            poller.hub.retire()
        self._publish_last()
        for observer in self._observers:
            observer.close()
        log.info("stopped")

    def _publish_last(self) -> None:
        """Publish within the time that stopping may take; outputs that are left stay due."""

        def publish() -> None:
            try:
                self._publish_timer.run()
            except StoreError as error:
                log.error("not everything was published", extra={"reason": str(error)})

        last = threading.Thread(target=publish, name="last publish", daemon=True)
        last.start()
        last.join(self._waits.last_publish)
        if last.is_alive():
            log.warning("not everything was published in time; the next start goes on with it")

    # Called in threads of the scheduler.

    def _tick(self) -> None:
        if not self._is_tick_pending:
            self._is_tick_pending = True
            self._inbox.put(Tick())

    def _run_maintenance(self) -> None:
        try:
            report = self._poller.hub.prune()
            self._poller.hub.store.maintain()
        except StoreError as error:
            log.error("housekeeping failed", extra={"reason": str(error)})
            return
        log.info("housekeeping", extra={"removed": report.items, "keys": report.keys, "ledger": report.ledger})
        self._publish_timer.mark()
