"""Serving a 200 KB feed, beside nginx on the same file in the same run; and polling while it is served.

    python benchmarks/serve.py [--seconds 4] [--rounds 3] [--feeds 500] [--skip-polling]

Needs ``wrk`` and ``nginx`` (Debian: ``apt-get install wrk nginx-light``). Requests per second with and without
``If-None-Match``, and as a share of nginx's (one worker, no logs): the median of rounds in which both take turns, since
a shared machine is noisy. Memory is the resident size of the serving process after the rounds.

Polling is measured in a process that serves at the same time, once with nobody asking and once with wrk asking for
the feed on two connections at about ``RATE`` requests per second: a crowd that asks as often as it can would measure
how two programs share two cores, and not whether serving gets in the way of polling.
"""

import argparse
import contextlib
import multiprocessing
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feedhub.config.load import load
from feedhub.model.web import WebSettings
from feedhub.runtime.hub import Hub
from feedhub.web.server import WebServer
from feeds import serving
from poll import write_config

FEED = "feeds/all.atom"
SIZE = 200_000
CONNECTIONS = 16
RATE = 200


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--feeds", type=int, default=500)
    arguments.add_argument("--skip-polling", action="store_true")
    chosen = arguments.parse_args()
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
                for what, fields in (("200", ()), ("304", (f"If-None-Match: {etag(address)}",))):
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


def poll_and_serve(folder: Path, count: int, rounds: int) -> None:
    quiet, busy, asked = [], [], []
    with serving(count) as address:
        for number in range(rounds):
            for is_busy in (False, True):
                config = write_config(folder / f"poll{number}{is_busy}", address, "", count)
                seconds, rate = polled(config, is_busy=is_busy)
                (busy if is_busy else quiet).append(seconds)
                asked += [rate] if is_busy else []
    before, after = statistics.median(quiet), statistics.median(busy)
    print(
        f"cold poll of {count} feeds: {before:.2f} s with nobody asking, {after:.2f} s beside "
        f"{statistics.median(asked):.0f} requests/s of 200 KB: {after / before - 1:+.0%}"
    )


def polled(config: Path, *, is_busy: bool) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=poll_once, args=(str(config), is_busy, queue))
    process.start()
    process.join()
    result: tuple[float, float] = queue.get()
    return result


def poll_once(config: str, is_busy: bool, queue: Any) -> None:
    settings = load(config)
    feed(Path(settings.output.dir))
    with Hub(settings) as hub:
        server = WebServer(hub, WebSettings(port=0))
        server.start()
        client = paced(f"{server.address}/bench.atom") if is_busy else None
        started = time.perf_counter()
        hub.poll(everything=True)
        took = time.perf_counter() - started
        rate = ended(client) if client else 0.0
        server.stop()
    queue.put((took, rate))


def paced(address: str) -> "subprocess.Popen[str]":
    script = f"function delay() return {round(2000 / RATE)} end\n"
    path = Path(tempfile.mkdtemp()) / "pace.lua"
    path.write_text(script)
    command = ["wrk", "-t1", "-c2", "-d600", "-s", str(path), address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(client: "subprocess.Popen[str]") -> float:
    client.send_signal(signal.SIGINT)
    return per_second(client.communicate()[0])


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
    with urllib.request.urlopen(f"{address}/{FEED}") as answer:
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


def feed(output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / "bench.atom").write_bytes(feed_text())


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
