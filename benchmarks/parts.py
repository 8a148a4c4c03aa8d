"""The steps of one document of 62 KB with 30 new entries, each alone: CPU milliseconds, the best of many runs.

python benchmarks/parts.py

The rules keep what they have just worked out, and so "keys" and "judge" show less than a document costs that comes for
the first time. The last two lines do not: every document of them is another one.
"""

import pickle
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from feedhub.model.document import Document
from feedhub.model.identity import KnownKeys
from feedhub.model.source import Source
from feedhub.pipeline.fetch import Fetched
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import keyed_document
from feedhub.rules.text import item_terms
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.sources.charset import decode
from feedhub.sources.feed.dialects import read_dialect
from feedhub.sources.kinds import FEED
from feedhub.sources.markup import HtmlCleaner
from feedhub.sources.read import read_and_clean, read_document
from feedhub.store.tables import encode_item
from feeds import ENTRIES, feed_bytes

RUNS = 60
TOGETHER = 10


def main() -> None:
    source = Source(name="s", url="https://feeds.example/3")
    document = Document(url=source.url, body=feed_bytes(3), digest="")
    text = decode(document.body).text
    feed = read_document(document, source, FEED.reader)
    same = Document(url=source.url, body=document.body, digest="", known_reading=feed.reading or "")
    cleaner = HtmlCleaner()
    items = [cleaner.clean(item, source) for item in feed.items]
    keyed = keyed_document(feed.items, source)
    prepared = read_and_clean(document, source, FEED.reader)
    steps: dict[str, Callable[[], object]] = {
        "feedparser alone": lambda: read_dialect(text, source.url),
        "read": lambda: read_document(document, source, FEED.reader),
        "read, nothing used is new": lambda: read_document(same, source, FEED.reader),
        "sanitise": lambda: [cleaner.clean(item, source) for item in feed.items],
        "cut into search terms": lambda: [item_terms(item) for item in items],
        "to another process and back": lambda: pickle.loads(pickle.dumps(prepared, 5)),
        "keys": lambda: keyed_document(feed.items, source),
        "judge": lambda: judge(
            keyed, KnownKeys(), source=source, site_url="https://news.example.org", now=datetime.now(UTC)
        ),
        "encode": lambda: [encode_item(item) for item in items],
    }
    for name, step in steps.items():
        print(f"{name:<34}{best(step):>12.2f}")
    print(f"{'dedupe and store, one by one':<34}{storing(1):>12.2f}")
    print(f"{f'dedupe and store, {TOGETHER} together':<34}{storing(TOGETHER):>12.2f}")
    print(f"{'dedupe and store what is known':<34}{storing(1, rounds=2):>12.2f}")


def storing(together: int, *, rounds: int = 1) -> float:
    """Return what dedupe and storing take of each document, ``together`` in one transaction, in the last round."""
    count = RUNS // together * together
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "feedhub.yaml"
        sources = "".join(f"  - {{name: s{n}, url: 'https://f{n}.example/', category: c}}\n" for n in range(count))
        config.write_text(f"site: {{title: B, url: 'https://b.example'}}\nsources:\n{sources}")
        with Hub(load_settings(str(config), environ={})) as hub:
            hub.sync()
            fetched = []
            for number, source in enumerate(hub.settings.sources):
                answer = Document(url=source.url, body=feed_bytes(number), digest="")
                feed = read_and_clean(answer, source, FEED.reader)
                keyed = keyed_document(feed.items, source)
                fetched.append(Fetched(source=source, answer=answer, feed=feed, keyed=keyed))
            for _ in range(rounds):
                spent = []
                for start in range(0, count, together):
                    began = time.process_time()
                    hub.ingester.ingest_all(fetched[start : start + together])
                    spent.append((time.process_time() - began) / together)
            assert hub.store.item_count() == count * ENTRIES
    return min(spent) * 1000


def best(step: Callable[[], object]) -> float:
    fastest = float("inf")
    for _ in range(RUNS):
        started = time.process_time()
        step()
        fastest = min(fastest, time.process_time() - started)
    return fastest * 1000


if __name__ == "__main__":
    main()
