"""Connections: kept, many requests on one, slow clients, crowds, and what is no HTTP (guarantee 16)."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedhub.errors import ServeError
from feedhub.model.settings import WebSettings
from feedhub.web.files import PublishedFiles
from feedhub.web.server import Limits, WebServer
from support.web import FEED, Site, received, served

QUICK = Limits(connections=4, request=0.4, idle=0.6, stall=0.4)
GET = b"GET /feeds/all.atom HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /feeds/all.atom HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path, limits=QUICK) as running:
        yield running


def connected(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=20)


def seconds_until_dropped(client: socket.socket) -> float:
    started = time.monotonic()
    while received(client):
        pass
    return time.monotonic() - started


def test_plain_requests_take_the_short_way_and_all_others_the_long_one(tmp_path: Path) -> None:
    (tmp_path / "a.atom").write_bytes(FEED)
    with ThreadPoolExecutor(1) as reading:
        files = PublishedFiles(lambda: str(tmp_path), reading, lambda _: b"missing")
        plain = b"GET /a.atom HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"
        assert files.fast_answer(plain) is None, "nothing is in memory yet"
        files.cache.load("a.atom")
        quick = files.fast_answer(plain)
        assert quick is not None
        assert (quick.status, quick.body) == (200, FEED)
        assert files.fast_answer(plain.replace(b"Accept", b"Connection").replace(b"*/*", b"Keep-Alive")) is not None
        for unusual in (
            plain.replace(b"GET", b"HEAD"),
            plain.replace(b"1.1", b"1.0"),
            plain.replace(b"/a.atom", b"/a.atom?x"),
            plain.replace(b"/a.atom", b"/%61.atom"),
            plain.replace(b"Host: x\r\n", b""),
            plain.replace(b"Accept", b"Host"),
            plain.replace(b"Accept: */*", b"Range: bytes=0-1"),
            plain.replace(b"Accept: */*", b"Content-Length: 5"),
            plain.replace(b"Accept: */*", b"Transfer-Encoding: chunked"),
            plain.replace(b"Accept: */*", b"Connection: close"),
            plain.replace(b"Accept: */*", b"Accept: a\r\n b"),
            plain.replace(b"Accept: */*", b"Accept : a"),
            plain.replace(b"\r\n", b"\n"),
            plain + b"x",
            plain + plain,
            plain.replace(b"*/*", b"x" * 9_000),
        ):
            assert files.fast_answer(unusual) is None, unusual[:80]


def test_many_requests_on_one_connection_in_one_piece_or_byte_by_byte(site: Site) -> None:
    together = site.raw(GET * 3 + LAST)
    assert together.count(b"HTTP/1.1 200 OK") == 4
    assert together.count(FEED) == 4
    with connected(site) as client:
        for byte in GET:
            client.sendall(bytes([byte]))
        client.sendall(b"".join([GET[:10]]))
        time.sleep(0.05)
        client.sendall(GET[10:])
        time.sleep(0.05)
        client.sendall(LAST)
        answers = b"".join(iter(lambda: received(client), b""))
    assert answers.count(FEED) == 3


def test_what_is_no_http_is_refused_and_a_large_header_too(site: Site) -> None:
    assert site.raw(b"\x16\x03\x01\x02\x00\x01\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert site.raw(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    large = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n"
    answer = site.raw(large)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
    assert b"server:" not in answer.lower()
    assert site.ask("/feeds/all.atom").status == 200


def test_a_client_that_sends_nothing_or_a_byte_now_and_then_is_dropped(hurried: Site) -> None:
    with connected(hurried) as silent:
        assert seconds_until_dropped(silent) < 5
    with connected(hurried) as client:
        client.settimeout(0.05)
        started = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 300:
            try:
                client.sendall(bytes([byte]))
                if client.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - started < 5


def test_a_body_that_never_ends_is_not_waited_for(hurried: Site) -> None:
    with connected(hurried) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert client.recv(1_000).startswith(b"HTTP/1.1 405 ")
        assert seconds_until_dropped(client) < 5


@pytest.mark.parametrize("request_line", [GET, GET.replace(b"GET /feeds/all.atom", b"GET /nowhere")])
def test_an_idle_connection_is_closed(hurried: Site, request_line: bytes) -> None:
    hurried.ask("/feeds/all.atom")
    with connected(hurried) as client:
        client.sendall(request_line)
        assert client.recv(100)
        assert seconds_until_dropped(client) < 5


def test_a_client_that_does_not_read_its_answer_is_dropped(hurried: Site) -> None:
    (hurried.output / "large.png").write_bytes(b"\0" * 20_000_000)
    assert hurried.ask("/large.png").status == 200
    for path in (b"/large.png", b"/large.png?long-way"):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.settimeout(20)
            client.connect(("127.0.0.1", hurried.port))
            client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(2)
            taken = 0
            while piece := received(client):
                taken += len(piece)
            assert 0 < taken < 20_000_000


def test_what_is_beyond_the_limit_of_connections_is_turned_away_and_the_others_stay(hurried: Site) -> None:
    clients = [connected(hurried) for _ in range(QUICK.connections)]
    try:
        for client in clients:
            client.sendall(GET)
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert hurried.raw(GET).startswith(b"HTTP/1.1 503 ")
    finally:
        for client in clients:
            client.close()
    time.sleep(0.2)
    assert hurried.ask("/feeds/all.atom").status == 200


def test_a_server_ends_while_clients_hang_on_it_and_leaves_its_port(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        with connected(site) as client:
            client.sendall(GET)
            assert client.recv(100)
            started = time.monotonic()
            site.server.stop(timeout=5)
            assert time.monotonic() - started < 6
            assert not site.server.is_running
        again = WebServer(lambda: site.hub, WebSettings(port=site.port))
        again.start()
        again.stop()
        again.stop()


def test_an_address_that_cannot_be_listened_on_is_named(site: Site) -> None:
    taken = WebServer(lambda: site.hub, WebSettings(port=site.port))
    with pytest.raises(ServeError, match=rf"cannot listen on http://127\.0\.0\.1:{site.port}: address already in use"):
        taken.start()
    with pytest.raises(ServeError, match=r"cannot listen on http://192\.0\.2\.1:8080: cannot assign"):
        WebServer(lambda: site.hub, WebSettings(host="192.0.2.1")).start()


@pytest.mark.parametrize("path", ["/feeds/all.atom", "/healthz", "/nothing"])
def test_a_request_with_two_lengths_is_refused_and_its_connection_ends(site: Site, path: str) -> None:
    chunks = b"0\r\n\r\n"
    for lengths in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"transfer-encoding: Chunked\r\ncontent-length: 0",
    ):
        with connected(site) as client:
            client.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n%b%b" % (path.encode(), lengths, chunks, GET))
            answers = b"".join(iter(lambda: received(client), b""))
        assert answers.startswith(b"HTTP/1.1 400 ")
        assert answers.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://news.example.org/feeds/all.atom", 200),
        (b"HTTPS://[::1]:8080/feeds/all.atom?x=1", 200),
        (b"http://x/healthz", 200),
        (b"http://x/nothing", 404),
        (b"http://x", 200),
        (b"http://x?q", 200),
        (b"ftp://x/feeds/all.atom", 404),
    ],
)
def test_a_whole_address_is_answered_as_its_path(site: Site, target: bytes, status: int) -> None:
    (site.output / "index.html").write_bytes(b"<h1>front</h1>")
    with connected(site) as client:
        client.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
        answer = b"".join(iter(lambda: received(client), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
