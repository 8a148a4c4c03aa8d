"""What is kept of an item to find and judge reprints and stories: runs of its text, numbers, terms, keys to look up.

Texts are compared after Unicode NFKC, case folding and the folding of traditional Chinese characters into simplified
ones, without tags, datelines and credits. A token is one CJK character, a number, or a word. All hashes are CRC-32:
the same in every process and version, and quick.
"""

import json
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import nlargest, nsmallest
from importlib.resources import files
from itertools import chain, islice, pairwise
from math import log, sqrt
from typing import Final
from zlib import crc32

from feedhub.model.item import Item
from feedhub.rules.text import visible_text

_LETTERS: Final = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff"
_FIRST_LETTER: Final = "\u3005"
_TOKEN: Final = re.compile(rf"[{_LETTERS}]|\d+(?:[.,:]\d+)*|[^\W\d_{_LETTERS}]+")
_DATELINE: Final = re.compile(
    r"[^。.!?]{0,40}(?:讯|电|消息)\s*(?:\([^()]{0,30}\)|[ :,])"
    r"|[^.!?]{0,48}(?:\((?:reuters|ap|afp)\)|/(?:prnewswire|cnw)/|reuters|bloomberg)\s*[-–—]+"
)
_CREDIT: Final = re.compile(
    r"[(\[][^()\[\]]{0,24}(?:讯|电|消息|报道|记者|来源|reuters|\bap\b|\bafp\b)[^()\[\]]{0,24}[)\]]"
)
_NAMES: Final = re.compile(r"(?:责任编辑|责编|文章来源|来源|作者|编辑|记者)\s*:\s*[^\s。,)]{1,20}")
_NOTE: Final = re.compile(r"【[^】]{0,40}】")

DIGESTS: Final = (
    "早报", "晚报", "周报", "早餐", "早读", "早知道", "要闻", "一览", "汇总", "盘点", "摘要", "合集", "重大事项",
    "实时更新", "滚动更新", "图文直播", "文字直播",
    "digest", "roundup", "round-up", "briefing", "morning brief", "evening brief", "what we are reading",
    "what we're reading", "week in review", "live updates", "live blog", "liveblog", "live:", "in pictures",
)  # fmt: skip
"""What titles of digests and live blogs have in them. Their texts repeat others, and are no reports themselves."""
# How much of a text is read: enough for the tokens, in characters of words and of CJK.
_LONGEST: Final = 3_200
_LONGEST_CJK: Final = 1_200
_MARKUP: Final = 20_000
_TOKENS: Final = 500
_LONGEST_TITLE: Final = 300
_HEAD, _BODY, _OPENING = 80, 400, 100
_KEYS_OF_RUNS: Final = 8
_KEYS_OF_TERMS: Final = 12
_TERMS: Final = 48
_CJK_RUN, _WORD_RUN = 6, 4
_EDGE: Final = "|"
_END: Final = b"\n"
_COUNTED: Final = struct.Struct("<5H")
_SHORTEST_STEM: Final = 4
# What a term counts that is met so often, and in the title as if twice more: 16 + 16 · ln n.
_COUNTS: Final = (0, *(round(16 + 16 * log(count)) for count in range(1, _OPENING + 3)))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFeatures:
    """An item, reduced to what reprints and stories are found and judged by. All but the title are hashes.

    ``runs`` are those of neighbouring tokens, in the order of the text; ``numbers`` stand by the two tokens around
    them; ``terms`` are those of title and text, by the halves of their hashes; ``vector`` holds the heaviest terms of
    title and opening.
    """

    title: str
    is_cjk: bool
    length: int
    runs: tuple[int, ...]
    numbers: dict[int, str]
    terms: frozenset[int]
    vector: dict[int, int]

    @property
    def run_keys(self) -> tuple[int, ...]:
        """The keys that a reprint shares: the smallest hashes of the head, and of more of the text."""
        width = _CJK_RUN if self.is_cjk else _WORD_RUN
        head, body = set(self.runs[: _HEAD - width + 1]), set(self.runs[: _BODY - width + 1])
        return tuple(sorted({*nsmallest(_KEYS_OF_RUNS, head), *nsmallest(_KEYS_OF_RUNS, body)}))

    @property
    def term_keys(self) -> tuple[int, ...]:
        """The keys that another report of the event shares: the heaviest terms."""
        return tuple(islice(self.vector, _KEYS_OF_TERMS))

    @property
    def keys(self) -> tuple[int, ...]:
        """All keys by which others are found."""
        return tuple(dict.fromkeys((*self.run_keys, *self.term_keys)))

    @property
    def title_terms(self) -> dict[int, str]:
        """The terms of the title, each by its hash."""
        terms = list(_terms(_tokens(_NOTE.sub(" ", self.title)) or _tokens(self.title)))
        return dict(zip(_hashes(terms), terms, strict=True))

    @property
    def title_numbers(self) -> dict[int, str]:
        """The numbers of the title, by the tokens around them."""
        return _numbers([_EDGE, *_tokens(self.title), _EDGE])

    @property
    def norm(self) -> float:
        """The length of the vector."""
        return sqrt(sum(weight * weight for weight in self.vector.values()))


