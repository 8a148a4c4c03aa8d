"""Installs the example plugins into a folder, and runs the real command with that folder on the path."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "config" / "examples" / "plugins"


def install_example(name: str, folder: Path) -> Path:
    """Install one of the examples with pip, without network; return the folder to put on ``PYTHONPATH``."""
    source = shutil.copytree(EXAMPLES / name, folder / name)
    target = folder / "packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=50)
    return target


def feedhub(*arguments: str, packages: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of feedhub in ``cwd``, with the packages of a folder installed."""
    return subprocess.run(
        [sys.executable, "-m", "feedhub", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
