"""Cost of a poll, beside other programs on the same feeds: 500 loopback feeds of about 60 KB with 30 entries each.

    python benchmarks/poll.py [--feeds 500] [--rounds 5] [--no-peers]

Prints medians of rounds: CPU milliseconds per feed (all processes), feeds per second, the peak memory of the largest
process, and the ratio to feedhub. Feeds and their archives are published in three formats; web pages are not, since no
other program here makes any. Each program runs cold and again on what is unchanged, in turn, so that they meet the
same minutes. Compare ratios within one run; wall time on a shared machine is noisy.
"""

import argparse
import ctypes
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import peers
from feeds import ENTRIES, Site, feed_bytes, serving

CATEGORIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a command cost with all its processes: CPU and wall seconds, and the peak kilobytes of the largest."""

    cpu: float
    wall: float
    peak: int
    code: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--feeds", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--no-peers", action="store_true")
    given = arguments.parse_args()
    adopt_orphans()
    count = given.feeds
    print(f"{count} feeds of {len(feed_bytes(0)) / 1000:.0f} KB with {ENTRIES} entries, {CATEGORIES} categories")
    print(f"{'':<38}{'CPU ms/feed':>12}{'feeds/s':>10}{'peak MB':>9}{'to feedhub':>12}", flush=True)
    found: dict[str, list[tuple[Spent, float, str]]] = {}
    with serving(count) as site:
        for _ in range(given.rounds):
            site.become()
            with tempfile.TemporaryDirectory() as folder:
                a_round(Path(folder), site, count, found, with_peers=not given.no_peers)
    for title, costs in found.items():
        cpu, wall, peak = (
            statistics.median(getattr(one, name) for one, _, _ in costs) for name in ("cpu", "wall", "peak")
        )
        ratio = statistics.median(beside for _, beside, _ in costs)
        failed = "".join(sorted({text for _, _, text in costs}))
        figures = f"{cpu / count * 1000:>12.2f}{count / wall:>10.0f}{peak / 1024:>9.0f}{ratio:>12.2f}"
        print(f"{title:<38}{figures}{failed}", flush=True)


def a_round(
    folder: Path, site: Site, count: int, found: dict[str, list[tuple[Spent, float, str]]], *, with_peers: bool
) -> None:
    """Let every program run in every phase; add what it cost, the ratio to feedhub, and what went wrong."""
    command = write_config(folder / "etag", site, "", count)
    plain = write_config(folder / "plain", site, "/plain", count)
    others = peers.installed(folder, site, count) if with_peers else []
    steps: list[tuple[str, dict[str, int], list[str]]] = [
        ("cold", {}, command),
        ("304", {}, command),
        ("one new in 10 %", {"new": 1, "every": 10}, command),
        ("only a build date changed", {"new": 1, "every": 10, "built": 7}, command),
        ("cold, no validators", {}, plain),
        ("same body", {}, plain),
    ]
    for phase, changes, ours in steps:
        if changes:
            site.become(**changes)
        programs = [("feedhub", ours), *((name, commands[phase]) for name, commands in others if phase in commands)]
        costs = [(f"{name}, {phase}", *measured(command, site, count)) for name, command in programs]
        for title, spent, failed in costs:
            found.setdefault(title, []).append((spent, spent.cpu / costs[0][1].cpu, failed))


def adopt_orphans() -> None:
    """Become the parent of what measured processes leave behind (prctl(2), PR_SET_CHILD_SUBREAPER; Linux only)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def write_config(folder: Path, site: Site, prefix: str, count: int) -> list[str]:
    """Write a configuration; return the command that polls it."""
    folder.mkdir()
    sources = "".join(
        f"  - {{name: s{n}, url: '{site.address}{prefix}/{n}', category: c{n % CATEGORIES}}}\n" for n in range(count)
    )
    path = folder / "feedhub.yaml"
    path.write_text(
        "site: {title: Benchmark, url: https://news.example.org}\n"
        f"poll: {{allow_private: ['{urlsplit(site.address).netloc}'], per_host: {{concurrent: 16, gap: 0s}}}}\n"
        "output: {pages: false}\n"
        f"sources:\n{sources}"
    )
    return [sys.executable, "-m", "feedhub", "poll", "--all", "-c", str(path)]


def run(command: list[str]) -> Spent:
    """Run a command in silence to its end."""
    started = time.perf_counter()
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    # As users have it: what Python compiled is kept.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = os.posix_spawnp(command[0], command, environment, file_actions=actions, setpgroup=0)
    cpu, peak, status, wall = 0.0, 0, 0, 0.0
    while True:
        try:
            # Processes that it leaves behind (the one that starts our workers) come to us, and are waited for too.
            number, ended, usage = os.wait4(-process, 0)
        except ChildProcessError:
            break
        if number == process:
            status, wall = ended, time.perf_counter() - started
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss)
    return Spent(cpu=cpu, wall=wall, peak=peak, code=os.waitstatus_to_exitcode(status))


def measured(command: list[str], site: Site, count: int) -> tuple[Spent, str]:
    """Run a command to its end; return what it cost, and what went wrong."""
    site.asked()
    spent = run(command)
    asked = site.asked()
    failed = f"  exit {spent.code}" if spent.code else ""
    return spent, failed + (f"  asked for {asked} feeds" if asked != count else "")


if __name__ == "__main__":
    main()
