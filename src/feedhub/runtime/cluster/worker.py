"""``feedhub worker``: one of any number of processes that poll one store, on the configuration that lies in it."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final

from feedhub.errors import StoreError
from feedhub.fetch.fetcher import SharedParts
from feedhub.fetch.local import Reads
from feedhub.model.settings import Settings
from feedhub.rules.pacing import group_key, host_pace
from feedhub.runtime.cluster.engine import Engine, make_engine_tables
from feedhub.runtime.cluster.generations import SharedConfiguration, adopt_left, keep_house
from feedhub.runtime.cluster.hosts import DatabaseClock, Lease, SharedThrottle
from feedhub.runtime.cluster.polling import LONGEST_JOB, HostPolls, InForce
from feedhub.runtime.config_loader import Unusable
from feedhub.runtime.hub import Hub, Waits
from feedhub.runtime.scheduler import next_cron_time
from feedhub.runtime.systemd import Notifier
from feedhub.store.cluster import Generation
from feedhub.store.sql import SqlStore

log = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 60.0
_LOOK: Final = 0.2
_PATIENCE: Final = 5.0
_NIGHTLY: Final = "20 0 * * *"
_FIRST_HOUSEKEEPING: Final = timedelta(minutes=10)
_LEFT_ALONE: Final = timedelta(seconds=30)
_MORE_THAN_A_REQUEST: Final = 5.0


class _Lost(Exception):  # noqa: N818 - an event, not an error
    """The worker was not heard of for too long, or its engine ended."""


class Worker:
    """Polls with others until SIGTERM or SIGINT. What ends its work otherwise only has it begin anew.

    ``hide`` is told secrets that no log may show.
    """

    def __init__(
        self,
        store: SqlStore,
        shared: SharedConfiguration,
        *,
        room: int,
        waits: Waits | None = None,
        notifier: Notifier | None = None,
        hide: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self.store = store
        self.tables = store.cluster()
        self.shared = shared
        self.room = room
        self.waits = waits or Waits()
        self.hide = hide
        self._notifier = notifier or Notifier()

    def run(self) -> None:
        """Work until told to stop."""
        asyncio.run(self._work())

    async def _work(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        wait = self.waits.store_retry
        while not stop.is_set():
            session = _Session(self)
            self._notifier.alive()
            try:
                await session.run(stop, self._notifier)
            except Exception as error:  # others poll meanwhile, and this one comes back
                log.debug("the worker ended", exc_info=True)
                wait = self.waits.store_retry if session.has_polled else min(2 * wait, _LONGEST_WAIT)
                facts = {"reason": str(error) or type(error).__name__, "again_in": f"{wait:g}s"}
                log.error("the worker begins anew", extra=facts)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)
        log.info("stopped")


class _WorkerHub(Hub):
    """feedhub at work on the store that a worker has open, and within limits that all workers share."""

    def __init__(
        self, settings: Settings, clock: DatabaseClock, waits: Waits, store: SqlStore, throttle: SharedThrottle
    ) -> None:
        super().__init__(settings, now=clock.now, waits=waits)
        self.store = store
        self._of_fetcher = SharedParts(throttle, Reads())


class _Session:
    """A worker from its registration until it stops, or loses it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._waits = worker.waits
        self._lease = Lease(worker.waits.takeover)
        self._polls: HostPolls | None = None
        self._polling: asyncio.Task[None] | None = None
        self._seen: int | None = None
        self._fault = ""
        self._told: tuple[object, ...] = ()
        self.has_polled = False

    async def run(self, stop: asyncio.Event, notifier: Notifier) -> None:
        """Work until ``stop``; raises what ended the work otherwise."""
        tables = self._worker.tables
        engine = Engine(
            tables,
            lease=self._lease,
            waits=self._waits,
            room=self._worker.room,
            poll=self._poll,
            on_tick=self._tick,
        )
        with ExitStack() as held:
            keep = held.enter_context(tables.beside_workers(wait=1.0))
            tables.make()
            make_engine_tables(tables)
            async with engine:
                tasks = [
                    asyncio.create_task(engine.control()),
                    asyncio.create_task(self._follow(engine, keep, notifier)),
                    asyncio.create_task(self._watch(engine)),
                ]
                told = asyncio.create_task(stop.wait())
                try:
                    await asyncio.wait([*tasks, told], return_when=asyncio.FIRST_COMPLETED)
                    if stop.is_set():
                        log.info("stopping")
                        notifier.stopping()
                        await self._end_polls()
                finally:
                    self._lease.end()
                    if self._polls:
                        self._polls.abandon()
                    await _cancelled([*tasks, told, *([self._polling] if self._polling else [])])
                for task in tasks:
                    if not task.cancelled() and (error := task.exception()):
                        raise error
                if not stop.is_set():
                    raise _Lost("the engine ended")

    def _poll(self, host: str, job: int) -> None:
        if self._polls is not None:
            self.has_polled = True
            self._polls.run(host, job)

    async def _watch(self, engine: Engine) -> None:
        """Raise once the worker was not heard of for so long that others may take over."""
        while engine.polls_as is None or self._lease.is_held:
            if self._polling is not None and self._polling.done():
                raise _Lost("the engine ended") from self._polling.exception()
            await asyncio.sleep(_LOOK)
        raise _Lost("it was not heard of for too long, so that others take over its hosts")

    async def _follow(self, engine: Engine, keep: Callable[[], None], notifier: Notifier) -> None:
        """Take up the newest configuration, and tell others how this worker stands, again and again."""
        while True:
            await engine.in_thread(keep)
            generation = await engine.in_thread(self._worker.tables.newest_generation)
            if generation is None:
                self._fault = "no configuration was applied yet: `feedhub apply` does that"
            elif generation.is_in_force and generation.number != self._seen:
                await self._take_up(engine, generation)
            if engine.number is not None:
                await engine.in_thread(self._sign_on, engine)
                notifier.ready()
            notifier.alive()
            await asyncio.sleep(self._waits.tick)

    async def _take_up(self, engine: Engine, generation: Generation) -> None:
        settings = await engine.in_thread(self._load, generation)
        self._seen = generation.number
        if isinstance(settings, Unusable):
            self._fault = f"generation {generation.number} cannot be used here: {settings.problems[0]}"
            for problem in settings.problems:
                log.error("%s", problem)
            await self._end_polls()
            return
        self._fault = ""
        self._worker.hide(settings.secrets)
        await engine.in_thread(self._use, generation.number, settings)
        if self._polling is None:
            self._polling = asyncio.create_task(engine.polls())
        log.info("started", extra={"generation": generation.number, "sources": len(settings.sources)})

    def _load(self, generation: Generation) -> Settings | Unusable:
        return self._worker.shared.load(self._worker.tables.document(generation.number))

    def _use(self, number: int, settings: Settings) -> None:
        """Poll on a configuration from now on; what is under way on the one before is dropped."""
        longest = max([settings.poll.timeout, *(source.timeout for source in settings.sources)])
        if self._polls is None:
            clock = DatabaseClock(self._worker.tables.now)
            throttle = SharedThrottle(
                partial(host_pace, settings=settings.poll),
                partial(group_key, settings=settings.poll),
                hosts=self._worker.tables,
                lease=self._lease,
                lease_of_guests=longest + _MORE_THAN_A_REQUEST,
            )
            hub: Hub = _WorkerHub(settings, clock, self._waits, self._worker.store, throttle)
            self._clock, self._throttle = clock, throttle
            self._house_at = clock.now() + _FIRST_HOUSEKEEPING
        else:
            before = self._polls.in_force.hub
            hub = before.reconfigured(settings)
            hub.ingester.resume(before.ingester)
            self._throttle.lease_of_guests = longest + _MORE_THAN_A_REQUEST
            retire = threading.Timer(LONGEST_JOB + longest, before.retire)
            retire.daemon = True
            retire.start()
        # Made now, and not by several threads at once.
        _ = hub.fetcher, hub.parser, hub.ingester
        in_force = InForce(number=number, hub=hub)
        if self._polls is None:
            self._polls = HostPolls(in_force, tables=self._worker.tables, throttle=self._throttle, lease=self._lease)
        else:
            self._polls.in_force = in_force

    def _sign_on(self, engine: Engine) -> None:
        facts = (engine.number, engine.polls_as, self._seen, self._fault)
        if self._polls is not None:
            self._clock.set()
        if facts == self._told or engine.number is None:
            return
        if self._fault:
            log.error("no work is taken", extra={"reason": self._fault})
        self._worker.tables.sign_on(
            engine.number,
            name=socket.gethostname(),
            process=os.getpid(),
            room=self._worker.room,
            polls_as=engine.polls_as,
            generation=self._seen,
            fault=self._fault,
        )
        self._told = facts

    def _tick(self) -> None:
        self._adopt_left()
        if self._polls is None or not self._house_at <= (now := self._clock.now()):
            return
        in_force = self._polls.in_force
        self._house_at = next_cron_time(_NIGHTLY, in_force.hub.settings.site.timezone, now) or now + timedelta(days=1)
        threading.Thread(target=self._keep_house, args=(in_force,), name="housekeeping", daemon=True).start()

    def _keep_house(self, in_force: InForce) -> None:
        try:
            keep_house(in_force.hub, in_force.number, self._worker.tables)
        except StoreError as error:
            log.error("housekeeping failed", extra={"reason": str(error)})

    def _adopt_left(self) -> None:
        """Put in force what was added by somebody who did not get so far."""
        tables = self._worker.tables
        generation = tables.newest_generation()
        if generation and not generation.is_in_force and tables.now() - generation.at > _LEFT_ALONE:
            adopt_left(self._worker.shared, self._worker.store, tables, generation)

    async def _end_polls(self) -> None:
        """End the jobs under way: their polls first may end, and then are abandoned."""
        polling, polls = self._polling, self._polls
        if polling is None or polls is None:
            return
        polls.stop()
        polling.cancel()
        done, _ = await asyncio.wait([polling], timeout=self._waits.grace)
        if not done:
            polls.abandon()
            await asyncio.wait([polling], timeout=2 * self._waits.grace)
        self._polling = self._polls = None


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=_PATIENCE)
