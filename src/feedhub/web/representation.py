"""The representations of a published file, and which of them a request gets by RFC 9110."""

import gzip
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from feedhub.model.output import PAGE_POLICY
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
_FEEDS: Final = {
    one.name: one.media_type + (_TEXT if one.media_type.endswith("xml") else "") for one in FORMATS.formats
}
_TYPES: Final = {
    "atom": _FEEDS["atom"],
    "rss": _FEEDS["rss"],
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
_COMPRESSIBLE: Final = frozenset({"atom", "rss", "xml", "opml", "json", "html", "css", "txt", "md", "svg"})


def media_type(path: str, added: Mapping[str, str] = NO_TYPES) -> str:
    """Return the media type of a published file. An unknown one is served as bytes, so that nothing is guessed or run.

    ``added`` maps the endings of feeds in formats of other packages to their media types.
    """
    ending = _ending(path)
    of_feed = added.get(ending) or _FEEDS.get(ending) if path.startswith("feeds/") else None
    return of_feed or _TYPES.get(ending, _OTHER)


def is_compressible(path: str, media_type: str) -> bool:
    """Tell whether gzip makes a file of this kind smaller."""
    return _ending(path) in _COMPRESSIBLE or media_type.startswith("text/")


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()


# Readers ask every few minutes, so a minute is short enough; a cache in front of us then answers most requests.
_CACHE_CONTROL: Final = b"public, max-age=60"
_LEAST_GZIPPED: Final = 1_000
_GZIP_LEVEL: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """A file in one coding, with the header fields of a 200 and of a 304, as pairs and as bytes."""

    etag: bytes
    body: bytes
    headers: Headers
    not_modified_headers: Headers
    header_bytes: bytes
    not_modified_bytes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """A file as it was at ``stamp``, plain and, when that is smaller, gzipped; a feed also as browsers show it."""

    stamp: tuple[int, ...]
    modified: bytes
    plain: Representation
    gzipped: Representation | None
    shown: Representation | None

    @property
    def size(self) -> int:
        """Bytes in memory, approximately."""
        return len(self.plain.body) + len(self.gzipped.body if self.gzipped else b"") + 4_096


def prepare_file(
    path: str, body: bytes, stamp: tuple[int, ...], modified_at: float, added_types: Mapping[str, str] = NO_TYPES
) -> ServedFile:
    """Return a file in its codings. ``path`` is relative to the output folder, ``modified_at`` in seconds of the epoch.

    ``added_types`` are as for ``media_type``.

    Two codings are two representations, so their strong validators differ (RFC 9110 §8.8.3.3).
    """
    digest = sha256(body).hexdigest()[:32]
    modified = formatdate(modified_at, usegmt=True).encode()
    of_type = media_type(path, added_types)
    is_text = is_compressible(path, of_type)
    smaller = _gzipped(body) if is_text else None
    is_feed = path.startswith("feeds/") and of_type.endswith("+xml" + _TEXT)
    vary = [(b"vary", b"accept, accept-encoding" if is_feed else b"accept-encoding")] if is_text else []
    common = [(b"cache-control", _CACHE_CONTROL), (b"last-modified", modified), *vary, *SECURITY]
    content = [(b"content-type", of_type.encode()), (b"accept-ranges", b"bytes")]
    coded = [*content, (b"content-encoding", b"gzip")]
    # Browsers show feeds of their own media types as source text, and XML by its style sheet.
    of_xml = [(b"content-type", _TYPES["xml"].encode()), *content[1:]]
    return ServedFile(
        stamp=stamp,
        modified=modified,
        plain=_representation(f'"{digest}"', body, content, common),
        gzipped=_representation(f'"{digest}-gz"', smaller, coded, common) if smaller else None,
        shown=_representation(f'"{digest}-x"', body, of_xml, common) if is_feed else None,
    )


def _gzipped(body: bytes) -> bytes | None:
    if len(body) < _LEAST_GZIPPED:
        return None
    # Without a time, so that the same input gives the same bytes.
    smaller = gzip.compress(body, _GZIP_LEVEL, mtime=0)
    return smaller if len(smaller) < len(body) else None


def _representation(etag: str, body: bytes, content: Headers, common: Headers) -> Representation:
    unchanged = [(b"etag", etag.encode()), *common]
    headers = [*content, (b"content-length", b"%d" % len(body)), *unchanged]
    return Representation(
        etag=etag.encode(),
        body=body,
        headers=headers,
        not_modified_headers=unchanged,
        header_bytes=_header_bytes(headers),
        not_modified_bytes=_header_bytes(unchanged),
    )


def _header_bytes(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n"


_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})")
_TAG: Final = re.compile(rb'(?:W/)?("[^"]*")')
_NO_GZIP: Final = re.compile(rb";[ \t]*q[ \t]*=[ \t]*0(?:\.0*)?[ \t]*$")

