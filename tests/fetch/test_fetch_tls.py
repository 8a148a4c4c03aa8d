import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from feedhub.errors import DeadlineError, FetchError, TruncatedError
from feedhub.fetch.connections import Endpoint
from feedhub.fetch.failures import certificate_time_fault
from feedhub.model.document import Document
from support.fetching import NOW, ask, hosts, http_fetcher
from support.responders import short, slow_headers, static, tunnel, verbatim
from support.server import LoopbackServer, serve

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command makes the certificates")

TlsServer = Callable[..., tuple[LoopbackServer, str]]


_AUTHORITY = """
[ca]
default_ca = itself
[itself]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = anything
copy_extensions = copy
[anything]
commonName = supplied
"""


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    """Starts servers with a certificate of their own; gives the server and the file to trust."""
    with ExitStack() as stack:

        def start(names: str = "DNS:news.example,IP:127.0.0.1", *, year: int = 0) -> tuple[LoopbackServer, str]:
            key, certificate = _self_signed(tmp_path, names, year)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server = stack.enter_context(serve({"/feed": static(etag='"a"')}, tls=context))
            return server, str(certificate)

        yield start


def _self_signed(folder: Path, names: str, year: int) -> tuple[Path, Path]:
    """Make a key and a certificate that is valid for ``year``, or from now on."""
    key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    new += ["-subj", "/CN=feedhub test", "-addext", f"subjectAltName={names}"]
    if not year:
        _openssl(*new, "-x509", "-out", str(certificate))
        return key, certificate
    _openssl(*new, "-out", str(request))
    # Of the ways to choose dates, ``ca`` is the one that old and new versions have.
    (folder / "index.txt").write_text("")
    (folder / "ca.cnf").write_text(_AUTHORITY.format(folder=folder))
    sign = ["ca", "-batch", "-notext", "-config", str(folder / "ca.cnf"), "-selfsign", "-keyfile", str(key)]
    sign += ["-startdate", f"{year}0101000000Z", "-enddate", f"{year}1231000000Z"]
    _openssl(*sign, "-in", str(request), "-out", str(certificate))
    return key, certificate


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def test_a_trusted_name_is_checked_while_the_address_is_pinned(tls_server: TlsServer) -> None:
    server, bundle = tls_server()
    with http_fetcher(ca_bundle=bundle, lookup=hosts({"news.example": ["127.0.0.1"]})) as fetcher:
        for _ in range(2):
            answer = fetcher.fetch(ask(server.url("/feed", host="news.example")))
            assert isinstance(answer, Document)
    assert {each.header("Host") for each in server.log} == {f"news.example:{server.port}"}
    assert len({each.client_port for each in server.log}) == 1


def test_an_unknown_authority_is_told(tls_server: TlsServer) -> None:
    server, _ = tls_server()
    with http_fetcher() as fetcher, pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert str(caught.value) == "certificate not trusted: signed by itself (127.0.0.1)"
    assert server.log == []


def test_a_certificate_for_another_name_is_told(tls_server: TlsServer) -> None:
    server, bundle = tls_server("DNS:other.example")
    names = hosts({"news.example": ["127.0.0.1"]})
    with http_fetcher(ca_bundle=bundle, lookup=names) as fetcher:
        for host in ("news.example", "127.0.0.1"):
            with pytest.raises(FetchError) as caught:
                fetcher.fetch(ask(server.url("/feed", host=host)))
            assert str(caught.value) == f"certificate of another site, not of {host}"


@pytest.mark.parametrize(
    ("year", "words"),
    [(2020, "certificate expired 2153 days ago"), (2049, "certificate not valid before 2049-01-01 00:00 UTC")],
    ids=["expired", "too early"],
)
def test_a_certificate_of_another_time_is_told(tls_server: TlsServer, year: int, words: str) -> None:
    server, bundle = tls_server(year=year)
    with http_fetcher(ca_bundle=bundle) as fetcher, pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert str(caught.value) == f"{words} (127.0.0.1)"


def test_an_expired_certificate_is_looked_at_again_without_asking_anything(tls_server: TlsServer) -> None:
    server, bundle = tls_server("DNS:news.example", year=2020)
    asked: list[str] = []
    known = hosts({"news.example": ["127.0.0.1"]})

    def lookup(name: str, port: int) -> list[Endpoint]:
        asked.append(name)
        return known(name if len(asked) != 4 else "gone.example", port)

    with http_fetcher(ca_bundle=bundle, lookup=lookup) as fetcher:
        for words in ("certificate expired 2153 days ago (news.example)", "certificate expired (news.example)"):
            with pytest.raises(FetchError) as caught:
                fetcher.fetch(ask(server.url("/feed", host="news.example")))
            assert str(caught.value) == words
    # The second look of the second fetch found no host any more.
    assert asked == ["news.example"] * 4
    assert server.log == []


