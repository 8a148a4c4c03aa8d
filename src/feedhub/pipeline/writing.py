"""Writing files one by one, and reporting what happened to each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile
from feedhub.model.report import PublishReport
from feedhub.ports.publishing import REMEMBERED, OutputGroup

PAGES: Final = "pages"
"""How reports name what went wrong with pages; no output has that slug."""


@dataclass(slots=True)
class ReportingWriter:
    """Writes files together and reports what happened to each; a failure costs one output."""

    writer: OutputGroup
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unremoved: list[str] = field(default_factory=list)
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    is_incomplete: bool = False
    """A file could not be written, so another try is due. What cannot be rendered will fail again as it is."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Of which output each file is that was written."""

    def take_up(self, failures: Mapping[str, str]) -> None:
        """Report what could not be put in its place, of what was written here. Notes are of everybody."""
        for path, reason in failures.items():
            if path in self.written:
                self.written.remove(path)
            elif path in self.removed:
                self.removed.remove(path)
                self.unremoved.append(path)
            elif not path.startswith(REMEMBERED):
                continue
            self.is_incomplete = True
            self.failed.setdefault(self.outputs.get(path, path), reason)

    def put(self, file: OutputFile) -> None:
        """Write one file; raises PublishError when that is not possible."""
        if self.writer.write(file):
            self.written.append(file.path)
        else:
            self.unchanged += 1

    def write(self, output: str, render: Callable[[], OutputFile], *, part: str | None = None) -> str:
        """Write one file and return its path, or "" when it could not be made.

        What cannot be rendered is the fault of ``part``, if that is named, and not of the whole output.
        """
        try:
            file = render()
        except PublishError as error:
            self.failed.setdefault(part or output, str(error))
            return ""
        self.outputs[file.path] = output
        try:
            self.put(file)
        except PublishError as error:
            self.failed.setdefault(output, str(error))
            self.is_incomplete = True
            return ""
        return file.path

    def write_if_changed(self, output: str, render: Callable[[], OutputFile]) -> None:
        """Write a file that every publish renders; it counts only when it differs."""
        unchanged = self.unchanged
        self.write(output, render)
        self.unchanged = unchanged

    def write_all(self, files: Iterable[OutputFile]) -> None:
        """Write files that are rendered already, each an output of its own."""
        for file in files:
            self.write(file.path, partial(_itself, file))

    def write_note(self, output: str, path: str, body: bytes | None) -> None:
        """Write what feedhub remembers in the folder, or remove it when ``body`` is None; it is not counted."""
        try:
            if body is None:
                self.writer.remove(path)
            else:
                self.writer.write(OutputFile(path=path, body=body))
        except PublishError as error:
            self.failed.setdefault(output, str(error))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that are there; what cannot be removed is reported, and left to the next publish."""
        for path in paths:
            try:
                if self.writer.remove(path):
                    self.removed.append(path)
            except PublishError as error:
                self.failed.setdefault(path, str(error))
                self.unremoved.append(path)

    def move(self, old: str, new: str) -> None:
        """Rename a file that is there; raises PublishError when that is not possible."""
        if self.writer.move(old, new):
            self.written.append(new)
            self.removed.append(old)

    def report(self) -> PublishReport:
        """Return what happened."""
        return PublishReport(
            written=tuple(dict.fromkeys(self.written)),
            unchanged=self.unchanged,
            removed=tuple(self.removed),
            failed=tuple(self.failed.items()),
        )


def paths_of(paths: object) -> list[str]:
    """Return the paths that were noted; of a note that was damaged, what can be a path of ours."""
    texts = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return [path for path in texts if path[:1] not in ("", "/") and not {"..", "\\", ":"} & {*path.split("/"), *path}]


def _itself(file: OutputFile) -> OutputFile:
    return file
