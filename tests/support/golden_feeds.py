"""What every captured feed gives, as counts and digests: ``make golden`` writes them down.

Only digests are kept, not the texts. Run it when items are meant to change, and say in the commit why.
"""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.sources.markup import HtmlCleaner
from support.parsed import as_plain
from support.reading import read_document

ROOT = Path(__file__).resolve().parents[2]
FEEDS = ROOT.parent / "shared" / "data" / "feeds"
GOLDEN = ROOT / "tests" / "sources" / "golden_feeds.json"
_FETCHED_AT = datetime(2026, 1, 1, tzinfo=UTC)
_LENGTH = 32


def captured_feeds() -> list[Path]:
    """Return the captured feeds beside the project; an empty list where there are none."""
    return sorted(path for path in FEEDS.glob("*/*") if path.is_file())


def name_of(path: Path) -> str:
    """Return the name under which a feed stands in the list."""
    return f"{path.parent.name}/{path.name}"


def digests_of(path: Path) -> dict[str, Any]:
    """Return what a feed gives: counts, a digest of the feed itself, and of each item as parsed and as cleaned."""
    url = f"https://feeds.example/{path.parent.name}/{path.name}"
    source = Source(name="golden", url=url)
    document = Document(url=url, body=path.read_bytes(), digest="", fetched_at=_FETCHED_AT)
    try:
        # How it was read says nothing that the items do not.
        feed = replace(read_document(document, source), reading="", is_apart=False)
    except ParseError as error:
        return {"error": _digest(str(error), error.offers)}
    cleaner = HtmlCleaner()
    # Its date is among what was parsed.
    cleaned = [replace(cleaner.clean(item, source), published_at=None) for item in feed.items]
    return {
        "count": len(feed.items),
        "rejected": len(feed.rejected),
        "feed": _digest(replace(feed, items=())),
        "parsed": [_digest(item) for item in feed.items],
        "cleaned": [_digest(item) for item in cleaned],
        "whole": _digest(feed, tuple(cleaned)),
    }


def _digest(*values: object) -> str:
    """Return a SHA-256 over every field that is not empty, so that a new field alone changes nothing."""
    written = json.dumps([as_plain(value) for value in values], sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:_LENGTH]


def main() -> None:
    """Write the list."""
    paths = captured_feeds()
    if not paths:
        raise SystemExit(f"no captured feeds in {FEEDS}")
    lines = ",\n".join(f"{json.dumps(name_of(path))}: {json.dumps(digests_of(path))}" for path in paths)
    GOLDEN.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{len(paths)} feeds in {GOLDEN.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
