"""How our JSON files look: readable, in UTF-8, keys in the order of writing."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from feedhub.rules.text import clean_text, plain

JsonObject: TypeAlias = "dict[str, object]"


def json_bytes(document: JsonObject) -> bytes:
    """Return ``document`` as a text file."""
    return (written(document) + "\n").encode()


def written(value: object, *, depth: int = 0) -> str:
    """Return what ``json.dumps(…, ensure_ascii=False, indent=2)`` would; that takes three times as long.

    ``depth`` counts what holds ``value``.
    """
    return _written(value, "\n" + "  " * depth)


def _written(value: object, line: str) -> str:
    """``line`` is a line break with the indentation of what holds ``value``."""
    if isinstance(value, str):
        return encode_basestring(value)
    inner = line + "  "
    if isinstance(value, dict) and value:
        members = [f"{encode_basestring(name)}: {_written(member, inner)}" for name, member in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}"
    if isinstance(value, list) and value:
        return f"[{inner}{f',{inner}'.join([_written(member, inner) for member in value])}{line}]"
    return json.dumps(value, ensure_ascii=False)


def without_none(fields: Mapping[str, object]) -> JsonObject:
    """Return the fields that have a value: JSON Feed leaves out what is not known."""
    return {name: value for name, value in fields.items() if value is not None}


_LINE_END = re.compile("\r\n?")
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_PLACE = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_HOST = re.compile(r"[a-z0-9_][a-z0-9._-]*|\[[0-9a-f:.]+\]")
_LANGUAGE = re.compile(
    r"(?P<language>[a-z]{2,3})(?P<extlang>-[a-z]{3})?(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE | re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
# Addresses that are valid as they are: most of them.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9][a-z0-9._-]*/[A-Za-z0-9_.~/:@!$&'()*+,;=-]*(?:\?[A-Za-z0-9_.~/:@!$&'()*+,;=-]+)?"
)
_MAX_URL = 4096
_MAX_PORT = 65535


def safe_text(text: str | None) -> str:
    """Return ``text`` without characters that XML forbids (one is enough to lose a whole feed), lines ended by LF."""
    if not text:
        return ""
    return clean_text(_LINE_END.sub("\n", text) if "\r" in text else text)


def safe_line(text: str | None) -> str:
    """Return ``text`` as one line for titles and names."""
    return plain(text) if text else ""


def safe_url(url: str | None) -> str | None:
    """Return ``url`` as a valid URI (RFC 3986), or None if it is not an http(s) address of a host.

    Characters that no URI may hold are percent-encoded, an international host name becomes its ASCII form, and a
    user name with password is removed: what logs in to the source is not for the readers of the output.
    """
    if url and len(url) <= _MAX_URL and _PLAIN_URL.fullmatch(url):
        return url
    # Browsers join an address that was broken over lines; so do we.
    text = safe_text(url).replace("\n", "").replace("\t", "").strip()
    if not text or len(text) > _MAX_URL:
        return None
    try:
        parts = urlsplit(text)
        place = _ascii_place(parts.netloc)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or place is None:
        return None
    query = f"?{_encoded(parts.query)}" if parts.query else ""
    fragment = f"#{_encoded(parts.fragment)}" if parts.fragment else ""
    return f"{parts.scheme}://{place}{_encoded(parts.path)}{query}{fragment}"


@lru_cache(maxsize=256)
def language_tag(tag: str | None) -> str | None:
    """Return a BCP 47 tag in its usual case (``zh_cn`` gives ``zh-CN``), or None if it does not have that shape."""
    match = _LANGUAGE.fullmatch(safe_line(tag).replace("_", "-"))
    if not match:
        return None
    parts = [match["language"].lower() + (match["extlang"] or "").lower()]
    if match["script"]:
        parts.append(match["script"].title())
    if match["region"]:
        parts.append(match["region"].upper())
    return "-".join(parts) + match["variants"].lower()


def email_address(text: str | None) -> str | None:
    """Return an e-mail address that every validator takes, or None."""
    line = safe_line(text)
    return line if _EMAIL.fullmatch(line) else None


def media_type(text: str | None) -> str | None:
    """Return ``type/subtype`` in lower case without parameters, or None."""
    name = safe_line(text).partition(";")[0].strip().lower()
    return name if _MEDIA_TYPE.fullmatch(name) else None


def _ascii_place(netloc: str) -> str | None:
    """Return ``host:port`` in ASCII; raises UnicodeError (a ValueError) for a name that has no such form."""
    match = _PLACE.fullmatch(netloc.rpartition("@")[2])
    if not match or int(match["port"] or 0) > _MAX_PORT:
        return None
    name = match["host"].lower()
    if not name.isascii():
        name = name.encode("idna").decode("ascii").lower()
    if not _HOST.fullmatch(name):
        return None
    return f"{name}:{int(match['port'])}" if match["port"] else name


def _encoded(part: str) -> str:
    return quote(_BARE_PERCENT.sub("%25", part), safe="/%:@!$&'()*+,;=~?-._")
