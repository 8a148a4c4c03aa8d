"""A mount of which nobody answers what it is asked: whoever looks at it waits, as with a network drive that is gone."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def blocking_mount(folder: Path) -> Iterator[None]:
    """Mount it for the block; afterwards, what waited for it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        channel = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        pytest.skip("there is no FUSE here")
    options = f"fd={channel},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}".encode()
    if _LIBC.mount(b"blocking", str(folder).encode(), b"fuse", 0, options):
        os.close(channel)
        pytest.skip("nothing can be mounted here (needs root)")
    try:
        yield
    finally:
        os.close(channel)
        subprocess.run(["umount", "-l", str(folder)], check=True)
