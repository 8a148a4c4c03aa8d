"""Text that the publisher hides, such as the first line of a newsletter: taken away with the element that it is in."""

import html
import re
from typing import Final

from feedhub.rules.text import visible_text
from feedhub.sources.pictures import TAG_REST, attributes_in

_TAG: Final = re.compile(rf"<!--|<(/?)([a-zA-Z][\w:-]*){TAG_REST}")
_PERHAPS: Final = re.compile(
    rf"<([a-zA-Z][\w:-]*)(?=[^<>]*(?:hidden|none|collapse|mso-hide|: *0|katex-html|MathJax)){TAG_REST}", re.IGNORECASE
)
_HAS_WORDS: Final = re.compile(r"(?:^|>)[^<]*[^\s<]")
_SHOWS_NOTHING: Final = frozenset(
    "area base br col embed hr img input link meta param source track wbr html body script style".split()
)
_HIDING: Final = (
    *("hidden", "display", "collapse", "mso-hide", "max-height", "max-width"),
    *("height:0", "height: 0", "width:0", "width: 0", "font:0", "font-size:0", "font-size: 0", "katex-html", "math/"),
)
_DECLARATION: Final = re.compile(r"([\w-]+)\s*:\s*([^;]*)")
_ZERO: Final = re.compile(r"0+(?:\.0*)?(?:px|em|rem|pt|%|vh|vw)?")
# What ends a paragraph that was not closed (HTML §13.1.2.4).
_ENDS_PARAGRAPH: Final = frozenset(
    "p address article aside blockquote center details div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hgroup hr main menu nav ol pre search section table ul".split()
)
_HOLDING_OPEN: Final = ("padding-top", "padding-bottom", "min-height", "min-width")
_NOTE: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_IMPORTANT: Final = re.compile(r"\s*!\s*important\s*$")
_SEEN: Final = re.compile(r"<(?:img|a|video|audio|iframe|table)\b", re.IGNORECASE)
# What is shown in spite of the way of hiding: `mso-hide` also hides from Outlook alone links drawn as buttons, and
# pictures; what is in an element of letters without a size may have a size of its own.
_UNLESS: Final = {
    "outlook": _SEEN,
    "letters": re.compile(rf"<[^<>]*\bfont\b|{_SEEN.pattern}", re.IGNORECASE),
}


def may_hide(known: str) -> bool:
    """Tell whether markup, in lower case, can have an element that is not shown."""
    can_hide = "hidden" in known or "style" in known or "katex" in known or "math/" in known
    return can_hide and any(word in known for word in _HIDING)


def without_hidden(markup: str) -> str:
    """Return ``markup`` without the elements that are never shown, unless nothing would be left. Linear."""
    has_formulas = "math/tex" in markup or "math/mml" in markup
    if not any(_way_of_hiding(tag[1].lower(), tag[2], has_formulas=has_formulas) for tag in _PERHAPS.finditer(markup)):
        return markup
    kept = _kept(markup, has_formulas=has_formulas)
    if kept == markup or _HAS_WORDS.search(kept) or not visible_text(markup).strip():
        return kept
    return kept if _SEEN.search(kept) else markup


def _kept(markup: str, *, has_formulas: bool) -> str:
    opened: dict[str, list[int]] = {}
    begins: dict[int, tuple[int, str]] = {}
    hidden: list[tuple[int, int]] = []
    at = 0
    while match := _TAG.search(markup, at):
        at = match.end()
        name = (match[2] or "").lower()
        if not name:
            end = markup.find("-->", at)
            at = len(markup) if end < 0 else end + 3
            continue
        if name in _SHOWS_NOTHING:
            if name in ("script", "style") and not match[1]:
                at = _end_of_program(markup, name, at)
            continue
        ended = name if match[1] or name == "option" else "p" if name in _ENDS_PARAGRAPH else ""
        if starts := opened.get(ended):
            start = starts.pop()
            inner, way = begins.get(start, (0, ""))
            if way and not (way in _UNLESS and _UNLESS[way].search(markup, inner, match.start())):
                _note(hidden, start, match.end() if match[1] else match.start())
        if not match[1]:
            opened.setdefault(name, []).append(match.start())
            if way := _way_of_hiding(name, match[3], has_formulas=has_formulas):
                begins[match.start()] = match.end(), way
    return _without(markup, hidden)


def _end_of_program(markup: str, name: str, at: int) -> int:
    end = markup.find(f"</{name}", at)
    return at if end < 0 else end


def _note(hidden: list[tuple[int, int]], start: int, end: int) -> None:
    while hidden and hidden[-1][0] >= start:
        hidden.pop()
    hidden.append((start, end))


def _without(markup: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        if start >= at:
            pieces.append(markup[at:start])
            at = end
    return "".join(pieces) + markup[at:]


def _way_of_hiding(name: str, written: str, *, has_formulas: bool) -> str:
    """Return how an element is hidden: by ``all``, by ``outlook`` alone, its ``letters`` alone, or not at all ("")."""
    if not written or not ("hidden" in written.lower() or "style" in written.lower() or "class" in written.lower()):
        return ""
    attributes = attributes_in(written)
    if "hidden" in attributes and attributes["hidden"].strip().lower() != "until-found":
        return "all"
    classes = attributes.get("class", "").split()
    # What KaTeX and MathJax draw repeats the formula that is read.
    if "katex-html" in classes or (has_formulas and any(word.startswith("MathJax") for word in classes)):
        return "all"
    style = {
        key.lower(): _IMPORTANT.sub("", value.lower()).strip()
        for key, value in _DECLARATION.findall(_NOTE.sub("", html.unescape(attributes.get("style", ""))))
    }
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return "all"
    if _has_no_size(style):
        return "all"
    font = re.split(r"[\s/]", style.get("font", ""), maxsplit=1)[0]
    if _ZERO.fullmatch(style.get("font-size", font)):
        return "letters"
    return "outlook" if style.get("mso-hide") == "all" and name != "a" else ""


def _has_no_size(style: dict[str, str]) -> bool:
    """Tell whether an element is nothing high or wide and cut at its edges, or has letters of no size or colour.

    Boxes that keep the shape of a player get their height from a padding.
    """
    is_cut = style.get("overflow", style.get("overflow-y", "")) in ("hidden", "clip")
    heights = [*style.get("padding", "").split()[::2], *(style[key] for key in _HOLDING_OPEN if key in style)]
    is_held_open = any(not _ZERO.fullmatch(height) for height in heights)
    nothing = [key for key in ("height", "max-height", "width", "max-width") if _ZERO.fullmatch(style.get(key, ""))]
    if nothing and is_cut and not is_held_open:
        return True
    no_letters = _ZERO.fullmatch(style.get("font-size", "")) is not None
    no_lines = _ZERO.fullmatch(style.get("line-height", "")) is not None
    no_ink = _ZERO.fullmatch(style.get("opacity", "")) is not None
    return no_letters and (no_lines or no_ink or bool(nothing)) and not is_held_open
