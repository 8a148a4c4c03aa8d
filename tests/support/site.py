"""A feedhub site in a folder: YAML on disk, run through the real command in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHARED_FEEDS = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "feeds"
needs_shared_feeds = pytest.mark.skipif(
    not SHARED_FEEDS.is_dir(), reason="the collection of captured feeds is not beside the project"
)


def shared_feeds() -> list[Path]:
    """Return the captured feeds, in a fixed order."""
    return sorted(path for path in SHARED_FEEDS.rglob("*") if path.is_file() and path.name != "README.md")


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class SiteFolder:
    """A folder with ``feedhub.yaml``."""

    path: Path

    @property
    def output(self) -> Path:
        return self.path / "output"

    def write(self, sources: Sequence[str], *, private: str = "", more: str = "") -> None:
        """Write the configuration: ``sources`` are YAML flow mappings."""
        lines = "".join(f"  - {source}\n" for source in sources)
        (self.path / "feedhub.yaml").write_text(
            "site: {title: Test site, url: https://news.example.org, timezone: Asia/Shanghai}\n"
            f"poll: {{allow_private: [{private}], per_host: {{concurrent: 8, gap: 0s}}, timeout: 10s}}\n"
            f"{more}sources:\n{lines}",
            "utf-8",
        )

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the command in a group of its own, so that it can be killed with its workers."""
        return subprocess.Popen(
            [sys.executable, "-m", "feedhub", *arguments, "-c", str(self.path / "feedhub.yaml")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=_environment(),
        )

    def run(self, *arguments: str, program: Sequence[str] = ("-m", "feedhub")) -> Result:
        """Run the command to its end."""
        done = subprocess.run(
            [sys.executable, *program, *arguments, "-c", str(self.path / "feedhub.yaml")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=_environment(),
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Return bytes and modification time of every output file; what feedhub remembers beside them is none."""
        return {
            path.relative_to(self.output).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.output.rglob("*"))
            if path.is_file() and ".feedhub" not in path.parts
        }

    def feed(self, slug: str) -> list[dict[str, Any]]:
        """Return the items of a published JSON Feed."""
        items: list[dict[str, Any]] = json.loads((self.output / "feeds" / f"{slug}.json").read_text("utf-8"))["items"]
        return items


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "error", "NO_COLOR": "1"}
