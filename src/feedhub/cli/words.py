"""Instants, counts and sizes in words a person reads at a glance."""

import shlex
import shutil
import sys
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.rules.words import span

_DAY: Final = 86_400
_RELATIVE_DAYS: Final = 14


def when(at: datetime | None, now: datetime, timezone: str, *, never: str = "never") -> str:
    """Return ``3 h ago`` or ``in 12 min``; for what is far away the date in ``timezone``."""
    if at is None:
        return never
    seconds = (at - now).total_seconds()
    if abs(seconds) > _RELATIVE_DAYS * _DAY:
        return moment(at, timezone)
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(seconds)} ago"


def due(seconds: float | None) -> str:
    """Return when a source is polled next, from its ``next_poll_in``."""
    if seconds is None:
        return "–"
    return f"in {span(seconds)}" if seconds >= 1 else "due"


def moment(at: datetime, timezone: str) -> str:
    """Return date and time in ``timezone``."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 source``, ``2 sources``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def own_command() -> str:
    """Return how to call feedhub again from here: by its name when the shell finds it, else by the interpreter."""
    return "feedhub" if shutil.which("feedhub") else f"{shlex.quote(sys.executable)} -m feedhub"
