import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from feedhub.config.forms import parse_duration, parse_size, show_duration, show_size
from feedhub.model.settings import NOTIFY_SERVICES

Make = Callable[[str], Any]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("45", 45), ("1.5h", 5400), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "often", "-5m", "5 m", "5w", "1h30m", "1e9", "٣m", None, ["5m"], "9" * 400])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10MB", 10_000_000),
        ("500KB", 500_000),
        ("500kb", 500_000),
        ("2MiB", 2_097_152),
        ("1 KiB", 1024),
        ("7", 7),
        ("8B", 8),
        ("1.5GB", 1_500_000_000),
        ("1GiB", 2**30),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1MB", "10TB", None, "0"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["90s", "15m", "2h", "7d", "0s", "1.5s"])
def test_durations_are_shown_as_they_are_written(text: str) -> None:
    assert show_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["10MB", "500KB", "3GB", "1023"])
def test_sizes_are_shown_as_they_are_written(text: str) -> None:
    assert show_size(parse_size(text)) == text


@pytest.mark.parametrize(
    ("section", "message"),
    [
        pytest.param("output: {entries: 0}", 'output.entries: expected 1 or more, found "0"', id="too small"),
        pytest.param("output: {entries: 10001}", "output.entries: expected 10000 or less", id="too large"),
        pytest.param(
            "output: {entries: 1.5}", 'output.entries: expected a whole number, found "1.5"', id="no whole number"
        ),
        pytest.param("output: {entries: [1]}", "output.entries: expected a whole number, found a list", id="list"),
        pytest.param("output: {formats: []}", "output.formats: must not be empty", id="empty list"),
        pytest.param("output: {archive_formats: []}", "output.archive_formats: must not be empty", id="empty archives"),
        pytest.param(
            "output: {formats: [rss], archive_formats: [rss, atom]}",
            "output.archive_formats[1]: atom is none of formats, which are rss",
            id="archives of no feed",
        ),
        pytest.param("output: {formats: atom}", 'output.formats: expected a list, found "atom"', id="no list"),
        pytest.param("output: 5", 'output: expected a mapping, found "5"', id="no mapping"),
        pytest.param("output: {dir: ' '}", "output.dir: must not be empty", id="blank"),
        pytest.param("output: {dir: {a: b}}", "output.dir: expected text, found a mapping", id="no text"),
        pytest.param("web: {enabled: yes}", 'web.enabled: expected true or false, found "yes"', id="yes is a word"),
        pytest.param("web: {port: 99999}", "web.port: expected 65535 or less", id="port"),
        pytest.param("poll: {every: 0}", "poll.every: expected a duration of at least 1s", id="zero interval"),
        pytest.param(
            "poll: {per_host: {groups: [{hosts: 'http://*.example'}]}}",
            "poll.per_host.groups[0].hosts: expected a host name without scheme",
            id="group of addresses",
        ),
        pytest.param(
            "poll: {per_host: {groups: [{hosts: '*.a'}, {hosts: b.a}, {hosts: '*.A.'}]}}",
            "poll.per_host.groups[2].hosts: is the pattern of groups[0] already",
            id="group twice",
        ),
        pytest.param(
            "poll: {per_host: {retry_after: site}}", "poll.per_host.retry_after: expected url or host", id="retry after"
        ),
        pytest.param("poll: {min: 2d, max: 1d}", "poll: min must not be more than max", id="min over max"),
        pytest.param(
            'poll: {user_agent: "a\\nb"}', "poll.user_agent: must be printable ASCII on one line", id="header injection"
        ),
        pytest.param(
            "poll: {allow_private: [a b]}",
            "poll.allow_private[0]: expected a host, a network or host:port",
            id="private host",
        ),
        pytest.param("poll: {allow_private: ['h:99999']}", "poll.allow_private[0]: expected a host", id="private port"),
        pytest.param(
            "poll: {allow_private: ['[zz::1]:80']}", "poll.allow_private[0]: expected a host", id="private v6"
        ),
        pytest.param("store: sqlite://", "store: expected sqlite:///PATH", id="no store path"),
        pytest.param("store: mysql://u:p@h/d", "store: expected sqlite:///PATH", id="other store"),
        pytest.param("store: postgresql://u:p@h/d", "store: expected sqlite:///PATH", id="store of another driver"),
        pytest.param("store: postgresql+psycopg://u:p@h", "store: expected postgresql+psycopg://", id="no database"),
        pytest.param("store: postgresql+psycopg://u:p#@h/d", "store: expected postgresql+psycopg://", id="password"),
        pytest.param("store: postgresql+psycopg://u@h:x/d", "store: expected postgresql+psycopg://", id="store port"),
        pytest.param(
            "store: postgresql+psycopg://h/d?password=p", "store: must not have other parameters", id="hidden nowhere"
        ),
        pytest.param("store: 'sqlite:///:memory:'", "store: must be a file", id="store in memory"),
        pytest.param(
            "identity: {url: {from: id, pattern: x}}", "identity.url: is the name of a built-in key", id="built-in key"
        ),
        pytest.param("identity: {'1a': {from: id, pattern: x}}", "identity.1a: expected letters", id="key name"),
        pytest.param(
            "identity: {a: {from: guid, pattern: x}}",
            "identity.a.from: expected id, link, title, summary, content or author",
            id="key field",
        ),
        pytest.param("identity: {a: {from: [], pattern: x}}", "identity.a.from: must not be empty", id="no key field"),
        pytest.param(
            "identity: {a: {from: id, pattern: ''}}", "identity.a.pattern: must not be empty", id="empty pattern"
        ),
        pytest.param(
            "identity: {a: {from: id, pattern: '('}}",
            "identity.a.pattern: not a usable pattern: missing ): (",
            id="bad pattern",
        ),
        pytest.param(
            "categories: {All: {}}", "categories.All: expected lower-case letters, digits and hyphens", id="slug form"
        ),
        pytest.param("categories: {con: {}}", "categories.con: is a reserved name", id="slug reserved"),
        pytest.param(
            'categories: {a: {title: "x\\u0001"}}',
            "categories.a.title: must not contain control characters",
            id="control character",
        ),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(sited: Make, section: str, message: str) -> None:
    (problem,) = sited(section).problems()
    assert problem.startswith("feedhub.yaml:2:")
    assert f" {message}" in problem


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param("name: 'a b'", "name: expected letters, digits, dots", id="name"),
        pytest.param("name: ../x", "name: expected letters, digits, dots", id="name as path"),
        pytest.param("kind: jsonn", 'kind: expected feed, json or html, found "jsonn"', id="kind"),
        pytest.param(
            "stale_after: seldom",
            'stale_after: expected a duration such as 90s, 15m, 2h or 7d, or never, found "seldom"',
            id="stale after",
        ),
        pytest.param(
            "stale_after: 0s", "stale_after: expected a duration of at least 1s, or never", id="stale at once"
        ),
        pytest.param("every: often", "every: expected a duration such as 90s, 15m, 2h or 7d, or auto", id="every"),
        pytest.param("schedule: '* * *'", "schedule: expected five fields", id="schedule"),
        pytest.param("every: 5m, schedule: '* * * * *'", "every and schedule exclude each other", id="two ways"),
        pytest.param("encoding: klingon", "encoding: expected an encoding such as utf-8", id="encoding"),
        pytest.param("encoding: base64", "encoding: expected an encoding", id="codec that is no encoding"),
        pytest.param("timezone: Asia/Shanghay", "timezone: expected a time zone such as Asia/Shanghai", id="zone"),
        pytest.param("timezone: Asia", "timezone: expected a time zone", id="folder of zones"),
        pytest.param(
            "timezone: ../../etc/passwd", "timezone: expected a time zone such as Asia/Shanghai", id="zone as path"
        ),
        pytest.param("headers: {'A b': x}", "headers.A b: expected the name of an HTTP header", id="header name"),
        pytest.param("headers: {A: é}", "headers.A: must be printable ASCII", id="header value"),
        pytest.param("headers: {A: x, a: y}", "headers holds one header twice", id="header twice"),
        pytest.param("headers: [x]", "headers: expected a mapping, found a list", id="headers as list"),
        pytest.param("proxy: socks5://h:1", "proxy: expected an address that begins with http://", id="proxy"),
        pytest.param("limit: 0", "limit: expected 1 or more", id="limit"),
        pytest.param("content: raw", 'content: expected sanitize, trust or text, found "raw"', id="content"),
        pytest.param("max_size: huge", "max_size: expected a size", id="size"),
        pytest.param("url: ftp://x.org/a", "url: expected http://, https://, file: or the path", id="scheme"),
        pytest.param("url: 'javascript:alert(1)'", "url: expected http://, https://, file: or the path", id="script"),
        pytest.param("url: 'http://'", "url: expected an address that begins with http://", id="no host"),
        pytest.param("url: 'http://a b/'", "url: expected an address", id="blank in address"),
        pytest.param("url: 'http://[::1'", "url: expected an address", id="broken address"),
        pytest.param("url: 'http://h:99999/'", "url: expected an address", id="port of address"),
        pytest.param("url: file://host/x", "url: expected a file: URL of this machine", id="file elsewhere"),
        pytest.param("url: news.example.org/rss", "url: has no scheme: write https://", id="forgotten scheme"),
        pytest.param("url: www.example.org", "url: has no scheme: write https://", id="forgotten scheme, no path"),
    ],
)
def test_a_wrong_value_of_a_source_is_told_in_plain_words(sited: Make, key: str, message: str) -> None:
    given = {"name": "name: a", "url": "url: x.xml"}
    keys = [value for name, value in given.items() if not key.startswith(f"{name}:")]
    (problem,) = sited(f"sources: [{{{', '.join([*keys, key])}}}]").problems()
    assert message in problem
    assert "sources[0]" in problem


