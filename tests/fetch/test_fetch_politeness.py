"""Politeness as the server sees it: when requests arrive, and how many are open at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from feedhub.fetch.fetcher import HttpFetcher, build_fetcher
from feedhub.model.document import Document
from feedhub.model.source import HostGroup, PollSettings
from support.fetching import LOOPBACK, NOW, ask, hosts, http_fetcher
from support.responders import redirect, static
from support.server import LoopbackServer, Responder, Wire

GAP = 0.2
TOLERANCE = 0.005


class Watch:
    """Notes when each request arrived, and how many were being answered at once."""

    def __init__(self, hold: float) -> None:
        self.arrivals: list[float] = []
        self.most = 0
        self._running = 0
        self._hold = hold
        self._lock = threading.Lock()

    def around(self, responder: Responder) -> Responder:
        def respond(wire: Wire) -> None:
            with self._lock:
                self.arrivals.append(wire.arrived)
                self._running += 1
                self.most = max(self.most, self._running)
            try:
                wire.stop.wait(self._hold)
            finally:
                with self._lock:
                    self._running -= 1
            responder(wire)

        return respond

    @property
    def smallest_gap(self) -> float:
        ordered = sorted(self.arrivals)
        return min(later - earlier for earlier, later in pairwise(ordered))


def drops_kept_connections(server: LoopbackServer) -> Responder:
    """Hangs up when it is asked over a connection that was used before."""

    def respond(wire: Wire) -> None:
        ports = [each.client_port for each in server.log]
        if ports.count(wire.client_address[1]) > 1:
            wire.hang_up()
        else:
            static()(wire)

    return respond


def ask_all(fetch: Callable[[str], object], urls: list[str]) -> None:
    with ThreadPoolExecutor(len(urls)) as pool:
        assert all(isinstance(answer, Document) for answer in pool.map(fetch, urls))


def test_requests_arrive_a_gap_apart_and_never_more_than_allowed_at_once(server: LoopbackServer) -> None:
    watch = Watch(hold=1.5 * GAP)
    server.routes["/feed"] = watch.around(static())
    server.routes["/moved"] = watch.around(redirect("/feed"))
    server.routes["/flaky"] = watch.around(drops_kept_connections(server))
    paths = ["/feed", "/moved", "/flaky", "/flaky", "/flaky", "/feed", "/moved", "/flaky"]
    with http_fetcher(concurrent=2, gap=GAP) as fetcher:
        ask_all(lambda url: fetcher.fetch(ask(url, timeout=30)), [server.url(path) for path in paths])
    # Each hop and each repeat is a request like any other.
    assert len(watch.arrivals) > len(paths) + 2
    assert watch.most == 2
    assert watch.smallest_gap >= GAP - TOLERANCE


def test_a_slow_way_out_does_not_bring_two_requests_together(server: LoopbackServer) -> None:
    watch = Watch(hold=0)
    server.routes["/feed"] = watch.around(static())
    addresses = hosts({"slow.example": ["127.0.0.1"]})
    is_first = threading.Event()

    def slowly(name: str, port: int) -> list[object]:
        # The first one to ask gets its answer when the second one's is there already.
        if not is_first.is_set():
            is_first.set()
            time.sleep(GAP)
        return list(addresses(name, port))

    with http_fetcher(concurrent=2, gap=GAP, lookup=slowly) as fetcher:  # type: ignore[arg-type]
        ask_all(lambda url: fetcher.fetch(ask(url, timeout=30)), [server.url("/feed", host="slow.example")] * 3)
    assert watch.smallest_gap >= GAP - TOLERANCE


def test_hosts_of_a_group_are_asked_as_one(server: LoopbackServer) -> None:
    watch = Watch(hold=GAP / 2)
    server.routes["/feed"] = watch.around(static())
    names = hosts({f"{name}.example": ["127.0.0.1"] for name in "abcd"})
    group = HostGroup(pattern="*.example", concurrent=1, gap=GAP / 2)
    settings = PollSettings(allow_private=LOOPBACK, host_gap=0, host_concurrent=8, host_groups=(group,))
    fetcher = HttpFetcher(settings, now=lambda: NOW, lookup=names)
    try:
        urls = [server.url("/feed", host=f"{name}.example") for name in "abcd"]
        ask_all(lambda url: fetcher.fetch(ask(url, timeout=30)), urls)
    finally:
        fetcher.close()
    assert watch.most == 1
    assert watch.smallest_gap >= GAP / 2 - TOLERANCE


def test_a_new_fetcher_goes_on_counting_what_the_old_one_does(server: LoopbackServer) -> None:
    watch = Watch(hold=GAP)
    server.routes["/feed"] = watch.around(static())
    settings = PollSettings(allow_private=LOOPBACK, host_gap=0, host_concurrent=4)
    old = build_fetcher(settings, lambda: NOW)
    new = build_fetcher(PollSettings(allow_private=LOOPBACK, host_gap=0, host_concurrent=1), lambda: NOW, old.shared)
    try:
        fetchers = [old, new, old, new]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda fetcher: fetcher.fetch(ask(server.url("/feed"), timeout=30)), fetchers))
        assert all(isinstance(answer, Document) for answer in answers)
    finally:
        old.close()
        new.close()
    assert (watch.most, len(watch.arrivals)) == (1, 4)


def test_closing_ends_those_who_wait_for_a_slot(server: LoopbackServer) -> None:
    watch = Watch(hold=60)
    server.routes["/feed"] = watch.around(static())
    with http_fetcher(concurrent=1) as fetcher, ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(fetcher.fetch, ask(server.url("/feed"), timeout=60)) for _ in range(3)]
        while not watch.arrivals:
            time.sleep(0.01)
        fetcher.close()
        started = time.monotonic()
        assert all(call.exception(timeout=10) for call in calls)
        assert time.monotonic() - started < 10
