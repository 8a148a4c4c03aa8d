"""Fetchers and requests for tests against loopback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from feedhub.fetch.connections import Endpoint, Lookup, UnknownNameError, system_lookup
from feedhub.fetch.fetcher import HttpFetcher
from feedhub.model.document import Request
from feedhub.model.source import PollSettings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LOOPBACK = ("127.0.0.0/8", "::1")


@contextmanager
def http_fetcher(
    *,
    allow: tuple[str, ...] = LOOPBACK,
    concurrent: int = 2,
    gap: float = 0.0,
    ca_bundle: str | None = None,
    lookup: Lookup | None = None,
    now: Callable[[], datetime] = lambda: NOW,
) -> Iterator[HttpFetcher]:
    settings = PollSettings(allow_private=allow, host_concurrent=concurrent, host_gap=gap)
    # No question leaves this machine unless a test asks for the real resolver.
    fetcher = HttpFetcher(settings, now=now, ca_bundle=ca_bundle, lookup=lookup or hosts({"localhost": ["127.0.0.1"]}))
    try:
        yield fetcher
    finally:
        fetcher.close()


def ask(url: str, **fields: Any) -> Request:
    """A request with a short time limit, so that a test that hangs is soon over."""
    return Request(url=url, **{"timeout": 5.0, **fields})


def hosts(names: dict[str, list[str]]) -> Lookup:
    """A name service that knows only ``names``."""

    def lookup(name: str, port: int) -> list[Endpoint]:
        if name not in names:
            raise UnknownNameError(f"host name not found: {name}")
        return [endpoint for ip in names[name] for endpoint in system_lookup(ip, port)]

    return lookup
