"""What is shipped for running it as a service fits the command it starts and the promises it makes."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from support.cli_runs import run

ROOT = Path(__file__).parent.parent.parent
UNIT = ROOT / "config" / "feedhub.service"
UNITS = {"run": UNIT, "worker": ROOT / "config" / "feedhub-worker@.service"}
STOPS_WITHIN = 30


def _service(unit: Path = UNIT) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(unit.read_text("utf-8"))
    return dict(parser["Service"])


@pytest.mark.parametrize("started", UNITS)
def test_the_unit_starts_a_command_that_exists_with_options_that_exist(started: str) -> None:
    program, command, *arguments = shlex.split(_service(UNITS[started])["ExecStart"])
    assert (Path(program).name, command) == ("feedhub", started)
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
@pytest.mark.parametrize("started", UNITS)
def test_systemd_understands_the_unit(started: str, tmp_path: Path) -> None:
    program = shlex.split(_service(UNITS[started])["ExecStart"])[0]
    here = tmp_path / UNITS[started].name.replace("@", "@1")
    text = UNITS[started].read_text("utf-8")
    here.write_text(text.replace(program, shutil.which("true") or "/bin/true"), "utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_cluster_is_made_of_commands_and_options_that_exist() -> None:
    services = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text("utf-8"))["services"]
    commands = {name: each["command"].split() for name, each in services.items() if each["image"] == "feedhub"}
    assert {words[0] for words in commands.values()} == {"apply", "worker", "edge"}
    for command, *arguments in commands.values():
        known = run(command, "--help").out
        assert [each for each in arguments if each.startswith("-") and each not in known] == []
    # Two edges must not publish into one folder.
    folders = [each["volumes"] for each in services.values() if each["command"].startswith("edge")]
    assert folders == [["output1:/data/output"], ["output2:/data/output"]]
