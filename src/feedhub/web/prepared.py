"""A published file, ready to be sent: made once, and what of it a request gets by RFC 9110."""

import gzip
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from feedhub.model.policy import PAGE_POLICY
from feedhub.publish.formats import FORMATS

Headers = list[tuple[bytes, bytes]]

POLICY: Final = f"{PAGE_POLICY}; frame-ancestors 'none'"
SECURITY: Final[Headers] = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
ALLOWED: Final = (b"allow", b"GET, HEAD")

_TEXT: Final = "; charset=utf-8"
_FEEDS: Final = {one.name: one.media_type for one in FORMATS.formats}
_TYPES: Final = {
    "atom": _FEEDS["atom"] + _TEXT,
    "rss": _FEEDS["rss"] + _TEXT,
    "xml": "application/xml" + _TEXT,
    "opml": "text/x-opml" + _TEXT,
    "json": "application/json",
    "html": "text/html" + _TEXT,
    "css": "text/css" + _TEXT,
    "txt": "text/plain" + _TEXT,
    "md": "text/markdown" + _TEXT,
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/vnd.microsoft.icon",
    "woff2": "font/woff2",
    "mp3": "audio/mpeg",
}
_OTHER: Final = "application/octet-stream"
NO_TYPES: Final[Mapping[str, str]] = MappingProxyType({})
_PRESSED: Final = frozenset({"atom", "rss", "xml", "opml", "json", "html", "css", "txt", "md", "svg"})


def media_type(path: str, added: Mapping[str, str] = NO_TYPES) -> str:
    """Return the media type of a published file. Unknown ones are bytes: nothing is guessed, nothing runs.

    ``added`` maps the endings of feeds in formats of other packages to their media types.
    """
    ending = _ending(path)
    if path.startswith("feeds/"):
        return added.get(ending) or (_FEEDS["json"] if ending == "json" else _TYPES.get(ending, _OTHER))
    return _TYPES.get(ending, _OTHER)


def is_compressible(path: str, media_type: str) -> bool:
    """Tell whether gzip makes a file of this kind smaller."""
    return _ending(path) in _PRESSED or media_type.startswith("text/")


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()


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


def prepare(
    path: str, body: bytes, stamp: tuple[int, ...], modified_at: float, added_types: Mapping[str, str] = NO_TYPES
) -> Prepared:
    """Make the answers for a file. ``path`` is relative to the output folder, ``modified_at`` in seconds of the epoch.

    ``added_types`` are as for ``media_type``.

    Two codings are two representations, so their strong validators differ (RFC 9110 §8.8.3.3).
    """
    digest = sha256(body).hexdigest()[:32]
    modified = formatdate(modified_at, usegmt=True).encode()
    of_type = media_type(path, added_types)
    is_text = is_compressible(path, of_type)
    smaller = _pressed(body) if is_text else None
    vary = [(b"vary", b"accept-encoding")] if is_text else []
    common = [(b"cache-control", _FRESH), (b"last-modified", modified), *vary, *SECURITY]
    content = [(b"content-type", of_type.encode()), (b"accept-ranges", b"bytes")]
    coded = [*content, (b"content-encoding", b"gzip")]
    return Prepared(
        stamp=stamp,
        modified=modified,
        plain=_variant(f'"{digest}"', body, content, common),
        pressed=_variant(f'"{digest}-gz"', smaller, coded, common) if smaller else None,
    )


def _pressed(body: bytes) -> bytes | None:
    if len(body) < _WORTH_PRESSING:
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


_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})")
_TAG: Final = re.compile(rb'(?:W/)?("[^"]*")')
_NO_GZIP: Final = re.compile(rb";[ \t]*q[ \t]*=[ \t]*0(?:\.0*)?[ \t]*$")

Fields = Mapping[bytes, bytes]
"""Header fields of a request: lower-case name → value; several of one name joined by a comma."""


def joined(pairs: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return header fields by name."""
    fields: dict[bytes, bytes] = {}
    for name, value in pairs:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An answer. With ``part`` only these bytes of the body are sent."""

    status: int
    variant: Variant
    headers: Headers
    part: tuple[int, int] | None = None

    @property
    def body(self) -> bytes:
        """What follows the header."""
        if self.status in (304, 416):
            return b""
        return self.variant.body[slice(*self.part)] if self.part else self.variant.body


def chosen(file: Prepared, fields: Fields) -> Choice:
    """Return the answer to a GET (to a HEAD, its header)."""
    wants_range = fields.get(b"range")
    variant = file.plain if wants_range or not _takes_gzip(fields.get(b"accept-encoding", b"")) else file.pressed
    variant = variant or file.plain
    known = unchanged(file, variant, fields)
    if known is not None:
        return Choice(status=304, variant=known, headers=known.kept)
    if wants_range and _range_holds(file, fields.get(b"if-range")):
        return _part(file.plain, wants_range)
    return Choice(status=200, variant=variant, headers=variant.headers)


def unchanged(file: Prepared, variant: Variant, fields: Fields) -> Variant | None:
    """Return what of the file the client has already, in whichever coding it got it; None if it has nothing current.

    ``If-None-Match`` is compared weakly, and ``If-Modified-Since`` counts only without it (RFC 9110 §13.1).
    """
    tags = fields.get(b"if-none-match")
    if tags is not None:
        if tags.strip() == b"*":
            return variant
        held = set(_TAG.findall(tags))
        return next((each for each in (variant, file.plain, file.pressed) if each and each.etag in held), None)
    since = fields.get(b"if-modified-since")
    return variant if since is not None and _is_current(file, since) else None


def _is_current(file: Prepared, since: bytes) -> bool:
    if since == file.modified:
        return True
    try:
        return parsedate_to_datetime(since.decode("ascii")) >= parsedate_to_datetime(file.modified.decode("ascii"))
    except (ValueError, TypeError, OverflowError):
        # No date, or one without a zone: the condition is ignored.
        return False


def _takes_gzip(accepted: bytes) -> bool:
    if not accepted:
        return False
    if accepted in (b"gzip", b"gzip, deflate, br, zstd", b"gzip, deflate", b"gzip, deflate, br"):
        return True
    codings = {each.partition(b";")[0].strip().lower(): each for each in accepted.split(b",")}
    offered = codings.get(b"gzip", codings.get(b"*"))
    return offered is not None and not _NO_GZIP.search(offered)


def _range_holds(file: Prepared, condition: bytes | None) -> bool:
    # A strong comparison: a weak tag never matches.
    return condition is None or condition.strip() in (file.plain.etag, file.modified)


def _part(variant: Variant, wanted: bytes) -> Choice:
    """Return one range; several, or what is no range, give the whole (RFC 9110 §14.2)."""
    whole = Choice(status=200, variant=variant, headers=variant.headers)
    match = _RANGE.fullmatch(wanted.strip())
    if not match or not (match[1] or match[2]):
        return whole
    size = len(variant.body)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return whole
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first >= size or first > last:
        headers = [*variant.kept, (b"content-range", b"bytes */%d" % size), (b"content-length", b"0")]
        return Choice(status=416, variant=variant, headers=headers)
    headers = [pair for pair in variant.headers if pair[0] != b"content-length"]
    headers += [(b"content-range", b"bytes %d-%d/%d" % (first, last, size))]
    headers += [(b"content-length", b"%d" % (last + 1 - first))]
    return Choice(status=206, variant=variant, headers=headers, part=(first, last + 1))
