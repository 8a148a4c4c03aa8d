"""Which addresses count as one host, and its pace."""

import pytest

from feedhub.model.source import HostGroup, PollSettings
from feedhub.rules.pacing import host_key, host_pace, most_concurrent

SETTINGS = PollSettings(
    host_concurrent=3,
    host_gap=0.5,
    host_groups=(
        HostGroup(pattern="slow.tumblr.com", concurrent=2, gap=9),
        HostGroup(pattern="*.tumblr.com", concurrent=1, gap=5),
        HostGroup(pattern="*.MÜNCHEN.example", concurrent=4, gap=6),
    ),
)

KEYS = {
    "a host": ("https://news.example/feed", "news.example"),
    "capitals, port, user": ("https://u:p@News.Example:8443/feed", "news.example"),
    "a trailing dot": ("https://news.example./feed", "news.example"),
    "an address": ("http://[::1]:8080/", "::1"),
    "letters beyond ASCII": ("https://bücher.example/", "xn--bcher-kva.example"),
    "a member of a group": ("https://cats.tumblr.com/rss", "*.tumblr.com"),
    "a member in capitals": ("https://CATS.Tumblr.COM.:443/rss", "*.tumblr.com"),
    "the first group that matches": ("https://slow.tumblr.com/rss", "slow.tumblr.com"),
    "no member": ("https://tumblr.com/rss", "tumblr.com"),
    "a pattern in letters": ("https://news.MÜNCHEN.example/", "*.MÜNCHEN.example"),
    "the same in ASCII": ("https://news.xn--mnchen-3ya.example/", "*.MÜNCHEN.example"),
    "what looks international": ("https://xn--a.xn--\u00e4/", "xn--a.xn--\u00e4"),
    "a file": ("file:///var/feeds/a.xml", ""),
    "a file on localhost": ("file://localhost/var/feeds/a.xml", ""),
    "no address": ("http://[", ""),
    "no host": ("nonsense", ""),
}


@pytest.mark.parametrize(("url", "key"), KEYS.values(), ids=KEYS)
def test_the_key_is_the_host_or_its_group(url: str, key: str) -> None:
    assert host_key(url, SETTINGS) == key


@pytest.mark.parametrize(
    ("key", "pace"),
    [("news.example", (3, 0.5)), ("*.tumblr.com", (1, 5)), ("slow.tumblr.com", (2, 9)), ("", (3, 0.5))],
)
def test_the_pace_is_that_of_the_group_or_of_any_host(key: str, pace: tuple[int, float]) -> None:
    assert host_pace(key, SETTINGS) == pace


def test_the_largest_number_of_requests_is_that_of_a_group_or_of_any_host() -> None:
    assert most_concurrent(SETTINGS) == 4
    assert most_concurrent(PollSettings(host_concurrent=3)) == 3
