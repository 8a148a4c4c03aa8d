"""The guard where connections are made, proxies, and what a failed connection is called."""

import socket
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from feedhub.errors import DeadlineError, FetchError, RefusedAddressError, UnreachableError
from feedhub.fetch import connections
from feedhub.fetch.connections import Endpoint, UnknownNameError
from feedhub.fetch.fetcher import HttpFetcher
from feedhub.fetch.watchdog import Watchdog
from feedhub.model.document import Document
from support.fetching import ask, hosts, http_fetcher
from support.responders import redirect, static, status
from support.server import LoopbackServer, serve, unused_port


def test_loopback_is_refused_unless_listed(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    with http_fetcher(allow=()) as fetcher, pytest.raises(RefusedAddressError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    place = f"127.0.0.1:{server.port}"
    assert str(caught.value) == (f"refused to ask {place} at 127.0.0.1 (loopback); poll.allow_private would allow it")
    assert server.log == []


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1"])
def test_other_spellings_of_loopback_are_refused_too(server: LoopbackServer, host: str) -> None:
    with (
        http_fetcher(allow=(), lookup=connections.system_lookup) as fetcher,
        pytest.raises(RefusedAddressError, match=r"\(loopback\)"),
    ):
        fetcher.fetch(ask(server.url("/feed", host=host)))
    assert server.log == []


def test_another_port_than_the_listed_one_is_refused(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    with http_fetcher(allow=(f"127.0.0.1:{server.port}",)) as fetcher:
        assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)
        with serve({"/feed": static()}) as other, pytest.raises(RefusedAddressError):
            fetcher.fetch(ask(other.url("/feed")))


def test_a_name_that_resolves_to_a_private_address_is_refused(server: LoopbackServer) -> None:
    names = hosts({"evil.example": ["127.0.0.1", "10.0.0.1"]})
    with http_fetcher(allow=(), lookup=names) as fetcher, pytest.raises(RefusedAddressError) as caught:
        fetcher.fetch(ask(server.url("/feed", host="evil.example")))
    assert "evil.example:" in str(caught.value)
    assert "at 127.0.0.1 (loopback), 10.0.0.1 (private);" in str(caught.value)


def test_a_redirect_to_a_private_address_is_refused(server: LoopbackServer) -> None:
    with serve({"/secret": static(), "/feed": static()}) as inner:
        server.routes["/feed"] = redirect(inner.url("/secret"))
        with http_fetcher(allow=(f"127.0.0.1:{server.port}",)) as fetcher, pytest.raises(RefusedAddressError):
            fetcher.fetch(ask(server.url("/feed")))
        assert inner.log == []


def test_a_name_is_resolved_once_and_the_connection_stays_with_that_answer(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    asked: list[str] = []

    def rebinding(name: str, port: int) -> list[Endpoint]:
        # A second question would get an address that nothing listens on.
        asked.append(name)
        return connections.system_lookup("127.0.0.1" if len(asked) == 1 else "127.0.0.9", port)

    with http_fetcher(lookup=rebinding) as fetcher:
        fetcher.fetch(ask(server.url("/feed", host="news.example")))
    assert asked == ["news.example"]
    assert server.log[0].header("Host") == f"news.example:{server.port}"


def test_only_allowed_addresses_of_a_name_are_connected_to(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    names = hosts({"mixed.example": ["10.255.255.1", "127.0.0.1"]})
    with http_fetcher(allow=("127.0.0.1",), lookup=names) as fetcher:
        assert isinstance(fetcher.fetch(ask(server.url("/feed", host="mixed.example"), timeout=1.0)), Document)


def test_every_address_of_a_name_is_tried(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    names = hosts({"many.example": ["127.0.0.2", "127.0.0.3", "127.0.0.1"]})
    with http_fetcher(lookup=names) as fetcher:
        assert isinstance(fetcher.fetch(ask(server.url("/feed", host="many.example"))), Document)


def test_an_address_that_does_not_answer_leaves_time_for_the_next(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    with _DeafListener("127.0.0.2", server.port):
        names = hosts({"half.example": ["127.0.0.2", "127.0.0.1"]})
        with http_fetcher(lookup=names) as fetcher:
            answer = fetcher.fetch(ask(server.url("/feed", host="half.example"), timeout=0.6))
    assert isinstance(answer, Document)


def test_a_connection_that_is_never_accepted_ends_at_the_deadline() -> None:
    port = unused_port()
    with _DeafListener("127.0.0.2", port), http_fetcher() as fetcher, pytest.raises(UnreachableError) as caught:
        fetcher.fetch(ask(f"http://127.0.0.2:{port}/", timeout=0.2))
    assert str(caught.value) == f"no answer from 127.0.0.2:{port} within 0.2 s"
    assert not caught.value.own_network


def test_closing_ends_a_call_that_nobody_answers() -> None:
    port = unused_port()
    with _DeafListener("127.0.0.2", port), http_fetcher() as fetcher, ThreadPoolExecutor(1) as pool:
        call = pool.submit(fetcher.fetch, ask(f"http://127.0.0.2:{port}/", timeout=60))
        # However far the call has come by now.
        assert not wait([call], timeout=0.1).done
        fetcher.close()
        assert isinstance(call.exception(timeout=10), DeadlineError)


class _DeafListener:
    """Listens with a full queue, so that further connections hang."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port), backlog=0)
        self._fillers = [socket.socket() for _ in range(2)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex((host, port))

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        for each in (*self._fillers, self._listener):
            each.close()


def test_a_refused_connection_names_the_address(fetcher: HttpFetcher) -> None:
    port = unused_port()
    with pytest.raises(UnreachableError) as caught:
        fetcher.fetch(ask(f"http://127.0.0.1:{port}/feed?token=secret"))
    assert str(caught.value) == f"connection refused by 127.0.0.1:{port}"
    with pytest.raises(UnreachableError) as caught:
        fetcher.fetch(ask(f"http://localhost:{port}/feed?token=secret"))
    assert str(caught.value) == f"connection refused by localhost (127.0.0.1:{port})"
    assert not caught.value.own_network


def test_an_address_without_a_way_there_points_to_our_own_network() -> None:
    # The kernel opens no TCP connection to a multicast address, wherever the machine stands.
    allowed = ("224.0.0.0/4", "127.0.0.0/8")
    names = hosts({"far.example": ["224.0.0.1"], "half.example": ["127.0.0.1", "224.0.0.1"]})
    port = unused_port()
    with http_fetcher(allow=allowed, lookup=names) as fetcher:
        with pytest.raises(UnreachableError) as caught:
            fetcher.fetch(ask("http://far.example/"))
        assert str(caught.value) == "no way to far.example (224.0.0.1:80): network is unreachable"
        assert caught.value.own_network
        # Another address was really called, so it is the host that does not answer.
        with pytest.raises(UnreachableError) as caught:
            fetcher.fetch(ask(f"http://half.example:{port}/"))
        assert str(caught.value) == f"connection refused by half.example (127.0.0.1:{port})"
        assert not caught.value.own_network


def test_ipv6_is_spoken() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with serve({"/feed": static()}, host="::1") as server, http_fetcher() as fetcher:
            assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)
            port = server.port
        with http_fetcher() as fetcher, pytest.raises(FetchError, match=rf"^connection refused by \[::1\]:{port}$"):
            fetcher.fetch(ask(f"http://[::1]:{port}/"))
    except OSError as exc:
        pytest.skip(f"no IPv6 here: {exc}")


def test_an_unknown_name_is_told() -> None:
    with (
        http_fetcher(lookup=hosts({})) as fetcher,
        pytest.raises(UnreachableError, match=r"^host name not found: nosuch\.example$"),
    ):
        fetcher.fetch(ask("http://nosuch.example/feed"))


def test_a_name_without_addresses_is_told() -> None:
    with http_fetcher(allow=(), lookup=hosts({"void.example": []})) as fetcher, pytest.raises(UnreachableError):
        fetcher.fetch(ask("http://void.example/feed"))


def test_the_system_knows_localhost_and_tells_what_is_no_name() -> None:
    assert {each.ip for each in connections.system_lookup("localhost", 80)} <= {"127.0.0.1", "::1"}
    with pytest.raises(UnknownNameError, match=r"^not a possible host name: x{64}\.example$"):
        connections.system_lookup("x" * 64 + ".example", 80)
    with pytest.raises(UnknownNameError, match=r"^host name not found: ::1%no-such-interface$"):
        connections.system_lookup("::1%no-such-interface", 80)


@pytest.mark.parametrize("url", ["http://a..example/", "http://" + "x" * 64 + ".example/", "http://*.example/"])
def test_a_name_that_cannot_be_a_name_is_an_error(fetcher: HttpFetcher, url: str) -> None:
    with pytest.raises(FetchError):
        fetcher.fetch(ask(url))


def test_a_proxy_is_trusted_and_its_target_is_checked(server: LoopbackServer) -> None:
    names = hosts(
        {"localhost": ["127.0.0.1"], "news.example": ["93.184.215.14"], "evil.example": ["8.8.8.8", "10.0.0.1"]}
    )
    proxy = server.url("").replace("//", "//user:pass@")
    server.routes["http://news.example/feed"] = static()
    server.routes["http://unknown.example/feed"] = static()
    with http_fetcher(allow=(), lookup=names) as fetcher:
        assert isinstance(fetcher.fetch(ask("http://news.example/feed", proxy=proxy)), Document)
        # A name that only the proxy knows cannot be checked here.
        assert isinstance(fetcher.fetch(ask("http://unknown.example/feed", proxy=proxy)), Document)
        for url in ("http://evil.example/feed", "http://127.0.0.1/feed", "http://localhost/feed", "http://[::1]/"):
            with pytest.raises(RefusedAddressError):
                fetcher.fetch(ask(url, proxy=proxy))
    assert [each.path for each in server.log] == ["http://news.example/feed", "http://unknown.example/feed"]
    assert server.log[0].header("Proxy-Authorization") == "Basic dXNlcjpwYXNz"


PROXY_ONLY = [
    "127.0.0.1.",
    "2130706433.",
    "0x7f000001.",
    "0177.0.0.1.",
    "127.1.",
    "127.0.0.0x1.",
    "%31%32%37.0.0.1",
    "10.0.0.08",
    "4294967296",
    "0x100000000",
    "169.254.169.254.",
    "localhost.",
    "any.localhost",
    "printer",
    "router.lan",
    "nas.home.arpa",
    "metadata.google.internal",
    "metadata.google.internal.",
]


@pytest.mark.parametrize("host", PROXY_ONLY)
def test_a_name_that_only_the_proxy_may_know_is_refused_when_it_looks_private(
    server: LoopbackServer, host: str
) -> None:
    for lookup in (hosts({}), connections.system_lookup):
        with http_fetcher(allow=(), lookup=lookup) as fetcher, pytest.raises(RefusedAddressError):
            fetcher.fetch(ask(f"http://{host}/feed", proxy=server.url("")))
    assert server.log == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "１２７.0.0.1", "127。0。0。1"])
def test_other_spellings_of_loopback_are_refused_of_a_proxy_whose_names_are_not_ours(
    server: LoopbackServer, host: str
) -> None:
    with (
        http_fetcher(allow=(), lookup=hosts({})) as fetcher,
        pytest.raises(FetchError, match=r"loopback|cannot be sent"),
    ):
        fetcher.fetch(ask(f"http://{host}/feed", proxy=server.url("")))
    assert server.log == []


def test_a_redirect_to_a_name_that_looks_private_is_not_asked_of_the_proxy(server: LoopbackServer) -> None:
    server.routes["http://a.example/"] = redirect("http://metadata.google.internal/computeMetadata/v1/")
    with http_fetcher(allow=(), lookup=hosts({})) as fetcher, pytest.raises(RefusedAddressError) as caught:
        fetcher.fetch(ask("http://a.example/", proxy=server.url("")))
    assert str(caught.value) == (
        "refused to ask a proxy for metadata.google.internal:80 (a name of an own network); "
        "poll.allow_private would allow it"
    )
    assert [each.path for each in server.log] == ["http://a.example/"]


def test_a_name_of_the_own_network_may_be_asked_of_a_proxy_when_it_is_listed(server: LoopbackServer) -> None:
    server.routes["http://wiki.corp:8080/feed"] = static()
    with http_fetcher(allow=("wiki.corp:8080",), lookup=hosts({})) as fetcher:
        fetcher.fetch(ask("http://wiki.corp:8080/feed", proxy=server.url("")))
        with pytest.raises(RefusedAddressError):
            fetcher.fetch(ask("http://wiki.corp/feed", proxy=server.url("")))


def test_a_redirect_goes_through_the_proxy_too_and_is_checked(server: LoopbackServer) -> None:
    names = hosts({"a.example": ["8.8.8.8"], "b.example": ["8.8.4.4"]})
    server.routes["http://a.example/"] = redirect("http://b.example/")
    server.routes["http://b.example/"] = redirect("http://169.254.169.254/latest")
    with http_fetcher(allow=(), lookup=names) as fetcher, pytest.raises(RefusedAddressError, match="link-local"):
        fetcher.fetch(ask("http://a.example/", proxy=server.url("")))
    assert [each.path for each in server.log] == ["http://a.example/", "http://b.example/"]


@pytest.mark.parametrize(
    ("code", "words"), [(407, "407 Proxy Authentication Required"), (403, "403 Forbidden")], ids=["407", "403"]
)
def test_a_tunnel_that_is_refused_is_told(server: LoopbackServer, code: int, words: str) -> None:
    server.routes["*"] = status(code)
    with http_fetcher(lookup=hosts({"a.example": ["8.8.8.8"]})) as fetcher, pytest.raises(FetchError) as caught:
        fetcher.fetch(ask("https://a.example/", proxy=server.url("")))
    assert str(caught.value) == f"the proxy refused to connect: {words}"
    assert [each.method for each in server.log] == ["CONNECT"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128", "ftp://127.0.0.1"])
def test_a_proxy_of_another_kind_is_refused(fetcher: HttpFetcher, proxy: str) -> None:
    with pytest.raises(FetchError, match="the proxy's address must begin with"):
        fetcher.fetch(ask("http://127.0.0.1/", proxy=proxy))


def test_a_dead_proxy_is_named_without_its_password(fetcher: HttpFetcher) -> None:
    port = unused_port()
    for url in ("http://127.0.0.1/", "https://127.0.0.1/"):
        with pytest.raises(UnreachableError) as caught:
            fetcher.fetch(ask(url, proxy=f"http://user:pass@127.0.0.1:{port}"))
        assert str(caught.value) == f"cannot reach the proxy: connection refused by 127.0.0.1:{port}"


def test_a_socket_that_comes_after_the_deadline_is_not_used() -> None:
    watchdog = Watchdog()
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    try:
        with watchdog.watch(5, 5) as exchange:
            exchange.expire()
            with pytest.raises(DeadlineError):
                exchange.attach(client)
    finally:
        client.close()
        listener.close()
        watchdog.close()


def test_an_exchange_that_is_over_is_not_expired_any_more() -> None:
    watchdog = Watchdog()
    with watchdog.watch(5, 5) as exchange:
        pass
    exchange.expire()
    assert not exchange.expired
    watchdog.close()
