"""A published file, ready to be sent: everything that does not depend on who asks is made once."""

import gzip
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha256
from typing import Final

from feedhub.web.headers import SECURITY, Headers, is_compressible, media_type

# Readers ask every few minutes: a minute is soon enough for them, and lets a cache in front of us carry a crowd.
_FRESH: Final = b"public, max-age=60"
_WORTH_PRESSING: Final = 1_000
_LEVEL: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A coding of a file. ``headers`` are those of a 200, ``kept`` those of a 304; ``lines`` are the same in bytes."""

    etag: bytes
    body: bytes
    headers: Headers
    kept: Headers
    lines: bytes
    kept_lines: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A file as it was at ``stamp``: as it is, and gzipped when that is smaller."""

    stamp: tuple[int, ...]
    modified: bytes
    plain: Variant
    pressed: Variant | None

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return len(self.plain.body) + len(self.pressed.body if self.pressed else b"") + 4_096


def prepare(path: str, body: bytes, stamp: tuple[int, ...], modified_at: float) -> Prepared:
    """Make the answers for a file. ``path`` is relative to the output folder, ``modified_at`` in seconds of the epoch.

    Two codings are two representations, so their strong validators differ (RFC 9110 §8.8.3.3).
    """
    digest = sha256(body).hexdigest()[:32]
    modified = formatdate(modified_at, usegmt=True).encode()
    smaller = _pressed(path, body)
    vary = [(b"vary", b"accept-encoding")] if is_compressible(path) else []
    common = [(b"cache-control", _FRESH), (b"last-modified", modified), *vary, *SECURITY]
    content = [(b"content-type", media_type(path).encode()), (b"accept-ranges", b"bytes")]
    coded = [*content, (b"content-encoding", b"gzip")]
    return Prepared(
        stamp=stamp,
        modified=modified,
        plain=_variant(f'"{digest}"', body, content, common),
        pressed=_variant(f'"{digest}-gz"', smaller, coded, common) if smaller else None,
    )


def _pressed(path: str, body: bytes) -> bytes | None:
    if not is_compressible(path) or len(body) < _WORTH_PRESSING:
        return None
    # No time in it: same input, same bytes.
    smaller = gzip.compress(body, _LEVEL, mtime=0)
    return smaller if len(smaller) < len(body) else None


def _variant(etag: str, body: bytes, content: Headers, common: Headers) -> Variant:
    kept = [(b"etag", etag.encode()), *common]
    headers = [*content, (b"content-length", b"%d" % len(body)), *kept]
    return Variant(
        etag=etag.encode(), body=body, headers=headers, kept=kept, lines=_lines(headers), kept_lines=_lines(kept)
    )


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n"
