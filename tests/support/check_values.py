"""Values that more than one feed format has."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
MEDIA_TYPE = re.compile(r"[^\s/;]+/[^\s/;]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://\[[0-9a-f:.]+\])?(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


def address(text: str, place: str, *, schemes: tuple[str, ...] = ("http", "https", "urn", "mailto")) -> Iterator[str]:
    """Complain about what is no valid URI (RFC 3986) with one of ``schemes``."""
    try:
        parts = urlsplit(text)
        valid = bool(_URI.fullmatch(text)) and parts.scheme in schemes
        valid = valid and (parts.scheme not in ("http", "https") or bool(parts.hostname))
    except ValueError:
        valid = False
    if not valid:
        yield f"{place}: {text!r} is no valid address"


def repeated(place: str, values: Iterable[object]) -> Iterator[str]:
    """Complain about values that occur more than once."""
    yield from (f"{place}: {value!r} more than once" for value, times in Counter(values).items() if times > 1)
