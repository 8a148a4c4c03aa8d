"""How text and queries are cut into search terms (SPEC §2 ``search``: Chinese included).

Chinese, Japanese and Korean are written without reliable word limits, so their runs are cut into overlapping pairs of
characters: 金融消息 → 金融 融消 消息. The last character of a run is a term of its own too, so that every character
begins some term and a query of one character can ask by prefix. Everything else is cut into words.
"""

import html
import re
import unicodedata
from operator import add

from feedhub.model.item import Item, Terms

# Han with its extensions and compatibility forms, 々 and 〇, kana, Hangul.
_CJK = (
    "\u1100-\u11ff\u3005\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U000323af"
)
_RUNS = re.compile(f"([{_CJK}]+)")
_TERM = re.compile(rf"(?P<cjk>[{_CJK}]+)|[^\W_{_CJK}]+")

# A tag inside a sentence does not part words: 中国<b>银行</b>.
_INLINE = re.compile(
    r"</?(?:a|abbr|b|bdi|cite|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strong|sub|sup|u|wbr)\b[^>]*>"
)
_TAG = re.compile(r"<[^>]*>")


def item_terms(item: Item) -> Terms:
    """Return the search terms of an item's title and of the rest that a reader sees of it."""
    return search_terms(item.title), search_terms(visible_text(item))


def visible_text(item: Item) -> str:
    """Return what a reader sees of an item beside its title."""
    parts = [item.summary, item.content, *(author.name for author in item.authors), *item.tags]
    return html.unescape(_TAG.sub(" ", _INLINE.sub("", " ".join(part for part in parts if part))))


def search_terms(text: str) -> str:
    """Return ``text`` for an index that takes runs of letters and digits for terms: CJK runs are cut."""
    if text.isascii():
        return text.lower()
    # Split and joined again, which takes half the time of a substitution with a function.
    parts = _RUNS.split(_plain(text))
    parts[1::2] = [f" {run} {run[1]} " if len(run) == 2 else f" {_pairs(run)} {run[-1]} " for run in parts[1::2]]
    return "".join(parts)


def query_terms(query: str) -> list[str]:
    """Return what an item must hold, every one of it.

    A term of several words, as ``金融 融消``, must stand in this order (a phrase); one that ends in ``*`` is a
    prefix. Apart from those spaces and that star a term has letters and digits only: no query language gets through.
    """
    terms: list[str] = []
    for run in _TERM.finditer(_plain(query)):
        if not run.lastgroup:
            terms.append(run[0])
        elif len(run[0]) == 1:
            terms.append(run[0] + "*")
        else:
            terms.append(_pairs(run[0]))
    return list(dict.fromkeys(terms))


def marked(text: str, query: str) -> list[tuple[str, bool]]:
    """Return ``text`` in pieces, each with whether the query asked for it, to be highlighted.

    What stands between words is no part of a match, and a word is not found inside a longer one. Text that matches
    only after compatibility folding (full-width letters) is not highlighted.
    """
    words = [run[0] for run in _TERM.finditer(_plain(query))]
    if not words:
        return [(text, False)] if text else []
    # Longest first, so that of two words that begin alike the longer one wins.
    wanted = "|".join(_as_found(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))
    pieces = re.split(f"({wanted})", text, flags=re.IGNORECASE)
    return [(piece, bool(place % 2)) for place, piece in enumerate(pieces) if piece]


def _as_found(word: str) -> str:
    return re.escape(word) if _RUNS.fullmatch(word) else rf"(?<![^\W_{_CJK}]){re.escape(word)}(?![^\W_{_CJK}])"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _pairs(run: str) -> str:
    return " ".join(map(add, run, run[1:]))
