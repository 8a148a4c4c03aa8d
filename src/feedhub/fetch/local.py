"""Local files as sources, so that other programs can hand over a document (SPEC §3)."""

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from feedhub.errors import FetchError, TooLargeError
from feedhub.model.document import Document, NotModified, Request, Validators


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
