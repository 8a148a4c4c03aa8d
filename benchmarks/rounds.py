"""What further polls cost in a process that runs already, as the daemon does: ``python benchmarks/rounds.py [FEEDS]``.

The feeds of ``poll.py``, polled and published several times in one process, so that no round starts anything: only
the first starts the worker processes. Prints the CPU milliseconds per feed of all processes, the best of some rounds.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feeds import ENTRIES, feed_bytes, serving
from idle import cpu_seconds
from poll import CATEGORIES, write_config

ROUNDS = 5


def main() -> None:
    """Poll all feeds again and again, and say what each kind of round cost."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print(f"{count} feeds of {len(feed_bytes(0)) / 1000:.0f} KB with {ENTRIES} entries, {CATEGORIES} categories")
    print(f"{'in a process that runs already':<38}{'CPU ms/feed':>12}", flush=True)
    with serving(count) as site, tempfile.TemporaryDirectory() as folder:
        with running(write_config(Path(folder) / "etag", site, "", count)[-1]) as poll:
            told("cold, and starting workers", poll() / count)
            told("304", min(poll() for _ in range(ROUNDS)) / count)
            changed, dated = [], []
            for number in range(2 * ROUNDS):  # back and forth: each brings another wording of three entries
                site.become(changed=3 * (number % 2 == 0), every=10)
                changed.append(poll())
            told("10 % changed", min(changed) / count)
            for number in range(ROUNDS):
                site.become(built=number + 1)
                dated.append(poll())
            told("only a build date changed", min(dated) / count)
        with running(write_config(Path(folder) / "plain", site, "/plain", count)[-1]) as poll:
            told("cold, no validators", poll() / count)
            told("same body", min(poll() for _ in range(ROUNDS)) / count)


def told(title: str, cpu: float) -> None:
    print(f"{title:<38}{cpu * 1000:>12.2f}", flush=True)


@contextmanager
def running(config: str) -> Iterator[Callable[[], float]]:
    """Run a process with this configuration for the block; the call that is given polls, and returns CPU seconds."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=poll_on_demand, args=(config, there))
    process.start()
    here.recv()

    def poll() -> float:
        assert process.pid
        before = cpu_seconds(process.pid)
        here.send(True)
        here.recv()
        return cpu_seconds(process.pid) - before

    try:
        yield poll
    finally:
        here.send(False)
        process.join()


def poll_on_demand(config: str, pipe: Connection) -> None:
    """Poll and publish whenever the pipe says so, in a session of its own with all worker processes."""
    os.setsid()
    with Hub(load_settings(config)) as hub:
        pipe.send(True)
        while pipe.recv():
            hub.poll(everything=True)
            pipe.send(True)


if __name__ == "__main__":
    main()
