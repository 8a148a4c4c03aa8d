"""Tells markup with tags so full of attributes that parsers of HTML, which compare each with all others, take long.

Counted is what any parser could see there, whatever it takes for a comment, a script or the end of a quotation: every
``<`` with a letter behind it may begin a tag, and is followed as the HTML standard says (§13.2.5.32 to 40).
"""

import re
from typing import Final

# 20,000 attributes in one tag take lxml 2.5 s. Ten tags of 5,000 cost the same as two and a half of 10,000.
_COSTLIEST: Final = 200_000_000
_VALUE: Final = r"""(?:"(?:[^"<>=]|=(?!\s*["']))*+"|'(?:[^'<>=]|=(?!\s*["']))*+'|[^\s"'<>=]++)"""
_ATTRIBUTE: Final = rf"(?:[\s/]++(?:[^\s/\"'<>=]++(?:\s*+=\s*+{_VALUE})?+)?+)"
# Tags as they are written, of few attributes. What is between them begins no other.
_ORDINARY: Final = re.compile(rf"(?:[^<]++|<(?![a-zA-Z])|<[a-zA-Z][^\s/\"'<>=]*+{_ATTRIBUTE}{{0,40}}+>)*+")
_OPENING: Final = re.compile(r"<[a-zA-Z]")
_TOKEN: Final = re.compile(r"""<(?=[a-zA-Z])|\s+|[/>="']|[^\s/>="'<]+|<""")

_TAG, _BEFORE, _NAME, _AFTER, _VALUE_NEXT, _UNQUOTED, _DOUBLE, _SINGLE, _GONE = range(9)
_SPACE, _SLASH, _END, _EQUALS, _QUOTE, _APOSTROPHE, _OTHER = range(7)
_KINDS: Final = {"/": _SLASH, ">": _END, "=": _EQUALS, '"': _QUOTE, "'": _APOSTROPHE}
# Where each kind of token leads, in the order of the kinds. A name that begins is one attribute more.
_LEADS: Final = {
    _TAG: (_BEFORE, _BEFORE, _GONE, _TAG, _TAG, _TAG, _TAG),
    _BEFORE: (_BEFORE, _BEFORE, _GONE, _NAME, _NAME, _NAME, _NAME),
    _NAME: (_AFTER, _BEFORE, _GONE, _VALUE_NEXT, _NAME, _NAME, _NAME),
    _AFTER: (_AFTER, _BEFORE, _GONE, _VALUE_NEXT, _NAME, _NAME, _NAME),
    _VALUE_NEXT: (_VALUE_NEXT, _UNQUOTED, _GONE, _UNQUOTED, _DOUBLE, _SINGLE, _UNQUOTED),
    _UNQUOTED: (_BEFORE, _UNQUOTED, _GONE, _UNQUOTED, _UNQUOTED, _UNQUOTED, _UNQUOTED),
    _DOUBLE: (_DOUBLE, _DOUBLE, _DOUBLE, _DOUBLE, _BEFORE, _DOUBLE, _DOUBLE),
    _SINGLE: (_SINGLE, _SINGLE, _SINGLE, _SINGLE, _SINGLE, _BEFORE, _SINGLE),
}
_BEGINS: Final = frozenset({_BEFORE, _AFTER})


def is_crowded(markup: str) -> bool:
    """Tell markup that takes seconds to parse for the attributes of its tags. Linear in its length."""
    at = _end_of_ordinary(markup, 0)
    cost = 0
    while found := _OPENING.search(markup, at):
        at, dearest = _dearest_from(markup, found.start())
        cost += dearest
        if cost > _COSTLIEST:
            return True
        at = _end_of_ordinary(markup, at)
    return False


def _end_of_ordinary(markup: str, at: int) -> int:
    match = _ORDINARY.match(markup, at)
    return match.end() if match else at


def _dearest_from(markup: str, at: int) -> tuple[int, int]:
    """Return where no tag that begins at or after ``at`` can still be open, and what the tags up to there may cost."""
    counts: dict[int, int] = {}
    cost = 0
    for token in _TOKEN.finditer(markup, at):
        text = token[0]
        kind = _KINDS.get(text, _SPACE if text.isspace() else _OTHER)
        moved: dict[int, int] = {}
        for state, count in counts.items():
            to = _LEADS[state][kind]
            met = count + (to == _NAME and state in _BEGINS)
            if to == _GONE:
                cost += met * met
            elif met > moved.get(to, -1):
                moved[to] = met
        if text == "<" and markup[token.end() : token.end() + 1].isalpha():
            moved.setdefault(_TAG, 0)
        counts = moved
        if not counts:
            return token.end(), cost
        if cost > _COSTLIEST:
            break
    return len(markup), cost + sum(count * count for count in counts.values())
