"""Logging to stderr: one line for an event, without secrets and without control characters."""

import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TextIO
from urllib.parse import quote

from feedhub.rules.text import DIRECTIONS

MASK: Final = "***"

EventDict = MutableMapping[str, Any]

# A line break would make two events of one. A terminal would execute escape sequences (C0, DEL, C1), and direction
# controls would make it show another text.
_UNPRINTABLE: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{DIRECTIONS}]")
_UNPRINTABLE_IN_LINES: Final = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{DIRECTIONS}]")


def one_line(text: str) -> str:
    """Return ``text`` as one line, with control characters written as escapes."""
    return _UNPRINTABLE.sub(_escaped, text)


def printable(text: str) -> str:
    """Return ``text`` with control characters written as escapes, except line breaks and tabs."""
    return _UNPRINTABLE_IN_LINES.sub(_escaped, text)


def printable_json(text: str) -> str:
    """Return a JSON document of the same meaning, in which control characters are written as escapes.

    In strings of JSON the C0 control characters are escapes already.
    """
    return _UNPRINTABLE_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class Masker:
    """Hides secrets in text. It has none at first; they come with the configuration."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on replace these by ``***``, as they are and as they are written in an address."""
        forms = {form for secret in secrets if secret for form in (secret, quote(secret), quote(secret, safe=""))}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def masked_values(value: Any, masked: Callable[[str], str]) -> Any:
    """Return JSON values with every text masked.

    They are masked before they are encoded: a secret may hold characters that JSON writes in another way.
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_values(part, masked) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [masked_values(part, masked) for part in value]
    return value


class _LineFormatter(logging.Formatter):
    def __init__(self, masked: Callable[[str], str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._masked = masked

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - named by logging
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return self._masked(printable(super().format(record)))


@contextmanager
def logging_events(stream: TextIO, *, verbose: bool, as_json: bool, masked: Callable[[str], str]) -> Iterator[None]:
    """Send the events of the daemon to ``stream`` for the block, a line each: time, level, event and its facts.

    With ``as_json`` every line is one JSON object. Without ``verbose``, polls without items are left out.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_event_formatter(as_json, masked))
    root, ours = logging.getLogger(), logging.getLogger("feedhub")
    before = root.level, ours.level
    # The root logger, because libraries warn too, and Python would write unhandled records in a form of its own.
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.DEBUG if verbose else logging.INFO)
    hook, threading.excepthook = threading.excepthook, _log_dead_thread
    try:
        yield
    finally:
        threading.excepthook = hook
        root.setLevel(before[0])
        ours.setLevel(before[1])
        root.removeHandler(handler)


def _log_dead_thread(died: threading.ExceptHookArgs) -> None:
    name = died.thread.name if died.thread else "?"
    exc_info = (died.exc_type, died.exc_value or died.exc_type(), died.exc_traceback)
    logging.getLogger("feedhub").error("a thread died", extra={"which": name}, exc_info=exc_info)


def _event_formatter(as_json: bool, masked: Callable[[str], str]) -> logging.Formatter:
    import structlog

    def hidden(_logger: object, _name: str, event: EventDict) -> EventDict:
        return {key: masked(value) if isinstance(value, str) else value for key, value in event.items()}

    def as_text(_logger: object, _name: str, event: EventDict) -> str:
        first = " ".join(str(event.pop(key)) for key in ("timestamp", "level", "event"))
        facts = (f"{key}={_quoted(str(value))}" for key, value in event.items())
        return one_line(" ".join((first, *facts)))

    def as_object(_logger: object, _name: str, event: EventDict) -> str:
        return printable_json(json.dumps(event, ensure_ascii=False, default=str))

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            structlog.processors.format_exc_info,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            hidden,
            as_object if as_json else as_text,
        ],
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r'[\s"=]', text) else text


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
