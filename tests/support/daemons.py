"""A real ``feedhub run`` in a process of its own, whose log is read as it comes; it waits for little."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Answer = TypeVar("Answer")

# The command itself, and the same command with short waits.
FEEDHUB = ("-m", "feedhub")
IMPATIENT = (str(Path(__file__).parent / "impatient.py"),)
# Far more than anything here takes; a busy machine must not fail a test.
PATIENCE = 40.0


def until(ask: Callable[[], Answer], *, patience: float = PATIENCE, what: str = "") -> Answer:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + patience
    while not (answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:g} s in vain{': ' if what else ''}{what}")
        time.sleep(0.02)
    return answer


@dataclass(slots=True)
class RunningDaemon:
    """One ``feedhub run --log json``, or worker."""

    process: "subprocess.Popen[bytes]"
    log: Path
    patience: float = PATIENCE
    _seen: int = field(default=0)
    _read: int = field(default=0)
    _events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lines(self) -> list[str]:
        """Every whole line of the log."""
        return self.log.read_bytes().decode("utf-8").split("\n")[:-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole = log.read().rpartition(b"\n")[0]
        self._read += len(whole) + bool(whole)
        self._events += map(json.loads, whole.splitlines())
        return self._events

    def heard(self, *events: str, **facts: object) -> dict[str, Any]:
        """Wait for an event that was not waited for before, and return it. It begins as one of ``events`` does."""

        def found() -> dict[str, Any] | None:
            for number, one in enumerate(self.events[self._seen :], start=self._seen + 1):
                if str(one["event"]).startswith(events) and all(one.get(key) == facts[key] for key in facts):
                    self._seen = number
                    return one
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}; no {events!r} in {self.lines[-40:]}")
            return None

        try:
            return until(found, patience=self.patience)  # type: ignore[return-value]
        except AssertionError as error:
            raise AssertionError(f"{error}: no {events!r} {facts} in {self.lines[-40:]}") from None

    def tell(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(patience)

    def stop(self) -> int:
        """End it with SIGTERM."""
        self.tell(signal.SIGTERM)
        return self.ended()

    def family(self) -> list[int]:
        """The processes that it started and that live: they are in its session."""
        return [pid for pid in _session(self.pid) if pid != self.pid]


@contextmanager
def running(
    config: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    is_ready: bool = True,
    program: Sequence[str] = IMPATIENT,
    command: str = "run",
) -> Iterator[RunningDaemon]:
    """Run the daemon for the block; whatever is left of it then is killed."""
    config.parent.mkdir(parents=True, exist_ok=True)
    log = config.parent / f"log-{time.monotonic_ns()}"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *program, command, "--log", "json", *arguments, "-c", str(config)],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, "PYTHONWARNINGS": "error", **(environment or {})},
        )
    daemon = RunningDaemon(process, log)
    try:
        if is_ready:
            daemon.heard("started")
        yield daemon
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write_config(folder: Path, sources: Sequence[str], *, more: str = "", poll: str = "", file: str = "") -> Path:
    """Write a configuration that may be impatient, without pages.

    ``sources`` and ``poll`` are the inside of YAML flow mappings.
    """
    path = folder / (file or "feedhub.yaml")
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"  - {{{source}}}\n" for source in sources)
    more = f"\n{more}" if more else ""
    path.write_text(
        "site: {title: Test site, url: https://news.example.org}\n"
        f"poll: {{every: 1s, min: 1s, timeout: 10s, allow_private: [127.0.0.1], per_host: {{gap: 0s, concurrent: 8}}"
        f"{', ' if poll else ''}{poll}}}\noutput: {{pages: false}}{more}\nsources:\n{lines or '  []'}",
        "utf-8",
    )
    return path


def store_row(store: Path, name: str) -> dict[str, Any]:
    """What the database holds of one source."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM sources WHERE name = ?", (name,)).fetchone()
    return dict(row) if row else {}


def _session(leader: int) -> list[int]:
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] != "Z":
                    members.append(int(entry.name))
    return members
