"""What the shared feeds and the data files give is fixed byte for byte: ids, order, counts and published files.

Only digests and counts are kept. Four polls: everything new; the same with only a comment more; with a word changed
everywhere; and back. After a change that is meant to show, write the list anew and look at the difference:

    FEEDHUB_GOLDEN=write pytest tests/e2e/test_golden_outputs.py
"""

import hashlib
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from feedhub.model.document import Document, NotModified, Request
from feedhub.model.report import Outcome
from feedhub.ports.world import Fetcher
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from support.site import needs_shared_feeds, shared_feeds

GOLDEN = Path(__file__).parent / "golden_outputs.json"
DATA = Path(__file__).parent.parent / "sources" / "data"
START = datetime(2026, 11, 1, 8, tzinfo=UTC)
ROUNDS = ("new", "comment", "edited", "back")


def edited(body: bytes, number: int) -> bytes:
    """Return a document as it is in a round: as captured, with volatile parts changed, or with words changed."""
    if ROUNDS[number] == "comment":
        return body.replace(b"</channel>", b"<!-- 17 readers --></channel>").replace(b"</feed>", b"<!-- 17 --></feed>")
    if ROUNDS[number] == "edited":
        return body.replace(b" the ", b" that ").replace("的".encode(), "之".encode())
    return body


class Folder:
    """A fetcher over files: ``https://feeds.example/FOLDER/NAME``."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.bodies = {f"https://feeds.example/{file.parent.name}/{file.name}": file.read_bytes() for file in files}
        self.number = 0

    def fetch(self, request: Request) -> Document | NotModified:
        body = edited(self.bodies[request.url], self.number)
        digest = hashlib.sha256(body).hexdigest()
        return Document(url=request.url, body=body, digest=digest, fetched_at=START + timedelta(hours=self.number))

    def close(self) -> None:
        pass


class FolderHub(Hub):
    """A hub whose sources lie in a folder, and whose clock stands at the hour of the round."""

    folder: Folder

    @cached_property
    def fetcher(self) -> Fetcher:
        return self.folder


def published(files: list[Path], place: Path) -> dict[str, Any]:
    """Poll ``files`` in all rounds and return what came out, as counts and digests."""
    sources = "".join(
        f"  - {{name: '{file.parent.name}-{file.name}', url: 'https://feeds.example/{file.parent.name}/{file.name}', "
        f"category: [{file.parent.name}, everything]}}\n"
        for file in files
    )
    (place / "feedhub.yaml").write_text(
        "site: {title: Golden, url: https://news.example.org, timezone: Asia/Shanghai}\n"
        f"output: {{entries: 2000, pages: false}}\nsources:\n{sources}",
        "utf-8",
    )
    folder = Folder(files)
    found: dict[str, Any] = {}
    for number, name in enumerate(ROUNDS):
        folder.number = number
        hub = FolderHub(load_settings(str(place / "feedhub.yaml")), now=lambda: START + timedelta(hours=number))  # noqa: B023
        hub.folder = folder
        with hub:
            reports = hub.poll(everything=True).reports
            # What a poll skips because nothing in it changed is no result.
            rows = [(report.source, report.outcome is Outcome.FAILED, report.new, report.changed) for report in reports]
            items = sorted(stored.id for stored in hub.store.newest("all", 100_000))
        found[name] = {
            "counts": {"failed": sum(row[1] for row in rows), "new": sum(row[2] for row in rows)},
            "reports": _digest(repr(rows)),
            "items": len(items),
            "ids": _digest("\n".join(items)),
            "files": {
                path.name: _digest(path.read_bytes())
                for path in sorted((place / "output" / "feeds").iterdir())
                if path.is_file() and path.stem != "health"  # tells of polls, not of documents
            },
        }
    return found


def _digest(value: str | bytes) -> str:
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()[:32]


def compare(name: str, files: list[Path], place: Path) -> None:
    found = published(files, place)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("FEEDHUB_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps({**golden, name: found}, indent=1, sort_keys=True) + "\n")
    else:
        assert found == golden[name]


@needs_shared_feeds
def test_the_captured_feeds_give_the_same_ids_and_bytes_as_ever(tmp_path: Path) -> None:
    compare("shared", shared_feeds(), tmp_path)


def test_the_data_files_give_the_same_ids_and_bytes_as_ever(tmp_path: Path) -> None:
    names = (path for path in DATA.iterdir() if not path.name.endswith(".expected.json"))
    compare("data", sorted(names), tmp_path)
