"""Every data file gives what the expected file beside it says; a bug report becomes a data file."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from support.parsed import feed_as_plain
from support.reading import read_document

DATA = Path(__file__).parent / "data"
CASES = sorted(path.name.removesuffix(".expected.json") for path in DATA.glob("*.expected.json"))


def read_case(name: str, given: dict[str, Any]) -> dict[str, Any]:
    url = given.get("url", "https://feeds.example/dir/feed.xml")
    document = Document(
        url=url,
        body=(DATA / name).read_bytes(),
        digest="",
        charset=given.get("charset"),
        fetched_at=datetime.fromisoformat(given["fetched_at"]) if "fetched_at" in given else None,
    )
    source = Source(
        name="case",
        url=url,
        encoding=given.get("encoding"),
        timezone=given.get("timezone", "UTC"),
        limit=given.get("limit"),
    )
    try:
        # How it was read says nothing that the rest does not.
        return feed_as_plain(replace(read_document(document, source), reading="", is_apart=False))
    except ParseError as exc:
        return {"error": str(exc), "offers": list(exc.offers)}


@pytest.mark.parametrize("name", CASES)
def test_a_data_file_gives_what_is_expected(name: str) -> None:
    expected = json.loads((DATA / f"{name}.expected.json").read_text(encoding="utf-8"))

    assert read_case(name, expected["given"]) == expected["gives"]


def test_every_data_file_has_an_expected_file() -> None:
    files = {path.name for path in DATA.iterdir() if not path.name.endswith(".expected.json")}

    assert files == set(CASES)
