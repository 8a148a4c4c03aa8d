import os
import threading
import time
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from feedhub.errors import DeadlineError, FetchError, TooLargeError, TruncatedError, UnreachableError
from feedhub.fetch.connections import Endpoint
from feedhub.fetch.fetcher import HttpFetcher
from feedhub.model.document import Document, Validators
from support.fetching import ask, hosts, http_fetcher
from support.responders import (
    FEED,
    bomb,
    chunked,
    coded,
    cut,
    delayed,
    encode,
    endless,
    hang_up,
    reset,
    short,
    slow_body,
    slow_headers,
    static,
    status,
    verbatim,
)
from support.server import LoopbackServer, Responder, Wire

CODINGS = ["gzip", "deflate", "raw-deflate", "br", "zstd"]
LONG = os.urandom(90_000).hex().encode()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("body", [FEED, LONG, b"\0" * 1_000_000], ids=["feed", "long", "zeros"])
def test_every_coding_is_decoded(server: LoopbackServer, fetcher: HttpFetcher, coding: str, body: bytes) -> None:
    server.routes["/feed"] = coded(body, coding)
    answer = fetcher.fetch(ask(server.url("/feed")))
    assert isinstance(answer, Document)
    assert answer.body == body


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.999])
def test_a_compressed_body_that_ends_early_is_truncated(
    server: LoopbackServer, fetcher: HttpFetcher, coding: str, keep: float
) -> None:
    server.routes["/feed"] = cut(LONG, coding, keep=keep)
    with pytest.raises(TruncatedError, match=r"^the compressed body ends in the middle$"):
        fetcher.fetch(ask(server.url("/feed")))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_what_its_header_says_is_an_error(
    server: LoopbackServer, fetcher: HttpFetcher, coding: str
) -> None:
    server.routes["/feed"] = status(200, b"\xff" * 200, headers=(("Content-Encoding", coding),))
    with pytest.raises(FetchError, match=f"^the body is not the {coding} that its header says$"):
        fetcher.fetch(ask(server.url("/feed")))


@pytest.mark.parametrize("coding", ["", "identity", "UTF-8", "none"])
def test_a_coding_that_means_none_is_none(server: LoopbackServer, fetcher: HttpFetcher, coding: str) -> None:
    server.routes["/feed"] = static(headers=(("Content-Encoding", coding),))
    assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip"])
def test_a_coding_that_was_not_asked_for_is_an_error(server: LoopbackServer, fetcher: HttpFetcher, coding: str) -> None:
    server.routes["/feed"] = static(headers=(("Content-Encoding", coding),))
    with pytest.raises(FetchError, match="not asked for"):
        fetcher.fetch(ask(server.url("/feed")))


