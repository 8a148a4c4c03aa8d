"""One output: its feeds, its page, and its archive by months of the site's time zone (RFC 5005 §4)."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cached_property, partial
from typing import Final, Protocol

from feedhub.errors import PublishError
from feedhub.model.item import StoredItem
from feedhub.model.output import ItemVersion, OutputFile, OutputView, Part
from feedhub.model.report import PublishReport
from feedhub.ports.publishing import FeedRenderer, IndexRenderer, OutputWriter, PagePaths, PageRenderer
from feedhub.ports.store import Store
from feedhub.rules.select import ALL, PART_SIZE, closed_parts, month_bounds, month_of, parts_in, versions_of_part

PAGES: Final = "pages"
"""How reports name what went wrong with pages; no output has that slug."""
_FOLDER: Final = ".feedhub/archive"
_LEFTOVERS_NOTE: Final = ".feedhub/unremoved.json"
_NAME_OF_PART: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])(?:-\d{1,9})?", re.ASCII)
_NO_PART: Final = 1_000_000_000
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishContext:
    """What publishing needs besides the store: one renderer per format, the index, the folder, and the pages.

    ``pages`` None means that no pages are written; ``page_paths`` says where those lie that were written before.
    """

    renderers: Sequence[FeedRenderer]
    index: IndexRenderer
    writer: OutputWriter
    page_paths: PagePaths
    pages: PageRenderer | None = None


@dataclass(slots=True)
class ReportingWriter:
    """Writes files and reports what happened to each; a failure costs one output."""

    writer: OutputWriter
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unremoved: list[str] = field(default_factory=list)
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    is_incomplete: bool = False
    """A file could not be written, so another try is due. What cannot be rendered will fail again as it is."""

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

    def remove_leftovers(self) -> list[str]:
        """Try again to remove what an earlier publish could not; return what that was."""
        leftovers = _leftovers(self.writer.read(_LEFTOVERS_NOTE))
        self.remove(leftovers)
        return leftovers

    def remember_leftovers(self, before: Sequence[str]) -> None:
        """Remember what could not be removed, where that is not what was remembered ``before``."""
        unremoved = sorted(set(self.unremoved))
        if unremoved != sorted(set(before)):
            body = json.dumps(unremoved, indent=0).encode() if unremoved else None
            self.write_note(PAGES, _LEFTOVERS_NOTE, body)

    def move(self, old: str, new: str) -> None:
        """Rename a file that is there; raises PublishError when that is not possible."""
        if self.writer.move(old, new):
            self.written.append(new)
            self.removed.append(old)

    def report(self) -> PublishReport:
        """Return what happened."""
        return PublishReport(
            written=tuple(self.written),
            unchanged=self.unchanged,
            removed=tuple(self.removed),
            failed=tuple(self.failed.items()),
        )


def _leftovers(note: bytes | None) -> list[str]:
    """Return the paths of a note; of one that was damaged, what can be a path of ours."""
    try:
        paths = json.loads(note or b"[]")
    except (ValueError, RecursionError):
        return []
    texts = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return [path for path in texts if path[:1] not in ("", "/") and not {"..", "\\", ":"} & {*path.split("/"), *path}]


def _itself(file: OutputFile) -> OutputFile:
    return file


class StoredArchive:
    """The archive of one output as the store has it: which months there are, and the parts of each.

    It asks the store only for months that are looked at.
    """

    def __init__(self, store: Store, slug: str, zone: tzinfo, entries: int) -> None:
        self._store = store
        self._slug = slug
        self._zone = zone
        self._entries = entries
        self._counts: dict[str, int] = {}

    @cached_property
    def months(self) -> tuple[str, ...]:
        """Return the months that have items, newest first."""
        found: list[str] = []
        moment = self._store.published_before(self._slug, _END_OF_TIME)
        while moment is not None:
            found.append(month_of(moment, self._zone))
            moment = self._store.published_before(self._slug, month_bounds(found[-1], self._zone)[0])
        return tuple(found)

    def versions(self, month: str, first: int) -> tuple[ItemVersion, ...]:
        """Return the items of a month from part ``first`` on, newest first."""
        rest = self.count(month) - (first - 1) * PART_SIZE
        return self._store.item_versions(self._slug, *month_bounds(month, self._zone), limit=max(rest, 0))

    def count(self, month: str) -> int:
        """Return how many items a month has."""
        if month not in self._counts:
            self._counts[month] = self._store.count_between(self._slug, *month_bounds(month, self._zone))
        return self._counts[month]

    def parts(self, month: str) -> tuple[Part, ...]:
        """Return the parts of a month that are written, oldest first."""
        newest = month == self.months[0]
        return closed_parts(month, self.count(month), is_newest=newest, entries=self._entries)

    def newest(self) -> Part | None:
        """Return the newest part that is written: what the feed itself goes on to."""
        return next((parts[-1] for month in self.months if (parts := self.parts(month))), None)

    def linked_parts(self) -> tuple[Part, ...]:
        """Return what a page links to: the newest part, then the first one of every month, newest month first."""
        newest = self.newest()
        if newest is None:
            return ()
        return (newest, *(Part(month=month) for month in self.months if month <= newest.month))

    def older(self, part: Part) -> Part | None:
        """Return what comes before a part."""
        if part.number > 1:
            return Part(month=part.month, number=part.number - 1)
        place = self.months.index(part.month) + 1
        return self.parts(self.months[place])[-1] if place < len(self.months) else None

    def newer(self, part: Part) -> Part | None:
        """Return what comes after a part; None when nothing but the feed itself does."""
        parts = self.parts(part.month)
        if part.number < len(parts):
            return parts[part.number]
        place = self.months.index(part.month) - 1
        following = self.parts(self.months[place]) if place >= 0 else ()
        return following[0] if following else None

    def first_changed_parts(self, changed_months: Mapping[str, datetime]) -> dict[str, int]:
        """Return the months to look at, each with the number of the first part that may have changed.

        ``changed_months`` maps months to their earliest changed item. What is older keeps its place, but the part
        before may link to a new one, and so may the edges of the neighbouring months.
        """
        first: dict[str, int] = {}
        for month in changed_months:
            first.update(dict.fromkeys([newer for newer in self.months if newer > month][-1:], 1))
            # A new month closes the last part of the one before, to which the part before that has to link.
            for older in [older for older in self.months if older < month][:2]:
                first.setdefault(older, max(parts_in(self.count(older)) - 1, 1))
        for month, earliest in changed_months.items():
            older_items = self._store.count_between(self._slug, month_bounds(month, self._zone)[0], earliest)
            first[month] = min(first.get(month, _NO_PART), max(older_items // PART_SIZE, 1))
        return first


class ViewMaker(Protocol):
    """Makes the view of some items, as the feed itself or as one part of its archive between two others."""

    def __call__(
        self,
        items: Sequence[StoredItem],
        /,
        *,
        part: Part | None = None,
        older: Part | None = None,
        newer: Part | None = None,
    ) -> OutputView: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFiles:
    """Writes and removes the files of one output; ``earlier_formats`` are those that the last manifest named."""

    slug: str
    entries: int
    store: Store
    archive: StoredArchive
    view: ViewMaker
    context: PublishContext
    writer: ReportingWriter
    earlier_formats: Sequence[str] = ()

    def publish(self, changed_months: Mapping[str, datetime] | None) -> None:
        """Write the archive, then the feeds and the page, which link to it; see ``publish_archive``."""
        self.publish_archive(changed_months)
        view = self.view(self.store.newest(self.slug, self.entries), older=self.archive.newest())
        unwritten = set(self._feed_paths())
        for renderer in self.context.renderers:
            unwritten.discard(self.writer.write(self.slug, partial(renderer.render, view)))
        pages = self.context.pages
        if pages is not None and self.slug != ALL:
            self.writer.write(self.slug, partial(pages.category, view, self.archive.linked_parts()), part=PAGES)
        if self.slug not in self.writer.failed:
            self.writer.remove(sorted(unwritten))

    def remove(self) -> None:
        """Remove all files of the output."""
        for name in sorted(self._digests()):
            self._remove_part(_part(name))
        self.writer.write_note(self.slug, self._note_path, None)
        self.writer.remove(self._feed_paths())
        if self.context.pages is not None:
            self.writer.remove([self.context.page_paths.category(self.slug)])

    def remove_archived_pages(self) -> None:
        """Remove the pages of the archive and leave its feeds."""
        names = sorted(self._digests())
        self.writer.remove(self.context.page_paths.category(self.slug, _part(name)) for name in names)

    def publish_archive(self, changed_months: Mapping[str, datetime] | None) -> None:
        """Write the parts of the archive that changed, or all of them when ``changed_months`` is None.

        ``changed_months`` maps months to the published time of the earliest item that changed there.

        What was written is remembered in the output folder, a digest for each part. When that is lost, the parts of
        changed months are rendered again; their bytes are the same, and no file is written.
        """
        archive, known = self.archive, self._digests()
        every_month = dict.fromkeys([*map(_month, known), *archive.months], 1)
        months = every_month if changed_months is None else archive.first_changed_parts(changed_months)
        digests = {name: digest for name, digest in known.items() if _is_before(_part(name), months)}
        for month in sorted(months.keys() & set(archive.months)):
            first = months[month]
            versions = archive.versions(month, first)
            for part in archive.parts(month)[first - 1 :]:
                own = versions_of_part(part, versions, first)
                digest = _digest(own, archive.older(part), archive.newer(part))
                is_current = changed_months is not None and known.get(part.name) == digest
                digests[part.name] = digest if is_current or self._write_part(part, own) else ""
        for name in sorted(known.keys() - digests.keys()):
            self._remove_part(_part(name))
        if digests != known:
            body = json.dumps(digests, indent=0, sort_keys=True).encode() if digests else None
            self.writer.write_note(self.slug, self._note_path, body)

    def _write_part(self, part: Part, own: Sequence[ItemVersion]) -> bool:
        items = self.store.items_by_id(self.slug, [version.id for version in own])
        view = self.view(items, part=part, older=self.archive.older(part), newer=self.archive.newer(part))
        written = [self.writer.write(self.slug, partial(each.render, view)) for each in self.context.renderers]
        if self.context.pages is not None:
            written.append(self.writer.write(self.slug, partial(self.context.pages.category, view, ()), part=PAGES))
        if all(written):
            self.writer.remove(sorted(set(self._feed_paths(part)).difference(written)))
        return all(written)

    def _remove_part(self, part: Part) -> None:
        self.writer.remove(self._feed_paths(part))
        if self.context.pages is not None:
            self.writer.remove([self.context.page_paths.category(self.slug, part)])

    def _feed_paths(self, part: Part | None = None) -> tuple[str, ...]:
        return self.context.index.paths(self.slug, part, earlier=self.earlier_formats)

    @property
    def _note_path(self) -> str:
        return f"{_FOLDER}/{self.slug}.json"

    def _digests(self) -> dict[str, str]:
        """Return by name of a part the digest of all that its files depend on, but for what every output depends on.

        From a file that is not ours or was damaged it is nothing.
        """
        try:
            lines = json.loads(self.context.writer.read(self._note_path) or b"{}")
            digests = {str(name): str(digest) for name, digest in lines.items()}
            return {name: digest for name, digest in digests.items() if _is_name_of_part(name)}
        except (ValueError, TypeError, AttributeError, RecursionError):
            return {}


def _digest(own: Sequence[ItemVersion], older: Part | None, newer: Part | None) -> str:
    items = [[version.id, version.change_number] for version in own]
    text = json.dumps([items, older and older.name, newer and newer.name])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_before(part: Part, months: Mapping[str, int]) -> bool:
    return part.month not in months or part.number < months[part.month]


def _month(name: str) -> str:
    return name[: len("2026-11")]


def _part(name: str) -> Part:
    _, _, number = name[len("2026-11") :].partition("-")
    return Part(month=_month(name), number=int(number or 1))


def _is_name_of_part(name: str) -> bool:
    return _NAME_OF_PART.fullmatch(name) is not None and _part(name).name == name
