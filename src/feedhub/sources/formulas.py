"""Formulas as text that every reader shows: the TeX that a page holds of them, else their letters."""

import html
import re
from collections.abc import Iterator
from typing import Final

from feedhub.rules.text import visible_text

_TEX: Final = re.compile(
    r"<annotation\b[^<>]*\bencoding\s*=\s*[\"']?(?:application/x-tex|tex|latex|text/latex)\b[^<>]*>([^<]*)",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"<(/?)(?:[\w-]+:)?([a-zA-Z]+)[^<>]*>|([^<]+)|<")
_LONGEST: Final = 20_000
_DEEPEST: Final = 100
# Which child of an element is written low, and which high.
_LOW: Final = {("msub", 1), ("msubsup", 1), ("munder", 1), ("munderover", 1)}
_HIGH: Final = {("msup", 1), ("mover", 1), ("msubsup", 2), ("munderover", 2)}
_PARTED: Final = {"mtr": "; ", "mlabeledtr": "; ", "mtd": " "}


def formula_markup(alternative: str, inner: str) -> str:
    """Return a formula of MathML as simple markup: its alternative text, its TeX, else its letters and indices."""
    if alternative.strip():
        return html.escape(alternative.strip(), quote=False)
    if found := _TEX.search(inner):
        return html.escape(html.unescape(found[1]).strip(), quote=False)
    if len(inner) > _LONGEST:
        return html.escape(" ".join(visible_text(inner).split()), quote=False)
    return "".join(_letters(inner))


def tex_markup(kind: str, mode: str, source: str) -> str:
    """Return the formula of a ``script`` of MathJax: ``math/tex`` between its marks, others as they are."""
    text = html.escape(source.strip(), quote=False)
    if kind.lower() != "tex":
        return text
    return f"\\[{text}\\]" if "display" in mode.lower() else f"\\({text}\\)"


def _letters(inner: str) -> Iterator[str]:
    """Yield the letters of MathML in reading order, with ``sub`` and ``sup``; what is misnested stays text."""
    stack: list[tuple[str, str]] = []
    counts = [0]
    skipped = 0
    for closing, written, text in _TOKEN.findall(inner):
        name = written.lower()
        if skipped:
            skipped += (-1 if closing else 1) * name.startswith("annotation")
        elif text:
            yield " ".join(text.split())
        elif not name:
            yield "&lt;"
        elif closing:
            if len(stack) > 0 and stack[-1][0] == name:
                yield stack.pop()[1]
                counts.pop()
        elif name.startswith("annotation"):
            skipped = 1
        elif name in ("mspace", "none", "mprescripts"):
            counts[-1] += 1
            yield " " * (name == "mspace")
        elif len(stack) < _DEEPEST:
            before, after = _around(stack[-1][0] if stack else "", counts[-1], name)
            counts[-1] += 1
            stack.append((name, after))
            counts.append(0)
            yield before
    yield from (after for _, after in reversed(stack))


def _around(parent: str, place: int, name: str) -> tuple[str, str]:
    """Return what stands before and after a child of a formula's element."""
    if (parent, place) in _LOW:
        return "<sub>", "</sub>"
    if (parent, place) in _HIGH:
        return "<sup>", "</sup>"
    if parent == "mfrac":
        before, after = ("(", ")") if name == "mrow" else ("", "")
        return ("/" if place else "") + before, after
    if name == "msqrt":
        return "√(", ")"
    if name == "mtext":
        return " ", " "
    return (_PARTED[name], "") if place and name in _PARTED else ("", "")
