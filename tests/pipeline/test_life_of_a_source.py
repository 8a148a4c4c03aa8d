"""A source over many polls: it moves, dies, revives, and asks to be left alone."""

from dataclasses import replace
from datetime import timedelta

from feedhub.errors import HttpStatusError
from feedhub.model.document import Redirect
from feedhub.model.source import Source
from feedhub.pipeline.fetch import Fetched
from feedhub.pipeline.ingest import withdraw_failures
from support.library import record
from support.world import World

A = Source(name="a", url="https://a.example/rss", categories=("tech",), settings_digest="1")
NEW = "https://new.example/rss"


def told(world: World) -> list[str]:
    return [event.kind for event in reversed(world.store.health_events(99))]


def moving_world() -> World:
    world = World((A,))
    world.answer("a", record("One", guid="1"), redirects=(Redirect(status=301, url=NEW),))
    for _ in range(3):
        world.poll("a")
        world.pass_time(hours=1)
    return world


def test_the_fourth_poll_of_a_moved_source_goes_to_the_new_address_and_keeps_its_items() -> None:
    world = moving_world()
    world.fetcher.answers[NEW] = replace(world.fetcher.answers[A.url], redirects=())
    world.poll("a")
    assert [request.url for request in world.fetcher.requests] == [A.url] * 3 + [NEW]
    assert world.fetcher.requests[-1].origin == A.url
    assert world.titles("all") == ["One"]
    assert told(world) == ["moved"]


def test_a_new_address_that_dies_is_left_for_the_configured_one() -> None:
    world = moving_world()
    world.fetcher.answers[NEW] = replace(world.fetcher.answers[A.url], error=HttpStatusError("404", status=404))
    for _ in range(4):
        world.poll("a")
    assert [request.url for request in world.fetcher.requests][3:] == [NEW, NEW, NEW, A.url]
    assert told(world) == ["moved", "moved", "failing", "recovered"]


def test_gone_stops_a_source_and_keeps_its_items() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"))
    world.poll("a")
    world.answer("a", error=HttpStatusError("410 Gone", status=410))
    world.poll("a")
    assert (world.state("a").gone, world.state("a").next_poll_at) == (True, None)
    assert world.titles("all") == ["One"]
    assert told(world) == ["gone"]


def test_an_address_that_was_changed_begins_anew() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), etag='"x"')
    world.poll("a")
    world.answer("a", error=HttpStatusError("404", status=404))
    for _ in range(2):
        world.poll("a")
    with world.store.transaction() as transaction:
        transaction.save_state(replace(transaction.state("a"), moved_to=NEW))
    elsewhere = replace(A, url="https://b.example/rss")
    world.sources = (elsewhere,)
    world.answer("a", error=HttpStatusError("500", status=500))
    world.poll("a")
    state = world.state("a")
    assert (state.configured_url, state.failures, state.validators.etag) == (elsewhere.url, 1, None)
    assert (state.moved_to, state.body_digest) == (None, None)


def test_who_is_held_is_not_asked_and_not_blamed() -> None:
    world = World((A,))
    until = world.now + timedelta(minutes=5)
    report = world.keep(Fetched(source=A, held_until=until))
    assert "left alone until" in report.reason
    assert (world.state("a").next_poll_at, world.state("a").failures) == (until, 0)


def test_our_own_outage_counts_against_nobody_and_is_made_up_soon() -> None:
    world = World((A,))
    failure = Fetched(source=A, error=HttpStatusError("x"))
    world.keep(failure, is_offline=True)
    state = world.state("a")
    assert (state.failures, state.next_poll_at) == (0, world.now + timedelta(seconds=60))
    assert "this machine's network" in (state.last_error or "")


def test_a_failure_of_the_beginning_of_an_outage_is_taken_back() -> None:
    world = World((A,))
    for _ in range(2):
        world.keep(Fetched(source=A, error=HttpStatusError("x")))
    with world.store.transaction() as transaction:
        withdraw_failures(transaction, ("a", "never polled"), world.now)
    assert (world.state("a").failures, world.state("a").next_poll_at) == (1, world.now + timedelta(seconds=60))
    assert [state.name for state in world.store.states()] == ["a"]
    with world.store.transaction() as transaction:
        withdraw_failures(transaction, ("a",), world.now)
    assert (world.state("a").failures, world.state("a").failing_since) == (0, None)
