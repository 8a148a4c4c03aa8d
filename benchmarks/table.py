"""The figures that feedhub is held to, each the median of interleaved rounds, also beside another checkout.

    python benchmarks/table.py [OTHER/.venv/bin/python] [--rounds 5] [--feeds 500] [--only TEXT]

CPU is that of all processes. With another checkout both run in turn, the first of one round being the second of the
next, so that what else the machine does falls on both; the ratio is the median of the rounds' ratios (this checkout to
the other). Other programs on the same feeds: ``poll.py``. One million against 10,000 items: ``growth.py``.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feeds import Site, document, entry, serving
from poll import Spent, adopt_orphans, run, write_config
from processes import cpu_seconds_of, family

_WORDS = [first + second for first in ("ba", "ke", "lo", "mi", "nu", "ra", "so", "ti") for second in
          (f"{a}{b}{c}" for a in "bdgklmnprst" for b in "aeiou" for c in "lmnrstxz")]  # fmt: skip
_START = "site: {title: Start, url: https://start.example}\nsources:\n  - {name: one, url: one.xml, category: news}\n"
_ONE = document(1, entry(1, 1, 1))

Measure = Callable[[int], dict[str, float]]
"""Does something with checkout 0 or 1, and returns figures by their titles."""


@dataclass(slots=True)
class Table:
    """The figures of all rounds: by title, those of each checkout."""

    pythons: list[str]
    rounds: int
    only: str
    found: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)

    def wants(self, *titles: str) -> bool:
        """Tell whether one of these figures is asked for."""
        return any(self.only in title for title in titles)

    def measure(self, number: int, step: Measure) -> None:
        """Let each checkout do a step in round ``number``."""
        order = list(range(len(self.pythons)))
        for which in order if number % 2 == 0 else order[::-1]:
            for title, value in step(which).items():
                self.found.setdefault(title, ([], []))[which].append(value)

    def tell(self) -> None:
        """Print the medians of what was found since the last time."""
        for title, (ours, others) in self.found.items():
            if self.only in title:
                half = f"{min(ours):>9.2f} –{max(ours):>8.2f}"
                beside = f"{statistics.median(others):>10.2f}" if others else ""
                ratio = statistics.median(a / b for a, b in zip(ours, others, strict=True)) if others else 0.0
                print(
                    f"{title:<44}{statistics.median(ours):>9.2f}{half}{beside}",
                    f"{ratio:>7.2f}" if others else "",
                    flush=True,
                )
        self.found.clear()


def main() -> None:
    """Measure and print everything that is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("other", nargs="?")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--feeds", type=int, default=500)
    arguments.add_argument("--only", default="")
    given = arguments.parse_args()
    adopt_orphans()
    table = Table([sys.executable, *([given.other] if given.other else [])], given.rounds, given.only)
    print(
        f"{f'medians of {given.rounds} rounds':<44}{'this':>9}{'range':>19}"
        + ("     other  ratio" if given.other else "")
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands(table, folder / "start")
        with serving(given.feeds) as site:
            polls(table, folder / "polls", site, given.feeds)
            running(table, folder / "running", site, given.feeds)
        publishing(table, folder / "first")
        one_item(table, folder / "one")
        sizes(table, folder / "sizes")


def commands(table: Table, folder: Path) -> None:
    """What commands cost that have little to do."""
    titles = {"--help": ("--help",), "status": ("status",), "poll, nothing new": ("poll", "--all")}
    if not table.wants(*(f"{title}, CPU s" for title in titles)):
        return
    places = [folder / str(which) for which in range(len(table.pythons))]
    for python, place in zip(table.pythons, places, strict=True):
        place.mkdir(parents=True)
        (place / "one.xml").write_text(_ONE)
        (place / "feedhub.yaml").write_text(_START)
        for _ in range(2):  # what the first run makes is there for the others
            feedhub(python, place, "poll", "--all")
    for number in range(3 * table.rounds):
        for title, command in titles.items():
            table.measure(
                number,
                lambda which, title=title, command=command: {
                    f"{title}, CPU s": feedhub(table.pythons[which], places[which], *command).cpu
                },
            )
    table.tell()


def feedhub(python: str, folder: Path, command: str, *more: str) -> Spent:
    """Run a command on the configuration in a folder."""
    configured = () if command == "--help" else ("-c", str(folder / "feedhub.yaml"))
    spent = run([python, "-m", "feedhub", command, *more, *configured])
    if spent.code:
        raise SystemExit(f"feedhub {command} exits with {spent.code}")
    return spent


def polls(table: Table, folder: Path, site: Site, count: int) -> None:
    """What commands cost that poll: everything anew, nothing new, little new."""
    variants = {"pages off": "output: {pages: false}\n", "pages on": "", "store only": ""}
    phases = ("cold", "304", "one new in 10 %", "only a date changed")
    for variant, output in variants.items():
        if not table.wants(*(f"{phase}, {variant}, CPU ms/feed" for phase in phases)):
            continue
        more = ("--no-publish",) if variant == "store only" else ()
        for number in range(table.rounds):
            places = configured(table, folder, site, count, output)
            for phase in phases:
                site.become(new=int(phase not in phases[:2]), every=10, built=int(phase == phases[3]))
                title = f"{phase}, {variant}"
                step = partial(polled, table, places, more, title, count)
                table.measure(number, step)
            shutil.rmtree(folder)
            site.become()
        table.tell()


def polled(
    table: Table, places: Sequence[Path], more: Sequence[str], title: str, count: int, which: int
) -> dict[str, float]:
    """Poll by the command; return what a feed cost."""
    spent = feedhub(table.pythons[which], places[which], "poll", "--all", *more)
    wall = {f"{title}, feeds/s of wall": count / spent.wall} if title.startswith("cold") else {}
    return {f"{title}, CPU ms/feed": spent.cpu / count * 1000, **wall}


def configured(table: Table, folder: Path, site: Site, count: int, output: str) -> list[Path]:
    """Write a configuration for each checkout."""
    folder.mkdir()
    places = [folder / str(which) for which in range(len(table.pythons))]
    for place in places:
        config = Path(write_config(place, site, "", count)[-1])
        config.write_text(config.read_text().replace("output: {pages: false}\n", output))
    return places


def running(table: Table, folder: Path, site: Site, count: int) -> None:
    """What polls cost in a process that runs already, as the daemon does."""
    titles = ("304", "one new in 10 %", "only a date changed")
    if not table.wants(*(f"{title}, running process, CPU ms/feed" for title in titles)):
        return
    places = configured(table, folder, site, count, "output: {pages: false}\n")
    processes = [Running(*pair) for pair in zip(table.pythons, places, strict=True)]
    for process in processes:
        process.cpu("poll")
    for number in range(table.rounds):
        for title in titles:
            site.become(new=number + int(title != "304"), every=10, built=number + int(title == titles[2]))
            table.measure(
                number,
                lambda which, title=title: {
                    f"{title}, running process, CPU ms/feed": processes[which].cpu("poll") / count * 1000
                },
            )
    for process in processes:
        process.end()
    table.tell()


class Running:
    """A process of one checkout that polls and publishes when it is told to."""

    def __init__(self, python: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [python, __file__, "--obey", str(folder / "feedhub.yaml")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip

    def cpu(self, order: str) -> float:
        """Give an order; return what it cost, in CPU seconds of all processes that are there before and after it."""
        assert self._process.stdin
        assert self._process.stdout
        before = {pid: cpu_seconds_of(pid) for pid in family(self._process.pid)}
        self._process.stdin.write(f"{order}\n")
        self._process.stdout.readline()
        return sum(cpu_seconds_of(pid) - before.get(pid, 0.0) for pid in family(self._process.pid))

    def end(self) -> None:
        """Let it end."""
        self._process.communicate()


def obey(config: str) -> None:
    """Be the other end of ``Running``, with the feedhub of the checkout that this process belongs to."""
    from feedhub.runtime.hub import Hub
    from feedhub.runtime.plugins import load_settings

    with Hub(load_settings(config)) as hub:
        for line in sys.stdin:
            order, _, name = line.strip().partition(" ")
            if order == "publish":
                hub.publish_due()
            else:
                hub.poll([name] if name else (), everything=not name, and_publish=order == "poll")
            print("done", flush=True)


def local(folder: Path, categories: int, documents: Iterator[str]) -> None:
    """Write a configuration of local files, one for each category."""
    folder.mkdir(parents=True)
    for number, text in enumerate(documents):
        (folder / f"{number}.rss").write_text(text)
    sources = (f"  - {{name: s{number}, url: {number}.rss, category: c{number}}}\n" for number in range(categories))
    (folder / "feedhub.yaml").write_text("site: {title: B, url: 'https://b.example'}\nsources:\n" + "".join(sources))


def filled(category: int, items: int) -> str:
    """Return a document of so many items over sixty days."""
    return document(category, "".join(entry(category, one, 60 * 24 * 60 * one // items) for one in range(items)))


def publishing(table: Table, folder: Path, categories: int = 50, items: int = 100) -> None:
    """What the first publish of a filled store costs, with all pages."""
    title = f"first publish of {categories} × {items} with pages"
    if not table.wants(f"{title}, CPU s", f"{title}, wall s"):
        return
    stored = [folder / f"stored-{which}" for which in range(len(table.pythons))]
    for python, place in zip(table.pythons, stored, strict=True):
        local(place, categories, (filled(number, items) for number in range(categories)))
        feedhub(python, place, "poll", "--all", "--no-publish")

    def publish(which: int) -> dict[str, float]:
        # Left until all is measured: ext4 without a journal searches past the numbers of files that were just removed,
        # a quarter of a millisecond for each new file where those are thousands.
        copy = folder / f"copy-{len(list(folder.iterdir()))}"
        shutil.copytree(stored[which], copy)
        spent = feedhub(table.pythons[which], copy, "publish")
        return {f"{title}, CPU s": spent.cpu, f"{title}, wall s": spent.wall}

    for number in range(table.rounds):
        table.measure(number, publish)
    table.tell()


def one_item(table: Table, folder: Path, categories: int = 100, items: int = 100) -> None:
    """What publishing one new item costs in a running process, beside full categories."""
    title = f"one new item, {categories} × {items}, pages on, CPU ms"
    if not table.wants(title):
        return
    places = [folder / str(which) for which in range(len(table.pythons))]
    for place in places:
        local(place, categories, (filled(number, items) for number in range(categories)))
    processes = [Running(*pair) for pair in zip(table.pythons, places, strict=True)]
    for process in processes:
        process.cpu("poll")

    def publish(which: int, number: int) -> dict[str, float]:
        (places[which] / "7.rss").write_text(document(7, entry(7, items + number, -number)))
        processes[which].cpu("store s7")
        return {title: processes[which].cpu("publish") * 1000}

    for number in range(2 * table.rounds):
        table.measure(number, lambda which, number=number: publish(which, number))
    for process in processes:
        process.end()
    table.tell()


def sizes(table: Table, folder: Path, categories: int = 30, items: int = 100, words: int = 300) -> None:
    """How many bytes a store and its outputs with defaults have for a byte of text; a run gives the same each time."""
    titles = ("database", "output")
    if not table.wants(*(f"{title}, bytes per byte of text" for title in titles)):
        return
    draw = random.Random(20)
    weights = [1 / rank for rank in range(1, len(_WORDS) + 1)]
    texts = [[" ".join(draw.choices(_WORDS, weights, k=words)) for _ in range(items)] for _ in range(categories)]
    size = sum(len(text) for some in texts for text in some)

    def record(category: int, number: int) -> str:
        whole = entry(category, number, 60 * 24 * 60 * number // items)
        head, _, rest = whole.partition("<description>")
        return f"{head}<description>&lt;p&gt;{texts[category][number]}&lt;/p&gt;{rest[rest.index('</description>') :]}"

    def bytes_of(which: int) -> dict[str, float]:
        place = folder / str(which)
        local(place, categories, (document(c, "".join(record(c, n) for n in range(items))) for c in range(categories)))
        feedhub(table.pythons[which], place, "poll", "--all")
        written = sum(path.stat().st_size for path in (place / "output").rglob("*") if path.is_file())
        stored = sum(path.stat().st_size for path in (place / "var").glob("feedhub.db*"))
        return dict(
            zip((f"{title}, bytes per byte of text" for title in titles), (stored / size, written / size), strict=True)
        )

    table.measure(0, bytes_of)
    table.tell()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--obey"]:
        obey(sys.argv[2])
    else:
        os.environ.pop("PYTHONPATH", None)
        main()
