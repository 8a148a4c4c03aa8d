"""What it costs to try and to change rules on a large store: ``python benchmarks/rules.py FOLDER [ITEMS]``.

FOLDER holds captured feeds. They are polled once, and what was stored is repeated under other addresses until there are
ITEMS items (100,000). Prints the time and the memory of all processes of ``feedhub rules test`` for conditions on
title, link, tags and source and for one on content; then how long after a drop rule was saved it is in force in a
daemon that polls ten live sources every two seconds, the longest wait of one of these meanwhile, and whether taking
the rule out gives the bytes from before.
"""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

from feedhub.store.tables import unpacked
from processes import cpu_seconds_of, family, megabytes_of

LIVE = 10
EVERY = 2.0
CATEGORIES = 20
QUICK = """rules:
  - {name: title, when: {title: '(?i)job'}, then: {drop: true}}
  - {name: link, when: {link: '/20(19|20|21)/'}, then: {category: c3}}
  - {name: tags, when: {tags: [python, news, podcast]}, then: {tag: seen}}
  - {name: source, when: {source: '*7'}, then: {category: c5}}
  - {name: edit, when: {title: 'the '}, then: {replace: {field: title, pattern: 'the ', with: 'The '}}}
"""
SLOW = "rules: [{name: content, when: {content: '(?i)open source'}, then: {drop: true}}]\n"
DROP = "rules: [{name: drop, when: {title: 'the '}, then: {drop: true}}]\n"


def main() -> None:
    feeds, items = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with tempfile.TemporaryDirectory() as name, live_sources() as (address, asked):
        folder = Path(name)
        config = configured(folder, feeds, items, address)
        count = sqlite3.connect(folder / "feedhub.db").execute("SELECT count(*) FROM items").fetchone()[0]
        size = (folder / "feedhub.db").stat().st_size / 1e6
        print(f"{count:,} items, {size:,.0f} MB", flush=True)
        for what, text in (("title, link, tags, source", QUICK), ("content", SLOW)):
            (folder / "new.yaml").write_text(text)
            seconds, cpu, peak, said = measured(
                ["rules", "test", str(folder / "new.yaml"), "--json", "-c", str(config)]
            )
            leave = json.loads(said)["leave"]
            figures = f"{seconds:>8.1f} s{cpu:>8.1f} s of CPU{peak:>8.0f} MB"
            print(f"rules test, {what:<28}{figures}   {leave:,} would leave", flush=True)
        changed_in_daemon(folder, config, asked)


def configured(folder: Path, feeds: Path, items: int, address: str) -> Path:
    """Fill a store, and return a configuration of all its sources and some live ones."""
    paths = sorted(path for path in feeds.rglob("*") if path.suffix in {".xml", ".atom", ".rss", ".json"})
    base = [
        f"  - {{name: f{number}, url: '{path.resolve()}', category: c{number % CATEGORIES}}}\n"
        for number, path in enumerate(paths)
    ]
    head = (
        "site: {title: Benchmark, url: https://news.example.org}\nstore: sqlite:///feedhub.db\n"
        "output: {pages: false}\nretention: {days: 9999, items: 1000000}\n"
        f"poll: {{min: 1s, allow_private: ['{address}'], per_host: {{concurrent: 16, gap: 0s}}}}\n"
        f"categories: {{{', '.join(f'c{number}: {{title: Category {number}}}' for number in range(CATEGORIES))}}}\n"
    )
    config = folder / "feedhub.yaml"
    config.write_text(f"{head}sources:\n{''.join(base)}")
    run(["poll", "--all", "--no-publish", "-c", str(config)])
    copies = fill(folder / "feedhub.db", items)
    more = [
        f"  - {{name: f{number}-{copy}, url: {number}-{copy}.xml, category: c{number % CATEGORIES}, paused: true}}\n"
        for copy in range(1, copies + 1)
        for number in range(len(paths))
    ]
    paused = [line.replace("}\n", ", paused: true}\n") for line in base]
    live = [
        f"  - {{name: live{number}, url: 'http://{address}/{number}', category: c0, every: {EVERY:g}s}}\n"
        for number in range(LIVE)
    ]
    config.write_text(f"{head}sources:\n{''.join([*paused, *more, *live])}")
    return config


