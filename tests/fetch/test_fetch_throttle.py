import threading
import time

import pytest

from feedhub.errors import DeadlineError, FetchError
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
    return Throttle(lambda _: (concurrent, gap), clock=clock, condition=clock.condition)


def test_starts_on_one_host_are_a_gap_apart(clock: ManualClock) -> None:
    polite = throttle(clock)
    starts = []
    for _ in range(3):
        with polite.slot("a.example", 10):
            starts.append(clock.time)
    assert starts == [100.0, 101.0, 102.0]


def test_the_gap_counts_from_when_the_request_was_sent(clock: ManualClock) -> None:
    polite = throttle(clock)
    with polite.slot("a.example", 10) as slot:
        clock.time += 5
        slot.sent()
        clock.time += 0.25
    with polite.slot("a.example", 10):
        assert clock.time == 106.0


def test_the_next_request_waits_until_this_one_is_sent(clock: ManualClock) -> None:
    polite = throttle(clock)
    with polite.slot("a.example", 10) as slot:
        with pytest.raises(DeadlineError), polite.slot("a.example", 3):
            raise AssertionError
        slot.sent()
        with polite.slot("a.example", 10):
            assert clock.time == 104.0


def test_without_a_gap_nobody_waits_for_another_to_be_sent(clock: ManualClock) -> None:
    polite = throttle(clock, gap=0)
    with polite.slot("a.example", 10), polite.slot("a.example", 10):
        assert clock.time == 100.0


def test_a_request_that_is_never_sent_counts_from_its_slot(clock: ManualClock) -> None:
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
        pytest.raises(DeadlineError, match=r"^too many other requests to a\.example were waiting before this one$"),
        polite.slot("a.example", 7),
    ):
        raise AssertionError
    assert clock.time == 107.0


def test_the_timeout_ends_inside_a_gap_too(clock: ManualClock) -> None:
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
    polite = Throttle(lambda _: (2, 0.0))
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


def test_hosts_of_a_group_share_its_slots_and_its_gap(clock: ManualClock) -> None:
    polite = Throttle(
        lambda key: (1, 5.0) if key == "*.example" else (2, 1.0),
        lambda host: "*.example" if host.endswith(".example") else host,
        clock=clock,
        condition=clock.condition,
    )
    with polite.slot("a.example", 10):
        pass
    with polite.slot("b.example", 10):
        assert clock.time == 105.0
        with pytest.raises(DeadlineError), polite.slot("c.example", 3):
            raise AssertionError
        with polite.slot("elsewhere.test", 10):
            assert clock.time == 108.0


def test_new_limits_count_what_is_under_way_under_the_old_ones(clock: ManualClock) -> None:
    polite = throttle(clock, concurrent=2, gap=0)
    with polite.slot("a.example", 1) as first, polite.slot("a.example", 1):
        polite.reconfigure(lambda _: (2, 3.0))
        clock.time += 1
        first.sent()
        with pytest.raises(DeadlineError), polite.slot("a.example", 4):
            raise AssertionError
    with polite.slot("a.example", 10):
        # The gap counts from 101, the time of the last one sent.
        assert clock.time == 105.0


def test_a_group_that_is_made_counts_its_hosts_and_one_that_is_dissolved_leaves_them_theirs(
    clock: ManualClock,
) -> None:
    polite = throttle(clock, concurrent=1, gap=0)
    with polite.slot("a.example", 1):
        polite.reconfigure(lambda _: (1, 0), lambda _: "all")
        with pytest.raises(DeadlineError), polite.slot("b.example", 4):
            raise AssertionError
        polite.reconfigure(lambda _: (1, 0), lambda host: host)
        with polite.slot("b.example", 1), pytest.raises(DeadlineError), polite.slot("a.example", 4):
            raise AssertionError


def test_who_waits_keeps_his_turn_under_new_limits() -> None:
    polite = Throttle(lambda _: (1, 0.0))
    order: list[int] = []

    def work(number: int) -> None:
        with polite.slot("a.example", 10):
            order.append(number)

    with polite.slot("a.example", 10):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for number, thread in enumerate(threads):
            thread.start()
            # So that they come in this order.
            while polite.waiting <= number:
                time.sleep(0.001)
        polite.reconfigure(lambda _: (1, 0.0), lambda _: "all")
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3]


def test_who_is_no_longer_wanted_does_not_wait_on() -> None:
    polite = Throttle(lambda _: (1, 0.0))
    is_over = threading.Event()
    said: list[str] = []

    def work() -> None:
        try:
            with polite.slot("a.example", 60, is_over.is_set):
                raise AssertionError
        except FetchError as exc:
            said.append(str(exc))

    with polite.slot("a.example", 10):
        thread = threading.Thread(target=work)
        thread.start()
        is_over.set()
        # Wherever it was by then.
        while thread.is_alive():
            polite.wake()
            thread.join(0.01)
    assert said == ["ended before the host was asked"]
