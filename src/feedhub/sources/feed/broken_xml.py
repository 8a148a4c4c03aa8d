"""Repairs of XML that is not well-formed, so that it can be read strictly and one broken item costs no other."""

import html.entities
import re
from typing import Final

_AMPERSAND: Final = re.compile(
    r"&(?:(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos);|(\w{2,31};)|(#\d{2,7}|[A-Za-z]{2,8}\d?)(?![\w=;])|)"
)
_SECTION: Final = "<![CDATA["
_OPENING: Final = re.compile(r"<([A-Za-z_][\w.:-]*)[^<>]*>\s*")
_RECORD_END: Final = re.compile(r"</(?:item|entry)\s*>")
# What is no tag ends with the text before it; a tag has its attributes between quotes.
_TOKEN: Final = re.compile(
    r"<!--(?:(?!-->).)*+(?:-->)?|<!\[CDATA\[(?:(?!\]\]>).)*+(?:\]\]>)?|<\?(?:(?!\?>).)*+(?:\?>)?"
    r"|<(?P<close>/?)(?P<name>[A-Za-z_][\w.:-]*+)(?P<rest>(?:\s(?:\"[^\"<]*+\"|'[^'<]*+'|[^<>\"'])*+|/)?)>"
    r"|<(?![A-Za-z_/!?])",
    re.DOTALL,
)
_RECORDS: Final = frozenset({"item", "entry"})
# Elements that hold no others of the feed, so that one of the second kind ends one of the first that was not closed.
_LINES: Final = frozenset("title link guid pubdate category comments id updated published".split())
_NEXT: Final = _LINES | {"description", "summary", "content", "enclosure"}
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
    known, named, open_ended = match.groups()
    if known:
        return match[0].replace("&#X", "&#x")
    if open_ended and open_ended[0] == "#":
        return f"&{open_ended};"
    character = html.entities.html5.get(named or open_ended or "")
    return character if character and character not in "<&" else f"&amp;{match[0][1:]}"


def with_sections_ended(text: str) -> str:
    """Return ``text`` in which CDATA sections that nothing ends before the next one end with their element."""
    if "[" not in text or (begun := text.count(_SECTION)) == 0 or begun == text.count("]]>"):
        return text
    first, *sections = text.split(_SECTION)
    pieces = [first]
    for section in sections:
        before = pieces[-1]
        opening = _OPENING.fullmatch(before, max(before.rfind("<"), 0))
        end = section.find(f"</{opening[1]}") if opening and "]]>" not in section else -1
        record = _RECORD_END.search(section) if end < 0 and "]]>" not in section else None
        at = record.start() if record else end
        pieces.append(section if at < 0 else f"{section[:at].removesuffix(']]')}]]>{section[at:]}")
    return _SECTION.join(pieces)


def balanced(text: str) -> str | None:
    """Return ``text`` with every element closed within the one around it; None where that cannot be done.

    An end tag that nothing was opened for is taken for a misspelt one of the innermost element, unless that is closed
    next; a record that begins inside of another, which has not ended, ends it, and so does a title, link or date.
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
            continue
        if token["close"]:
            is_stray = name not in opened and opened and _is_closed_next(opened[-1], text, at)
            pieces += [] if is_stray else _closed(name, opened)
            continue
        pieces += _ended_by(name, opened)
        pieces.append(token[0])
        if not token["rest"].endswith("/"):
            opened.append(name)
            if len(opened) > _DEEPEST:
                return None
    pieces.append(text[at:])
    return "".join(pieces) if not opened else None


def _is_closed_next(name: str, text: str, at: int) -> bool:
    """Tell whether the next tag is the end tag of an element of that name."""
    while (token := _TOKEN.search(text, at)) and token["name"] is None:
        at = token.end()
    return token is not None and bool(token["close"]) and token["name"] == name


def _ended_by(name: str, opened: list[str]) -> list[str]:
    """Return the end tags of what an element that begins shows to have ended, and take them from ``opened``."""
    if name.lower() in _RECORDS and (record := _open_record(opened)) is not None:
        ended = [f"</{inner}>" for inner in reversed(opened[record:])]
        del opened[record:]
        return ended
    if name.lower() in _NEXT and opened and opened[-1].lower() in _LINES:
        return [f"</{opened.pop()}>"]
    return []


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
