"""Addresses as they leave a document: absolute and http(s), or none (SPEC §9)."""

import re
from urllib.parse import urljoin, urlsplit

_LONGEST = 8_000
_IGNORED = re.compile("[\x00-\x20\x7f-\xa0\u200b\ufeff]+$|^[\x00-\x20\x7f-\xa0\u200b\ufeff]+|[\t\r\n]")
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
# RFC 3986 has no place for these; browsers write them as percent escapes.
_UNSAFE = re.compile('[\x00-\x20\x7f-\xa0"<>\\\\^`{|}]')
# Most addresses are made of these, and nothing has to be done about them.
_PLAIN = r"[\w.~!$&'()*+,;=:@%-]"
_PLAIN_URL = re.compile(rf"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*/(?:{_PLAIN}|/)*(?:\?(?:{_PLAIN}|/)+)?", re.ASCII)
_PLAIN_PATH = re.compile(rf"(?:/(?!\.){_PLAIN}+)+", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?=/)", re.ASCII)


def http_url(value: object, base: str = "") -> str | None:
    """Return ``value`` as an absolute http(s) address, relative ones resolved against ``base``; else None.

    ``javascript:``, ``data:``, ``tag:``, addresses without a host, and anything that is no text give None.
    """
    if not isinstance(value, str):
        return None
    if len(value) <= _LONGEST:
        if _PLAIN_URL.fullmatch(value):
            return value
        if (origin := _ORIGIN.match(base)) and _PLAIN_PATH.fullmatch(value):
            return origin[0] + value
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
