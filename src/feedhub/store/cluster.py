"""What workers on many machines tell one another by their store: configurations, hosts in use, who works. PostgreSQL.

The tables are made when they are first needed: a store with one daemon has none of them. Times are those of the clock
of the database. The engine that hands out jobs has tables of its own beside them (``runtime/cluster/engine.py``), of
which is read here who runs which job.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg

from feedhub.model.report import KnownWorker, WorkersReport

if TYPE_CHECKING:
    from feedhub.store.postgresql import PostgresBackend

_MAKE: Final = """
SELECT pg_advisory_xact_lock(hashtext('feedhub cluster tables'));
CREATE TABLE IF NOT EXISTS cluster_generations (
    number BIGINT PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    document TEXT NOT NULL,
    digest TEXT NOT NULL,
    is_in_force BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE TABLE IF NOT EXISTS cluster_hosts (
    host TEXT COLLATE "C" PRIMARY KEY,
    job BIGINT NOT NULL,
    held_since TIMESTAMPTZ,
    asked_at TIMESTAMPTZ NOT NULL DEFAULT 'epoch',
    guest BIGINT NOT NULL DEFAULT 0,
    guest_until TIMESTAMPTZ NOT NULL DEFAULT 'epoch',
    wanted_at TIMESTAMPTZ NOT NULL DEFAULT 'epoch',
    closed_until TIMESTAMPTZ NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS cluster_workers (
    number BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    process BIGINT NOT NULL,
    since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    room BIGINT NOT NULL,
    polls_as BIGINT,
    generation BIGINT,
    fault TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS cluster_sources_by_host ON sources (host) WHERE scheduled = 1
"""
QUEUE: Final = "feedhub-polls"
"""Where jobs of the engine wait."""
_IS_MADE: Final = "SELECT num_nonnulls(to_regclass('cluster_workers'), to_regclass('procrastinate_jobs')) = 2"

_NEWEST: Final = "SELECT number, digest, is_in_force, at FROM cluster_generations ORDER BY number DESC LIMIT 1"
_ADD: Final = """INSERT INTO cluster_generations (number, document, digest)
    SELECT coalesce(max(number), 0) + 1, %(document)s, %(digest)s FROM cluster_generations RETURNING number"""
_FORGET_OLD: Final = """DELETE FROM cluster_generations
    WHERE number <= (SELECT max(number) FROM cluster_generations) - %(kept)s"""
_GENERATIONS_KEPT: Final = 10

# Sources with a job that waits or runs are due as well; a second job waits only behind one that is soon cut off.
_DUE_HOSTS: Final = """WITH due AS (
        SELECT host, min(next_poll_at) AS since FROM sources
        WHERE scheduled = 1 AND next_poll_at <= extract(epoch FROM clock_timestamp()) * 1000000 GROUP BY host
    )
    SELECT due.host FROM due LEFT JOIN cluster_hosts USING (host)
    WHERE (closed_until IS NULL OR closed_until <= clock_timestamp())
    AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = due.host AND status = 'todo')
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs WHERE lock = due.host AND status = 'doing'
        AND (held_since IS NULL OR held_since > clock_timestamp() - make_interval(secs => %(cut_after)s))
    )
    ORDER BY due.since LIMIT %(most)s"""
_WAITING: Final = """SELECT count(*) FROM (
    SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = %(queue)s LIMIT %(most)s) AS found"""

# The numbers of jobs only grow: one that was thought dead takes nothing from the job that came after it.
_TAKE: Final = """INSERT INTO cluster_hosts AS known (host, job, held_since)
    SELECT %(host)s, id, clock_timestamp() FROM procrastinate_jobs WHERE id = %(job)s AND status = 'doing'
    ON CONFLICT (host) DO UPDATE SET job = excluded.job, held_since = excluded.held_since WHERE known.job < excluded.job
    RETURNING extract(epoch FROM clock_timestamp() - asked_at)::float8,
        extract(epoch FROM guest_until - clock_timestamp())::float8,
        extract(epoch FROM closed_until - clock_timestamp())::float8"""
_GUEST_LEFT: Final = """SELECT extract(epoch FROM guest_until - clock_timestamp())::float8 FROM cluster_hosts
    WHERE host = %(host)s AND job = %(job)s AND held_since IS NOT NULL"""
_GIVE_BACK: Final = """UPDATE cluster_hosts SET held_since = NULL, asked_at = clock_timestamp()
    WHERE host = %(host)s AND job = %(job)s"""
_GIVE_BACK_ALL: Final = """UPDATE cluster_hosts SET held_since = NULL, asked_at = clock_timestamp()
    WHERE held_since IS NOT NULL AND (job = ANY(%(jobs)s::bigint[])
        OR NOT EXISTS (SELECT FROM procrastinate_jobs WHERE id = cluster_hosts.job))"""
_CLOSE: Final = """INSERT INTO cluster_hosts AS known (host, job, closed_until) VALUES (%(host)s, 0, %(until)s)
    ON CONFLICT (host) DO UPDATE SET closed_until = greatest(known.closed_until, excluded.closed_until)"""

_ENTER: Final = """INSERT INTO cluster_hosts AS known (host, job, guest, guest_until)
    VALUES (%(host)s, 0, %(guest)s, clock_timestamp() + make_interval(secs => %(lease)s))
    ON CONFLICT (host) DO UPDATE SET guest = excluded.guest, guest_until = excluded.guest_until
    WHERE known.held_since IS NULL AND known.guest_until <= clock_timestamp()
    AND known.closed_until <= clock_timestamp()
    AND known.asked_at <= clock_timestamp() - make_interval(secs => %(gap)s) RETURNING TRUE"""
_WANT: Final = """UPDATE cluster_hosts SET wanted_at = clock_timestamp() WHERE host = %(host)s
    RETURNING extract(epoch FROM closed_until - clock_timestamp())::float8"""
_LEAVE: Final = """UPDATE cluster_hosts SET guest_until = 'epoch', asked_at = clock_timestamp()
    WHERE host = %(host)s AND guest = %(guest)s"""

_SIGN_ON: Final = """INSERT INTO cluster_workers AS known (number, name, process, room, polls_as, generation, fault)
    VALUES (%(number)s, %(name)s, %(process)s, %(room)s, %(polls_as)s, %(generation)s, %(fault)s)
    ON CONFLICT (number) DO UPDATE SET polls_as = excluded.polls_as, generation = excluded.generation,
        fault = excluded.fault"""
_SIGN_OFF_LOST: Final = """DELETE FROM cluster_workers
    WHERE NOT EXISTS (SELECT FROM procrastinate_workers WHERE id = cluster_workers.number)"""
_WORKERS: Final = """SELECT known.name, known.process, known.since, known.room, known.generation, known.fault,
        extract(epoch FROM clock_timestamp() - last_heartbeat)::float8,
        ARRAY(SELECT lock FROM procrastinate_jobs WHERE worker_id = known.polls_as AND status = 'doing' ORDER BY lock)
    FROM cluster_workers AS known JOIN procrastinate_workers ON procrastinate_workers.id = known.number
    ORDER BY known.name, known.process"""
_QUEUE: Final = """SELECT
    (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = %(queue)s),
    (SELECT count(*) FROM sources WHERE scheduled = 1
        AND next_poll_at <= extract(epoch FROM clock_timestamp()) * 1000000),
    (SELECT coalesce(greatest(extract(epoch FROM clock_timestamp()) - min(next_poll_at) / 1000000.0, 0), 0)::float8
        FROM sources WHERE scheduled = 1),
    ARRAY(SELECT host FROM cluster_hosts WHERE closed_until > clock_timestamp() ORDER BY host LIMIT 100)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One configuration that was applied; it is in force once categories and due times are those of it."""

    number: int
    digest: str
    is_in_force: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenHost:
    """A host that a job has for itself: seconds since it was last asked, and until others let go of it."""

    asked_ago: float
    guest_left: float
    closed_for: float


class ClusterTables:
    """Reads and writes them, each time by one statement outside of the transactions of the store."""

    def __init__(self, backend: "PostgresBackend") -> None:
        self._backend: Final = backend

    def make(self) -> None:
        """Make the tables where they are missing."""
        self._script(_MAKE)

    @property
    def is_made(self) -> bool:
        """Whether these tables and those of the engine are there: a worker was started some time."""
        return bool(self._ask(_IS_MADE)[0][0])

    def make_engine(self, schema: str, migrations: Sequence[tuple[str, str]]) -> None:
        """Make the tables of the engine, or bring them up to date: ``migrations`` are names, in their order, and SQL.

        Which was applied last is noted beside the engine's tables, as a comment.
        """
        newest = migrations[-1][0]
        with self._backend.guard, self._backend.lent(psycopg.Connection) as driver, driver.transaction():
            driver.execute("SELECT pg_advisory_xact_lock(hashtext('feedhub cluster engine'))")
            found = driver.execute(
                "SELECT obj_description(oid, 'pg_class') FROM pg_class"
                " WHERE relname = 'procrastinate_jobs' AND pg_table_is_visible(oid)"
            ).fetchone()
            is_made, applied = found is not None, found[0] if found else None
            missing = [sql for name, sql in migrations if applied and name > applied] if is_made else [schema]
            for sql in missing:
                driver.execute(sql.encode())
            if not is_made:
                # Its jobs are numbered from 1 on again.
                driver.execute("DELETE FROM cluster_hosts")
            if missing or applied is None:
                driver.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{newest}'".encode())

    @contextmanager
    def beside_workers(self, wait: float) -> Iterator[Any]:
        """Hold the right to poll together with other workers, so that no daemon does; see ``Store.task_lock``."""
        with self._backend.task_lock("run", wait, shared_as="worker") as keep:
            yield keep

    def connection_arguments(self) -> dict[str, Any]:
        """Return what libpq is to be told to reach the database."""
        return self._backend.connection_arguments()

    def now(self) -> datetime:
        """Return the time of the database."""
        at: datetime = self._ask("SELECT clock_timestamp()")[0][0]
        return at

    # Configurations.

    def newest_generation(self) -> Generation | None:
        """Return the configuration that was applied last, None before the first."""
        rows = self._ask(_NEWEST)
        if not rows:
            return None
        number, digest, is_in_force, at = rows[0]
        return Generation(number=number, digest=digest, is_in_force=is_in_force, at=at)

    def document(self, number: int) -> str:
        """Return the text of a configuration that was applied."""
        rows = self._ask("SELECT document FROM cluster_generations WHERE number = %(number)s", number=number)
        document: str = rows[0][0] if rows else ""
        return document

    def add_generation(self, document: str, digest: str) -> int:
        """Add a configuration; from now on no worker stores by the one before. Return its number."""
        number: int = self._ask(_ADD, document=document, digest=digest)[0][0]
        self._ask(_FORGET_OLD, kept=_GENERATIONS_KEPT)
        return number

    def put_in_force(self, number: int) -> None:
        """Let workers begin with a configuration."""
        self._ask("UPDATE cluster_generations SET is_in_force = TRUE WHERE number = %(number)s", number=number)

    # Hosts.

    def due_hosts(self, most: int, cut_after: float) -> list[str]:
        """Return hosts that have due sources and no job, longest overdue first.

        One whose job runs for ``cut_after`` seconds already is named too: a second job may wait behind that.
        """
        return [host for (host,) in self._ask(_DUE_HOSTS, most=most, cut_after=cut_after)]

    def waiting_jobs(self, most: int) -> int:
        """Return how many jobs wait, counting no further than ``most``."""
        count: int = self._ask(_WAITING, queue=QUEUE, most=most)[0][0]
        return count

    def count_jobs_anew(self) -> None:
        """Have the planner know how many jobs there are.

        As long as it thinks that there are none, as after they were last counted while there were none, it compares
        all with all: to take one job of 4,000 took 292 ms of CPU, and 0.3 once they were counted.
        """
        self._ask("ANALYZE procrastinate_jobs")

    def take(self, host: str, job: int) -> TakenHost | None:
        """Give a host to a job that runs; None when the job was ended meanwhile, or another one has the host."""
        rows = self._ask(_TAKE, host=host, job=job)
        if not rows:
            return None
        asked_ago, guest_left, closed_for = rows[0]
        return TakenHost(asked_ago=asked_ago, guest_left=guest_left, closed_for=closed_for)

    def guest_left(self, host: str, job: int) -> float | None:
        """Return for how many seconds at most another worker asks the host; None when the job lost it."""
        rows = self._ask(_GUEST_LEFT, host=host, job=job)
        return rows[0][0] if rows else None

    def give_back(self, host: str, job: int) -> None:
        """Let the host go; it was asked until now."""
        self._ask(_GIVE_BACK, host=host, job=job)

    def give_back_all(self, jobs: Sequence[int]) -> None:
        """Take their hosts from these jobs, and from all that are no more: none of them may store from now on.

        Waits for what they store at this moment.
        """
        self._ask(_GIVE_BACK_ALL, jobs=list(jobs))

    def close_host(self, host: str, until: datetime) -> None:
        """Let nobody ask a host before ``until``."""
        self._ask(_CLOSE, host=host, until=until)

    def enter(self, host: str, guest: int, *, lease: float, gap: float) -> bool:
        """Have a host for one request, for ``lease`` seconds at most, unless others have it."""
        return bool(self._ask(_ENTER, host=host, guest=guest, lease=lease, gap=gap))

    def want(self, host: str) -> float:
        """Ask whoever has a host to let it go soon; return for how many seconds it is closed to everybody."""
        rows = self._ask(_WANT, host=host)
        return float(rows[0][0]) if rows else 0.0

    def leave(self, host: str, guest: int) -> None:
        """End what ``enter`` began."""
        self._ask(_LEAVE, host=host, guest=guest)

    # Workers.

    def sign_on(
        self,
        number: int,
        *,
        name: str,
        process: int,
        room: int,
        polls_as: int | None,
        generation: int | None,
        fault: str,
    ) -> None:
        """Tell who a worker is, and how it stands."""
        self._ask(
            _SIGN_ON,
            number=number,
            name=name,
            process=process,
            room=room,
            polls_as=polls_as,
            generation=generation,
            fault=fault,
        )

    def sign_off_lost(self) -> None:
        """Forget the workers that are gone."""
        self._ask(_SIGN_OFF_LOST)

    def report(self) -> WorkersReport:
        """Return the workers that were heard of lately, by name, and what waits."""
        jobs, due, lag, closed = self._ask(_QUEUE, queue=QUEUE)[0]
        return WorkersReport(
            workers=tuple(
                KnownWorker(
                    name=name,
                    process=process,
                    since=since,
                    room=room,
                    generation=generation,
                    fault=fault,
                    heard_ago=heard_ago,
                    hosts=tuple(hosts),
                )
                for name, process, since, room, generation, fault, heard_ago, hosts in self._ask(_WORKERS)
            ),
            jobs=jobs,
            due=due,
            lag=lag,
            closed_hosts=tuple(closed),
        )

    def _ask(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._backend.guard, self._backend.lent(psycopg.Connection) as driver:
            cursor = driver.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def _script(self, statements: str) -> None:
        with self._backend.guard, self._backend.lent(psycopg.Connection) as driver, driver.transaction():
            driver.execute(statements.encode())
