"""What running processes use, as Linux tells it in ``/proc``."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def megabytes_of(pids: Iterable[int]) -> float:
    """Return the memory of processes; what several share is counted once."""
    return sum(map(_proportional_size, pids)) / 1024


def cpu_seconds_of(pid: int) -> float:
    """Return what one process has used so far, to the nanosecond; 0 for one that has ended."""
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # its clock, as clock_getcpuclockid(3) numbers it
    return 0.0


def _proportional_size(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