@pytest.mark.parametrize("url", ["ftp://x", "example.org", "https://example.org/?a=b", "https://u@example.org"])
def test_the_site_needs_a_plain_web_address(project: Make, url: str) -> None:
    (problem,) = project(f"site: {{title: T, url: '{url}'}}").problems()
    assert problem.startswith("feedhub.yaml:1:23: site.url: expected ")


@pytest.mark.parametrize(
    "entry",
    ["127.0.0.1:8099", "10.1.0.0/16", "10.1.2.3/16", "localhost", "nas.local:80", "::1", "fd00::/8", "[::1]:80"],
)
def test_private_addresses_may_be_hosts_networks_and_ports(sited: Make, entry: str) -> None:
    assert sited(f"poll: {{allow_private: ['{entry}']}}").load().poll.allow_private == (entry,)


@pytest.mark.parametrize("encoding", ["utf-8", "GB18030", "big5", "utf-16"])
def test_known_encodings_are_accepted(sited: Make, encoding: str) -> None:
    settings = sited(f"sources: [{{name: a, url: x.xml, encoding: {encoding}}}]").load()
    assert settings.sources[0].encoding == encoding


NOTIFY = "notify: {{desk: {{to: {to}, categories: tech, every: 1m}}}}"


def test_an_address_of_notifications_comes_from_the_environment_alone(sited: Callable[[str], Any]) -> None:
    (target,) = sited(NOTIFY.format(to='"${DESK}"')).load(DESK="ntfys://token@n.example/topic").notify
    assert (target.to, target.categories, target.every) == ("ntfys://token@n.example/topic", ("tech",), 60)
    assert "token" not in repr(target)
    for written in ('"ntfys://token@n.example/topic"', '"ntfys://${DESK}@n.example"', '"${DESK:-json://a.example}"'):
        (problem,) = sited(NOTIFY.format(to=written)).problems(DESK="ntfys://token@n.example/topic")
        assert "notify.desk.to: must be a reference such as ${NAME} alone" in problem
        assert "token" not in problem


