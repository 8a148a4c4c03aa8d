from dataclasses import replace

import pytest

from feedhub.errors import RedirectError
from feedhub.fetch.fetcher import HttpFetcher
from feedhub.model.document import Document, Redirect, Request, Validators
from support.fetching import ask
from support.responders import redirect, static
from support.server import LoopbackServer, serve

BODY = '{"page":1,"词":"芯片"}'.encode()


def post(url: str, body: bytes | None = BODY) -> Request:
    return ask(url, method="POST", body=body, headers=(("Content-Type", "application/json"), ("X-Key", "k")))


def test_a_post_sends_its_body_as_it_is(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/api"] = static(b"[]")
    answer = fetcher.fetch(post(server.url("/api")))
    assert isinstance(answer, Document)
    assert answer.body == b"[]"
    (received,) = server.log
    assert (received.method, received.body) == ("POST", BODY)
    assert received.header("Content-Type") == "application/json"
    assert received.header("Content-Length") == str(len(BODY))


def test_a_post_without_body_says_that_it_is_empty(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/api"] = static(b"[]")
    fetcher.fetch(post(server.url("/api"), None))
    assert (server.log[0].method, server.log[0].header("Content-Length")) == ("POST", "0")


def test_a_get_has_no_body_and_no_length(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/api"] = static(b"[]")
    fetcher.fetch(ask(server.url("/api")))
    assert (server.log[0].method, server.log[0].header("Content-Length")) == ("GET", None)


def test_one_connection_serves_several_posts(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/api"] = static(b"[]")
    for _ in range(3):
        fetcher.fetch(post(server.url("/api")))
    assert [each.body for each in server.log] == [BODY] * 3
    assert len({each.client_port for each in server.log}) == 1


@pytest.mark.parametrize("code", [307, 308])
def test_a_post_stays_one_where_the_answer_says_so(server: LoopbackServer, fetcher: HttpFetcher, code: int) -> None:
    server.routes["/old"] = redirect("/api", code)
    server.routes["/api"] = static(b"[]")
    answer = fetcher.fetch(post(server.url("/old")))
    assert answer.redirects == (Redirect(status=code, url=server.url("/api")),)
    assert [(each.method, each.body) for each in server.log] == [("POST", BODY)] * 2


@pytest.mark.parametrize("code", [301, 302, 303])
def test_other_redirects_make_a_post_a_get_for_good(server: LoopbackServer, fetcher: HttpFetcher, code: int) -> None:
    server.routes["/old"] = redirect("/mid", code)
    server.routes["/mid"] = redirect("/api", 307)
    server.routes["/api"] = static(b"[]")
    fetcher.fetch(post(server.url("/old")))
    assert [(each.method, each.body) for each in server.log] == [("POST", BODY), ("GET", b""), ("GET", b"")]
    assert [each.header("Content-Type") for each in server.log] == ["application/json", None, None]
    assert [each.header("X-Key") for each in server.log] == ["k"] * 3


def test_a_body_is_not_carried_to_another_site(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    with serve({"/api": static(b"[]")}) as other:
        server.routes["/old"] = redirect(other.url("/api"), 307)
        with pytest.raises(RedirectError, match="another site"):
            fetcher.fetch(post(server.url("/old")))
        assert other.log == []


def test_a_body_is_not_sent_to_another_site_where_the_source_moved(
    server: LoopbackServer, fetcher: HttpFetcher
) -> None:
    server.routes["/api"] = static(b"[]")
    with pytest.raises(RedirectError, match="another site"):
        fetcher.fetch(replace(post(server.url("/api")), origin="http://old.example/api"))
    assert server.log == []


def test_a_post_asks_conditionally_only_when_told_to(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/api"] = static(b"[]")
    fetcher.fetch(post(server.url("/api")))
    fetcher.fetch(ask(server.url("/api"), method="POST", body=BODY, validators=Validators(etag='"x"')))
    assert [each.header("If-None-Match") for each in server.log] == [None, '"x"']
