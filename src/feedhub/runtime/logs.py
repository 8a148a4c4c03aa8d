"""Where log lines go: one line an event, to stderr, without secrets and without control characters."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO
from urllib.parse import quote

MASK: Final = "***"

# Line breaks would make two events of one; escape sequences would be obeyed by the terminal that shows them
# (C0, DEL, C1), and direction overrides would show a text that is not there.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNPRINTABLE_IN_LINES: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """Return ``text`` as one line that no terminal obeys: control characters are written as escapes."""
    return _UNPRINTABLE.sub(_escaped, text)


def printable(text: str) -> str:
    """The same, but line breaks and tabs stay."""
    return _UNPRINTABLE_IN_LINES.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class Masker:
    """Hides secrets in text. Knows none at first; they come with the configuration."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on put ``***`` for these, as they are and as they look inside an address."""
        forms = {form for secret in secrets if secret for form in (secret, quote(secret), quote(secret, safe=""))}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


class _LineFormatter(logging.Formatter):
    def __init__(self, masked: Callable[[str], str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._masked = masked

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - named by logging
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return self._masked(printable(super().format(record)))


@contextmanager
def logging_to(stream: TextIO, *, verbose: bool, masked: Callable[[str], str]) -> Iterator[None]:
    """Send log lines to ``stream`` for the block: everything with ``verbose``, else warnings and worse."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_LineFormatter(masked))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
