"""What conditions of rules compare with: patterns of users, run in linear time by RE2 (SPEC §5), numbers, and times."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache, partial
from operator import ge, gt, le, lt
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import re2

from feedhub.rules.lazy_patterns import lazy_pattern

_UNSUPPORTED: Final = "lookaround and backreferences do not exist here; for (?!…) put the pattern under `not:` instead"
_LOOKS_UNSUPPORTED: Final = lazy_pattern(r"\(\?(?:[=!]|<[=!]|P=)|\\[1-9]|\\k<")
_IN_REPLACEMENT: Final = lazy_pattern(r"\\(?:(?P<number>[0-9]{1,2})|g<(?P<name>\w+)>|(?P<escaped>.))", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t"}


class OvergrownError(Exception):
    """Replacing would put more than there is room for."""


class Room:
    """How much rules may still put into one text: characters, and one for every match, so that time is bounded too."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, text: str) -> str:
        """Return what is put for a match; raises OvergrownError when there is no room for it."""
        self._left -= len(text) + 1
        if self._left < 0:
            raise OvergrownError
        return text


class Match(Protocol):
    """One match: the part of ``re.Match`` that RE2 has as well."""

    def group(self, group: int | str = 0, /) -> str | None:
        """Return what a group matched; None for one that took no part."""
        ...


class Pattern:
    """A compiled pattern. Case counts unless the pattern says ``(?i)``."""

    __slots__ = ("_compiled", "groups", "text")

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self.groups: int = compiled.groups
        self._compiled = compiled

    def search(self, text: str) -> Match | None:
        """Return the first match anywhere in ``text``."""
        match: Match | None = self._compiled.search(text)
        return match

    def value(self, text: str) -> str | None:
        """Return what the first group matched in ``text``, or the whole match where the pattern has no group."""
        match = self.search(text)
        return match.group(1 if self.groups else 0) if match else None

    def sub(self, replacement: str, text: str, room: Room | None = None) -> str:
        r"""Return ``text`` with every match replaced; ``\1`` and ``\g<name>`` stand for groups, ``\\`` for a backslash.

        The groups are filled in here: RE2's own reader of replacements damages every character outside ASCII.
        """
        take = room.take if room else str
        is_plain = "\\" not in replacement

        def filled(match: Match) -> str:
            if is_plain:
                return take(replacement)
            return take(_IN_REPLACEMENT.sub(lambda part: _filled_group(part, match), replacement))

        result: str = self._compiled.sub(filled, text)
        return result

    def sub_in(self, replacement: str, folded: str, text: str, places: Sequence[tuple[int, int]], room: Room) -> str:
        """Return ``text`` with what matches in ``folded`` replaced; ``places`` says where its characters stand."""
        pieces: list[str] = []
        done = 0
        for match in self._compiled.finditer(folded):
            found = _MatchIn(match, text, places)
            start, end = found.span(0)
            pieces += (
                text[done:start],
                room.take(_IN_REPLACEMENT.sub(partial(_filled_group, match=found), replacement)),
            )
            done = max(done, end)
        return "".join(pieces) + text[done:]

    def check_replacement(self, replacement: str) -> None:
        """Accept a replacement whose groups all exist in the pattern.

        Raises:
            ValueError: names the group that does not exist.
        """
        for part in _IN_REPLACEMENT.finditer(replacement):
            group = _group(part)
            known = group <= self.groups if isinstance(group, int) else group in self._compiled.groupindex
            if not known:
                raise ValueError(f"{part.group(0)} stands for a group that the pattern does not have")


