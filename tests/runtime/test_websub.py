"""The ping of a WebSub hub after a publish, against a real hub on loopback."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from feedhub.model.output import Site
from feedhub.model.report import PublishReport
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.websub import HubPinger, PingAfterPublish, changed_feeds
from support.fetching import NOW, http_fetcher
from support.server import LoopbackServer, Wire, serve, unused_port

FEED = "https://news.example.org/feeds/tech.atom"
SITE = Site(title="T", url="https://news.example.org")


def answering(*answers: tuple[int, tuple[tuple[str, str], ...]]) -> Callable[[Wire], None]:
    """Give these answers in turn, the last one for ever."""
    left = list(answers)

    def respond(wire: Wire) -> None:
        status, headers = left.pop(0) if len(left) > 1 else left[0]
        wire.answer(status, b"", headers)

    return respond


def told(server: LoopbackServer) -> list[str]:
    return [parse_qs(each.body.decode())["hub.url"][0] for each in server.log]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in 10 s")


def test_a_hub_that_fails_twice_is_told_at_the_third_try() -> None:
    with serve({"/hub": answering((500, ()), (503, ()), (204, ()))}) as server, http_fetcher() as fetcher:
        pinger = HubPinger(fetcher, server.url("/hub"), user_agent="feedhub test", first_wait=0.01)
        pinger.notify([FEED])
        until(lambda: pinger.pending == 0)
        pinger.close()
    assert told(server) == [FEED] * 3
    first = server.log[0]
    assert parse_qs(first.body.decode()) == {"hub.mode": ["publish"], "hub.url": [FEED]}
    assert (first.method, first.header("content-type")) == ("POST", "application/x-www-form-urlencoded")
    assert first.header("user-agent") == "feedhub test"


def test_a_hub_that_always_fails_is_given_up_after_five_tries() -> None:
    with serve({"/hub": answering((500, ()))}) as server, http_fetcher() as fetcher:
        pinger = HubPinger(fetcher, server.url("/hub"), first_wait=0.001)
        pinger.notify([FEED])
        until(lambda: pinger.pending == 0)
        pinger.close()
    assert len(server.log) == 5


def test_a_hub_that_refuses_the_feed_is_not_asked_again() -> None:
    with serve({"/hub": answering((403, ()))}) as server, http_fetcher() as fetcher:
        pinger = HubPinger(fetcher, server.url("/hub"), first_wait=0.001)
        pinger.notify([FEED])
        until(lambda: pinger.pending == 0)
        pinger.close()
    assert len(server.log) == 1


def test_a_private_hub_is_refused_by_the_address_guard_and_nothing_is_sent() -> None:
    with serve({"/hub": answering((204, ()))}) as server, http_fetcher(allow=()) as fetcher:
        pinger = HubPinger(fetcher, server.url("/hub"), first_wait=0.001)
        pinger.notify([FEED])
        until(lambda: pinger.pending == 0)
        pinger.close()
    assert server.log == []


def test_the_wait_that_a_hub_asks_for_is_kept() -> None:
    later = (("Retry-After", "3600"),)
    with serve({"/hub": answering((503, later), (204, ()))}) as server, http_fetcher() as fetcher:
        pinger = HubPinger(fetcher, server.url("/hub"), first_wait=0.001, now=lambda: NOW)
        pinger.notify([FEED])
        until(lambda: len(server.log) == 1)
        time.sleep(0.1)
        assert (pinger.pending, len(server.log)) == (1, 1)
        pinger.close(timeout=5)
        assert len(server.log) == 1


def test_a_slow_hub_keeps_nobody_waiting_and_a_feed_that_is_pending_is_told_once() -> None:
    release = threading.Event()

    def slow(wire: Wire) -> None:
        release.wait(10)
        wire.answer(204)

    with serve({"/hub": slow}) as server, http_fetcher() as fetcher:
        pinger = HubPinger(fetcher, server.url("/hub"))
        started = time.monotonic()
        for _ in range(50):
            pinger.notify([FEED + "?first", FEED])
        assert time.monotonic() - started < 5
        release.set()
        until(lambda: pinger.pending == 0)
        pinger.close()
    assert sorted(told(server)) == sorted([FEED + "?first", FEED])


def test_the_end_tells_what_is_due_and_does_not_wait_for_a_hub_that_is_down() -> None:
    with http_fetcher() as fetcher:
        pinger = HubPinger(fetcher, f"http://127.0.0.1:{unused_port()}/hub", first_wait=60)
        pinger.notify([FEED])
        started = time.monotonic()
        pinger.close(timeout=10)
        assert time.monotonic() - started < 8


def test_changed_feeds_are_those_that_were_written_in_every_format_and_no_pages_or_archives() -> None:
    written = ("feeds/tech.atom", "feeds/tech.json", "feeds/archive/tech/2026-10.atom", "index.html", "feeds.opml")
    assert changed_feeds(PublishReport(written=written), SITE) == (FEED, FEED.replace("atom", "json"))


def test_after_a_publish_the_hub_of_the_present_configuration_is_told(tmp_path: Path) -> None:
    hub_free = answering((202, ()))
    with serve({"/one": hub_free, "/two": hub_free}) as server:
        (tmp_path / "feedhub.yaml").write_text(
            "site: {title: T, url: https://news.example.org}\n"
            f"poll: {{allow_private: ['127.0.0.1:{server.port}']}}\nsources: []\n"
        )
        hub_url: list[str | None] = [server.url("/one")]
        pinging = PingAfterPublish(lambda _: hub_url[0])
        report = PublishReport(written=("feeds/tech.atom",))
        with Hub(load_settings(str(tmp_path / "feedhub.yaml"))) as hub:
            pinging.reloaded(hub)
            pinging.published(report)
            until(lambda: len(server.log) == 1)
            hub_url[0] = server.url("/two")
            pinging.reloaded(hub)
            pinging.published(report)
            until(lambda: len(server.log) == 2)
            hub_url[0] = None
            pinging.reloaded(hub)
            pinging.published(report)
        pinging.close()
        assert [each.path for each in server.log] == ["/one", "/two"]
