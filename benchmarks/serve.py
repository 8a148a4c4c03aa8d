"""Serving a 200 KB feed, beside nginx on the same file in the same run; and polling while it is served.

    python benchmarks/serve.py [--seconds 3] [--rounds 3] [--feeds 500] [--skip-polling]

Needs ``wrk`` and ``nginx`` (Debian: ``apt-get install wrk nginx-light``). Requests per second with and without
``If-None-Match``, and as a share of nginx's (one worker, no logs): the median of rounds in which both take turns, since
a shared machine is noisy. Memory is the resident size of the serving process after the rounds.

Polling is measured in a process that serves at the same time, as the daemon does: once with nobody asking, once with
readers asking for the feed ``RATE`` times a second on ``READERS`` connections, every second time with the validator
of what they have. The rate is fixed, because a crowd that asks as often as it can would measure how two programs
share two cores, and not whether serving gets in the way of polling. The two take turns at going first. Every poll
begins with a copy of one filled store: all feeds come anew, one in ten with three changed entries, and the feeds that
changed are published; no pages. CPU is that of the polling process with its workers, serving included, and without that
of wrk, which is named beside it.
"""

import argparse
import contextlib
import json
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from feedhub.model.settings import WebSettings
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.web.server import WebServer
from feeds import ENTRIES, serving
from poll import adopt_orphans, run, write_config

