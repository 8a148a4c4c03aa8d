"""When feedhub as a whole is not well."""

from dataclasses import replace
from datetime import timedelta

import pytest

from feedhub.model.source import Source, SourceState
from feedhub.rules.health import complaints
from support.builders import NOW

MINUTE = timedelta(minutes=1)
PAPER, WIRE = Source(name="paper", url="https://a.example/"), Source(name="wire", url="https://b.example/")


def polled(name: str, minutes_ago: float, *, every: float = 15, failures: int = 0, gone: bool = False) -> SourceState:
    at = NOW - minutes_ago * MINUTE
    return SourceState(
        name=name,
        last_poll_at=at,
        next_poll_at=at + every * MINUTE,
        failures=failures,
        last_error="timed out" if failures else None,
        gone=gone,
    )


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([], (), id="before the first poll"),
        pytest.param([SourceState(name="paper")], (), id="known and never polled"),
        pytest.param([polled("paper", 44)], (), id="late, but not three intervals"),
        pytest.param([polled("paper", 46)], ("no poll for 46 min; the next was due 31 min ago",), id="standstill"),
        pytest.param([polled("paper", 600), polled("wire", 5)], (), id="one is late, another was just polled"),
        pytest.param([polled("paper", 600, every=700)], (), id="nothing is due"),
        pytest.param([polled("paper", 170, every=60)], (), id="a long interval takes three of its own"),
        pytest.param([polled("paper", 5, failures=2)], ("the only source fails",), id="only one, and it fails"),
        pytest.param(
            [polled("paper", 5, failures=2), polled("wire", 5, failures=1)], ("every source fails",), id="all fail"
        ),
        pytest.param([polled("paper", 5, failures=2), polled("wire", 5)], (), id="one fails"),
        pytest.param([polled("paper", 600, gone=True)], (), id="what is gone is not waited for"),
        pytest.param(
            [polled("paper", 50, failures=1)],
            ("the only source fails", "no poll for 50 min; the next was due 35 min ago"),
            id="both",
        ),
    ],
)
def test_complaints(states: list[SourceState], expected: tuple[str, ...]) -> None:
    assert complaints((PAPER, WIRE), {state.name: state for state in states}, 900.0, NOW) == expected


def test_what_is_paused_is_not_waited_for() -> None:
    assert complaints((replace(PAPER, paused=True),), {"paper": polled("paper", 600)}, 900.0, NOW) == ()


def test_a_state_without_a_next_poll_is_due_at_once() -> None:
    state = SourceState(name="paper", last_poll_at=NOW - 60 * MINUTE)
    assert complaints((PAPER,), {"paper": state}, 900.0, NOW) == ()
