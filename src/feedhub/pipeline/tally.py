"""What happened to each file of a publish."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.model.report import PublishReport
from feedhub.ports.publishing import OutputWriter


@dataclass(slots=True)
class Tally:
    """Counts what happened to each file; a failure costs one output."""

    writer: OutputWriter
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    is_incomplete: bool = False
    """A file could not be written: it is to be tried again. What cannot be rendered will fail again as it is."""

    def write(self, output: str, rendered: Callable[[], OutputFile], *, part: str | None = None) -> str:
        """Write one file and return its path, or "" when it could not be made.

        What cannot be rendered is the fault of ``part``, if that is named, and not of the whole output.
        """
        try:
            file = rendered()
        except PublishError as error:
            self.broken.setdefault(part or output, str(error))
            return ""
        try:
            if self.writer.write(file):
                self.written.append(file.path)
            else:
                self.unchanged += 1
        except PublishError as error:
            self.broken.setdefault(output, str(error))
            self.is_incomplete = True
            return ""
        return file.path

    def renew(self, output: str, rendered: Callable[[], OutputFile]) -> None:
        """Write a file that is made at every publish; it counts only when it differs."""
        unchanged = self.unchanged
        self.write(output, rendered)
        self.unchanged = unchanged

    def write_made(self, files: Iterable[OutputFile]) -> None:
        """Write files that are rendered already, each an output of its own."""
        for file in files:
            self.write(file.path, partial(_given, file))

    def keep(self, file: OutputFile) -> None:
        """Write a note to ourselves; it is no output and not counted. Raises PublishError."""
        self.writer.write(file)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that are there."""
        self.removed.extend(path for path in paths if self.writer.remove(path))

    def report(self) -> PublishReport:
        """Return what happened."""
        return PublishReport(
            written=tuple(self.written),
            unchanged=self.unchanged,
            removed=tuple(self.removed),
            failed=tuple(self.broken.items()),
        )


def _given(file: OutputFile) -> OutputFile:
    return file
