"""The fetcher that everybody gets: local files (SPEC §3) and HTTP behind one port."""

import hashlib
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from feedhub.errors import FetchError, TooLargeError
from feedhub.fetch.http import HttpFetcher
from feedhub.fetch.throttle import Throttle
from feedhub.model.document import Document, NotModified, Request, Validators
from feedhub.model.source import PollSettings
from feedhub.ports.world import Fetcher


class LocalFetcher:
    """Reads ``file://`` addresses. The validator is time and size, so an untouched file is not read again."""

    def fetch(self, request: Request) -> Document | NotModified:
        """Return the file.

        Raises:
            FetchError: missing, unreadable, not a regular file, empty, or changed while it was read.
            TooLargeError: more bytes than ``request.max_size``.
        """
        path = _path_of(request.url)
        try:
            return _read(path, request)
        except FileNotFoundError as exc:
            raise FetchError(f"no such file: {path}") from exc
        except PermissionError as exc:
            raise FetchError(f"no permission to read {path}") from exc
        except (OSError, ValueError) as exc:
            raise FetchError(f"cannot read {path}") from exc

    def close(self) -> None:
        """Nothing is held."""


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise FetchError("a file on another machine cannot be read: write file:/// and the path")
    return Path(url2pathname(parts.path))


def _read(path: Path, request: Request) -> Document | NotModified:
    # Asked before opening: to open a device or a pipe can block or have effects.
    status = path.stat()
    validators = _validators(status, path)
    if validators == request.validators:
        return NotModified(url=request.url, validators=validators)
    with path.open("rb") as file:
        body = file.read(request.max_size + 1)
        # What was opened may be another file than what was looked at, or grow under our hands.
        is_same = _validators(os.fstat(file.fileno()), path) == validators
    if len(body) > request.max_size:
        raise TooLargeError(f"{path} is larger than {request.max_size} bytes")
    if not is_same:
        raise FetchError(f"{path} changed while it was read")
    if not body:
        raise FetchError(f"{path} is empty")
    return Document(
        url=request.url,
        body=body,
        digest=hashlib.sha256(body).hexdigest(),
        validators=validators,
        fetched_at=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _validators(status: os.stat_result, path: Path) -> Validators:
    if not stat.S_ISREG(status.st_mode):
        raise FetchError(f"{path} is not a regular file")
    return Validators(etag=f"{status.st_mtime_ns}-{status.st_size}")


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
