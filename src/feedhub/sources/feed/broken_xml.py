"""Repairs of XML that is not well-formed, so that it can be read strictly and one broken item costs no other."""

import html.entities
import re
from typing import Final

_AMPERSAND: Final = re.compile(r"&(?:(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos);|(\w{2,31};)?)")
# What is no tag ends with the text before it; a tag has its attributes between quotes.
_TOKEN: Final = re.compile(
    r"<!--(?:(?!-->).)*+(?:-->)?|<!\[CDATA\[(?:(?!\]\]>).)*+(?:\]\]>)?|<\?(?:(?!\?>).)*+(?:\?>)?"
    r"|<(?P<close>/?)(?P<name>[A-Za-z_][\w.:-]*+)(?P<rest>(?:\s(?:\"[^\"<]*+\"|'[^'<]*+'|[^<>\"'])*+|/)?)>"
    r"|<(?![A-Za-z_/!?])",
    re.DOTALL,
)
_RECORDS: Final = frozenset({"item", "entry"})
# A document that nests deeper is not repaired: looking for the name of an end tag takes a step for every level.
_DEEPEST: Final = 200


def with_references_written_out(text: str) -> str:
    """Return ``text`` with bare ampersands escaped and HTML's named entities written out, outside CDATA."""
    first, *sections = text.split("<![CDATA[")
    pieces = [_AMPERSAND.sub(_written_out, first)]
    for section in sections:
        data, end, markup = section.partition("]]>")
        pieces.append(f"<![CDATA[{data}{end}{_AMPERSAND.sub(_written_out, markup)}")
    return "".join(pieces)


def _written_out(match: re.Match[str]) -> str:
    known, named = match.groups()
    if known:
        return match[0].replace("&#X", "&#x")
    character = html.entities.html5.get(named or "")
    return character if character and character not in "<&" else f"&amp;{named or ''}"


def balanced(text: str) -> str | None:
    """Return ``text`` with every element closed within the one around it; None where that cannot be done.

    An end tag that nothing was opened for is taken for a misspelt one of the innermost element; a record that begins
    inside of another, which has not ended, ends it.
    """
    pieces: list[str] = []
    opened: list[str] = []
    at = 0
    for token in _TOKEN.finditer(text):
        pieces.append(text[at : token.start()])
        at = token.end()
        name = token["name"]
        if name is None:
            pieces.append(token[0] if len(token[0]) > 1 else "&lt;")
        elif token["close"]:
            pieces += _closed(name, opened)
        else:
            if name.lower() in _RECORDS and (record := _open_record(opened)) is not None:
                pieces += [f"</{inner}>" for inner in reversed(opened[record:])]
                del opened[record:]
            pieces.append(token[0])
            if not token["rest"].endswith("/"):
                opened.append(name)
                if len(opened) > _DEEPEST:
                    return None
    pieces.append(text[at:])
    return "".join(pieces) if not opened else None


def _closed(name: str, opened: list[str]) -> list[str]:
    """Return the end tags for an end tag as it was written, and take what they close from ``opened``."""
    if not opened:
        return []
    if name not in opened:
        return [f"</{opened.pop()}>"]
    closing = []
    while opened:
        closing.append(inner := opened.pop())
        if inner == name:
            break
    return [f"</{inner}>" for inner in closing]


def _open_record(opened: list[str]) -> int | None:
    """Return where the record is that has not ended; None within an extension, which may hold records of its own."""
    for place in range(len(opened) - 1, -1, -1):
        if opened[place].lower() in _RECORDS:
            return place
        if ":" in opened[place]:
            return None
    return None
