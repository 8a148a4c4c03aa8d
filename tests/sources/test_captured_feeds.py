"""Captured feeds beside the project: every file gives items, or a reason in words."""

from pathlib import Path

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.sources.markup import HtmlCleaner
from support.reading import read_document

FEEDS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "feeds"
FILES = sorted(path for path in FEEDS.glob("*/*") if path.is_file())


@pytest.mark.skipif(not FILES, reason="no captured feeds beside the project")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_captured_feed_gives_items_or_a_reason(path: Path) -> None:
    url = f"https://feeds.example/{path.name}"
    source = Source(name="captured", url=url)
    try:
        feed = read_document(Document(url=url, body=path.read_bytes(), digest=""), source)
    except ParseError as exc:
        assert str(exc).startswith(("a web page", "XML, but not a feed"))  # noqa: PT017 - an error is one right outcome
        return

    for item in feed.items:
        assert item.title or item.summary or item.content or item.link
        assert item.link is None or item.link.startswith(("http://", "https://"))
        assert item.published_at is None or 1990 <= item.published_at.year <= 2026
        assert "\ufffd" not in item.title
        HtmlCleaner().clean(item, source)
