import hashlib
from datetime import timedelta

import pytest

from feedhub.errors import FetchError, HttpStatusError
from feedhub.fetch.fetcher import HttpFetcher
from feedhub.model.document import Document, NotModified, Validators
from support.fetching import NOW, ask, http_fetcher
from support.responders import FEED, not_modified, sequence, static, status, too_many, verbatim
from support.server import LoopbackServer


def test_a_document_carries_body_digest_type_charset_and_validators(
    server: LoopbackServer, fetcher: HttpFetcher
) -> None:
    server.routes["/feed"] = static(
        content_type="text/xml; Charset=GB2312", etag='W/"a, b"', last_modified="yesterday, I think"
    )
    answer = fetcher.fetch(ask(server.url("/feed")))
    assert isinstance(answer, Document)
    assert (answer.url, answer.status, answer.body) == (server.url("/feed"), 200, FEED)
    assert answer.digest == hashlib.sha256(FEED).hexdigest()
    assert (answer.content_type, answer.charset) == ("text/xml; Charset=GB2312", "GB2312")
    assert answer.validators == Validators(etag='W/"a, b"', last_modified="yesterday, I think")
    assert answer.redirects == ()


@pytest.mark.parametrize("etag", ['"plain"', 'W/"weak"', "no quotes", '"über"', '""', "a--gzip"])
def test_validators_are_sent_back_exactly_as_received(server: LoopbackServer, fetcher: HttpFetcher, etag: str) -> None:
    server.routes["/feed"] = static(etag=etag, last_modified="Mon, 1 Jan 2041 00:00:00 +0000")
    first = fetcher.fetch(ask(server.url("/feed")))
    second = fetcher.fetch(ask(server.url("/feed"), validators=first.validators))
    assert isinstance(second, NotModified)
    assert second.validators == first.validators
    sent = server.log[1]
    assert sent.header("If-None-Match") == etag
    assert sent.header("If-Modified-Since") == "Mon, 1 Jan 2041 00:00:00 +0000"