class _MatchIn:
    """A match in the folded form of a text, with its groups as they stand in the text."""

    __slots__ = ("_match", "_places", "_text")

    def __init__(self, match: Any, text: str, places: Sequence[tuple[int, int]]) -> None:
        self._match, self._text, self._places = match, text, places

    def span(self, group: int | str) -> tuple[int, int]:
        start, end = self._match.span(group)
        if start < 0:
            return -1, -1
        # A soft hyphen behind the match stays.
        return self._places[start][0], self._places[end - 1][1] if end > start else self._places[start][0]

    def group(self, group: int | str = 0, /) -> str | None:
        start, end = self.span(group)
        return None if start < 0 else self._text[start:end]


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """Return the compiled pattern.

    Raises:
        ValueError: one readable line saying what is wrong with the pattern.
    """
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.UTF8
    try:
        return Pattern(text, re2.compile(text, options))
    except re2.error as error:
        raise ValueError(_explained(text, error.args[0])) from error
    except UnicodeEncodeError as error:
        raise ValueError("not a usable pattern: it holds half of a character (a lone surrogate)") from error


# Letters, digits and the wide space of full width; other spaces. Full-width punctuation stays as it is.
_FOLDED: Final = {
    **{code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))},
    **dict.fromkeys((0x3000, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F), 0x20),
    **dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF)),
}
_REFERENCES: Final = {"&nbsp;": " ", "&amp;": "&"}
# In markup a line break is a space, and so is what stands around it.
_IN_MARKUP: Final = lazy_pattern(f"{'|'.join(_REFERENCES)}| *+[\\n\\r\\t][ \\t\\r\\n]*+")
_WIDE_REPEAT: Final = lazy_pattern("\\{[0-9\uff10-\uff19]+(?:,[0-9\uff10-\uff19]*)?\\}")
_PATTERN_PART: Final = lazy_pattern(r"\\.|\{[^{}]*\}|[^\\{]+|[\\{]", re.DOTALL)
_LONGEST_CLUSTER: Final = 32


