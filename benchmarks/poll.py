"""Cost of a poll: 500 loopback feeds of about 60 KB with 30 entries each.

    python benchmarks/poll.py [--feeds 500]

Prints CPU milliseconds per feed (this process and its workers, publishing included), feeds per second and
peak memory of the largest process, for a cold poll, a 304 poll, and the same body without validators.
Compare ratios within one run; wall time on a shared machine is noisy.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from feedhub.config.load import load
from feedhub.model.report import Outcome
from feedhub.runtime.hub import Hub
from feeds import ENTRIES, feed_bytes, serving

CATEGORIES = 50


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--feeds", type=int, default=500)
    count = arguments.parse_args().feeds
    size = len(feed_bytes(0))
    print(f"{count} feeds of {size / 1000:.0f} KB with {ENTRIES} entries, {CATEGORIES} categories")
    print(f"{'phase':<34}{'CPU ms/feed':>12}{'feeds/s':>10}{'peak MB':>9}")
    with serving(count) as address, tempfile.TemporaryDirectory() as folder:
        for suffix, phases in {"": ("cold", "304"), "?plain": ("cold, no validators", "same body")}.items():
            config = write_config(Path(folder) / ("plain" if suffix else "etag"), address, suffix, count)
            for phase in phases:
                measure(phase, config, count)


def write_config(folder: Path, address: str, suffix: str, count: int) -> Path:
    folder.mkdir()
    sources = "".join(
        f"  - {{name: s{n}, url: '{address}/{n}{suffix}', category: c{n % CATEGORIES}}}\n" for n in range(count)
    )
    path = folder / "feedhub.yaml"
    path.write_text(
        "site: {title: Benchmark, url: https://news.example.org}\n"
        f"poll: {{allow_private: ['{urlsplit(address).netloc}'], per_host: {{concurrent: 16, gap: 0s}}}}\n"
        f"sources:\n{sources}"
    )
    return path


def measure(phase: str, config: Path, count: int) -> None:
    """Run one poll in a process of its own, so that its memory and its workers' CPU time are its own."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=run, args=(str(config), queue))
    process.start()
    process.join()
    outcomes, cpu, wall, peak = queue.get()
    print(f"{phase + ' (' + outcomes + ')':<34}{cpu / count * 1000:>12.2f}{count / wall:>10.0f}{peak:>9.0f}")


def run(config: str, queue: "multiprocessing.SimpleQueue[tuple[str, float, float, float]]") -> None:
    settings = load(config)
    before, started = cpu_seconds(), time.perf_counter()
    with Hub(settings) as hub:
        result = hub.poll(everything=True)
    wall, cpu = time.perf_counter() - started, cpu_seconds() - before
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    queue.put((tally([report.outcome for report in result.reports]), cpu, wall, peak))


def cpu_seconds() -> float:
    """CPU time of this process and of its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def tally(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(f"{outcomes.count(one)} {one.value}" for one in dict.fromkeys(outcomes))


if __name__ == "__main__":
    main()
