"""The daemon among sources of mixed temper, killed and stopped at random: half a minute among 75, beside other tests.

``make soak`` takes a quarter of an hour and 300 sources.
"""

import json
import os
from pathlib import Path

import pytest

from support.soak import CONCURRENT, Soak

SECONDS = float(os.environ.get("FEEDHUB_SOAK_SECONDS", "30"))
IS_LONG = SECONDS >= 900


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
def test_nothing_is_lost_doubled_torn_or_impolite(tmp_path: Path) -> None:
    soak = Soak(folder=tmp_path, sources=300 if IS_LONG else 75, every=10.0 if IS_LONG else 2.0)
    kills = 10 if IS_LONG else 2
    # The last part is left alone, to see whether memory stays as it is; then everything is taken in and compared.
    disturbed = SECONDS * (0.5 if IS_LONG else 0.4)
    soak.run(seconds=disturbed, kills=kills, terms=kills, quiet=disturbed if IS_LONG else 0.0)
    figures = soak.figures
    read = json.loads(figures["read"])
    early = [megabytes for age, megabytes in soak.memory if 60 < age < 300] or [soak.memory[-1][1]]
    late = [megabytes for age, megabytes in soak.memory if age >= 300]
    figures["memory"] = {"after the start": max(early), "after five minutes": [min(late), max(late)] if late else None}
    print(json.dumps(figures, indent=1))
    assert (figures["lost"], figures["twice"], figures["shown twice"], figures["not shown"]) == ([], [], [], 0)
    assert read["torn"] == []
    assert read["rounds"] > 10
    assert figures["most at once"] <= CONCURRENT
    assert figures["gaps too small"] == 0
    if IS_LONG:
        # Beside other tests an answer waits to be stored, and a kill in between takes it away: nobody remembers it.
        assert figures["Retry-After broken"] == 0
        assert figures["unconditional repeats"] == 0
    assert figures["asked although gone"] == 0
    assert figures["exit"] == 0
    assert figures["slowest end"] < 30
    if late:
        assert max(late) < 1.1 * max(early)
