"""``feedhub edge``: publishes from the store of others into a folder of its own, and serves it; it polls nothing."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from feedhub.errors import StoreError, StoreInUseError
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.settings import ConfigFault, Settings, WebSettings
from feedhub.runtime.cluster.generations import SharedConfiguration
from feedhub.runtime.cluster.hosts import DatabaseClock
from feedhub.runtime.config_loader import Unusable
from feedhub.runtime.daemon import Observer, StoreRetry
from feedhub.runtime.hub import Hub, Waits
from feedhub.runtime.publisher import PublishTimer
from feedhub.runtime.systemd import Notifier
from feedhub.store.sql import SqlStore

log = logging.getLogger(__name__)


class Edge:
    """Follows a store until told to stop: its configuration, and what changed in it.

    What is published up to which change is remembered by the folder. ``web`` says where it is served. ``hide`` is told
    secrets that no log may show.
    """

    def __init__(
        self,
        store: SqlStore,
        shared: SharedConfiguration,
        *,
        web: WebSettings,
        observers: Sequence[Observer],
        waits: Waits | None = None,
        notifier: Notifier | None = None,
        hide: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._tables = store.cluster()
        self._shared = shared
        self._web = web
        self._observers = observers
        self._waits = waits or Waits()
        self._notifier = notifier or Notifier()
        self._hide = hide
        self._hub: Hub | None = None
        self._seen: int | None = None
        self._published_up_to = (-1, -1)
        self._is_over = threading.Event()
        self._timer = PublishTimer(self._publish, self._tell, gap=self._waits.publish, retry=self._waits.publish_retry)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; what is being published then is ended."""
        retry = StoreRetry(self._waits.store_retry)
        is_first = True
        while not stop.wait(0.0 if is_first else self._waits.tick):
            is_first = False
            self._notifier.alive()
            if not retry.may_try:
                continue
            with retry.attempt():
                self._follow()
                if self._hub is not None:
                    self._publish_what_changed()
        log.info("stopping")
        self._notifier.stopping()
        try:
            self._timer.finish()
        except StoreError as error:
            log.error("not everything was published", extra={"reason": str(error)})
        for observer in self._observers:
            observer.close()
        log.info("stopped")

    def _follow(self) -> None:
        """Take up the newest configuration."""
        if self._seen is None:
            self._tables.make()
        newest = self._tables.newest_generation()
        if newest is None:
            if self._seen is None:
                log.error("nothing is published: no configuration was applied yet, `feedhub apply` does that")
            self._seen = 0
        elif newest.is_in_force and newest.number != self._seen:
            self._seen = newest.number
            settings = self._shared.load(self._tables.document(newest.number))
            if isinstance(settings, Unusable):
                log.error("nothing is published: generation %s cannot be used here", newest.number)
                for problem in settings.problems:
                    log.error("%s", problem)
                # What was published before is served on.
                self._timer.finish()
                self._hub = None
                return
            self._hide(settings.secrets)
            self._use(settings)
            log.info("started", extra={"generation": newest.number, "output": settings.output.dir})

    def _use(self, settings: Settings) -> None:
        self._timer.finish()
        before, self._clock = self._hub, DatabaseClock(self._tables.now)
        hub = Hub(replace(settings, web=self._web), now=self._clock.now, waits=self._waits)
        hub.store = self._store
        self._hub, self._published_up_to = hub, (-1, -1)
        if before is not None:
            before.templates.close()
        for observer in self._observers:
            observer.reloaded(hub)
        self._notifier.ready()

    def _publish_what_changed(self) -> None:
        self._clock.set()
        if self._is_over.is_set():
            self._is_over.clear()
            self._timer.finish()
        now_at = self._store.change_number(), self._store.health_number()
        if now_at != self._published_up_to and not self._timer.is_under_way:
            self._published_up_to = now_at
            self._timer.mark()
        self._timer.begin(self._is_over.set)

    def _publish(self) -> PublishReport:
        assert self._hub is not None  # noqa: S101 - begun only with one
        return self._hub.write_due()

    def _tell(self, report: PublishReport) -> None:
        for observer in self._observers:
            observer.published(report)


class OneOfMany:
    """Observers that only one of all edges has: those that tell others of what was published. None beside a daemon."""

    def __init__(self, store: SqlStore, observers: Sequence[Observer]) -> None:
        self._store = store
        self._tables = store.cluster()
        self._observers = observers
        self._held = ExitStack()
        self._keep: Callable[[], None] | None = None

    def polled(self, report: PollReport) -> None:
        """Do nothing: edges poll nothing."""

    def published(self, report: PublishReport) -> None:
        """Pass it on, if this is the edge that tells."""
        if self._is_it():
            for observer in self._observers:
                observer.published(report)

    def reloaded(self, hub: Hub) -> None:
        """Pass it on: this may become the edge that tells at any time."""
        for observer in self._observers:
            observer.reloaded(hub)

    def misconfigured(self, fault: ConfigFault | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let another edge tell."""
        for observer in self._observers:
            observer.close()
        self._held.close()

    def _is_it(self) -> bool:
        try:
            if self._keep is None:
                self._keep = self._held.enter_context(self._store.task_lock("announce", wait=0.0))
            self._keep()
            with self._tables.beside_workers(0.0):
                return True
        except StoreInUseError:
            return False
        except StoreError as error:
            log.error("nobody was told of what was published", extra={"reason": str(error)})
            return False
