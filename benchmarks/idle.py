"""What the daemon costs when nothing is due: ``python benchmarks/idle.py [SOURCES] [SECONDS]``.

Starts `feedhub run` on that many sources, whose polls are all far away, and reads the processor time and memory of
its process group from the system.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedhub.model.source import SourceState
from feedhub.runtime.plugins import load_settings
from feedhub.store.sql import open_store

TICK = os.sysconf("SC_CLK_TCK")


def main(sources: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "feedhub.yaml"
        lines = "".join(
            f"  - {{name: s{number}, url: 'https://h{number % 2000}.example/{number}', category: c{number % 50}}}\n"
            for number in range(sources)
        )
        config.write_text(f"site: {{title: T, url: https://t.example}}\nstore: sqlite:///feedhub.db\nsources:\n{lines}")
        store = open_store(load_settings(str(config)).store)
        now = datetime.now(UTC)
        with store.transaction() as transaction:
            for number in range(sources):
                due = now + timedelta(hours=2, seconds=number)
                transaction.save_state(SourceState(name=f"s{number}", last_poll_at=now, next_poll_at=due))
        tick = _tick_seconds(store, now)
        store.close()
        daemon = subprocess.Popen(
            [sys.executable, "-m", "feedhub", "run", "-c", str(config)], stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            assert daemon.stderr is not None
            while b" published " not in daemon.stderr.readline():
                pass
            time.sleep(10)  # the new output folder is seen, and the configuration looked at once more because of it
            before = cpu_seconds(daemon.pid)
            time.sleep(seconds)
            spent = cpu_seconds(daemon.pid) - before
            print(f"{sources} sources, nothing due: {spent / seconds:.2%} of a core over {seconds:g} s")
            print(f"asking the store who is due: {tick * 1000:.2f} ms")
            print(f"memory: {_megabytes(daemon.pid):.0f} MB")
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)


def _tick_seconds(store: object, now: datetime) -> float:
    began = time.perf_counter()
    for _ in range(100):
        store.due(now, per_host=4, limit=256)  # type: ignore[attr-defined]
    return (time.perf_counter() - began) / 100


def cpu_seconds(session: int) -> float:
    return sum(sum(map(int, fields[11:13])) for fields in _processes(session)) / TICK


def _megabytes(session: int) -> float:
    return sum(int(fields[21]) for fields in _processes(session)) * os.sysconf("SC_PAGESIZE") / 1e6


def _processes(session: int) -> list[list[str]]:
    """Return the fields of /proc/PID/stat, from the state on, of every process of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                found.append(fields)
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, float(sys.argv[2]) if len(sys.argv) > 2 else 30)