def story_features(title: str, markup: str) -> StoryFeatures:
    """Return the features of an item with this title and this text, which may be markup."""
    title = folded(title[:_LONGEST_TITLE])
    visible = visible_text(markup[:_MARKUP])
    is_cjk = _is_cjk(visible or title)
    text = folded(visible[: _LONGEST_CJK if is_cjk else _LONGEST])
    tokens = _tokens(_bare(text, is_cjk))[:_TOKENS]
    width = _CJK_RUN if is_cjk else _WORD_RUN
    title_terms = _hashes(_terms(_tokens(_NOTE.sub(" ", title)) or _tokens(title)))
    text_terms = list(_terms(tokens))
    hashes = _hashes(text_terms)
    return StoryFeatures(
        title=title,
        is_cjk=is_cjk,
        length=len(visible),
        runs=tuple(_hashes(map("\x1f".join, zip(*(islice(tokens, at, None) for at in range(width)), strict=False)))),
        numbers=_numbers(tokens),
        terms=short_hashes((*hashes, *title_terms)),
        vector=_vector(_tokens(title), tokens[:_OPENING]),
    )


def sketch_of(features: StoryFeatures) -> bytes:
    """Return features as they are stored: what is in words, then hashes and weights."""
    words = json.dumps([features.title, features.is_cjk, features.length, *features.numbers.values()])
    lists = features.runs, features.numbers, features.vector, features.vector.values(), sorted(features.terms)
    counts = [len(numbers) for numbers in lists]
    values = chain.from_iterable(lists)
    return b"".join((words.encode(), _END, _COUNTED.pack(*counts), struct.pack(_form(counts), *values)))


def sketch_of_item(item: Item) -> bytes:
    """Return the sketch of an item."""
    return sketch_of(story_features(item.title, item.content or item.summary or ""))


def read_sketch(sketch: bytes) -> StoryFeatures:
    """Return the features of which ``sketch_of`` made a sketch."""
    words, _, rest = sketch.partition(_END)
    title, is_cjk, length, *numbers = json.loads(words)
    counts = _COUNTED.unpack_from(rest)
    values = iter(struct.unpack_from(_form(counts), rest, _COUNTED.size))
    runs, places, heavy, weights, terms = (tuple(islice(values, count)) for count in counts)
    return StoryFeatures(
        title=title,
        is_cjk=is_cjk,
        length=length,
        runs=runs,
        numbers=dict(zip(places, numbers, strict=True)),
        terms=frozenset(terms),
        vector=dict(zip(heavy, weights, strict=True)),
    )


def _form(counts: Sequence[int]) -> str:
    """Return the form of lists of so many numbers: hashes, then weights and terms, of two bytes each."""
    runs, places, heavy, weights, terms = counts
    return f"<{runs + places + heavy}I{weights + terms}H"