def as_read(text: str) -> str:
    """Return ``text`` as people read it: composed (NFC), letters and digits of full width as others, plain spaces.

    Soft hyphens and spaces of no width are left out. Patterns of rules are compared with this form.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_FOLDED))


@lru_cache(maxsize=4096)
def compile_reading(text: str) -> Pattern:
    """Return a pattern for text in the form of ``as_read``: its literal characters are in that form too.

    Raises:
        ValueError: one readable line saying what is wrong with the pattern.
    """
    compile_pattern(text)
    return compile_pattern("".join(_folded_part(part[0]) for part in _PATTERN_PART.finditer(text)))


def _folded_part(part: str) -> str:
    if part.startswith("\\") or part.isascii():
        return part
    folded = as_read(part)
    # Braces around digits of full width are no repetition but characters.
    return f"\\{folded[:-1]}\\}}" if _WIDE_REPEAT.fullmatch(part) else folded


def unbroken(markup: str) -> str:
    """Return markup with its line breaks, which nobody sees, as spaces."""
    return _IN_MARKUP.sub(lambda match: match[0] if match[0] in _REFERENCES else " ", markup)


def replaced_as_read(pattern: str, replacement: str, text: str, room: Room, *, is_markup: bool = False) -> str:
    """Return ``text`` with what ``pattern`` finds in it replaced at its place; all else stays as it was written.

    In markup ``&nbsp;`` and line breaks are spaces, and ``&amp;`` is what it stands for.

    Raises:
        OvergrownError: there is no room for it.
    """
    if is_markup:
        for reference, meaning in _REFERENCES.items():
            pattern = pattern.replace(reference, meaning)
    compiled = compile_reading(pattern)
    if as_read(text) == text and not (is_markup and _IN_MARKUP.search(text)):
        return compiled.sub(replacement, text, room)
    folded, places = _with_places(text, is_markup=is_markup)
    return compiled.sub_in(replacement, folded, text, places, room)


def _with_places(text: str, *, is_markup: bool) -> tuple[str, list[tuple[int, int]]]:
    """Return ``text`` as it is read, and for each of its characters and its end where it stands in ``text``."""
    pieces: list[str] = []
    places: list[tuple[int, int]] = []
    at, end = 0, len(text)
    while at < end:
        start = at
        if is_markup and (match := _IN_MARKUP.match(text, at)):
            at, piece = match.end(), _REFERENCES.get(match[0], " ")
        else:
            at += 1
            # Accents and parts of syllables make one character with what is before them.
            while at < end and at - start < _LONGEST_CLUSTER and _joins(text[at - 1], text[at]):
                at += 1
            piece = as_read(text[start:at])
        pieces.append(piece)
        places += [(start, at)] * len(piece)
    return "".join(pieces), [*places, (end, end)]


def _joins(before: str, letter: str) -> bool:
    if letter.isascii():
        return False
    return bool(unicodedata.combining(letter)) or len(unicodedata.normalize("NFC", before + letter)) == 1


def _group(part: re.Match[str]) -> int | str:
    name = part["number"] or part["name"] or "0"
    return int(name) if name.isdigit() else name


def _filled_group(part: re.Match[str], match: Match) -> str:
    escaped = part["escaped"]
    if escaped is not None:
        return _ESCAPES.get(escaped, escaped)
    return match.group(_group(part)) or ""


def _explained(text: str, reason: bytes) -> str:
    hint = f" ({_UNSUPPORTED})" if _LOOKS_UNSUPPORTED.search(text) else ""
    return f"not a usable pattern: {reason.decode('utf-8', 'replace')}{hint}"


COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {">=": ge, "<=": le, ">": gt, "<": lt}
"""What stands before a number that something is compared with; the longer signs come first."""


def is_compared(number: float, wanted: Sequence[str]) -> bool:
    """Tell whether a number is what one of ``wanted`` says: a sign of ``COMPARISONS`` and a number."""
    return any(compare(number, bound) for compare, bound in map(_comparison, wanted))


@lru_cache(maxsize=256)
def _comparison(text: str) -> tuple[Callable[[float, float], bool], float]:
    sign = next(sign for sign in COMPARISONS if text.startswith(sign))
    return COMPARISONS[sign], float(text.removeprefix(sign))


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A part of the time. What is None does not count; ``weekdays`` begin with Monday as 0.

    The first moment of ``after`` belongs to it, that of ``before`` does not.
    """

    zone: str = "UTC"
    weekdays: frozenset[int] | None = None
    hours: frozenset[int] | None = None
    after: datetime | None = None
    before: datetime | None = None

    def hold(self, moment: datetime) -> bool:
        """Tell whether a moment lies within."""
        local = _local(moment, ZoneInfo(self.zone))
        return (
            (self.weekdays is None or local.weekday() in self.weekdays)
            and (self.hours is None or local.hour in self.hours)
            and (self.after is None or moment >= self.after)
            and (self.before is None or moment < self.before)
        )

    def written(self) -> tuple[str, ...]:
        """Return it as the values of a condition."""
        sets = {"weekdays": self.weekdays, "hours": self.hours}
        moments = {"after": self.after, "before": self.before}
        return (
            f"zone={self.zone}",
            *(f"{name}={' '.join(map(str, sorted(one)))}" for name, one in sets.items() if one is not None),
            *(f"{name}={at.isoformat()}" for name, at in moments.items() if at is not None),
        )


@lru_cache(maxsize=256)
def read_times(values: tuple[str, ...]) -> Times:
    """Return the times that ``Times.written`` wrote."""
    parts = dict(value.split("=", 1) for value in values)
    numbers = {name: frozenset(map(int, parts[name].split())) for name in ("weekdays", "hours") if name in parts}
    moments = {name: datetime.fromisoformat(parts[name]) for name in ("after", "before") if name in parts}
    return Times(
        zone=parts["zone"],
        weekdays=numbers.get("weekdays"),
        hours=numbers.get("hours"),
        after=moments.get("after"),
        before=moments.get("before"),
    )


def _local(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # at the edges of the calendar, where zones end
        return moment.astimezone(UTC)