@pytest.mark.parametrize("address", ["dbus://", "syslog://", "gnome://x", "windows://", "file:///x", "exec://id", "x"])
def test_only_services_of_networks_are_told(sited: Callable[[str], Any], address: str) -> None:
    (problem,) = sited(NOTIFY.format(to='"${DESK}"')).problems(DESK=address)
    said = "expected an address of a service that docs/notifications.md lists, found a value from the environment"
    assert problem.endswith(f"notify.desk.to: {said}")


def test_who_is_told_of_nothing_is_a_problem(sited: Callable[[str], Any]) -> None:
    (problem,) = sited('notify: {desk: {to: "${DESK}"}}').problems(DESK="json://a.example")
    assert problem.endswith("notify.desk: say of what: categories, rules, digests or health")


def test_every_service_that_may_be_told_is_in_the_documentation_and_known_to_apprise() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text("utf-8")
    listed = set(re.findall(r"`([a-z]+)`", page.partition("## Services")[2].partition("\n## ")[0]))
    assert listed == set(NOTIFY_SERVICES)
    known = metadata.distribution("apprise").files or ()
    plugins = "".join(
        Path(str(file.locate())).read_text("utf-8")
        for file in known
        if "/plugins/" in str(file) and file.suffix == ".py"
    )
    assert [name for name in NOTIFY_SERVICES if f'"{name}"' not in plugins] == []
