"""Whatever is saved as a configuration: loading it ends soon, in settings or in problems (SPEC §7)."""

import os
import time
from itertools import islice
from pathlib import Path

import pytest
import yaml

from feedhub.model.settings import Settings
from feedhub.runtime.config_loader import Unusable, load_or_say_why
from fuzz.configurations import configurations, furnish, wholes

SEED = int(os.environ.get("FEEDHUB_FUZZ_SEED", "18"))
SECONDS = 2.0
ENVIRONMENT = {"HOME": "/root", "TOKEN": "t0k3n-t0k3n"}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(150, id="some"),
        pytest.param(5_000, marks=[pytest.mark.nightly, pytest.mark.timeout(3_600)], id="five thousand"),
    ],
)
def test_loading_any_configuration_ends_soon_in_settings_or_problems(tmp_path: Path, number: int) -> None:
    furnish(tmp_path)
    usable, slowest = 0, (0.0, "")
    for name, content in islice(configurations(wholes(), SEED), number):
        (tmp_path / "feedhub.yaml").write_bytes(content)
        outcome, wall, cpu = loaded(tmp_path)
        tries = 1
        # Time that passes says something on a quiet machine only: what is slow by itself is so every time.
        while wall >= SECONDS > cpu and tries < 5:
            outcome, wall, cpu = loaded(tmp_path)
            tries += 1
        assert cpu < SECONDS, name
        assert wall < SECONDS, name
        slowest = max(slowest, (cpu, name))
        if isinstance(outcome, Unusable):
            assert outcome.count >= len(outcome.problems) >= 1, name
        usable += isinstance(outcome, Settings)
    print(f"{number} configurations, {usable} of them usable; the slowest took {slowest[0]:.2f} s: {slowest[1]}")
    assert 0 < usable < number


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(30, id="some"),
        pytest.param(3_000, marks=[pytest.mark.nightly, pytest.mark.timeout(3_600)], id="three thousand"),
    ],
)
def test_what_is_kept_of_any_configuration_is_what_loading_gives(tmp_path: Path, number: int) -> None:
    furnish(tmp_path)
    (tmp_path / "deep" / "again").unlink()  # with it, no whole configuration that looks there can be used
    (tmp_path / "var").mkdir()
    kept = tmp_path / "var" / "feedhub.db.settings.json"
    times = usable = 0
    unbroken = dict.fromkeys(yaml.safe_dump(whole).encode() for whole in wholes())
    broken = islice(configurations(wholes(), SEED + 1), number)
    for name, content in (*(("whole", each) for each in unbroken), *broken):
        (tmp_path / "feedhub.yaml").write_bytes(content)
        kept.unlink(missing_ok=True)
        outcome, _, _ = loaded(tmp_path)
        usable += isinstance(outcome, Settings)
        if kept.exists():
            times += 1
            assert ENVIRONMENT["TOKEN"].encode() not in kept.read_bytes(), name
            before = kept.stat().st_ino
            assert loaded(tmp_path)[0] == outcome, name
            assert kept.stat().st_ino == before, name
            assert isinstance(outcome, Settings), name
    print(f"of {number + len(unbroken)} configurations, {usable} of them usable, {times} were kept")
    assert times > usable * 0.8


def loaded(folder: Path) -> tuple[Settings | Unusable, float, float]:
    """Load as the worker process of the daemon does; return the outcome, the seconds that passed, and those of CPU."""
    wall, cpu = time.monotonic(), time.process_time()
    outcome = load_or_say_why("feedhub.yaml", (), ENVIRONMENT, str(folder))
    return outcome, time.monotonic() - wall, time.process_time() - cpu