FEED = "feeds/all.atom"
SIZE = 200_000
CONNECTIONS = 16
RATE = 150
READERS = 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seconds", type=int, default=3)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--feeds", type=int, default=500)
    arguments.add_argument("--skip-polling", action="store_true")
    arguments.add_argument("--polled", nargs=2, metavar=("CONFIG", "RESULT"), help=argparse.SUPPRESS)
    arguments.add_argument("--busy", action="store_true", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.polled:
        poll_once(chosen.polled[0], Path(chosen.polled[1]), is_busy=chosen.busy)
        return
    adopt_orphans()
    for tool in ("wrk", "nginx"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare(folder, chosen.seconds, chosen.rounds)
        if not chosen.skip_polling:
            poll_and_serve(folder, chosen.feeds, chosen.rounds)


def compare(folder: Path, seconds: int, rounds: int) -> None:
    config = site(folder / "site")
    figures: dict[str, dict[str, list[float]]] = {}
    with feedhub(config) as (ours, process), nginx(folder, config.parent / "output") as theirs:
        for _ in range(rounds):
            for who, address in (("nginx", theirs), ("feedhub", ours)):
                for what, fields in (("200", ()), ("304", (f"If-None-Match: {etag(f'{address}/{FEED}')}",))):
                    figures.setdefault(what, {}).setdefault(who, []).append(wrk(address, seconds, fields))
            gzipped = wrk(ours, seconds, ("Accept-Encoding: gzip",))
            figures.setdefault("200", {}).setdefault("feedhub, gzip", []).append(gzipped)
        memory = resident(process)
    print(f"a feed of {SIZE / 1000:.0f} KB, {CONNECTIONS} connections, requests per second (median of {rounds})")
    for what, by_server in figures.items():
        base = statistics.median(by_server["nginx"])
        for who, rates in by_server.items():
            rate = statistics.median(rates)
            print(f"{what}  {who:<14}{rate:>9,.0f}   {rate / base:.2f} of nginx")
    print(f"resident memory of feedhub serve: {memory:.0f} MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """One poll of all feeds: seconds on the wall, CPU seconds, how often the feed was asked for, by what CPU."""

    wall: float
    cpu: float
    rate: float
    readers: float


def poll_and_serve(folder: Path, count: int, rounds: int) -> None:
    runs: dict[bool, list[Polled]] = {False: [], True: []}
    filled = folder / "filled"
    with serving(count) as upstream:
        command = write_config(filled, upstream, "", count)
        if run(command).code:
            raise SystemExit("the first poll failed")
        upstream.become(changed=3, every=10, built=1)
        for number in range(rounds):
            for is_busy in (False, True) if number % 2 == 0 else (True, False):
                copy = shutil.copytree(filled, folder / f"poll-{number}-{is_busy}")
                runs[is_busy].append(polled(copy, is_busy=is_busy))
                shutil.rmtree(copy)
    rate, asking = (statistics.median(getattr(each, what) for each in runs[True]) for what in ("rate", "readers"))
    print(f"a poll of {count} feeds, one in ten changed (median of {rounds}, and of the ratios of the pairs)")
    print(f"{'':<28}{'wall s':>9}{'CPU s':>9}")
    for is_busy, title in ((False, "nobody asks"), (True, f"{rate:.0f} requests/s, half 304")):
        wall, cpu = (statistics.median(getattr(each, what) for each in runs[is_busy]) for what in ("wall", "cpu"))
        print(f"{title:<28}{wall:>9.2f}{cpu:>9.2f}")
    pairs = list(zip(runs[False], runs[True], strict=True))
    wall, cpu = (statistics.median(getattr(b, w) / getattr(a, w) - 1 for a, b in pairs) for w in ("wall", "cpu"))
    print(f"{'more':<28}{wall:>9.0%}{cpu:>9.0%}   (wrk itself: {asking:.2f} s)")


def polled(folder: Path, *, is_busy: bool) -> Polled:
    result = folder / "result.json"
    command = [
        sys.executable,
        __file__,
        "--polled",
        str(folder / "feedhub.yaml"),
        str(result),
        *(["--busy"] if is_busy else []),
    ]
    spent = run(command)
    if spent.code:
        raise SystemExit(f"polling failed: exit {spent.code} of {' '.join(command)}")
    told = json.loads(result.read_text())
    return Polled(cpu=spent.cpu - told["readers"], **told)


def poll_once(config: str, result: Path, *, is_busy: bool) -> None:
    """Poll everything once, in a process that serves; the rest of the benchmark runs this as a command."""
    settings = load_settings(config)
    bench = Path(settings.output.dir) / "feeds" / "bench.atom"
    bench.write_bytes(feed_text())
    with Hub(settings) as hub:
        server = WebServer(lambda: hub, WebSettings(port=0))
        server.start()
        client = readers(f"{server.address}/feeds/{bench.name}") if is_busy else None
        started = time.perf_counter()
        published = hub.poll(everything=True).published
        wall = time.perf_counter() - started
        rate, spent = ended(client) if client else (0.0, 0.0)
        server.stop()
        items = hub.store.item_count()
    assert items == len(settings.sources) * ENTRIES, items
    assert published is not None
    assert published.written, "nothing was changed"
    result.write_text(json.dumps({"wall": wall, "rate": rate, "readers": spent}))


def readers(address: str) -> "subprocess.Popen[str]":
    """Ask at a fixed rate, every second time with the validator."""
    script = (
        f"local number = 0\nfunction delay() return {round(1000 * READERS / RATE)} end\n"
        "function request()\n  number = number + 1\n"
        f"  return wrk.format('GET', nil, number % 2 == 0 and {{['If-None-Match'] = '{etag(address)}'}} or {{}})\nend\n"
    )
    path = Path(tempfile.mkdtemp()) / "readers.lua"
    path.write_text(script)
    command = ["wrk", "-t1", f"-c{READERS}", "-d600", "-s", str(path), address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(client: "subprocess.Popen[str]") -> tuple[float, float]:
    """Stop asking; return the requests per second, and the CPU seconds that asking took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    client.send_signal(signal.SIGINT)
    report = client.communicate()[0]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return per_second(report), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wrk(address: str, seconds: int, fields: tuple[str, ...]) -> float:
    headers = [part for field in fields for part in ("-H", field)]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", *headers, f"{address}/{FEED}"]
    return per_second(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def per_second(report: str) -> float:
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    assert found, report
    assert "Non-2xx" not in report, report
    return float(found[1])


def etag(address: str) -> str:
    with urllib.request.urlopen(address) as answer:
        assert len(answer.read()) == SIZE
        return str(answer.headers["ETag"])


def site(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "feedhub.yaml"
    path.write_text("site: {title: Benchmark, url: https://news.example.org}\nsources: []\n")
    target = folder / "output" / FEED
    target.parent.mkdir(parents=True)
    target.write_bytes(feed_text())
    return path


def feed_text() -> bytes:
    entries = "".join(f"<entry><id>urn:{n}</id><title>Story {n * 7919 % 10007}</title></entry>\n" for n in range(6_000))
    return entries.encode()[:SIZE]


@contextlib.contextmanager
def feedhub(config: Path) -> Iterator[tuple[str, int]]:
    command = ["feedhub", "serve", "--port", "18091", "-c", str(config)]
    process = subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.DEVNULL)
    try:
        yield reached("http://127.0.0.1:18091"), process.pid
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def nginx(folder: Path, root: Path) -> Iterator[str]:
    for path in (folder, root.parent, root):
        path.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(
        f"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;\n"
        "events { worker_connections 512; }\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000; open_file_cache max=100;\n"
        f"  server {{ listen 127.0.0.1:18090; root {root}; }} }}\n"
    )
    process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        yield reached("http://127.0.0.1:18090")
    finally:
        process.terminate()
        process.wait()


def reached(address: str) -> str:
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/{FEED}").close()
            return address
        time.sleep(0.1)
    raise SystemExit(f"nothing answers at {address}")


def resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