def test_gzip_members_and_zstd_frames_may_follow_each_other(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    for coding in ("gzip", "zstd"):
        body = encode(b"one ", coding) + encode(b"two", coding)
        server.routes["/feed"] = chunked([body[:9], body[9:-9], body[-9:]], headers=(("Content-Encoding", coding),))
        answer = fetcher.fetch(ask(server.url("/feed")))
        assert isinstance(answer, Document)
        assert answer.body == b"one two"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw-deflate"])
def test_what_comes_after_the_end_of_a_stream_is_ignored(
    server: LoopbackServer, fetcher: HttpFetcher, coding: str
) -> None:
    name = coding.removeprefix("raw-")
    for parts in ([encode(FEED, coding), b"\0" * 20], [encode(FEED, coding) + b"\0" * 20]):
        server.routes["/feed"] = chunked(parts, headers=(("Content-Encoding", name),))
        answer = fetcher.fetch(ask(server.url("/feed")))
        assert isinstance(answer, Document)
        assert answer.body == FEED


def test_a_stream_in_tiny_chunks_is_decoded(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    for coding in CODINGS:
        data = encode(FEED, coding)
        name = coding.removeprefix("raw-")
        pieces = [data[index : index + 1] for index in range(len(data))]
        server.routes["/feed"] = chunked(pieces, headers=(("Content-Encoding", name),))
        answer = fetcher.fetch(ask(server.url("/feed")))
        assert isinstance(answer, Document)
        assert answer.body == FEED


TRUNCATIONS: dict[str, Responder] = {
    "short content length": short(),
    "short content length, then reset": short(LONG, with_reset=True),
    "chunks without end": chunked([FEED], ending=b""),
    "chunk cut in the middle": chunked([FEED], ending=b"ff\r\nabc"),
    "broken chunk size": chunked([FEED], ending=b"zz\r\nabc"),
    "no chunk at all": chunked([], ending=b""),
}


@pytest.mark.parametrize("name", TRUNCATIONS)
def test_a_transfer_that_ends_early_is_truncated(server: LoopbackServer, fetcher: HttpFetcher, name: str) -> None:
    server.routes["/feed"] = TRUNCATIONS[name]
    with pytest.raises(TruncatedError, match=r"^the connection broke off in the middle of the document$"):
        fetcher.fetch(ask(server.url("/feed")))


def test_chunks_with_a_good_end_are_a_document(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = chunked([FEED[:10], FEED[10:]])
    answer = fetcher.fetch(ask(server.url("/feed")))
    assert isinstance(answer, Document)
    assert answer.body == FEED


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(
    server: LoopbackServer, fetcher: HttpFetcher
) -> None:
    for coding in (None, *CODINGS):
        server.routes["/feed"] = coded(FEED, coding) if coding else static()
        assert isinstance(fetcher.fetch(ask(server.url("/feed"), max_size=len(FEED))), Document)
        with pytest.raises(TooLargeError, match=f"^the body is larger than {len(FEED) - 1} bytes$"):
            fetcher.fetch(ask(server.url("/feed"), max_size=len(FEED) - 1))


def test_an_endless_body_is_cut_off(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = endless()
    with pytest.raises(TooLargeError):
        fetcher.fetch(ask(server.url("/feed"), max_size=1_000_000))


def test_rubbish_behind_a_complete_stream_counts_too(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = status(200, encode(FEED, "gzip") + bytes(500_000), headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(TooLargeError):
        fetcher.fetch(ask(server.url("/feed"), max_size=100_000))


FRAMED = {
    "an extension of a chunk": b"1;x=" + b"y" * 60_000 + b"\r\n<\r\n",
    "a hundred small chunks": b"1\r\n<\r\n" * 10_000,
}


@pytest.mark.parametrize("piece", FRAMED.values(), ids=FRAMED)
def test_what_frames_the_chunks_of_a_body_counts_too(
    server: LoopbackServer, fetcher: HttpFetcher, piece: bytes
) -> None:
    sent = [0]

    def without_end(wire: Wire) -> None:
        wire.head(200, (("Transfer-Encoding", "chunked"), ("Content-Type", "text/xml")))
        with suppress(OSError):
            while not wire.stop.is_set() and sent[0] < 100_000_000:
                wire.raw(piece)
                sent[0] += len(piece)
        wire.hang_up()

    server.routes["/feed"] = without_end
    with pytest.raises(TooLargeError, match="with all that frames it"):
        fetcher.fetch(ask(server.url("/feed"), max_size=200_000, timeout=20))
    # What lies in buffers of the system was sent and not read.
    assert sent[0] < 20_000_000


def test_trailers_without_an_end_count_too(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    def without_end(wire: Wire) -> None:
        wire.head(200, (("Transfer-Encoding", "chunked"), ("Content-Type", "text/xml")))
        wire.raw(b"%x\r\n%b\r\n0\r\n" % (len(FEED), FEED))
        with suppress(OSError):
            while not wire.stop.is_set():
                wire.raw(b"X: " + b"y" * 50_000 + b"\r\n")
        wire.hang_up()

    server.routes["/feed"] = without_end
    with pytest.raises(TooLargeError, match="with all that frames it"):
        fetcher.fetch(ask(server.url("/feed"), max_size=200_000, timeout=20))


@pytest.mark.parametrize(
    "first", [b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"transfer-encoding: Chunked\r\ncontent-length: 5"]
)
def test_an_answer_with_two_lengths_is_refused(server: LoopbackServer, fetcher: HttpFetcher, first: bytes) -> None:
    chunks = b"5\r\n<rss>\r\n0\r\n\r\n"
    for line in (b"200 OK", b"301 Moved\r\nLocation: /other", b"404 Not Found"):
        server.routes["/feed"] = verbatim(b"HTTP/1.1 " + line + b"\r\n" + first + b"\r\n\r\n" + chunks)
        with pytest.raises(FetchError, match="the answer contradicts itself about its length"):
            fetcher.fetch(ask(server.url("/feed")))
    # Nothing of it is taken for the answer to the next request.
    server.routes["/next"] = static()
    assert isinstance(fetcher.fetch(ask(server.url("/next"))), Document)


def test_a_bomb_is_not_inflated_beyond_the_limit(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = bomb()
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            fetcher.fetch(ask(server.url("/feed"), max_size=2_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The limit, one piece, and the server's own buffers of about 2 MB in this process.
    assert peak < 6_000_000


SLOW: dict[str, Responder] = {
    "headers": slow_headers(every=0.02),
    "body": slow_body(every=0.02),
    "silence": delayed(30, static()),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_time_limit_holds_whatever_drips(server: LoopbackServer, fetcher: HttpFetcher, name: str) -> None:
    server.routes["/feed"] = SLOW[name]
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"^no complete answer within 0\.25 s$"):
        fetcher.fetch(ask(server.url("/feed"), timeout=0.25))
    assert 0.2 < time.monotonic() - started < 5


def test_the_time_limit_holds_on_a_kept_connection(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static()
    server.routes["/slow"] = slow_headers(every=0.02)
    fetcher.fetch(ask(server.url("/feed")))
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        fetcher.fetch(ask(server.url("/slow"), timeout=0.25))
    assert time.monotonic() - started < 5
    assert len({each.client_port for each in server.log}) == 1


def test_the_time_limit_covers_all_redirects_together(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    for index in range(5):
        server.routes[f"/{index}"] = delayed(0.12, status(302, headers=(("Location", f"/{index + 1}"),)))
    server.routes["/5"] = static()
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        fetcher.fetch(ask(server.url("/0"), timeout=0.3))
    assert time.monotonic() - started < 5


def test_a_redirect_whose_body_does_not_end_is_followed(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = verbatim(b"HTTP/1.1 301 Moved\r\nLocation: /feed\r\nContent-Length: 999999\r\n\r\nx")
    server.routes["/feed"] = static()
    assert isinstance(fetcher.fetch(ask(server.url("/old"))), Document)


def test_the_time_limit_covers_name_resolution(server: LoopbackServer) -> None:
    over = threading.Event()

    def hanging(name: str, port: int) -> list[Endpoint]:
        over.wait(10)
        return []

    with http_fetcher(lookup=hanging) as fetcher, pytest.raises(UnreachableError) as caught:
        fetcher.fetch(ask(server.url("/feed", host="slow.example"), timeout=0.1))
    over.set()
    # A name server that says nothing points to our own network.
    assert "no name server answers" in str(caught.value)
    assert caught.value.own_network


def test_a_shorter_deadline_that_comes_later_is_kept_too(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/slow"] = slow_headers(every=0.02)
    ended: list[float] = []

    def poll(timeout: float) -> None:
        with pytest.raises(DeadlineError):
            fetcher.fetch(ask(server.url("/slow"), timeout=timeout))
        ended.append(timeout)

    threads = [threading.Thread(target=poll, args=(timeout,)) for timeout in (0.5, 0.15)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert ended == [0.15, 0.5]


LARGE = "the header of the answer is too large"
ABRUPT: dict[str, tuple[Responder, str]] = {
    "hang up": (hang_up(), "127.0.0.1 closed the connection without an answer"),
    "reset": (reset(), "127.0.0.1 broke off the connection"),
    "not HTTP": (verbatim(b"220 ftp.example ready\r\n"), "what answers at 127.0.0.1 is no web server"),
    "long header": (
        verbatim(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"),
        LARGE,
    ),
    "two lengths": (
        verbatim(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
        "the answer contradicts itself about its length",
    ),
    "many headers": (
        verbatim(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        LARGE,
    ),
}


@pytest.mark.parametrize("name", ABRUPT)
def test_a_broken_conversation_is_told_in_plain_words(server: LoopbackServer, fetcher: HttpFetcher, name: str) -> None:
    server.routes["/feed"], words = ABRUPT[name]
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert str(caught.value) == words
    assert len(server.log) == 1


def test_a_failed_fetch_leaves_the_fetcher_usable(server: LoopbackServer) -> None:
    server.routes["/bad"] = short()
    server.routes["/feed"] = static()
    with http_fetcher(concurrent=1, now=lambda: datetime.now(UTC)) as fetcher:
        for _ in range(3):
            with pytest.raises(TruncatedError):
                fetcher.fetch(ask(server.url("/bad"), validators=Validators(etag='"kept"')))
        assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)


def test_many_threads_share_one_fetcher(server: LoopbackServer) -> None:
    for index in range(12):
        server.routes[f"/{index}"] = static(b"%d" % index)
    found: dict[int, bytes] = {}
    with http_fetcher(concurrent=4, lookup=hosts({})) as fetcher:

        def poll(index: int) -> None:
            answer = fetcher.fetch(ask(server.url(f"/{index}")))
            assert isinstance(answer, Document)
            found[index] = answer.body

        threads = [threading.Thread(target=poll, args=(index,)) for index in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {index: b"%d" % index for index in range(12)}
