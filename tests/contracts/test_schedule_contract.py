"""One suite for every store: due times, health events, exclusive rights."""

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from feedhub.errors import StoreError
from feedhub.model.report import HealthEvent
from feedhub.model.source import PlannedPoll, SourceState
from feedhub.ports.store import Store
from support.builders import HOUR, NOW

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(empty_store: Store) -> Store:
    return empty_store


def planned(name: str, minutes: float | None, host: str = "") -> PlannedPoll:
    return PlannedPoll(name=name, host=host or name, at=None if minutes is None else NOW + minutes * MINUTE)


def due(store: Store, *, per_host: int = 9, limit: int = 9) -> list[str]:
    return [state.name for state in store.due(NOW, per_host=per_host, limit=limit)]


def save(store: Store, state: SourceState) -> None:
    with store.transaction() as transaction:
        transaction.save_state(state)


def test_due_sources_come_longest_overdue_first(store: Store) -> None:
    store.plan_polls(
        [planned("later", 1), planned("b", -1), planned("a", -2), planned("now", 0), planned("never", None)]
    )
    assert due(store) == ["a", "b", "now"]
    assert due(store, limit=2) == ["a", "b"]
    assert store.next_due_at() == NOW - 2 * MINUTE


def test_a_host_with_many_due_sources_does_not_hide_the_others(store: Store) -> None:
    store.plan_polls(
        [*(planned(f"s{number}", number - 100, "slow.example") for number in range(50)), planned("quick", -1)]
    )
    assert due(store, per_host=2, limit=3) == ["s0", "s1", "quick"]


def test_of_the_sources_of_a_host_the_longest_overdue_have_their_turn(store: Store) -> None:
    store.plan_polls([planned(name, minutes, "one.example") for name, minutes in (("b", -1), ("c", -3), ("a", -2))])
    assert due(store, per_host=2) == ["c", "a"]


def test_the_due_sources_of_one_host_come_longest_overdue_first(store: Store) -> None:
    store.plan_polls(
        [
            *(planned(name, minutes, "one.example") for name, minutes in (("b", -1), ("c", -3), ("a", -2), ("d", 1))),
            planned("x", -9, "other.example"),
        ]
    )
    assert [state.name for state in store.due_on_host("one.example", NOW, limit=2)] == ["c", "a"]
    assert [state.name for state in store.due_on_host("one.example", NOW, limit=9)] == ["c", "a", "b"]


def test_what_is_not_in_the_plan_is_never_due(store: Store) -> None:
    store.plan_polls([planned("a", -1), planned("b", -1)])
    store.plan_polls([planned("b", -1)])
    save(store, SourceState(name="c", next_poll_at=NOW - HOUR))
    assert due(store) == ["b"]
    store.plan_polls([])
    assert due(store) == []
    assert store.next_due_at() is None


def test_a_poll_moves_its_own_due_time_and_a_plan_keeps_what_is_remembered(store: Store) -> None:
    store.plan_polls([planned("a", -1)])
    (state,) = store.due(NOW, per_host=1, limit=1)
    assert state == SourceState(name="a", next_poll_at=NOW - MINUTE)
    assert store.states() == ()
    save(store, replace(state, title="A", last_poll_at=NOW, next_poll_at=NOW + HOUR))
    assert due(store) == []
    store.plan_polls([planned("a", -5)])
    (state,) = store.due(NOW, per_host=1, limit=1)
    assert (state.title, state.next_poll_at) == ("A", NOW - 5 * MINUTE)


def test_a_source_that_is_gone_is_not_due(store: Store) -> None:
    store.plan_polls([planned("a", -1)])
    save(store, SourceState(name="a", gone=True, next_poll_at=None))
    assert due(store) == []


def test_a_host_is_held_until_a_time_and_no_shorter(store: Store) -> None:
    store.plan_polls([planned("a", -1), planned("b", 120), planned("c", -1)])
    with store.transaction() as transaction:
        transaction.postpone(["a", "b", "nobody"], NOW + HOUR)
    assert due(store) == ["c"]
    times = {state.name: state.next_poll_at for state in store.due(NOW + 3 * HOUR, per_host=9, limit=9)}
    assert times == {"a": NOW + HOUR, "b": NOW + 2 * HOUR, "c": NOW - MINUTE}


def test_events_are_told_newest_first_and_counted(store: Store) -> None:
    numbers = [store.health_number()]
    assert store.health_events(5) == ()
    events = [
        HealthEvent(at=NOW + number * MINUTE, source="a", kind="failing", text=str(number)) for number in range(3)
    ]
    for event in events:
        with store.transaction() as transaction:
            transaction.add_health_events([event])
        numbers.append(store.health_number())
    assert store.health_events(2) == (events[2], events[1])
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))


def test_of_very_many_events_those_are_kept_that_a_feed_shows(store: Store) -> None:
    for begin in (0, 600):
        with store.transaction() as transaction:
            transaction.add_health_events(
                [HealthEvent(at=NOW, source="a", kind="gone", text=str(begin + number)) for number in range(600)]
            )
    told = [event.text for event in store.health_events(2000)]
    assert (told[0], told[-1], len(told)) == ("1199", "200", 1000)


def test_what_is_told_in_a_transaction_that_fails_was_not_told(store: Store) -> None:
    with suppress(RuntimeError), store.transaction() as transaction:
        transaction.add_health_events([HealthEvent(at=NOW, source="a", kind="gone", text="")])
        raise RuntimeError
    assert store.health_events(5) == ()


def test_one_at_a_time_has_a_right_and_gives_it_back(store: Store) -> None:
    with store.task_lock("run", wait=0), store.task_lock("publish", wait=0):
        refused: list[StoreError] = []

        def try_it() -> None:
            try:
                with store.task_lock("run", wait=0):
                    pass
            except StoreError as error:
                refused.append(error)

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        assert "`feedhub run`" in str(refused[0])
    with store.task_lock("run", wait=0):
        pass


def test_a_right_is_given_back_by_a_block_that_fails(store: Store) -> None:
    with pytest.raises(RuntimeError), store.task_lock("run", wait=0):
        raise RuntimeError
    with store.task_lock("run", wait=0):
        pass


def test_tidying_up_changes_nothing(store: Store) -> None:
    store.plan_polls([planned("a", -1)])
    store.maintain()
    store.verify()
    assert due(store) == ["a"]