def test_a_first_request_is_unconditional_and_names_feeds_first(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static()
    fetcher.fetch(ask(server.url("/feed"), user_agent="feedhub (+https://news.example)"))
    sent = server.log[0]
    assert sent.header("If-None-Match") is None
    assert sent.header("If-Modified-Since") is None
    assert sent.header("User-Agent") == "feedhub (+https://news.example)"
    assert (sent.header("Accept") or "").startswith("application/atom+xml, application/rss+xml")
    assert sent.header("Accept-Encoding") == "gzip, deflate, br, zstd"


def test_304_without_validators_keeps_those_that_were_sent(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = not_modified()
    sent = Validators(etag='"a"', last_modified="then")
    assert fetcher.fetch(ask(server.url("/feed"), validators=sent)).validators == sent


def test_304_with_new_validators_replaces_those_that_were_sent(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = not_modified(headers=(("ETag", '"b"'), ("Last-Modified", "now")))
    answer = fetcher.fetch(ask(server.url("/feed"), validators=Validators(etag='"a"', last_modified="then")))
    assert answer.validators == Validators(etag='"b"', last_modified="now")


def test_200_without_validators_drops_those_that_were_sent(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static()
    assert fetcher.fetch(ask(server.url("/feed"), validators=Validators(etag='"a"'))).validators == Validators()


def test_304_to_an_unconditional_request_is_an_error(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = not_modified()
    with pytest.raises(HttpStatusError, match="304 Not Modified, although") as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert caught.value.status == 304


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (204, "204 No Content"),
        (206, "206 Partial Content"),
        (400, "400 Bad Request (the server does not understand the request)"),
        (401, "401 Unauthorized (a user name, password or token is needed)"),
        (403, "403 Forbidden (the server does not let us in)"),
        (404, "404 Not Found (there is nothing at this address)"),
        (410, "410 Gone (removed for good)"),
        (429, "429 Too Many Requests (the server was asked too often)"),
        (500, "500 Internal Server Error (an error on the server's side)"),
        (503, "503 Service Unavailable (the server is overloaded or under maintenance)"),
        (599, "599 (unknown status)"),
    ],
)
def test_another_status_is_an_error_in_words(
    server: LoopbackServer, fetcher: HttpFetcher, code: int, words: str
) -> None:
    server.routes["/feed"] = status(code, b"" if code == 204 else b"<p>sorry")
    with pytest.raises(HttpStatusError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert (str(caught.value), caught.value.status, caught.value.retry_at) == (words, code, None)


@pytest.mark.parametrize("code", [403, 429, 503])
@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>",
        b"\n<html><body><script src='/cdn-cgi/challenge-platform/x.js'></script>",
        b"<html><body><div class='g-recaptcha'></div></body></html>",
    ],
    ids=["title", "script", "captcha"],
)
def test_a_bot_wall_is_named(server: LoopbackServer, fetcher: HttpFetcher, code: int, page: bytes) -> None:
    server.routes["/feed"] = status(code, page)
    with pytest.raises(HttpStatusError, match=rf"^{code} .*: challenge page instead of a feed$"):
        fetcher.fetch(ask(server.url("/feed")))


def test_a_bot_wall_that_says_so_in_a_header_is_named(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = status(403, b"", headers=(("cf-mitigated", "challenge"),))
    with pytest.raises(HttpStatusError, match="challenge page"):
        fetcher.fetch(ask(server.url("/feed")))


def test_a_bot_wall_that_calls_itself_a_success_is_named(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = status(200, b"<html>", headers=(("cf-mitigated", "challenge"),))
    with pytest.raises(FetchError, match=r"^challenge page instead of a feed$") as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert caught.value.status == 200


def test_a_plain_403_page_is_no_bot_wall(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = status(403, b"<html><title>403 Forbidden</title></html>")
    with pytest.raises(HttpStatusError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert str(caught.value) == "403 Forbidden (the server does not let us in)"


def test_a_wall_page_that_cannot_be_read_leaves_the_status(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = status(403, b"not gzip at all", headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(HttpStatusError, match=r"^403 Forbidden \(the server does not let us in\)$"):
        fetcher.fetch(ask(server.url("/feed")))


@pytest.mark.parametrize("code", [404, 429, 500, 503])
@pytest.mark.parametrize("value", ["120", "Mon, 23 Nov 2026 12:02:00 GMT"], ids=["seconds", "date"])
def test_retry_after_is_read_in_both_forms_on_any_error(
    server: LoopbackServer, fetcher: HttpFetcher, code: int, value: str
) -> None:
    server.routes["/feed"] = too_many(value, code=code)
    with pytest.raises(HttpStatusError) as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert caught.value.retry_at == NOW + timedelta(minutes=2)


def test_freshness_is_read_from_a_document_and_from_a_304(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    fields = (
        ("Cache-Control", "private, max-age=600"),
        ("Date", "Mon, 23 Nov 2026 10:00:00 GMT"),
        ("Expires", "Mon, 23 Nov 2026 11:00:00 GMT"),
        ("Retry-After", "60"),
    )
    server.routes["/feed"] = static(etag='"a"', headers=fields)
    for validators in (Validators(), Validators(etag='"a"')):
        freshness = fetcher.fetch(ask(server.url("/feed"), validators=validators)).freshness
        assert freshness.max_age == 600
        assert freshness.expires_at == NOW + timedelta(hours=1)
        assert freshness.retry_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("code", [202, 203, 226])
def test_other_successes_that_come_with_the_document_are_read(
    server: LoopbackServer, fetcher: HttpFetcher, code: int
) -> None:
    server.routes["/feed"] = status(code, FEED, headers=(("ETag", '"a"'),))
    answer = fetcher.fetch(ask(server.url("/feed")))
    assert isinstance(answer, Document)
    assert (answer.body, answer.validators.etag) == (FEED, '"a"')


def test_an_accepted_request_without_a_document_is_an_error(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = status(202)
    with pytest.raises(FetchError, match=r"^empty answer$") as caught:
        fetcher.fetch(ask(server.url("/feed")))
    assert caught.value.status == 202


INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: a=1\r\n\r\n"


@pytest.mark.parametrize("interim", [*INTERIM, b"HTTP/1.1 100 Continue\r\n\r\n", b"".join(INTERIM * 4)])
def test_what_is_said_before_the_answer_is_passed_over(
    server: LoopbackServer, fetcher: HttpFetcher, interim: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FEED)
    server.routes["/feed"] = verbatim(interim + head + FEED)
    answer = fetcher.fetch(ask(server.url("/feed")))
    assert isinstance(answer, Document)
    assert answer.body == FEED
    assert "Set-Cookie" not in dict(answer.headers)


def test_interim_answers_without_end_are_an_error(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = verbatim(INTERIM[0] * 1_000)
    with pytest.raises(FetchError, match=r"is no web server$"):
        fetcher.fetch(ask(server.url("/feed")))


def test_an_empty_answer_is_an_error(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static(b"")
    with pytest.raises(FetchError, match=r"^empty answer$"):
        fetcher.fetch(ask(server.url("/feed")))


def test_no_cookie_is_kept_or_handed_on(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static(headers=(("Set-Cookie", "id=1; Path=/"), ("X-Other", "kept")))
    first = fetcher.fetch(ask(server.url("/feed")))
    fetcher.fetch(ask(server.url("/feed")))
    assert server.log[1].header("Cookie") is None
    assert isinstance(first, Document)
    names = {name.lower() for name, _ in first.headers}
    assert "x-other" in names
    assert "set-cookie" not in names


def test_configured_headers_are_sent_and_win(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static()
    fetcher.fetch(ask(server.url("/feed"), headers=(("Authorization", "Bearer t"), ("accept", "text/xml"))))
    assert server.log[0].header("Authorization") == "Bearer t"
    assert server.log[0].header("Accept") == "text/xml"


def test_a_name_and_password_in_the_address_become_a_header_and_are_never_shown(
    server: LoopbackServer, fetcher: HttpFetcher
) -> None:
    server.routes["/feed"] = static()
    answer = fetcher.fetch(ask(server.url("/feed").replace("//", "//us%40er:pa%3Ass@")))
    assert server.log[0].header("Authorization") == "Basic dXNAZXI6cGE6c3M="
    assert answer.url == server.url("/feed")


def test_the_environment_names_no_proxy_and_no_password(
    server: LoopbackServer, fetcher: HttpFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.routes["/feed"] = static()
    assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)


def test_one_connection_serves_several_requests(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = sequence(status(404, b"no"), static(etag='"a"'))
    with pytest.raises(HttpStatusError):
        fetcher.fetch(ask(server.url("/feed")))
    fetcher.fetch(ask(server.url("/feed")))
    fetcher.fetch(ask(server.url("/feed"), validators=Validators(etag='"a"')))
    fetcher.fetch(ask(server.url("/feed")))
    assert len({each.client_port for each in server.log[1:]}) == 1


def test_a_kept_connection_that_the_server_closed_is_replaced(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    from support.responders import hang_up, reset

    server.routes["/feed"] = sequence(static(), hang_up(), static(), reset(), static())
    for _ in range(3):
        assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)
    assert len(server.log) == 5


def test_requests_on_one_host_keep_their_distance(server: LoopbackServer) -> None:
    server.routes["/feed"] = static()
    with http_fetcher(gap=0.25) as polite:
        for _ in range(3):
            polite.fetch(ask(server.url("/feed"), timeout=0.2))
    first, second, third = (each.at for each in server.log)
    assert second - first >= 0.2
    assert third - second >= 0.2


@pytest.mark.parametrize(
    "headers",
    [(("X", "line\nbreak"),), (("X", "秘密"),), (("bad name:", "x"),)],
    ids=["line break", "not Latin-1", "bad name"],
)
def test_a_header_that_cannot_be_sent_is_an_error_that_does_not_show_it(
    server: LoopbackServer, fetcher: HttpFetcher, headers: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(FetchError, match=r"^the address or a configured header cannot be sent$"):
        fetcher.fetch(ask(server.url("/feed"), headers=headers))
    assert server.log == []
