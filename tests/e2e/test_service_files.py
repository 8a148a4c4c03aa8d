"""What is shipped for running it as a service fits the command it starts and the promises it makes."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from support.cli_runs import run

UNIT = Path(__file__).parent.parent.parent / "config" / "feedhub.service"
STOPS_WITHIN = 30


def _service() -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(UNIT.read_text("utf-8"))
    return dict(parser["Service"])


def test_the_unit_starts_a_command_that_exists_with_options_that_exist() -> None:
    program, command, *arguments = shlex.split(_service()["ExecStart"])
    assert (Path(program).name, command) == ("feedhub", "run")
    known = run(command, "--help").out
    options = [argument for argument in arguments if argument.startswith("-")]
    assert options
    assert [option for option in options if option not in known] == []


def test_the_unit_gives_the_time_that_ending_takes() -> None:
    service = _service()
    assert int(service["TimeoutStopSec"]) > STOPS_WITHIN
    # Publishing may wait a minute for another publisher; a sign of life is due at half of it.
    assert int(service["WatchdogSec"]) > 2 * 60
    assert "HUP" in service["ExecReload"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shlex.split(_service()["ExecStart"])[0]
    here = tmp_path / "feedhub.service"
    here.write_text(UNIT.read_text("utf-8").replace(program, shutil.which("true") or "/bin/true"), "utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
