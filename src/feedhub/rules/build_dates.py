"""The date at which a feed was made: with some servers it is all that is new in an answer, and nobody uses it."""

import re
from typing import Final

_DATE: Final = re.compile(rb"<(lastBuildDate|pubDate|updated|dc:date)>([^<>&]{1,64})</\1>")
_FIRST_RECORD: Final = re.compile(rb"<(?:item|entry)\b")
_LONGEST_HEAD: Final = 65_536
_MOST_DATES: Final = 4


def without_build_dates(body: bytes) -> bytes:
    """Return a feed of RSS or Atom with nothing in the dates that stand before its first record.

    Two bodies that are equal then say the same. A body that is not understood is returned as it is: of another format
    or in an encoding of two bytes, without records, with prefixes of its own.
    """
    first = _FIRST_RECORD.search(body, 0, _LONGEST_HEAD)
    if first is None:
        return body
    pieces: list[bytes] = []
    at = 0
    for found in _DATE.finditer(body, 0, first.start()):
        if len(pieces) == _MOST_DATES or _is_text(body, found.start()):
            break
        pieces.append(body[at : found.start(2)])
        at = found.end(2)
    return b"".join((*pieces, body[at:])) if pieces else body


def _is_text(body: bytes, place: int) -> bool:
    """Tell whether a place lies in a comment or in character data, where tags are none (XML 1.0 §2.5, §2.7)."""
    return any(
        body.rfind(opening, 0, place) > body.rfind(closing, 0, place)
        for opening, closing in ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))
    )
