"""What of a prepared file a request gets: conditions, codings and ranges of RFC 9110. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from feedhub.web.headers import Headers
from feedhub.web.prepared import Prepared, Variant

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
