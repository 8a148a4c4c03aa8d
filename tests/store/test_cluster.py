"""What workers tell one another by a store: who has which host, which configuration counts, and who may store."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from feedhub.errors import FencedError, StoreError, UsageError
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.runtime.cluster.engine import make_engine_tables
from feedhub.runtime.cluster.hosts import DatabaseClock, Lease, SharedThrottle
from feedhub.store.cluster import ClusterTables
from feedhub.store.sql import SqlStore, open_store
from support.daemons import until
from support.postgres import address_of, connected, new_database
from support.stores import sqlite_store


@pytest.fixture(scope="module")
def database() -> str:
    return new_database("cluster")


@pytest.fixture
def store(database: str) -> Iterator[SqlStore]:
    store = open_store(address_of(database))
    store.cluster().make()
    make_engine_tables(store.cluster())
    yield store
    with connected(database) as connection:
        connection.execute("TRUNCATE cluster_hosts, cluster_generations, cluster_workers, procrastinate_jobs CASCADE")
    store.close()


@pytest.fixture
def tables(store: SqlStore) -> ClusterTables:
    return store.cluster()


def job_of(database: str, host: str, status: str = "doing") -> int:
    """Have the engine say that a job of this host runs, or waits; return its number."""
    with connected(database) as connection:
        ((number,),) = connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, status)"
            " VALUES ('feedhub-polls', 'x', %s, %s, %s) RETURNING id",
            [host, host, status],
        ).fetchall()
    assert isinstance(number, int)
    return number


def end(database: str, job: int) -> None:
    with connected(database) as connection:
        connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job])


def test_a_store_in_a_file_has_no_workers() -> None:
    with sqlite_store() as store, pytest.raises(UsageError, match="need a store on PostgreSQL"):
        store.cluster()  # type: ignore[attr-defined]


def test_the_tables_may_be_made_again(store: SqlStore, tables: ClusterTables) -> None:
    tables.make()
    make_engine_tables(tables)
    assert tables.is_made
    assert tables.report().workers == ()
    store.verify()


def test_a_later_job_takes_a_host_and_an_earlier_one_never_gets_it_back(database: str, tables: ClusterTables) -> None:
    first, gone = job_of(database, "a.example"), job_of(database, "b.example")
    assert tables.take("a.example", first)
    assert tables.take("a.example", first) is None
    end(database, first)
    second = job_of(database, "a.example")
    assert tables.take("a.example", second)
    tables.give_back("a.example", first)
    assert tables.guest_left("a.example", second) is not None
    assert tables.take("a.example", first) is None
    end(database, gone)
    assert tables.take("b.example", gone) is None


def test_only_the_job_that_has_the_host_stores_and_only_by_the_newest_configuration(
    database: str, store: SqlStore, tables: ClusterTables
) -> None:
    number, job = tables.add_generation("{}", "one"), job_of(database, "a.example")
    tables.take("a.example", job)

    def stores(generation: int) -> bool:
        with store.transaction(("s",)) as transaction:
            is_wanted = transaction.must_hold("a.example", job, generation)
            transaction.save_state(SourceState(name="s", title="stored"))
            return is_wanted

    assert stores(number) is False
    tables.want("a.example")
    assert stores(number) is True
    newer = tables.add_generation("{}", "two")
    with pytest.raises(FencedError):
        stores(number)
    assert stores(newer) is True
    tables.give_back_all([job])
    with pytest.raises(FencedError):
        stores(newer)


def test_whoever_takes_a_host_over_waits_for_what_is_stored_at_this_moment(
    database: str, store: SqlStore, tables: ClusterTables
) -> None:
    number, job = tables.add_generation("{}", "one"), job_of(database, "a.example")
    tables.take("a.example", job)
    taking_over = threading.Thread(target=tables.give_back_all, args=([job],))
    with store.transaction(("s",)) as transaction:
        transaction.must_hold("a.example", job, number)
        taking_over.start()
        with connected(database) as connection:
            until(lambda: connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall())
        transaction.save_state(SourceState(name="s", title="in time"))
    taking_over.join()
    assert [state.title for state in store.states() if state.name == "s"] == ["in time"]


def test_a_transaction_that_nothing_is_heard_of_holds_nobody_up_for_long(store: SqlStore) -> None:
    with store.transaction(("s",)) as transaction:
        limit = transaction._connection.plain.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
    assert limit == "30s"


def test_hosts_with_due_sources_and_no_job_are_handed_out_longest_overdue_first(
    database: str, store: SqlStore, tables: ClusterTables
) -> None:
    now = tables.now()

    def plan(*hosts: str) -> None:
        store.plan_polls(
            [
                PlannedPoll(name=f"{host} {number}", host=host, at=now - timedelta(minutes=place + 1))
                for place, host in enumerate(hosts)
                for number in range(2)
            ]
        )

    plan("late", "later", "waits", "runs", "runs long", "closed")
    store.plan_polls(
        [
            *(PlannedPoll(name=f"{host} 0", host=host, at=now - timedelta(minutes=minutes)) for host, minutes in HOSTS),
            PlannedPoll(name="not yet", host="not yet", at=now + timedelta(minutes=1)),
        ]
    )
    job_of(database, "waits", "todo")
    for host in ("runs", "runs long"):
        tables.take(host, job_of(database, host))
    with connected(database) as connection:
        connection.execute(
            "UPDATE cluster_hosts SET held_since = now() - interval '51 seconds' WHERE host = 'runs long'"
        )
    tables.close_host("closed", now + timedelta(minutes=1))
    assert tables.due_hosts(9, 50.0) == ["later", "runs long", "late"]
    assert tables.due_hosts(1, 50.0) == ["later"]
    assert tables.waiting_jobs(9) == 1
    backlog = tables.report()
    assert (backlog.jobs, backlog.due, backlog.closed_hosts) == (1, 6, ("closed",))
    assert 300 <= backlog.lag < 330
    assert [state.name for state in store.due_on_host("late", now, limit=5)] == ["late 0"]
    store.plan_polls([])


HOSTS = [("late", 1), ("later", 5), ("waits", 2), ("runs", 2), ("runs long", 3), ("closed", 2)]


def throttle(tables: ClusterTables, takeover: float = 60.0) -> tuple[SharedThrottle, Lease]:
    lease = Lease(takeover)
    lease.renew(lease.clock())
    return SharedThrottle(lambda _: (2, 0.0), str, hosts=tables, lease=lease, lease_of_guests=5.0), lease


def test_a_request_to_the_host_of_another_workers_job_waits_until_that_lets_it_go(
    database: str, store: SqlStore, tables: ClusterTables
) -> None:
    one, other = throttle(tables)[0], throttle(tables)[0]
    number, job = tables.add_generation("{}", "one"), job_of(database, "a.example")
    tables.take("a.example", job)
    order: list[str] = []

    def ask() -> None:
        with other.slot("a.example", 20.0):
            order.append("guest")

    with one.serving("a.example"), one.slot("a.example", 1.0):
        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: wanted(store, job, number))
        order.append("job")
    tables.give_back("a.example", job)
    asking.join()
    assert order == ["job", "guest"]
    # A job that begins while a guest asks is told how long that may last.
    with other.slot("a.example", 1.0):
        taken = tables.take("a.example", job_of(database, "a.example x"))
        assert taken
        assert 3 < taken.guest_left <= 5


def wanted(store: SqlStore, job: int, number: int) -> bool:
    with store.transaction(("s",)) as transaction:
        return transaction.must_hold("a.example", job, number)


def test_a_job_gives_its_host_back_only_when_nothing_of_it_is_under_way(tables: ClusterTables) -> None:
    shared = throttle(tables)[0]
    begun, go_on, order = threading.Event(), threading.Event(), list[str]()

    def ask() -> None:
        with shared.slot("a.example", 1.0):
            begun.set()
            go_on.wait(10)
            order.append("asked")

    asking = threading.Thread(target=ask)

    def serve() -> None:
        with shared.serving("a.example"):
            asking.start()
            begun.wait(10)
        order.append("left")

    serving = threading.Thread(target=serve)
    serving.start()
    begun.wait(10)
    go_on.set()
    serving.join()
    asking.join()
    assert order == ["asked", "left"]


def test_nothing_is_asked_without_a_lease_nor_of_a_closed_host(tables: ClusterTables) -> None:
    shared, lease = throttle(tables)
    tables.close_host("closed.example", tables.now() + timedelta(minutes=1))
    with pytest.raises(Exception, match="asked not to be asked for another"), shared.slot("closed.example", 1.0):
        pass
    lease.end()
    with pytest.raises(Exception, match="not heard of for too long"), shared.slot("a.example", 1.0):
        pass


def test_a_lease_ends_before_others_take_over_and_a_machine_that_slept_has_none() -> None:
    now = 100.0
    lease = Lease(10.0, clock=lambda: now)
    assert not lease.is_held
    lease.renew(now)
    now = 107.9
    assert lease.is_held
    now = 108.1
    assert not lease.is_held
    lease.renew(99.0)
    assert not lease.is_held


def test_the_time_is_that_of_the_database_and_goes_on_by_the_clock_of_the_machine(tables: ClusterTables) -> None:
    at, boot = tables.now() - timedelta(days=3), 50.0
    clock = DatabaseClock(lambda: at, clock=lambda: boot)
    assert clock.now() == at
    boot = 53.5
    assert clock.now() == at + timedelta(seconds=3.5)


def test_workers_hold_the_right_to_poll_together_and_no_daemon_beside_them(
    store: SqlStore, tables: ClusterTables
) -> None:
    with tables.beside_workers(0.0) as keep, tables.beside_workers(0.0):
        keep()
        with (
            pytest.raises(StoreError, match="`feedhub worker` with process id"),
            store.task_lock("run", wait=0.0),
        ):
            pass
    with (
        store.task_lock("run", wait=0.0),
        pytest.raises(StoreError, match="`feedhub run` with process id"),
        tables.beside_workers(0.0),
    ):
        pass
