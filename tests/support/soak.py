"""A soak: the daemon against the temper server, killed and stopped at random, watched by a reader all the time."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from support import output_reader, temper_server
from support.temper_server import host_of, temper_of

GAP = 0.25
CONCURRENT = 2
# Seconds. When a request came is known to the microsecond; when a client hung up, to a tick of the kernel (4 to 10 ms).
TICK = 0.01
PRECISION = 0.001
TIMEOUT = 3


@dataclass
class Soak:
    """One run in a folder. ``figures`` collects what there is to tell."""

    folder: Path
    sources: int = 300
    every: float = 10.0
    figures: dict[str, Any] = field(default_factory=dict)
    disturbed_at: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    running: list["subprocess.Popen[Any]"] = field(default_factory=list)
    started_at: float = 0.0

    def run(self, *, seconds: float, kills: int, terms: int, quiet: float) -> None:
        """Disturb the daemon for ``seconds``, leave it alone for ``quiet``, then let it take everything in."""
        log = self.folder / "requests.jsonl"
        script = [sys.executable, temper_server.__file__, str(log), str(self.sources)]
        with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                self.write_config(int(server.stdout.readline()))
                torn = self.folder / "torn.txt"
                with subprocess.Popen(
                    [sys.executable, output_reader.__file__, str(self.folder / "output"), str(torn)]
                ) as reader:
                    self.running.append(reader)
                    daemon = self._disturb(seconds, kills, terms)
                    self._watch_memory(daemon, quiet)
                    server.stdin.write("\n")
                    server.stdin.flush()
                    holdings = json.loads(server.stdout.readline())
                    self._watch_memory(daemon, 3 * self.every)
                    self.end(daemon)
                    self.figures["exit"] = daemon.returncode
                    for _ in range(3):
                        self.feedhub("poll", "--all", check=False)
                    reader.terminate()
                assert server.poll() is None, "the server of the feeds ended by itself"
                self.figures["read"] = torn.read_text("utf-8")
            finally:
                server.kill()
                for process in self.running:
                    process.kill()
        self.compare(holdings)
        self.examine([json.loads(line) for line in log.read_text("utf-8").splitlines()])

    def write_config(self, port: int) -> None:
        lines = [
            "site: {title: Soak, url: https://soak.example.org}",
            "store: sqlite:///var/soak.db",
            f"poll: {{every: {self.every:g}s, min: 1s, max: 30s, timeout: {TIMEOUT}s, allow_private: [127.0.0.0/8],",
            f"  per_host: {{concurrent: {CONCURRENT}, gap: {GAP:g}s}}}}",
            "output: {entries: 5000}",
            "sources:",
        ]
        for number in range(self.sources):
            url = f"http://{host_of(number)}:{port}/feed/{number}"
            lines.append(f"  - {{name: s{number}, url: '{url}', category: c{number % 20}}}")
        (self.folder / "feedhub.yaml").write_text("\n".join(lines) + "\n", "utf-8")

    def start(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "daemon.log").open("ab") as log:
            daemon = subprocess.Popen(self._command("run", "--log", "json"), stderr=log, start_new_session=True)
        self.running.append(daemon)
        self.started_at = time.time()
        return daemon

    def feedhub(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(self._command(*arguments), capture_output=True, text=True, check=check, timeout=300)
        return done.stdout

    def end(self, daemon: "subprocess.Popen[bytes]") -> None:
        before = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
        self.figures["slowest end"] = max(self.figures.get("slowest end", 0.0), time.monotonic() - before)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "feedhub", *arguments, "-c", str(self.folder / "feedhub.yaml")]

    def _disturb(self, seconds: float, kills: int, terms: int) -> "subprocess.Popen[bytes]":
        plan = sorted((random.uniform(0.03, 1) * seconds, end) for end in ["kill"] * kills + ["term"] * terms)
        began = time.monotonic()
        daemon = self.start()
        for moment, end in plan:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            self.disturbed_at.append(time.time())
            assert daemon.poll() is None, "the daemon ended by itself"
            if end == "kill":
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
            else:
                self.end(daemon)
                # Python itself has not set up its signals in the first moments.
                is_young = self.disturbed_at[-1] - self.started_at < 3
                assert daemon.returncode == 0 or (is_young and daemon.returncode == -signal.SIGTERM)
            daemon = self.start()
        return daemon

    def _watch_memory(self, daemon: "subprocess.Popen[bytes]", seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.memory.append((time.time() - self.started_at, resident(daemon.pid)))
            time.sleep(min(2.0, max(0.0, until - time.monotonic())))

    def compare(self, holdings: list[tuple[int, int]]) -> None:
        """Every story that a server had is stored, and shown, once."""
        wanted = {f"source {number} item {item}" for number, count in holdings for item in range(count)}
        with closing(sqlite3.connect(self.folder / "var" / "soak.db")) as store:
            stored = Counter(
                title
                for (title,) in store.execute(
                    "SELECT title FROM items JOIN sightings ON item_pk = pk AND source_id = owner_id"
                )
            )
        feed = json.loads((self.folder / "output" / "feeds" / "all.json").read_text("utf-8"))
        shown = Counter(item["title"] for item in feed["items"])
        self.figures |= {
            "items": len(wanted),
            "lost": sorted(wanted - stored.keys()),
            "twice": [title for title, count in stored.items() if count > 1],
            "shown twice": [title for title, count in shown.items() if count > 1],
            "not shown": len(wanted - shown.keys()) if len(wanted) <= 5000 else 0,
        }

    def examine(self, entries: list[dict[str, Any]]) -> None:
        """Politeness, as the server saw it."""
        entries.sort(key=lambda entry: entry["at"])
        by_host: dict[str, list[dict[str, Any]]] = defaultdict(list)
        by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in entries:
            by_host[entry["host"]].append(entry)
            by_source[entry["path"].rpartition("/")[2]].append(entry)
        gaps = [second["at"] - first["at"] for each in by_host.values() for first, second in pairwise(each)]
        self.figures |= {
            "requests": len(entries),
            "statuses": dict(Counter(str(entry.get("status", "unfinished")) for entry in entries)),
            "most at once": max(map(most_at_once, by_host.values())),
            "smallest gap": min(gaps),
            "gaps too small": sum(gap < GAP - PRECISION for gap in gaps),
            "Retry-After broken": self._impatient(by_source),
            "unconditional repeats": self._unconditional(by_source),
            "asked although gone": self._asked_gone(by_source),
            "moved for good": self._moved(by_source),
        }

    def _impatient(self, by_source: dict[str, list[dict[str, Any]]]) -> int:
        pairs = (pair for entries in by_source.values() for pair in pairwise(entries))
        return sum(
            "retry" in first and second["at"] < first["retry"] - PRECISION and not self._is_by_hand(second)
            for first, second in pairs
        )

    def _unconditional(self, by_source: dict[str, list[dict[str, Any]]]) -> int:
        """Count requests without the ETag given last; not those after a disturbance, when it may not be stored."""
        wrong = 0
        for entries in by_source.values():
            given, given_at = None, 0.0
            for entry in entries:
                is_redirect = entry.get("status") in (301, 302)
                disturbed = any(given_at - 1 < at < entry["at"] for at in self.disturbed_at)
                if given and entry["etag"] != given and not disturbed and not is_redirect:
                    wrong += 1
                if "given" in entry:
                    given, given_at = entry["given"], entry["at"]
        return wrong

    def _asked_gone(self, by_source: dict[str, list[dict[str, Any]]]) -> int:
        count = 0
        for entries in by_source.values():
            gone = [entry["at"] for entry in entries if entry.get("status") == 410]
            later = [entry for entry in entries if gone and entry["at"] > gone[0] and not self._is_by_hand(entry)]
            count += sum(not any(gone[0] - 1 < at < entry["at"] for at in self.disturbed_at) for entry in later)
        return count

    def _is_by_hand(self, entry: dict[str, Any]) -> bool:
        return bool(entry["at"] > self.started_at + (self.memory[-1][0] if self.memory else 0.0))

    def _moved(self, by_source: dict[str, list[dict[str, Any]]]) -> str:
        moved = [number for number in range(self.sources) if temper_of(number) == "moved"]
        direct = sum(
            any(
                first["path"].startswith("/new/") and second["path"].startswith("/new/")
                for first, second in pairwise(by_source[str(number)])
            )
            for number in moved
        )
        return f"{direct} of {len(moved)}"


def most_at_once(entries: list[dict[str, Any]]) -> int:
    """Return how many requests of a host were under way at once."""
    moments = [(entry["at"], 1) for entry in entries] + [(entry["over"] - TICK, -1) for entry in entries]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


def resident(pid: int) -> float:
    """Return the megabytes that a process and its descendants hold in memory; what they share counts once (proc(5))."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getsid(int(folder.name)) == pid:
                    shares = re.search(r"^Pss: +(\d+) kB", (folder / "smaps_rollup").read_text(), re.MULTILINE)
                    total += int(shares[1]) if shares else 0
            except (OSError, ProcessLookupError):
                continue
    return total * 1024 / 1e6
