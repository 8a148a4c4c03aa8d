"""GUARANTEES 8, 10, 18, 19: whatever the bytes are, a reader gives a value or its own error, in bounded time.

This is the short form; ``make properties`` takes twenty times as many inputs, and ``make fuzz`` runs for as long as one
likes.
"""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzz.harnesses import HARNESSES, Harness
from support.examples import examples


@pytest.mark.hypothesis
@pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: harness.name)
def test_any_input_gives_a_value_or_the_readers_own_error_in_bounded_time(harness: Harness) -> None:
    @settings(max_examples=examples(25), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(harness.inputs)
    def run(given_input: Any) -> None:
        started = time.process_time()
        harness.run(given_input)
        assert time.process_time() - started < harness.seconds

    run()
