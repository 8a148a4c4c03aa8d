"""The fetcher that everybody gets: local files and HTTP behind one port."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from feedhub.fetch.http import HttpFetcher
from feedhub.fetch.local import LocalFetcher
from feedhub.fetch.throttle import Throttle
from feedhub.model.document import Document, NotModified, Request
from feedhub.model.source import PollSettings
from feedhub.ports.world import Fetcher


class AnyFetcher:
    """Hands each request to the fetcher for its scheme; what is neither ``file`` nor http(s) is refused there.

    ``throttle`` is what it shares with the fetcher of the next configuration.
    """

    def __init__(self, *, local: Fetcher, http: Fetcher, throttle: Throttle) -> None:
        self.throttle = throttle
        self._local = local
        self._http = http

    def fetch(self, request: Request) -> Document | NotModified:
        """See ``Fetcher.fetch``."""
        is_file = urlsplit(request.url).scheme == "file"
        return self._local.fetch(request) if is_file else self._http.fetch(request)

    def close(self) -> None:
        """Close both."""
        self._local.close()
        self._http.close()


def build_fetcher(settings: PollSettings, now: Callable[[], datetime], throttle: Throttle | None = None) -> AnyFetcher:
    """Return the fetcher for a configuration. ``now`` gives the current instant in aware UTC.

    ``throttle`` of a fetcher before this one goes on under the new limits, and counts what the other still does.
    """
    http = HttpFetcher(settings, now=now, throttle=throttle)
    return AnyFetcher(local=LocalFetcher(), http=http, throttle=http.throttle)