def fill(path: Path, items: int) -> int:
    """Repeat what is stored under other names and addresses; return how many times."""
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    tables = ("sources", "items", "sightings", "filings", "memberships", "identity_keys")
    base = {table: [dict(row) for row in database.execute(f"SELECT * FROM {table}")] for table in tables}
    step = max(row["pk"] for row in base["items"])
    copies = max(0, items // len(base["items"]) - 1)
    for copy in range(1, copies + 1):
        for table in tables:
            rows = [_copied(table, row, copy, step) for row in base[table]]
            names = ", ".join(f'"{name}"' for name in rows[0])
            places = ", ".join("?" * len(rows[0]))
            database.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({places})", [tuple(row.values()) for row in rows]
            )
    database.execute("DELETE FROM meta WHERE key = 'search_terms'")  # the next command makes the index anew
    database.commit()
    database.close()
    return copies


def _copied(table: str, row: dict[str, Any], copy: int, step: int) -> dict[str, Any]:
    """Return a row of the copy: other numbers, names, ids, keys and addresses, the same texts."""
    hours = copy * 3_600_000_000
    made = dict(row)
    for name, value in row.items():
        if name in {"source_id", "owner_id", "shown_by"} or (table == "sources" and name == "id"):
            made[name] = value and value + copy * 10_000
        elif name in {"item_pk", "pk"}:
            made[name] = value + copy * step
        elif name in {"published_at", "first_seen_at", "updated_at"}:
            made[name] = value - hours
    if table == "sources":
        made["name"] += f"-{copy}"
    elif table == "items":
        made["id"] = uuid.uuid5(uuid.NAMESPACE_URL, f"{row['id']}{copy}").urn
    elif table == "identity_keys":
        made["text"] += f"~{copy}"
    elif table == "sightings":
        wording = json.loads(unpacked(row["wording"]) or "")
        if wording.get("link"):
            wording["link"] = wording["link"].replace("://", f"://copy{copy}.")
        made["wording"] = json.dumps(wording, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        made["url_key"] = row["url_key"] and f"{row['url_key']}~{copy}"
    return made


def changed_in_daemon(folder: Path, config: Path, asked: dict[str, list[float]]) -> None:
    """Put a drop rule in force in a daemon and take it out again."""
    log = folder / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "feedhub", "run", "--log", "json", "-c", str(config)]
        daemon = subprocess.Popen(command, stderr=out, stdout=out)
    try:
        wait_for(lambda: (folder / "output" / "feedhub.json").exists() and said(log, "published"))
        time.sleep(3 * EVERY)
        before, text = digest(folder / "output"), config.read_text()
        for what, changed in (("a drop rule", text + DROP), ("taking it out", text)):
            asked.clear()
            done, began = said(log, "stored items are filed"), time.monotonic()
            config.write_text(changed)
            wait_for(lambda done=done: said(log, "stored items are filed") > done)
            filed = time.monotonic() - began
            published = said(log, '"published"')
            wait_for(lambda published=published: said(log, '"published"') > published)
            in_force = time.monotonic() - began
            time.sleep(2 * EVERY)
            waits = [later - at for times in asked.values() for at, later in pairwise(times)]
            print(
                f"{what}: filed after {filed:.1f} s, in force after {in_force:.1f} s; "
                f"longest wait between two polls of a source {max(waits):.1f} s, meant {EVERY:g}",
                flush=True,
            )
        same = digest(folder / "output") == before
        print(f"the bytes from before: {'yes' if same else 'NO'}")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


def wait_for(condition: Any, seconds: float = 1_200) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.05)


def said(log: Path, words: str) -> int:
    return log.read_text("utf-8").count(words)


def digest(folder: Path) -> str:
    """Return a digest of all that is published."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".feedhub" not in path.parts and path.name != "health.atom":
            whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


@contextmanager
def live_sources() -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Serve some small feeds; yield the address, and when each was asked for."""
    asked: dict[str, list[float]] = defaultdict(list)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[self.path].append(time.monotonic())
            body = (
                f"<rss version='2.0'><channel><title>Live {self.path}</title><item><title>Still</title>"
                f"<guid>{self.path}</guid></item></channel></rss>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()


def run(arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", "feedhub", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode in {0, 1}, ran.stderr


def measured(arguments: list[str]) -> tuple[float, float, float, str]:
    """Run a command; return its seconds, those of CPU, the peak memory in MB (all processes), and what it said."""
    began, peak, spent = time.monotonic(), 0.0, dict[int, float]()
    with subprocess.Popen([sys.executable, "-m", "feedhub", *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        parts: list[str] = []
        reader = threading.Thread(target=lambda: parts.append(process.stdout.read()))
        reader.start()
        while process.poll() is None:
            pids = list(family(process.pid))
            peak = max(peak, megabytes_of(pids))
            spent.update((pid, max(spent.get(pid, 0.0), cpu_seconds_of(pid))) for pid in pids)
            time.sleep(0.1)
        seconds = time.monotonic() - began
        reader.join()
    assert process.returncode == 0
    return seconds, sum(spent.values()), peak, parts[0]


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
