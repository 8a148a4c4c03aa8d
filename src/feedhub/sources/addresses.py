"""Addresses as they leave a document: absolute and http(s), or none (SPEC §9)."""

import re
from urllib.parse import urljoin, urlsplit

_LONGEST = 8_000
_IGNORED = re.compile("[\x00-\x20\x7f-\xa0\u200b\ufeff]+$|^[\x00-\x20\x7f-\xa0\u200b\ufeff]+|[\t\r\n]")
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
# RFC 3986 has no place for these; browsers write them as percent escapes.
_UNSAFE = re.compile('[\x00-\x20\x7f-\xa0"<>\\\\^`{|}]')


def http_url(value: object, base: str = "") -> str | None:
    """Return ``value`` as an absolute http(s) address, relative ones resolved against ``base``; else None.

    ``javascript:``, ``data:``, ``tag:``, addresses without a host, and anything that is no text give None.
    """
    if not isinstance(value, str):
        return None
    text = _IGNORED.sub("", value)
    if not text or len(text) > _LONGEST:
        return None
    try:
        address = text if _ABSOLUTE.match(text) or not base else urljoin(base, text)
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return None
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), address)
