"""Rights that one process holds at a time: to run as the daemon of a store, to publish from it.

The right is a lock of the operating system on a file beside the database, so a process that is killed lets go of it.
Who holds it stands in a second file, because a locked file cannot be read everywhere.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from feedhub.errors import StoreError


@contextmanager
def alone(place: str, task: str, wait: float) -> Iterator[None]:
    """Hold the right to do ``task`` on the store at ``place`` for the block; see ``feedhub.ports.store.Upkeep``."""
    from filelock import FileLock, Timeout  # and with it asyncio

    lock = FileLock(f"{place}.{task}.lock", timeout=wait, thread_local=False)
    holder = Path(f"{place}.{task}.json")
    try:
        lock.acquire()
        holder.write_text(json.dumps(_this_process()), "utf-8")
    except Timeout as exc:
        raise StoreError(f"store {place} is in use: {_in_words(holder, task)}") from exc
    except OSError as exc:
        lock.release()
        raise StoreError(f"store {place} cannot be locked: {(exc.strerror or str(exc)).lower()}") from exc
    try:
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _this_process() -> dict[str, object]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def _in_words(holder: Path, task: str) -> str:
    try:
        who = json.loads(holder.read_text("utf-8"))
        return f"`feedhub {task}` with process id {who['pid']} on {who['host']} holds it since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another `feedhub {task}` holds it"
