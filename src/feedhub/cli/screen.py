"""Printing: tables and documents to stdout, everything else to stderr, without secrets and control characters."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import StringIO
from typing import IO, TYPE_CHECKING, Final, TextIO
from zoneinfo import ZoneInfo

from feedhub.rules.health import duration_text
from feedhub.runtime.logs import masked_values, one_line, printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

_DAY: Final = 86_400
_RELATIVE_DAYS: Final = 14


def relative_time(at: datetime | None, now: datetime, timezone: str, *, never: str = "never") -> str:
    """Return ``3 h ago`` or ``in 12 min``; for what is far away the date in ``timezone``."""
    if at is None:
        return never
    seconds = (at - now).total_seconds()
    if abs(seconds) > _RELATIVE_DAYS * _DAY:
        return local_time(at, timezone)
    if abs(seconds) < 1:
        return "now"
    return f"in {duration_text(seconds)}" if seconds > 0 else f"{duration_text(seconds)} ago"


def due_text(seconds: float | None) -> str:
    """Return when a source is polled next, from its ``next_poll_in``."""
    if seconds is None:
        return "–"
    return f"in {duration_text(seconds)}" if seconds >= 1 else "due"


def local_time(at: datetime, timezone: str) -> str:
    """Return date and time in ``timezone``."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 source``, ``2 sources``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def own_command() -> str:
    """Return how to call feedhub in a shell: by its name when the shell finds it, else by the interpreter."""
    return "feedhub" if shutil.which("feedhub") else f"{shlex.quote(sys.executable)} -m feedhub"


