"""Canonical URLs: which addresses are one, and which are not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedhub.rules.urls import canonical_url, comparable_url, is_web_url, public_url, without_feed_scheme, without_query

SAME = {
    "http and https": ("http://a.example/x", "https://a.example/x"),
    "case of the host": ("https://A.Example/x", "https://a.example/x"),
    "default port": ("https://a.example:443/x", "http://a.example:80/x"),
    "fragment": ("https://a.example/x#comments", "https://a.example/x"),
    "utm parameters": ("https://a.example/x?utm_source=rss&utm_medium=feed", "https://a.example/x"),
    "click ids": ("https://a.example/x?id=7&fbclid=zz", "https://a.example/x?id=7"),
    "case of a tracker": ("https://a.example/x?UTM_Source=rss", "https://a.example/x"),
    "order of parameters": ("https://a.example/x?b=2&a=1", "https://a.example/x?a=1&b=2"),
    "encoded letters": ("https://a.example/%7euser/%e4%b8%ad", "https://a.example/~user/中"),
    "a host in Chinese": ("https://新闻.example/x", "https://xn--efvy88h.example/x"),
    "a dot after the host": ("https://a.example./x", "https://a.example/x"),
    "credentials": ("https://user:secret@a.example/x", "https://a.example/x"),
    "blanks around": ("  https://a.example/x\n", "https://a.example/x"),
}
DIFFERENT = {
    "the case of the path": ("https://a.example/X", "https://a.example/x"),
    "an unknown parameter": ("https://a.example/x?id=1", "https://a.example/x?id=2"),
    "a parameter that may carry meaning": ("https://a.example/x?ref=1", "https://a.example/x"),
    "a blank parameter": ("https://a.example/x?print", "https://a.example/x"),
    "what identifies an article of WeChat": (
        "https://mp.example/s?__biz=A&mid=1&idx=1&sn=q",
        "https://mp.example/s?__biz=A&mid=1&idx=2&sn=q",
    ),
    "another port": ("https://a.example:8443/x", "https://a.example/x"),
    "another host": ("https://www.a.example/x", "https://a.example/x"),
    "an encoded slash": ("https://a.example/a%2Fb", "https://a.example/a/b"),
}
NO_KEY = {
    "a front page": "https://a.example/",
    "a front page without slash": "https://a.example",
    "a front page with trackers": "https://a.example/?utm_source=rss",
    "a front page with a fragment": "https://a.example/#top",
    "another scheme": "ftp://a.example/x",
    "a tag URI": "tag:a.example,2024:1",
    "a script": "javascript:alert(1)",
    "no host": "https:///x",
    "a port that is no number": "https://a.example:x/y",
    "an open bracket": "https://[::1/x",
    "nothing": "",
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_these_addresses_are_one(one: str, other: str) -> None:
    assert canonical_url(one) == canonical_url(other) is not None


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_these_addresses_stay_two(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize("url", NO_KEY.values(), ids=NO_KEY)
def test_these_addresses_are_no_key(url: str) -> None:
    assert canonical_url(url) is None


def test_a_front_page_with_a_query_is_a_key() -> None:
    assert canonical_url("https://a.example/?p=12") == "a.example/?p=12"


def test_a_host_that_no_name_server_would_take_is_kept_as_it_is() -> None:
    host = "中" * 70
    assert canonical_url(f"https://{host}.example/x") == f"{host}.example/x"


@given(st.text(max_size=60))
def test_no_path_breaks_the_key_and_the_key_is_its_own_key(path: str) -> None:
    key = canonical_url("https://a.example/x/" + path)
    if key is not None:
        assert canonical_url("https://" + key) == key


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://a.example/", True),
        ("HTTP://a.example", True),
        ("ftp://a.example/", False),
        ("javascript:alert(1)", False),
        ("/relative", False),
        ("https://[bad", False),
        ("", False),
        (None, False),
    ],
)
def test_only_http_addresses_with_a_host_are_web_addresses(url: str | None, answer: bool) -> None:
    assert is_web_url(url) is answer


def test_a_token_in_the_query_is_left_out() -> None:
    assert without_query("https://a.example/x.mp3?token=1#t") == "https://a.example/x.mp3"


CREDENTIALS = ("auth", "token", "apiKey", "secret", "password", "pwd", "sig", "signature", "session", "PHPSESSID")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/rss?page=1", "https://a.example/rss?page=1"),
        ("https://a.example/rss?page=1&Access_Token=x", "https://a.example/rss"),
        *((f"https://a.example/rss?{name}=x", "https://a.example/rss") for name in CREDENTIALS),
        ("https://a.example/s3cret/rss", None),
        (None, None),
    ],
)
def test_an_address_is_shown_only_as_far_as_it_holds_no_credential(url: str | None, shown: str | None) -> None:
    assert public_url(url, ("s3cret",)) == shown


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("feed://a.example/rss", "http://a.example/rss"),
        ("feed:https://a.example/rss", "https://a.example/rss"),
        ("feeds://a.example/rss", "https://a.example/rss"),
        ("itpc://a.example/rss", "http://a.example/rss"),
        ("FEED:http://a.example/rss", "http://a.example/rss"),
        ("feed:a.example", "feed:a.example"),
        ("https://a.example/rss", "https://a.example/rss"),
    ],
)
def test_the_feed_scheme_stands_for_a_web_address(written: str, address: str) -> None:
    assert without_feed_scheme(written) == address


def test_addresses_of_front_pages_are_compared_as_they_are_written() -> None:
    assert comparable_url("https://A.example/rss?utm_source=x") == comparable_url("http://a.example/rss")
    assert comparable_url("http://A.example/") == comparable_url("http://a.example")
    assert comparable_url("http://a.example/") != comparable_url("https://a.example/")


@given(
    st.sampled_from(["http://", "https://", "HTTPS://", "ftp://"]),
    st.text("aZ0-.:@[", max_size=8),
    st.text("/aZ0._~;,%?&=#中 ", max_size=12),
    st.sampled_from(["", "?b=2&a=1", "?utm_source=x", "?UTM_x=1&id=7", "?", "?a=/x?y", "#part", "?a=%7e"]),
)
@example("https://", "a.example", "/", "")
@example("https://", "a.example", "/", "?utm_source=x")
@example("https://", "a-b.example", "/x;y", "?b=2&a=1")
def test_the_short_way_of_usual_addresses_gives_the_same(scheme: str, host: str, path: str, query: str) -> None:
    url = f"{scheme}{host}{path}{query}"
    assert canonical_url(url) == canonical_url(f" {url}")  # with a blank it is taken apart
    assert canonical_url(url, ("id",)) == canonical_url(f" {url}", ("id",))
