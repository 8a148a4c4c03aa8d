"""Permanent redirects: when they are believed, and when they are given up again."""

from dataclasses import replace

import pytest

from feedhub.model.document import Redirect, Request
from feedhub.model.source import Source, SourceState
from feedhub.rules.requests import (
    asked_url,
    move_after_failure,
    move_after_success,
    permanent_target,
    redirected_request,
)

SOURCE = Source(name="a", url="http://old.example/rss")
STATE = SourceState(name="a", configured_url=SOURCE.url)
NEW = "https://new.example/rss"
MOVED = replace(STATE, moved_to=NEW)

CHAINS = {
    "none": ((), None),
    "one permanent": (((301, NEW),), NEW),
    "two permanent": (((308, "https://between.example/"), (301, NEW)), NEW),
    "permanent, then temporary": (((301, NEW), (302, "https://today.example/")), NEW),
    "temporary, then permanent": (((302, "https://today.example/"), (301, NEW)), None),
    "to something else": (((301, "ftp://new.example/rss"),), None),
}


@pytest.mark.parametrize(("hops", "target"), CHAINS.values(), ids=CHAINS)
def test_only_the_unbroken_run_of_permanent_redirects_counts(
    hops: tuple[tuple[int, str], ...], target: str | None
) -> None:
    assert permanent_target([Redirect(status=status, url=url) for status, url in hops]) == target


def seen(state: SourceState, *targets: str | None) -> SourceState:
    for target in targets:
        state = move_after_success(state, SOURCE.url, (Redirect(status=301, url=target),) if target else ())
    return state


def test_the_third_sighting_in_a_row_is_believed() -> None:
    assert seen(STATE, NEW, NEW).moved_to is None
    assert seen(STATE, NEW, NEW, NEW) == MOVED


@pytest.mark.parametrize("between", [None, "https://other.example/rss"])
def test_another_answer_between_breaks_the_row(between: str | None) -> None:
    assert seen(STATE, NEW, NEW, between, NEW, NEW).moved_to is None


def test_a_failure_breaks_the_row() -> None:
    assert seen(move_after_failure(seen(STATE, NEW, NEW)), NEW).moved_to is None


def test_a_redirect_to_where_we_are_is_no_move() -> None:
    state = move_after_success(STATE, SOURCE.url, (Redirect(status=301, url=SOURCE.url),))
    assert (state.move_target, state.move_sightings) == (None, 0)


def test_a_moved_source_is_asked_at_its_new_address_with_the_credentials_of_the_old() -> None:
    request = redirected_request(Request(url=SOURCE.url), SOURCE, MOVED)
    assert (request.url, request.origin) == (NEW, SOURCE.url)


def test_an_address_changed_in_the_configuration_is_asked_itself() -> None:
    assert asked_url(replace(SOURCE, url="http://third.example/rss"), MOVED) == "http://third.example/rss"


@pytest.mark.parametrize(
    "request_",
    [Request(url="http://old.example/rss?page=2"), Request(url=SOURCE.url, method="POST")],
    ids=["page", "post"],
)
def test_pages_and_posts_go_to_the_configured_address(request_: Request) -> None:
    assert redirected_request(request_, SOURCE, MOVED) is request_


def test_a_new_address_that_keeps_failing_is_given_up() -> None:
    assert move_after_failure(replace(MOVED, failures=2)).moved_to == NEW
    assert move_after_failure(replace(MOVED, failures=3)).moved_to is None


def test_a_new_address_that_is_gone_does_not_make_the_source_gone() -> None:
    state = move_after_failure(replace(MOVED, failures=1, gone=True))
    assert (state.moved_to, state.gone) == (None, False)
    assert move_after_failure(replace(STATE, failures=1, gone=True)).gone
