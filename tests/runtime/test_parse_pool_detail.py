"""Second requests are read under the same limits as documents."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import DetailMap, FieldMap, Source
from feedhub.runtime.worker_pool import ParsePool
from feedhub.sources.mapped.full_text import read_detail

SOURCE = Source(name="s", url="https://f.example/", detail=DetailMap(css="article"))
DOCUMENT = Document(url="https://f.example/1", body=b"<html><article><p>Text</p></article></html>", digest="")


@pytest.fixture(scope="module")
def pool() -> Iterator[ParsePool]:
    pool = ParsePool(workers=1, timeout=1.0)
    yield pool
    pool.close()


def test_a_detail_crosses_processes(pool: ParsePool) -> None:
    fields = replace(SOURCE, detail=DetailMap(css="article", fields=(("title", FieldMap(paths=("p",))),)))
    found = pool.detail(DOCUMENT, fields)

    assert found.content is not None
    assert found.content.value == "<article><p>Text</p></article>"
    assert found.item is not None
    assert found.item.title == "Text"
    assert found == read_detail(DOCUMENT, fields)


def test_a_detail_that_is_missing_says_so_across_processes(pool: ParsePool) -> None:
    with pytest.raises(ParseError, match='detail: css "main" matches nothing'):
        pool.detail(DOCUMENT, replace(SOURCE, detail=DetailMap(css="main")))


def test_a_detail_that_takes_too_long_costs_itself(pool: ParsePool) -> None:
    slow = replace(DOCUMENT, body=(b"<div>" * 200 + b"deep" + b"</div>" * 200) * 200)
    started = time.monotonic()

    with pytest.raises(ParseError, match="took longer than 1 s"):
        pool.detail(slow, replace(SOURCE, detail=DetailMap(css="div div div p")))

    assert time.monotonic() - started < 30
    assert pool.detail(DOCUMENT, SOURCE).content is not None


def test_details_are_read_for_many_threads_at_once(pool: ParsePool) -> None:
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.append(pool.detail(DOCUMENT, SOURCE).content is not None))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [True] * 8