_GAP: Final = "  "
_NOTE_INDENT: Final = 4
_BAR_CHARACTERS: Final = 40
_SAYS_TERMINAL: Final = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Variables by which rich takes what it writes to for a terminal, or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. ``note`` is free text of any length; ``style`` colours the cell ``styled``."""

    cells: tuple[str, ...]
    note: str = ""
    style: str = ""
    styled: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """A file or pipe to print to: for these nothing of rich has to be imported."""

    file: IO[str]
    is_terminal: bool = False


def _place(file: TextIO) -> "Console | Pipe":
    if not (file.isatty() or any(name in os.environ for name in _SAYS_TERMINAL)):
        return Pipe(file=file)
    from rich.console import Console

    return Console(file=file, markup=False, highlight=False, emoji=False)


class Screen:
    """Where one command prints. On a terminal long notes wrap below their row; in a pipe a row is one line.

    ``is_quiet``: what goes to stdout is held back, and no progress is shown.
    """

    def __init__(self, masked: Callable[[str], str], *, is_quiet: bool = False) -> None:
        self._masked = masked
        self._held_back = StringIO() if is_quiet else None

    @cached_property
    def out(self) -> "Console | Pipe":
        """Standard output."""
        return _place(sys.stdout) if self._held_back is None else Pipe(file=self._held_back)

    def print_held_back(self) -> None:
        """Print what was held back, for a command that did not end well."""
        if self._held_back is not None:
            sys.stdout.write(self._held_back.getvalue())

    @cached_property
    def err(self) -> "Console | Pipe":
        """Standard error."""
        return _place(sys.stderr)

    def print(self, text: str = "", *, style: str = "") -> None:
        """Print a line to stdout. It is never cut, so that addresses and paths can be copied."""
        _print_line(self.out, self._line(text), style)

    def print_err(self, text: str, *, style: str = "") -> None:
        """Print a line to stderr."""
        _print_line(self.err, self._clean(text), style)

    def document(self, text: str) -> None:
        """Print a whole document to stdout as it is, for files and programs."""
        self.out.file.write(self._masked(text))

    def json(self, value: object) -> None:
        """Print one JSON document to stdout."""
        text = json.dumps(masked_values(value, self._masked), ensure_ascii=False, indent=2)
        self.out.file.write(printable_json(text) + "\n")

    def table(self, titles: Sequence[str], rows: Sequence[Row], *, numbers: frozenset[int] = frozenset()) -> None:
        """Print aligned columns; those in ``numbers`` are aligned to the right."""
        cells = [tuple(self._line(cell) for cell in row.cells) for row in rows]
        widths = [max(map(_width, column)) for column in zip(titles, *cells, strict=True)]
        _print_line(self.out, _aligned(titles, widths, numbers).rstrip(), "bold")
        for row, texts in zip(rows, cells, strict=True):
            if self.out.is_terminal:
                self._print_row(row, texts, widths, numbers)
            else:
                whole = f"{_aligned(texts, widths, numbers)}{_GAP}{self._line(row.note)}"
                self.out.file.write(f"{whole.rstrip()}\n")

    def _print_row(self, row: Row, texts: Sequence[str], widths: Sequence[int], numbers: frozenset[int]) -> None:
        """Print a row on a terminal, its note below it where it does not fit beside it."""
        from rich.console import Console
        from rich.padding import Padding
        from rich.text import Text

        assert isinstance(self.out, Console)  # noqa: S101 - nothing else is a terminal
        line, note = Text(), self._line(row.note)
        for index, text in enumerate(texts):
            line.append(_padded(text, widths[index], right=index in numbers), row.style * (index == row.styled))
            line.append(_GAP)
        fits = line.cell_len + _width(note) <= self.out.width
        if note and fits:
            line.append(note)
        line.rstrip()
        self.out.print(line, soft_wrap=True)
        if note and not fits:
            self.out.print(Padding(Text(note, style="dim"), (0, 0, 0, _NOTE_INDENT), expand=False))

    @contextmanager
    def progress(self, what: str) -> Iterator["Progress"]:
        """Show progress on stderr for the block: a bar on a terminal, a line per step elsewhere."""
        if self._held_back is not None:
            yield Progress(lambda _: None)
            return
        if isinstance(self.err, Pipe) or not self.err.is_terminal:
            yield Progress(self.print_err)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with RichProgress(*columns, console=self.err, transient=True) as bar:
            yield ProgressBar(bar, what, self._line)

    def _line(self, text: str) -> str:
        return one_line(self._masked(text))

    def _clean(self, text: str) -> str:
        return printable(self._masked(text))


class Progress:
    """Progress as a line per step."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print_line = print_line
        self._done = 0
        self._total = 0

    def begin(self, total: int) -> None:
        """Set how many steps there will be."""
        self._total = total

    def step(self, text: str) -> None:
        """Count one more step as done."""
        self._done += 1
        self._print_line(f"[{self._done}/{self._total}] {text}")


class ProgressBar(Progress):
    """Progress as a bar."""

    def __init__(self, bar: "RichProgress", what: str, clean: Callable[[str], str]) -> None:
        self._bar = bar
        self._clean = clean
        self._task = bar.add_task(what, total=None)

    def begin(self, total: int) -> None:
        """Set how many steps there will be."""
        self._bar.update(self._task, total=total)

    def step(self, text: str) -> None:
        """Count one more step as done."""
        self._bar.update(self._task, advance=1, description=self._clean(text)[:_BAR_CHARACTERS])


def _print_line(place: "Console | Pipe", line: str, style: str) -> None:
    if isinstance(place, Pipe) or not place.is_terminal:
        place.file.write(f"{line}\n")
        return
    from rich.text import Text

    place.print(Text(line, style=style), soft_wrap=True)


def _width(text: str) -> int:
    """Return how many columns a terminal takes for a text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _aligned(texts: Sequence[str], widths: Sequence[int], numbers: frozenset[int]) -> str:
    padded = (_padded(text, widths[index], right=index in numbers) for index, text in enumerate(texts))
    return _GAP.join(padded)


def _padded(text: str, width: int, *, right: bool) -> str:
    filling = " " * (width - _width(text))
    return filling + text if right else text + filling
