"""What holds for all tests: the profiles of hypothesis, and which test runs when."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# By its own 700 new objects Python looks for reference cycles a thousand times while it collects the tests.
gc.set_threshold(50_000, *gc.get_threshold()[1:])

# Time that passes is no measure on a busy machine; where it matters, tests reckon with CPU time.
settings.register_profile("push", settings(), deadline=None)
# ``support.examples`` reckons with the profile's number: tests say how many they want where this is 100.
settings.register_profile("nightly", max_examples=2_000, deadline=None)
settings.load_profile("push")

# Tests in these folders start processes and wait for them.
WAITING = ("browser", "e2e")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every worker of xdist, which takes an equal part of the list, as many tests that wait as any other.

    They lie among tests that compute, so that both go on at once, and not in the last third, so that none is left for
    the end. The soak lasts longest and begins first.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    together: dict[Path | str, list[pytest.Item]] = {}
    computing = []
    for item in items:
        if item.path.parent.name in WAITING:
            together.setdefault(_together(item), []).append(item)
        else:
            computing.append(item)
    blocks = sorted(together.values(), key=lambda block: block[0].get_closest_marker("soak") is None)
    size = len(items)
    items.clear()
    for worker in range(workers):
        dealt = blocks[worker::workers]
        length = (size - len(items)) // (workers - worker) - sum(map(len, dealt))
        share, computing = computing[: max(length, 0)], computing[max(length, 0) :]
        between = 2 * len(share) // (3 * max(len(dealt), 1))
        for number, block in enumerate(dealt):
            items += block + share[number * between : (number + 1) * between]
        items += share[len(dealt) * between :]
    items += computing


def pytest_collection_finish() -> None:
    """Let no search for garbage go through the tests and modules, which live to the end anyway."""
    gc.freeze()


def _together(item: pytest.Item) -> Path | str:
    """Return the same for tests that share a fixture, which every worker that runs one of them would make anew."""
    if item.path.parent.name == "browser":
        return item.path.parent
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009
    return item.path if any(found[-1].scope == "module" for found in fixtures) else item.nodeid
