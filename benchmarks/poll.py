"""Cost of a poll, beside other programs on the same feeds: 500 loopback feeds of about 60 KB with 30 entries each.

    python benchmarks/poll.py [--feeds 500] [--no-peers]

Prints CPU milliseconds per feed (all processes), feeds per second and the peak memory of the largest process. Feeds
and their archives are published in three formats; web pages are not, since no other program here makes any. Each
program runs cold and again on what is unchanged, in turn, so that they meet the same minutes.
Compare ratios within one run; wall time on a shared machine is noisy.
"""

import argparse
import ctypes
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import peers
from feeds import ENTRIES, Site, feed_bytes, serving

CATEGORIES = 50


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--feeds", type=int, default=500)
    arguments.add_argument("--no-peers", action="store_true")
    given = arguments.parse_args()
    adopt_orphans()
    count = given.feeds
    print(f"{count} feeds of {len(feed_bytes(0)) / 1000:.0f} KB with {ENTRIES} entries, {CATEGORIES} categories")
    print(f"{'':<38}{'CPU ms/feed':>12}{'feeds/s':>10}{'peak MB':>9}{'to feedhub':>12}", flush=True)
    ours: dict[str, float] = {}
    with serving(count) as site, tempfile.TemporaryDirectory() as folder:
        command = write_config(Path(folder) / "etag", site, "", count)
        plain = write_config(Path(folder) / "plain", site, "/plain", count)
        others = [] if given.no_peers else peers.installed(Path(folder), site, count)
        steps: list[tuple[str, Callable[[], None], list[str]]] = [
            ("cold", lambda: None, command),
            ("304", lambda: None, command),
            ("10 % changed", lambda: site.become(changed=3, every=10), command),
            ("only a build date changed", lambda: site.become(changed=3, every=10, built=7), command),
            ("cold, no validators", lambda: None, plain),
            ("same body", lambda: None, plain),
        ]
        for phase, prepare, run in steps:
            prepare()
            ours[phase] = measure(f"feedhub, {phase}", run, site, count)
            for name, commands in others:
                if phase in commands:
                    measure(f"{name}, {phase}", commands[phase], site, count, beside=ours[phase])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a command cost with all its processes: CPU and wall seconds, and the peak kilobytes of the largest."""

    cpu: float
    wall: float
    peak: int
    code: int


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


def measure(title: str, command: list[str], site: Site, count: int, *, beside: float = 0.0) -> float:
    """Run a command to its end; print its cost and return its CPU milliseconds per feed."""
    site.asked()
    spent = run(command)
    asked = site.asked()
    cpu = spent.cpu / count * 1000
    ratio = f"{cpu / beside:>12.2f}" if beside else ""
    failed = f"  exit {spent.code}" if spent.code else ""
    if asked != count:
        failed += f"  asked for {asked} feeds"
    print(f"{title:<38}{cpu:>12.2f}{count / spent.wall:>10.0f}{spent.peak / 1024:>9.0f}{ratio}{failed}", flush=True)
    return cpu


if __name__ == "__main__":
    main()
