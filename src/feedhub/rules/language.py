"""In which language and direction a text is, by what is said of it and by its letters."""

import re
from functools import lru_cache
from typing import Final, Literal

from feedhub.rules.lazy_patterns import lazy_pattern

Direction = Literal["ltr", "rtl"]

_MOST: Final = 2_000
"""Characters of a text that are looked at."""
_SHARE: Final = 0.4
"""The part of the letters that decides; many a text of one script has names and brands in another."""
_LETTER: Final = lazy_pattern(r"[^\W\d_]")
_RIGHT_TO_LEFT: Final = lazy_pattern(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_HEBREW: Final = lazy_pattern("[\u05d0-\u05f2\ufb1d-\ufb4f]")
_ARABIC: Final = lazy_pattern("[\u0620-\u064a\u066e-\u06d3\u06d5\u0750-\u077f\u08a0-\u08c7\ufb50-\ufdff\ufe70-\ufefc]")
_KANA: Final = lazy_pattern("[\u3040-\u30ff]")
_HANGUL: Final = lazy_pattern("[\uac00-\ud7af]")
_HAN: Final = lazy_pattern("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_EAST_ASIAN: Final = lazy_pattern(f"{_KANA.pattern}|{_HANGUL.pattern}|{_HAN.pattern}")
_PUNCTUATION: Final = lazy_pattern("[\u2010-\u201f\u2022\u2026\u2030-\u205e\xa0\xab\xb7\xbb\u20ac\u2122]")

# Letters that only one of the languages has which are written with Arabic letters, in the order of asking.
_ARABIC_LETTERS: Final = (
    ("ur", lazy_pattern("[\u0679\u0688\u0691\u06ba\u06be\u06c1\u06d2]")),
    ("ps", lazy_pattern("[\u067c\u0681\u0685\u0689\u0693\u0696\u069a\u06bc\u06cd\u06d0]")),
    ("ug", lazy_pattern("[\u06c7\u06c8\u06cb]")),
    ("ckb", lazy_pattern("[\u0695\u06b5\u06c6\u06ce\u06d5]")),
    ("fa", lazy_pattern("[\u067e\u0686\u0698\u06a9\u06af\u06cc]")),
)
_HEBREW_LANGUAGES: Final = frozenset("he iw yi ji lad".split())
_RIGHT_TO_LEFT_LANGUAGES: Final = _HEBREW_LANGUAGES | frozenset(
    "aeb apc ar arc ary arz azb bal bqi ckb dv fa glk ks lrc mzn nqo pnb prs ps sd skr syr ug ur".split()
)
_RIGHT_TO_LEFT_SCRIPTS: Final = frozenset("adlm arab aran hebr mand nkoo rohg samr syrc thaa".split())
_EAST_ASIAN_LANGUAGES: Final = frozenset("zh yue wuu nan hak ja ko".split())


@lru_cache(maxsize=256)
def direction_of_language(tag: str | None) -> Direction:
    """Return in which direction a language is written, by its script where the tag names one."""
    parts = (tag or "").lower().replace("_", "-").split("-")
    script = next((part for part in parts[1:] if len(part) == 4 and part.isalpha()), None)
    if script:
        return "rtl" if script in _RIGHT_TO_LEFT_SCRIPTS else "ltr"
    return "rtl" if parts[0] in _RIGHT_TO_LEFT_LANGUAGES else "ltr"


def has_right_to_left(text: str) -> bool:
    """Tell whether a text has any character that is written from right to left."""
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def direction_of(text: str, language: str | None = None) -> Direction:
    """Return the direction of a text on one line: that of its letters, and where they are mixed that of its language.

    Without a language that is written from right to left, two letters of five have to be.
    """
    declared = direction_of_language(language)
    text = text[:_MOST]
    if declared == "ltr" and not has_right_to_left(text):
        return "ltr"
    letters = len(_LETTER.findall(text))
    if not letters:
        return declared
    from_right = len([char for char in _RIGHT_TO_LEFT.findall(text) if _LETTER.match(char)])
    if declared == "rtl":
        return "rtl" if from_right else "ltr"
    return "rtl" if from_right >= _SHARE * letters else "ltr"


def language_by_letters(text: str, declared: str | None, around: str) -> str | None:
    """Return the language that a text is to be marked with in a page in the language ``around``; None for that one.

    It is the ``declared`` one unless the text is written in another script: many a feed names the language that its
    program came with. A text of which nothing is said is taken by its script; "" says that the language is unknown.
    Chinese, Japanese and Korean share characters that each writes in another form, and their fonts have wide
    punctuation, so that a text of none of them must not pass for one.
    """
    text = text[:_MOST]
    found = _by_script(text)
    if declared and _is_possible(text, declared, found):
        return None if declared == around else declared
    if _is_possible(text, around, found) and not _is_another(found, around):
        return None
    return found or ("en" if _PUNCTUATION.sub("", text).isascii() else "")


def _is_possible(text: str, tag: str, found: str | None) -> bool:
    """Tell whether a text may be in a language; ``found`` is the one that its script speaks for."""
    script = _script_of(tag)
    if script is None:
        return found is None
    if found is None:
        return script.search(text) is not None or _LETTER.search(text) is None
    return script is _script_of(found)


def _is_another(found: str | None, around: str) -> bool:
    """Tell whether a text whose script is that of ``around`` has letters that only another language has.

    Chinese characters alone may be Japanese, and Arabic letters may be Persian.
    """
    if found is None or found == "ar":
        return False
    primary = around.lower().partition("-")[0]
    return found != primary and (found, primary) != ("zh", "ja")


def _script_of(tag: str) -> re.Pattern[str] | None:
    """Return what matches the letters of a language, where those are looked at here."""
    parts = tag.lower().split("-")
    if direction_of_language(tag) == "rtl":
        return _HEBREW if parts[0] in _HEBREW_LANGUAGES or "hebr" in parts else _ARABIC
    return _EAST_ASIAN if parts[0] in _EAST_ASIAN_LANGUAGES and "latn" not in parts else None


def _by_script(text: str) -> str | None:
    """Return the language that the letters of a text speak for; None for letters that many languages share."""
    if text.isascii():
        return None
    letters = len(_LETTER.findall(text))

    def is_in(script: re.Pattern[str], weight: int = 1) -> bool:
        found = len(script.findall(text))
        return found > 0 and found * weight >= _SHARE * (letters + found * (weight - 1))

    # One character of these says as much as three letters.
    if is_in(_EAST_ASIAN, 3):
        return "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else "zh"
    if is_in(_HEBREW):
        return "he"
    if is_in(_ARABIC):
        return next((language for language, own in _ARABIC_LETTERS if own.search(text)), "ar")
    return None
