"""By which host a source's politeness is counted."""

from urllib.parse import urlsplit

from feedhub.model.source import PollSettings


def host_key(url: str, settings: PollSettings) -> str:
    """Return the host name of an address; "" for a local file."""
    return (urlsplit(url).hostname or "").rstrip(".")


def host_pace(key: str, settings: PollSettings) -> tuple[int, float]:
    """Return how many requests may run at once on a host, and the seconds between two starts."""
    return settings.host_concurrent, settings.host_gap
