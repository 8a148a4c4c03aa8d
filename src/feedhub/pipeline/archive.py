"""The archive of one output as the store has it: which months there are, and into how many parts each is divided."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property, partial
from typing import Final, Protocol

from feedhub.errors import PublishError
from feedhub.model.item import StoredItem
from feedhub.model.output import Mark, OutputFile, OutputView, Part
from feedhub.pipeline.tally import Tally
from feedhub.ports.publishing import IndexRenderer, PageFormat, Renderer
from feedhub.ports.store import Store
from feedhub.rules.select import PART_SIZE, closed_parts, marks_of, month_bounds, month_of, parts_in

_NO_PART: Final = 1_000_000_000
_END: Final = datetime.max.replace(tzinfo=UTC)


class Shelf:
    """Asks the store only for months that are looked at: one that is not costs nothing."""

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
        moment = self._store.published_before(self._slug, _END)
        while moment is not None:
            found.append(month_of(moment, self._zone))
            moment = self._store.published_before(self._slug, month_bounds(found[-1], self._zone)[0])
        return tuple(found)

    def marks(self, month: str, first: int) -> tuple[Mark, ...]:
        """Return the items of a month from part ``first`` on, newest first."""
        rest = self.count(month) - (first - 1) * PART_SIZE
        return self._store.marks(self._slug, *month_bounds(month, self._zone), limit=max(rest, 0))

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

    def links(self) -> tuple[Part, ...]:
        """Return the newest part, then the first one of every month, newest month first: what a page links to."""
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

    def near(self, touched: Mapping[str, datetime]) -> dict[str, int]:
        """Return the months to look at, each with the number of the first part that may have changed.

        ``touched`` maps months to the earliest item touched there. What is older keeps its place, but the part before
        may link to a new one, and so may the edges of the neighbouring months.
        """
        near: dict[str, int] = {}
        for month in touched:
            near.update(dict.fromkeys([newer for newer in self.months if newer > month][-1:], 1))
            # A new month closes the last part of the one before, to which the part before that has to link.
            for older in [older for older in self.months if older < month][:2]:
                near.setdefault(older, max(parts_in(self.count(older)) - 1, 1))
        for month, earliest in touched.items():
            older_items = self._store.count_between(self._slug, month_bounds(month, self._zone)[0], earliest)
            near[month] = min(near.get(month, _NO_PART), max(older_items // PART_SIZE, 1))
        return near


FOLDER: Final = ".feedhub/archive"
_LONGEST: Final = 20
Digests = dict[str, str]
"""Name of a part → digest of all that its files depend on, but for what every file of an output does."""


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
class ArchivePress:
    """What the archive of one output is made of and written with."""

    slug: str
    entries: int
    store: Store
    shelf: Shelf
    renderers: Sequence[Renderer]
    index: IndexRenderer
    pages: PageFormat | None
    tally: Tally
    view: ViewMaker


def publish_archive(press: ArchivePress, touched: Mapping[str, datetime] | None) -> None:
    """Write the parts of an output's archive that changed, or all of them when ``touched`` is None.

    ``touched`` maps months to the published time of the earliest item touched there.

    What was written is remembered in the output folder, a digest for each part. When that is lost, the parts of
    touched months are rendered again; their bytes are the same, and no file is written.
    """
    shelf = press.shelf
    known = _read(press.tally.writer.read(_path(press.slug)))
    every_month = dict.fromkeys([*map(_month, known), *shelf.months], 1)
    months = every_month if touched is None else shelf.near(touched)
    digests = {name: digest for name, digest in known.items() if _is_before(_part(name), months)}
    for month in sorted(months.keys() & set(shelf.months)):
        first = months[month]
        marks = shelf.marks(month, first)
        for part in shelf.parts(month)[first - 1 :]:
            own = marks_of(part, marks, first)
            digest = _digest(own, shelf.older(part), shelf.newer(part))
            is_written = (touched is not None and known.get(part.name) == digest) or _write_part(part, own, press)
            digests[part.name] = digest if is_written else ""
    for name in sorted(known.keys() - digests.keys()):
        _remove_part(_part(name), press)
    if digests != known:
        _keep(press.slug, digests, press.tally)


def remove_archive(press: ArchivePress) -> None:
    """Remove the whole archive of an output."""
    for name in sorted(_read(press.tally.writer.read(_path(press.slug)))):
        _remove_part(_part(name), press)
    press.tally.writer.remove(_path(press.slug))


def remove_pages(slug: str, layout: PageFormat, tally: Tally) -> None:
    """Remove the pages of an output's archive and leave the feeds."""
    names = sorted(_read(tally.writer.read(_path(slug))))
    tally.remove(layout.output_path(slug, _part(name)) for name in names)


def _write_part(part: Part, own: Sequence[Mark], press: ArchivePress) -> bool:
    items = press.store.shown(press.slug, [mark.id for mark in own])
    view = press.view(items, part=part, older=press.shelf.older(part), newer=press.shelf.newer(part))
    paths = set(press.index.paths(press.slug, part))
    written = [press.tally.write(press.slug, partial(renderer.render, view)) for renderer in press.renderers]
    if press.pages is not None:
        written.append(press.tally.write(press.slug, partial(press.pages.output, view, ()), part="pages"))
    press.tally.remove(sorted(paths.difference(written)))
    return all(written)


def _remove_part(part: Part, press: ArchivePress) -> None:
    press.tally.remove(press.index.paths(press.slug, part))
    if press.pages is not None:
        press.tally.remove([press.pages.output_path(press.slug, part)])


def _digest(own: Sequence[Mark], older: Part | None, newer: Part | None) -> str:
    told = [[mark.id, mark.touched] for mark in own]
    text = json.dumps([told, older and older.name, newer and newer.name])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_before(part: Part, months: Mapping[str, int]) -> bool:
    return part.month not in months or part.number < months[part.month]


def _month(name: str) -> str:
    return name[: len("2026-11")]


def _part(name: str) -> Part:
    _, _, number = name[len("2026-11") :].partition("-")
    return Part(month=_month(name), number=int(number or 1))


def _path(slug: str) -> str:
    return f"{FOLDER}/{slug}.json"


def _keep(slug: str, digests: Digests, tally: Tally) -> None:
    try:
        if digests:
            body = json.dumps(digests, indent=0, sort_keys=True).encode()
            tally.keep(OutputFile(path=_path(slug), body=body))
        else:
            tally.writer.remove(_path(slug))
    except PublishError as error:
        tally.broken.setdefault(slug, str(error))


def _read(body: bytes | None) -> Digests:
    """Return what was remembered; nothing from a file that is not ours or was damaged."""
    try:
        lines = json.loads(body or b"{}")
        digests = {str(name): str(digest) for name, digest in lines.items()}
        return {name: digest for name, digest in digests.items() if _part(name).name == name and len(name) < _LONGEST}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
