from collections.abc import Callable
from typing import Any

import pytest

from feedhub.config.files import escaped, expand

Make = Callable[[str], Any]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("x${A}y${A}", "xoneyone"),
        ("${NO:-else}", "else"),
        ("${EMPTY:-else}", "else"),
        ("${EMPTY}", ""),
        ("${A:-else}", "one"),
        ("${NO:-}", ""),
        ("$${A}", "${A}"),
        ("$A", "$A"),
        ("^a$", "^a$"),
        ("${LOOP}", "${A}"),
    ],
)
def test_references_are_filled_in_once(text: str, expected: str) -> None:
    environ = {"A": "one", "EMPTY": "", "LOOP": "${A}"}
    assert expand({"k": [text, None]}, environ).value == {"k": [expected, None]}


@pytest.mark.parametrize("text", ["${A B}", "${}", "${A", "${1A}", "${A-x}"])
def test_a_slip_in_a_reference_is_a_fault(text: str) -> None:
    ((path, message),) = expand({"k": [text]}, {"A": "x"}).faults
    assert path == ("k", 0)
    assert "is no reference" in message


def test_an_escaped_text_reads_as_itself() -> None:
    assert expand(escaped("a${B}$${C}"), {}).value == "a${B}$${C}"


def test_an_unset_variable_is_one_problem_that_names_it(sited: Make) -> None:
    assert sited("poll: {every: '${EVERY}'}").problems() == [
        "feedhub.yaml:2:15: poll.every: the environment variable EVERY is not set"
    ]


def test_numbers_and_flags_may_come_from_the_environment(sited: Make) -> None:
    settings = sited("output: {entries: '${N}'}\nsources: [{name: a, url: x, paused: '${P:-true}'}]").load(N="7")
    assert (settings.output.entries, settings.sources[0].paused) == (7, True)


def test_what_comes_from_the_environment_into_headers_proxies_and_queries_is_secret(sited: Make) -> None:
    settings = sited(
        """
sources:
  - name: a
    url: http://${HOST}:8080/f?key=${KEY}
    headers: {X-Any: "Bearer ${TOKEN}", X-Plain: plain, X-Short: "${SHORT}", Cookie: written-here}
    proxy: http://${USER}:${PASS}@proxy.example.org:3128
"""
    ).load(HOST="feeds.example.org", KEY="kkkk", TOKEN="tttttt", USER="uuuu", PASS="pp@pppp", SHORT="abc")
    assert settings.secrets == ("uuuu:pp@pppp", "written-here", "pp@pppp", "tttttt", "kkkk", "uuuu")


def test_a_token_in_the_path_of_an_address_is_secret_and_a_host_or_a_route_is_not(sited: Make) -> None:
    settings = sited("sources: [{name: a, url: '${BASE}/${TOKEN}/${ROUTE}/${FEED}'}]").load(
        BASE="https://feeds.example.org", TOKEN="12345abcde", ROUTE="news/economy", FEED="new.xml"
    )
    assert settings.secrets == ("12345abcde",)


@pytest.mark.parametrize("name", ["token", "access_token", "accessToken", "api-key", "KEY", "sig", "sessionid"])
def test_a_credential_written_into_the_query_of_an_address_is_secret(sited: Make, name: str) -> None:
    settings = sited(
        f"sources: [{{name: a, url: 'http://x.org/f?keyword=semiconductors&{name}=abc%2B12345&n=1'}}]"
    ).load()
    assert settings.secrets == ("abc%2B12345", "abc+12345")


def test_secrets_are_longest_first_so_that_a_part_never_uncovers_the_whole(sited: Make) -> None:
    secrets = (
        sited("sources: [{name: a, url: x, headers: {A: '${A}', B: '${B}'}}]").load(A="abcd", B="abcdefgh").secrets
    )
    assert secrets == ("abcdefgh", "abcd")


@pytest.mark.parametrize(
    "text",
    [
        "poll: {every: '${S}'}",
        "store: '${S}'",
        "site: {title: x, url: 'ftp://${S}/'}",
        "sources: [{name: a, url: 'ftp://u:${S}@x/'}]",
        "sources: [{name: '${S}', url: x}, {name: '${S}', url: x}]",
        "rules: [{name: r, when: {title: '(${S}'}, then: {drop: true}}]",
        "rules: [{name: r, when: {title: x}, then: {category: '../${S}'}}]",
        "include: ['${S}.yaml']",
        'sources: [{name: a, url: x, headers: {A: "${S}\\t"}}]',
    ],
)
def test_no_problem_shows_what_came_from_the_environment(project: Make, text: str) -> None:
    site = "" if text.startswith("site") else "site: {title: T, url: 'http://x.org'}\n"
    problems = project(site + text).problems(S="hunter2secret")
    assert problems
    assert "hunter2" not in "\n".join(problems)


def test_a_broken_source_does_not_show_it_either(sited: Make) -> None:
    settings = sited("sources: [{name: a, url: x, category: '../${S}'}]").load(S="hunter2secret")
    assert settings.problems
    assert "hunter2" not in str(settings.problems[0])
