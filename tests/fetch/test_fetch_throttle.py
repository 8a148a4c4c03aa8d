import threading
import time

import pytest

from feedhub.errors import DeadlineError
from feedhub.fetch.throttle import Throttle


class ManualClock:
    """A clock that moves only when somebody waits on it."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time

    def condition(self, lock: threading.RLock) -> threading.Condition:
        clock = self

        class Condition(threading.Condition):
            def wait(self, timeout: float | None = None) -> bool:
                assert timeout is not None
                clock.time += timeout
                return False

        return Condition(lock)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def throttle(clock: ManualClock, *, concurrent: int = 2, gap: float = 1.0) -> Throttle:
    return Throttle(concurrent, gap, clock=clock, condition=clock.condition)


def test_starts_on_one_host_are_a_gap_apart(clock: ManualClock) -> None:
    polite = throttle(clock)
    starts = []
    for _ in range(3):
        with polite.slot("a.example", 10):
            starts.append(clock.time)
    assert starts == [100.0, 101.0, 102.0]


def test_the_gap_is_counted_from_start_to_start(clock: ManualClock) -> None:
    polite = throttle(clock)
    with polite.slot("a.example", 10):
        clock.time += 5
    with polite.slot("a.example", 10):
        assert clock.time == 105.0


def test_other_hosts_do_not_wait(clock: ManualClock) -> None:
    polite = throttle(clock, concurrent=1)
    with polite.slot("a.example", 10), polite.slot("b.example", 10):
        assert clock.time == 100.0


def test_no_more_than_the_limit_run_at_once(clock: ManualClock) -> None:
    polite = throttle(clock, gap=0)
    with (
        polite.slot("a.example", 1),
        polite.slot("a.example", 1),
        pytest.raises(DeadlineError, match=r"^a\.example was busy with other requests for too long$"),
        polite.slot("a.example", 7),
    ):
        raise AssertionError
    assert clock.time == 107.0


def test_patience_ends_inside_a_gap_too(clock: ManualClock) -> None:
    polite = throttle(clock, gap=60)
    with polite.slot("a.example", 10):
        pass
    with pytest.raises(DeadlineError), polite.slot("a.example", 10):
        raise AssertionError
    assert clock.time == 110.0


def test_a_slot_is_given_back_when_the_request_fails(clock: ManualClock) -> None:
    polite = throttle(clock, concurrent=1, gap=0)
    with pytest.raises(ZeroDivisionError), polite.slot("a.example", 1):
        _ = 1 / 0
    with polite.slot("a.example", 1):
        assert clock.time == 100.0


def test_a_caller_that_gave_up_does_not_block_the_next(clock: ManualClock) -> None:
    polite = throttle(clock, concurrent=1, gap=0)
    with polite.slot("a.example", 1), pytest.raises(DeadlineError), polite.slot("a.example", 1):
        raise AssertionError
    with polite.slot("a.example", 1):
        pass


def test_idle_hosts_are_forgotten(clock: ManualClock) -> None:
    polite = throttle(clock)
    for index in range(1000):
        clock.time += 0.1
        with polite.slot(f"{index}.example", 1):
            pass
    assert polite.hosts < 25
    with polite.slot("busy.example", 1):
        clock.time += 100
        with polite.slot("other.example", 1):
            assert polite.hosts == 2


def test_threads_take_turns_within_the_limit() -> None:
    polite = Throttle(2, 0.0)
    running = 0
    most = 0
    done = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most, done
        with polite.slot("a.example", 10):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.005)
            with lock:
                running -= 1
                done += 1

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, done) == (2, 10)