def keys_in(sketch: bytes) -> tuple[int, ...]:
    """Return the keys of the item of a sketch."""
    return read_sketch(sketch).keys


def short_hashes(hashes: Iterable[int]) -> frozenset[int]:
    """Return the halves of hashes, which do to tell whether a text has a term."""
    return frozenset(number & 0xFFFF for number in hashes)


def is_digest(title: str, parts: Sequence[str] = DIGESTS) -> bool:
    """Tell whether a title is that of a digest or a live blog: it has one of these parts, in any case and script."""
    title = folded(title)
    return any(folded(part) in title for part in parts)


def folded(text: str) -> str:
    """Return a text blind to case, width and the two scripts of Chinese."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return text if text.isascii() else text.translate(_simplified())


def weight_of(term: str) -> int:
    """Return how much a term says: ten times the natural logarithm of how rare it is."""
    return _weights()[crc32(term.encode()) & 0xFFFF]


def pairs_of_letters(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring letters and digits of a text, by which the forms of titles are compared."""
    return frozenset(map("".join, pairwise("".join(_tokens(text)))))


@cache
def _simplified() -> dict[int, str]:
    traditional, simplified = files(__package__).joinpath("simplified.txt").read_text("utf-8").split()
    return dict(zip(map(ord, traditional), simplified, strict=True))


@cache
def _weights() -> bytes:
    return files(__package__).joinpath("weights.bin").read_bytes()


def _is_cjk(text: str) -> bool:
    tokens = _tokens(text[:300])
    return sum(token[0] >= _FIRST_LETTER for token in tokens) * 3 > len(tokens)


def _bare(text: str, is_cjk: bool) -> str:
    """Return a folded text without its dateline and its credits."""
    if is_cjk:
        text = _NAMES.sub(" ", _NOTE.sub(" ", text))
    dateline = _DATELINE.match(text)
    return _CREDIT.sub(" ", text[dateline.end() :] if dateline else text)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _hashes(texts: Iterable[str]) -> list[int]:
    return list(map(crc32, map(str.encode, texts)))


def _terms(tokens: Iterable[str]) -> Iterator[str]:
    """Yield words, and the pairs of neighbouring CJK characters."""
    before = ""
    for token in tokens:
        if token[0] < _FIRST_LETTER:
            before = ""
            yield token
        else:
            if before:
                yield before + token
            before = token


def _numbers(tokens: list[str]) -> dict[int, str]:
    """Return the numbers of a text by the two tokens around each; of several with the same ones the first."""
    found: dict[int, str] = {}
    for before, token, after in zip(tokens, islice(tokens, 1, None), islice(tokens, 2, None), strict=False):
        if token[0].isdecimal():
            found.setdefault(crc32(f"{before}\x1f{after}".encode()), token)
    return found


def _vector(title: list[str], opening: list[str]) -> dict[int, int]:
    """Return the heaviest terms, heaviest first, each with its weight and by the hash of its stem."""
    counts = dict.fromkeys(_terms(title), 2)
    for term in _terms(opening):
        counts[term] = counts.get(term, 0) + 1
    weights = _weights()
    vector: dict[int, int] = {}
    for term, count in counts.items():
        encoded = term.encode()
        rarity = weights[crc32(encoded) & 0xFFFF]
        stem = crc32(_stem(term).encode()) if len(term) > _SHORTEST_STEM else crc32(encoded)
        vector[stem] = max(vector.get(stem, 0), rarity * _COUNTS[count])
    return dict(nlargest(_TERMS, vector.items(), key=_by_weight))


def _by_weight(entry: tuple[int, int]) -> tuple[int, int]:
    return entry[1], entry[0]


def _stem(word: str) -> str:
    """Return a word without a common ending of English; others lose theirs too, alike everywhere."""
    if word.isascii():
        for ending in ("ing", "ed", "es", "s"):
            if word.endswith(ending):
                stem = word.removesuffix(ending)
                return word if len(stem) < _SHORTEST_STEM or word.endswith("ss") else stem
    return word
