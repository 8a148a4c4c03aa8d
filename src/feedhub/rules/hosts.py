"""Which addresses count as one host, and how politely it is asked (SPEC §8)."""

from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import urlsplit

from feedhub.model.source import PollSettings
from feedhub.rules.urls import ascii_host


def host_key(url: str, settings: PollSettings) -> str:
    """Return what limits are counted by: the pattern of the first group that the host is in, else the host.

    The host is in lower case, in ASCII, without port and trailing dot; "" for what has no host, such as a file.
    """
    return group_key(host_name(url), settings)


@lru_cache(maxsize=1024)  # a poll asks for its host several times
def host_name(url: str) -> str:
    """Return the host of an address as it is counted, "" for what has none."""
    try:
        parts = urlsplit(url)
        return "" if parts.scheme == "file" else ascii_host(parts.hostname or "")
    except ValueError:
        return ""


def group_key(host: str, settings: PollSettings) -> str:
    """Return ``host_key`` of any address on a host that ``host_name`` gave."""
    if not host or not settings.host_groups:
        return host
    # Patterns may be written in either form of an international name.
    names = (host, _in_letters(host))
    for group in settings.host_groups:
        if any(fnmatchcase(name, group.pattern.lower()) for name in names):
            return group.pattern
    return host


def host_pace(key: str, settings: PollSettings) -> tuple[int, float]:
    """Return how many requests at a time, and how many seconds apart, for a key that ``host_key`` gave."""
    for group in settings.host_groups:
        if group.pattern == key:
            return group.concurrent, group.gap
    return settings.host_concurrent, settings.host_gap


def _in_letters(name: str) -> str:
    try:
        return name.encode().decode("idna")
    except UnicodeError:
        return name
