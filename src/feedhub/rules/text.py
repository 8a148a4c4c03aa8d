"""Text: which characters are let in, what a reader sees of markup, when texts are the same, what a search finds."""

import hashlib
import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from operator import add
from typing import TYPE_CHECKING, Final

from feedhub.rules.lazy_patterns import lazy_pattern

if TYPE_CHECKING:
    from feedhub.model.item import Item, Terms

# XML 1.0 §2.2 Char, negated.
_NOT_XML = lazy_pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Also what XML 1.0 allows but discourages (C1 controls, noncharacters): validators complain about it.
_UNWANTED = lazy_pattern(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
# Printable or not, these stay.
_HARMLESS = "\t\n\r\xa0\u3000"
DIRECTIONS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Direction overrides and marks (UAX #9), for a class of a regular expression: they rearrange the text around them."""
_BIDI = lazy_pattern(f"[{DIRECTIONS}]")
_INVISIBLE = lazy_pattern("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

_TAG = lazy_pattern(r"""<(/?[a-zA-Z][^\s/>]*+)(?:[^>=]++|=(?:\s*+"[^"]*+"|\s*+'[^']*+')?+)*+>""")
# One that ends before another begins: many of others that never end would take the square of their number.
_TIDY_TAG = lazy_pattern(r"""<(/?[a-zA-Z][^\s<>/]*+)(?:[^<>=]++|=(?:\s*+"[^"]*+"|\s*+'[^']*+')?+)*+>""")
_CDATA_MARK = lazy_pattern(r"<!\[CDATA\[|\]\]>|\]\]\s*+$")
_HIDDEN = frozenset(
    {"script", "style", "template", "iframe", "noembed", "noframes", "svg", "title", "annotation", "annotation-xml"}
)
_HIDDEN_ELEMENT = lazy_pattern(
    rf"<({'|'.join(sorted(_HIDDEN, reverse=True))})(?=[\s/>])[^<>]*+(?<!/)>[^<]*+</\1\b", re.IGNORECASE
)
_LONGEST_NAME = 20  # longer than any name of these
# Without an end these hide the rest, as in browsers; others were not meant to hold it.
_PROGRAMS = frozenset({"script", "style"})
_BREAKING = lazy_pattern(
    r"address|article|aside|blockquote|br|d[dlt]|div|fieldset|figcaption|figure|footer|form|h[1-6r]|header|li|main|nav"
    r"|ol|option|p|pre|section|table|tbody|t[dhr]|tfoot|thead|ul"
)


def xml_legal(text: str) -> str:
    """Return ``text`` without the characters that no XML 1.0 document may contain (XML 1.0 §2.2)."""
    return text if _is_printable(text) else _NOT_XML.sub("", text)


def clean_text(text: str) -> str:
    """Return ``text`` without control characters, lone surrogates and noncharacters (SPEC §9).

    Every text enters through this function. Tabs and line breaks stay.
    """
    return text if _is_printable(text) else _UNWANTED.sub("", text)


def plain(text: str) -> str:
    """Return ``text`` as one line for titles and names: white space collapsed, direction controls removed."""
    if not _is_printable(text):  # direction controls are not
        text = _BIDI.sub("", clean_text(text))
    return " ".join(text.split())


def without_cdata_marks(markup: str) -> str:
    """Return ``markup`` without the marks of CDATA sections that arrived as text: what is in them is the text."""
    return _CDATA_MARK.sub("", markup)


def visible_text(markup: str) -> str:
    """Return what a reader sees of an HTML fragment: no tags, scripts or comments, entities decoded once.

    Elements that start a new line give a line break. Linear in the length of ``markup``; broken markup is
    read as browsers do: an unfinished tag or comment hides the rest.
    """
    if "<" not in markup:
        return _unescaped(markup)
    if "<![CDATA[" in markup:
        markup = without_cdata_marks(markup)
    tidy = _text_between_tags(_HIDDEN_ELEMENT.sub(r"</\1", markup))
    return _text_as_browsers_read_it(markup) if tidy is None else tidy


def _text_between_tags(markup: str) -> str | None:
    """Return the visible text of markup in which each ``<`` begins a tag that ends, and none hides what follows it."""
    parts = _TIDY_TAG.split(markup)
    breaks = [_line_break(tag) if len(tag) < _LONGEST_NAME else "" for tag in parts[1::2]]
    if len(breaks) != markup.count("<") or None in breaks:
        return None
    if "&" in markup:
        parts[::2] = map(_unescaped, parts[::2])
    parts[1::2] = breaks
    return "".join(parts)


@lru_cache(maxsize=1_024)
def _line_break(tag: str) -> str | None:
    """Return the line break that a tag makes, "" for none; None for one that hides what follows."""
    name = tag.lower()
    if name in _HIDDEN:
        return None
    return "\n" if _BREAKING.fullmatch(name.removeprefix("/")) else ""


def _text_as_browsers_read_it(markup: str) -> str:
    pieces: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while (start := markup.find("<", at)) >= 0:
        pieces.append(_unescaped(markup[at:start]))
        following = markup[start + 1 : start + 2]
        if following in ("!", "?"):
            at = _end_of_declaration(markup, start)
        elif following == "/" or (following.isascii() and following.isalpha()):
            match = _TAG.match(markup, start)
            at = _end_of_bogus(markup, start) if match is None else _after_tag(markup, match, pieces, unclosed)
        else:
            pieces.append("<")
            at = start + 1
    pieces.append(_unescaped(markup[at:]))
    return "".join(pieces)


_LONGEST_LABEL = 10_000
_PHRASES = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|img|ins|kbd|mark|nobr|q|rb|rp|rt|ruby|s|samp|small|span"
    "|strike|strong|sub|sup|tt|u|var|wbr"
)
_LINES = "blockquote|br|center|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|table|tbody|td|th|tr|ul"
_ATTRIBUTES = r"""(?:\s+[\w:-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>]++))*+\s*+/?"""
_PHRASE_TAG = lazy_pattern(rf"</?(?:{_PHRASES}){_ATTRIBUTES}>", re.IGNORECASE)
_LINE_TAG = lazy_pattern(rf"</?(?:{_LINES}){_ATTRIBUTES}>", re.IGNORECASE)
_OTHER_TAG = lazy_pattern(rf"</?([A-Za-z][\w:.-]*){_ATTRIBUTES}>")
_UNSEEN = lazy_pattern(r"<(script|style|annotation(?:-xml)?)\b[^<>]*>.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_NAME_OR_NUMBER = r"(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_REFERENCE = lazy_pattern(f"&{_NAME_OR_NUMBER}")
_ESCAPED_TWICE = lazy_pattern(f"&(?:amp;)+(?=(?!lt;|gt;){_NAME_OR_NUMBER})")


def label_text(text: str) -> str:
    """Return a title, name or tag of which nobody says whether it is text or markup, as a reader is to see it.

    Elements that text is marked up with go (a search marks what it found with ``<em>``), and so do others that are
    closed (``<scp>DNA</scp>``); entities are decoded. Words in angle brackets that are none of these stay:
    ``List<String>``, ``a<b``, ``<dialog>``.
    """
    if "<" not in text and "&" not in text:
        return text
    text = text[:_LONGEST_LABEL]
    if "<![CDATA[" in text:
        text = without_cdata_marks(text)
    if "<" in text:
        text = _PHRASE_TAG.sub("", _LINE_TAG.sub("\n", _UNSEEN.sub("", text)))
        closed = {
            match[1] for match in _OTHER_TAG.finditer(text) if match[0].startswith("</") or match[0].endswith("/>")
        }
        if closed:
            text = _OTHER_TAG.sub(lambda match: "" if match[1] in closed else match[0], text)
    return decoded_references(text)


def decoded_references(text: str) -> str:
    """Return a text with its references to characters decoded, also where they were escaped once more.

    ``&amp;lt;`` is a ``&lt;`` that is written about.
    """
    if "&" not in text:
        return text
    return _REFERENCE.sub(lambda match: html.unescape(match[0]), _ESCAPED_TWICE.sub("&", text))


# Elements that HTML knows or knew, and what its SVG and MathML often hold.
_ELEMENTS = frozenset(
    (
        "a abbr acronym address amp-img applet area article aside audio b base basefont bdi bdo bgsound big blink "
        "blockquote body br button canvas caption center cite code col colgroup command content data datalist dd del "
        "details dfn dialog dir div dl dt element em embed fieldset figcaption figure font footer form frame frameset "
        "h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe image img input ins isindex kbd keygen label legend li "
        "link listing main map mark marquee math menu menuitem meta meter multicol nav nextid nobr noembed noframes "
        "noscript object ol optgroup option output p param picture plaintext portal pre progress q rb rbc rp rt rtc "
        "ruby s samp script search section select shadow slot small source spacer span strike strong style sub summary "
        "sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr xmp "
        "circle defs desc ellipse g line path polygon polyline rect stop symbol text tspan use "
        "annotation mfrac mi mn mo mover mroot mrow mspace msqrt msub msubsup msup mtable mtd mtext mtr munder "
        "semantics"
    ).split()
)
_NAME_IN_BRACKETS = lazy_pattern(r"<([A-Za-z][^\s<>/]*)")
_WORD_IN_BRACKETS = lazy_pattern(r"<([A-Za-z][^\s<>/]*)([^<>]*)")
# ``a<b`` at the end, where no tag ends; an excerpt may be cut in the middle of a common one.
_LESS_AT_END = lazy_pattern(r"(?<=\w)<(?!(?:a|br|div|hr|img|li|p)\b)[A-Za-z][^<>=\"']*\Z")
_PREFIXED_ELEMENT = lazy_pattern(r"[A-Za-z]\w*:[A-Za-z]\w*")
_NAME = lazy_pattern(r"[\w.-]+")


def with_words_shown(markup: str) -> str:
    """Return markup in which words in angle brackets that are no element are text: ``<stdio.h>``, ``List<String>``.

    An element that HTML does not know but that is closed, is empty or has attributes is no such word.
    """
    if "<" not in markup:
        return markup
    last = markup.rfind("<")
    if _LESS_AT_END.match(markup, last):
        markup = f"{markup[:last]}&lt;{markup[last + 1 :]}"
    names = set(_NAME_IN_BRACKETS.findall(markup))
    if names <= _ELEMENTS:
        return markup
    unknown = {name for name in names if name.lower() not in _ELEMENTS}
    words = {name for name in unknown if not _PREFIXED_ELEMENT.fullmatch(name) and f"</{name}" not in markup}
    if not words:
        return markup
    return _WORD_IN_BRACKETS.sub(lambda match: _shown(match) if match[1] in words else match[0], markup)


def _shown(match: re.Match[str]) -> str:
    is_element = "=" in match[2] or (match[2].endswith("/") and _NAME.fullmatch(match[1]))
    return match[0] if is_element else f"&lt;{match[0][1:]}"


def text_digest(title: str, *texts: str) -> str:
    """Return the SHA-256 in hex of a title and visible texts, blind to white space and character variants.

    The texts are compared after Unicode NFKC and without white space and invisible characters, so that a
    change of markup or layout gives the same digest.
    """
    parts = []
    for text in (title, *texts):
        # Blanks are most of all white space, and quicker taken out by themselves.
        part = "".join(unicodedata.normalize("NFKC", text).replace(" ", "").split())
        parts.append(part if part.isprintable() else _INVISIBLE.sub("", part))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _is_printable(text: str) -> bool:
    """Tell whether a text is printable, apart from white space: then nothing is to be taken out of it.

    The answer is quick for most texts; the patterns would take longer.
    """
    if text.isprintable():
        return True
    for harmless in _HARMLESS:
        text = text.replace(harmless, " ")
    return text.isprintable()


def _unescaped(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _end_of_declaration(markup: str, start: int) -> int:
    """Return where a comment, CDATA section, doctype or processing instruction ends."""
    opening, closing = ("<!--", "-->") if markup.startswith("<!--", start) else ("<", ">")
    end = markup.find(closing, start + len(opening))
    return len(markup) if end < 0 else end + len(closing)


def _end_of_bogus(markup: str, start: int) -> int:
    """Return where a tag that is not closed, or has no name, ends; without any ``>`` it hides the rest."""
    end = markup.find(">", start)
    return len(markup) if end < 0 else end + 1


def _after_tag(markup: str, match: re.Match[str], pieces: list[str], unclosed: set[str]) -> int:
    name = match[1].lower()
    pieces.append(_line_break(name) or "")
    if name not in _HIDDEN or match[0].endswith("/>") or name in unclosed:
        return match.end()
    closing = lazy_pattern(rf"</{name}\b", re.IGNORECASE).search(markup, match.end())
    if closing is not None:
        return closing.start()
    unclosed.add(name)
    return len(markup) if name in _PROGRAMS else match.end()


# Han with its extensions and compatibility forms, 々 and 〇, kana, Hangul.
_CJK = (
    "\u1100-\u11ff\u3005\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U000323af"
)
# Written so that Python looks for the first letter before it tries to match: a fifth less time than with a plus.
_RUNS = lazy_pattern(f"([{_CJK}][{_CJK}]*)")
_TERM = lazy_pattern(rf"(?P<cjk>[{_CJK}]+)|[^\W_{_CJK}]+")

# A tag inside a sentence does not part words: 中国<b>银行</b>.
_INLINE = "a abbr b bdi cite code del em font i ins kbd mark q s small span strong sub sup u wbr".split()
_BETWEEN_LETTERS = {**dict.fromkeys(_INLINE, ""), **{f"/{name}": "" for name in _INLINE}}
_INLINE_TAG = lazy_pattern(rf"</?(?:{'|'.join(_INLINE)})\b[^>]*>")
_ANY_TAG = lazy_pattern(r"<(/?\w*+)[^>]*>")


TERMS_VERSION: Final = 1
"""To be raised when ``item_terms`` gives other terms: stores then make their index of the search anew."""


def item_terms(item: "Item") -> "Terms":
    """Return the search terms of an item's title and of the rest that a reader sees of it."""
    return search_terms(item.title), search_terms(searched_text(item))


def searched_text(item: "Item") -> str:
    """Return what a reader sees of an item beside its title."""
    parts = [item.summary, item.content, *(author.name for author in item.authors), *item.tags]
    text = " ".join(part for part in parts if part)
    pieces = _ANY_TAG.split(text)
    if len(pieces) // 2 == text.count("<"):  # each begins a tag
        pieces[1::2] = [_BETWEEN_LETTERS.get(tag, " ") for tag in pieces[1::2]]
        text = "".join(pieces)
    else:
        text = _ANY_TAG.sub(" ", _INLINE_TAG.sub("", text))
    return _unescaped(text)


def search_terms(text: str) -> str:
    """Return ``text`` for an index that takes runs of letters and digits for terms: CJK runs are cut."""
    if text.isascii():
        return text.lower()
    # Split and joined again, which takes half the time of a substitution with a function.
    parts = _RUNS.split(_folded(text))
    parts[1::2] = [f" {run} {run[1]} " if len(run) == 2 else f" {_pairs(run)} {run[-1]} " for run in parts[1::2]]
    return "".join(parts)


def query_terms(query: str) -> list[str]:
    """Return what an item must hold, every one of it.

    A term of several words, as ``金融 融消``, must stand in this order (a phrase); one that ends in ``*`` is a
    prefix. Apart from those spaces and that star a term has letters and digits only: no query language gets through.
    """
    terms: list[str] = []
    for run in _TERM.finditer(_folded(query)):
        if not run.lastgroup:
            terms.append(run[0])
        elif len(run[0]) == 1:
            terms.append(run[0] + "*")
        else:
            terms.append(_pairs(run[0]))
    return list(dict.fromkeys(terms))


def query_words(query: str) -> list[str]:
    """Return the words of a query as they stand in a text that is searched without an index."""
    return list(dict.fromkeys(run[0] for run in _TERM.finditer(_folded(query))))


def highlighted(text: str, query: str) -> list[tuple[str, bool]]:
    """Return ``text`` in pieces, each with whether the query asked for it, to be highlighted.

    What stands between words is no part of a match, and a word is not found inside a longer one. Text that matches
    only after compatibility folding (full-width letters) is not highlighted.
    """
    words = query_words(query)
    if not words:
        return [(text, False)] if text else []
    # Longest first, so that of two words that begin alike the longer one wins.
    wanted = "|".join(_word_pattern(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    pieces = re.split(f"({wanted})", text, flags=re.IGNORECASE)
    return [(piece, bool(place % 2)) for place, piece in enumerate(pieces) if piece]


def _word_pattern(word: str) -> str:
    return re.escape(word) if _RUNS.fullmatch(word) else rf"(?<![^\W_{_CJK}]){re.escape(word)}(?![^\W_{_CJK}])"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _pairs(run: str) -> str:
    return " ".join(map(add, run, run[1:]))


BUILD_DATE: Final = lazy_pattern(rb"<(lastBuildDate|pubDate|updated|dc:date)>([^<>&]{1,64})</\1>")
_FIRST_RECORD: Final = lazy_pattern(rb"<(?:item|entry)\b")
_LONGEST_HEAD: Final = 65_536
MOST_BUILD_DATES: Final = 4


def without_build_dates(body: bytes) -> bytes:
    """Return the bytes of an RSS or Atom feed with the dates before its first record emptied.

    Two bodies that are equal then say the same. Any other body is returned as it is: of another format, in an encoding
    of two bytes, without records, with other prefixes.
    """
    first = _FIRST_RECORD.search(body, 0, _LONGEST_HEAD)
    if first is None:
        return body
    pieces: list[bytes] = []
    at = 0
    for found in BUILD_DATE.finditer(body, 0, first.start()):
        if len(pieces) == MOST_BUILD_DATES or is_character_data(body, found.start()):
            break
        pieces.append(body[at : found.start(2)])
        at = found.end(2)
    return b"".join((*pieces, body[at:])) if pieces else body


def is_character_data(body: bytes, place: int) -> bool:
    """Tell whether a place lies in a comment or a CDATA section, where no tags are (XML 1.0 §2.5, §2.7)."""
    return any(
        body.rfind(opening, 0, place) > body.rfind(closing, 0, place)
        for opening, closing in ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))
    )


def or_nearest(name: str, names: Sequence[str]) -> str:
    """Return the question whether another of ``names`` was meant; nothing where none is like it."""
    from difflib import get_close_matches

    close = get_close_matches(name, names, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
