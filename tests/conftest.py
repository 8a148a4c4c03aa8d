"""What holds for all tests: the profiles of hypothesis, and what begins first."""

import pytest
from hypothesis import settings

# Time that passes is no measure on a busy machine; where it matters, tests reckon with CPU time.
settings.register_profile("push", settings(), deadline=None)
# ``support.examples`` reckons with the profile's number: tests say how many they want where this is 100.
settings.register_profile("nightly", max_examples=2_000, deadline=None)
settings.load_profile("push")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the soak begin first: it lasts longest, and everything else runs beside it."""
    items.sort(key=lambda item: item.get_closest_marker("soak") is None)
