"""Text that the publisher hides, such as the first line of a newsletter: taken away with the element that it is in."""

import html
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import visible_text
from feedhub.sources.pictures import TAG_REST, attributes_in

_TAG: Final = lazy_pattern(rf"<(?:!--|(/?)([a-zA-Z][\w:-]*+){TAG_REST})")
# Tags that open an element, have attributes, or begin a program.
_DESCRIBED: Final = lazy_pattern(rf"<(?:!--|()([a-zA-Z][\w:-]*+)(?!(?<!(?i:script))(?<!(?i:style))>){TAG_REST})")
_HAS_WORDS: Final = lazy_pattern(r"(?:^|>)[^<]*[^\s<]")
_PROGRAMS: Final = frozenset({"script", "style"})
_SHOWS_NOTHING: Final = frozenset(
    "area base br col embed hr img input link meta param source track wbr html body".split()
)
# What a text with something hidden in it says in its tags, and what the tag says that hides its element.
_HIDING: Final = ("hidden", "mso-hide", "katex-html", "math/")
_HIDING_STYLE: Final = lazy_pattern(
    r"display[^;\"<>]*none|visibility[^;\"<>]*collapse|overflow(?:-y)?\s*:\s*clip|font(?:-size)?\s*:\s*0"
)
_HIDES: Final = lazy_pattern(r"hidden|none|collapse|mso-hide|:\s*0|katex-html|mathjax")
_DECLARATION: Final = lazy_pattern(r"([\w-]+)\s*:\s*([^;]*)")
_ZERO: Final = lazy_pattern(r"0+(?:\.0*)?(?:px|em|rem|pt|%|vh|vw)?")
# What ends a paragraph that was not closed (HTML §13.1.2.4).
_ENDS_PARAGRAPH: Final = frozenset(
    "p address article aside blockquote center details div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hgroup hr main menu nav ol pre search section table ul".split()
)
_HOLDING_OPEN: Final = ("padding-top", "padding-bottom", "min-height", "min-width")
_NOTE: Final = lazy_pattern(r"/\*.*?\*/", re.DOTALL)
_IMPORTANT: Final = lazy_pattern(r"\s*!\s*important\s*$")
_SEEN: Final = lazy_pattern(r"<(?:img|a|video|audio|iframe|table)\b", re.IGNORECASE)
# What is shown in spite of the way of hiding: `mso-hide` also hides from Outlook alone links drawn as buttons, and
# pictures; what is in an element of letters without a size may have a size of its own.
_UNLESS: Final = {
    "outlook": _SEEN,
    "letters": lazy_pattern(rf"<[^<>]*\bfont\b|{_SEEN.pattern}", re.IGNORECASE),
}


def may_hide(tags: str) -> bool:
    """Tell whether there can be an element that is not shown among ``tags_of`` a text."""
    if any(word in tags for word in _HIDING):
        return True
    return "style" in tags and _HIDING_STYLE.search(tags) is not None


def without_hidden(markup: str) -> str:
    """Return ``markup`` without the elements that are never shown, unless nothing would be left. Linear."""
    has_formulas = "math/tex" in markup or "math/mml" in markup
    begins = {
        match.start(): _Hidden(name=name, inner=match.end(), way=way)
        for match, name in _tags_in(markup, _DESCRIBED)
        if (way := _way_of_hiding(name, match[3], has_formulas=has_formulas))
    }
    kept = _without(markup, _hidden_spans(markup, begins)) if begins else markup
    if kept == markup or _HAS_WORDS.search(kept) or not visible_text(markup).strip():
        return kept
    return kept if _SEEN.search(kept) else markup


class _Hidden(NamedTuple):
    """A tag that hides its element: where what is in it begins, and how it is hidden."""

    name: str
    inner: int
    way: str


def _tags_in(markup: str, pattern: re.Pattern[str], at: int = 0) -> Iterator[tuple[re.Match[str], str]]:
    """Yield the tags of elements that show something, outside of comments and programs, with their names."""
    while at >= 0:
        start, at = at, -1
        for match in pattern.finditer(markup, start):
            name = (match[2] or "").lower()
            if not name:
                end = markup.find("-->", match.end())
                at = len(markup) if end < 0 else end + 3
                break
            if name in _PROGRAMS:
                at = match.end() if match[1] else max(markup.find(f"</{name}", match.end()), match.end())
                break
            if name not in _SHOWS_NOTHING:
                yield match, name


def _hidden_spans(markup: str, begins: dict[int, _Hidden]) -> list[tuple[int, int]]:
    """Return where the hidden elements begin and end that are closed, in order and without those inside of others."""
    opened: dict[str, list[int]] = {hidden.name: [] for hidden in begins.values()}
    spans: list[tuple[int, int]] = []
    left = len(begins)
    for match, name in _tags_in(markup, _TAG, min(begins)):
        ended = name if match[1] or name == "option" else "p" if name in _ENDS_PARAGRAPH else ""
        if starts := opened.get(ended):
            start = starts.pop()
            if start in begins:
                _, inner, way = begins[start]
                if not (way in _UNLESS and _UNLESS[way].search(markup, inner, match.start())):
                    while spans and spans[-1][0] >= start:
                        spans.pop()
                    spans.append((start, match.end() if match[1] else match.start()))
                left -= 1
                if not left:
                    break
        if name in opened and not match[1]:
            opened[name].append(match.start())
    return spans


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
    known = written.lower()
    if not ("style" in known or "hidden" in known or "class" in known) or not _HIDES.search(known):
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
