"""One evil source beside 50 good ones: what it costs the others, and what memory it takes.

    python benchmarks/evil.py [--rounds 3] [--good 50] [--only author]

For each kind of evil, runs without and with the evil source take turns, each in a process of its own. Prints the time
of a good source's poll (fetched and read) at the 95th percentile over all rounds, both ways, their ratio, when the
last good source was ready to be stored, the evil one's outcome, and the peak memory of the process and all its
children together (proportional set size, sampled every 50 ms).

The files are written to memory where that is possible: 100,000 entries become 10,000 pages, and a disk takes 2 to 15 ms
to promise that one of them is there for good. How long publishing took is told with the evil one's outcome.

Polls of one run are stored in the order of the configuration (docs/decisions/0002), so a source that takes its whole
time limit holds back the storing of those behind it in ``feedhub poll``; the daemon stores each as it comes.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from evil_sources import EVIL, serving_evil
from feedhub.model.report import PollReport
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feeds import serving
from processes import family, megabytes_of

_SAMPLE_EVERY = 0.05
_IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--good", type=int, default=50)
    arguments.add_argument("--timeout", default="30s")
    arguments.add_argument("--only", choices=sorted(EVIL))
    given = arguments.parse_args()
    print(f"{given.good} good sources, {given.rounds} rounds; p95 of a good poll in s")
    columns = f"{'without':>9}{'with':>9}{'ratio':>8}{'last good':>11}{'peak MB':>9}{'without':>9}"
    print(f"{'evil':<18}{columns}  the evil one")
    worst_ratio = worst_peak = 0.0
    with serving(given.good) as site, serving_evil() as evil, tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder:
        for name in [given.only] if given.only else EVIL:
            runs: dict[bool, list[_Run]] = {False: [], True: []}
            for number in range(given.rounds):
                for is_evil in (False, True):
                    url = f"{evil}/{quote(name)}" if is_evil else None
                    config = _configured(Path(folder) / f"{name}-{number}-{is_evil}", site.address, url, given)
                    runs[is_evil].append(_in_own_process(config))
            ratio, peak = _row(name, runs)
            worst_ratio, worst_peak = max(worst_ratio, ratio), max(worst_peak, peak)
    print(
        f"worst ratio {worst_ratio:.2f} (below 1.33 is wanted), highest peak {worst_peak:.0f} MB (below 400 is wanted)"
    )


_Run = tuple[list[float], float, float, str]
"""Times of the good polls, when the last of them was ready, peak memory in MB, and how the evil one ended."""


def _row(name: str, runs: dict[bool, list[_Run]]) -> tuple[float, float]:
    without, beside = (_p95([seconds for times, *_ in runs[is_evil] for seconds in times]) for is_evil in (False, True))
    ending = runs[True][-1][3]
    last = statistics.median(run[1] for run in runs[True])
    calm, peak = (max(run[2] for run in runs[is_evil]) for is_evil in (False, True))
    times = f"{without:>9.2f}{beside:>9.2f}{beside / without:>8.2f}{last:>11.2f}"
    print(f"{name:<18}{times}{peak:>9.0f}{calm:>9.0f}  {ending}", flush=True)
    return beside / without, peak


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _configured(folder: Path, good: str, evil: str | None, given: argparse.Namespace) -> str:
    folder.mkdir()
    sources = [f"  - {{name: s{n}, url: '{good}/{n}', category: c{n % 10}}}\n" for n in range(given.good)]
    if evil:
        sources.insert(0, f"  - {{name: evil, url: '{evil}', category: c0}}\n")
    path = folder / "feedhub.yaml"
    path.write_text(
        "site: {title: Benchmark, url: https://news.example.org}\n"
        f"poll: {{allow_private: [127.0.0.1], timeout: {given.timeout}, per_host: {{concurrent: 16, gap: 0s}}}}\n"
        f"sources:\n{''.join(sources)}"
    )
    return str(path)


def _in_own_process(config: str) -> _Run:
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_run, args=(config, queue))
    process.start()
    while queue.empty():
        if not process.is_alive() and queue.empty():
            raise SystemExit("a run ended without figures")
        time.sleep(0.1)
    run: _Run = queue.get()
    process.join()
    return run


def _run(config: str, queue: "multiprocessing.SimpleQueue[_Run]") -> None:
    settings = load_settings(config)
    with _memory_watched() as peak, Hub(settings) as hub:
        started = time.monotonic()
        ready: dict[str, float] = {}
        fetch = hub.fetch

        def timed(*given: object) -> object:
            fetched = fetch(*given)  # type: ignore[arg-type]
            ready[fetched.source.name] = time.monotonic() - started
            return fetched

        hub.fetch = timed  # type: ignore[method-assign,assignment]
        result = hub.poll(everything=True, and_publish=False)
        polled = time.monotonic()
        published = hub.publish_due()
        took = time.monotonic() - polled
    assert not published.failed, published.failed
    good = [report for report in result.reports if report.source != "evil"]
    bad = [report for report in result.reports if report.source == "evil"]
    assert all(report.new == 30 for report in good), "a good source was not stored whole"
    last = max((at for name, at in ready.items() if name != "evil"), default=0.0)
    queue.put(([report.seconds for report in good], last, max(peak), f"{_outcome(bad)}; published in {took:.1f} s"))


def _outcome(reports: list[PollReport]) -> str:
    return "".join(
        f"{report.outcome.value} in {report.seconds:.1f} s, {report.new} new {report.reason}"[:90] for report in reports
    )


@contextmanager
def _memory_watched() -> Iterator[list[float]]:
    """Yield a list that gets the memory of this process and its children, in MB, as it goes."""
    samples = [0.0]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_SAMPLE_EVERY):
            samples.append(megabytes_of(family(os.getpid())))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    main()
