"""GUARANTEES 8, 10, 18, 19: whatever the bytes are, a reader gives a value or its own error, in bounded time.

This is the short form; ``make fuzz`` runs the same for as long as one likes. ``FEEDHUB_FUZZ_EXAMPLES`` is the number of
inputs for each reader.
"""

import os
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzz.harnesses import HARNESSES, Harness

EXAMPLES = int(os.environ.get("FEEDHUB_FUZZ_EXAMPLES", "25"))


@pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: harness.name)
def test_any_input_gives_a_value_or_the_readers_own_error_in_bounded_time(harness: Harness) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(harness.inputs)
    def run(given_input: Any) -> None:
        started = time.process_time()
        harness.run(given_input)
        assert time.process_time() - started < harness.seconds

    run()
