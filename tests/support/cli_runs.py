"""Runs the command line in this process, as the ``feedhub`` script does."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedhub.cli.main import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str | Path) -> Ran:
    """Run one command; its output goes to a pipe, not to a terminal."""
    out, err = io.StringIO(), io.StringIO()
    code = None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())


def rss(*items: tuple[str, str], title: str = "A feed", month: int = 1) -> bytes:
    """RSS 2.0 with (title, link) items, one a day from the first of a month of 2026."""
    entries = "".join(
        f"<item><title>{name}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>2026-{month:02}-{day:02} 08:00:00</pubDate><description>About {name}.</description></item>"
        for day, (name, link) in enumerate(items, start=1)
    )
    return f"<rss version='2.0'><channel><title>{title}</title>{entries}</channel></rss>".encode()


def write_project(folder: Path, sources: str, more: str = "") -> Path:
    """Write a small configuration with these ``sources`` (YAML list items) and return its path."""
    path = folder / "config" / "feedhub.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "site: {title: Test, url: https://news.example.org, timezone: Asia/Shanghai}\n"
        "poll: {per_host: {gap: 0s}, timeout: 5s, allow_private: [127.0.0.1]}\n"
        f"{more}\nsources:\n{sources}",
        encoding="utf-8",
    )
    return path
