"""What it costs to hand out polls to workers: CPU of a worker and of the database, beside the polls themselves.

Usage: ``benchmarks/workers.py [SOURCES] [HOSTS]``, by default 100,000 due sources on 5,000 hosts. The server of the
tests is used. Nothing is fetched: a job takes its host, asks what is due there, and gives it back; that the sources are
not due any more is written by one statement a host. What that costs without an engine, asking what is due included,
which a daemon does too, is measured before and taken off.
"""

import asyncio
import os
import resource
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from feedhub.model.source import PlannedPoll
from feedhub.runtime.cluster.engine import Engine, make_engine_tables
from feedhub.runtime.cluster.hosts import Lease
from feedhub.runtime.hub import Waits
from feedhub.store.sql import open_store
from support.postgres import address_of, connected, new_database, server

_DONE = "UPDATE sources SET next_poll_at = next_poll_at + 86400000000 WHERE host = %s AND scheduled = 1"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of_server() -> float:
    """CPU seconds of all processes of the server, those that have ended included."""
    main = int((Path(server()) / "data" / "postmaster.pid").read_text().split()[0])
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(entry.name) == main:
                    total += sum(map(int, fields[11:15]))
                elif int(fields[1]) == main:
                    total += sum(map(int, fields[11:13]))
    return total / _TICKS


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def told(name: str, own: float, of_server: float, polls: int, wall: float) -> None:
    print(
        f"{name}: worker {1000 * own / polls:.3f} ms + database {1000 * of_server / polls:.3f} ms"
        f" = {1000 * (own + of_server) / polls:.3f} ms CPU a poll, {polls / wall:.0f} polls/s",
        flush=True,
    )


async def drained(engine: Engine, is_over: asyncio.Event) -> None:
    async with engine:
        tasks = [asyncio.create_task(engine.control()), asyncio.create_task(engine.polls())]
        await is_over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def main() -> None:
    count, hosts = (int(text) for text in (sys.argv[1:] or ("100000", "5000")))
    database = new_database("bench")
    store = open_store(address_of(database))
    tables = store.cluster()
    tables.make()
    make_engine_tables(tables)
    now = tables.now()

    def plan() -> None:
        due = now - timedelta(hours=1)
        step = timedelta(milliseconds=1)
        store.plan_polls(
            [PlannedPoll(name=f"s{n}", host=f"h{n % hosts}.example", at=due + n * step) for n in range(count)]
        )
        store.maintain()

    plan()
    connection = connected(database)
    own, of_server, began = own_cpu(), cpu_of_server(), time.monotonic()
    for number in range(hosts):
        store.due_on_host(f"h{number}.example", now, limit=500)
        connection.execute(_DONE, [f"h{number}.example"])
    base = own_cpu() - own, cpu_of_server() - of_server
    told("without an engine", *base, count, time.monotonic() - began)
    plan()

    jobs, over = set[str](), asyncio.Event()
    loop = asyncio.new_event_loop()

    def poll(host: str, job: int) -> None:
        if tables.take(host, job) is None:
            return
        store.due_on_host(host, now, limit=500)
        tables._ask(_DONE.replace("%s", "%(host)s"), host=host)
        tables.give_back(host, job)
        jobs.add(host)
        if len(jobs) == hosts:
            loop.call_soon_threadsafe(over.set)

    engine = Engine(tables, lease=Lease(10.0), waits=Waits(), room=32, poll=poll, on_tick=lambda: None)
    own, of_server, began = own_cpu(), cpu_of_server(), time.monotonic()
    loop.run_until_complete(drained(engine, over))
    wall = time.monotonic() - began
    used = own_cpu() - own - base[0], cpu_of_server() - of_server - base[1]
    told(f"handing out {count} polls of {hosts} hosts", *used, count, wall)
    print(f"{1000 * sum(used) / hosts:.2f} ms CPU a job of {count / hosts:g} polls")
    store.close()


if __name__ == "__main__":
    main()
