"""This checkout beside another one, in pairs: what each reads, cleans and polls, as ratios of CPU time.

    python benchmarks/beside.py OTHER/.venv/bin/python [--pairs 20] [--captured FOLDER] [--feeds 200] [--only TEXT]

Each pair runs both in turn, the first of one pair being the second of the next, so that what else the machine does
falls on both. Prints the median of the pairs' ratios (this checkout to the other), the range that half of them lie in,
and the CPU milliseconds of a run and of a document. Captured documents that hold dates which the other checkout does
not read, or items without any, are apart: dates of more languages take longer.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evil_sources import EVIL
from feeds import Site, feed_bytes, serving
from poll import adopt_orphans, run, write_config

_HOSTILE = ("100000 entries", "author", "deep xml", "deep markup", "ampersands", "entities")
_OWN_FEEDS = 10

Spend = Callable[[int], float]
"""Runs this checkout (0) or the other (1), and returns its CPU seconds."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("other")
    arguments.add_argument("--pairs", type=int, default=20)
    arguments.add_argument("--captured", type=Path)
    arguments.add_argument("--feeds", type=int, default=200)
    arguments.add_argument("--only", default="")
    given = arguments.parse_args()
    adopt_orphans()
    pythons = (sys.executable, given.other)
    print(f"{f'{given.pairs} pairs':<38}{'ratio':>8}{'half':>13}{'ms':>9}{'other':>9}{'ms/doc':>9}", flush=True)
    with tempfile.TemporaryDirectory() as name, serving(given.feeds) as site:
        folder = Path(name)
        for row in (*_reading(pythons, folder, given.captured), *_polling(pythons, folder, site, given.feeds)):
            if given.only in row.title:
                row.measure(given.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One thing that both checkouts do to ``count`` documents."""

    title: str
    count: int
    spend: Spend
    between: Callable[[int], object] = lambda number: None
    """Called before each pair."""

    def measure(self, pairs: int) -> None:
        self.spend(0), self.spend(1)  # what the first run makes is there for the others
        spent: tuple[list[float], list[float]] = ([], [])
        for number in range(pairs):
            self.between(number)
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                spent[which].append(self.spend(which) * 1000)
        ratios = sorted(one / other for one, other in zip(*spent, strict=True))
        half = f"{ratios[len(ratios) // 4]:.2f}–{ratios[-1 - len(ratios) // 4]:.2f}"
        ours, others = (statistics.median(costs) for costs in spent)
        figures = f"{statistics.median(ratios):>8.3f}{half:>13}{ours:>9.1f}{others:>9.1f}{ours / self.count:>9.2f}"
        print(f"{self.title:<38}{figures}", flush=True)


def _reading(pythons: tuple[str, str], folder: Path, captured: Path | None) -> Iterator[_Row]:
    readers = [_Reader(python) for python in pythons]
    corpora = {"own feeds": {str(number): feed_bytes(number) for number in range(_OWN_FEEDS)}}
    if captured:
        found = {
            f"{path.parent.name}-{path.name}": path.read_bytes() for path in captured.glob("*/*") if path.is_file()
        }
        apart = readers[1].ask("undated", _written(folder / "all captured", found)).split("\t")
        corpora["captured"] = {name: body for name, body in found.items() if name not in apart}
        corpora["undated or foreign"] = {name: body for name, body in found.items() if name in apart}
    places = {name: _written(folder / name, bodies) for name, bodies in corpora.items()}
    hostile = {f"hostile: {name}": _written(folder / name, {"x": _document(name)}) for name in _HOSTILE}
    rows = [(f"{name}: {step}", step, place) for name, place in places.items() for step in ("read", "clean", "both")]
    for title, step, place in (*rows, *((name, "both", place) for name, place in hostile.items())):
        count = len(list(place.iterdir()))
        yield _Row(title=title, count=count, spend=lambda n, s=step, p=place: float(readers[n].ask(s, p)))


def _written(folder: Path, bodies: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    return folder


def _document(name: str) -> bytes:
    pieces: list[bytes] = []
    EVIL[name](pieces.append)
    return b"".join(pieces).partition(b"\r\n\r\n")[2]


class _Reader:
    """A process of one checkout that reads a folder of documents when it is asked to."""

    def __init__(self, python: str) -> None:
        command = [python, __file__, "--answer"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, step: str, place: Path) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{step}\t{place}\n")
        return self._process.stdout.readline().rstrip("\n")


def _answer() -> None:
    """Be the other end of ``_Reader``, with the feedhub of the checkout that this process belongs to."""
    from feedhub.errors import ParseError
    from feedhub.model.document import Document
    from feedhub.model.item import ParsedFeed
    from feedhub.model.source import Source
    from feedhub.sources.kinds import FEED
    from feedhub.sources.markup import HtmlCleaner
    from feedhub.sources.read import read_and_clean, read_document

    source = Source(name="s", url="https://feeds.example/x")
    cleaner = HtmlCleaner()

    def feed_of(document: Document, read: Callable[[Document, Source, str], ParsedFeed] = read_document) -> ParsedFeed:
        try:
            return read(document, source, FEED.reader)
        except ParseError:
            return ParsedFeed(title="", items=())

    for line in sys.stdin:
        step, _, place = line.rstrip("\n").partition("\t")
        paths = sorted(Path(place).iterdir())
        documents = [Document(url=f"https://feeds.example/{p.name}", body=p.read_bytes(), digest="") for p in paths]
        feeds = [feed_of(document) for document in documents] if step in ("clean", "undated") else []
        began = time.process_time()
        for feed in feeds if step == "clean" else ():
            for item in feed.items:
                cleaner.clean(item, source)
        for document in documents if step in ("read", "both") else ():
            feed_of(document, read_document if step == "read" else read_and_clean)
        spent = time.process_time() - began
        undated = zip(paths, feeds, strict=True) if step == "undated" else ()
        names = [path.name for path, feed in undated if any(item.published_at is None for item in feed.items)]
        print("\t".join(names) if step == "undated" else spent, flush=True)


def _polling(pythons: tuple[str, str], folder: Path, site: Site, count: int) -> Iterator[_Row]:
    places = iter(range(1_000_000))

    def command(which: int) -> list[str]:
        return [pythons[which], *write_config(folder / f"poll-{next(places)}", site, "", count)[1:]]

    def spent(command: list[str]) -> float:
        cost = run(command)
        assert cost.code == 0, command
        return cost.cpu

    yield _Row(title="poll: cold", count=count, spend=lambda which: spent(command(which)))
    stored = [command(0), command(1)]
    for known in stored:
        spent(known)
    yield _Row(title="poll: 304", count=count, spend=lambda which: spent(stored[which]))
    yield _Row(
        title="poll: 10 % changed",
        count=count,
        spend=lambda which: spent(stored[which]),
        between=lambda number: site.become(changed=3 * (number % 2 == 0), every=10),
    )


if __name__ == "__main__":
    _answer() if sys.argv[1:] == ["--answer"] else main()
