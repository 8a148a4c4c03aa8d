"""What a poll costs beside few and beside many stored items: ``python benchmarks/growth.py [ITEMS [FEEDS]]``.

A store is filled by a poll of the feeds, then one copy of it with 10,000 more items and one with ITEMS (1,000,000), of
1,000 other sources in the same 50 categories, over ten years: all feeds are full in both. Then the same polls run
beside both in turn, each on a copy of what was there. Prints medians: the CPU seconds of all processes and the peak of
the largest one, and the ratios of rounds.
"""

import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedhub.store.tables import unpacked
from feeds import serving
from poll import CATEGORIES, Spent, adopt_orphans, run, write_config

OLD_SOURCES = 1000
ROUNDS = 5
FEW = 10_000
COPIES = """
INSERT INTO sources (id, name, title, host, scheduled, filed_digest, filed_as)
  SELECT 100000 + n, 'old' || n, 'Old ' || n, '', 0, one.filed_digest, one.filed_as
  FROM copies, (SELECT filed_digest, filed_as FROM sources LIMIT 1) AS one WHERE n < :sources;
INSERT INTO items (pk, id, owner_id, shown_by, published_at, first_seen_at, position)
  SELECT 1000000 + n, printf('urn:uuid:%08x-0000-4000-8000-%012x', n * 2654435761 % 4294967296, n),
         100000 + n % :sources, 100000 + n % :sources, :until - n * :step, :until - n * :step, 0 FROM copies;
INSERT INTO identity_keys (text, item_pk, strength, added_at)
  SELECT 'url:' || printf('https://old%d.example/story/%d', n % :sources, n), 1000000 + n, 3, :until - n * :step
  FROM copies;
INSERT INTO sightings (item_pk, source_id, guid, url_key, title, text_digest, extras_digest, first_seen_at, updated_at,
                       left_at, wording, touched, received)
  SELECT 1000000 + n, 100000 + n % :sources, n, printf('https://old%d.example/story/%d', n % :sources, n),
         'Old story ' || n, printf('%032x', n), '', :until - n * :step, :until - n * :step, :until, one.wording, 0, 1
  FROM copies, (
    SELECT json_set(unpacked(wording), '$.content', 'Short.', '$.summary', '') AS wording FROM sightings LIMIT 1
  ) AS one;
INSERT INTO filings (item_pk, source_id, slug, rule, first_seen_at)
  SELECT 1000000 + n, 100000 + n % :sources, 'c' || n % :categories, '', :until - n * :step FROM copies;
INSERT INTO memberships (slug, item_pk, source_id, rule, published_at, first_seen_at, position)
  SELECT 'c' || n % :categories, 1000000 + n, 100000 + n % :sources, '', :until - n * :step, :until - n * :step, 0
  FROM copies;
UPDATE categories SET items = items + (SELECT count(*) FROM copies)
  * CASE slug WHEN 'all' THEN :categories ELSE 1 END / :categories;
INSERT INTO item_search (rowid, title, body)
  SELECT 1000000 + n, 'old story ' || n, 'harbour council season library ' || n FROM copies;
"""


def main() -> None:
    """Fill, then measure."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
    items, feeds = (numbers + [1_000_000, 100][len(numbers) :])[:2]
    adopt_orphans()
    with serving(2 * feeds) as site, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(write_config(folder / "few", site, "", feeds))
        # The same polls with as many feeds again, that are new.
        write_config(folder / "wide", site, "", 2 * feeds)
        shutil.copytree(folder / "few", folder / "many")
        fill(folder / "few" / "var" / "feedhub.db", FEW)
        fill(folder / "many" / "var" / "feedhub.db", items)
        size = (folder / "many" / "var" / "feedhub.db").stat().st_size / 1e6
        print(f"{feeds} feeds; beside {FEW:,} and beside {items:,} old items ({size:,.0f} MB)", flush=True)
        phases: list[tuple[str, Callable[[], None], str]] = [
            ("304", lambda: None, "feedhub.yaml"),
            ("one new item", lambda: site.become(new=1, every=2 * feeds), "feedhub.yaml"),
            ("10 % of the feeds changed", lambda: site.become(changed=3, every=10), "feedhub.yaml"),
            (f"{feeds} new feeds", lambda: None, "wide.yaml"),
        ]
        for which in ("few", "many"):
            shutil.copy(folder / "wide" / "feedhub.yaml", folder / which / "wide.yaml")
        for title, prepare, config in phases:
            prepare()
            few, many = compare(folder, config)
            cpu, peak = ([[getattr(one, name) for one in some] for some in (few, many)] for name in ("cpu", "peak"))
            print(f"{title:<28}{told(cpu, 1, 's')}{told(peak, 1024, 'MB')}", flush=True)


def told(spent: list[list[float]], unit: float, name: str) -> str:
    """Return the medians beside few and many items, and that of the ratios."""
    few, many = (statistics.median(some) / unit for some in spent)
    ratio = statistics.median(b / a for a, b in zip(*spent, strict=True))
    return f"{few:>9.2f} {many:>8.2f} {name}{ratio:>6.2f}"


def compare(folder: Path, config: str) -> tuple[list[Spent], list[Spent]]:
    """Return what some polls cost beside few and many items, in turn, each on a copy of what was there."""
    spent: dict[str, list[Spent]] = {"few": [], "many": []}
    for _ in range(ROUNDS):
        for which, costs in spent.items():
            copy = folder / "copy"
            shutil.copytree(folder / which, copy)
            costs.append(run([sys.executable, "-m", "feedhub", "poll", "--all", "-c", str(copy / config)]))
            shutil.rmtree(copy)
    return spent["few"], spent["many"]


def fill(path: Path, items: int) -> None:
    """Add old items to a store, in SQL: polling them would take hours."""
    until = (datetime(2024, 4, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    step = timedelta(days=3650) // timedelta(microseconds=1) // items
    known = {"sources": OLD_SOURCES, "categories": CATEGORIES, "until": until, "step": step}
    database = sqlite3.connect(path)
    database.create_function("unpacked", 1, unpacked)
    database.execute(
        "CREATE TEMP TABLE copies AS WITH RECURSIVE count(n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM count"
        f" WHERE n + 1 < {items}) SELECT n FROM count"
    )
    for statement in COPIES.split(";")[:-1]:
        database.execute(statement, {name: value for name, value in known.items() if f":{name}" in statement})
    database.commit()
    database.close()


if __name__ == "__main__":
    main()