def test_the_second_look_ends_with_the_time_of_the_request(tls_server: TlsServer) -> None:
    server, bundle = tls_server("DNS:news.example", year=2020)
    is_over = threading.Event()
    known = hosts({"news.example": ["127.0.0.1"]})
    asked: list[str] = []

    def lookup(name: str, port: int) -> list[Endpoint]:
        asked.append(name)
        if len(asked) == 2:
            is_over.wait(20)
        return known(name, port)

    started = time.monotonic()
    with http_fetcher(ca_bundle=bundle, lookup=lookup) as fetcher, pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(server.url("/feed", host="news.example"), timeout=1.0))
    is_over.set()
    assert str(caught.value) == "certificate expired (news.example)"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(days=3, hours=20), "certificate expired 3 days ago"),
        (timedelta(days=1), "certificate expired 1 day ago"),
        (timedelta(hours=23), "certificate expired 23 hours ago"),
        (timedelta(minutes=2), "certificate expired 2 minutes ago"),
        (timedelta(seconds=5), "certificate expired just now"),
        # Then it is one of those that vouch for it.
        (-timedelta(days=9), "certificate expired"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit(age: timedelta, words: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code = 10
    assert certificate_time_fault(error, lambda: {"notAfter": NOW - age}, NOW) == words


def test_https_to_a_port_that_speaks_http_is_told(server: LoopbackServer) -> None:
    server.routes["*"] = verbatim(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with http_fetcher() as fetcher, pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(f"https://127.0.0.1:{server.port}/feed"))
    assert str(caught.value) == "no secure connection (https) with 127.0.0.1 came about"


def test_the_time_limit_holds_when_headers_drip_inside_tls(tls_server: TlsServer) -> None:
    server, bundle = tls_server()
    server.routes["/slow"] = slow_headers(every=0.02)
    with http_fetcher(ca_bundle=bundle) as fetcher:
        fetcher.fetch(ask(server.url("/feed")))
        # On a new connection and on a kept one.
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(DeadlineError):
                fetcher.fetch(ask(server.url("/slow"), timeout=0.25))
            assert time.monotonic() - started < 5


def test_the_time_limit_holds_when_the_handshake_drips() -> None:
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            sock, _ = listener.accept()
            with sock, suppress(OSError):
                # The head of a handshake record of 16 KB, which then never gets complete.
                sock.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
                while not is_over.wait(0.02):
                    sock.sendall(b"\x00")

        thread = threading.Thread(target=drip)
        thread.start()
        started = time.monotonic()
        with http_fetcher() as fetcher, pytest.raises(DeadlineError):
            fetcher.fetch(ask(f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.6))
        assert time.monotonic() - started < 5
        is_over.set()
        thread.join()


def test_https_through_a_proxy_is_checked_end_to_end(tls_server: TlsServer) -> None:
    origin, bundle = tls_server()
    with serve({"*": tunnel("127.0.0.1", origin.port)}) as proxy:
        with http_fetcher(ca_bundle=bundle, lookup=hosts({"news.example": ["127.0.0.1"]})) as fetcher:
            request = ask(origin.url("/feed", host="news.example"), proxy=proxy.url("").replace("//", "//u:p@"))
            assert isinstance(fetcher.fetch(request), Document)
        assert [(each.method, each.path) for each in proxy.log] == [("CONNECT", f"news.example:{origin.port}")]
        assert proxy.log[0].header("Proxy-Authorization") == "Basic dTpw"
        assert origin.log[0].header("Proxy-Authorization") is None


def test_a_source_that_moved_to_https_on_its_host_keeps_its_credentials(tls_server: TlsServer) -> None:
    server, bundle = tls_server()
    # The tunnel leads from the usual port, which only that step may use, to ours.
    names = hosts({"news.example": ["127.0.0.1"]})
    with (
        serve({"*": tunnel("127.0.0.1", server.port)}) as proxy,
        http_fetcher(ca_bundle=bundle, lookup=names) as fetcher,
    ):
        request = ask("https://news.example/feed", headers=(("X-Key", "k"),), proxy=proxy.url(""))
        fetcher.fetch(replace(request, origin="http://user:pass@news.example/old"))
        fetcher.fetch(replace(request, origin="http://user:pass@other.example/old"))
    assert [each.header("X-Key") for each in server.log] == ["k", None]
    assert [each.header("Authorization") for each in server.log] == ["Basic dXNlcjpwYXNz", None]


def test_a_body_cut_off_inside_tls_is_truncated(tls_server: TlsServer) -> None:
    server, bundle = tls_server()
    server.routes["/short"] = short()
    with http_fetcher(ca_bundle=bundle) as fetcher, pytest.raises(TruncatedError):
        fetcher.fetch(ask(server.url("/short")))
