"""What a process that runs for weeks asks of the memory allocator of glibc; elsewhere it asks nothing."""

import ctypes
from typing import Any, Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_HEAPS: Final = 2
_MOST_FREE: Final = 8 << 20
_LARGE: Final = 256 << 10


def keep_heaps_small() -> None:
    """Have memory that is freed go back to the system, instead of lying between what is kept (mallopt(3)).

    By itself glibc keeps a heap for nearly every thread, and once a large document was freed takes later ones from
    those heaps, too: they grow with the largest that each thread ever held. Call it before threads are started.
    """
    if mallopt := _of_libc("mallopt"):
        mallopt(_M_ARENA_MAX, _HEAPS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _MOST_FREE)


def give_back_memory() -> None:
    """Give what is free back to the system now, such as after a configuration was loaded (malloc_trim(3))."""
    if trim := _of_libc("malloc_trim"):
        trim(0)


def _of_libc(name: str) -> Any:
    """Return a function that only glibc has, None without it. musl has a ``mallopt`` in no version."""
    libc = ctypes.CDLL(None)
    return getattr(libc, name, None) if hasattr(libc, "gnu_get_libc_version") else None
