"""A worker among many: jobs of hosts, handed out by procrastinate over the store's own database (decision 20).

The engine is run as its source says (3.10): a job has its host as ``lock`` and as ``queueing_lock``, so that one runs
and one waits at most. What was queued already is left out of a batch, which fails as a whole otherwise. The job of a
worker that is gone is ended and deleted, and never retried: its sources are still due, so that a new job is made.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from psycopg_pool import AsyncConnectionPool

from feedhub.runtime.cluster.hosts import Lease
from feedhub.runtime.cluster.polling import CUT_SOON
from feedhub.runtime.hub import Waits
from feedhub.store.cluster import QUEUE, ClusterTables

log = logging.getLogger(__name__)

_CONTROL: Final = "feedhub-control"
_POLL: Final = "feedhub:poll"
_ENOUGH_WAIT: Final = 2_000
"""Jobs that wait; while there are more, no due sources are looked for."""
_MOST_AT_ONCE: Final = 4_000
_IN_A_BATCH: Final = 500
_MANY: Final = 50
_LOOK: Final = 1.0
_HEARTBEATS: Final = 0.3
_HEAR: Final = "UPDATE procrastinate_workers SET last_heartbeat = NOW() WHERE id = %(worker_id)s RETURNING id"
# Whoever cannot be reached any more is noticed within the time that others wait before they take over.
_NOTICE_LOSS: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 7_000,
    "application_name": "feedhub worker",
}

_T = TypeVar("_T")


class _Manager(JobManager):
    """Tells of every sign of life that the database has heard; raises NoResult where it has forgotten the worker."""

    def __init__(self, connector: PsycopgConnector, lease: Lease) -> None:
        super().__init__(connector)
        self._lease = lease
        self.worker: int | None = None
        """The number by which the engine knows the worker, once it does."""

    async def register_worker(self) -> int:
        sent_at = self._lease.clock()
        self.worker = await super().register_worker()
        self._lease.renew(sent_at)
        return self.worker

    async def update_heartbeat(self, worker_id: int) -> None:
        sent_at = self._lease.clock()
        await self.connector.execute_query_one_async(query=_HEAR, worker_id=worker_id)
        self._lease.renew(sent_at)


def _pool(**options: Any) -> AsyncConnectionPool[Any]:
    """Return a pool that does not ask before each statement whether the connection is there: the worker begins anew."""
    return AsyncConnectionPool(**{**options, "check": None})


def make_engine_tables(tables: ClusterTables) -> None:
    """Make the tables of the engine where they are missing, or bring them up to date."""
    folder = Path(SchemaManager.get_migrations_path())
    migrations = [(file.name, file.read_text("utf-8")) for file in sorted(folder.glob("*.sql"))]
    tables.make_engine(SchemaManager.get_schema(), migrations)


class Engine:
    """The engine in one process: a worker that polls, and one that hands out jobs and ends those of lost workers.

    Both are workers of the engine's, so that handing out never waits for polls. ``poll`` is called in a thread of
    ``room`` many, with a host and the number of the job; ``on_tick`` before jobs are handed out. ``lease`` is renewed
    as long as the database hears of the worker that polls.
    """

    def __init__(
        self,
        tables: ClusterTables,
        *,
        lease: Lease,
        waits: Waits,
        room: int,
        poll: Callable[[str, int], None],
        on_tick: Callable[[], None],
    ) -> None:
        self._tables = tables
        self._waits = waits
        self._room = room
        self._poll = poll
        self._on_tick = on_tick
        self._threads = ThreadPoolExecutor(room, thread_name_prefix="host")
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="control")
        arguments = {**tables.connection_arguments(), **_NOTICE_LOSS}
        self._connector = PsycopgConnector(
            pool_factory=_pool, kwargs={**arguments, "autocommit": True}, min_size=1, max_size=6, timeout=10.0
        )
        self._polls, self._control = App(connector=self._connector), App(connector=self._connector)
        self._of_polls = self._polls.job_manager = _Manager(self._connector, lease)
        self._of_control = self._control.job_manager = _Manager(self._connector, Lease(waits.takeover))
        self._polls.task(name=_POLL, queue=QUEUE, pass_context=True)(self._run_job)
        tick = self._control.task(name="feedhub:hand-out", queue=_CONTROL, queueing_lock="feedhub:hand-out")(self._tick)
        self._control.periodic(cron=f"* * * * * */{max(1, int(waits.takeover / 2))}")(tick)
        # It tells of every job at length; what goes wrong is raised, or told here.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)

    async def __aenter__(self) -> "Engine":
        await self._polls.open_async()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._polls.close_async()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._beside.shutdown(wait=False, cancel_futures=True)

    @property
    def number(self) -> int | None:
        """The number of this worker among all, once it is known to the others."""
        return self._of_control.worker

    @property
    def polls_as(self) -> int | None:
        """The number of what polls here, while it does."""
        return self._of_polls.worker

    async def control(self) -> None:
        """Hand out jobs until this is cancelled; ends by itself only where the engine broke."""
        await self._run(self._control, _CONTROL, room=1, grace=0.0)

    async def polls(self) -> None:
        """Do jobs until this is cancelled, and then end those under way; ends by itself only where the engine broke."""
        try:
            # A job that is told to end does so within the grace, and a little after it was abandoned.
            await self._run(self._polls, QUEUE, room=self._room, grace=2 * self._waits.grace)
        finally:
            self._of_polls.worker = None

    async def _run(self, app: App, queue: str, *, room: int, grace: float) -> None:
        await app.run_worker_async(
            queues=[queue],
            concurrency=room,
            install_signal_handlers=False,
            listen_notify=False,
            fetch_job_polling_interval=min(_LOOK, _HEARTBEATS * self._waits.takeover),
            update_heartbeat_interval=_HEARTBEATS * self._waits.takeover,
            stalled_worker_timeout=self._waits.takeover,
            delete_jobs="always",
            shutdown_graceful_timeout=grace,
        )

    async def in_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call what asks the store, outside of the threads that poll."""
        return await self._call(self._beside, function, *arguments)

    async def _call(self, threads: Executor, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)

    async def _run_job(self, context: JobContext, host: str) -> None:
        if context.job.id is not None:
            await self._call(self._threads, self._poll, host, context.job.id)

    async def _tick(self, timestamp: int) -> None:
        """End the jobs of lost workers, then hand out jobs for what is due."""
        del timestamp
        try:
            await self._end_lost()
            await self.in_thread(self._on_tick)
            if await self.in_thread(self._tables.waiting_jobs, _ENOUGH_WAIT) < _ENOUGH_WAIT:
                hosts = await self.in_thread(self._tables.due_hosts, _MOST_AT_ONCE, CUT_SOON)
                await self.hand_out(hosts)
                if len(hosts) > _MANY:
                    await self.in_thread(self._tables.count_jobs_anew)
        except Exception as error:  # the next one may do better
            log.debug("handing out failed", exc_info=True)
            log.error("no polls were handed out", extra={"reason": str(error) or type(error).__name__})

    async def _end_lost(self) -> None:
        lost = await self._of_control.get_stalled_jobs(seconds_since_heartbeat=self._waits.takeover)
        jobs = {job.id: job.lock for job in lost if job.id is not None}
        await self.in_thread(self._tables.give_back_all, list(jobs))
        for number in jobs:
            # Another worker may have ended it just now.
            with suppress(ConnectorException):
                await self._of_control.finish_job_by_id_async(number, Status.FAILED, delete_job=True)
        await self.in_thread(self._tables.sign_off_lost)
        if hosts := sorted(host for host in jobs.values() if host):
            log.warning("hosts of a lost worker are taken over", extra={"hosts": len(hosts), "first": hosts[0]})

    async def hand_out(self, hosts: list[str]) -> None:
        """Queue a job for each host. Where another worker does so at the same time, the next tick tries again."""
        for begin in range(0, len(hosts), _IN_A_BATCH):
            jobs = [
                Job(queue=QUEUE, lock=host, queueing_lock=host, task_name=_POLL, task_kwargs={"host": host})
                for host in hosts[begin : begin + _IN_A_BATCH]
            ]
            with suppress(AlreadyEnqueued):
                await self._of_polls.batch_defer_jobs_async(jobs)
