"""Make the two tables of rules/stories/: how rare terms are, and which simplified character a traditional one is.

    pip install wordfreq opencc-python-reimplemented && python scripts/story_tables.py

They are made of word lists, never of texts that stories are judged on, and only the weights are kept: one byte for
each of 65,536 hashes, ten times the natural logarithm of how rare the most common term is that has it. wordfreq's data
are under CC BY-SA 4.0, OpenCC's dictionaries under the Apache License 2.0.
"""

from collections import Counter
from importlib.resources import files
from itertools import pairwise
from math import log
from pathlib import Path
from zlib import crc32

from wordfreq import available_languages, get_frequency_dict

ROOM = Path(__file__).parent.parent / "src" / "feedhub" / "rules" / "stories"
WHOLE = ("en", "zh")
COMMON_IN_OTHERS = 3e-5  # a word of another language counts from here on, so that its articles are not taken for names
RAREST = 1e-7
EDGES, RAREST_EDGES = 1_500, 1e-7


def is_cjk(word: str) -> bool:
    return all("\u3005" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7ff" for letter in word)


def pairs_of(words: dict[str, float]) -> dict[str, float]:
    """Return how common pairs of characters are: inside words, and where one word ends and the next begins."""
    pairs: Counter[str] = Counter()
    firsts: Counter[str] = Counter()
    lasts: Counter[str] = Counter()
    for word, frequency in words.items():
        for pair in pairwise(word):
            pairs["".join(pair)] += frequency
        firsts[word[0]] += frequency
        lasts[word[-1]] += frequency
    for last, ends in lasts.most_common(EDGES):
        for first, begins in firsts.most_common(EDGES):
            if ends * begins > RAREST_EDGES:
                pairs[last + first] += ends * begins
    total = sum(pairs.values())
    return {pair: frequency / total for pair, frequency in pairs.items()}


def frequencies() -> Counter[str]:
    terms: Counter[str] = Counter()
    for language in sorted(available_languages()):
        words = get_frequency_dict(language, "large" if language in WHOLE else "small")
        found = {word: frequency for word, frequency in words.items() if not is_cjk(word)}
        if cjk := {word: frequency for word, frequency in words.items() if is_cjk(word)}:
            found |= pairs_of(cjk)
        for term, frequency in found.items():
            if language in WHOLE or frequency >= COMMON_IN_OTHERS:
                terms[term] = max(terms[term], frequency)
    return terms


def weights() -> bytes:
    common = [RAREST] * 65_536
    for term, frequency in frequencies().items():
        place = crc32(term.casefold().encode()) & 0xFFFF
        common[place] = max(common[place], frequency)
    return bytes(min(255, max(0, round(-10 * log(frequency)))) for frequency in common)


def simplified() -> str:
    folds: dict[str, str] = {}
    for name, is_reversed in (("TSCharacters.txt", False), ("TWVariants.txt", True)):
        for line in files("opencc").joinpath("dictionary", name).read_text("utf-8").splitlines():
            one, others = line.split("\t")
            first = others.split(" ")[0]
            variant, usual = (first, folds.get(one, one)) if is_reversed else (one, first)
            if variant != usual and max(map(ord, variant + usual)) < 0x10000:
                folds.setdefault(variant, usual)
    letters = sorted(folds)
    return f"{''.join(letters)}\n{''.join(folds[letter] for letter in letters)}\n"


ROOM.joinpath("weights.bin").write_bytes(weights())
ROOM.joinpath("simplified.txt").write_text(simplified(), "utf-8")
