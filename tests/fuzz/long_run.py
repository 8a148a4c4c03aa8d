"""The long form of the fuzzing: every harness in turn until the time is up (``make fuzz``).

``FEEDHUB_FUZZ_SECONDS`` is the time in all, 300 by default. Prints the number of inputs, and every input that raised
or took too long; exits 1 if there are any. Such an input becomes a data file or a test, with the fix.
"""

import faulthandler
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz.harnesses import HARNESSES, Harness

_BATCH = 1_000
_HANGS_AFTER = 60


class _Meter:
    """Counts the inputs of one harness and remembers the slowest."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self.inputs = 0
        self.slowest = 0.0
        self.faults: dict[str, tuple[int, str]] = {}

    def run(self, given_input: Any) -> None:
        self.inputs += 1
        faulthandler.dump_traceback_later(_HANGS_AFTER, exit=True)
        started = time.process_time()
        try:
            self._harness.run(given_input)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._note(f"{type(error).__name__} in {place.name}: {str(error)[:200]!r}", given_input)
        finally:
            faulthandler.cancel_dump_traceback_later()
        taken = time.process_time() - started
        self.slowest = max(self.slowest, taken)
        if taken > self._harness.seconds:
            self._note(f"took {taken:.0f} s of CPU time", given_input)

    def _note(self, what: str, given_input: Any) -> None:
        times, shortest = self.faults.get(what, (0, repr(given_input)))
        self.faults[what] = (times + 1, min(shortest, repr(given_input), key=len))


def _batch(harness: Harness, meter: _Meter, number: int) -> Callable[[], None]:
    @seed(number)
    @settings(
        max_examples=_BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(harness.inputs)
    def run(given_input: Any) -> None:
        meter.run(given_input)

    return run


def main() -> int:
    """Run until the time is up."""
    total = float(os.environ.get("FEEDHUB_FUZZ_SECONDS", "300"))
    first = int(os.environ.get("FEEDHUB_FUZZ_SEED", str(time.time_ns())))
    shares = sum(harness.share for harness in HARNESSES)
    meters = []
    print(f"{total:g} s, seeds from {first}", flush=True)
    for harness in HARNESSES:
        meter = _Meter(harness)
        meters.append(meter)
        end = time.monotonic() + total * harness.share / shares
        number = first
        while time.monotonic() < end:
            _batch(harness, meter, number)()
            number += 1
        counts = f"{meter.inputs:>9,} inputs, slowest {meter.slowest:6.3f} s, {len(meter.faults)} faults"
        print(f"{harness.name:24}{counts}", flush=True)
        for what, (times, shortest) in meter.faults.items():
            print(f"  {times} times {what}\n    {shortest}", flush=True)
    faults = sum(len(meter.faults) for meter in meters)
    print(f"{sum(meter.inputs for meter in meters):,} inputs, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
