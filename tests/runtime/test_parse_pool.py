"""GUARANTEES 8: parsing is bounded; one evil document costs itself."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.kind import SourceKind
from feedhub.model.source import Source
from feedhub.runtime.worker_pool import ParsePool
from feedhub.sources.kinds import KINDS
from support.reading import read_and_clean

EVIL = ("sleeps", "dies", "devours", "breaks", "refuses", "tells_pid", "runs_out_of_memory")
ALL_KINDS = {
    **{kind.name: kind for kind in KINDS.kinds},
    **{name: SourceKind(name=name, meaning="evil", reader=f"support.evil_kinds:{name}") for name in EVIL},
}
FEED = b'<rss version="2.0"><channel><title>T</title><item><title>One</title></item></channel></rss>'
DOCUMENT = Document(url="https://f.example/", body=FEED, digest="")


def source(kind: str = "feed") -> Source:
    return Source(name="s", url="https://f.example/", kind=kind)


@pytest.fixture(scope="module")
def pool() -> Iterator[ParsePool]:
    pool = ParsePool(workers=2, timeout=1.0, kinds=ALL_KINDS.__getitem__)
    yield pool
    pool.close()


def test_a_feed_crosses_processes_as_it_is_read(pool: ParsePool) -> None:
    assert pool.parse(DOCUMENT, source()) == read_and_clean(DOCUMENT, source())


def test_every_field_of_a_record_crosses_processes(pool: ParsePool) -> None:
    entry = (
        "<item><title>One</title><link>https://f.example/1</link><guid>g</guid><author>A</author><category>c</category>"
        "<pubDate>Mon, 02 Nov 2026 08:00:00 GMT</pubDate><comments>https://f.example/1/c</comments>"
        "<description>&lt;b&gt;Bold&lt;/b&gt; 银行</description>"
        "<enclosure url='https://f.example/a.mp3' length='7'/></item>"
    )
    body = FEED.replace(b"<item><title>One</title></item>", f"{entry}<item/>".encode())
    crossed = pool.parse(replace(DOCUMENT, body=body), source())
    assert crossed == read_and_clean(replace(DOCUMENT, body=body), source())
    assert hash(crossed.items[0]) == hash(replace(crossed.items[0]))
    assert (len(crossed.items), len(crossed.rejected), len(crossed.cleaned)) == (1, 1, 1)
    with pytest.raises(AttributeError):
        crossed.title = "another"  # type: ignore[misc]


def test_documents_are_read_in_another_process(pool: ParsePool) -> None:
    assert pool.parse(DOCUMENT, source("tells_pid")).title != str(os.getpid())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("sleeps", "it took longer than 1 s"),
        ("dies", "its process died; it may need too much memory"),
        ("devours", "it needs too much memory"),
        ("runs_out_of_memory", "it needs too much memory"),
        ("breaks", "cannot be read: KeyError: 'surprise'"),
    ],
)
def test_an_evil_document_is_a_parse_error_and_the_next_is_read(pool: ParsePool, kind: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        pool.parse(DOCUMENT, source(kind))

    assert pool.parse(DOCUMENT, source()).title == "T"


def test_what_a_page_offers_crosses_processes(pool: ParsePool) -> None:
    with pytest.raises(ParseError, match="no") as caught:
        pool.parse(DOCUMENT, source("refuses"))

    assert caught.value.offers == ("https://offered.example/",)
    assert caught.value.status is None


def test_others_are_undisturbed_while_one_is_killed() -> None:
    pool = ParsePool(workers=2, timeout=2.0, kinds=ALL_KINDS.__getitem__)  # long enough for the second one to start
    outcomes: list[str] = []

    def parse(kind: str) -> None:
        try:
            outcomes.append(pool.parse(DOCUMENT, source(kind)).title)
        except ParseError as exc:
            outcomes.append(str(exc))

    threads = [threading.Thread(target=parse, args=(kind,)) for kind in ("sleeps", *["feed"] * 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    pool.close()
    assert outcomes.count("T") == 20
    assert outcomes[-1] == "cannot be read: it took longer than 2 s"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_workers_killed_while_idle_are_replaced(pool: ParsePool) -> None:
    for _ in range(2):
        os.kill(int(pool.parse(DOCUMENT, source("tells_pid")).title), signal.SIGKILL)
        time.sleep(0.3)

        assert pool.parse(DOCUMENT, source()).title == "T"


def test_a_closed_pool_reads_nothing_more() -> None:
    pool = ParsePool()
    pool.close()

    with pytest.raises(ParseError, match="it was stopped"):
        pool.parse(DOCUMENT, source())


def test_closing_stops_what_is_being_read() -> None:
    pool = ParsePool(workers=1, timeout=30, kinds=ALL_KINDS.__getitem__)
    reasons: list[str] = []

    def parse() -> None:
        try:
            pool.parse(DOCUMENT, source("sleeps"))
        except ParseError as exc:
            reasons.append(str(exc))

    pool.parse(DOCUMENT, source())
    thread = threading.Thread(target=parse)
    thread.start()
    time.sleep(0.3)
    pool.close()
    thread.join(5)

    assert not thread.is_alive()
    assert reasons == ["cannot be read: it was stopped"]


def test_a_kind_that_nobody_offers_is_a_parse_error() -> None:
    with pytest.raises(ParseError, match="unknown kind 'no_such_kind'"):
        ParsePool().parse(DOCUMENT, source("no_such_kind"))


def test_a_program_that_forgets_to_close_ends_without_hanging(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from feedhub.model.document import Document\n"
        "from feedhub.model.source import Source\n"
        "from feedhub.runtime.worker_pool import ParsePool\n"
        "if __name__ == '__main__':\n"
        f"    document = Document(url='https://f.example/', body={FEED!r}, digest='')\n"
        "    print(ParsePool(workers=1).parse(document, Source(name='s', url='https://f.example/')).title)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=20, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("T\n", "", 0)