Fields = Mapping[bytes, bytes]
"""Header fields of a request: lower-case name → value; several of one name joined by a comma."""


def fields_by_name(pairs: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return header fields of a request by name."""
    fields: dict[bytes, bytes] = {}
    for name, value in pairs:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """What is sent of a file. With ``part`` these bytes of the body only."""

    status: int
    representation: Representation
    headers: Headers
    part: tuple[int, int] | None = None

    @property
    def body(self) -> bytes:
        """The body, empty where the status has none."""
        if self.status in (304, 416):
            return b""
        return self.representation.body[slice(*self.part)] if self.part else self.representation.body


def answer_for(file: ServedFile, fields: Fields) -> FileAnswer:
    """Return the answer to a GET, of which a HEAD gets the header."""
    wants_range = fields.get(b"range")
    may_gzip = not wants_range and _accepts_gzip(fields.get(b"accept-encoding", b""))
    # Browsers say this first when somebody follows a link; readers say it behind the types of feeds, if at all.
    is_shown = not wants_range and fields.get(b"accept", b"").startswith(b"text/html")
    representation = (is_shown and file.shown) or (may_gzip and file.gzipped) or file.plain
    known = current_representation(file, representation, fields)
    if known is not None:
        return FileAnswer(status=304, representation=known, headers=known.not_modified_headers)
    if wants_range and _range_holds(file, fields.get(b"if-range")):
        return _range_answer(file.plain, wants_range)
    return FileAnswer(status=200, representation=representation, headers=representation.headers)


def current_representation(file: ServedFile, representation: Representation, fields: Fields) -> Representation | None:
    """Return the representation that the client has already, in whichever coding; None if it has no current one.

    ``If-None-Match`` is compared weakly, and ``If-Modified-Since`` counts only without it (RFC 9110 §13.1).
    """
    tags = fields.get(b"if-none-match")
    if tags is not None:
        if tags.strip() == b"*":
            return representation
        held = set(_TAG.findall(tags))
        kept = (representation, file.plain, file.gzipped, file.shown)
        return next((each for each in kept if each and each.etag in held), None)
    since = fields.get(b"if-modified-since")
    return representation if since is not None and _is_current(file, since) else None


def _is_current(file: ServedFile, since: bytes) -> bool:
    if since == file.modified:
        return True
    try:
        return parsedate_to_datetime(since.decode("ascii")) >= parsedate_to_datetime(file.modified.decode("ascii"))
    except (ValueError, TypeError, OverflowError):
        # An invalid date, or one without a zone: the condition is ignored.
        return False


def _accepts_gzip(accepted: bytes) -> bool:
    if not accepted:
        return False
    if accepted in (b"gzip", b"gzip, deflate, br, zstd", b"gzip, deflate", b"gzip, deflate, br"):
        return True
    codings = {each.partition(b";")[0].strip().lower(): each for each in accepted.split(b",")}
    offered = codings.get(b"gzip", codings.get(b"*"))
    return offered is not None and not _NO_GZIP.search(offered)


def _range_holds(file: ServedFile, condition: bytes | None) -> bool:
    # The comparison is strong: a weak tag never matches.
    return condition is None or condition.strip() in (file.plain.etag, file.modified)


def _range_answer(representation: Representation, wanted: bytes) -> FileAnswer:
    """Return one range; several ranges, or an invalid one, give the whole file (RFC 9110 §14.2)."""
    whole = FileAnswer(status=200, representation=representation, headers=representation.headers)
    match = _RANGE.fullmatch(wanted.strip())
    if not match or not (match[1] or match[2]):
        return whole
    size = len(representation.body)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return whole
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first >= size or first > last:
        headers = [
            *representation.not_modified_headers,
            (b"content-range", b"bytes */%d" % size),
            (b"content-length", b"0"),
        ]
        return FileAnswer(status=416, representation=representation, headers=headers)
    headers = [pair for pair in representation.headers if pair[0] != b"content-length"]
    headers += [(b"content-range", b"bytes %d-%d/%d" % (first, last, size))]
    headers += [(b"content-length", b"%d" % (last + 1 - first))]
    return FileAnswer(status=206, representation=representation, headers=headers, part=(first, last + 1))
