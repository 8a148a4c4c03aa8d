"""What a poll costs that brings one new item into one of many full categories: files written, and CPU of publishing.

    python benchmarks/pages.py [--first] [CATEGORIES [ITEMS]]

Everything is local: the sources are files. The first publish, which writes every page and archive, takes minutes: it is
left out, as if it had happened, unless ``--first`` asks for it. CPU time is that of this process.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar
from zoneinfo import ZoneInfo

from feedhub.model.report import PublishReport
from feedhub.pipeline.parts import StoredMonths, StoredParts
from feedhub.pipeline.state import FolderState, written_state
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.jekyll import PostTemplate
from feedhub.publish.templating import PageTemplates
from feedhub.rules.select import ALL, PAGE_SIZE, PART_SIZE, open_in_feed, open_in_list, output_feed
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.publisher import OutputPublisher
from feeds import document, entry

T = TypeVar("T")


def measured(work: Callable[[], T]) -> tuple[T, float, float]:
    """Return what ``work`` gave, its CPU time in this process, and the time on the wall, in seconds."""
    cpu, wall = process_time(), perf_counter()
    result = work()
    return result, process_time() - cpu, perf_counter() - wall


def told(what: str, report: PublishReport, cpu: float, wall: float) -> None:
    """Print one line."""
    kinds: dict[str, int] = {}
    for path in report.written:
        parts = path.split("/")
        kind = "/".join(parts[:2]) if parts[0] == "feeds" and parts[1] == "archive" else parts[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    print(f"{what}: {len(report.written)} files, {cpu * 1000:.0f} ms CPU, {wall * 1000:.0f} ms")
    print("   ", ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())) or "nothing written")


def pretend_published(hub: Hub) -> None:
    """Leave the store and the folder as a first publish would, without its pages."""
    output = hub.settings.output
    (Path(output.dir) / ".feedhub").mkdir(parents=True)
    (Path(output.dir) / "feedhub.json").write_text("{}", "utf-8")
    zone = ZoneInfo(hub.settings.site.timezone)
    for slug in (ALL, *(category.slug for category in hub.store.categories())):
        months = StoredMonths(hub.store, slug, zone)
        feed = output_feed(slug, hub.settings.site, hub.settings.categories, output)
        for notes, size, opened in (
            ("archive", PART_SIZE, partial(open_in_feed, feed=feed)),
            ("pages", PAGE_SIZE, open_in_list),
        ):
            newest = StoredParts(months, size, opened).newest
            if newest is not None:
                note = Path(output.dir) / ".feedhub" / notes / slug / f"{newest.month}.json"
                note.parent.mkdir(parents=True)
                note.write_text(json.dumps({newest.name: ""}), "utf-8")
    number = hub.store.change_number()
    state = FolderState(
        branch=hub.store.branch_of(number),
        as_of=number,
        number=number,
        settings=hub.settings.output_digest,
        design=HtmlSite(hub.settings.site, output, hub.settings.categories).design,
    )
    file = written_state(state)
    (Path(output.dir) / file.path).write_bytes(file.body)


def main() -> None:
    """Fill a store, publish it, then measure single items."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
    categories, items = (numbers + [50, 2000][len(numbers) :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sources = []
        for number in range(categories):
            # Sixty days, evenly.
            entries = "".join(entry(number, one, 60 * 24 * 60 * one // items) for one in range(items))
            (root / f"{number}.rss").write_text(document(number, entries), "utf-8")
            sources.append(f"  - {{name: s{number}, url: {number}.rss, category: c{number}}}\n")
        config = root / "feedhub.yaml"
        config.write_text("site: {title: B, url: 'https://b.example'}\nsources:\n" + "".join(sources), "utf-8")
        settings = load_settings(str(config), environ={})
        with Hub(settings) as hub:
            _, cpu, wall = measured(lambda: hub.poll(everything=True, and_publish=False))
            print(f"stored: {hub.store.item_count()} items, {cpu:.1f} s CPU, {wall:.1f} s")
            publisher = OutputPublisher(settings, PageTemplates, PostTemplate, longest_wait=10)
            if "--first" in sys.argv:
                told("first publish", *measured(lambda: publisher.publish(hub.store, hub.now())))
            else:
                pretend_published(hub)
            told("nothing new", *measured(lambda: publisher.publish(hub.store, hub.now())))
            note = "" if "--first" in sys.argv else ", and what a real first publish would have left"
            for new in range(4):
                (root / "7.rss").write_text(document(7, entry(7, items + new, -new)), "utf-8")
                hub.poll(["s7"], and_publish=False)
                title = "one new item" + (note if new == 0 else "")
                told(title, *measured(lambda: publisher.publish(hub.store, hub.now())))


if __name__ == "__main__":
    main()
