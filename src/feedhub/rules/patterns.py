"""Users' patterns, run in linear time by RE2 so that none can hang a poll (SPEC §5)."""

import re
from functools import lru_cache
from typing import Any, Final, Protocol

import re2

_UNSUPPORTED: Final = "lookaround and backreferences do not exist here; for (?!…) put the pattern under `not:` instead"
_LOOKS_UNSUPPORTED: Final = re.compile(r"\(\?(?:[=!]|<[=!]|P=)|\\[1-9]|\\k<")
_IN_REPLACEMENT: Final = re.compile(r"\\(?:(?P<number>[0-9]{1,2})|g<(?P<name>\w+)>|(?P<escaped>.))", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t"}


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

    def sub(self, replacement: str, text: str) -> str:
        r"""Return ``text`` with every match replaced; ``\1`` and ``\g<name>`` stand for groups, ``\\`` for a backslash.

        The groups are filled in here: RE2's own reader of replacements damages every character outside ASCII.
        """

        def filled(match: Match) -> str:
            return _IN_REPLACEMENT.sub(lambda part: _filled_group(part, match), replacement)

        result: str = self._compiled.sub(filled, text)
        return result

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
