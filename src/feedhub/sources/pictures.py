"""Pictures and formulas as a reader without scripts should see them: lazy pictures get their address, trackers go."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Final

from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import visible_text

Attributes = dict[str, str]

_REST: Final = r"""(?:[^<>=]++|=(?:\s*+"[^"]*+"|\s*+'[^']*+')?+)*+"""
TAG_REST: Final = f"({_REST})>"
"""What follows the name of a tag in a regular expression: its attributes as group, and its end."""

_TAG = lazy_pattern(f"<{_REST}>?")
_IMG = lazy_pattern(rf"<img\b{TAG_REST}", re.IGNORECASE)
_ATTRIBUTE = lazy_pattern(r"""([^\s"'=<>/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_NOSCRIPT = lazy_pattern(r"<noscript[^>]*>((?:(?!<noscript|</noscript)[\s\S])*+)</noscript\s*>", re.IGNORECASE)
_AROUND = lazy_pattern(
    rf"<(/?)(picture|figure|source|img|(?:div|span|a)(?=[^<>]*\s(?:data-(?:lazy-)?src|href)))\b{TAG_REST}",
    re.IGNORECASE,
)
_ANY_TAG = lazy_pattern(r"<[^>]*>")
# Only tags that end and white space stand between a lazy picture and its twin.
_NOTHING_BETWEEN = lazy_pattern(
    r"(?:\s|</(?:a|span|div|picture|figure|p)\s*>|<(?:br|span|div)\b[^<>]*>)*", re.IGNORECASE
)

_LAZY: Final = (
    *("data-src", "data-lazy-src", "data-original", "data-original-src", "data-lazy", "data-lazyload"),
    *("data-actualsrc", "data-echo", "data-hi-res-src", "data-full-src", "data-img-src", "data-litespeed-src"),
    *("data-cfsrc", "data-ezsrc"),
    *("data-pagespeed-lazy-src", "data-delayed-url", "data-flickity-lazyload", "data-runner-src", "data-image-src"),
)
_ANY_LAZY: Final = frozenset(_LAZY)
_LISTS: Final = (
    *("srcset", "data-srcset", "data-lazy-srcset", "data-original-set", "data-lazy-src-set", "data-sources"),
)
_ANY_LIST: Final = frozenset(_LISTS)
# Often the page of the article, for buttons to share it.
_PERHAPS: Final = ("data-url", "data-image", "data-href")
_WORDS: Final = frozenset({"alt", "title", "class", "id", "style", "aria-label", "data-caption", "data-image-title"})
_KEPT = ("alt", "title", "width", "height")
_NO_FILE = ("data:", "about:", "javascript:", "#", "//:")
# It begins with the slash before the name, because one letter is found faster than a choice of two.
_PLACEHOLDER = lazy_pattern(
    r"/(?:(?:blank|spacer|pixel|placeholder|loading|grey|transparent|1x1|lazy)[\w.-]*\.(?:gif|png|svg|jpe?g|webp)"
    r"|(?:trans|clear|empty|dummy|1px|px|gray|white|preload|preloader|loader|spinner|ajax-loader|no-?image)\.(?:gif|png|svg|webp)"
    r"|[a-z]\.gif$)",
    re.IGNORECASE,
)
# A picture of at most 99 pixels, or one that is blurred, which a script replaces.
_PREVIEW = lazy_pattern(
    r"[-_/]\d{1,2}x\d{1,2}(?=[./_-]|$)|[?&;](?:w|h|width|height|wid|hei|q|quality|size|s)=\d{1,2}(?:&|$|#)"
    r"|[?&,/_-]blur(?:red|ry)?\b|e_blur|[/,]w_\d{1,2}[,/]|/max/\d{1,2}/|/\d{1,2}/\d{1,2}/|lqip|/resize/\d{1,2}\b"
    r"|[?&](?:resize|fit)=\d{1,2}\b(?:,|%2C|&|$)",
    re.IGNORECASE,
)
_NO_ADDRESS = lazy_pattern(r"""[\s<>{}"\[\]]|^(?:javascript|data|about|blob|vbscript):|^#""", re.IGNORECASE)
_PICTURE_FILE = lazy_pattern(r"\.(?:jpe?g|png|gif|webp|avif|bmp)\b", re.IGNORECASE)
_IS_PICTURE = lazy_pattern(
    r"\.(?:jpe?g|png|gif|webp|avif|bmp)\b|/(?:images?|img|photos?|uploads?|media)/", re.IGNORECASE
)
_TRACKING_PIXEL = lazy_pattern(r"\s*[01](?:px)?\s*")
_STYLED_SIZE = lazy_pattern(r"(?<![\w-])(?:min-)?(?:width|height)\s*:\s*([^;]*)", re.IGNORECASE)
_NO_SIZE = lazy_pattern(r"[01](?:\.0*)?(?:px|%|em|pt)?\s*(?:!important)?\s*", re.IGNORECASE)
_LEAST_WIDTH = 100
_FAR = 2_000


def tags_of(markup: str) -> str:
    """Return the tags of a text, in lower case: what does not stand in them, no tag or attribute says."""
    return "".join(_TAG.findall(markup)).lower()


def attributes_in(written: str) -> Attributes:
    """Return the attributes of a tag by their names in lower case, the first of each name."""
    attributes: Attributes = {}
    for name, value in _ATTRIBUTE.findall(written):
        text = value[1:-1] if value[:1] in "\"'" else value
        attributes.setdefault(name.lower(), html.unescape(text) if "&" in text else text)
    return attributes


def tag_of(name: str, attributes: Mapping[str, str]) -> str:
    """Return a tag as markup."""
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>"


def is_address(value: str) -> bool:
    """Tell whether the value of an attribute can be an address, and not a flag such as ``true`` or ``1``."""
    return ("/" in value or "." in value) and not _NO_ADDRESS.search(value) and not value.replace(".", "").isdigit()


def lazy_address(attributes: Mapping[str, str]) -> str:
    """Return the address that a script would put into ``src``; "" for none."""
    for name in () if _ANY_LAZY.isdisjoint(attributes) else _LAZY:
        value = attributes.get(name, "").strip()
        if value and is_address(value):
            return value
        if value and " " in value and (listed := best_candidate(value)):
            return listed
    return ""


def candidates_of(srcset: str) -> Iterator[tuple[str, str]]:
    """Return (address, descriptor) of the candidates in a ``srcset``, as HTML §4.8.4.2.2 says.

    An address ends at white space, so that it may hold commas.
    """
    at, end, last_bracket = 0, len(srcset), srcset.rfind(")")
    while at < end:
        while at < end and (srcset[at].isspace() or srcset[at] == ","):
            at += 1
        start = at
        while at < end and not srcset[at].isspace():
            at += 1
        address = srcset[start:at]
        if address.endswith(","):
            yield address.rstrip(","), ""
            continue
        start = at
        while at < end and srcset[at] != ",":
            at = srcset.find(")", at) if srcset[at] == "(" and at < last_bracket else at + 1
        if address:
            yield address, srcset[start:at].strip()


def best_candidate(srcset: str) -> str:
    """Return the first candidate of a ``srcset`` that is no placeholder or thumbnail, else the last; "" for none."""
    found = ""
    for address, descriptor in candidates_of(srcset[:20_000]):
        if not is_address(address) or _is_placeholder(address):
            continue
        found = address
        width = re.fullmatch(r"(\d{1,5})w\b.*", descriptor)
        if not (width and int(width[1]) < _LEAST_WIDTH):
            break
    return found


def real_source(attributes: Mapping[str, str]) -> str:
    """Return the address of the picture that is meant; "" for none."""
    given = attributes.get("src", "").strip()
    lazy = lazy_address(attributes)
    if given and not _is_placeholder(given):
        is_preview = _PREVIEW.search(given)
        if not is_preview and not (lazy and _is_lazy_class(attributes)):
            return attributes["src"]
        found = lazy or (_listed(attributes) if is_preview else "")
        return found if found and not _PREVIEW.search(found) else attributes["src"]
    if lazy and not _is_placeholder(lazy):
        return lazy
    return _listed(attributes) or _in_any_attribute(attributes) or attributes.get("src", "")


def _listed(attributes: Mapping[str, str]) -> str:
    if _ANY_LIST.isdisjoint(attributes):
        return ""
    lists = (best_candidate(attributes.get(name, "")) for name in _LISTS)
    return next(filter(None, lists), "")


def _in_any_attribute(attributes: Mapping[str, str]) -> str:
    """Return the address of a picture from an attribute that a script of the site knows; "" for none."""
    for name in _PERHAPS:
        value = attributes.get(name, "").strip()
        if is_address(value) and _IS_PICTURE.search(value):
            return value
    found = ""
    for name, written in attributes.items():
        value = best_candidate(written) if " " in written.strip() else written.strip()
        if name in _WORDS or not _PICTURE_FILE.search(value) or not is_address(value) or _is_placeholder(value):
            continue
        if not _PREVIEW.search(value):
            return value
        found = found or value
    return found


def is_unfinished(attributes: Mapping[str, str]) -> bool:
    """Tell whether a picture shows a placeholder or a preview even after it was repaired."""
    source = real_source(attributes).strip()
    return not source or _is_placeholder(source) or bool(_PREVIEW.search(source))


def _is_placeholder(address: str) -> bool:
    return address[:11].lower().startswith(_NO_FILE) or _PLACEHOLDER.search(f"/{address}") is not None


def is_tracker(attributes: Mapping[str, str]) -> bool:
    """Tell whether a picture or frame is of no or one pixel, and nothing says that it gets a size later."""
    sizes = [value.strip() for value in _STYLED_SIZE.findall(attributes["style"])] if "style" in attributes else []
    if len(sizes) > 1 and all(_NO_SIZE.fullmatch(value) for value in sizes):
        return True
    given = [attributes[name] for name in ("width", "height") if name in attributes]
    if not given or not all(map(_TRACKING_PIXEL.fullmatch, given)):
        return False
    if any(not _NO_SIZE.fullmatch(value) and value not in ("", "auto") for value in sizes):
        return False
    has_list = any(attributes.get(name) for name in _LISTS)
    return not (lazy_address(attributes) or has_list or attributes.get("data-nimg"))


def _is_lazy_class(attributes: Mapping[str, str]) -> bool:
    return "lazy" in attributes.get("class", "").lower()


def repaired_pictures(markup: str, tags: str) -> str:
    """Return ``markup`` with the real address of lazy pictures in ``src``, and without trackers.

    The content of ``noscript`` is kept, unless it repeats a lazy picture. ``tags`` are ``tags_of`` the text.
    """
    if "<noscript" in tags:
        markup = _without_twins(markup)
    if "<img" not in tags and "<picture" not in tags and "<figure" not in tags:
        return markup
    if "<picture" in tags or "<figure" in tags or "data:image" in tags:
        markup = _with_outer_sources(markup)
    return _IMG.sub(_repaired, markup)


def _repaired(match: re.Match[str]) -> str:
    attributes = attributes_in(match[1])
    if is_tracker(attributes):
        return ""
    source = real_source(attributes)
    sizes = [attributes[name] for name in ("width", "height") if name in attributes]
    has_no_size = any(map(_TRACKING_PIXEL.fullmatch, sizes))
    if source == attributes.get("src") and not has_no_size:
        return match[0]
    kept = {name: attributes[name] for name in _KEPT if name in attributes}
    kept = {
        name: value
        for name, value in kept.items()
        if name not in ("width", "height") or not _TRACKING_PIXEL.fullmatch(value)
    }
    return tag_of("img", {**kept, "src": source}) if source else ""


def _with_outer_sources(markup: str) -> str:
    """Return ``markup`` with the sources of an element around a picture on it, if it lacks its own."""
    pieces: list[str] = []
    at = 0
    outer, since = "", 0
    has_picture = False
    for match in _AROUND.finditer(markup):
        closing, name = match[1], match[2].lower()
        attributes = attributes_in(match[3])
        if closing:
            if name in ("picture", "figure") and outer and not has_picture:
                pieces += (markup[at : match.start()], tag_of("img", {"src": outer}))
                at = match.start()
            outer = outer if name == "source" else ""
        elif name == "source":
            outer = outer or _listed(attributes) or lazy_address(attributes)
        elif name == "img":
            has_picture = True
            if outer and is_unfinished(attributes) and _has_only_tags(markup[since : match.start()]):
                pieces += (markup[at : match.start()], tag_of("img", _given_source(attributes, outer)))
                at = match.end()
            outer = ""
        elif name in ("picture", "figure"):
            has_picture = False
            own = lazy_address(attributes) or _listed(attributes)
            outer, since = own or ("" if name == "picture" else outer), len(markup)
        elif own := lazy_address(attributes) or _listed(attributes) or _linked_picture(attributes):
            outer, since, has_picture = own, match.end(), True
    return "".join(pieces) + markup[at:]


def _has_only_tags(between: str) -> bool:
    return len(between) < _FAR and not _ANY_TAG.sub("", between).strip()


def _linked_picture(attributes: Attributes) -> str:
    address = attributes.get("href", "")
    return address if _PICTURE_FILE.search(address) else ""


def _given_source(attributes: Attributes, source: str) -> Attributes:
    return {**{name: attributes[name] for name in _KEPT if name in attributes}, "src": source}


def _without_twins(markup: str) -> str:
    """Return ``markup`` with the content of ``noscript`` in its place, and each picture in it once.

    A lazy picture and its twin in ``noscript`` are one picture: the one whose address is known stays.
    """
    pictures = [(match.start(), match.end(), attributes_in(match[1])) for match in _IMG.finditer(markup)]
    blocks = [(match.start(), match.end(), match[1]) for match in _NOSCRIPT.finditer(markup)]
    inside = _positions_inside([start for start, _, _ in pictures], blocks)
    shown = {real_source(picture) for at, (_, _, picture) in enumerate(pictures) if at not in inside}
    edits: list[tuple[int, int, str]] = []
    before = 0
    for start, end, content in blocks:
        while before + 1 < len(pictures) and pictures[before + 1][0] < start:
            before += 1
        last = pictures[before] if pictures and pictures[before][0] < start and before not in inside else None
        is_next_to = last is not None and _NOTHING_BETWEEN.fullmatch(markup, last[1], min(start, last[1] + 500))
        twin = last[2] if last is not None and is_next_to and start - last[1] < 500 else None
        kept, replaces = _noscript_content(content, twin, shown)
        if replaces and last is not None:
            edits.append((last[0], last[1], ""))
        edits.append((start, end, kept))
    pieces: list[str] = []
    at = 0
    for start, end, text in edits:
        pieces += (markup[at:start], text)
        at = end
    return "".join(pieces) + markup[at:]


def _positions_inside(starts: list[int], blocks: list[tuple[int, int, str]]) -> set[int]:
    found: set[int] = set()
    block = 0
    for at, start in enumerate(starts):
        while block < len(blocks) and blocks[block][1] <= start:
            block += 1
        if block < len(blocks) and blocks[block][0] < start:
            found.add(at)
    return found


def _noscript_content(content: str, twin: Attributes | None, shown: set[str]) -> tuple[str, bool]:
    """Return what is shown of a ``noscript``, and whether it takes the place of the picture before it."""
    inner = [attributes_in(match[1]) for match in _IMG.finditer(content)]
    if not inner:
        return content, False
    is_only_picture = len(inner) == 1 and not _ANY_TAG.sub("", content).strip()
    if twin is not None and is_only_picture and not is_tracker(inner[0]):
        if is_unfinished(twin) and not is_unfinished(inner[0]):
            return content, True
        if lazy_address(twin) or real_source(twin) != twin.get("src"):
            return "", False

    def once(match: re.Match[str]) -> str:
        return "" if real_source(attributes_in(match[1])) in shown else match[0]

    return _IMG.sub(once, content), False


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
