"""What the header fields of an answer say about it: validators, charset, when to ask again. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from feedhub.model.document import Freshness, Validators

# RFC 9111 §1.2.2: a number of seconds too big to hold counts as 2^31.
_MAX_SECONDS = 2**31
_MAX_VALIDATOR = 2_048
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,20})', re.ASCII | re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?\s*([A-Za-z0-9._:+-]{1,40})", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,20}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def validators_of(headers: Mapping[str, str]) -> Validators:
    """Return ``ETag`` and ``Last-Modified`` exactly as received; what cannot be sent back counts as missing."""
    return Validators(etag=_opaque(headers.get("ETag")), last_modified=_opaque(headers.get("Last-Modified")))


def freshness_of(headers: Mapping[str, str], now: datetime) -> Freshness:
    """Return ``Cache-Control: max-age``, ``Expires`` and ``Retry-After``; garbage and the past are left out.

    Dates are read against the server's own ``Date``, so that a wrong clock over there does no harm.
    """
    server_now = http_date(headers.get("Date")) or now
    return Freshness(
        max_age=_max_age(headers.get("Cache-Control")),
        expires_at=_later(http_date(headers.get("Expires")), server_now, now),
        retry_at=_retry_at(headers.get("Retry-After"), server_now, now),
    )


def charset_of(content_type: str | None) -> str | None:
    """Return the charset that a ``Content-Type`` field declares."""
    found = _CHARSET.search(content_type or "")
    return found[1] if found else None


def http_date(text: str | None) -> datetime | None:
    """Read a date in any of the three forms of RFC 9110 §5.6.7; None for anything else."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _opaque(value: str | None) -> str | None:
    if not value or len(value) > _MAX_VALIDATOR or _CONTROL.search(value):
        return None
    return value


def _max_age(cache_control: str | None) -> int | None:
    found = _MAX_AGE.search(cache_control or "")
    return min(int(found[1]), _MAX_SECONDS) if found else None


def _retry_at(value: str | None, server_now: datetime, now: datetime) -> datetime | None:
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = min(int(text), _MAX_SECONDS)
        return now + timedelta(seconds=seconds) if seconds else None
    return _later(http_date(text), server_now, now)


def _later(instant: datetime | None, server_now: datetime, now: datetime) -> datetime | None:
    if instant is None or instant <= server_now:
        return None
    return now + min(instant - server_now, timedelta(seconds=_MAX_SECONDS))
