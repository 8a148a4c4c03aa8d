import pytest

from feedhub.errors import FetchError, HttpStatusError, RedirectError, RefusedAddressError
from feedhub.fetch.fetcher import HttpFetcher
from feedhub.fetch.http import keeps_credentials
from feedhub.model.document import Document, NotModified, Redirect, Validators
from support.fetching import ask, hosts, http_fetcher
from support.responders import chain, redirect, sequence, static, status
from support.server import LoopbackServer, serve


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_recorded(server: LoopbackServer, fetcher: HttpFetcher, code: int) -> None:
    server.routes["/old"] = redirect("/feed", code)
    server.routes["/feed"] = static()
    answer = fetcher.fetch(ask(server.url("/old")))
    assert isinstance(answer, Document)
    assert answer.url == server.url("/feed")
    assert answer.redirects == (Redirect(status=code, url=server.url("/feed")),)


def test_five_redirects_are_followed_and_six_are_not(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes.update(chain(6, static()))
    answer = fetcher.fetch(ask(server.url("/hop1")))
    assert [hop.url for hop in answer.redirects] == [server.url(f"/hop{index}") for index in range(2, 7)]
    with pytest.raises(RedirectError, match=r"^more than 5 redirects$"):
        fetcher.fetch(ask(server.url("/hop0")))
    assert server.requests("/hop6") == server.log[5:6]


@pytest.mark.parametrize("loop", [("/a",), ("/a", "/b"), ("/a", "/b", "/c")], ids=["one", "two", "three"])
def test_a_loop_ends_at_once(server: LoopbackServer, fetcher: HttpFetcher, loop: tuple[str, ...]) -> None:
    for index, path in enumerate(loop):
        server.routes[path] = redirect(loop[(index + 1) % len(loop)] + "#part")
    with pytest.raises(RedirectError, match=rf"^redirect loop after {len(loop)} hops$"):
        fetcher.fetch(ask(server.url("/a")))
    assert len(server.log) == len(loop)


TARGETS = [
    ("relative to the folder", "new", "/a/new"),
    ("relative to the root", "/new", "/new"),
    ("up", "../new?x=1", "/new?x=1"),
    ("query only", "?y=2", "/a/old?y=2"),
    ("percent-encoded", "/%E6%96%B0?a=%26", "/%E6%96%B0?a=%26"),
    ("raw UTF-8", "/新", "/%E6%96%B0"),
    ("raw Latin-1", "/\xfc", "/%C3%BC"),
    ("with a space", "/a b", "/a%20b"),
    ("with a fragment", "/new#top", "/new"),
    ("spaces around", "  /new ", "/new"),
]


@pytest.mark.parametrize(("target", "path"), [row[1:] for row in TARGETS], ids=[row[0] for row in TARGETS])
def test_targets_are_read_in_every_form(server: LoopbackServer, fetcher: HttpFetcher, target: str, path: str) -> None:
    raw = target.encode("utf-8").decode("latin-1") if "新" in target else target
    server.routes["/a/old"] = redirect(raw)
    server.routes[path] = static()
    server.routes["/a/old?y=2"] = static()
    answer = fetcher.fetch(ask(server.url("/a/old")))
    assert answer.url == server.url(path)
    assert server.log[-1].path == path


def test_the_host_of_a_target_may_be_written_without_scheme(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = redirect(f"//127.0.0.1:{server.port}/feed")
    server.routes["/feed"] = static()
    assert fetcher.fetch(ask(server.url("/old"))).url == server.url("/feed")


def test_a_target_may_have_a_chinese_host(server: LoopbackServer) -> None:
    server.routes["/old"] = redirect(server.url("/新闻", host="user:pass@新闻.example").encode().decode("latin-1"))
    server.routes["/%E6%96%B0%E9%97%BB"] = static()
    with http_fetcher(lookup=hosts({"xn--efvy88h.example": ["127.0.0.1"], "localhost": ["127.0.0.1"]})) as fetcher:
        answer = fetcher.fetch(ask(server.url("/old", host="localhost")))
    assert answer.url == server.url("/%E6%96%B0%E9%97%BB", host="xn--efvy88h.example")


BAD_TARGETS = [
    ("missing", "", "301 redirect without a target"),
    ("file", "file:///etc/passwd", "301 redirect to something other than http or https"),
    ("ftp", "ftp://host.example/feed", "301 redirect to something other than http or https"),
    ("backslash", "http://10.0.0.1\\@host.example/", "301 redirect to an address that cannot be read"),
    ("no host", "https:///feed", "301 redirect to something other than http or https"),
    ("bad port", "http://host.example:x/", "301 redirect to an address that cannot be read"),
    ("bad brackets", "http://[::1/", "301 redirect to an address that cannot be read"),
    ("too long", "/" + "x" * 9_000, "301 redirect to an address of more than 8192 characters"),
]


@pytest.mark.parametrize(("target", "words"), [row[1:] for row in BAD_TARGETS], ids=[row[0] for row in BAD_TARGETS])
def test_a_target_that_cannot_be_used_is_an_error(
    server: LoopbackServer, fetcher: HttpFetcher, target: str, words: str
) -> None:
    server.routes["/old"] = redirect(target, 301) if target else status(301, b"moved")
    with pytest.raises(RedirectError) as caught:
        fetcher.fetch(ask(server.url("/old")))
    assert (str(caught.value), caught.value.status) == (words, 301)


def test_a_target_that_is_never_asked_is_refused(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = redirect("http://host.example:0/")
    with pytest.raises(RefusedAddressError, match=r"^the address has port 0$"):
        fetcher.fetch(ask(server.url("/old")))


def test_300_and_304_are_not_followed(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = status(300, b"choose", headers=(("Location", "/feed"),))
    with pytest.raises(HttpStatusError, match="300 Multiple Choices"):
        fetcher.fetch(ask(server.url("/old")))


def test_validators_go_with_the_redirect_and_304_records_it(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = redirect("/feed", 308)
    server.routes["/feed"] = static(etag='"a"')
    answer = fetcher.fetch(ask(server.url("/old"), validators=Validators(etag='"a"')))
    assert isinstance(answer, NotModified)
    assert answer.url == server.url("/feed")
    assert answer.redirects == (Redirect(status=308, url=server.url("/feed")),)


def test_credentials_stay_with_their_origin(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    secrets = (("Authorization", "Bearer t"), ("Cookie", "id=1"), ("X-Key", "k"))
    with serve({"/feed": redirect(server.url("/back"))}) as other:
        server.routes["/old"] = redirect("/near")
        server.routes["/near"] = redirect(other.url("/feed"))
        server.routes["/back"] = static()
        fetcher.fetch(ask(server.url("/old"), headers=secrets, user_agent="me"))
        names = [name for name, _ in secrets]
        assert [server.log[1].header(name) for name in names] == ["Bearer t", "id=1", "k"]
        assert [other.log[0].header(name) for name in names] == [None, None, None]
        assert other.log[0].header("User-Agent") == "me"
        assert server.log[2].path == "/back"


def test_credentials_stay_with_the_origin_of_a_source_that_moved(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = static()
    secrets = (("X-Key", "k"), ("Cookie", "id=1"))
    origin = "http://user:pass@old.example/feed"
    fetcher.fetch(ask(server.url("/feed"), headers=secrets, origin=origin, user_agent="me"))
    fetcher.fetch(ask(server.url("/feed").replace("//", "//user:pass@"), headers=secrets, origin=origin))
    for received in server.log:
        assert [received.header(name) for name in ("Authorization", "X-Key", "Cookie")] == [None, None, None]
    assert server.log[0].header("User-Agent") == "me"


def test_a_source_that_moved_on_its_own_site_keeps_its_credentials(server: LoopbackServer) -> None:
    server.routes["/new"] = static()
    with http_fetcher() as fetcher:
        origin = server.url("/old").replace("//", "//user:pass@")
        fetcher.fetch(ask(server.url("/new"), headers=(("X-Key", "k"),), origin=origin))
    assert (server.log[0].header("Authorization"), server.log[0].header("X-Key")) == ("Basic dXNlcjpwYXNz", "k")


def test_another_name_of_the_same_machine_is_another_origin(server: LoopbackServer) -> None:
    server.routes["/old"] = redirect(server.url("/feed", host="b.example"))
    server.routes["/feed"] = static()
    names = hosts({"a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]})
    with http_fetcher(lookup=names) as fetcher:
        fetcher.fetch(ask(server.url("/old", host="user:pass@a.example"), headers=(("Cookie", "id=1"),)))
    assert server.log[0].header("Authorization") == "Basic dXNlcjpwYXNz"
    assert server.log[1].header("Authorization") is None
    assert server.log[1].header("Cookie") is None


def test_a_password_in_a_target_is_neither_sent_nor_shown(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = redirect(server.url("/feed").replace("//", "//user:pass@"))
    server.routes["/feed"] = static()
    answer = fetcher.fetch(ask(server.url("/old")))
    assert server.log[1].header("Authorization") is None
    assert answer.url == server.url("/feed")
    assert answer.redirects[0].url == server.url("/feed")


def test_a_cookie_of_a_redirect_is_sent_to_its_origin_only(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    with serve({"/there": redirect(server.url("/feed"))}) as other:
        field = "id=1; Path=/; Domain=127.0.0.1"
        server.routes["/old"] = redirect(other.url("/there"), headers=(("Set-Cookie", field),))
        server.routes["/feed"] = static()
        fetcher.fetch(ask(server.url("/old")))
        assert other.log[0].header("Cookie") is None
    assert [each.header("Cookie") for each in server.log] == [None, "id=1"]
    fetcher.fetch(ask(server.url("/feed")))
    assert server.log[-1].header("Cookie") is None


COOKIES = [
    ("of this path", "id=1; Path=/feed", None, "id=1"),
    ("of another path", "id=1; Path=/other", None, None),
    ("of the folder of the address", "id=1", None, "id=1"),
    ("deleted", "id=1; Max-Age=0", None, None),
    ("expired", "id=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None, None),
    ("of another host", "id=1; Domain=other.example", None, None),
    ("for https only", "id=1; Secure; Path=/", None, None),
    ("beside a configured one", "id=1; Path=/", "session=s; v", "session=s; v; id=1"),
    ("instead of a configured one", "session=2; Path=/", "session=1; v=2", "session=2; v=2"),
    ("too long for a header", f"id={'x' * 8_200}; Path=/", None, None),
    ("nothing to read", "=;;; \xff\x80", None, None),
]


@pytest.mark.parametrize(("field", "configured", "sent"), [row[1:] for row in COOKIES], ids=[row[0] for row in COOKIES])
def test_cookies_of_a_redirect_are_sent_as_the_standard_says(
    server: LoopbackServer, fetcher: HttpFetcher, field: str, configured: str | None, sent: str | None
) -> None:
    server.routes["/old"] = redirect("/feed", headers=(("Set-Cookie", field),))
    server.routes["/feed"] = static()
    fetcher.fetch(ask(server.url("/old"), headers=(("Cookie", configured),) if configured else ()))
    assert server.log[1].header("Cookie") == sent


def test_a_cookie_and_back_to_the_same_address_is_no_loop(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/feed"] = sequence(redirect("/feed", headers=(("Set-Cookie", "seen=1"),)), static())
    answer = fetcher.fetch(ask(server.url("/feed")))
    assert [hop.url for hop in answer.redirects] == [server.url("/feed")]
    assert server.log[1].header("Cookie") == "seen=1"


def test_a_loop_ends_although_every_answer_sets_another_cookie(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    counting = [redirect("/feed", headers=(("Set-Cookie", f"n={number}"),)) for number in range(9)]
    server.routes["/feed"] = sequence(*counting)
    with pytest.raises(RedirectError, match=r"^more than 5 redirects$"):
        fetcher.fetch(ask(server.url("/feed")))
    assert len(server.log) == 6


def test_an_error_behind_a_redirect_keeps_its_status(server: LoopbackServer, fetcher: HttpFetcher) -> None:
    server.routes["/old"] = redirect("/gone", 301)
    server.routes["/gone"] = status(410)
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(server.url("/old")))
    assert caught.value.status == 410


ORIGINS = [
    ("same", "http://a.example/x", "http://a.example/y", True),
    ("written default port", "http://a.example/", "http://a.example:80/", True),
    ("capitals", "http://A.example/", "http://a.EXAMPLE/", True),
    ("upgrade", "http://a.example/", "https://a.example/", True),
    ("upgrade with written ports", "http://a.example:80/", "https://a.example:443/", True),
    ("downgrade", "https://a.example/", "http://a.example/", False),
    ("upgrade to another host", "http://a.example/", "https://b.example/", False),
    ("upgrade on other ports", "http://a.example:8080/", "https://a.example:8443/", False),
    ("other port", "http://a.example/", "http://a.example:81/", False),
    ("subdomain", "http://a.example/", "http://www.a.example/", False),
]


@pytest.mark.parametrize(
    ("origin", "target", "expected"), [row[1:] for row in ORIGINS], ids=[row[0] for row in ORIGINS]
)
def test_an_origin_is_scheme_host_and_port(origin: str, target: str, expected: bool) -> None:
    assert keeps_credentials(origin, target) is expected
