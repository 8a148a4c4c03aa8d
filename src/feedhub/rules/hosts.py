"""Which addresses count as one host, and how politely it is asked (SPEC §8)."""

from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from feedhub.model.source import HostGroup, PollSettings
from feedhub.rules.urls import ascii_host


def host_key(url: str, settings: PollSettings) -> str:
    """Return what limits are counted by: the pattern of the first group that the host is in, else the host.

    The host is in lower case, in ASCII, without port and trailing dot; "" for what has no host, such as a file.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme == "file" or not host:
        return ""
    group = _group_of(host, settings)
    return group.pattern if group else ascii_host(host)


def host_pace(key: str, settings: PollSettings) -> tuple[int, float]:
    """Return how many requests at a time, and how many seconds apart, for a key that ``host_key`` gave."""
    for group in settings.host_groups:
        if group.pattern == key:
            return group.concurrent, group.gap
    return settings.host_concurrent, settings.host_gap


def _group_of(host: str, settings: PollSettings) -> HostGroup | None:
    """Patterns may be written in either form of an international name."""
    name = ascii_host(host)
    names = (name, _in_letters(name))
    for group in settings.host_groups:
        if any(fnmatchcase(name, group.pattern.lower()) for name in names):
            return group
    return None


def _in_letters(name: str) -> str:
    try:
        return name.encode().decode("idna")
    except UnicodeError:
        return name
