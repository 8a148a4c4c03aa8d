"""When an answer came: what ``3分钟前`` inside it counts from (SPEC §3.2)."""

import os
from datetime import UTC, datetime
from pathlib import Path

from feedhub.fetch.fetcher import HttpFetcher
from feedhub.fetch.local import LocalFetcher
from feedhub.model.document import Document
from support.fetching import NOW, ask
from support.responders import static
from support.server import LoopbackServer


def test_an_answer_carries_the_time_it_came(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/list"] = static()
    answer = fetcher.fetch(ask(server.url("/list")))

    assert isinstance(answer, Document)
    assert answer.fetched_at == NOW


def test_a_file_carries_the_time_it_was_last_written(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("[]", encoding="utf-8")
    os.utime(path, (0, 1_700_000_000))
    answer = LocalFetcher().fetch(ask(path.as_uri()))

    assert isinstance(answer, Document)
    assert answer.fetched_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_two_equal_answers_are_equal_whenever_they_came() -> None:
    early = Document(url="https://a.example/", body=b"x", digest="d", fetched_at=NOW)

    assert early == Document(url="https://a.example/", body=b"x", digest="d")
