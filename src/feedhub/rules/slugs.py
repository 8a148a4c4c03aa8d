"""Slugs: the part of a file name and address that stands for a category (SPEC §5)."""

import re
import unicodedata
from collections.abc import Container
from functools import lru_cache
from typing import Final, Literal

Readings = Literal["pinyin", "pinyin-chars"]

MAX_LENGTH: Final = 63
"""Long enough for a title, short enough for every file system beside an ending and a suffix."""

_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
RESERVED: Final = frozenset({"all", "health", "index", "feeds"}) | _DEVICES
"""Slugs that name outputs of our own, or devices on Windows."""

_HAN: Final = "\u3007\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PARTS: Final = re.compile(rf"(?P<latin>[a-z0-9]+)|(?P<han>[{_HAN}]+)|(?P<gap>[\s_\u2010-\u2015-]+)")
_LETTERS: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)


@lru_cache(maxsize=4096)
def category_slug(name: str, *, readings: Readings = "pinyin") -> str:
    """Return ``name`` in lower-case ASCII letters, digits and hyphens; '' when nothing of it can be written so.

    Chinese is read aloud and joined (界面新闻 → jiemianxinwen): ``pinyin`` reads words, ``pinyin-chars`` every
    character by itself, as the site this began with did (重庆 → zhongqing). A blank between Latin words is a hyphen.
    """
    slug, gap, after_latin = "", False, False
    for part in _PARTS.finditer(_folded(name)):
        if part.lastgroup == "gap":
            gap = True
            continue
        is_latin = part.lastgroup == "latin"
        text = part.group() if is_latin else _read_aloud(part.group(), readings)
        slug += f"-{text}" if slug and gap and is_latin and after_latin else text
        gap, after_latin = False, is_latin
    return slug[:MAX_LENGTH].rstrip("-")


def is_safe_name(name: str) -> str | None:
    """Return why ``name`` cannot become part of a file name, or None when it can."""
    if not name.strip():
        return "is empty"
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in name):
        return "contains a control character"
    if "/" in name or "\\" in name:
        return "contains a path separator"
    if ".." in name:
        return 'contains ".."'
    if name.strip().startswith("."):
        return "begins with a dot"
    slug = category_slug(name)
    if not slug:
        return "has no letter or digit that can be written in ASCII"
    return "is a reserved name" if slug in RESERVED else None


def unique_slug(slug: str, taken: Container[str]) -> str:
    """Return ``slug``, or ``slug-2``, ``slug-3``… for the first that is not taken."""
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        suffix = f"-{number}"
        candidate = slug[: MAX_LENGTH - len(suffix)].rstrip("-") + suffix
    return candidate


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _read_aloud(text: str, readings: Readings) -> str:
    # Reading words needs a dictionary that takes a moment to load; names in Latin letters never pay for it.
    from pypinyin import lazy_pinyin

    words = [text] if readings == "pinyin" else list(text)
    syllables = [syllable for word in words for syllable in lazy_pinyin(word, errors="ignore")]
    return "".join(letter for letter in "".join(syllables).lower() if "a" <= letter <= "z")
