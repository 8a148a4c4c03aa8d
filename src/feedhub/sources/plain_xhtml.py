"""XHTML inside an Atom element, written out as feedparser writes it: tags in lower case, none of them empty."""

from collections.abc import Iterator
from typing import Any, Final
from xml.sax.saxutils import escape

from feedhub.sources.bounds import MOST_ATTRIBUTES_PLAIN, MOST_PREFIXES_TOLD

XHTML: Final = "{http://www.w3.org/1999/xhtml}"
_LEFT_ALONE: Final = frozenset({"svg", "math"})
_LOWERED: Final = frozenset({"rel", "type"})
_QUOTE: Final = {'"': "&quot;"}


def is_plain_xhtml(node: Any) -> bool:
    """Tell whether an element holds plain XHTML and nothing else, which ``inner_xhtml`` can write."""
    outer = node.nsmap
    prefixes, most = outer.keys() - {None}, MOST_PREFIXES_TOLD // max(len(outer), 1)
    return all(
        number < most
        and part.tag.startswith(XHTML)
        and part.tag.removeprefix(XHTML).lower() not in _LEFT_ALONE
        and len(part.attrib) <= MOST_ATTRIBUTES_PLAIN
        and part.nsmap.keys() - {None} == prefixes
        and not any(":" in name or name.startswith("{") or name.lower() == "base" for name in part.keys())  # noqa: SIM118
        for number, part in enumerate(node.iterdescendants())
    )


def inner_xhtml(node: Any) -> str:
    """Return what is inside, without the ``div`` around it (RFC 4287 §3.1.1.3)."""
    pieces = [piece for piece in _pieces(node) if piece]
    while len(pieces) > 1 and not pieces[-1].strip():
        del pieces[-1]
    while len(pieces) > 1 and not pieces[0].strip():
        del pieces[0]
    only = [part for part in node if part.tag.lower() == f"{XHTML}div"]
    if len(node) == len(only) == 1 and pieces[0].startswith("<div") and pieces[-1] == "</div>":
        pieces = pieces[1:-1]
    return "".join(pieces).strip()


def _pieces(node: Any) -> Iterator[str]:
    yield escape(node.text or "")
    for part in node:
        tag = part.tag.removeprefix(XHTML).lower()
        attributes = "".join(f' {name.lower()}="{_value(name.lower(), text)}"' for name, text in part.items())
        yield f"<{tag}{attributes}>"
        yield from _pieces(part)
        yield f"</{tag}>"
        yield escape(part.tail or "")


def _value(name: str, text: str) -> str:
    return escape(text.lower() if name in _LOWERED else text, _QUOTE)
